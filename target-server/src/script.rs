//! What shall the server do with this request? Rules, delays and faults as data, and the decision; pure.
//!
//! Every decision is a function of the seed, the rule and the number of the request, so that the same script
//! under the same load does the same thing again.

mod dwcp;
mod dwcp_data;
mod file;
mod grpc;
mod values;
mod ws;

use crate::{delay::Delay, fault::How, http::Encoding};

pub(crate) use dwcp::Fate;
pub use dwcp::{DwcpFail, DwcpHow, DwcpScript};
pub use dwcp_data::{DwcpDataFail, DwcpDataHow, DwcpDataScript};
pub use file::ScriptError;
pub(crate) use grpc::code_name;
pub use grpc::{GrpcFail, GrpcHow, GrpcScript};
pub(crate) use values::{Time, check_status};
pub use ws::{WsFail, WsHow, WsScript};

/// The most bytes a scripted body may have.
pub const MAX_BODY_BYTES: usize = 16 << 20;

/// What a server does. The last rule matches every request.
#[derive(Debug, Clone, PartialEq)]
pub struct Script {
    /// All draws derive from it.
    pub seed: u64,
    /// What numbers the requests.
    pub draw_by: DrawBy,
    /// Tried in this order.
    pub rules: Vec<Rule>,
    /// Times at which the whole server stands still, in order and apart from each other.
    pub stalls: Vec<Stall>,
    /// What gRPC calls meet.
    pub grpc: GrpcScript,
    /// What happens on WebSockets.
    pub ws: WsScript,
    /// What becomes of migrations.
    pub dwcp: DwcpScript,
}

/// What number of a request decides its draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DrawBy {
    /// How many requests of this process the rule has answered before.
    Order,
    /// The query parameter `k` (the order, where there is none): the same for any order of arrival and any
    /// number of processes.
    K,
}

/// What happens to the requests that match.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Its name in the record.
    pub name: String,
    /// The path begins with this.
    pub path: String,
    /// The method is this; any, if `None`.
    pub method: Option<String>,
    /// The rule applies from here on, in ns after the script's start.
    pub from_ns: u64,
    /// The rule applies until here, in ns after the script's start.
    pub until_ns: u64,
    /// The status.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// It says itself what is answered, with a status or a body: under a contract the others only add to its answer.
    pub answers: bool,
    /// How the body is sent.
    pub encoding: Encoding,
    /// The connection closes with the answer of this number on it; 0 is never.
    pub requests_per_connection: u64,
    /// How long the answer waits.
    pub delay: Delay,
    /// Tried in this order; the first that falls due applies.
    pub fails: Vec<Fail>,
}

/// A fault and how often it falls due.
#[derive(Debug, Clone, PartialEq)]
pub struct Fail {
    /// What happens.
    pub how: How,
    /// How often.
    pub when: When,
}

/// How often a fault falls due.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum When {
    /// For every request.
    Always,
    /// For this share of the requests, drawn.
    Share(f64),
    /// For the requests n, 2n, 3n, ... of the rule, from 1.
    Every(u64),
}

/// A time at which nothing is read and nothing is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stall {
    /// Its begin, in ns after the script's start.
    pub at_ns: u64,
    /// Its length in ns.
    pub for_ns: u64,
}

/// What was decided for one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decision {
    /// The answer waits this long.
    pub(crate) delay_ns: u64,
    /// Index of the fault that applies, if any.
    pub(crate) fail: Option<usize>,
}

impl Default for Script {
    /// Answers every request with `200` and a small body.
    fn default() -> Self {
        Self {
            seed: 0,
            draw_by: DrawBy::Order,
            rules: vec![Rule::default()],
            stalls: Vec::new(),
            grpc: GrpcScript::default(),
            ws: WsScript::default(),
            dwcp: DwcpScript::default(),
        }
    }
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            name: "default".to_owned(),
            path: String::new(),
            method: None,
            from_ns: 0,
            until_ns: u64::MAX,
            status: 200,
            headers: Vec::new(),
            body: b"ok".to_vec(),
            answers: false,
            encoding: Encoding::Length,
            requests_per_connection: 0,
            delay: Delay::Constant(0),
            fails: Vec::new(),
        }
    }
}

impl Script {
    /// Index of the rule for a request that came `offset_ns` after the script's start.
    pub(crate) fn find(&self, method: &str, path: &str, offset_ns: u64) -> usize {
        self.rules
            .iter()
            .position(|rule| rule.matches(method, path, offset_ns))
            .unwrap_or(self.rules.len() - 1)
    }

    /// What happens to the request number `n` of a rule, from 0. `salt` tells processes apart.
    pub(crate) fn decide(&self, rule: usize, n: u64, salt: u64) -> Decision {
        let script = &self.rules[rule];
        let draw = |stream: usize| unit(self.seed ^ salt, (rule as u64) << 32 | stream as u64, n);
        let delay_ns = match script.delay {
            Delay::Constant(ns) => ns,
            ref drawn => drawn.quantile(draw(0)),
        };
        let fail = script.fails.iter().enumerate().position(|(i, fail)| match fail.when {
            When::Always => true,
            When::Share(share) => draw(i + 1) < share,
            When::Every(every) => (n + 1).is_multiple_of(every),
        });
        Decision { delay_ns, fail }
    }

    /// The end of the stall that covers this instant, all in ns after the script's start.
    pub(crate) fn stalled_until(&self, offset_ns: u64) -> Option<u64> {
        let covers = |stall: &&Stall| offset_ns >= stall.at_ns && offset_ns - stall.at_ns < stall.for_ns;
        self.stalls.iter().find(covers).map(|stall| stall.at_ns + stall.for_ns)
    }

    /// Whether a rule was written for this path itself, as opposed to a prefix of it.
    pub(crate) fn names_path(&self, path: &str) -> bool {
        self.rules.iter().any(|rule| rule.path.starts_with(path))
    }
}

impl Rule {
    fn matches(&self, method: &str, path: &str, offset_ns: u64) -> bool {
        path.starts_with(self.path.as_str())
            && self.method.as_deref().is_none_or(|wanted| wanted == method)
            && (self.from_ns..self.until_ns).contains(&offset_ns)
    }
}

/// A number from 0 to 1 (1 excluded) that depends on all three and on nothing else: the finaliser of
/// splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014), once for each.
fn unit(seed: u64, stream: u64, n: u64) -> f64 {
    let bits = mix(mix(mix(seed) ^ stream) ^ n);
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

pub(crate) fn mix(value: u64) -> u64 {
    let z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Script {
        Script::parse("test.toml", text).unwrap()
    }

    #[test]
    fn the_first_rule_that_matches_wins() {
        let script = parse(
            "[[rule]]\npath = \"/a\"\nmethod = \"POST\"\n[[rule]]\npath = \"/a\"\n[[rule]]\npath = \"/a/b\"\n",
        );
        assert_eq!(script.find("POST", "/a/b", 0), 0);
        assert_eq!(script.find("GET", "/a/b", 0), 1);
        assert_eq!(script.find("GET", "/b", 0), 3);
        assert_eq!(script.rules[3].name, "default");
    }

    #[test]
    fn a_rule_holds_within_its_window() {
        let script = parse("[[rule]]\npath = \"/\"\nfrom = \"1s\"\nuntil = \"2s\"\nstatus = 503\n");
        let found =
            [0, 999_999_999, 1_000_000_000, 1_999_999_999, 2_000_000_000].map(|t| script.find("GET", "/", t));
        assert_eq!(found, [1, 1, 0, 0, 1]);
    }

    #[test]
    fn draws_repeat_with_the_seed_and_differ_without() {
        let text = "[[rule]]\npath = \"/\"\ndelay = { uniform = [\"1ms\", \"9ms\"] }\n";
        let delays = |seed: u64, salt| {
            let script = parse(&format!("seed = {seed}\n{text}"));
            (0..100).map(|n| script.decide(0, n, salt).delay_ns).collect::<Vec<_>>()
        };
        assert_eq!(delays(1, 0), delays(1, 0));
        assert_ne!(delays(1, 0), delays(2, 0));
        assert_ne!(delays(1, 0), delays(1, 1));
    }

    #[test]
    fn draws_are_uniform() {
        let mut deciles = [0_u32; 10];
        for n in 0..100_000 {
            deciles[(unit(7, 3, n) * 10.0) as usize] += 1;
        }
        // The standard deviation of a decile is 95.
        assert!(deciles.iter().all(|count| count.abs_diff(10_000) < 500), "{deciles:?}");
    }

    #[test]
    fn faults_fall_due_as_often_as_asked() {
        let script = parse(
            "[[rule]]\npath = \"/\"\nfail = [{ every = 100, how = \"reset\" }, { share = 0.1, how = \"status:503\" }]\n",
        );
        let fails: Vec<_> = (0..10_000).map(|n| script.decide(0, n, 0).fail).collect();
        assert_eq!(fails.iter().filter(|fail| **fail == Some(0)).count(), 100);
        assert_eq!(fails[99], Some(0));
        let drawn = fails.iter().filter(|fail| **fail == Some(1)).count();
        assert!(drawn.abs_diff(990) < 150, "{drawn}");
    }

    #[test]
    fn stalls_cover_their_time_and_no_more() {
        let script = parse("[[stall]]\nat = \"4s\"\nfor = \"1s\"\n");
        let s = 1_000_000_000;
        let ends = [4 * s - 1, 4 * s, 5 * s - 1, 5 * s].map(|t| script.stalled_until(t));
        assert_eq!(ends, [None, Some(5 * s), Some(5 * s), None]);
    }
}
