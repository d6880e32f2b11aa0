//! The result for CI servers: JUnit XML. One suite a component, one test case a threshold or target; never
//! empty, because every component has the cases "run is valid" and "no calls lost".

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::model::{RunFile, ThresholdOutcome, ThresholdReport};
use crate::summary::Summary;
use crate::verdict::Verdict;

use super::escape::terminal;
use super::units::{critical, observed};

/// The report of one component.
pub fn run(run: &RunFile) -> String {
    write(&run.header.run_id, [component(run)])
}

/// The report of all components with their targets: `junit.xml`.
pub fn summary(summary: &Summary) -> String {
    let mut suites: Vec<TestSuite> = summary.runs().map(component).collect();
    for skipped in &summary.skipped {
        let mut status = TestCaseStatus::skipped();
        status.set_message(skipped.reason.as_str());
        suites.push(suite(&skipped.component, [TestCase::new("component ran", status)]));
    }
    let targets = summary.targets.iter().map(|target| {
        let mut case = threshold(&target.name, &target.report);
        case.set_classname("targets");
        case
    });
    if !summary.targets.is_empty() {
        suites.push(suite("targets", targets));
    }
    suites.push(suite("aggregate", [whole(summary)]));
    write(&summary.run_id, suites)
}

fn write(run_id: &str, suites: impl IntoIterator<Item = TestSuite>) -> String {
    let mut report = Report::new(run_id);
    report.add_test_suites(suites);
    #[expect(
        clippy::expect_used,
        reason = "the XML writer fails only when its destination does, a String cannot"
    )]
    report.to_string().expect("a report is serialisable")
}

fn suite(name: &str, cases: impl IntoIterator<Item = TestCase>) -> TestSuite {
    let mut suite = TestSuite::new(name);
    for mut case in cases {
        if case.classname.is_none() {
            case.set_classname(name);
        }
        suite.add_test_case(case);
    }
    suite
}

/// The verdict on everything, so that a missing component is seen in the report too.
fn whole(summary: &Summary) -> TestCase {
    let good = matches!(summary.verdict, Verdict::Pass | Verdict::Warn);
    case("verdict", good, "verdict", || {
        let notes = summary.notes.join("\n");
        format!("{}, exit code {}\n{notes}", summary.verdict.label(), summary.exit.code())
    })
}

fn component(run: &RunFile) -> TestSuite {
    let ledger = &run.ledger;
    let lost = ledger.calls.lost + ledger.iterations.lost;
    let mut valid = case("run is valid", run.invalid.is_empty(), "invalid", || {
        run.invalid.iter().map(|reason| reason.why.as_str()).collect::<Vec<_>>().join("\n")
    });
    let run_time = Duration::from_nanos(u64::try_from(run.end.end_ns).unwrap_or(0));
    valid.set_time(run_time);
    let whole = case("no calls lost", lost == 0 && run.health.lost.is_empty(), "lost", || {
        let calls = format!("{} calls and {} iterations", ledger.calls.lost, ledger.iterations.lost);
        [calls].into_iter().chain(run.health.lost.iter().cloned()).collect::<Vec<_>>().join("\n")
    });
    let measured =
        case("calls were made", run.totals.requests > 0, "no data", || "nothing was measured".into());
    let thresholds = run.thresholds.iter().map(|report| threshold(&report.expression, report));
    let mut suite = suite(&run.header.component, [valid, whole, measured].into_iter().chain(thresholds));
    suite.set_time(run_time);
    suite.add_property(("run_id", run.header.run_id.as_str()));
    suite.add_property(("version", run.header.version.as_str()));
    suite.add_property(("started_at", run.header.started_at.as_str()));
    suite
}

fn case(name: &str, good: bool, kind: &str, why: impl FnOnce() -> String) -> TestCase {
    if good {
        return TestCase::new(name, TestCaseStatus::success());
    }
    let why = why();
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_type(kind).set_message(why.lines().next().unwrap_or_default()).set_description(why);
    TestCase::new(name, status)
}

fn threshold(name: &str, report: &ThresholdReport) -> TestCase {
    let note = report.note.as_ref().map(|note| format!("; {note}")).unwrap_or_default();
    let critical = critical(report);
    let what = terminal(&format!("{critical}{}: observed {}{note}", report.expression, observed(report)));
    match report.outcome {
        ThresholdOutcome::Pass => TestCase::new(name, TestCaseStatus::success()),
        ThresholdOutcome::Warn => {
            let mut case = TestCase::new(name, TestCaseStatus::success());
            case.set_system_out(format!("WARNING: {what}"));
            case
        }
        ThresholdOutcome::Fail => case(name, false, "threshold", || what),
        ThresholdOutcome::Invalid => case(name, false, "invalid", || what),
        ThresholdOutcome::Skipped => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(what);
            TestCase::new(name, status)
        }
    }
}
