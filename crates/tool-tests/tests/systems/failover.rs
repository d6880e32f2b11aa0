//! Does Nova-Torch's failover say what became of servers that are really stopped and started? Its orchestrator and its Dragonfly
//! (a Redis here) are killed by the suite's events, while messages and registrations go on.

use std::path::Path;
use std::process::{Command, Stdio};

use load_report::model::ThresholdReport;
use tempfile::TempDir;
use tool_tests::{Left, Tool, free_port, pass, timed};

use crate::program;

/// Both servers, and the scripts that stop and start them.
struct Servers {
    folder: TempDir,
    dragonfly: u16,
    orchestrator: u16,
}

impl Servers {
    /// None where one of them is not there.
    fn start() -> Option<Self> {
        let orchestrator = program("target-server")?;
        if Command::new("redis-server").arg("--version").stdout(Stdio::null()).status().is_err() {
            eprintln!("redis-server is not installed: skipped");
            return None;
        }
        let servers =
            Self { folder: tempfile::tempdir().unwrap(), dragonfly: free_port(), orchestrator: free_port() };
        let (dir, ports) = (servers.folder.path().display(), (servers.dragonfly, servers.orchestrator));
        // A message is on disk before it is confirmed.
        let redis = format!(
            "redis-server --port {} --bind 127.0.0.1 --dir {dir} --save '' --appendonly yes --appendfsync always \
             --daemonize yes --pidfile {dir}/dragonfly.pid >{dir}/log 2>&1",
            ports.0
        );
        let target = format!(
            "setsid {} --contract nova-torch --strict --grpc 127.0.0.1:{} >{dir}/log 2>&1 </dev/null &\n\
             echo $! >{dir}/orchestrator.pid",
            orchestrator.display(),
            ports.1
        );
        for (name, start) in [("dragonfly", redis), ("orchestrator", target)] {
            std::fs::write(servers.folder.path().join(format!("start-{name}")), start).unwrap();
            let stop = format!("kill -9 $(cat {dir}/{name}.pid)");
            std::fs::write(servers.folder.path().join(format!("stop-{name}")), stop).unwrap();
            servers.run(&format!("start-{name}"));
        }
        let answers = |port| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        let mut tries = 0;
        while !(answers(ports.0) && answers(ports.1)) {
            tries += 1;
            assert!(tries < 200, "the servers do not answer");
            pass(50);
        }
        Some(servers)
    }

    fn path(&self, script: &str) -> String {
        self.folder.path().join(script).display().to_string()
    }

    fn run(&self, script: &str) {
        let _ = Command::new("sh").arg(self.path(script)).stderr(Stdio::null()).status();
    }

    /// A tool in the rehearsal of the failover, on its way.
    fn load(&self, program: &Path, component: &str, words: &[&str]) -> (Tool, std::process::Child) {
        let tool = Tool::new(program, component);
        let suite = format!("{}nova-torch", crate::SUITES);
        let words = words.iter().copied().chain(["--suite", &suite, "--profile", "failover", "--headless"]);
        let mut command = tool.command(words.chain(["--scale-time", "0.04"]));
        command
            .env("DRAGONFLY_PORT", self.dragonfly.to_string())
            .env("GRPC_PORT", self.orchestrator.to_string());
        for name in ["stop-dragonfly", "start-dragonfly", "stop-orchestrator", "start-orchestrator"] {
            let variable = name.replace('-', "_").to_uppercase();
            command.env(variable, format!("sh {}", self.path(name)));
        }
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        (tool, child)
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.run("stop-dragonfly");
        self.run("stop-orchestrator");
    }
}

#[track_caller]
fn threshold<'a>(left: &'a Left, expression: &str) -> &'a ThresholdReport {
    let all = &left.run().thresholds;
    let found = all.iter().find(|threshold| threshold.expression == expression);
    found.unwrap_or_else(|| panic!("no {expression}: {all:?}"))
}

fn failures(left: &Left, phase: &str) -> u64 {
    left.run().phases.iter().find(|one| one.name == phase).unwrap().figures.failures
}

/// 16 minutes in 40 s.
#[test]
fn nova_torch_fails_over() {
    let (Some(redis), Some(grpc)) = (program("db-load"), program("grpc-load")) else { return };
    timed(|| {
        let Some(servers) = Servers::start() else { return Ok(()) };
        // Both have the same phases at the same time, however long one of them takes to start.
        let date = Command::new("date").args(["-u", "-d", "+5 seconds", "+%FT%TZ"]).output().unwrap();
        let at = String::from_utf8(date.stdout).unwrap();
        let start = ["--start-at", at.trim()];
        let (messages, messenger) = servers.load(&redis, "db-redis", &[&["redis"], &start[..]].concat());
        // Registrations are rare: one in 19 of what an orchestrator does.
        let (registrations, registrar) =
            servers.load(&grpc, "grpc", &[&["--think", "20ms..60ms"], &start[..]].concat());
        let (messages, registrations) = (messages.wait(messenger), registrations.wait(registrar));
        messages.exits(0)?;
        registrations.exits(0)?;
        let events = &messages.run().events;
        assert!(events.len() == 4 && events.iter().all(|event| event.exit_code == Some(0)), "{events:?}");
        let observed = |left, expression: &str| threshold(left, expression).observed;
        // Each server's outage is in the calls to it, and over within the phase that follows, which has 4.8 s.
        for (left, phase) in [(&messages, "dragonfly-down"), (&registrations, "orchestrator-down")] {
            let recovery = observed(left, &format!("recovery_time{{phase:{phase}}}<120s"));
            assert!(
                failures(left, phase) > 0 && recovery.is_some_and(|ms| ms < 4_800.0),
                "{phase}: {recovery:?}"
            );
            assert_eq!(observed(left, "availability{phase:before}>=99.9%"), Some(1.0));
        }
        assert_eq!(
            (failures(&messages, "orchestrator-down"), failures(&registrations, "dragonfly-down")),
            (0, 0)
        );
        assert_eq!(observed(&messages, "message_loss: rate<=0.1%"), Some(0.0));
        assert!(messages.counter("messages_checked") > 200);
        Ok(())
    });
}
