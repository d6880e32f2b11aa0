//! What does a run count and time besides calls? The protocol's own series and counters, by index.

use load_core::compile::plan;
use load_report::model::ExtraPlan;

/// Time of one exchange: a statement, or several that were sent in one piece.
pub const QUERY: usize = 1;
/// Time from the first statement of a script to the end of its last one, all tries included.
pub const TRANSACTION: usize = 2;
/// Time from the loss of a connection to the next one that could be opened.
pub const OUTAGE: usize = 3;

/// Statements that the server completed.
pub const STATEMENTS: usize = 0;
/// Transactions that were tried once more.
pub const RETRIES: usize = 1;
/// Tries that ended with SQLSTATE 40001.
pub const SERIALIZATION_FAILURES: usize = 2;
/// Tries that ended with SQLSTATE 40P01.
pub const DEADLOCKS: usize = 3;
/// Calls whose connection or time ended with a commit in flight.
pub const UNKNOWN_OUTCOMES: usize = 4;
/// Of a suite, behind those: calls with an answer that was all that its step expects.
pub const CHECKS_PASSED: usize = 5;
/// And calls of steps that expect something.
pub const CHECKS_MADE: usize = 6;

/// The counters that only a suite has, in the order of their indices.
pub const CHECKS: [(&str, &str); 2] = [
    ("checks_passed", "calls with an answer that was all that its step expects"),
    ("checks_made", "calls of steps that expect something"),
];

/// The series behind that of the pool, in the order of their indices.
pub fn extras() -> impl Iterator<Item = ExtraPlan> {
    [
        ("query", "One exchange with the server: a statement, or several sent in one piece."),
        ("transaction", "From the first statement to the end of the last one, all tries included."),
        ("outage", "From the loss of a connection to the next one that could be opened."),
    ]
    .into_iter()
    .map(plan)
}

/// The counters, in the order of their indices.
pub fn counters() -> Vec<ExtraPlan> {
    [
        ("statements", "completed by the server"),
        ("retries", "transactions tried once more"),
        ("serialization_failures", "tries that ended with SQLSTATE 40001"),
        ("deadlocks", "tries that ended with SQLSTATE 40P01"),
        ("unknown_outcomes", "calls that ended with a commit in flight: it may have happened or not"),
    ]
    .map(plan)
    .into()
}
