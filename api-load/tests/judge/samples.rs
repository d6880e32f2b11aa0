//! Does the tool say of a target what it uses? Against processes whose use is known from elsewhere.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use load_report::gauge::GaugeReport;
use tool_tests::Left;

use crate::support::{Tool, server, timed, url};

/// `exporter.py`, until it is dropped.
struct Target {
    child: Child,
    port: u16,
}

impl Target {
    fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/judge/exporter.py");
        let mut child = Command::new("python3").arg(script).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, port: line.trim().parse().unwrap() }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Seconds of CPU that the process has used, as the system counts them.
    fn cpu_s(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: f64 = fields[11..13].iter().map(|field| field.parse::<f64>().unwrap()).sum();
        // Linux has told every program for decades that there are 100 a second.
        ticks / 100.0
    }

    fn asked(&self, query: &str) -> u64 {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(stream, "GET /metrics?asked HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let all: serde_json::Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        all[query].as_u64().unwrap()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[track_caller]
fn gauge<'a>(left: &'a Left, name: &str) -> &'a GaugeReport {
    left.run().gauges.iter().find(|gauge| gauge.name == name).unwrap_or_else(|| panic!("no gauge {name}"))
}

/// Whether each threshold held, whatever else is said of the run.
#[track_caller]
fn held(left: &Left) -> Vec<(String, bool, Option<f64>)> {
    let all = left.run().thresholds.iter();
    all.map(|one| (one.expression.clone(), one.passed, one.observed)).collect()
}

#[track_caller]
fn observed(left: &Left, expression: &str) -> (bool, Option<f64>) {
    let all = held(left);
    let found = all.iter().find(|(one, ..)| one == expression);
    let (_, passed, observed) = found.unwrap_or_else(|| panic!("{expression}: {all:?}"));
    (*passed, *observed)
}

/// Words of a command line, one of which has spaces.
fn run(tool: &Tool, target: &str, args: &str, thresholds: &[&str]) -> Left {
    let mut command = tool.command(target, args);
    command.args(thresholds.iter().flat_map(|one| ["--threshold", one]));
    tool.left(&command.output().unwrap())
}

fn suite(tool: &Tool, text: &str) -> PathBuf {
    let file = tool.folder().join("suite.toml");
    std::fs::write(
        &file,
        format!("{text}\n[[users]]\nname = \"u\"\n[[users.tasks]]\nname = \"t\"\nrequest = \"GET /x\"\n"),
    )
    .unwrap();
    file
}

#[test]
fn what_a_process_used_is_what_the_system_counted() {
    let (target, tool) = (Target::start(), Tool::new());
    let file = suite(
        &tool,
        &format!(
            "[[samples]]\npid = {}\nuse = \"process\"\n[[samples.gauges]]\nname = \"cpu_seconds\"\n\
             metric = \"process_cpu_seconds_total\"\nkind = \"growth\"\n",
            target.child.id()
        ),
    );
    let before = target.cpu_s();
    let left = tool.run(&target.url("/"), &format!("--suite {} -r 200 -d 3s -u 4", file.display()));
    let used = target.cpu_s() - before;
    let run = left.run();
    assert!(run.totals.requests > 0 && used > 0.1, "{used}");
    let told = gauge(&left, "cpu_seconds").last.unwrap();
    // What the first connections and the end of the last ones cost is on either side of the run.
    assert!(told <= used + 0.011 && told >= used - 0.1 - used * 0.1, "{told} of {used}");
    let memory = gauge(&left, "process_memory");
    let status = std::fs::read_to_string(format!("/proc/{}/status", target.child.id())).unwrap();
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let rss: f64 = rss.trim().trim_end_matches(" kB").parse::<f64>().unwrap() * 1024.0;
    assert!((memory.last.unwrap() - rss).abs() < 2e6, "{:?} and {rss}", memory.last);
    assert!(gauge(&left, "process_open_fds").max.unwrap() >= 4.0);
    assert_eq!(gauge(&left, "process_restarts").last, Some(0.0));
}

#[test]
fn a_server_says_what_it_and_its_machine_use() {
    let server = server("");
    let page = url(&server, "/truth/metrics");
    let tool = Tool::new();
    let line = format!("-r 300 -d 3s -u 5 --processes 2 --sample-url {page} --sample-url node={page}");
    let left = tool.run(&url(&server, "/x"), &line);
    let (run, truth) = (left.run(), server.truth());
    // What asks is no load: not in the account of the server, and not in ours.
    assert_eq!((run.totals.requests, truth.requests), (900, 900));
    assert_eq!(
        truth.connections.accepted,
        run.connections.opened + 1,
        "one looked whether the server is there"
    );
    assert!((3..=5).contains(&run.samples.answered), "{}", run.samples.answered);
    assert_eq!(run.samples.failed, 0);
    let missing: Vec<_> =
        run.gauges.iter().filter(|gauge| gauge.count == 0).map(|gauge| &gauge.name).collect();
    assert!(
        missing.iter().all(|name| name.starts_with("process_disk") || name.starts_with("node_disk")),
        "{missing:?}"
    );
    let (cpu, memory) =
        (gauge(&left, "node_cpu").max.unwrap(), gauge(&left, "node_memory_share").max.unwrap());
    assert!((0.0..=1.0).contains(&cpu) && cpu > 0.0 && (0.0..1.0).contains(&memory), "{cpu} {memory}");
    // 300 requests a second, each of some 60 bytes or more.
    assert!(gauge(&left, "process_network_in").mean.unwrap() > 5_000.0);
}

#[test]
fn a_leak_is_a_slope_and_what_comes_and_goes_is_none() {
    timed(|| {
        let target = Target::start();
        let leak = "process_memory: slope < 10MB/m";
        let line = |query: &str| {
            format!("-u 1 --think 50ms -d 4s --sample 500ms --sample-url {}", target.url(query))
        };
        let left = run(&Tool::new(), &target.url("/"), &line("/metrics?leak"), &[leak]);
        left.exits(99)?;
        let (passed, slope) = observed(&left, leak);
        let slope = slope.unwrap();
        assert!(!passed);
        if !(8e5..1.2e6).contains(&slope) {
            return Err(format!("{slope} bytes a second instead of a million"));
        }
        let left = run(&Tool::new(), &target.url("/"), &line("/metrics?steady"), &[leak]);
        left.exits(0)
    });
}

#[test]
fn another_process_in_the_place_of_the_target_is_told() {
    let target = Target::start();
    let line =
        format!("-u 1 --think 50ms -d 3s --sample 300ms --sample-url {}", target.url("/metrics?restart"));
    let left = run(&Tool::new(), &target.url("/"), &line, &["process_restarts < 1"]);
    assert_eq!(observed(&left, "process_restarts < 1"), (false, Some(1.0)));
}

#[test]
fn an_exporter_that_ends_is_told_and_the_run_goes_on() {
    let target = Target::start();
    let line = format!("-r 50 -d 2500ms -u 2 --sample 200ms --sample-url {}", target.url("/metrics?dies"));
    let left = run(&Tool::new(), &target.url("/"), &line, &["error_rate < 1%"]);
    let run = left.run();
    assert!(run.totals.requests > 100 && run.totals.failures == 0, "{:?}", run.ledger.calls);
    assert_eq!(run.samples.answered, 2);
    assert!(run.samples.failed > 0);
    let told = run.warnings.iter().any(|warning| {
        warning.contains("looks at the gauges failed") && warning.contains(&target.url("/metrics?dies"))
    });
    assert!(told, "{:?}", run.warnings);
}

#[test]
fn what_is_not_said_is_never_a_pass() {
    let target = Target::start();
    for (query, remark) in [
        ("/metrics?steady", "has nothing for process_cpu, process_open_fds, process_restarts"),
        ("/metrics?broken", "line 3: \"nonsense\" is no series"),
        ("/nothing", "line 1: \"ok\" is no series"),
    ] {
        let line = format!("-u 1 --think 50ms -d 1500ms --sample 300ms --sample-url {}", target.url(query));
        let left = run(&Tool::new(), &target.url("/"), &line, &["process_cpu: max < 80%"]);
        assert_eq!(observed(&left, "process_cpu: max < 80%"), (false, None), "{query}");
        let warnings = &left.run().warnings;
        assert_eq!(
            warnings.iter().filter(|warning| warning.contains(remark)).count(),
            1,
            "{query}: {warnings:?}"
        );
    }
}

#[test]
fn only_the_process_that_conducts_asks() {
    let target = Target::start();
    let line = format!(
        "-u 4 -d 2s --think 20ms --processes 2 --threads 2 --sample-url {}",
        target.url("/metrics?steady")
    );
    let left = Tool::new().run(&target.url("/"), &line);
    let looks = left.run().samples.answered;
    assert!((2..=4).contains(&looks), "{looks}");
    // The last one is given up sooner than the others.
    assert!((looks..=looks + 1).contains(&target.asked("steady")), "{looks}");
}

#[test]
fn suites_ask_for_what_they_name_in_text_and_in_json() {
    let (target, tool) = (Target::start(), Tool::new());
    let file = suite(
        &tool,
        &format!(
            "thresholds = [\"queued: max == 7\", \"one_queued: max == 4\", \"cpu: max < 30%\", \"lengths: max == 7\"]\n\
             [[samples]]\nurl = \"{text}\"\n[[samples.gauges]]\nname = \"queued\"\nmetric = \"queue_length\"\n\
             [[samples.gauges]]\nname = \"one_queued\"\nmetric = 'queue_length{{queue=~\"b|c\"}}'\n\
             [[samples]]\nurl = \"{json}\"\n[[samples.gauges]]\nname = \"cpu\"\nmetric = \"$.cpu_percent\"\nfactor = 0.01\n\
             unit = \"ratio\"\n[[samples.gauges]]\nname = \"lengths\"\nmetric = \"$.queues[*].length\"\n",
            text = target.url("/metrics?some"),
            json = target.url("/metrics?json"),
        ),
    );
    let left = tool.run(&target.url("/"), &format!("--suite {} -u 1 --think 50ms -d 1500ms", file.display()));
    for (expression, passed, observed) in held(&left) {
        assert!(passed, "{expression}: {observed:?}");
    }
    assert_eq!(gauge(&left, "cpu").last, Some(0.25));
}

#[test]
fn an_environment_without_an_exporter_judges_less() {
    let (target, tool) = (Target::start(), Tool::new());
    let file = suite(
        &tool,
        "thresholds = [\"error_rate < 1%\", \"process_memory: max < 1MB\"]\n\
         [[samples]]\nurl = '{{env.NO_SUCH_METRICS_URL or \"\"}}'\nuse = \"process\"\n",
    );
    let line = format!("--suite {} -u 1 --think 50ms -d 600ms", file.display());
    let left = tool.run(&target.url("/"), &line);
    assert_eq!(held(&left).len(), 1, "{:?}", held(&left));
    assert!(
        left.stderr.contains("suite.toml:2: nobody to ask; thresholds on these gauges are left out"),
        "{}",
        left.stderr
    );
    let left = run(&Tool::new(), &target.url("/"), &line, &["process_cpu: max < 80%"]);
    left.is_refused(104, "suite.toml:2 has nobody to ask; give --sample-url or --sample-pid");
    // Somebody who is typed takes the place.
    let line = format!("{line} --sample-pid {}", target.child.id());
    let left = Tool::new().run(&target.url("/"), &line);
    assert!(!observed(&left, "process_memory: max < 1MB").0);
}

#[test]
fn mistakes_are_told_with_file_and_line() {
    for (samples, expected) in [
        ("url = \"h:1\"\nuse = \"process\"", "suite.toml:1: no scheme"),
        ("url = \"http://h\"\nuse = \"proces\"", "suite.toml:3: use: \"proces\" is unknown"),
        ("url = \"http://h\"\nuse = [\"process\", \"process\"]", "there is another process_cpu already"),
        (
            "url = \"http://h\"\n[[samples.gauges]]\nname = \"throughput\"\nmetric = \"a\"",
            "there is another throughput already",
        ),
    ] {
        let tool = Tool::new();
        let file = suite(&tool, &format!("[[samples]]\n{samples}\n"));
        let left = tool.run("http://127.0.0.1:1/", &format!("--suite {}", file.display()));
        left.is_refused(104, expected);
    }
    for (line, expected) in [
        ("--sample-url nodes=http://h/", "expected process=URL, node=URL or a URL"),
        ("--sample-url http://bob:hunter2@h/{{x}}", "--sample-url: {{ in the path"),
        ("--null --sample-pid 1", "--sample-pid: there is no target with --null"),
        ("--sample 2s", "give --sample-url or --sample-pid"),
        (
            "--sample off --sample-pid 1 --threshold process_open_fds<9",
            "nobody would look at process_open_fds",
        ),
    ] {
        let left = Tool::new().run("http://127.0.0.1:1/", line);
        left.is_refused(104, expected);
        assert!(!left.stderr.contains("hunter2"), "{}", left.stderr);
    }
}

#[test]
fn who_may_read_an_exporter_stays_secret() {
    let target = Target::start();
    let tool = Tool::new();
    let page = format!("http://bob:s3cr3t-canary@127.0.0.1:{}/metrics?token=0ther-canary", target.port);
    let left = tool.run(&target.url("/"), &format!("-u 1 --think 50ms -d 600ms -vv --sample-url {page}"));
    assert!(left.run().samples.answered > 0);
    tool.keeps(&["s3cr3t-canary", "0ther-canary"], &left);
}
