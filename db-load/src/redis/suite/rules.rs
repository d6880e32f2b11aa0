//! What does a suite ask of a reply? Its type, its value, tests, captures, conditions to wait for, and what goes to its
//! metrics.

use std::time::Duration;

use load_core::compile::{Feeds, counts, feed};
use load_core::protocol::{Fault, Outcome, Probe};
use load_report::fault::FaultKind;
use load_suite::scope::Scope;
use load_suite::suite::{Answer, Capture, Tests};
use load_suite::template::Template;
use serde_json::Value as Json;

use crate::redis::wire::{Reply, reply};
use crate::redis::{faults, series};

/// What a suite asks of the replies to one step.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The step says what a good reply is, so that its calls are checks.
    pub expects: bool,
    /// What a good reply is; the last one, where there are several.
    pub good: Good,
    /// What must hold before the iteration goes on.
    pub until: Option<Good>,
    /// Refusals that begin so are in order.
    pub allowed: Vec<Vec<u8>>,
    /// What the user keeps.
    pub captures: Vec<Capture>,
    /// What goes to metrics.
    pub feeds: Feeds,
    /// The step has a list of commands, and so a list of replies.
    pub several: bool,
}

/// What is good in a reply.
#[derive(Clone, Debug, Default)]
pub struct Good {
    /// One of these types; any when there are none.
    pub kinds: Vec<Kind>,
    /// Its text or number.
    pub value: Option<Template>,
    /// Tests of it as a text and as JSON, and of the time.
    pub tests: Tests,
}

/// A type of reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A word: `OK`, `QUEUED`.
    Ok,
    /// A text.
    Text,
    /// A whole number.
    Number,
    /// A list, map or set.
    List,
    /// Nothing.
    Nil,
}

impl Kind {
    /// All of them by their names.
    pub const ALL: [(&'static str, Self); 5] = [
        ("ok", Self::Ok),
        ("text", Self::Text),
        ("number", Self::Number),
        ("list", Self::List),
        ("nil", Self::Nil),
    ];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    fn of(reply: &Reply<'_>) -> Self {
        match reply {
            Reply::Simple(_) => Self::Ok,
            Reply::Text(_) => Self::Text,
            Reply::Number(_) => Self::Number,
            Reply::List(_) | Reply::Push(_) => Self::List,
            // Refusals that are allowed come to nothing.
            Reply::Nil | Reply::Error(_) => Self::Nil,
        }
    }
}

/// What the replies to a step are, as far as somebody looks.
struct Looked<'a> {
    last: Reply<'a>,
    json: Json,
    text: Vec<u8>,
}

impl Rules {
    /// Whether somebody looks at what is in the replies.
    fn need_json(&self) -> bool {
        let tests = [Some(&self.good), self.until.as_ref()];
        tests.into_iter().flatten().any(|good| good.tests.need_body() || good.tests.size.is_some())
            || self.captures.iter().any(Capture::needs_body)
            || self.feeds.iter().any(|(gives, _)| gives.needs_json())
    }

    /// What becomes of a call whose `replies` came after `time`.
    ///
    /// # Errors
    /// A refusal, or a reply that is not what it should be.
    pub fn judge(
        &self,
        ended: Result<(&[u8], Outcome), Fault>,
        time: Duration,
        scope: &mut Scope,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        let mut json = Json::Null;
        let judged = ended.and_then(|(replies, outcome)| {
            let looked = self.read(replies, probe);
            let judged = looked.and_then(|mut looked| {
                let pending = self.look(&looked, time, scope);
                json = looked.json.take();
                pending.map_err(|why| {
                    probe.note(why);
                    Fault::answered(FaultKind::Wrong, 0)
                })
            });
            probe.count(series::COMMANDS, outcome.messages.into());
            probe.count(series::COMMANDS_FAILED, u64::from(judged.is_err()));
            let judged = judged.map(|pending| Outcome { pending, ..outcome });
            judged.map_err(|fault| fault.after(outcome.sent, outcome.received))
        });
        if self.expects {
            probe.count(series::suite::CHECKS_MADE, 1);
            probe.count(series::suite::CHECKS_PASSED, u64::from(judged.is_ok()));
        }
        if let Some(ok) = counts(&judged, scope) {
            feed(&self.feeds, ok, time, Some(&json), probe);
        }
        judged
    }

    /// Reads the replies; the first refusal that is not allowed is the fault.
    fn read<'a>(&self, replies: &'a [u8], probe: &mut Probe<'_>) -> Result<Looked<'a>, Fault> {
        let (mut last, mut all) = (Reply::Nil, Vec::new());
        for reply in each(replies) {
            if let Reply::Error(error) = reply
                && !self.allowed.iter().any(|allowed| error.starts_with(allowed))
            {
                return Err(faults::refused(error, probe));
            }
            if reply == Reply::Nil {
                probe.count(series::MISSES, 1);
            }
            if self.need_json() {
                all.push(json(&reply));
            }
            last = reply;
        }
        let json = if self.several { Json::Array(all) } else { all.pop().unwrap_or_default() };
        let text = match &last {
            _ if !self.need_json() => Vec::new(),
            Reply::Text(text) | Reply::Simple(text) if !self.several => text.to_vec(),
            _ => json.to_string().into_bytes(),
        };
        Ok(Looked { last, json, text })
    }

    /// Whether the condition is still to come.
    fn look(&self, looked: &Looked<'_>, time: Duration, scope: &mut Scope) -> Result<bool, String> {
        let answer = Answer { status: 0, header: &|_| None, body: &looked.text, json: Some(&looked.json) };
        self.good.judge(&answer, &looked.last, time, scope)?;
        if let Some(until) = &self.until
            && until.judge(&answer, &looked.last, time, scope).is_err()
        {
            return Ok(true);
        }
        self.captures.iter().try_for_each(|capture| capture.keep(&answer, scope))?;
        Ok(false)
    }
}

impl Good {
    fn judge(
        &self,
        answer: &Answer<'_>,
        reply: &Reply<'_>,
        time: Duration,
        scope: &Scope,
    ) -> Result<(), String> {
        let kind = Kind::of(reply);
        if !self.kinds.is_empty() && !self.kinds.contains(&kind) {
            let expected: Vec<_> = self.kinds.iter().map(|kind| kind.name()).collect();
            return Err(format!("a reply of type {}, expected {}", kind.name(), expected.join(" or ")));
        }
        if let Some(value) = &self.value {
            let mut wanted = Vec::new();
            value.render(scope, &mut wanted);
            let is_equal = match reply {
                Reply::Text(text) | Reply::Simple(text) => *text == wanted,
                Reply::Number(number) => number.to_string().as_bytes() == wanted,
                _ => false,
            };
            if !is_equal {
                return Err(format!("the reply is not {:?}", value.source()));
            }
        }
        self.tests.judge(answer, time, scope)
    }
}

/// The replies in `bytes`, one behind the other.
pub fn each(mut bytes: &[u8]) -> impl Iterator<Item = Reply<'_>> {
    std::iter::from_fn(move || {
        // They were whole when they came.
        let (reply, length) = reply::read(bytes).ok()??;
        bytes = &bytes[length..];
        Some(reply)
    })
}

/// A reply as JSON. A text that is itself a JSON object or list is what it says.
pub fn json(reply: &Reply<'_>) -> Json {
    match reply {
        Reply::Simple(text) | Reply::Error(text) => String::from_utf8_lossy(text).into(),
        Reply::Text(text) => {
            let document = matches!(text.first(), Some(b'{' | b'['));
            let document = document.then(|| serde_json::from_slice(text).ok()).flatten();
            document.unwrap_or_else(|| String::from_utf8_lossy(text).into())
        }
        Reply::Number(number) => (*number).into(),
        Reply::Nil => Json::Null,
        Reply::List(items) | Reply::Push(items) => items.clone().map(|item| json(&item)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_json_and_texts_that_are_documents_too() {
        let bytes = b"*4\r\n$1\r\na\r\n:7\r\n$-1\r\n$13\r\n{\"a\":[1,\"2\"]}\r\n$2\r\n{x\r\n+OK\r\n";
        let all: Vec<_> = each(bytes).map(|reply| json(&reply).to_string()).collect();
        assert_eq!(all, [r#"["a",7,null,{"a":[1,"2"]}]"#, r#""{x""#, r#""OK""#]);
    }
}
