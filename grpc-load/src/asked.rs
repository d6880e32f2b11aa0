//! What is to be called, before anything is known of its types? One request as flags or a suite have it.

use std::time::Duration;

use http::HeaderName;
use load_suite::template::Template;

use crate::descriptor::{Method, MethodName};
use crate::status::Codes;

/// What a good answer is like.
#[derive(Clone)]
pub struct Expect {
    /// Its status is one of these.
    pub codes: Codes,
    /// Its message, as JSON, contains this.
    pub text: Option<String>,
    /// Its messages have at most so many bytes each.
    pub max_message: u64,
}

/// What is to be called, before anything is known of its types.
#[derive(Clone)]
pub struct Asked {
    /// The line of the step that asks, in a suite.
    pub step: Option<String>,
    /// What the request was given by: `json` or `json_file`.
    pub json_by: &'static str,
    /// The method.
    pub method: MethodName,
    /// The request as JSON.
    pub json: Template,
    /// Metadata that `{{...}}` may stand in, besides that of every call.
    pub metadata: Vec<(HeaderName, Template)>,
    /// What a good answer is like.
    pub expect: Expect,
    /// Somebody looks into the answers.
    pub looks: bool,
    /// Messages are compressed.
    pub gzip: bool,
    /// How many messages a client that streams sends; those of the JSON where nothing is said.
    pub messages: Option<u64>,
    /// How many of them may be without an answer.
    pub in_flight: u64,
    /// How long the server has.
    pub deadline: Option<Duration>,
}

impl Asked {
    /// Where `key` was said: the place in a suite, or the flag.
    pub fn place(&self, key: &str) -> String {
        match &self.step {
            Some(step) => format!("{step}: {key}"),
            None => format!("--{}", key.replace('_', "-")),
        }
    }

    /// Whether what it says of a stream fits `method`.
    ///
    /// # Errors
    /// What does not, and where it was said.
    pub fn fits(&self, method: &Method) -> Result<(), String> {
        let wrong = |key, why| Err(format!("{}: {why}; leave it out", self.place(key)));
        if self.messages.is_some() && !method.client_streams {
            return wrong("messages", "the client of this method sends one message");
        }
        if self.in_flight < u64::MAX && !(method.client_streams && method.server_streams) {
            return wrong("in_flight", "it is for methods where both sides stream, and this is none");
        }
        Ok(())
    }
}
