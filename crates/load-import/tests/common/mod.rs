//! Is a text a suite? Asks those who read suites.

use std::collections::BTreeMap;
use std::path::Path;

use load_suite::node::Node;
use load_suite::suite::{Choice, Suite};
use load_suite::template::{Escape, Names, Template};

/// Whether `text` is TOML, a suite, and every `{{...}}` in it is known.
pub(crate) fn check(text: &str) -> Result<(), String> {
    let table: toml::Table = toml::from_str(text).map_err(|error| error.to_string())?;
    let node = Node::parse("imported.toml", text).map_err(|error| error.to_string())?;
    let variables = text.split("{{env.").skip(1).filter_map(|rest| rest.split(['}', ' ']).next());
    let environment_variables: BTreeMap<_, _> =
        variables.map(|name| (name.to_owned(), "x".to_owned())).collect();
    let choice = Choice { environment_variables, ..Choice::default() };
    let no_files = |path: &Path| Err(std::io::Error::other(path.display().to_string()));
    let suite = Suite::read("imported", node, &choice, &no_files).map_err(|error| error.to_string())?;
    ["users", "defaults"]
        .iter()
        .filter_map(|key| table.get(*key))
        .try_for_each(|value| compile(value, &suite.users[0].names))
}

fn compile(value: &toml::Value, names: &Names) -> Result<(), String> {
    match value {
        toml::Value::String(text) => match Template::compile(text, names, Escape::Raw) {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("{text}: {error}")),
        },
        toml::Value::Array(list) => list.iter().try_for_each(|item| compile(item, names)),
        toml::Value::Table(table) => table.iter().try_for_each(|(_, item)| compile(item, names)),
        _ => Ok(()),
    }
}
