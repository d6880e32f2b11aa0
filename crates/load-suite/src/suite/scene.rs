//! Where does the system run? An environment: its URL, headers and variables.

use crate::fields::{At, Fields, text};
use crate::nearest::nearest;
use crate::node::SuiteError;

/// A place where the system runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Environment {
    /// What `--environment` calls it; empty when the suite has none.
    pub name: String,
    /// The target's URL.
    pub url: Option<At<String>>,
    /// Headers of every request.
    pub headers: Vec<(String, At<String>)>,
    /// Values for `{{name}}`.
    pub vars: Vec<(String, String)>,
}

impl Environment {
    /// The one that is called `wanted`, or the first one.
    pub(super) fn choose(suite: &mut Fields, wanted: Option<&str>) -> Result<Self, SuiteError> {
        chosen(suite, "environments", "--environment", wanted, Self::read)
    }

    fn read(name: String, mut fields: Fields) -> Result<Self, SuiteError> {
        let url = fields.text("url")?;
        let headers =
            fields.table("headers")?.map_or_else(|| Ok(Vec::new()), |mut table| texts(&mut table))?;
        let vars = fields.table("vars")?.map_or_else(|| Ok(Vec::new()), |mut table| texts(&mut table))?;
        fields.finish("an environment")?;
        Ok(Self {
            name,
            url,
            headers,
            vars: vars.into_iter().map(|(key, value)| (key, value.value)).collect(),
        })
    }
}

/// All entries of a table of texts.
///
/// # Errors
/// One of them is a list or a table.
pub fn texts(table: &mut Fields) -> Result<Vec<(String, At<String>)>, SuiteError> {
    table.entries().into_iter().map(|(key, node)| Ok((key.clone(), text(node, &key)?))).collect()
}

/// Of the tables in `key` the one called `wanted`, or the first one, or nothing. All of them are read, so that a mistake in
/// one is found before somebody needs it.
pub(super) fn chosen<T: Default>(
    suite: &mut Fields,
    key: &'static str,
    flag: &str,
    wanted: Option<&str>,
    read: fn(String, Fields) -> Result<T, SuiteError>,
) -> Result<T, SuiteError> {
    let entries = suite.table(key)?.map_or_else(Vec::new, |mut table| table.entries());
    let (mut known, mut all) = (Vec::new(), Vec::new());
    for (name, node) in entries {
        known.push(name.clone());
        all.push(read(name, Fields::of(node, key)?)?);
    }
    let Some(wanted) = wanted else { return Ok(all.into_iter().next().unwrap_or_default()) };
    if let Some(at) = known.iter().position(|name| name == wanted) {
        return Ok(all.swap_remove(at));
    }
    let hint = match nearest(wanted, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean {near}?"),
        None if known.is_empty() => format!("the suite has no [{key}]"),
        None => format!("known are {}", known.join(", ")),
    };
    Err(SuiteError::new(format!("{flag} {wanted}: unknown; {hint}")))
}
