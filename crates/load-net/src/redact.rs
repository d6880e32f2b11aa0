//! What must not be shown? Values whose names look like secrets, in every form in which they may come back.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::url::Url;

/// Stands for a value that is not shown.
pub const HIDDEN: &str = "***";

/// Parts of names that give a secret away.
const PARTS: [&str; 11] = [
    "token",
    "secret",
    "passw",
    "authoriz",
    "authentic",
    "signature",
    "credential",
    "apikey",
    "accesskey",
    "session",
    "cookie",
];
/// Whole words that do; `author` and `monkey` do not.
const WORDS: [&str; 9] = ["auth", "sig", "key", "pass", "pwd", "pin", "otp", "sid", "jwt"];

/// Whether a header, parameter or field of this name holds a secret, as far as one can tell.
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    PARTS.iter().any(|part| name.contains(part))
        || name.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| WORDS.contains(&word))
}

/// Path and query, without the values of parameters that look like secrets.
pub fn target(target: &str) -> String {
    let Some((path, query)) = target.split_once('?') else { return target.to_owned() };
    let hidden: Vec<_> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name, value)) if holds_secret(name, value) => format!("{name}={HIDDEN}"),
            _ => pair.to_owned(),
        })
        .collect();
    format!("{path}?{}", hidden.join("&"))
}

/// A header's value as it may be shown.
pub fn header<'a>(name: &str, value: &'a str) -> &'a str {
    if is_secret(name) { HIDDEN } else { value }
}

/// A name that looks like a secret's, and a value that is more than a generator.
fn holds_secret(name: &str, value: &str) -> bool {
    let generated = value.starts_with("{{") && value.ends_with("}}");
    is_secret(name) && !value.is_empty() && !generated
}

/// Collects secrets with all their forms.
#[derive(Default)]
pub struct Collector(Vec<String>);

impl Collector {
    /// One secret: plain, percent-encoded and -decoded, and in base64.
    pub fn add(&mut self, value: &str) {
        let value = value.trim();
        if value.is_empty() {
            return;
        }
        self.0.extend([
            value.to_owned(),
            percent_decode_str(value).decode_utf8_lossy().into_owned(),
            utf8_percent_encode(value, NON_ALPHANUMERIC).to_string(),
            BASE64_STANDARD.encode(value),
            BASE64_URL_SAFE_NO_PAD.encode(value),
        ]);
    }

    /// The value of a header: whole, and without the scheme (`Bearer`) or the names of cookies.
    pub fn add_header(&mut self, name: &str, value: &str) {
        if !is_secret(name) {
            return;
        }
        self.add(value);
        if name.eq_ignore_ascii_case("cookie") {
            value.split(';').filter_map(|pair| pair.split_once('=')).for_each(|(_, value)| self.add(value));
        } else if let Some((scheme, credentials)) = value.trim().split_once(' ') {
            self.add(credentials);
            if scheme.eq_ignore_ascii_case("basic") {
                self.add_basic(credentials);
            }
        }
    }

    /// User and password from the value of Basic authorisation.
    fn add_basic(&mut self, encoded: &str) {
        let decoded =
            BASE64_STANDARD.decode(encoded.trim()).ok().and_then(|text| String::from_utf8(text).ok());
        if let Some((user, password)) = decoded.as_deref().and_then(|text| text.split_once(':')) {
            self.add_credentials(user, password);
        }
    }

    /// What a URL holds: user and password, and values of secret-looking parameters.
    pub fn add_url(&mut self, url: &Url) {
        if let Some((user, password)) = url.credentials() {
            self.add_credentials(&user, &password);
        }
        if let Some(userinfo) = &url.userinfo {
            self.add(userinfo);
        }
        if let Some((_, query)) = url.target.split_once('?') {
            self.add_pairs(query);
        }
    }

    /// Values of secret-looking parameters, in `a=1&b=2` form.
    pub fn add_pairs(&mut self, query: &str) {
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            self.add_pair(name, value);
        }
    }

    /// The `value` of a parameter or field, if its `name` looks like a secret's.
    pub fn add_pair(&mut self, name: &str, value: &str) {
        if holds_secret(name, value) {
            self.add(value);
        }
    }

    /// Values of secret-looking fields of a body in JSON or in form encoding.
    pub fn add_body(&mut self, body: &[u8]) {
        let Ok(text) = std::str::from_utf8(body) else { return };
        match serde_json::from_str(text) {
            Ok(json) => self.add_json("", &json),
            Err(_) => self.add_pairs(text.trim()),
        }
    }

    fn add_json(&mut self, name: &str, json: &serde_json::Value) {
        match json {
            serde_json::Value::String(value) if holds_secret(name, value) => self.add(value),
            serde_json::Value::Array(items) => items.iter().for_each(|item| self.add_json(name, item)),
            serde_json::Value::Object(fields) => {
                fields.iter().for_each(|(name, value)| self.add_json(name, value));
            }
            _ => {}
        }
    }

    /// User and password, apart and as Basic authorisation has them.
    pub fn add_credentials(&mut self, user: &str, password: &str) {
        // A user alone is a token as a rule.
        self.add(if password.is_empty() { user } else { password });
        self.add(&format!("{user}:{password}"));
    }

    /// All forms of all of them, once each.
    pub fn into_values(mut self) -> Vec<String> {
        self.0.sort();
        self.0.dedup();
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged_by_their_words() {
        for name in [
            "Authorization",
            "cookie",
            "X-Api-Key",
            "access_token",
            "accessToken",
            "sig",
            "Proxy-Authorization",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["k", "author", "monkey", "Accept", "q", "passage"] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn secret_parameters_are_hidden_and_generators_kept() {
        assert_eq!(target("/a?k=1&api_key=abc&sid={{vu}}&x"), "/a?k=1&api_key=***&sid={{vu}}&x");
        assert_eq!(target("/token/abc"), "/token/abc");
    }

    #[test]
    fn every_form_of_a_secret_is_collected() {
        let mut all = Collector::default();
        all.add_header("Authorization", "Bearer a/b+c");
        all.add_header("Cookie", "id=c00kie; theme=dark");
        all.add_header("Accept", "public");
        all.add_pairs("q=public&token=p%40ram");
        all.add_body(br#"{"user": "public", "login": {"password": "hunter2"}}"#);
        all.add_credentials("bob", "pw-of-bob");
        all.add_header("Authorization", "Basic YW5uOnB3LW9mLWFubg==");
        let all = all.into_values();
        for secret in [
            "a/b+c",
            "a%2Fb%2Bc",
            "c00kie",
            "p%40ram",
            "p@ram",
            "hunter2",
            "aHVudGVyMg==",
            "pw-of-bob",
            "Ym9iOnB3LW9mLWJvYg==",
            "pw-of-ann",
        ] {
            assert!(all.iter().any(|value| value == secret), "{secret}: {all:?}");
        }
        assert!(!all.iter().any(|value| value == "public"));
    }
}
