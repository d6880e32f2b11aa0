//! What does somebody else's description of an API say as a suite? Text in, TOML out; no file, clock or network.
//!
//! | question | module |
//! |---|---|
//! | What can an import say? | `model` |
//! | How is it written? | `write` |
//! | How does a foreign text become one with `{{...}}`? | `text`, `json` |
//! | How does a request that was sent become a step? | `recorded` |
//! | How are things called? | `names` |
//! | Which host is meant? | `host` |
//! | What must not be written? | `secret` |
//! | What does each kind say? | `openapi`, `har`, `postman`, `curl` |

mod curl;
mod har;
mod host;
mod json;
mod model;
mod names;
mod openapi;
mod postman;
mod recorded;
mod secret;
mod text;
mod write;

/// What a text describes an API in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// OpenAPI 3.0 or 3.1, as JSON or YAML.
    OpenApi,
    /// A recording of a browser or proxy: HTTP Archive 1.2.
    Har {
        /// Images, scripts, style sheets and fonts too.
        with_assets: bool,
    },
    /// A collection of Postman, version 2.0 or 2.1.
    Postman,
    /// Command lines of curl, as a browser copies them for a POSIX shell.
    Curl,
}

/// Why a text cannot be imported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct ImportError {
    /// Where: a line, or a path of keys.
    pub place: String,
    /// What was expected, and what to do.
    pub message: String,
}

impl ImportError {
    fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        // One line, whatever was quoted.
        let clean = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        Self { place: clean(place.into()), message: clean(message.into()) }
    }

    /// What is no JSON.
    fn json(error: &serde_json::Error) -> Self {
        let place = format!("line {}, column {}", error.line(), error.column());
        Self::new(place, format!("expected JSON: {}", without_place(&error.to_string())))
    }
}

/// A message of a reader that ends with the place, without it.
fn without_place(message: &str) -> &str {
    let line = message.lines().next().unwrap_or_default();
    line.split(" at line ").next().unwrap_or_default()
}

/// `text` as a suite of the name `name`.
///
/// # Errors
/// It is not what `kind` says, or there is nothing in it to send.
pub fn import(kind: Kind, name: &str, text: &str) -> Result<String, ImportError> {
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let mut suite = match kind {
        Kind::OpenApi => openapi::read(text),
        Kind::Har { with_assets } => har::read(text, with_assets),
        Kind::Postman => postman::read(text),
        Kind::Curl => curl::read(text),
    }?;
    suite.gather_headers();
    Ok(write::suite(name, &suite))
}
