//! How does a profile look as a locustfile?

use std::fmt::Write as _;

use serde_json::json;

use super::levels::Levels;
use super::limit::Limit;
use super::show::Part;

/// A locustfile that makes the load of `part` with calls to the environment's URL.
pub(super) fn file(part: &Part) -> String {
    let levels = Levels::of(&part.suite.profile);
    let limits: Vec<_> =
        part.suite.thresholds.iter().map(|text| (text.value.as_str(), Limit::of(&text.value))).collect();
    let mut text = format!(
        "# {}: the load and the limits of the suite; what its users do is the suite's alone.\n#   locust --headless -f FILE\n",
        part.title()
    );
    if levels.open {
        text.push_str("# Locust has no arrivals: each of its users makes one iteration a second, so users are iterations a second.\n");
    }
    for (threshold, _) in limits.iter().filter(|(_, limit)| !limit.as_ref().is_some_and(judged)) {
        let _ = writeln!(text, "# not judged here: {threshold}");
    }
    text.push_str("import os\nimport random\n\nfrom locust import HttpUser, LoadTestShape, constant_throughput, events, task\n\n");
    let _ = writeln!(text, "TARGET = os.environ.get(\"API_URL\") or {}", json!(part.url()));
    let ramps: Vec<_> = levels.ramps.iter().map(|(time, level)| (time.as_secs_f64(), *level)).collect();
    let _ = writeln!(
        text,
        "# Ramps: seconds, and the users at their end.\nSTART = {}\nRAMPS = {}",
        levels.start,
        json!(ramps)
    );
    let steepest = ramps
        .iter()
        .scan(levels.start, |from, (time, to)| {
            Some((to - std::mem::replace(from, *to)).abs() / time.max(1.0))
        })
        .fold(1.0, f64::max);
    // At least as many as one look at the shape a second may ask for.
    let _ = writeln!(text, "SPAWN_RATE = {}", steepest.max(levels.start).ceil());
    let iterations = levels.iterations.map_or("None".to_owned(), |n| n.to_string());
    let _ = writeln!(text, "ITERATIONS = {iterations}\n# Name, statistic, comparison, limit.\nLIMITS = [");
    for limit in limits.iter().filter_map(|(_, limit)| limit.as_ref()).filter(|limit| judged(limit)) {
        let _ = writeln!(
            text,
            "    ({}, {}, {}, {}),",
            json!(limit.metric),
            json!(limit.stat),
            json!(limit.operator),
            limit.value
        );
    }
    text.push_str("]\n\nmade = 0\n\n");
    for (name, weight, low, high) in part.classes() {
        let wait = if levels.open {
            "constant_throughput(1)".to_owned()
        } else {
            format!("lambda self: random.uniform({low}, {high})")
        };
        let _ = writeln!(
            text,
            "\nclass {}(HttpUser):\n    host = TARGET\n    weight = {weight}\n    wait_time = {wait}\n\n    @task\n    def visit(self):\n        visit(self)\n",
            identifier(&name)
        );
    }
    text.push_str(REST);
    text
}

/// Whether the locustfile looks at it: what all calls do together.
fn judged(limit: &Limit) -> bool {
    limit.op.is_none() && limit.metric.starts_with("http_")
}

/// `name` as a class of Python.
fn identifier(name: &str) -> String {
    let upper = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    };
    let whole: String = name.split(|c: char| !c.is_ascii_alphanumeric()).map(upper).collect();
    if whole.starts_with(|c: char| c.is_ascii_alphabetic()) { whole } else { format!("User{whole}") }
}

const REST: &str = r#"
def visit(user):
    global made
    user.client.get("")
    made += 1
    if ITERATIONS is not None and made >= ITERATIONS:
        user.environment.runner.quit()


class Shape(LoadTestShape):
    def tick(self):
        now, begin, level = self.get_run_time(), 0, START
        for seconds, target in RAMPS:
            if now < begin + seconds:
                return round(level + (target - level) * (now - begin) / seconds), SPAWN_RATE
            begin, level = begin + seconds, target
        return None


COMPARE = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


def observed(total, metric, stat):
    if metric == "http_req_failed":
        return total.fail_ratio
    if metric == "http_reqs":
        return total.num_requests if stat == "count" else total.total_rps
    if stat.startswith("p("):
        return total.get_response_time_percentile(float(stat[2:-1]) / 100)
    figures = {
        "avg": total.avg_response_time,
        "med": total.median_response_time,
        "min": total.min_response_time or 0,
        "max": total.max_response_time,
    }
    return figures[stat]


@events.quitting.add_listener
def judge(environment, **_):
    total = environment.stats.total
    broken = [limit for limit in LIMITS if not COMPARE[limit[2]](observed(total, limit[0], limit[1]), limit[3])]
    for metric, stat, operator, value in broken:
        print(f"does not hold: {metric} {stat} {operator} {value}")
    environment.process_exit_code = 1 if broken or total.num_requests == 0 else 0
"#;
