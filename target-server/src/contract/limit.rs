//! How many calls are too many? A window that slides over the calls of each caller; pure.

use std::collections::{HashMap, VecDeque};

use serde_json::{Value, json};

/// Callers remembered; beyond it those without a call in the window are forgotten.
const MOST_CALLERS: usize = 10_000;

/// The calls that count still.
#[derive(Debug, Default)]
pub(crate) struct Limits(HashMap<(usize, String), VecDeque<u64>>);

/// How a caller stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    /// The call is one too many.
    pub(crate) exceeded: bool,
    /// Calls in a window.
    limit: u64,
    /// Calls left.
    remaining: u64,
    /// Until the next call is taken, in seconds, rounded up.
    retry_after_s: u64,
}

impl Limits {
    /// Counts a call of `caller` at `at_ns`, if it is not one too many. `which` tells limits apart.
    pub(crate) fn take(&mut self, which: usize, caller: &str, calls: u64, per_ns: u64, at_ns: u64) -> Rate {
        if self.0.len() > MOST_CALLERS {
            let counts = |taken: &u64| taken.saturating_add(per_ns) > at_ns;
            self.0.retain(|_, taken| taken.back().is_some_and(counts));
        }
        let taken = self.0.entry((which, caller.to_owned())).or_default();
        while taken.front().is_some_and(|first| first.saturating_add(per_ns) <= at_ns) {
            taken.pop_front();
        }
        let exceeded = taken.len() as u64 >= calls;
        if !exceeded {
            taken.push_back(at_ns);
        }
        let wait_ns = taken.front().map_or(0, |first| (first + per_ns).saturating_sub(at_ns));
        let remaining = calls.saturating_sub(taken.len() as u64);
        Rate { exceeded, limit: calls, remaining, retry_after_s: wait_ns.div_ceil(1_000_000_000) }
    }
}

impl Rate {
    /// What `{rate.NAME}` stands for.
    pub(crate) fn value(self) -> Value {
        json!({ "limit": self.limit, "remaining": self.remaining, "retry_after": self.retry_after_s })
    }
}
