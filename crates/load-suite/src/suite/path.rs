//! Where in a JSON body is a value? JSONPath (RFC 9535), compiled before the run.

use std::borrow::Cow;

use serde_json::Value as Json;
use serde_json_path::JsonPath;

use crate::fields::At;
use crate::node::SuiteError;

/// A path into JSON (RFC 9535). A plain one is followed without the machinery of a general one.
#[derive(Clone, Debug)]
pub struct Path {
    source: String,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    Plain(Vec<Piece>),
    General(JsonPath),
}

#[derive(Clone, Debug)]
enum Piece {
    Key(String),
    Index(usize),
}

impl Path {
    /// Compiles a path.
    ///
    /// # Errors
    /// It is none.
    pub fn compile(source: &At<String>) -> Result<Self, SuiteError> {
        let form = match plain(&source.value) {
            Some(pieces) => Form::Plain(pieces),
            None => Form::General(JsonPath::parse(&source.value).map_err(|error| {
                source.wrong(format!("{:?} is no JSONPath like $.items[0].id: {error}", source.value))
            })?),
        };
        Ok(Self { source: source.value.clone(), form })
    }

    /// As written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Every value that it finds.
    pub fn find<'v>(&self, json: &'v Json) -> Vec<&'v Json> {
        match &self.form {
            Form::Plain(pieces) => {
                let step = |at: &'v Json, piece: &Piece| match piece {
                    Piece::Key(key) => at.get(key),
                    Piece::Index(index) => at.get(index),
                };
                pieces.iter().try_fold(json, step).into_iter().collect()
            }
            Form::General(path) => path.query(json).all(),
        }
    }
}

/// The pieces of a path like `$.a.b[0]`; none when it is more than that.
fn plain(source: &str) -> Option<Vec<Piece>> {
    let (mut pieces, mut rest) = (Vec::new(), source.strip_prefix('$')?);
    while !rest.is_empty() {
        if let Some(name) = rest.strip_prefix('.') {
            let end = name.find(['.', '[']).unwrap_or(name.len());
            let key = &name[..end];
            let is_plain = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            pieces.push(Piece::Key(is_plain.then(|| key.to_owned())?));
            rest = &name[end..];
        } else {
            let (index, after) = rest.strip_prefix('[')?.split_once(']')?;
            let is_plain = !index.is_empty() && index.bytes().all(|b| b.is_ascii_digit());
            pieces.push(Piece::Index(is_plain.then(|| index.parse().ok())??));
            rest = after;
        }
    }
    Some(pieces)
}

/// A text without its quotes, everything else as JSON.
pub(super) fn plain_text(value: &Json) -> Cow<'_, str> {
    match value {
        Json::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}
