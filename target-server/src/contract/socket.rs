//! What is agreed about a WebSocket? Who may open it, what is said on it, what comes by itself; data only.
//!
//! | question | module |
//! |---|---|
//! | What happens on one connection? | [`session`] |
//! | What came and went, by name? | [`record`] |

mod record;
pub(super) mod session;

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Value};

use super::{
    file::{Named, many},
    route::PathPattern,
    shape::{Fields, Shape},
    template::Template,
};
use crate::script::Time;

/// A WebSocket and all that is said on it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Socket {
    /// Its name in the record; the first path without.
    #[serde(default)]
    pub(crate) name: String,
    /// Where it is.
    #[serde(deserialize_with = "many")]
    pub(crate) path: Vec<SocketPath>,
    /// Parameters of the query.
    #[serde(default)]
    pub(crate) query: Fields,
    /// How a client shows its token; `None` lets everybody in.
    #[serde(default)]
    pub(crate) auth: Option<Credentials>,
    /// What a client without one meets.
    #[serde(default)]
    pub(crate) refuse: Refusal,
    /// The items that have to be there, by collection.
    #[serde(default)]
    pub(crate) known: BTreeMap<String, Template>,
    /// What is sent where one is not; without, the connection closes with 4404.
    #[serde(default)]
    pub(crate) unknown: Vec<Frame>,
    /// Sent at once; the first that says `_after`, and all behind it, come later.
    #[serde(default)]
    pub(crate) greeting: Vec<Frame>,
    /// What follows the greeting.
    #[serde(default)]
    pub(crate) events: Vec<Event>,
    /// What clients may say.
    #[serde(default)]
    pub(crate) messages: Vec<Message>,
    /// What comes by itself again and again.
    #[serde(default)]
    pub(crate) pushes: Vec<Push>,
}

/// A path as it is written, and as it is matched.
#[derive(Debug, Clone)]
pub(crate) struct SocketPath {
    pub(crate) written: String,
    pub(crate) pattern: PathPattern,
}

/// Where a client shows its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// `Authorization: Bearer TOKEN`: `"header"`.
    Header,
    /// A parameter of the query: `"query token"`.
    Query(String),
    /// A field of its first message: `"first message token"`.
    FirstMessage(String),
}

/// What a client meets that may not come in.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refusal {
    /// The handshake's status; 401 if nothing is said.
    pub(crate) status: Option<u16>,
    /// Accepted, and closed with this code.
    pub(crate) close: Option<u16>,
}

impl Default for Refusal {
    fn default() -> Self {
        Self { status: Some(401), close: None }
    }
}

/// A message that a client may send. The first one whose `when` and `body` hold is taken.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Message {
    /// Its name in the record.
    pub(crate) name: String,
    /// These fields, named with dots where they are nested, have these values.
    #[serde(default)]
    pub(crate) when: BTreeMap<String, Value>,
    /// What the whole looks like; without, any object.
    #[serde(default)]
    pub(crate) body: Option<Shape>,
    /// What is sent at once; the first that says `_after`, and all behind it, come later.
    #[serde(default)]
    pub(crate) reply: Vec<Frame>,
    /// The channel that the client hears from now on.
    #[serde(default)]
    pub(crate) subscribes: Option<Template>,
    /// The channel that it hears no longer.
    #[serde(default)]
    pub(crate) unsubscribes: Option<Template>,
    /// The items that have to be there, by collection.
    #[serde(default)]
    pub(crate) known: BTreeMap<String, Template>,
    /// What is sent instead where one is not.
    #[serde(default)]
    pub(crate) unknown: Vec<Frame>,
    /// What follows the reply.
    #[serde(default)]
    pub(crate) events: Vec<Event>,
    /// The connection closes behind the reply with this code.
    #[serde(default)]
    pub(crate) close: Option<u16>,
}

/// A frame that follows another one.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Event {
    /// Its name in the record; its `type` without.
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// How long after the one before.
    pub(crate) after: Time,
    pub(crate) frame: Frame,
}

/// A JSON text that is sent.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) template: Template,
    /// `_after`: how long after the one before, in ns.
    pub(crate) after_ns: u64,
}

/// A frame that comes again and again.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Push {
    /// Its name in the record.
    pub(crate) name: String,
    /// Who hears this channel gets it; without, everybody.
    #[serde(default)]
    pub(crate) channel: Option<String>,
    pub(crate) every: Time,
    pub(crate) frame: Frame,
}

impl Socket {
    /// Its name in the record.
    pub(crate) fn title(&self) -> &str {
        match self.path.first() {
            Some(path) if self.name.is_empty() => &path.written,
            _ => &self.name,
        }
    }

    /// What the segments of `path` are called, if it is one of its paths, and how exact that path is.
    fn names(&self, path: &str) -> Option<(Map<String, Value>, Vec<bool>)> {
        self.path.iter().find_map(|one| Some((one.pattern.names(path)?, one.pattern.exactness())))
    }

    /// Whether a frame of this name is one of the contract's own; others are counted together.
    fn sends(&self, name: &str) -> bool {
        let of_messages = self.messages.iter().flat_map(|message| {
            let frames = message.reply.iter().chain(&message.unknown).map(Frame::name);
            frames.chain(message.events.iter().map(Event::name))
        });
        let frames = self.greeting.iter().chain(&self.unknown).map(Frame::name);
        let own = frames.chain(self.events.iter().map(Event::name));
        own.chain(self.pushes.iter().map(|push| push.name.as_str())).chain(of_messages).any(|one| one == name)
    }

    /// All collections that it asks for.
    pub(super) fn collections(&self) -> impl Iterator<Item = &String> {
        self.known.keys().chain(self.messages.iter().flat_map(|message| message.known.keys()))
    }
}

impl Message {
    /// Whether the fields that say so have the values that say so.
    fn is_meant(&self, body: &Value) -> bool {
        let field = |path: &str| path.split('.').try_fold(body, |at, name| at.get(name));
        body.is_object() && self.when.iter().all(|(path, value)| field(path) == Some(value))
    }
}

impl Event {
    fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_else(|| self.frame.name())
    }
}

impl Frame {
    /// Its name in the record: its type.
    fn name(&self) -> &str {
        let Template::Object(fields) = &self.template else { return record::OTHER };
        let of_type = |(name, _): &&(String, Template)| name == "type" || name == "event_type";
        match fields.iter().find(of_type) {
            Some((_, Template::Literal(Value::String(text)))) => text,
            _ => record::OTHER,
        }
    }
}

impl<'de> Deserialize<'de> for Frame {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut value = Value::deserialize(from)?;
        let after = value.as_object_mut().and_then(|fields| fields.remove("_after"));
        let after = after.map(Time::deserialize).transpose().map_err(de::Error::custom)?;
        let template = Template::from_value(&value).map_err(de::Error::custom)?;
        Ok(Self { template, after_ns: after.map_or(0, |after| after.0) })
    }
}

impl Named for Socket {
    fn name(&self) -> &str {
        self.title()
    }
}

impl<'de> Deserialize<'de> for SocketPath {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let written = String::deserialize(from)?;
        let pattern = PathPattern::parse(&written).map_err(de::Error::custom)?;
        Ok(Self { written, pattern })
    }
}

impl<'de> Deserialize<'de> for Credentials {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let name = |name: &str| name.trim().to_owned();
        match text.as_str() {
            "header" => Ok(Self::Header),
            "first message" => Ok(Self::FirstMessage("token".to_owned())),
            _ => match (text.strip_prefix("query "), text.strip_prefix("first message ")) {
                (Some(parameter), _) => Ok(Self::Query(name(parameter))),
                (_, Some(field)) => Ok(Self::FirstMessage(name(field))),
                _ => Err(de::Error::custom(format!(
                    "auth = {text:?}: expected \"header\", \"query NAME\" or \"first message NAME\""
                ))),
            },
        }
    }
}
