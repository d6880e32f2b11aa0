//! Are lost messages, a recovery and the availability what became of a server that was really killed and started again?

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use load_report::model::{ThresholdOutcome, ThresholdReport};
use tempfile::TempDir;
use tool_tests::{Left, Tool, free_port, timed};

use crate::support::Service;

/// A Redis that two scripts stop and start, as the suite's events do.
struct Redis {
    folder: TempDir,
    port: u16,
}

impl Redis {
    /// With every message on disk before it is confirmed, or with nothing there at all. None without a redis-server.
    fn start(keeps: bool) -> Option<Self> {
        if Command::new("redis-server").arg("--version").stdout(Stdio::null()).status().is_err() {
            skipped();
            return None;
        }
        let port = free_port();
        let folder = tempfile::tempdir().unwrap();
        let (dir, kept) = (folder.path().display(), if keeps { "yes" } else { "no" });
        let server = format!(
            "redis-server --port {port} --bind 127.0.0.1 --dir {dir} --save '' --appendonly {kept} --appendfsync always \
             --daemonize yes --pidfile {dir}/pid --logfile {dir}/log >{dir}/out 2>&1"
        );
        std::fs::write(folder.path().join("start"), server).unwrap();
        std::fs::write(folder.path().join("stop"), format!("kill -9 $(cat {dir}/pid)")).unwrap();
        let redis = Self { folder, port };
        redis.run("start");
        let mut tries = 0;
        while redis.client().is_err() {
            tries += 1;
            assert!(tries < 200, "redis-server does not answer");
            tool_tests::pass(50);
        }
        Some(redis)
    }

    fn run(&self, script: &str) {
        let _ = Command::new("sh").arg(self.folder.path().join(script)).stderr(Stdio::null()).status();
    }

    /// The command that runs one of the scripts.
    fn command(&self, script: &str) -> String {
        format!("sh {}", self.folder.path().join(script).display())
    }

    fn client(&self) -> Result<redis::Connection, redis::RedisError> {
        redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).unwrap().get_connection()
    }

    /// `db-load redis` with a suite, whose events know how to stop and start this server.
    fn load(&self, suite: &Path, line: &str) -> Left {
        let tool = Tool::new(env!("CARGO_BIN_EXE_db-load"), "db-redis");
        let words = ["redis", "--suite"].map(OsStr::new).into_iter().chain([suite.as_os_str()]);
        let mut command = tool.command(words.chain(line.split_whitespace().map(OsStr::new)));
        command.env("DRAGONFLY_PORT", self.port.to_string()).env_remove("DRAGONFLY_PASSWORD");
        command.env("STOP_DRAGONFLY", self.command("stop")).env("START_DRAGONFLY", self.command("start"));
        command.env("STOP_ORCHESTRATOR", "true").env("START_ORCHESTRATOR", "true");
        tool.wait(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.run("stop");
    }
}

#[expect(clippy::print_stderr, reason = "a reader of the tests shall know what was not looked at")]
fn skipped() {
    eprintln!("SKIPPED: redis-server is not installed");
}

#[track_caller]
fn threshold<'a>(left: &'a Left, expression: &str) -> &'a ThresholdReport {
    let all = &left.run().thresholds;
    let found = all.iter().find(|threshold| threshold.expression == expression);
    found.unwrap_or_else(|| panic!("no {expression}: {all:?}"))
}

fn suite(text: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("db.toml"), text).unwrap();
    folder
}

fn nova_torch() -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../suites/nova-torch")).canonicalize().unwrap()
}

/// Nova-Torch's failover as it is shipped, in 37 s instead of 16 min: Dragonfly is killed and started again.
#[test]
fn nova_torch_fails_over_without_a_loss_and_says_how_long_it_took() {
    timed(|| {
        let Some(redis) = Redis::start(true) else { return Ok(()) };
        let left = redis.load(&nova_torch(), "--profile failover --scale-time 0.04");
        left.exits(0)?;
        let run = left.run();
        assert!(run.events.iter().all(|event| event.exit_code == Some(0)), "{:?}", run.events);
        // What Dragonfly had taken before it was killed was there behind the run, each of it.
        let (checked, lost) = (left.counter("messages_checked"), left.counter("messages_lost"));
        assert!(checked > 200 && lost == 0, "{lost} of {checked}");
        assert_eq!(threshold(&left, "message_loss: rate<=0.1%").observed, Some(0.0));
        let recovery = threshold(&left, "recovery_time{phase:dragonfly-down}<120s").observed;
        // The phase that follows has 4.8 s, and it was well within it.
        assert!(recovery.is_some_and(|ms| ms < 4_800.0), "{recovery:?}");
        let there = threshold(&left, "availability{phase:before}>=99.9%").observed;
        let away = &run.phases.iter().find(|phase| phase.name == "dragonfly-down").unwrap().figures;
        assert!(there == Some(1.0) && away.failures > 0, "{there:?} {away:?}");
        Ok(())
    });
}

/// Ten users, of whom each adds a message four times a second; the server is away from second 2 to 4.
const SHORT: &str = r#"
thresholds = ["message_loss: rate<=0.1%", "recovery_time{phase:down}<1s", "error_rate<90%"]
[environments.local]
url = "redis://127.0.0.1:{{env.DRAGONFLY_PORT}}"
[profiles.short]
vus = 10
stages = ["before=2s:10", "down=2s:10", "behind=4s:10"]
[[events]]
name = "stop"
at = "2s"
run = ["sh", "-c", "{{env.STOP_DRAGONFLY}}"]
[[events]]
name = "start"
at = "WHEN"
run = ["sh", "-c", "{{env.START_DRAGONFLY}}"]
[[users]]
name = "sender"
think = "250ms"
[[users.tasks]]
name = "send"
steps = [{ name = "send", command = "XADD messages * type x", numbered = true, timeout = "500ms" }]
"#;

#[test]
fn what_a_server_forgets_and_an_outage_above_the_limit_fail_the_run() {
    timed(|| {
        // It comes back in time and has nothing of what it had confirmed.
        let Some(redis) = Redis::start(false) else { return Ok(()) };
        let left = redis.load(suite(&SHORT.replace("WHEN", "3900ms")).path(), "--profile short");
        left.exits(99)?;
        let loss = threshold(&left, "message_loss: rate<=0.1%");
        let (checked, lost) = (left.counter("messages_checked"), left.counter("messages_lost"));
        assert_eq!(
            (loss.outcome, loss.observed),
            (ThresholdOutcome::Fail, Some(lost as f64 / checked as f64))
        );
        let mut client = redis.client().unwrap();
        let there: u64 = redis::cmd("XLEN").arg("messages").query(&mut client).unwrap();
        assert!(lost > 20 && checked > lost + 20, "{lost} of {checked}");
        // Some were added without a confirmation: their caller knows nothing of them.
        assert!(there >= checked - lost && there <= checked - lost + 10, "{there} of {checked} - {lost}");
        if threshold(&left, "recovery_time{phase:down}<1s").outcome != ThresholdOutcome::Pass {
            return Err(format!("{:?}", left.run().thresholds));
        }
        // It comes back with all it had, and too late.
        let Some(redis) = Redis::start(true) else { return Ok(()) };
        let left = redis.load(suite(&SHORT.replace("WHEN", "6s")).path(), "--profile short");
        left.exits(99)?;
        let late = threshold(&left, "recovery_time{phase:down}<1s");
        assert_eq!(late.outcome, ThresholdOutcome::Fail, "{late:?}");
        assert!(late.observed.is_none_or(|ms| ms >= 1_900.0), "{late:?}");
        assert_eq!(left.counter("messages_lost"), 0);
        assert_eq!(threshold(&left, "message_loss: rate<=0.1%").outcome, ThresholdOutcome::Pass);
        Ok(())
    });
}

/// The numbers are two more fields of a message, and whatever is taken out of the stream is missing.
#[test]
fn what_is_taken_out_of_a_stream_is_lost() {
    let Some(service) = Service::start("redis") else { return };
    let text = "[profiles.none]\n[profiles.some]\n[[users]]\nname = \"u\"\n[[users.tasks]]\nname = \"t\"\nsteps = [\
                { name = \"add\", command = \"XADD s:{{int(1, 3)}} * type x\" },\
                { name = \"look\", command = \"PING\" }]\n[defaults]\nnumbered = [\"some\"]\n";
    let folder = suite(text);
    let line = |more: &str| format!("--suite {} -n 3000 -u 4 {more}", folder.path().display());
    let mut redis = service.redis();
    for more in ["--profile some", "--profile some --threads 2 --resp3", "--profile some -c 1 --multiplex 4"]
    {
        let left = service.tool().run(&line(more));
        assert_eq!(left.code, 0, "{more}: {} {}", left.stdout, left.stderr);
        assert_eq!((left.counter("messages_checked"), left.counter("messages_lost")), (3_000, 0), "{more}");
    }
    let entry: Vec<(String, Vec<String>)> =
        redis::cmd("XRANGE").arg(&["s:1", "-", "+", "COUNT", "1"]).query(&mut redis).unwrap();
    let fields = &entry[0].1;
    assert_eq!(
        (fields.len(), &fields[0], &fields[2], &fields[4]),
        (6, &"type".into(), &"p".into(), &"n".into())
    );
    // Nobody is asked for numbers without that profile.
    let left = service.tool().run(&line("--profile none"));
    assert!(left.code == 0 && left.run().counters.iter().all(|counter| counter.name != "messages_lost"));
    // A stream that is cut all the time loses what is not among its last ones.
    let cut = text.replace("XADD s:{{int(1, 3)}} *", "XADD short MAXLEN 100 *");
    let folder = suite(&cut);
    let left = service.tool().run(&format!(
        "--suite {} -n 3000 -u 4 --profile some --threshold message_loss:rate<1%",
        folder.path().display()
    ));
    assert_eq!((left.code, left.counter("messages_lost")), (99, 2_900), "{}", left.stdout);
    let refused = suite(&text.replace("PING\"", "PING\", numbered = true"));
    service
        .tool()
        .run(&format!("--suite {} -n 5 -u 1 --quiet", refused.path().display()))
        .is_refused(104, "expected a command that adds a message");
}
