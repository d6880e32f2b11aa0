//! What does `{{name}}` of a collection mean here? Its value, a captured one, a generator, or something to be set.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::Value;

use crate::names;
use crate::secret::{Secrets, is_secret};
use crate::text::{self, Text};

use super::plain;
use super::script::Script;

/// Variables inside of variables, at most.
const DEPTH: usize = 5;

/// Generators of Postman, and what does the same.
const DYNAMIC: [(&str, &str); 24] = [
    ("$guid", "{{uuid}}"),
    ("$randomUUID", "{{uuid}}"),
    ("$timestamp", "{{now_s}}"),
    ("$isoTimestamp", "{{now}}"),
    ("$randomInt", "{{int(0, 1000)}}"),
    ("$randomBoolean", "{{pick('true', 'false')}}"),
    ("$randomAlphaNumeric", "{{hex(1)}}"),
    ("$randomHexColor", "#{{hex(6)}}"),
    ("$randomHexadecimal", "0x{{hex(4)}}"),
    ("$randomPassword", "{{hex(15)}}"),
    ("$randomEmail", "{{hex(8)}}@example.com"),
    ("$randomExampleEmail", "{{hex(8)}}@example.com"),
    ("$randomUserName", "user_{{hex(8)}}"),
    ("$randomFirstName", "{{pick('Ada', 'Grace', 'Alan', 'Edsger', 'Barbara')}}"),
    ("$randomLastName", "{{pick('Lovelace', 'Hopper', 'Turing', 'Dijkstra', 'Liskov')}}"),
    ("$randomFullName", "{{pick('Ada Lovelace', 'Grace Hopper', 'Alan Turing')}}"),
    ("$randomColor", "{{pick('red', 'green', 'blue', 'black', 'white')}}"),
    ("$randomCity", "{{pick('Berlin', 'Lagos', 'Lima', 'Osaka', 'Toronto')}}"),
    ("$randomCountryCode", "{{pick('BR', 'DE', 'IN', 'JP', 'US')}}"),
    ("$randomPrice", "{{int(0, 999)}}.{{int(10, 99)}}"),
    ("$randomIP", "192.0.2.{{int(1, 254)}}"),
    ("$randomUrl", "https://example.com/{{hex(8)}}"),
    ("$randomPhoneNumber", "555-{{int(100, 999)}}-{{int(1000, 9999)}}"),
    ("$randomBankAccount", "{{int(10000000, 99999999)}}"),
];

/// The variables of a collection.
pub(super) struct Variables {
    values: BTreeMap<String, String>,
    /// Set by scripts, with the names that they have here.
    captured: BTreeSet<String>,
    used: RefCell<BTreeSet<String>>,
}

impl Variables {
    /// Those of the collection.
    pub(super) fn read(root: &Value) -> Self {
        let mut values = BTreeMap::new();
        for said in root["variable"].as_array().into_iter().flatten().filter(|said| said["disabled"] != true)
        {
            if let Some(name) = said["key"].as_str().or_else(|| said["id"].as_str()) {
                values.insert(name.to_owned(), plain(&said["value"]));
            }
        }
        Self { values, captured: BTreeSet::new(), used: RefCell::default() }
    }

    /// What `script` sets is known from then on.
    pub(super) fn capture(&mut self, script: &Script) {
        self.captured.extend(script.captures.iter().map(|(name, _)| name.clone()));
    }

    /// The value of a variable, when the collection has one.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// `text` with the values of variables in their places, as far as they are known.
    pub(super) fn expanded(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for _ in 0..DEPTH {
            let once = |(literal, placeholder): (&str, &str)| {
                let value = self.value(inner(placeholder)).unwrap_or(placeholder);
                format!("{literal}{value}")
            };
            let next: String = text::pieces(&text).map(once).collect();
            if next == text || next.len() > 10_000 {
                break;
            }
            text = next;
        }
        text
    }

    /// A text of the collection as a template.
    pub(super) fn template(&self, text: &str, secrets: &mut Secrets) -> String {
        self.translated(text, secrets, DEPTH, &|literal, secrets| secrets.literal(literal), "")
    }

    /// A path and query of the collection as a template.
    pub(super) fn target(&self, text: &str, secrets: &mut Secrets) -> String {
        self.translated(
            text,
            secrets,
            DEPTH,
            &|literal, secrets| secrets.literal(&text::target(literal)),
            " | raw",
        )
    }

    /// `raw` stands behind names whose values are not to be encoded.
    fn translated(
        &self,
        text: &str,
        secrets: &mut Secrets,
        depth: usize,
        literal: &dyn Fn(&str, &Secrets) -> String,
        raw: &str,
    ) -> String {
        let mut out = String::new();
        for (before, placeholder) in text::pieces(text) {
            out += &literal(before, secrets);
            let name = inner(placeholder);
            if placeholder.is_empty() || name.is_empty() {
                continue;
            }
            if name.starts_with('$') {
                out += dynamic(name);
                continue;
            }
            match self.value(name).filter(|_| !self.captured.contains(name)) {
                Some(_) if is_secret(name) => {
                    let value = self.value(name).unwrap_or_default();
                    let variable = secrets.hide(value, name, &format!("Postman variable {name}"));
                    let _ = write!(out, "{{{{env.{variable}}}}}");
                }
                Some(value) if value.contains("{{") && depth > 0 => {
                    out += &self.translated(value, secrets, depth - 1, literal, raw);
                }
                known => {
                    let is_plain = known.is_none_or(|value| text::target(value) == text::component(value));
                    out += &self.named(name, known.is_some(), if is_plain { "" } else { raw }, secrets);
                }
            }
        }
        out
    }

    /// A placeholder for a variable that is in the suite, or else in the process's environment.
    fn named(&self, name: &str, is_known: bool, raw: &str, secrets: &mut Secrets) -> String {
        let mut text = Text::default();
        if is_known || self.captured.contains(name) {
            self.used.borrow_mut().insert(name.to_owned());
            text.insert(&format!("{}{raw}", names::variable(name)));
        } else {
            let what = format!("Postman variable {name}, whose value is not in the collection");
            text.insert(&format!("env.{}", secrets.wanted(&names::environment(name), &what)));
        }
        text.done()
    }

    /// What a script sets.
    pub(super) fn captured(name: &str) -> String {
        names::variable(name)
    }

    /// The variables that the requests use, with their values.
    pub(super) fn used(&self) -> Vec<(String, String)> {
        let used = self.used.borrow();
        let known = used.iter().filter(|name| !self.captured.contains(*name));
        known.filter_map(|name| Some((names::variable(name), self.value(name)?.to_owned()))).collect()
    }
}

/// What stands between the braces.
fn inner(placeholder: &str) -> &str {
    placeholder.trim_start_matches("{{").trim_end_matches("}}").trim()
}

/// A generator; any text for one that has no like.
fn dynamic(name: &str) -> &'static str {
    DYNAMIC.iter().find(|(known, _)| *known == name).map_or("{{text(10)}}", |(_, ours)| ours)
}
