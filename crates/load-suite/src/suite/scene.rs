//! Where does the system run? An environment: its URL, token, headers and variables.

use crate::fields::{At, Fields, text};
use crate::nearest::nearest;
use crate::node::{SuiteError, Value};
use crate::template::{Escape, Names};

use super::expect::compile;

/// A place where the system runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Environment {
    /// What `--environment` calls it; empty when the suite has none.
    pub name: String,
    /// The target's URL.
    pub url: Option<At<String>>,
    /// The bearer token of every request, when it is not empty.
    pub token: Option<At<String>>,
    /// Headers of every request.
    pub headers: Vec<(String, At<String>)>,
    /// Values for `{{name}}`.
    pub vars: Vec<(String, At<String>)>,
}

/// The header of a token.
const TOKEN: &str = "authorization";

impl Environment {
    /// The one that is called `wanted`, or the first one.
    pub(super) fn choose(suite: &mut Fields, wanted: Option<&str>) -> Result<Self, SuiteError> {
        chosen(suite, "environments", "--environment", wanted, Self::read)
    }

    fn read(name: String, mut fields: Fields) -> Result<Self, SuiteError> {
        let url = fields.text("url")?;
        let token = fields.text("token")?;
        let headers =
            fields.table("headers")?.map_or_else(|| Ok(Vec::new()), |mut table| texts(&mut table))?;
        let vars = fields.table("vars")?.map_or_else(|| Ok(Vec::new()), |mut table| texts(&mut table))?;
        fields.finish("an environment")?;
        Ok(Self { name, url, token, headers, vars })
    }

    /// Its headers without that of its token, for a command line that has a token of its own.
    pub fn headers_but_token(&self) -> Vec<(String, At<String>)> {
        self.headers.iter().filter(|header| !self.is_token(header)).cloned().collect()
    }

    /// Whether it has a token.
    pub fn has_token(&self) -> bool {
        self.headers.iter().any(|header| self.is_token(header))
    }

    fn is_token(&self, (name, value): &(String, At<String>)) -> bool {
        name == TOKEN && self.token.as_ref().is_some_and(|token| token.place == value.place)
    }

    /// URL and token as `names` make them, and the token as a header; returned is the token, which nobody may see.
    pub(super) fn settle(&mut self, names: &Names) -> Result<Option<String>, SuiteError> {
        if let Some(url) = &mut self.url {
            // What varies is the tool's to allow or to refuse.
            if let Some(fixed) = compile(url, names, Escape::Raw)?.as_static() {
                fixed.clone_into(&mut url.value);
            }
        }
        let Some(token) = &self.token else { return Ok(None) };
        let value = known(token, names)?;
        if value.is_empty() {
            return Ok(None);
        }
        let place = token.place.clone();
        self.headers.push((TOKEN.into(), At { place, value: format!("Bearer {value}") }));
        Ok(Some(value))
    }
}

/// `text` with what is known before the run in place of `{{...}}`.
///
/// # Errors
/// It needs something else.
pub(super) fn known(text: &At<String>, names: &Names) -> Result<String, SuiteError> {
    let template = compile(text, names, Escape::Raw)?;
    template.as_static().map(str::to_owned).ok_or_else(|| {
        text.wrong(format!("{:?} varies; expected what is known before the run: {{{{env.NAME or \"...\"}}}}, or a name of [vars]", text.value))
    })
}

/// All entries of a table of texts.
///
/// # Errors
/// One of them is a list or a table.
pub fn texts(table: &mut Fields) -> Result<Vec<(String, At<String>)>, SuiteError> {
    table.entries().into_iter().map(|(key, node)| Ok((key.clone(), text(node, &key)?))).collect()
}

/// Of the tables in `key` the one called `wanted`, or the first one, or nothing. All of them are read, so that a mistake in
/// one is found before somebody needs it. A text instead of a table is another name of the one that it names.
pub(super) fn chosen<T: Default>(
    suite: &mut Fields,
    key: &'static str,
    flag: &str,
    wanted: Option<&str>,
    read: fn(String, Fields) -> Result<T, SuiteError>,
) -> Result<T, SuiteError> {
    let entries = suite.table(key)?.map_or_else(Vec::new, |mut table| table.entries());
    let (mut known, mut all) = (Vec::new(), Vec::new());
    let mut others = Vec::new();
    for (name, node) in entries {
        if let Value::Text(_) = node.value {
            others.push((name, text(node, key)?));
            continue;
        }
        known.push(name.clone());
        all.push(read(name, Fields::of(node, key)?)?);
    }
    for (name, of) in &others {
        let at = known.iter().take(all.len()).position(|known| *known == of.value);
        let at = at.ok_or_else(|| {
            of.wrong(format!("{key}.{name}: there is no {:?} of which it is another name", of.value))
        })?;
        if wanted == Some(name) {
            return Ok(all.swap_remove(at));
        }
        known.push(name.clone());
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
