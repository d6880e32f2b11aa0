//! Are the messages of Nova-Torch in the streams? Against a real Redis, whose streams are counted after the run.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::process::Command;

use tempfile::TempDir;
use tool_tests::Tool;

use crate::program;

/// A suite, the profile that is run, and which of its ops write into which stream. Ops whose names end with the stream need no line.
type Suite = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// The suites of Redis.
pub(crate) const SUITES: &[Suite] = &[
    ("nova-torch", "contract", &[]),
    (
        "nova-torch-collaboration",
        "contract",
        &[
            ("collaboration_request", "nova.torch.collaboration.requests"),
            ("collaboration_response", "nova.torch.collaboration.requests"),
            ("task_assignment", "nova.torch.tasks.assignments"),
            ("agent_heartbeat", "nova.torch.agents.heartbeat"),
            ("broadcast", "nova.torch.orchestrator"),
        ],
    ),
    ("nova-torch-throughput", "contract", &[]),
    ("nova-torch-library", "contract", &[]),
    ("nova-torch-agent-scaling", "agent-scaling", &[]),
];

/// A throwaway Redis, which ends with the test.
pub(crate) struct Redis {
    folder: TempDir,
    pub(crate) url: String,
    stream: BufReader<TcpStream>,
}

const SERVICES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/services.sh");

impl Redis {
    /// None where there is no Redis to be had.
    pub(crate) fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let output = Command::new(SERVICES)
            .arg("start")
            .arg(folder.path())
            .args(["--only", "redis"])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let Some(url) = said.lines().find_map(|line| line.strip_prefix("redis ")) else {
            eprintln!("no Redis ({}): skipped", said.trim());
            return None;
        };
        let (secret, place) = url.strip_prefix("redis://:").unwrap().split_once('@').unwrap();
        let stream = TcpStream::connect(place.trim_end_matches("/0")).unwrap();
        let mut redis = Self { folder, url: url.to_owned(), stream: BufReader::new(stream) };
        assert_eq!(redis.ask(&format!("AUTH {secret}")), "+OK");
        Some(redis)
    }

    /// One line for one line.
    pub(crate) fn ask(&mut self, command: &str) -> String {
        self.stream.get_mut().write_all(format!("{command}\r\n").as_bytes()).unwrap();
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn len(&mut self, stream: &str) -> u64 {
        self.ask(&format!("XLEN {stream}")).trim_start_matches(':').parse().unwrap()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // What is left ends by itself.
        let _ = Command::new(SERVICES).arg("stop").arg(self.folder.path()).status();
    }
}

#[test]
fn streams_have_as_many_messages_as_were_sent() {
    let (Some(program), Some(mut redis)) = (program("db-load"), Redis::start()) else { return };
    for (suite, profile, streams) in SUITES {
        assert_eq!(redis.ask("FLUSHALL"), "+OK");
        let tool = Tool::new(&program, "db-redis");
        let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../../suites/");
        // What is sent stays where it can be counted.
        let kept = tool.folder().join("kept.toml");
        std::fs::write(&kept, format!("extends = \"{shipped}{suite}\"\ncleanup = []\n")).unwrap();
        let kept = kept.display().to_string();
        let mut args =
            vec!["redis", "--suite", &kept, "--profile", profile, "--url", &redis.url, "--headless"];
        if *profile != "contract" {
            args.extend(["--scale-time", "0.01", "--no-thresholds"]);
        }
        let left = tool.run(args);
        assert_eq!(left.code, 0, "{suite}: {}{}", left.stdout, left.stderr);
        let mut sent = std::collections::BTreeMap::<&str, u64>::new();
        for op in &left.run().ops {
            let named = streams.iter().find(|(name, _)| *name == op.name).map(|(_, stream)| *stream);
            let named = named
                .or_else(|| op.name.split(' ').next_back().filter(|word| word.starts_with("nova.torch.")));
            if let Some(stream) = named {
                *sent.entry(stream).or_default() += op.figures.requests;
            }
            let by_share = *profile != "contract";
            assert!(by_share || op.figures.requests > 0, "{suite}: no call of {}", op.name);
        }
        for (stream, sent) in sent {
            // The suite itself begins with one, so that who reads first has something to read.
            let first = u64::from(*suite == "nova-torch-library" && stream == "nova.torch.orchestrator");
            assert_eq!(redis.len(stream), sent + first, "{suite}: {stream}");
        }
    }
}
