//! What must not be written? Passwords, tokens and keys become `{{env.NAME}}`, wherever they stand.

use std::collections::HashMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::names::{self, Given};
use crate::text::Text;

/// A shorter value may be anything; it is hidden only where its name says what it is.
const SHORTEST: usize = 8;

/// Words in the names of headers, parameters and fields whose values are nobody's business.
const WORDS: [&str; 13] = [
    "authorization",
    "password",
    "passwd",
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "credential",
    "session",
    "signature",
    "private_key",
    "cookie",
];

/// What is said about a secret: `token_type`, `expires`.
const BESIDE: [&str; 5] = ["type", "expire", "count", "url", "uri"];

/// Whether a value of that name is a secret.
pub(crate) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    if BESIDE.iter().any(|word| name.contains(word)) {
        return false;
    }
    WORDS.iter().any(|word| name.contains(word))
        || matches!(name.as_str(), "key" | "sig" | "pwd" | "auth" | "x-auth")
}

/// The secrets of one import.
#[derive(Debug, Default)]
pub(crate) struct Secrets {
    /// Value, environment variable, what it holds.
    found: Vec<(String, String, String)>,
    /// Where a value is among them; a recording may have thousands.
    at: HashMap<String, usize>,
    /// Those of at least [`SHORTEST`] bytes by their first ones.
    long: HashMap<[u8; SHORTEST], Vec<usize>>,
    given: Given,
}

impl Secrets {
    /// The name of the environment variable for `value`; `called` is what it gets its name from, `what` says what it
    /// holds.
    pub(crate) fn hide(&mut self, value: &str, called: &str, what: &str) -> String {
        if let Some(&at) = self.at.get(value).filter(|_| !value.is_empty()) {
            return self.found[at].1.clone();
        }
        // A name without a value is the same thing each time.
        if value.is_empty()
            && let Some((_, name, _)) =
                self.found.iter().find(|(known, name, _)| known.is_empty() && name == called)
        {
            return name.clone();
        }
        let name = self.given.unique(&names::environment(called), "_");
        self.keep(value, &name, what);
        name
    }

    fn keep(&mut self, value: &str, name: &str, what: &str) {
        let at = self.found.len();
        self.found.push((value.to_owned(), name.to_owned(), what.to_owned()));
        self.at.entry(value.to_owned()).or_insert(at);
        if let Some(first) = value.as_bytes().first_chunk() {
            self.long.entry(*first).or_default().push(at);
        }
    }

    /// A secret that the text does not hold: always the same variable.
    pub(crate) fn wanted(&mut self, name: &str, what: &str) -> String {
        self.hide("", name, what)
    }

    /// The value of a secret header as a template.
    pub(crate) fn header(&mut self, name: &str, value: &str) -> String {
        let what = format!("header {name}");
        if !name.eq_ignore_ascii_case("authorization") && !name.eq_ignore_ascii_case("proxy-authorization") {
            return format!("{{{{env.{}}}}}", self.hide(value.trim(), name, &what));
        }
        match value.trim().split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                format!("{scheme} {{{{env.{}}}}}", self.hide(token.trim(), "API_TOKEN", &what))
            }
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("basic") => {
                let token = token.trim();
                // Who decodes it must not find the password elsewhere.
                let decoded =
                    BASE64_STANDARD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
                if let Some((_, password)) = decoded.as_deref().and_then(|text| text.split_once(':')) {
                    self.hide_short(password, "API_PASSWORD");
                }
                format!("{scheme} {{{{env.{}}}}}", self.hide(token, "API_BASIC", BASIC))
            }
            _ => format!("{{{{env.{}}}}}", self.hide(value.trim(), "API_AUTHORIZATION", &what)),
        }
    }

    /// Of a name and a password: the value of the header `Authorization`.
    pub(crate) fn basic(&mut self, user_and_password: &str) -> String {
        if let Some((_, password)) = user_and_password.split_once(':') {
            self.hide_short(password, "API_PASSWORD");
        }
        let token = BASE64_STANDARD.encode(user_and_password);
        format!("Basic {{{{env.{}}}}}", self.hide(&token, "API_BASIC", BASIC))
    }

    /// A password is named only where it occurs.
    fn hide_short(&mut self, value: &str, called: &str) {
        if value.len() >= SHORTEST && !self.at.contains_key(value) {
            let name = self.given.unique(called, "_");
            self.keep(value, &name, "");
        }
    }

    /// `text` as a template without the secrets that are known.
    pub(crate) fn literal(&self, text: &str) -> String {
        let (mut out, mut from, mut at) = (Text::default(), 0, 0);
        while let Some(first) = text.as_bytes()[at..].first_chunk() {
            match self.longest(*first, &text.as_bytes()[at..]) {
                Some((length, name)) => {
                    // Both begin with the first byte of a character.
                    out.literal(&text[from..at]);
                    out.insert(&format!("env.{name}"));
                    at += length;
                    from = at;
                }
                None => at += 1,
            }
        }
        out.literal(&text[from..]);
        out.done()
    }

    /// Of those with which `text` begins the longest, for one may begin with another: its length and its name.
    fn longest(&self, first: [u8; SHORTEST], text: &[u8]) -> Option<(usize, &str)> {
        let known = self.long.get(&first)?.iter().map(|&at| &self.found[at]);
        let there = known.filter(|(value, _, _)| text.starts_with(value.as_bytes()));
        there.map(|(value, name, _)| (value.len(), name.as_str())).max_by_key(|(length, _)| *length)
    }

    /// The environment variables, with what they hold.
    pub(crate) fn named(self) -> Vec<(String, String)> {
        self.found.into_iter().map(|(_, name, what)| (name, what)).collect()
    }
}

/// What the token of basic authentication is.
const BASIC: &str = "base64 of user:password, as printf %s user:password | base64 prints it";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorization_keeps_its_scheme_alone() {
        let mut secrets = Secrets::default();
        assert_eq!(secrets.header("Authorization", "Bearer abc.def.ghi"), "Bearer {{env.API_TOKEN}}");
        assert_eq!(secrets.header("authorization", "Bearer abc.def.ghi"), "Bearer {{env.API_TOKEN}}");
        assert_eq!(secrets.header("authorization", "Bearer another1"), "Bearer {{env.API_TOKEN_2}}");
        assert_eq!(secrets.basic("me:hunter22"), "Basic {{env.API_BASIC}}");
        assert_eq!(secrets.header("X-Api-Key", "k"), "{{env.API_X_API_KEY}}");
        assert_eq!(secrets.literal("x=abc.def.ghi&k=hunter22"), "x={{env.API_TOKEN}}&k={{env.API_PASSWORD}}");
    }

    #[test]
    fn of_secrets_that_begin_alike_the_longest_is_meant() {
        let mut secrets = Secrets::default();
        for value in ["abcdefgh", "abcdefghij", "ijklmnop", "äbcdefghi"] {
            secrets.hide(value, "API_KEY", "");
        }
        let text = secrets.literal("abcdefghijk abcdefghijklmnop äbcdefghi abcdefg");
        assert_eq!(text, "{{env.API_KEY_2}}k {{env.API_KEY_2}}klmnop {{env.API_KEY_4}} abcdefg");
    }

    #[test]
    fn names_tell_secrets() {
        for name in ["X-Api-Key", "Set-Cookie", "access_token", "client_secret", "key", "X-CSRF-Token"] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["Accept", "keyboard", "monkey", "author", "token_type"] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
