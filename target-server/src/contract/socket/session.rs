//! What happens on one connection of a contract? Messages are understood or refused, and frames fall due; no socket.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::{Map, Value};

use super::{Credentials, Frame, Message, Refusal, Socket};
use crate::contract::{
    Contract,
    file::File,
    judge::compare_texts,
    request::parameters,
    service::Service,
    template::{Draws, Scope, Template},
};

/// What was sent breaks the contract (RFC 6455, section 7.4.1).
const POLICY: u16 = 1008;
/// Who has no good token, where the contract says no code.
const UNAUTHORIZED: u16 = 4001;
/// What was named does not exist.
const NOT_FOUND: u16 = 4404;

/// One connection.
pub(crate) struct Session {
    file: Arc<File>,
    /// Which of the contract's sockets it is.
    index: usize,
    path: Map<String, Value>,
    query: Map<String, Value>,
    /// What the connection is called in frames.
    client: String,
    authorised: bool,
    strict: bool,
    /// Frames so far.
    frames: u64,
    /// Sequences of frames that go on, by their time; the number keeps the order of what is due at one instant.
    waiting: BTreeMap<(u64, u64), Waiting>,
    begun: u64,
    subscribed: BTreeSet<String>,
    /// When each push is due next; `u64::MAX` while nobody has subscribed.
    pushes: Vec<u64>,
    draws: Draws,
}

/// A sequence of frames that goes on.
struct Waiting {
    /// Whose frames they are: of this message, or of the connection.
    message: Option<usize>,
    next: usize,
    body: Arc<Value>,
}

/// A frame that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Out {
    /// Its name in the record.
    pub(crate) name: String,
    /// The JSON.
    pub(crate) text: String,
}

/// What a message, or the begin of a connection, leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Frames, and a close with a code behind them.
    Frames(Vec<Out>, Option<u16>),
    /// The connection is closed with this code: what came breaks the contract.
    Refused(u16),
}

/// Who asks for a connection.
pub(crate) struct Client<'a> {
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    /// The header `Authorization`.
    pub(crate) authorization: Option<&'a str>,
}

/// Why there is no connection.
pub(in crate::contract) struct Refused {
    /// The answer's status.
    pub(in crate::contract) status: u16,
    /// What is wrong.
    pub(in crate::contract) why: String,
    /// Which socket was meant, if one was.
    pub(in crate::contract) socket: Option<usize>,
}

impl Session {
    /// Begins a connection, if one of the contract's sockets is meant; of several the one whose path is more exact.
    pub(in crate::contract) fn open(
        contract: &Contract,
        client: &Client<'_>,
        seed: u64,
        service: &Service,
    ) -> Result<Self, Refused> {
        let sockets = contract.file.sockets.iter().enumerate();
        let meant = sockets.filter_map(|(index, socket)| Some((index, socket, socket.names(client.path)?)));
        let Some((index, socket, (path, _))) = meant.max_by(|(.., a), (.., b)| a.1.cmp(&b.1)) else {
            let why = format!("path: expected one of the contract's sockets, got {}", client.path);
            return Err(Refused { status: 404, why, socket: None });
        };
        let refused = |status, why: String| Refused { status, why, socket: Some(index) };
        let given = parameters(client.query);
        let shown = compare_texts(&socket.query, &given, &|_| !contract.strict);
        shown.map_err(|wrong| refused(422, wrong.within("query").to_string()))?;
        let read = |(name, text): &(String, String)| {
            let value = socket.query.find(name).and_then(|field| field.shape.read(text).ok());
            (name.clone(), value.unwrap_or_else(|| text.as_str().into()))
        };
        let query: Map<_, _> = given.iter().map(read).collect();
        let token = match &socket.auth {
            None | Some(Credentials::FirstMessage(_)) => None,
            Some(Credentials::Header) => client.authorization.and_then(|value| value.strip_prefix("Bearer ")),
            Some(Credentials::Query(name)) => query.get(name).and_then(Value::as_str),
        };
        let authorised = socket.auth.is_none() || token.is_some_and(|token| service.knows_token(token));
        let first = matches!(socket.auth, Some(Credentials::FirstMessage(_)));
        if !authorised && !first && socket.refuse.close.is_none() {
            let status = socket.refuse.status.unwrap_or(401);
            return Err(refused(status, "token: expected a good one".to_owned()));
        }
        let mut draws = Draws::new(seed);
        let client = draws.hex();
        Ok(Self {
            file: Arc::clone(&contract.file),
            index,
            path,
            query,
            client,
            authorised,
            strict: contract.strict,
            frames: 0,
            waiting: BTreeMap::new(),
            begun: 0,
            subscribed: BTreeSet::new(),
            pushes: vec![u64::MAX; socket.pushes.len()],
            draws,
        })
    }

    /// What goes out first, from `now` on.
    pub(crate) fn begin(&mut self, now: u64, service: &mut Service) -> Answer {
        let file = Arc::clone(&self.file);
        let socket = &file.sockets[self.index];
        let waits = matches!(socket.auth, Some(Credentials::FirstMessage(_)));
        if !self.authorised && !waits {
            service.report.turned_away(socket);
            service.report.wrong("token: expected a good one".to_owned());
            return Answer::Refused(socket.refuse.code());
        }
        service.report.opened(socket);
        if self.misses(&socket.known, &Value::Null, service) {
            let frames: Vec<_> =
                socket.unknown.iter().map(|frame| self.fill(frame, None, &Value::Null)).collect();
            let close = frames.is_empty().then_some(NOT_FOUND);
            return Answer::Frames(frames, close);
        }
        for (push, due) in socket.pushes.iter().zip(&mut self.pushes) {
            if push.channel.is_none() {
                *due = now + push.every.0;
            }
        }
        self.wait(None, 0, now, &Arc::new(Value::Null));
        Answer::Frames(self.at_once(&socket.greeting, &Value::Null), None)
    }

    /// Does what a message asks for.
    pub(crate) fn take(&mut self, text: &str, now: u64, service: &mut Service) -> Answer {
        let file = Arc::clone(&self.file);
        let socket = &file.sockets[self.index];
        let Ok(body) = serde_json::from_str::<Value>(text) else {
            return self.wrong(format!("message: expected JSON, got {}", short(text)), service);
        };
        if let (false, Some(Credentials::FirstMessage(field))) = (self.authorised, &socket.auth) {
            let token = body.get(field).and_then(Value::as_str);
            self.authorised = token.is_some_and(|token| service.knows_token(token));
            if !self.authorised {
                service.report.turned_away(socket);
                service.report.wrong(format!("message.{field}: expected a good token"));
                return Answer::Refused(socket.refuse.code());
            }
        }
        let mut why = None;
        for (index, message) in socket.messages.iter().enumerate().filter(|(_, one)| one.is_meant(&body)) {
            let shape = message.body.as_ref().map_or(Ok(()), |shape| shape.check(&body, self.strict));
            if let Err(wrong) = shape {
                why.get_or_insert_with(|| wrong.within(&format!("message {}", message.name)).to_string());
                continue;
            }
            service.report.received(socket, &message.name);
            return self.reply(index, message, body, now, service);
        }
        let why =
            why.unwrap_or_else(|| format!("message: expected one of the contract, got {}", short(text)));
        self.wrong(why, service)
    }

    /// A message that no contract has: one that is no text.
    pub(crate) fn stray(&self, service: &mut Service) -> Answer {
        self.wrong("message: expected a text, got bytes".to_owned(), service)
    }

    /// A frame was written.
    pub(crate) fn sent(&self, out: &Out, service: &mut Service) {
        service.report.sent(&self.file.sockets[self.index], &out.name);
    }

    /// When something falls due next; `u64::MAX` is never.
    pub(crate) fn due_ns(&self) -> u64 {
        let frame = self.waiting.keys().next().map_or(u64::MAX, |(at, _)| *at);
        self.pushes.iter().copied().fold(frame, u64::min)
    }

    /// The next frame that is due at `now`.
    pub(crate) fn due(&mut self, now: u64) -> Option<Out> {
        let file = Arc::clone(&self.file);
        let socket = &file.sockets[self.index];
        if let Some(entry) = self.waiting.first_entry().filter(|entry| entry.key().0 <= now) {
            let (at, Waiting { message, next, body }) = (entry.key().0, entry.remove());
            let (frame, name, _) = socket.later(message, next)?;
            self.wait(message, next + 1, at, &body);
            return Some(self.fill(frame, name, &body));
        }
        let index = self.pushes.iter().position(|due| *due <= now)?;
        let push = &socket.pushes[index];
        // What was not sent in time is not sent twice at once.
        self.pushes[index] = (self.pushes[index] + push.every.0).max(now + 1);
        Some(self.fill(&push.frame, Some(&push.name), &Value::Null))
    }

    fn reply(
        &mut self,
        index: usize,
        message: &Message,
        body: Value,
        now: u64,
        service: &mut Service,
    ) -> Answer {
        if self.misses(&message.known, &body, service) {
            let frames: Vec<_> = message.unknown.iter().map(|frame| self.fill(frame, None, &body)).collect();
            let close = frames.is_empty().then_some(NOT_FOUND);
            return Answer::Frames(frames, close);
        }
        if let Some(channel) = &message.subscribes {
            let channel = self.text(channel, &body);
            self.hear(&channel, Some(now));
            self.subscribed.insert(channel);
        }
        if let Some(channel) = &message.unsubscribes {
            let channel = self.text(channel, &body);
            self.hear(&channel, None);
            self.subscribed.remove(&channel);
        }
        let frames = self.at_once(&message.reply, &body);
        self.wait(Some(index), 0, now, &Arc::new(body));
        Answer::Frames(frames, message.close)
    }

    /// The pushes of a channel come from `from` on, or come no more.
    fn hear(&mut self, channel: &str, from: Option<u64>) {
        if from.is_some() && self.subscribed.contains(channel) {
            return;
        }
        for (push, due) in self.file.sockets[self.index].pushes.iter().zip(&mut self.pushes) {
            if push.channel.as_deref() == Some(channel) {
                *due = from.map_or(u64::MAX, |from| from + push.every.0);
            }
        }
    }

    fn wrong(&self, why: String, service: &mut Service) -> Answer {
        service.report.unknown += 1;
        service.report.wrong(why);
        if self.strict { Answer::Refused(POLICY) } else { Answer::Frames(Vec::new(), None) }
    }

    /// Whether something that has to be there is not.
    fn misses(&mut self, known: &BTreeMap<String, Template>, body: &Value, service: &Service) -> bool {
        known.iter().any(|(collection, id)| !service.has_item(collection, &self.text(id, body)))
    }

    /// The frames in front of the first that comes later.
    fn at_once(&mut self, frames: &[Frame], body: &Value) -> Vec<Out> {
        let first = frames.iter().take_while(|frame| frame.after_ns == 0);
        first.map(|frame| self.fill(frame, None, body)).collect()
    }

    /// Lets the later frame number `next` wait, if there is one.
    fn wait(&mut self, message: Option<usize>, next: usize, since: u64, body: &Arc<Value>) {
        if let Some((_, _, after_ns)) = self.file.sockets[self.index].later(message, next) {
            self.begun += 1;
            let waiting = Waiting { message, next, body: Arc::clone(body) };
            self.waiting.insert((since + after_ns, self.begun), waiting);
        }
    }

    fn text(&mut self, template: &Template, body: &Value) -> String {
        let scope = Scope {
            path: Some(&self.path),
            query: Some(&self.query),
            body: Some(body),
            n: self.frames,
            seq: self.frames,
            client: Some(&self.client),
            ..Scope::default()
        };
        template.text(&scope, &mut self.draws)
    }

    fn fill(&mut self, frame: &Frame, name: Option<&str>, body: &Value) -> Out {
        self.frames += 1;
        let text = self.text(&frame.template, body);
        Out { name: name.unwrap_or_else(|| frame.name()).to_owned(), text }
    }
}

impl Socket {
    /// The frame number `n` of those that come later, of a message or of the connection: with its name, and how many ns it
    /// waits.
    fn later(&self, message: Option<usize>, n: usize) -> Option<(&Frame, Option<&str>, u64)> {
        let (frames, events) = match message {
            None => (&self.greeting, &self.events),
            Some(index) => (&self.messages[index].reply, &self.messages[index].events),
        };
        let later = frames.iter().skip_while(|frame| frame.after_ns == 0);
        let later = later.map(|frame| (frame, None, frame.after_ns));
        later.chain(events.iter().map(|event| (&event.frame, event.name.as_deref(), event.after.0))).nth(n)
    }
}

impl Refusal {
    /// The code of the close where a connection was accepted all the same.
    fn code(self) -> u16 {
        self.close.unwrap_or(UNAUTHORIZED)
    }
}

/// A message as an error shows it.
fn short(text: &str) -> &str {
    const MOST: usize = 80;
    text.char_indices().nth(MOST).map_or(text, |(end, _)| &text[..end])
}
