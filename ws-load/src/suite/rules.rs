//! What does a suite ask of an answer? Tests, captures, conditions to wait for, and what goes to its metrics.

use std::cell::OnceCell;
use std::time::Duration;

use load_core::compile::{Feeds, counts, feed};
use load_core::protocol::{Fault, Outcome, Probe};
use load_report::fault::FaultKind;
use load_suite::scope::Scope;
use load_suite::suite::{Answer, Capture};
use serde_json::Value as Json;

use super::series::Counters;
use super::step::Like;

/// What a suite asks of the answers to one step.
#[derive(Default)]
pub struct Rules {
    /// The step says what a good answer is, so that its calls are checks.
    pub expects: bool,
    /// What a good answer is.
    pub good: Like,
    /// Statuses of a good answer over HTTP; from 200 to 399 where there are none.
    pub statuses: Vec<u16>,
    /// What must hold before the iteration goes on.
    pub until: Option<Like>,
    /// What the user keeps.
    pub captures: Vec<Capture>,
    /// What goes to metrics.
    pub feeds: Feeds,
    /// Where they are counted.
    pub counters: Counters,
}

/// A message, as far as somebody looks.
pub struct Seen<'a> {
    /// What it holds.
    pub content: &'a [u8],
    /// It is a binary one.
    pub binary: bool,
    /// The status, over HTTP.
    pub status: u16,
    /// It as JSON, when it is some, once somebody has asked.
    json: OnceCell<Option<Json>>,
}

impl<'a> Seen<'a> {
    /// With nothing known but what it holds.
    pub fn new(content: &'a [u8], binary: bool) -> Self {
        Self { content, binary, status: 0, json: OnceCell::new() }
    }

    /// The same with a `status`.
    pub fn with_status(content: &'a [u8], status: u16) -> Self {
        Self { status, ..Self::new(content, false) }
    }

    /// It as JSON, when it is some.
    pub fn json(&self) -> Option<&Json> {
        self.json.get_or_init(|| serde_json::from_slice(self.content).ok()).as_ref()
    }

    /// For tests and captures, which need it as JSON or not.
    fn answer(&self, needs_json: bool) -> Answer<'_> {
        let json = if needs_json { self.json() } else { None };
        Answer { status: self.status.into(), header: &|_| None, body: self.content, json }
    }
}

impl Like {
    /// Whether `seen`, which took `time`, is like this.
    ///
    /// # Errors
    /// The first thing that is not.
    pub fn judge(&self, seen: &Seen<'_>, time: Duration, scope: &Scope) -> Result<(), String> {
        if let Some(binary) = self.binary
            && binary != seen.binary
        {
            let name = |binary| if binary { "binary" } else { "text" };
            return Err(format!("a {} message, expected a {} one", name(seen.binary), name(binary)));
        }
        if let Some(equals) = &self.equals {
            let mut wanted = Vec::new();
            equals.render(scope, &mut wanted);
            if wanted != seen.content {
                return Err(format!("the message is not {:?}", equals.source()));
            }
        }
        self.tests.judge(&seen.answer(self.tests.need_json()), time, scope).map_err(|why| {
            // An answer of HTTP has a body; a message is one.
            if seen.status == 0 { why.replacen("the body", "the message", 1) } else { why }
        })
    }
}

impl Rules {
    /// What becomes of a call whose answer, where it has one, is `seen` and came after `time`.
    ///
    /// # Errors
    /// The call's own fault, or an answer that is not what it should be.
    pub fn judge(
        &self,
        ended: Result<Outcome, Fault>,
        seen: Option<&Seen<'_>>,
        time: Duration,
        scope: &mut Scope,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        let judged = ended.and_then(|outcome| {
            let looked = seen.map_or(Ok(false), |seen| self.look(seen, time, scope));
            looked.map(|pending| Outcome { pending, ..outcome }).map_err(|why| {
                probe.note(why);
                Fault::answered(FaultKind::Wrong, 0).after(outcome.sent, outcome.received)
            })
        });
        if self.expects {
            probe.count(self.counters.made(), 1);
            probe.count(self.counters.passed(), u64::from(judged.is_ok()));
        }
        if let Some(ok) = counts(&judged, scope) {
            feed(&self.feeds, ok, time, seen.and_then(Seen::json_if_known), probe);
        }
        judged
    }

    /// Whether the condition is still to come.
    fn look(&self, seen: &Seen<'_>, time: Duration, scope: &mut Scope) -> Result<bool, String> {
        self.good.judge(seen, time, scope)?;
        if self.until.as_ref().is_some_and(|until| until.judge(seen, time, scope).is_err()) {
            return Ok(true);
        }
        let answer = seen.answer(self.needs_json());
        self.captures.iter().try_for_each(|capture| capture.keep(&answer, scope))?;
        Ok(false)
    }

    /// Whether an answer over HTTP may have this status.
    pub fn is_status(&self, status: u16) -> bool {
        if self.statuses.is_empty() { (200..400).contains(&status) } else { self.statuses.contains(&status) }
    }

    /// The statuses that an answer may have, for people.
    pub fn expected(&self) -> String {
        if self.statuses.is_empty() {
            return "200-399".to_owned();
        }
        self.statuses.iter().map(u16::to_string).collect::<Vec<_>>().join(",")
    }

    fn needs_json(&self) -> bool {
        self.captures.iter().any(Capture::needs_json) || feed_on_json(&self.feeds)
    }
}

impl Seen<'_> {
    /// It as JSON, when somebody has asked for that.
    fn json_if_known(&self) -> Option<&Json> {
        self.json.get().and_then(Option::as_ref)
    }
}

/// Whether metrics get values that are in messages.
pub fn feed_on_json(feeds: &Feeds) -> bool {
    feeds.iter().any(|(gives, _)| gives.needs_json())
}
