//! A results folder for a test, and the tool as a process.

#![allow(dead_code, reason = "every test binary uses its own part")]

#[path = "../../../crates/load-report/tests/common/mod.rs"]
pub(crate) mod common;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use load_report::figures::Record;
use load_report::model::Segment;
use load_report::render::json;
use load_report::threshold::Threshold;
use serde_json::Value;
use tempfile::TempDir;

/// A results folder for one test.
pub(crate) struct Folder(pub(crate) TempDir);

/// What the tool answered.
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        fs::write(self.path(name), content).unwrap();
        self
    }

    /// Adds the summary of a judged record under the name that belongs to it.
    pub(crate) fn run(&self, record: Record) -> &Self {
        self.run_in("", record)
    }

    /// The same in a folder of the folder.
    pub(crate) fn run_in(&self, sub: &str, record: Record) -> &Self {
        let segment = record.header.segment;
        let part = if segment == Segment::WHOLE {
            String::new()
        } else {
            format!(".{}of{}", segment.index, segment.of)
        };
        let name = format!("{}{part}_summary.json", record.header.component);
        let thresholds: Vec<Threshold> =
            record.header.plan.thresholds.iter().map(|text| text.parse().unwrap()).collect();
        let name = std::path::Path::new(sub).join(name);
        self.file(name.to_str().unwrap(), json::run(&record.judge(&thresholds)))
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aggregate"));
        command
            .arg(self.0.path())
            .args(arguments)
            .env_remove("GITHUB_ACTIONS")
            .env_remove("GITHUB_STEP_SUMMARY");
        command
    }

    pub(crate) fn aggregate(&self, arguments: &[&str]) -> Answer {
        run(&mut self.command(arguments))
    }

    pub(crate) fn with_targets(&self, targets: &str, arguments: &[&str]) -> Answer {
        self.file("targets.toml", targets);
        let file = self.path("targets.toml");
        self.aggregate(&[&["--targets", file.to_str().unwrap()], arguments].concat())
    }

    pub(crate) fn summary(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path("summary.json")).unwrap()).unwrap()
    }
}

pub(crate) fn run(command: &mut Command) -> Answer {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Answer { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

pub(crate) fn target(name: &str, expr: &str) -> String {
    format!("[[target]]\nname = \"{name}\"\nexpr = \"{expr}\"\n\n")
}

/// The sample as a whole run of `component` with these thresholds.
pub(crate) fn whole(component: &str, thresholds: &[&str]) -> Record {
    let mut record = common::record(component, Segment::WHOLE);
    record.header.plan.thresholds = thresholds.iter().map(|&text| text.to_owned()).collect();
    record
}
