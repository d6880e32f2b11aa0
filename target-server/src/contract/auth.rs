//! Who may call? Tokens that are good from the start, and those that were handed out since.

use std::collections::{HashSet, VecDeque};

/// Tokens remembered; beyond it the oldest one is no longer good.
const MOST_TOKENS: usize = 100_000;

/// The tokens handed out.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    good: HashSet<String>,
    order: VecDeque<String>,
}

impl Tokens {
    /// Whether a token is good: one of `accepts`, where `*` is any, or one handed out.
    pub(crate) fn is_good(&self, token: &str, accepts: &[String]) -> bool {
        self.good.contains(token) || accepts.iter().any(|accepted| accepted == "*" || accepted == token)
    }

    /// Makes a token good.
    pub(crate) fn issue(&mut self, token: &str) {
        if self.good.insert(token.to_owned()) {
            self.order.push_back(token.to_owned());
        }
        if self.order.len() > MOST_TOKENS
            && let Some(oldest) = self.order.pop_front()
        {
            self.good.remove(&oldest);
        }
    }

    /// A token that was handed out is good no longer.
    pub(crate) fn revoke(&mut self, token: &str) {
        self.good.remove(token);
    }
}
