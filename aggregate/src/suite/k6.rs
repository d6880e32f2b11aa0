//! How does a profile look as a k6 script?

use std::fmt::Write as _;

use load_suite::units::written;
use serde_json::{Map, Value, json};

use super::levels::Levels;
use super::limit::Limit;
use super::list::pretty;
use super::show::Part;
use crate::Failure;

/// A script that makes the load of `part` with calls to the environment's URL.
pub(super) fn script(part: &Part) -> Result<String, Failure> {
    let (thresholds, left_out) = thresholds(part);
    let mut scenario = scenario(&Levels::of(&part.suite.profile));
    if let (Some(wait), Value::Object(keys)) = (part.suite.profile.graceful_stop, &mut scenario) {
        keys.insert("gracefulStop".into(), json!(written(wait)));
    }
    let name = if part.suite.profile.name.is_empty() { "load" } else { &part.suite.profile.name };
    let options = json!({ "scenarios": { name: scenario }, "thresholds": thresholds });
    let pauses: Vec<_> =
        part.classes().into_iter().map(|(_, weight, low, high)| json!([weight, low, high])).collect();
    let open = part.suite.profile.rate.is_some();
    let mut text = format!(
        "// {}: the load and the limits of the suite; what its users do is the suite's alone.\n",
        part.title()
    );
    for threshold in left_out {
        let _ = writeln!(text, "// k6 has no such limit: {threshold}");
    }
    let _ = write!(
        text,
        "import http from 'k6/http';\nimport {{ sleep }} from 'k6';\n\nexport const options = {};\n\nconst target = __ENV.API_URL || {};\n",
        pretty(&options)?.trim_end(),
        json!(part.url())
    );
    if open {
        text.push_str("\nexport default function () {\n  http.get(target);\n}\n");
        return Ok(text);
    }
    let _ = write!(
        text,
        "// Of each kind of users: its weight, and its pauses from and to, in seconds.\nconst kinds = {};\nconst weights = kinds.reduce((sum, [weight]) => sum + weight, 0);\n",
        json!(pauses)
    );
    text.push_str(
        "
function pause() {
  let at = Math.random() * weights;
  const kind = kinds.find(([weight]) => (at -= weight) < 0) || kinds[0];
  return kind[1] + Math.random() * (kind[2] - kind[1]);
}

export default function () {
  http.get(target);
  sleep(pause());
}
",
    );
    Ok(text)
}

fn scenario(levels: &Levels) -> Value {
    if let Some(iterations) = levels.iterations {
        let users = if levels.start >= 1.0 { levels.start as u64 } else { 1 };
        let longest: std::time::Duration = levels.ramps.iter().map(|(time, _)| *time).sum();
        return json!({
            "executor": "shared-iterations", "vus": users.min(iterations), "iterations": iterations,
            "maxDuration": written(longest),
        });
    }
    // k6 counts arrivals in whole numbers: of an hour, where that is needed.
    let whole = levels
        .ramps
        .iter()
        .chain([&(std::time::Duration::ZERO, levels.start)])
        .all(|(_, level)| level.fract() == 0.0);
    let (unit, times) = if whole { ("1s", 1.0) } else { ("1h", 3_600.0) };
    let rate = |level: f64| (level * times).round() as u64;
    let stages = |level: &dyn Fn(f64) -> u64| -> Vec<Value> {
        levels
            .ramps
            .iter()
            .map(|(time, to)| json!({ "duration": written(*time), "target": level(*to) }))
            .collect()
    };
    match (levels.open, levels.constant()) {
        (true, Some((duration, level))) => json!({
            "executor": "constant-arrival-rate", "rate": rate(level), "timeUnit": unit,
            "duration": written(duration), "preAllocatedVUs": levels.lanes.0, "maxVUs": levels.lanes.1,
        }),
        (true, None) => json!({
            "executor": "ramping-arrival-rate", "startRate": rate(levels.start), "timeUnit": unit,
            "stages": stages(&rate), "preAllocatedVUs": levels.lanes.0, "maxVUs": levels.lanes.1,
        }),
        (false, Some((duration, level))) => json!({
            "executor": "constant-vus", "vus": level as u64, "duration": written(duration),
        }),
        (false, None) => json!({
            "executor": "ramping-vus", "startVUs": levels.start as u64,
            "stages": stages(&|level| level.round() as u64), "gracefulRampDown": "30s",
        }),
    }
}

/// What k6 knows of the limits, and what it does not.
fn thresholds(part: &Part) -> (Map<String, Value>, Vec<&str>) {
    let (mut known, mut left_out) = (Map::new(), Vec::new());
    for text in part.suite.thresholds.iter().map(|text| text.value.as_str()) {
        let Some(limit) = Limit::of(text) else {
            left_out.push(text);
            continue;
        };
        let condition = limit.condition();
        let entry = if limit.abort {
            json!({ "threshold": condition, "abortOnFail": true })
        } else {
            json!(condition)
        };
        if let Value::Array(list) = known.entry(limit.selector()).or_insert_with(|| json!([])) {
            list.push(entry);
        }
    }
    (known, left_out)
}
