//! What is the body of a step? Text, file, JSON or a form, as a suite writes it.

use std::io;
use std::path::Path;

use load_net::http::content::{self, Part};
use load_suite::fields::{At, Fields};
use load_suite::node::SuiteError;
use load_suite::suite::{around_placeholders, compile, json, texts};
use load_suite::template::{Escape, Names, Template};

/// Reads a file.
pub type Read<'a> = &'a dyn Fn(&Path) -> io::Result<Vec<u8>>;

/// A body and the type that goes with it.
pub struct Content {
    /// The `Content-Type`, unless the step has a header of its own.
    pub media_type: Option<String>,
    /// The body.
    pub body: Template,
}

impl Content {
    /// Takes `body`, `body_file`, `json`, `form` or `multipart`.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn read(fields: &mut Fields, names: &Names, read: Read<'_>) -> Result<Option<Self>, SuiteError> {
        let kinds =
            ["body", "body_file", "json", "form", "multipart"].into_iter().filter(|kind| fields.has(kind));
        let kinds: Vec<_> = kinds.collect();
        if kinds.len() > 1 {
            return Err(
                fields.wrong(format!("{} and {} in one step; a request has one body", kinds[0], kinds[1]))
            );
        }
        if let Some(body) = fields.text("body")? {
            let body = compile(&body, names, Escape::Raw)?;
            return Ok(Some(Self { media_type: None, body }));
        }
        if let Some(file) = fields.text("body_file")? {
            let folder = Path::new(&*file.place.file).parent().map(Path::to_owned);
            let path = folder.unwrap_or_default().join(&file.value);
            let wrong = |why: String| file.wrong(format!("body_file: {}: {why}", path.display()));
            let bytes = read(&path).map_err(|error| wrong(error.to_string()))?;
            let body = content::Content::plain(bytes).template(names, Escape::Raw);
            return Ok(Some(Self {
                media_type: None,
                body: body.map_err(|error| wrong(error.to_string()))?,
            }));
        }
        if let Some(node) = fields.node("json") {
            let body = json(node, names)?;
            return Ok(Some(Self { media_type: Some("application/json".into()), body }));
        }
        if let Some(mut table) = fields.table("form")? {
            let body = form(&mut table, names)?;
            return Ok(Some(Self { media_type: Some("application/x-www-form-urlencoded".into()), body }));
        }
        if let Some(mut table) = fields.table("multipart")? {
            return in_parts(&mut table, names, read).map(Some);
        }
        Ok(None)
    }
}

/// A form in parts; `@FILE` is a file beside the suite.
fn in_parts(table: &mut Fields, names: &Names, read: Read<'_>) -> Result<Content, SuiteError> {
    let place = table.place.clone();
    let mut parts = Vec::new();
    for (name, value) in texts(table)? {
        let (content, file) = match value.value.strip_prefix('@') {
            Some(file) => {
                let folder = Path::new(&*value.place.file).parent().unwrap_or(Path::new(""));
                let path = folder.join(file);
                let content = read(&path)
                    .map_err(|error| value.wrong(format!("multipart: {}: {error}", path.display())))?;
                (content, path.file_name().map(|name| name.to_string_lossy().into_owned()))
            }
            None => (value.value.into_bytes(), None),
        };
        parts.push((name, content, file));
    }
    let parts: Vec<_> =
        parts.iter().map(|(name, value, file)| Part { name, value, file: file.as_deref() }).collect();
    let whole = content::Content::multipart(&parts);
    let body = whole.template(names, Escape::Raw);
    let body = body.map_err(|error| SuiteError::at(&place, format!("multipart: {error}")))?;
    Ok(Content { media_type: whole.kind, body })
}

fn form(table: &mut Fields, names: &Names) -> Result<Template, SuiteError> {
    let place = table.place.clone();
    let encode = |text: &str| {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    let pair = |(key, value): &(String, At<String>)| {
        format!("{}={}", encode(key), around_placeholders(&value.value, encode))
    };
    let pairs: Vec<_> = texts(table)?.iter().map(pair).collect();
    compile(&At { place, value: pairs.join("&") }, names, Escape::Url)
}

#[cfg(test)]
mod tests {
    use load_suite::node::Node;
    use load_suite::scope::Scope;

    use super::*;

    fn body(step: &str) -> Result<String, String> {
        let node = Node::parse("s.toml", step).unwrap();
        let mut names = Names::none();
        names.slot("id");
        let mut fields = Fields::of(node, "a step").unwrap();
        let content = Content::read(&mut fields, &names, &|_| Ok("file {{id}}".into()))
            .map_err(|error| error.to_string())?;
        let template = content.unwrap().body;
        let (mut scope, mut out) = (Scope::default(), Vec::new());
        scope.vars.set(0, b"a \"b\"");
        template.render(&scope, &mut out);
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn bodies_are_written_as_their_kind_needs_it() {
        for (step, expected) in [
            ("body = \"x={{id}}\"", "x=a \"b\""),
            ("body_file = \"f\"", "file a \"b\""),
            (
                "json = { a = \"{{id}}!\", n = 1, l = [true, \"q\\\"\"], t = { x = 1.5 } }",
                "{\"a\":\"a \\\"b\\\"!\",\"n\":1,\"l\":[true,\"q\\\"\"],\"t\":{\"x\":1.5}}",
            ),
            ("json = { n = \"{{iteration | raw}}\" }", "{\"n\":0}"),
            ("json = '{\"n\": {{iteration}}, \"id\": \"{{id}}\"}'", "{\"n\": 0, \"id\": \"a \\\"b\\\"\"}"),
            (
                "multipart = { n = \"{{id}}\" }",
                "------quintet-9f2c7b41d05e-0000\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\na \"b\"\r\n------quintet-9f2c7b41d05e-0000--\r\n",
            ),
            ("form = { \"a b\" = \"c&{{id}}\" }", "a%20b=c%26a%20%22b%22"),
        ] {
            assert_eq!(body(step).as_deref(), Ok(expected), "{step}");
        }
        assert!(body("body = \"a\"\njson = {}").unwrap_err().contains("one body"));
        assert!(body("json = { a = \"{{nope}}\" }").unwrap_err().contains("unknown {{nope}}"));
    }
}
