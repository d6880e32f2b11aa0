//! What is to be done about it? One line for each kind of trouble that a run met, as `docs/troubleshooting.md` has it at length.

use std::fmt;

use crate::fault::FaultKind;
use crate::model::{FaultReport, RunFile, ThresholdOutcome};
use crate::verdict::Verdict;

/// A kind of trouble with one remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// The name of the target is not known.
    Names,
    /// No connection.
    Refused,
    /// No TLS.
    Tls,
    /// The target does not know who calls, or does not let them.
    Login,
    /// The target asks for less.
    Limits,
    /// No answer in time.
    Timeouts,
    /// The target fails by itself.
    Errors,
    /// No connection to the database is free.
    Pools,
    /// Connections end before their time.
    Drops,
    /// There is no such thing in the target.
    Missing,
    /// Other answers than were expected.
    Answers,
    /// The generator's machine is at its limit.
    Generator,
    /// The target is slower than was promised.
    Slow,
}

/// What to do about one kind of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hint {
    /// Which kind.
    pub topic: Topic,
    /// How many calls met it; 0 where it is none of single calls.
    pub calls: u64,
}

impl Topic {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Names,
        Self::Refused,
        Self::Tls,
        Self::Login,
        Self::Limits,
        Self::Timeouts,
        Self::Errors,
        Self::Pools,
        Self::Drops,
        Self::Missing,
        Self::Answers,
        Self::Generator,
        Self::Slow,
    ];

    /// The heading of the page that has more about it.
    pub fn anchor(self) -> &'static str {
        self.entry().0
    }

    fn entry(self) -> (&'static str, &'static str) {
        match self {
            Self::Names => {
                ("names", "the name is not known: check --url or the environment, and DNS or /etc/hosts here")
            }
            Self::Refused => (
                "refused-connections",
                "is the service running, are address and port right (--url, --environment), is a firewall in between?",
            ),
            Self::Tls => (
                "tls",
                "is it a port of TLS, is the certificate for that name and from somebody trusted (--cacert, --insecure)?",
            ),
            Self::Login => (
                "logins",
                "the target wants to know who calls: a token or password by flag, file or the variable that the suite names",
            ),
            Self::Limits => (
                "rate-limits",
                "the target limits its callers: fewer users, a lower rate, longer pauses, or lift the limit for the test",
            ),
            Self::Timeouts => (
                "timeouts",
                "no answer in time: find the load that still gets answers, then look at slow queries, locks and pools behind it; \
                 --timeout waits longer",
            ),
            Self::Errors => (
                "errors-of-the-target",
                "the target failed by itself: its log at that time, what it depends on, its memory",
            ),
            Self::Pools => (
                "pools",
                "no connection was free: more of them (-c here, the target's pool, max_connections), or shorter work on each",
            ),
            Self::Drops => (
                "dropped-connections",
                "connections ended early: idle timeouts of server, proxy or load balancer, restarts, keepalive",
            ),
            Self::Missing => (
                "missing-things",
                "the target does not know such a thing: prefix of --url, version of the API, data that a test expects",
            ),
            Self::Answers => (
                "wrong-answers",
                "answers came, but not those that were expected: `once` instead of a run shows each with what is wrong",
            ),
            Self::Generator => (
                "the-generator",
                "this machine is at its limit: descriptors (ulimit -n), local ports (--local-ips), CPU, memory",
            ),
            Self::Slow => (
                "slow-answers",
                "slower than promised: at which load does it begin (phases, timeseries), and what is then busy: CPU, queries, pool, cache?",
            ),
        }
    }

    /// What a fault is about; none where nothing general can be said.
    fn of(fault: &FaultReport) -> Option<Self> {
        Some(match fault.kind {
            FaultKind::Dns => Self::Names,
            FaultKind::Connect => Self::Refused,
            FaultKind::Tls => Self::Tls,
            FaultKind::Timeout => Self::Timeouts,
            FaultKind::Closed | FaultKind::Reset => Self::Drops,
            FaultKind::RateLimited => Self::Limits,
            FaultKind::Local => Self::Generator,
            FaultKind::Wrong | FaultKind::Malformed | FaultKind::ShortBody | FaultKind::TooLarge => {
                Self::Answers
            }
            FaultKind::Rejected => return Self::of_refusal(fault.code, &fault.sample),
        })
    }

    /// What a refusal is about: a status of HTTP, a code of gRPC, an SQLSTATE as a number to the base of 36, or Redis's first word.
    fn of_refusal(code: u32, said: &str) -> Option<Self> {
        const CLASS: u32 = 36 * 36 * 36;
        let class = |text| u32::from_str_radix(text, 36).ok() == Some(code / CLASS);
        let word = said.split([' ', ':']).next().unwrap_or_default();
        Some(match code {
            401 | 403 | 407 | 7 | 16 => Self::Login,
            404 | 405 | 410 | 501 | 5 | 12 => Self::Missing,
            500..=599 | 2 | 13 | 14 | 15 => Self::Errors,
            400..=499 | 1..=16 => Self::Answers,
            0 if ["NOAUTH", "WRONGPASS", "NOPERM"].contains(&word) => Self::Login,
            0 if said.contains("max number of clients") => Self::Pools,
            0 if ["OOM", "LOADING", "MISCONF", "READONLY", "CLUSTERDOWN", "BUSY"].contains(&word) => {
                Self::Errors
            }
            _ if class("28") => Self::Login,
            _ if class("53") => Self::Pools,
            _ if class("42") => Self::Missing,
            _ if ["57", "58", "XX"].into_iter().any(class) => Self::Errors,
            _ => return None,
        })
    }

    /// What the reason is about for which a target could not even be prepared; none where nothing general can be said.
    pub fn of_reason(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let has = |signs: &[&str]| signs.iter().any(|sign| text.contains(sign));
        Some(if has(&["cannot resolve"]) {
            Self::Names
        } else if has(&["certificate", "tls", "handshake"]) {
            Self::Tls
        } else if has(&["too many clients", "too many connections", "max number of clients"]) {
            Self::Pools
        } else if has(&[
            "status 401",
            "status 403",
            "authentication",
            "noauth",
            "wrongpass",
            "unauthenticated",
        ]) {
            Self::Login
        } else if has(&["status 429"]) {
            Self::Limits
        } else if has(&["refused", "cannot connect", "no connection", "unreachable"]) {
            Self::Refused
        } else {
            return None;
        })
    }
}

impl fmt::Display for Topic {
    /// One line with the place where there is more.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (anchor, advice) = self.entry();
        write!(f, "{advice} (docs/troubleshooting.md#{anchor})")
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.calls {
            0 => write!(f, "{}", self.topic),
            calls => write!(f, "{} × {}", calls, self.topic),
        }
    }
}

/// Hints for a run that is not as it should be, one a kind of trouble, the most frequent first; none for one that passed.
pub fn of(run: &RunFile) -> Vec<Hint> {
    if run.verdict == Verdict::Pass {
        return Vec::new();
    }
    let mut hints: Vec<Hint> = Vec::new();
    for fault in &run.faults {
        let Some(topic) = Topic::of(fault) else { continue };
        match hints.iter_mut().find(|hint| hint.topic == topic) {
            Some(hint) => hint.calls += fault.count,
            None => hints.push(Hint { topic, calls: fault.count }),
        }
    }
    hints.sort_by_key(|hint| std::cmp::Reverse(hint.calls));
    let besides = [
        (Topic::Pools, waits_for_a_pool(run)),
        (Topic::Slow, is_slow(run)),
        (Topic::Generator, !run.invalid.is_empty() || run.generator.generator_bound),
    ];
    for (topic, met) in besides {
        if met && hints.iter().all(|hint| hint.topic != topic) {
            hints.push(Hint { topic, calls: 0 });
        }
    }
    hints
}

/// Whether calls spend a quarter of their time on waiting for a connection of the tool's own pool.
fn waits_for_a_pool(run: &RunFile) -> bool {
    let wait = run.extras.iter().find(|extra| extra.name == "pool_wait").and_then(|extra| extra.ms);
    wait.zip(run.totals.service_ms).is_some_and(|(wait, service)| wait.mean > service.mean / 4.0)
}

/// Whether a limit of times was measured and missed.
fn is_slow(run: &RunFile) -> bool {
    let missed = [ThresholdOutcome::Fail, ThresholdOutcome::Warn];
    run.thresholds
        .iter()
        .any(|one| one.unit == "ms" && one.observed.is_some() && missed.contains(&one.outcome))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(kind: FaultKind, code: u32, sample: &str) -> FaultReport {
        FaultReport { op: None, kind, code, count: 1, first_s: 0.0, last_s: 0.0, sample: sample.into() }
    }

    #[test]
    fn refusals_are_told_apart_by_their_code() {
        let state = |text: &str| u32::from_str_radix(text, 36).unwrap();
        for (code, said, topic) in [
            (401, "", Some(Topic::Login)),
            (404, "", Some(Topic::Missing)),
            (422, "", Some(Topic::Answers)),
            (503, "", Some(Topic::Errors)),
            (16, "UNAUTHENTICATED: no token", Some(Topic::Login)),
            (14, "UNAVAILABLE: ", Some(Topic::Errors)),
            (state("28P01"), "", Some(Topic::Login)),
            (state("53300"), "", Some(Topic::Pools)),
            (state("42P01"), "", Some(Topic::Missing)),
            (state("57P03"), "", Some(Topic::Errors)),
            (state("23505"), "", None),
            (0, "NOAUTH Authentication required.", Some(Topic::Login)),
            (0, "ERR max number of clients reached", Some(Topic::Pools)),
            (0, "WRONGTYPE Operation against a key", None),
        ] {
            assert_eq!(Topic::of(&fault(FaultKind::Rejected, code, said)), topic, "{code} {said}");
        }
    }

    #[test]
    fn a_target_that_cannot_be_prepared_has_a_hint() {
        for (text, topic) in [
            ("cannot connect to 127.0.0.1:1: Connection refused (os error 111)", Topic::Refused),
            ("cannot resolve nowhere.invalid: failed to lookup address information", Topic::Names),
            ("127.0.0.1:443: invalid peer certificate: UnknownIssuer", Topic::Tls),
            ("127.0.0.1:5432: password authentication failed for user \"x\" (SQLSTATE 28P01)", Topic::Login),
            ("127.0.0.1:5432: sorry, too many clients already (SQLSTATE 53300)", Topic::Pools),
        ] {
            assert_eq!(Topic::of_reason(text), Some(topic), "{text}");
        }
        assert_eq!(Topic::of_reason("no table"), None);
    }

    #[test]
    fn every_hint_is_a_line_with_a_heading_of_the_page() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/troubleshooting.md");
        let page = std::fs::read_to_string(path).unwrap();
        let anchors: Vec<String> = page
            .lines()
            .filter_map(|line| line.strip_prefix("## "))
            .map(|title| title.to_lowercase().replace(' ', "-").replace([',', ':', '?'], ""))
            .collect();
        for topic in Topic::ALL {
            assert!(anchors.iter().any(|anchor| anchor == topic.anchor()), "no heading #{}", topic.anchor());
            let text = topic.to_string();
            assert!(text.lines().count() == 1 && text.len() < 220, "{text}");
        }
    }
}
