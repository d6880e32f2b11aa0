//! How many calls are too many? A window that slides over the calls of each caller; pure.

use std::collections::{HashMap, VecDeque};

use serde_json::{Value, json};

/// With so many callers, those without a call in the window are forgotten for the first time.
const MANY_CALLERS: usize = 10_000;

/// The calls that count still.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    taken: HashMap<(usize, String), VecDeque<u64>>,
    /// Callers that were left when some were forgotten the last time.
    left: usize,
}

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
    /// How many callers are remembered.
    #[cfg(test)]
    pub(crate) fn callers(&self) -> usize {
        self.taken.len()
    }

    /// Counts a call of `caller` at `at_ns`, if it is not one too many. `which` tells limits apart.
    pub(crate) fn take(&mut self, which: usize, caller: &str, calls: u64, per_ns: u64, at_ns: u64) -> Rate {
        // Not before they have doubled again, so that looking at all of them costs little for each call.
        if self.taken.len() > MANY_CALLERS.max(2 * self.left) {
            let counts = |taken: &u64| taken.saturating_add(per_ns) > at_ns;
            self.taken.retain(|(other, _), taken| *other != which || taken.back().is_some_and(counts));
            self.left = self.taken.len();
        }
        let taken = self.taken.entry((which, caller.to_owned())).or_default();
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
