//! What is in the body, and what do headers say about it? Texts, JSON, forms and files.
//!
//! `{{...}}` stays as it is wherever it stands; what it becomes is not encoded.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use load_core::error::UsageError;
use load_suite::template::{Escape, Names, Template, TemplateError};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::args::{read, wrong};
use crate::redact::Collector;

/// What the form encoding leaves alone (WHATWG URL, application/x-www-form-urlencoded); blanks become `+`.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'*').remove(b'-').remove(b'.').remove(b'_').remove(b' ');

/// The flags about the body; one kind of them. No `Debug`: bodies hold secrets.
#[derive(clap::Args, Clone, Default)]
#[group(multiple = false)]
pub struct ContentArgs {
    /// Body of the request; {{...}} works as in --url.
    #[arg(long, value_name = "TEXT", help_heading = "HTTP")]
    pub body: Option<String>,
    /// Body of the request, from a file; a text may hold {{...}}.
    #[arg(long, value_name = "FILE", help_heading = "HTTP")]
    pub body_file: Option<PathBuf>,
    /// Body in JSON, with Content-Type and Accept for it; @FILE for that of a file.
    #[arg(long, value_name = "TEXT", help_heading = "HTTP")]
    pub json: Option<String>,
    /// A field of a form, URL-encoded; repeatable.
    #[arg(long, value_name = "NAME=VALUE", help_heading = "HTTP")]
    pub form: Vec<String>,
    /// A field of a form in parts (multipart/form-data), NAME=@FILE for a file; repeatable.
    #[arg(long, value_name = "NAME=VALUE", help_heading = "HTTP")]
    pub multipart: Vec<String>,
}

/// A body, and what is to be said about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// The body.
    pub bytes: Vec<u8>,
    /// `Content-Type`, where one is known.
    pub kind: Option<String>,
    /// `Accept`, where one goes without saying.
    pub accept: Option<&'static str>,
    /// Where in the body stands what is no text: no `{{...}}` is looked for there.
    opaque: Vec<Range<usize>>,
}

/// One part of a form in parts.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    /// The field's name.
    pub name: &'a str,
    /// What it holds.
    pub value: &'a [u8],
    /// The name of the file that it is, without a folder.
    pub file: Option<&'a str>,
}

impl Content {
    /// As it is, of no known kind.
    pub fn plain(bytes: Vec<u8>) -> Self {
        let opaque = std::str::from_utf8(&bytes).err().map(|_| 0..bytes.len());
        Self { bytes, opaque: opaque.into_iter().collect(), ..Self::default() }
    }

    /// The body, in whose texts `names` may be inserted, by `escape`.
    ///
    /// # Errors
    /// An unclosed or unknown `{{...}}`, with its column.
    pub fn template(&self, names: &Names, escape: Escape) -> Result<Template, TemplateError> {
        let text = |range: Range<usize>| {
            let text = String::from_utf8_lossy(&self.bytes[range]);
            Template::compile(&text, names, escape)
        };
        let (mut whole, mut at) = (Template::text(String::new()), 0);
        for opaque in &self.opaque {
            whole = whole.then(text(at..opaque.start)?);
            whole = whole.then(Template::bytes(self.bytes[opaque.clone()].to_vec()));
            at = opaque.end;
        }
        Ok(whole.then(text(at..self.bytes.len())?))
    }

    /// JSON as it is; it is not checked, for `{{...}}` may stand in it.
    pub fn json(bytes: Vec<u8>) -> Self {
        let kind = Some("application/json".into());
        Self { kind, accept: Some("application/json"), ..Self::plain(bytes) }
    }

    /// A form, URL-encoded.
    pub fn form<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let pair = |(name, value)| format!("{}={}", encoded(name), encoded(value));
        let pairs: Vec<_> = fields.into_iter().map(pair).collect();
        let kind = Some("application/x-www-form-urlencoded".into());
        Self { bytes: pairs.join("&").into(), kind, ..Self::default() }
    }

    /// A form in parts (RFC 7578).
    pub fn multipart(parts: &[Part<'_>]) -> Self {
        let boundary = boundary(parts);
        let (mut bytes, mut opaque) = (Vec::new(), Vec::new());
        for Part { name, value, file } in parts {
            let disposition =
                format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"", quoted(name));
            bytes.extend_from_slice(disposition.as_bytes());
            if let Some(file) = file {
                let kind = format!("; filename=\"{}\"\r\nContent-Type: {}", quoted(file), kind_of(file));
                bytes.extend_from_slice(kind.as_bytes());
            }
            bytes.extend_from_slice(b"\r\n\r\n");
            if std::str::from_utf8(value).is_err() {
                opaque.push(bytes.len()..bytes.len() + value.len());
            }
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        Self { bytes, kind: Some(format!("multipart/form-data; boundary={boundary}")), accept: None, opaque }
    }

    /// Adds to `headers` what they lack about the body.
    pub fn announce(&self, headers: &mut Vec<(String, String)>) {
        for (name, value) in [("Content-Type", self.kind.as_deref()), ("Accept", self.accept)] {
            let is_given = headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
            if let Some(value) = value.filter(|_| !is_given) {
                headers.push((name.into(), value.into()));
            }
        }
    }
}

impl ContentArgs {
    /// Whether they say anything.
    pub fn is_some(&self) -> bool {
        self.body.is_some()
            || self.body_file.is_some()
            || self.json.is_some()
            || !(self.form.is_empty() && self.multipart.is_empty())
    }

    /// The body that they make, if any.
    ///
    /// # Errors
    /// A file that cannot be read, a field without `=`; never with a value, which may be a secret.
    pub fn content(&self) -> Result<Option<Content>, UsageError> {
        if let Some(text) = &self.body {
            return Ok(Some(Content::plain(text.clone().into())));
        }
        if let Some(file) = &self.body_file {
            return Ok(Some(Content::plain(read("--body-file", file)?)));
        }
        if let Some(text) = &self.json {
            return Ok(Some(Content::json(match text.strip_prefix('@') {
                Some(file) => read("--json", Path::new(file))?,
                None => text.clone().into(),
            })));
        }
        if !self.form.is_empty() {
            let fields = self.form.iter().map(|text| field("--form", text)).collect::<Result<Vec<_>, _>>()?;
            return Ok(Some(Content::form(fields)));
        }
        if !self.multipart.is_empty() {
            return in_parts(&self.multipart).map(Some);
        }
        Ok(None)
    }

    /// Says what must not be shown of them; the body itself is not looked at.
    pub fn add_secrets(&self, all: &mut Collector) {
        for (name, value) in self.form.iter().chain(&self.multipart).filter_map(|text| text.split_once('=')) {
            all.add_pair(name, value);
        }
    }
}

fn field<'a>(flag: &str, text: &'a str) -> Result<(&'a str, &'a str), UsageError> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name, value)),
        _ => Err(wrong(flag, "no name and '='; expected NAME=VALUE")),
    }
}

fn in_parts(texts: &[String]) -> Result<Content, UsageError> {
    let fields = texts.iter().map(|text| field("--multipart", text)).collect::<Result<Vec<_>, _>>()?;
    let read = |(name, value): (_, &str)| {
        let file = value.strip_prefix('@').map(Path::new);
        let content = match file {
            Some(file) => fs::read(file)
                .map_err(|error| wrong(&format!("--multipart {name}=@{}", file.display()), error))?,
            None => value.into(),
        };
        let file = file.map(|file| file.file_name().unwrap_or_default().to_string_lossy().into_owned());
        Ok((name, content, file))
    };
    let fields = fields.into_iter().map(read).collect::<Result<Vec<_>, UsageError>>()?;
    let parts: Vec<_> =
        fields.iter().map(|(name, value, file)| Part { name, value, file: file.as_deref() }).collect();
    Ok(Content::multipart(&parts))
}

/// In the form encoding, but for `{{...}}`.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, inside)) = rest.split_once("{{") {
        let Some((generator, behind)) = inside.split_once("}}") else { break };
        out.extend([&form_encoded(before), "{{", generator, "}}"]);
        rest = behind;
    }
    out + &form_encoded(rest)
}

fn form_encoded(text: &str) -> String {
    utf8_percent_encode(text, FORM).to_string().replace(' ', "+")
}

/// A name between quotes (WHATWG HTML, multipart/form-data encoding algorithm).
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

/// What a file holds by its name; the same few that curl knows.
fn kind_of(file: &str) -> &'static str {
    match file.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).as_deref() {
        Some("gif") => "image/gif",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("png") => "image/png",
        Some("svg") => "image/svg+xml",
        Some("txt") => "text/plain",
        Some("htm" | "html") => "text/html",
        Some("pdf") => "application/pdf",
        Some("xml") => "application/xml",
        _ => "application/octet-stream",
    }
}

/// What stands between parts: in none of them.
fn boundary(parts: &[Part<'_>]) -> String {
    let is_in = |text: &str| {
        parts.iter().any(|part| part.value.windows(text.len()).any(|window| window == text.as_bytes()))
    };
    let mut number = 0_u64;
    loop {
        let boundary = format!("----quintet-9f2c7b41d05e-{number:04}");
        if !is_in(&boundary) {
            return boundary;
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests {
    use load_suite::scope::Scope;

    use super::*;

    fn text(content: &Content) -> String {
        String::from_utf8(content.bytes.clone()).unwrap()
    }

    #[test]
    fn forms_are_encoded_but_for_generators() {
        let content = Content::form([("a b", "x&y=ä+*"), ("id", "n {{seq}}/{{ vu }}"), ("open", "{{ x")]);
        assert_eq!(text(&content), "a+b=x%26y%3D%C3%A4%2B*&id=n+{{seq}}%2F{{ vu }}&open=%7B%7B+x");
        assert_eq!(content.kind.as_deref(), Some("application/x-www-form-urlencoded"));
    }

    #[test]
    fn parts_are_told_apart() {
        let parts = [
            Part { name: "a\"b", value: b"1", file: None },
            Part { name: "f", value: b"----quintet-9f2c7b41d05e-0000", file: Some("x.PNG") },
        ];
        let content = Content::multipart(&parts);
        let expected = "--B\r\nContent-Disposition: form-data; name=\"a%22b\"\r\n\r\n1\r\n\
            --B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x.PNG\"\r\nContent-Type: image/png\r\n\r\n\
            ----quintet-9f2c7b41d05e-0000\r\n--B--\r\n";
        assert_eq!(text(&content), expected.replace("--B", "------quintet-9f2c7b41d05e-0001"));
        assert_eq!(
            content.kind.as_deref(),
            Some("multipart/form-data; boundary=----quintet-9f2c7b41d05e-0001")
        );
    }

    #[test]
    fn what_is_no_text_stays_as_it_is_beside_what_varies() {
        let parts = [
            Part { name: "n", value: b"{{seq}}", file: None },
            Part { name: "f", value: b"\xff{{seq}}\0{{", file: Some("x.png") },
        ];
        let content = Content::multipart(&parts);
        let mut sent = Vec::new();
        let template = content.template(&Names::none(), Escape::Raw).unwrap();
        template.render(&Scope::numbered(7, 0, 0), &mut sent);
        let expected = [Part { value: b"7", ..parts[0] }, Part { ..parts[1] }];
        assert_eq!(sent, Content::multipart(&expected).bytes);
        let image = Content::plain(b"\xff{{".to_vec()).template(&Names::none(), Escape::Raw).unwrap();
        assert_eq!(image.as_fixed(), Some(&b"\xff{{"[..]));
    }

    #[test]
    fn headers_of_the_users_own_win() {
        let mut headers = vec![("content-type".to_owned(), "text/x".to_owned())];
        Content::json(b"{}".to_vec()).announce(&mut headers);
        let accept = ("Accept".to_owned(), "application/json".to_owned());
        assert_eq!(headers, [("content-type".to_owned(), "text/x".to_owned()), accept]);
    }
}
