//! What does a request send? Text, forms, files, and JSON with variables in any place.

use serde_json::Value;

use crate::json::Json;
use crate::model::{Body, Content, Part, Step};
use crate::secret::{Secrets, is_secret};

use super::variables::Variables;
use super::{enabled, plain};

/// Marks a text that is a placeholder outside of quotes.
const BARE: char = '\u{E000}';

/// Gives `step` the body.
pub(super) fn add(step: &mut Step, said: &Value, variables: &Variables, secrets: &mut Secrets) {
    if said["disabled"] == true {
        return;
    }
    match said["mode"].as_str().unwrap_or_default() {
        "raw" => raw(step, said, variables, secrets),
        "urlencoded" => {
            step.take_header("content-type");
            let field = |(name, value): (String, String)| {
                (variables.template(&name, secrets), secret_or(&name, &value, variables, secrets))
            };
            step.set_form(enabled(&said["urlencoded"]).map(field).collect());
        }
        "formdata" => {
            let parts =
                said["formdata"].as_array().into_iter().flatten().filter(|part| part["disabled"] != true);
            let parts = parts.filter_map(|said| part(said, variables, secrets));
            step.body = Body::Multipart(parts.collect());
        }
        "graphql" => {
            let graphql = &said["graphql"];
            let asked = match &graphql["variables"] {
                Value::String(text) => parse(text).unwrap_or(Value::Null),
                other => other.clone(),
            };
            let query = Json::Text(variables.template(&plain(&graphql["query"]), secrets));
            let mut table = vec![("query".to_owned(), query)];
            if !asked.is_null() {
                table.push(("variables".to_owned(), json("", &asked, variables, secrets)));
            }
            step.body = Body::Json(Json::Table(table));
        }
        "file" => {
            if let Some(path) = said["file"]["src"].as_str() {
                step.body = Body::File(path.to_owned());
            }
        }
        _ => {}
    }
}

fn raw(step: &mut Step, said: &Value, variables: &Variables, secrets: &mut Secrets) {
    let Some(raw) = said["raw"].as_str().filter(|raw| !raw.trim().is_empty()) else { return };
    let language = said.pointer("/options/raw/language").and_then(Value::as_str).unwrap_or_default();
    let mime = step.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let mime = mime.map(|(_, value)| value.clone()).unwrap_or_default();
    let looks = mime.is_empty() && language.is_empty() && raw.trim_start().starts_with(['{', '[']);
    if (mime.contains("json") || language == "json" || looks)
        && let Some(value) = parse(raw)
    {
        step.body = Body::Json(json("", &value, variables, secrets));
        if mime.is_empty() || mime.starts_with("application/json") {
            step.take_header("content-type");
        }
        return;
    }
    step.body = Body::Text(variables.template(raw, secrets));
    let implied = match language {
        "json" => "application/json",
        "xml" => "application/xml",
        "html" => "text/html",
        "javascript" => "application/javascript",
        _ => "text/plain",
    };
    step.default_header("Content-Type", implied);
}

fn part(said: &Value, variables: &Variables, secrets: &mut Secrets) -> Option<Part> {
    let key = said["key"].as_str()?;
    let name = variables.template(key, secrets);
    let mime = said["contentType"].as_str().filter(|mime| !mime.is_empty()).map(str::to_owned);
    let content = if said["type"] == "file" {
        let file = said["src"].as_str().or_else(|| said["src"].get(0)?.as_str());
        Content::File(file.unwrap_or("FILE").to_owned())
    } else {
        Content::Text(secret_or(key, &plain(&said["value"]), variables, secrets))
    };
    Some(Part { name, content, mime })
}

/// A value of that name as a template.
fn secret_or(name: &str, value: &str, variables: &Variables, secrets: &mut Secrets) -> String {
    if is_secret(name) && !value.is_empty() && !value.contains("{{") {
        return format!("{{{{env.{}}}}}", secrets.hide(value, name, &format!("value of {name}")));
    }
    variables.template(value, secrets)
}

fn json(name: &str, value: &Value, variables: &Variables, secrets: &mut Secrets) -> Json {
    match value {
        Value::String(text) => match text.strip_prefix(BARE) {
            Some(placeholder) => Json::Raw(variables.template(placeholder, secrets)),
            None => Json::Text(secret_or(name, text, variables, secrets)),
        },
        Value::Array(list) => {
            Json::List(list.iter().map(|item| json(name, item, variables, secrets)).collect())
        }
        Value::Object(map) => {
            let entry = |(key, value): (&String, &Value)| {
                (variables.template(key, secrets), json(key, value, variables, secrets))
            };
            Json::Table(map.iter().map(entry).collect())
        }
        other => Json::literal(other),
    }
}

/// JSON as Postman takes it: with variables outside of quotes, and with comments.
fn parse(text: &str) -> Option<Value> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = if c == '"' {
            let length = quoted(rest);
            out += &rest[..length];
            length
        } else if let Some(inside) = rest.strip_prefix("{{").filter(|inside| inside.contains("}}")) {
            let length = inside.find("}}")? + 4;
            out += &Value::from(format!("{BARE}{}", &rest[..length])).to_string();
            length
        } else if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |at| at + 2)
        } else {
            out.push(c);
            c.len_utf8()
        };
        rest = &rest[length..];
    }
    serde_json::from_str(&out).ok()
}

/// Bytes of the text in quotes with which `rest` begins.
fn quoted(rest: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            '"' if !is_escaped => return at + 1,
            '\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_may_have_variables_and_comments() {
        let text = "{ // why\n \"a\": {{n}}, \"b\": \"{{x}} // no \\\" {{y}}\", /* c */ \"c\": {\"d\": 1}}";
        let expected = json!({"a": "\u{E000}{{n}}", "b": "{{x}} // no \" {{y}}", "c": {"d": 1}});
        assert_eq!(parse(text), Some(expected));
        assert_eq!(parse("{{{x"), None);
    }
}
