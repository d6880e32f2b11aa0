//! What does a suite ask of an answer? Tests, captures, conditions to wait for, and what goes to its metrics.
//!
//! Only calls of suites come here; the plain path of the command line keeps nothing of an answer.

use std::fmt::Write as _;
use std::time::Duration;

use load_core::compile::{Feeds, counts, feed, feed_by_answer};
use load_core::protocol::{Fault, Outcome, Probe, Vu};
use load_net::http::request::Buffers;
use load_net::http::{self, Exchanged, Sink};
use load_net::redact;
use load_report::fault::FaultKind;
use load_suite::scope::Scope;
use load_suite::suite::{Answer, Capture, Tests};
use load_suite::template::Template;
use serde_json::Value as Json;

use crate::client::Session;
use crate::expect::Statuses;
use crate::protocol::Step;

/// What a suite asks of the answers of one step.
#[derive(Clone, Default)]
pub struct Rules {
    /// Variables without which the request makes no sense: slot and name.
    pub needs: Vec<(usize, String)>,
    /// The step says what a good answer is, so that its calls are checks.
    pub expects: bool,
    /// What a good answer is, besides its status.
    pub good: Good,
    /// Where there are several kinds of good answers: their statuses and the rest of each; one of them has to hold.
    pub ways: Vec<(Statuses, Good)>,
    /// What must hold before the iteration goes on.
    pub until: Option<(Option<Statuses>, Good)>,
    /// What the user keeps.
    pub captures: Vec<Capture>,
    /// What goes to metrics.
    pub feeds: Feeds,
    /// Some of that is about status or headers.
    pub by_answer: bool,
}

/// Tests of an answer, but for its status.
#[derive(Clone, Default)]
pub struct Good {
    /// Lower-case names of headers with the values that they must have; with an empty one they must only be there.
    pub headers: Vec<(String, Template)>,
    /// Tests of body and time.
    pub tests: Tests,
}

/// Counters of every suite, in the order of their indices.
pub const COUNTERS: [(&str, &str); 3] = [
    ("expected_4xx", "answers from 400 to 499 that the suite expects"),
    ("checks_passed", "calls with an answer that was all that its step expects"),
    ("checks_made", "calls of steps that expect something"),
];
const EXPECTED_4XX: usize = 0;
const CHECKS_PASSED: usize = 1;
const CHECKS_MADE: usize = 2;

/// Series of every suite, in the order of their indices.
pub const SERIES: [(&str, &str); 1] = [("retry_after", "what answers with 429 ask to wait")];
const RETRY_AFTER: usize = 0;

/// What is kept of an answer until it has been looked at; its memory is used again.
#[derive(Default)]
pub struct Kept {
    head: Vec<u8>,
    body: Vec<u8>,
}

/// So much of a message is shown.
const SHOWN: usize = 4_096;

/// A large answer must not keep its memory for the whole run.
const KEEP: usize = 64 * 1024;

/// An answer that is whole.
struct Content<'a> {
    kept: &'a Kept,
    /// Its body, where that is looked at as JSON and is some.
    json: Option<Json>,
}

struct Keeper<'a> {
    kept: &'a mut Kept,
    body: bool,
}

impl Sink for Keeper<'_> {
    fn wants_head(&self) -> bool {
        true
    }

    fn head(&mut self, head: &[u8]) {
        self.kept.head.extend_from_slice(head);
    }

    fn body(&mut self, piece: &[u8]) {
        if self.body {
            self.kept.body.extend_from_slice(piece);
        }
    }

    fn wants_body(&self) -> bool {
        self.body
    }
}

impl Rules {
    fn goods(&self) -> impl Iterator<Item = &Good> {
        let until = self.until.iter().map(|(_, good)| good);
        std::iter::once(&self.good).chain(self.ways.iter().map(|(_, good)| good)).chain(until)
    }

    /// Whether an answer that has one of the good statuses is a good one.
    fn judge(&self, answer: &Answer<'_>, time: Duration, scope: &Scope) -> Result<(), String> {
        self.good.judge(answer, time, scope)?;
        let mut wrong = String::new();
        let is_of =
            |statuses: &Statuses| u16::try_from(answer.status).is_ok_and(|status| statuses.contains(status));
        for (_, good) in self.ways.iter().filter(|(statuses, _)| is_of(statuses)) {
            match good.judge(answer, time, scope) {
                Ok(()) => return Ok(()),
                Err(why) if wrong.is_empty() => wrong = why,
                Err(why) => {
                    let _ = write!(wrong, "; or {why}");
                }
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    fn needs_body(&self) -> bool {
        self.goods().any(|good| good.tests.need_body() || good.tests.size.is_some())
            || self.captures.iter().any(Capture::needs_body)
            || self.feeds.iter().any(|(gives, _)| gives.needs_json())
    }

    fn needs_json(&self) -> bool {
        self.goods().any(|good| good.tests.need_json())
            || self.captures.iter().any(Capture::needs_json)
            || self.feeds.iter().any(|(gives, _)| gives.needs_json())
    }
}

/// Makes the call of `step`, whose answers are subject to `rules`.
///
/// # Errors
/// The fault, unless the answer came and was right.
pub async fn call(
    http: &mut Session,
    kept: &mut Kept,
    (step, rules): (&Step, &Rules),
    vu: &mut Vu,
    probe: &mut Probe<'_>,
) -> Result<Outcome, Fault> {
    if let Some((_, name)) = rules.needs.iter().find(|(slot, _)| vu.scope.vars.get(*slot).is_empty()) {
        probe.note(format_args!("{{{{{name}}}}} is not set: nothing was captured for it"));
        return Err(Fault::answered(FaultKind::Wrong, 0));
    }
    kept.head.clear();
    kept.body.clear();
    let shows = probe.shows();
    if shows {
        // From a copy, so that what is sent draws the same.
        let (mut buffers, scope) = (Buffers::default(), vu.scope.clone());
        show(step.request.text.bytes(&scope, &mut buffers), "> ", probe);
    }
    let begin = probe.now();
    let keeper = Keeper { kept, body: shows || rules.needs_body() };
    let exchanged = http.exchange(&step.request, vu, keeper, probe).await;
    let time = Duration::from_nanos(probe.now().since(begin));
    if shows {
        show(&kept.head, "< ", probe);
        show(&kept.body, "< ", probe);
    }
    let status = exchanged.result.as_ref().ok().map(|answer| answer.status);
    let is_expected = status.is_some_and(|status| step.expect.statuses.contains(status));
    let json = if is_expected && rules.needs_json() { serde_json::from_slice(&kept.body).ok() } else { None };
    let content = Content { kept, json };
    let result = judge(exchanged, &content, (step, rules), time, &mut vu.scope, probe);
    if rules.expects {
        probe.count(CHECKS_MADE, 1);
        probe.count(CHECKS_PASSED, u64::from(result.is_ok()));
    }
    if let Some(ok) = counts(&result, &vu.scope) {
        feed(&rules.feeds, ok, time, content.json.as_ref(), probe);
        if rules.by_answer {
            let has = |name: &str| field(&content.kept.head, name).is_some();
            feed_by_answer(&rules.feeds, status.map(Into::into), &has, probe);
        }
    }
    kept.head.shrink_to(KEEP);
    kept.body.shrink_to(KEEP);
    result
}

/// Shows a message, line by line, without what a header says in secret.
fn show(bytes: &[u8], sign: &str, probe: &Probe<'_>) {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]);
    for line in text.lines() {
        let line = match line.split_once(": ") {
            Some((name, value)) if redact::is_secret(name) => {
                format!("{name}: {}", redact::header(name, value))
            }
            _ => line.to_owned(),
        };
        probe.show(&format_args!("{sign}{line}"));
    }
    if bytes.len() > SHOWN {
        probe.show(&format_args!("{sign}... {} bytes in all", bytes.len()));
    }
}

fn judge(
    exchanged: Exchanged,
    Content { kept, json }: &Content<'_>,
    (step, rules): (&Step, &Rules),
    time: Duration,
    scope: &mut Scope,
    probe: &mut Probe<'_>,
) -> Result<Outcome, Fault> {
    let Exchanged { result, sent, received } = exchanged;
    let answer = match result {
        Ok(answer) => answer,
        Err(failure) => return Err(failure.fault(probe).after(sent, received)),
    };
    let ends_session = !answer.keep_alive;
    let failed = |fault: Fault| Err(Fault { ends_session, ..fault }.after(sent, received));
    let header = |name: &str| field(&kept.head, name);
    if !step.expect.statuses.contains(answer.status) {
        if answer.status == 429
            && let Some(seconds) = header("retry-after")
                .and_then(|value| std::str::from_utf8(value).ok()?.trim().parse::<u64>().ok())
        {
            probe.observe(RETRY_AFTER, seconds.saturating_mul(1_000_000_000));
        }
        return failed(http::refused(answer.status, &step.expect.statuses, probe));
    }
    let seen =
        Answer { status: answer.status.into(), header: &header, body: &kept.body, json: json.as_ref() };
    let mut right = rules.judge(&seen, time, scope);
    let mut pending = false;
    if right.is_ok()
        && let Some((statuses, until)) = &rules.until
    {
        let there = statuses.as_ref().is_none_or(|statuses| statuses.contains(answer.status));
        pending = !there || until.judge(&seen, time, scope).is_err();
    }
    if !pending {
        right = right.and_then(|()| rules.captures.iter().try_for_each(|capture| capture.keep(&seen, scope)));
    }
    match right {
        Ok(()) => {
            if (400..500).contains(&answer.status) {
                probe.count(EXPECTED_4XX, 1);
            }
            Ok(Outcome { sent: sent.into(), received, ends_session, pending, ..Outcome::default() })
        }
        Err(why) => {
            probe.note(why);
            failed(Fault::answered(FaultKind::Wrong, 0))
        }
    }
}

impl Good {
    fn judge(&self, answer: &Answer<'_>, time: Duration, scope: &Scope) -> Result<(), String> {
        for (name, wanted) in &self.headers {
            let mut value = Vec::new();
            wanted.render(scope, &mut value);
            match (answer.header)(name) {
                None => return Err(format!("no header {name}")),
                Some(there) if !value.is_empty() && there != value => {
                    let mut why = format!("header {name} is {:?}", String::from_utf8_lossy(there));
                    let _ = write!(why, ", expected {:?}", String::from_utf8_lossy(&value));
                    return Err(why);
                }
                Some(_) => {}
            }
        }
        self.tests.judge(answer, time, scope)
    }
}

/// The value of the first field `name`, in lower case, of a head.
fn field<'a>(head: &'a [u8], name: &str) -> Option<&'a [u8]> {
    head.split(|&byte| byte == b'\n').skip(1).find_map(|line| {
        let colon = memchr::memchr(b':', line)?;
        line[..colon].eq_ignore_ascii_case(name.as_bytes()).then(|| line[colon + 1..].trim_ascii())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_a_head_are_found_whatever_their_case() {
        let head = b"HTTP/1.1 200 OK\r\nETag: \"a:b\"\r\nX-Empty:\r\n\r\n";
        assert_eq!(field(head, "etag"), Some(&b"\"a:b\""[..]));
        assert_eq!((field(head, "x-empty"), field(head, "http/1.1 200 ok")), (Some(&b""[..]), None));
    }
}
