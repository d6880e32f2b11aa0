//! How are things called? Names that a suite takes, each once.

use std::collections::{BTreeMap, BTreeSet};

/// What `{{...}}` or a condition understands as something else.
const TAKEN: [&str; 11] =
    ["seq", "vu", "iteration", "uuid", "now", "now_ms", "now_s", "and", "or", "not", "env"];

/// `text` as the name of a variable: letters, digits and `_`.
pub(crate) fn variable(text: &str) -> String {
    let mut name = String::new();
    for c in text.trim().chars() {
        if c.is_ascii_alphanumeric() {
            name.push(c);
        } else if !name.ends_with('_') {
            name.push('_');
        }
    }
    let name = name.trim_end_matches('_');
    match name.trim_start_matches('_').chars().next() {
        None => "value".to_owned(),
        Some('0'..='9') => format!("v_{name}"),
        Some(_) if TAKEN.contains(&name) => format!("{name}_"),
        Some(_) => name.to_owned(),
    }
}

/// `text` as the name of an environment variable, none of those that a system has of its own, such as USER.
pub(crate) fn environment(text: &str) -> String {
    let name = variable(text).trim_matches('_').to_ascii_uppercase();
    if name.starts_with("API_") { name } else { format!("API_{name}") }
}

/// Names that were given.
#[derive(Debug, Default)]
pub(crate) struct Given {
    all: BTreeSet<String>,
    /// The number that a name gets next; below it none is free.
    next: BTreeMap<String, u32>,
}

impl Given {
    /// `name`, or with a number behind it where it was given before.
    pub(crate) fn unique(&mut self, name: &str, space: &str) -> String {
        let mut given = name.to_owned();
        let next = self.next.entry(name.to_owned()).or_insert(2);
        while !self.all.insert(given.clone()) {
            given = format!("{name}{space}{next}");
            *next += 1;
        }
        given
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_a_suite_takes() {
        assert_eq!(variable("base-url"), "base_url");
        assert_eq!(variable("1st item"), "v_1st_item");
        assert_eq!(
            (variable("seq"), variable("äöü"), variable("")),
            ("seq_".into(), "value".into(), "value".into())
        );
        assert_eq!(environment("x-api-key"), "API_X_API_KEY");
    }

    #[test]
    fn a_name_is_given_once() {
        let mut given = Given::default();
        let names = ["a", "a", "a 2", "b"].map(|name| given.unique(name, " "));
        assert_eq!(names, ["a", "a 2", "a 2 2", "b"]);
    }
}
