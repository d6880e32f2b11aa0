//! What is a step of a suite, compiled? What is done, and what is asked of the answer.

use load_net::http::Request;
use load_suite::suite::Tests;
use load_suite::template::Template;

use super::request::Place;
use super::rules::Rules;

/// One call.
pub struct Asked {
    /// What is done.
    pub act: Act,
    /// What is asked of the answer.
    pub rules: Rules,
    /// Variables without which it makes no sense: slot and name.
    pub needs: Vec<(usize, String)>,
}

/// What is done.
pub enum Act {
    /// Sends a message, and waits for its answer where that is known by something.
    Send {
        /// The message.
        content: Template,
        /// It goes as a binary one.
        binary: bool,
        /// By what the answer is known; without it none is waited for.
        answer: Option<Known>,
    },
    /// Sends a ping and waits for the pong.
    Ping(Option<Template>),
    /// Waits for a message.
    Receive(Known),
    /// Makes a WebSocket of the connection, at this URL.
    Connect(Template),
    /// Says goodbye and waits for the server's.
    Close {
        /// The code.
        code: u16,
        /// And why.
        reason: Template,
    },
    /// Makes a call over HTTP, on a connection of its own.
    Request(Box<Request>, Place),
}

/// By what a message is known.
pub enum Known {
    /// It is what was sent.
    Echo,
    /// It is like this.
    Like(Like),
    /// It is all that the step expects.
    Expected,
    /// It is the next one.
    Any,
}

/// What a message is like.
#[derive(Clone, Debug, Default)]
pub struct Like {
    /// It is a binary one, or it is none.
    pub binary: Option<bool>,
    /// It is exactly this.
    pub equals: Option<Template>,
    /// Tests of what is in it; of an answer also how long it took.
    pub tests: Tests,
}
