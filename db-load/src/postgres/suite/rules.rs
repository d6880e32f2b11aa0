//! What does a suite ask of an answer? Rows, tests, captures, conditions to wait for, and what goes to its metrics.
//!
//! Rows are JSON to it: a list of objects, `$[0].id` being the `id` of the first one.

use std::ops::RangeInclusive;
use std::time::Duration;

use load_core::compile::{Feeds, counts, feed};
use load_core::protocol::{Fault, Outcome, Probe};
use load_report::fault::FaultKind;
use load_suite::scope::Scope;
use load_suite::suite::{Answer, Capture, Tests};
use serde_json::{Map, Value as Json};

use crate::postgres::script::Script;
use crate::postgres::series;
use crate::postgres::wire::Table;

/// What a suite asks of the answers of one step.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The step says what a good answer is, so that its calls are checks.
    pub expects: bool,
    /// What a good answer is.
    pub good: Good,
    /// What must hold before the iteration goes on.
    pub until: Option<Good>,
    /// What the user keeps.
    pub captures: Vec<Capture>,
    /// What goes to metrics.
    pub feeds: Feeds,
}

/// What is good in an answer.
#[derive(Clone, Debug)]
pub struct Good {
    /// Rows that the last statement gives or changes.
    pub rows: RangeInclusive<u64>,
    /// Tests of rows and time.
    pub tests: Tests,
}

impl Default for Good {
    fn default() -> Self {
        Self { rows: 0..=u64::MAX, tests: Tests::default() }
    }
}

/// So many rows are shown.
const SHOWN: usize = 10;

impl Rules {
    /// Whether somebody looks at the rows themselves.
    pub fn need_rows(&self) -> bool {
        let tests = [Some(&self.good), self.until.as_ref()];
        tests.into_iter().flatten().any(|good| good.tests.need_body() || good.tests.size.is_some())
            || self.captures.iter().any(Capture::needs_body)
            || self.feeds.iter().any(|(gives, _)| gives.needs_json())
    }

    /// Shows the statements and their answer to somebody who looks at every message.
    pub fn show(&self, script: &Script, affected: u64, table: &Table, probe: &Probe<'_>) {
        for statement in script.statements() {
            probe.show(&format_args!("> {};", statement.sql));
        }
        probe.show(&format_args!("< {affected} rows"));
        if self.need_rows() {
            for row in rows(table).as_array().into_iter().flatten().take(SHOWN) {
                probe.show(&format_args!("< {row}"));
            }
        }
    }

    /// What becomes of a call that ended with `ended` after `time`; its last statement gave or changed `affected` rows, which
    /// are in `table` if they are needed.
    ///
    /// # Errors
    /// The fault that it ended with, or that the answer is not what it should be.
    pub fn judge(
        &self,
        ended: Result<Outcome, Fault>,
        (affected, table): (u64, &Table),
        time: Duration,
        scope: &mut Scope,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        let json = if ended.is_ok() && self.need_rows() { rows(table) } else { Json::Null };
        let judged = ended.and_then(|outcome| {
            self.look(&json, affected, time, scope).map(|pending| Outcome { pending, ..outcome }).map_err(
                |why| {
                    probe.note(why);
                    Fault::answered(FaultKind::Wrong, 0).after(outcome.sent, outcome.received)
                },
            )
        });
        if self.expects {
            probe.count(series::CHECKS_MADE, 1);
            probe.count(series::CHECKS_PASSED, u64::from(judged.is_ok()));
        }
        if let Some(ok) = counts(&judged, scope) {
            feed(&self.feeds, ok, time, Some(&json), probe);
        }
        judged
    }

    /// Whether the condition is still to come.
    fn look(&self, json: &Json, affected: u64, time: Duration, scope: &mut Scope) -> Result<bool, String> {
        let body = if self.need_rows() { json.to_string() } else { String::new() };
        let answer = Answer { status: 0, header: &|_| None, body: body.as_bytes(), json: Some(json) };
        self.good.judge(&answer, affected, time, scope)?;
        if let Some(until) = &self.until
            && until.judge(&answer, affected, time, scope).is_err()
        {
            return Ok(true);
        }
        self.captures.iter().try_for_each(|capture| capture.keep(&answer, scope))?;
        Ok(false)
    }
}

impl Good {
    fn judge(&self, answer: &Answer<'_>, affected: u64, time: Duration, scope: &Scope) -> Result<(), String> {
        if !self.rows.contains(&affected) {
            let (least, most) = (self.rows.start(), self.rows.end());
            let expected = match () {
                () if least == most => format!("{least}"),
                () if *most == u64::MAX => format!("at least {least}"),
                () if *least == 0 => format!("at most {most}"),
                () => format!("{least} to {most}"),
            };
            return Err(format!("{affected} rows, expected {expected}"));
        }
        self.tests.judge(answer, time, scope)
    }
}

/// The rows as a list of objects.
fn rows(table: &Table) -> Json {
    let row = |row: usize| {
        let cell = |(column, name): (usize, &String)| (name.clone(), value(table, row, column));
        Json::Object(table.names().iter().enumerate().map(cell).collect::<Map<_, _>>())
    };
    Json::Array((0..table.kept()).map(row).collect())
}

/// A number, truth value or document as what it is, anything else as a text.
fn value(table: &Table, row: usize, column: usize) -> Json {
    let Some(text) = table.text(row, column) else { return Json::Null };
    let text = String::from_utf8_lossy(text);
    // OIDs of pg_type.dat: bool, int8, int2, int4, oid, json, float4, float8, numeric, jsonb.
    let parsed = match table.kind(column) {
        16 => Some(Json::Bool(text == "t")),
        20 | 21 | 23 | 26 | 114 | 700 | 701 | 1700 | 3802 => serde_json::from_str(&text).ok(),
        _ => None,
    };
    parsed.unwrap_or_else(|| Json::String(text.into_owned()))
}
