//! What are the tables and keys of a run called? By a name that no other run has, and that says when it began.

use std::hash::{BuildHasher as _, Hasher as _};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How long a [`Nonce`] is.
const NONCE: usize = "20261121t025500_1a2b3c4d".len();

/// The run's own part of names: the instant in UTC and a random number, `20261121t025500_1a2b3c4d`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Nonce(String);

impl Nonce {
    /// One for a run that begins now.
    pub fn of_now() -> Self {
        // Keys of the standard library's maps are random in every process.
        let random = std::hash::RandomState::new().build_hasher().finish() as u32;
        Self(format!("{}_{random:08x}", Timestamp::now().strftime("%Y%m%dt%H%M%S")))
    }

    /// The one in `text`, if it has the form of one: it may go into a statement then.
    pub fn parse(text: &str) -> Option<Self> {
        let (instant, random) = text.split_once('_')?;
        let (date, time) = instant.split_once('t')?;
        let digits = |text: &str, n| text.len() == n && text.bytes().all(|byte| byte.is_ascii_digit());
        let hex = random.len() == 8 && random.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (digits(date, 8) && digits(time, 6) && hex).then(|| Self(text.to_owned()))
    }

    /// The run's table.
    pub fn table(&self) -> String {
        format!("quintet_{}", self.0)
    }

    /// The run whose table is called so.
    pub fn of_table(table: &str) -> Option<Self> {
        // A run that has several adds a word to each.
        let (name, rest) = table.strip_prefix("quintet_")?.split_at_checked(NONCE)?;
        if rest.is_empty() || rest.starts_with('_') { Self::parse(name) } else { None }
    }

    /// What all keys of the run begin with.
    pub fn prefix(&self) -> String {
        format!("quintet:{}:", self.0)
    }

    /// The run that a key belongs to.
    pub fn of_key(key: &str) -> Option<Self> {
        Self::parse(key.strip_prefix("quintet:")?.split_once(':')?.0)
    }
}

impl std::fmt::Display for Nonce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_found_again_in_the_names_made_of_it() {
        let nonce = Nonce::of_now();
        assert_ne!(nonce, Nonce::of_now());
        assert_eq!(Nonce::of_table(&nonce.table()), Some(nonce.clone()));
        assert_eq!(Nonce::of_table(&format!("{}_accounts", nonce.table())), Some(nonce.clone()));
        assert_eq!(Nonce::of_table(&format!("{}accounts", nonce.table())), None);
        assert_eq!(Nonce::of_key(&format!("{}17", nonce.prefix())), Some(nonce));
    }

    #[test]
    fn nothing_else_is_a_nonce() {
        for wrong in [
            "",
            "20261121t025500_1a2b3c4",
            "20261121t025500_1a2b3c4d; DROP TABLE x",
            "2026112tt025500_1a2b3c4d",
        ] {
            assert_eq!(Nonce::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Nonce::of_table("quintet_orders"), None);
        assert_eq!(Nonce::of_key("quintet:orders:1"), None);
    }
}
