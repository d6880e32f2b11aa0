//! What is sent, call for call? One request, compiled: its head once, its messages once unless they have `{{...}}`.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method as HttpMethod, Request, Uri, Version};
use load_net::redact;
use load_suite::scope::Scope;
use load_suite::template::Template;
use prost_reflect::MessageDescriptor;

use crate::asked::{Asked, Expect};
use crate::descriptor::Method;
use crate::framing;
use crate::json;
use crate::round::Round;
use crate::shape::Shape;

/// A call, compiled.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Call {
    /// Method, path and metadata.
    pub head: Request<()>,
    /// What of the metadata varies.
    metadata: Vec<(HeaderName, Template)>,
    /// The client may send several messages.
    pub client_streams: bool,
    /// The server may.
    pub server_streams: bool,
    template: Template,
    message: Message,
    /// The type of the request.
    pub input: MessageDescriptor,
    /// The type of the answer.
    pub output: MessageDescriptor,
    /// The same, to check answers against.
    pub shape: Shape,
    /// What a good answer is like.
    pub expect: Expect,
    looks: bool,
    /// Messages are compressed, and those of answers may be.
    pub gzip: bool,
    messages: Option<u64>,
    /// Messages of a stream of both sides that may be without an answer.
    pub in_flight: u64,
    /// How long the server has, in nanoseconds.
    pub deadline: Option<u64>,
}

enum Message {
    /// Framed.
    Fixed(Round, Bytes),
    /// From the template, for each call.
    Made,
}

/// Room for messages that are made call for call.
#[derive(Default)]
pub struct Buffers {
    json: Vec<u8>,
    message: Vec<u8>,
}

impl Call {
    /// Compiles a call of `method` as it was `asked` for; `head` is what all calls have, without templates.
    ///
    /// # Errors
    /// Where the JSON does not fit the type of the request, or what is said of a stream does not fit the method.
    pub fn new(mut head: Request<()>, method: Method, asked: &Asked) -> Result<Self, String> {
        let Asked { json, expect, gzip, messages, .. } = asked;
        asked.fits(&method)?;
        if *gzip {
            let gzip = HeaderValue::from_static("gzip");
            head.headers_mut().insert("grpc-encoding", gzip.clone());
            head.headers_mut().insert("grpc-accept-encoding", gzip);
        }
        if let Some(deadline) = asked.deadline {
            let value = HeaderValue::from_str(&timeout(deadline)).map_err(|error| error.to_string())?;
            head.headers_mut().insert("grpc-timeout", value);
        }
        let mut call = Self {
            head,
            metadata: asked.metadata.clone(),
            client_streams: method.client_streams,
            server_streams: method.server_streams,
            template: json.clone(),
            message: Message::Made,
            shape: Shape::new(&method.output),
            input: method.input,
            output: method.output,
            expect: expect.clone(),
            looks: asked.looks || expect.text.is_some(),
            gzip: *gzip,
            messages: *messages,
            in_flight: asked.in_flight,
            deadline: asked.deadline.map(|deadline| u64::try_from(deadline.as_nanos()).unwrap_or(u64::MAX)),
        };
        let place = |why: String| format!("{}: {why}", asked.place(asked.json_by));
        if let Some(fixed) = json.as_static() {
            let framed = call.framed(fixed.as_bytes()).map_err(place)?;
            let only = if call.streams() { Bytes::new() } else { framed.concat().into() };
            call.message = Message::Fixed(Round::new(&framed, call.messages), only);
        } else {
            call.first(json).map_err(place)?;
        }
        Ok(call)
    }

    /// Whether the request of the first iteration of the first user, which stands for all, is one.
    fn first(&self, json: &Template) -> Result<(), String> {
        let mut scope = Scope::default();
        if json.slots().next().is_none() {
            return self.round(&scope, &mut Buffers::default()).map(drop);
        }
        // What is captured is not there yet. A digit can stand in texts and for numbers.
        json.slots().for_each(|slot| scope.vars.set(slot, b"1"));
        let mut rendered = Vec::new();
        json.render(&scope, &mut rendered);
        json::names_known(&self.input, &rendered)
    }

    /// Whether one side sends other than one message.
    #[inline]
    pub fn streams(&self) -> bool {
        self.client_streams || self.server_streams
    }

    /// Whether somebody looks into the answers.
    #[inline]
    pub fn looks(&self) -> bool {
        self.looks
    }

    /// The head of the iteration that `scope` says.
    ///
    /// # Errors
    /// What `{{...}}` became is no metadata.
    #[inline]
    pub fn head(&self, scope: &Scope, buffers: &mut Buffers) -> Result<Request<()>, String> {
        let mut head = self.head.clone();
        for (name, value) in &self.metadata {
            buffers.message.clear();
            value.render(scope, &mut buffers.message);
            let value = HeaderValue::from_bytes(&buffers.message);
            let value = value.map_err(|_| format!("metadata {name}: what was inserted is no metadata"))?;
            head.headers_mut().insert(name, value);
        }
        Ok(head)
    }

    /// The request of the iteration that `scope` says, as it is written; with its method and its metadata for people.
    pub fn json(&self, scope: &Scope) -> Vec<u8> {
        let mut text = format!("{}\n", self.head.uri().path().trim_start_matches('/')).into_bytes();
        for (name, value) in &self.metadata {
            let mut rendered = Vec::new();
            value.render(scope, &mut rendered);
            let shown = redact::header(name.as_str(), &String::from_utf8_lossy(&rendered)).to_owned();
            text.extend(format!("{name}: {shown}\n").bytes());
        }
        self.template.render(scope, &mut text);
        text
    }

    /// The only message of the iteration that `scope` says, framed.
    ///
    /// # Errors
    /// What `{{...}}` became does not fit the type.
    #[inline]
    pub fn message(&self, scope: &Scope, buffers: &mut Buffers) -> Result<Bytes, String> {
        if let Message::Fixed(_, bytes) = &self.message {
            return Ok(bytes.clone());
        }
        let Buffers { json, message } = buffers;
        json.clear();
        message.clear();
        self.template.render(scope, json);
        json::encode(&self.input, json, message)?;
        let mut framed = Vec::with_capacity(message.len() + 5);
        framing::append(message, self.gzip, &mut framed)?;
        Ok(framed.into())
    }

    /// The messages of the iteration that `scope` says.
    ///
    /// # Errors
    /// What `{{...}}` became does not fit the type.
    pub fn round(&self, scope: &Scope, buffers: &mut Buffers) -> Result<Cow<'_, Round>, String> {
        if let Message::Fixed(round, _) = &self.message {
            return Ok(Cow::Borrowed(round));
        }
        buffers.json.clear();
        self.template.render(scope, &mut buffers.json);
        Ok(Cow::Owned(Round::new(&self.framed(&buffers.json)?, self.messages)))
    }

    fn framed(&self, json: &[u8]) -> Result<Vec<Vec<u8>>, String> {
        let all = if self.client_streams {
            json::encode_all(&self.input, json)?
        } else {
            let mut message = Vec::new();
            json::encode(&self.input, json, &mut message)?;
            vec![message]
        };
        let framed = |message: &Vec<u8>| {
            let mut framed = Vec::new();
            framing::append(message, self.gzip, &mut framed).map(|()| framed)
        };
        all.iter().map(framed).collect()
    }
}

/// A time as `grpc-timeout` has it: eight digits and a unit, never shorter than it is.
fn timeout(time: Duration) -> String {
    let ns = time.as_nanos();
    let units = [(1, 'n'), (1_000, 'u'), (1_000_000, 'm'), (1_000_000_000, 'S'), (60_000_000_000, 'M')];
    let fits = |&&(unit, _): &&(u128, char)| ns.div_ceil(unit) < 100_000_000;
    let (unit, letter) = units.iter().find(fits).copied().unwrap_or((3_600_000_000_000, 'H'));
    format!("{}{letter}", ns.div_ceil(unit).min(99_999_999))
}

/// The head of a request to `path` with these headers.
///
/// # Errors
/// The authority is none.
pub fn head(secure: bool, authority: &str, path: &str, headers: HeaderMap) -> Result<Request<()>, String> {
    let authority: Authority = authority.parse().map_err(|error| format!("{authority:?}: {error}"))?;
    let path = PathAndQuery::try_from(path).map_err(|error| error.to_string())?;
    let mut uri = http::uri::Parts::default();
    uri.scheme = Some(if secure { Scheme::HTTPS } else { Scheme::HTTP });
    uri.authority = Some(authority);
    uri.path_and_query = Some(path);
    let mut request = Request::new(());
    *request.method_mut() = HttpMethod::POST;
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = Uri::from_parts(uri).map_err(|error| error.to_string())?;
    *request.headers_mut() = headers;
    Ok(request)
}

#[cfg(test)]
mod tests {
    use load_suite::template::{Escape, Names};
    use prost_reflect::DescriptorPool;

    use super::*;
    use crate::descriptor::MethodName;
    use crate::status::Codes;

    fn asked(json: &str) -> Asked {
        let expect = Expect { codes: Codes::new(Vec::new()), text: None, max_message: 100 };
        let json = Template::parse(json).unwrap();
        let (metadata, messages, deadline) = (Vec::new(), None, None);
        let method = MethodName::parse("nova_torch.NovaOrchestrator/RegisterAgent").unwrap();
        Asked {
            step: None,
            json_by: "json",
            method,
            json,
            metadata,
            expect,
            looks: false,
            gzip: false,
            messages,
            in_flight: u64::MAX,
            deadline,
        }
    }

    fn compiled(asked: &Asked, client_streams: bool) -> Result<Call, String> {
        let pool = DescriptorPool::decode(load_wire::nova_torch::DESCRIPTORS).unwrap();
        let name = &asked.method;
        let head = head(false, "h:1", &name.path(), HeaderMap::new())?;
        Call::new(head, Method { client_streams, ..name.find(&pool)? }, asked)
    }

    fn call(json: &str) -> Result<Call, String> {
        compiled(&asked(json), false)
    }

    #[test]
    fn a_message_without_templates_is_made_once() {
        let (call, scope) = (call(r#"{"agent_id": "a"}"#).unwrap(), Scope::default());
        let first = call.message(&scope, &mut Buffers::default()).unwrap();
        let second = call.message(&Scope::numbered(7, 0, 0), &mut Buffers::default()).unwrap();
        assert_eq!(first.as_ref(), b"\0\0\0\0\x03\x0a\x01a");
        assert_eq!(first.as_ptr(), second.as_ptr());
        assert_eq!(call.head.uri(), "http://h:1/nova_torch.NovaOrchestrator/RegisterAgent");
    }

    #[test]
    fn templates_are_filled_in_before_the_json_is_read() {
        let call = call(r#"{"agent_id": "v{{vu}}", "port": {{seq}}}"#).unwrap();
        let scope = Scope::numbered(5, 2, 0);
        let message = call.message(&scope, &mut Buffers::default()).unwrap();
        assert_eq!(message.as_ref(), b"\0\0\0\0\x06\x0a\x02v2\x28\x05");
    }

    #[test]
    fn what_does_not_fit_is_told_at_once() {
        assert!(call(r#"{"port": "x{{seq}}"}"#).err().unwrap().contains("port"));
        // A list is for those who stream.
        assert!(call("[{}]").err().unwrap().starts_with("--json: expected one request"));
        let several = Asked { messages: Some(2), ..asked("{}") };
        assert!(compiled(&several, false).err().unwrap().starts_with("--messages: the client"));
        let limited = Asked { in_flight: 2, ..asked("{}") };
        assert!(compiled(&limited, true).err().unwrap().starts_with("--in-flight: it is for"));
        let step = Asked { step: Some("a.toml:7: steps".into()), ..limited };
        assert!(compiled(&step, false).err().unwrap().starts_with("a.toml:7: steps: in_flight: "));
    }

    #[test]
    fn what_is_captured_later_hides_no_unknown_field() {
        let mut names = Names::none();
        names.slot("id");
        let asked =
            |json| Asked { json: Template::compile(json, &names, Escape::Raw).unwrap(), ..asked("{}") };
        for good in [r#"{"port": {{id}}, "agent_id": "{{id}}"}"#, r#"{"capabilities": {{id}}}"#] {
            assert!(compiled(&asked(good), false).is_ok(), "{good}");
        }
        let bad = asked(r#"{"agent_id": "{{id}}", "prt": {{id}}}"#);
        assert!(compiled(&bad, false).err().unwrap().starts_with("--json: unrecognized field name 'prt'"));
    }

    #[test]
    fn a_client_that_streams_sends_a_list_as_often_as_it_is_told() {
        let json = r#"[{"agent_id": "a{{seq}}"}, {}]"#;
        let scope = Scope::numbered(7, 0, 0);
        let round = |messages| {
            let call = compiled(&Asked { messages, ..asked(json) }, true).unwrap();
            call.round(&scope, &mut Buffers::default()).unwrap().into_owned()
        };
        let mut place = crate::round::Place::default();
        assert_eq!(round(None).next(&mut place, 9).unwrap(), &b"\0\0\0\0\x04\x0a\x02a7\0\0\0\0\0"[..]);
        assert_eq!((round(None).messages, round(Some(9)).messages), (2, 9));
    }

    #[test]
    fn deadlines_and_compression_are_announced() {
        let all = Asked { deadline: Some(Duration::from_millis(250)), gzip: true, ..asked("{}") };
        let call = compiled(&all, false).unwrap();
        let header = |name: &str| call.head.headers()[name].to_str().unwrap();
        assert_eq!((header("grpc-timeout"), header("grpc-encoding")), ("250000u", "gzip"));
        assert_eq!(call.message(&Scope::default(), &mut Buffers::default()).unwrap()[0], 1);
        for (time, expected) in [
            (Duration::from_nanos(1), "1n"),
            (Duration::from_millis(99), "99000000n"),
            (Duration::from_secs(99), "99000000u"),
            (Duration::from_secs(1_000), "1000000m"),
            (Duration::from_hours(10_000_000), "10000000H"),
        ] {
            assert_eq!(timeout(time), expected);
        }
    }
}
