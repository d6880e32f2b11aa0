//! What does a suite ask of an answer? Tests, captures, conditions to wait for, and what goes to its metrics.
//!
//! Only calls of suites, and those that somebody looks at, come here.

use std::time::Duration;

use load_core::compile::{Feeds, counts, feed};
use load_core::protocol::{Fault, Outcome, Probe, Vu};
use load_report::fault::FaultKind;
use load_suite::scope::Scope;
use load_suite::suite::{Answer, Capture, Tests};
use serde_json::Value as Json;

use crate::session::Session;
use crate::status::{Code, Codes};

/// What a suite asks of the answers of one step.
#[derive(Clone, Default)]
pub struct Rules {
    /// Variables without which the request makes no sense: slot and name.
    pub needs: Vec<(usize, String)>,
    /// The step says what a good answer is, so that its calls are checks.
    pub expects: bool,
    /// What a good answer is, besides its status.
    pub good: Good,
    /// What must hold before the iteration goes on.
    pub until: Option<(Option<Codes>, Good)>,
    /// What the user keeps.
    pub captures: Vec<Capture>,
    /// What goes to metrics.
    pub feeds: Feeds,
}

/// Tests of an answer, but for its status.
#[derive(Clone, Default)]
pub struct Good {
    /// It has exactly so many messages.
    pub messages: Option<u64>,
    /// Tests of its message as JSON, and of its time.
    pub tests: Tests,
}

/// Counters of every suite, in the order of their indices.
pub const COUNTERS: [(&str, &str); 2] = [
    ("checks_passed", "calls with an answer that was all that its step expects"),
    ("checks_made", "calls of steps that expect something"),
];
const CHECKS_PASSED: usize = 0;
const CHECKS_MADE: usize = 1;

/// So much of a message is shown.
const SHOWN: usize = 4_096;

impl Rules {
    fn goods(&self) -> impl Iterator<Item = &Good> {
        [Some(&self.good), self.until.as_ref().map(|(_, good)| good)].into_iter().flatten()
    }

    fn feed_on_json(&self) -> bool {
        self.feeds.iter().any(|(gives, _)| gives.needs_json())
    }

    /// Whether the answer has to be kept.
    pub fn needs_body(&self) -> bool {
        self.goods().any(|good| good.tests.need_body() || good.tests.size.is_some())
            || self.captures.iter().any(Capture::needs_body)
            || self.feed_on_json()
    }

    fn needs_json(&self) -> bool {
        self.goods().any(|good| good.tests.need_json())
            || self.captures.iter().any(Capture::needs_json)
            || self.feed_on_json()
    }
}

/// Makes call number `index`, whose answers are subject to `rules`.
///
/// # Errors
/// The fault, unless the answer came and was right.
pub async fn call(
    session: &mut Session,
    (index, rules): (usize, &Rules),
    vu: &mut Vu,
    probe: &mut Probe<'_>,
) -> Result<Outcome, Fault> {
    if let Some((_, name)) = rules.needs.iter().find(|(slot, _)| vu.scope.vars.get(*slot).is_empty()) {
        probe.note(format_args!("{{{{{name}}}}} is not set: nothing was captured for it"));
        return Err(Fault::answered(FaultKind::Wrong, 0));
    }
    if probe.shows() {
        // From a copy, so that what is sent draws the same.
        show("> ", &session.asked(index, &vu.scope.clone()), probe);
    }
    let begin = probe.now();
    let exchanged = session.exchange(index, &vu.scope, probe).await;
    let time = Duration::from_nanos(probe.now().since(begin));
    if probe.shows() {
        show("< ", session.kept(), probe);
    }
    let is_good = exchanged.is_ok() && rules.needs_json();
    let json: Option<Json> = if is_good { serde_json::from_slice(session.kept()).ok() } else { None };
    let result = match exchanged {
        Ok(outcome) => {
            let seen = Seen { code: session.code(), body: session.kept(), json: json.as_ref(), outcome };
            judge(&seen, rules, time, &mut vu.scope, probe)
        }
        Err(fault) => Err(fault),
    };
    if rules.expects {
        probe.count(CHECKS_MADE, 1);
        probe.count(CHECKS_PASSED, u64::from(result.is_ok()));
    }
    if let Some(ok) = counts(&result, &vu.scope) {
        feed(&rules.feeds, ok, time, json.as_ref(), probe);
    }
    result
}

/// An answer that is whole, with a status that was expected.
struct Seen<'a> {
    code: Code,
    body: &'a [u8],
    json: Option<&'a Json>,
    outcome: Outcome,
}

fn judge(
    seen: &Seen<'_>,
    rules: &Rules,
    time: Duration,
    scope: &mut Scope,
    probe: &mut Probe<'_>,
) -> Result<Outcome, Fault> {
    let Outcome { sent, received, ends_session, .. } = seen.outcome;
    let answer = Answer { status: seen.code.0, header: &|_| None, body: seen.body, json: seen.json };
    let mut right = rules.good.judge(&answer, seen.outcome.messages, time, scope);
    let mut pending = false;
    if right.is_ok()
        && let Some((codes, until)) = &rules.until
    {
        let there = codes.as_ref().is_none_or(|codes| codes.contains(seen.code));
        pending = !there || until.judge(&answer, seen.outcome.messages, time, scope).is_err();
    }
    if !pending {
        right =
            right.and_then(|()| rules.captures.iter().try_for_each(|capture| capture.keep(&answer, scope)));
    }
    match right {
        Ok(()) => Ok(Outcome { pending, ..seen.outcome }),
        Err(why) => {
            probe.note(why);
            Err(Fault { ends_session, ..Fault::answered(FaultKind::Wrong, 0) }.after(sent, received))
        }
    }
}

impl Good {
    fn judge(&self, answer: &Answer<'_>, messages: u32, time: Duration, scope: &Scope) -> Result<(), String> {
        match self.messages {
            Some(wanted) if wanted != u64::from(messages) => {
                Err(format!("{messages} messages, expected {wanted}"))
            }
            _ => self.tests.judge(answer, time, scope),
        }
    }
}

fn show(sign: &str, bytes: &[u8], probe: &Probe<'_>) {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]);
    for line in text.lines() {
        probe.show(&format_args!("{sign}{line}"));
    }
    if bytes.len() > SHOWN {
        probe.show(&format_args!("{sign}... {} bytes in all", bytes.len()));
    }
}
