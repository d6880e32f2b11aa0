//! Where does a value go in a request? Parameters of the path, the query, headers and cookies.

use serde_json::Value;

use crate::ImportError;
use crate::json::Json;
use crate::text;

use super::document::Document;
use super::schema::Sampler;

/// Headers that a description may name and that are said elsewhere in it.
const ELSEWHERE: [&str; 3] = ["accept", "content-type", "authorization"];

/// The parameters of a request with their values, as templates.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    /// Encoded.
    pub(super) path: Vec<(String, String)>,
    /// Encoded, names too.
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) cookies: Vec<String>,
}

impl Parameters {
    /// Those of `operation`, and those of the path `item` that it does not replace.
    pub(super) fn read<'d>(
        document: &'d Document,
        item: &'d Value,
        operation: &'d Value,
        sampler: &Sampler<'d>,
        place: &str,
    ) -> Result<Self, ImportError> {
        let mut all = Vec::<&Value>::new();
        for holder in [operation, item] {
            for said in holder.get("parameters").and_then(Value::as_array).into_iter().flatten() {
                let said = document.resolve(said, place)?;
                let is_same = |other: &&Value| {
                    other.get("name") == said.get("name") && other.get("in") == said.get("in")
                };
                if !all.iter().any(is_same) {
                    all.push(said);
                }
            }
        }
        let mut parameters = Self::default();
        for said in all {
            parameters.add(document, said, sampler, place)?;
        }
        Ok(parameters)
    }

    fn add<'d>(
        &mut self,
        document: &'d Document,
        said: &'d Value,
        sampler: &Sampler<'d>,
        place: &str,
    ) -> Result<(), ImportError> {
        let word = |key: &str| said.get(key).and_then(Value::as_str).unwrap_or_default();
        let (name, kind) = (word("name"), word("in"));
        let content =
            said.get("content").and_then(Value::as_object).and_then(|content| content.values().next());
        let schema = content.unwrap_or(said).get("schema");
        let shown = shown(document, said, place)?;
        let is_required = kind == "path" || said.get("required").is_some_and(|required| required == true);
        let is_shown = shown.is_some() || schema.map_or(Ok(false), |schema| sampler.is_shown(schema))?;
        if !is_required && !is_shown {
            return Ok(());
        }
        let value = match (shown, schema) {
            (Some(shown), _) => Json::literal(shown),
            (None, Some(schema)) => sampler.value(schema)?,
            (None, None) => Json::Text("{{text(8)}}".to_owned()),
        };
        let value = if content.is_some() { Json::Text(value.pretty()) } else { value };
        match kind {
            "path" => self.path.push((name.to_owned(), text::encoded(&plain(&value), text::component))),
            "query" => self.add_query(name, said, &value),
            "header" if ELSEWHERE.contains(&name.to_ascii_lowercase().as_str()) => {}
            "header" => self.headers.push((name.to_owned(), plain(&value))),
            "cookie" => self.cookies.push(format!("{}={}", text::literal(name), plain(&value))),
            _ => {}
        }
        Ok(())
    }

    /// The styles `form` (which repeats a name unless told otherwise) and `deepObject`.
    fn add_query(&mut self, name: &str, said: &Value, value: &Json) {
        let is_deep = said.get("style").is_some_and(|style| style == "deepObject");
        let is_exploded = said.get("explode").and_then(Value::as_bool).unwrap_or(true);
        let mut push = |name: &str, value: &Json| {
            self.query.push((text::component(name), text::encoded(&plain(value), text::component)));
        };
        match value {
            Json::List(list) if is_exploded => list.iter().for_each(|item| push(name, item)),
            Json::Table(table) if is_deep => {
                table.iter().for_each(|(key, item)| push(&format!("{name}[{key}]"), item));
            }
            Json::Table(table) if is_exploded => table.iter().for_each(|(key, item)| push(key, item)),
            value => push(name, value),
        }
    }
}

/// The example that a parameter or a content shows.
pub(super) fn shown<'d>(
    document: &'d Document,
    said: &'d Value,
    place: &str,
) -> Result<Option<&'d Value>, ImportError> {
    if let Some(example) = said.get("example") {
        return Ok(Some(example));
    }
    let examples = said.get("examples").and_then(Value::as_object);
    let Some(first) = examples.and_then(|examples| examples.values().next()) else { return Ok(None) };
    Ok(document.resolve(first, place)?.get("value"))
}

/// A value as one text; those inside of it are between commas.
pub(super) fn plain(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::Bool(b) => b.to_string(),
        Json::Number(n) => n.to_string(),
        Json::Text(text) | Json::Raw(text) => text.clone(),
        Json::List(list) => list.iter().map(plain).collect::<Vec<_>>().join(","),
        Json::Table(table) => {
            table.iter().map(|(key, value)| format!("{key},{}", plain(value))).collect::<Vec<_>>().join(",")
        }
    }
}
