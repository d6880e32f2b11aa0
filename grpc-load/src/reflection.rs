//! What does the server say of itself? The descriptors of a service, by `grpc.reflection.v1` or `v1alpha`.
//!
//! Both have the same messages under two names. One stream asks for the service's file, and for the files that it
//! imports and that did not come with it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use h2::{RecvStream, SendStream};
use http::HeaderMap;
use load_core::protocol::Control;
use load_net::http2::Link;
use load_net::http2::link::explain;
use prost::Message as _;
use prost_reflect::DescriptorPool;
use prost_reflect::prost_types::{FileDescriptorProto, FileDescriptorSet};

use crate::call;
use crate::descriptor::no_service;
use crate::framing::{self, Frames};
use crate::status::{self, Code};

const VERSIONS: [&str; 2] = ["grpc.reflection.v1", "grpc.reflection.v1alpha"];
/// Largest answer that is read.
const MOST_BYTES: u64 = 64 << 20;
/// Most files that a service can be made of.
const MOST_FILES: usize = 10_000;

/// `ServerReflectionRequest`, with the questions that are asked here.
#[derive(Clone, PartialEq, prost::Message)]
struct Question {
    #[prost(oneof = "Asked", tags = "3, 4, 7")]
    asked: Option<Asked>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Asked {
    #[prost(string, tag = "3")]
    FileByName(String),
    #[prost(string, tag = "4")]
    FileContaining(String),
    #[prost(string, tag = "7")]
    Services(String),
}

/// `ServerReflectionResponse`, with the answers to them.
#[derive(Clone, PartialEq, prost::Message)]
struct Reply {
    #[prost(oneof = "Told", tags = "4, 6, 7")]
    told: Option<Told>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Told {
    #[prost(message, tag = "4")]
    Files(Files),
    #[prost(message, tag = "6")]
    Services(Services),
    #[prost(message, tag = "7")]
    Failed(Failed),
}

#[derive(Clone, PartialEq, prost::Message)]
struct Files {
    #[prost(bytes = "vec", repeated, tag = "1")]
    descriptors: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Services {
    #[prost(message, repeated, tag = "1")]
    services: Vec<Service>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Service {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Failed {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// Why there are no descriptors.
enum Refusal {
    /// The server does not know this version.
    Unknown,
    /// The server ended the stream because it does not have what was asked for.
    NotFound,
    Other(String),
}

/// Asks the server for the descriptors of `services`. Each stream is counted as a control call.
///
/// # Errors
/// The server has no reflection, no such service, or did not keep to the protocol: one line, and what to do.
pub async fn ask(
    link: &Link,
    target: &Origin<'_>,
    services: &[String],
    control: &mut Control,
) -> Result<DescriptorPool, String> {
    for version in VERSIONS {
        control.calls += 1;
        match ask_version(link, target, services, version, control).await {
            Ok(pool) => return Ok(pool),
            Err(Refusal::Unknown) => {}
            Err(Refusal::NotFound) => {
                return Err(no_service(services.first().map_or("", String::as_str), &[]));
            }
            Err(Refusal::Other(why)) => return Err(why),
        }
    }
    Err(NONE.into())
}

/// Asks the server which services it has.
///
/// # Errors
/// The server has no reflection, or did not keep to the protocol.
pub async fn list(link: &Link, target: &Origin<'_>) -> Result<Vec<String>, String> {
    for version in VERSIONS {
        let listed = async { Stream::open(link, target, version).await?.services().await }.await;
        match listed {
            Ok(names) => return Ok(names),
            Err(Refusal::Unknown | Refusal::NotFound) => {}
            Err(Refusal::Other(why)) => return Err(why),
        }
    }
    Err(NONE.into())
}

const NONE: &str = "the server has no reflection; say what it serves with --proto FILE";

/// Where the questions go.
pub struct Origin<'a> {
    /// Over TLS.
    pub secure: bool,
    /// The `:authority`.
    pub authority: &'a str,
    /// The metadata of all calls: a server may let nobody ask without it.
    pub headers: HeaderMap,
}

async fn ask_version(
    link: &Link,
    target: &Origin<'_>,
    services: &[String],
    version: &str,
    control: &mut Control,
) -> Result<DescriptorPool, Refusal> {
    let mut stream = Stream::open(link, target, version).await?;
    let (mut known, mut missing) = (BTreeMap::new(), BTreeSet::new());
    for service in services {
        let names = match stream.ask(Asked::FileContaining(service.clone())).await {
            Ok(Told::Files(files)) => {
                take(files, &mut known, &mut missing)?;
                continue;
            }
            Ok(Told::Failed(_)) => stream.services().await?,
            // Some say so in an answer, some by the end of the stream.
            Err(Refusal::NotFound) => {
                control.calls += 1;
                Stream::open(link, target, version).await?.services().await?
            }
            Ok(Told::Services(_)) => return Err(unexpected()),
            Err(refusal) => return Err(refusal),
        };
        return Err(Refusal::Other(no_service(service, &names)));
    }
    while let Some(name) = missing.pop_first() {
        match stream.ask(Asked::FileByName(name.clone())).await? {
            Told::Files(files) => take(files, &mut known, &mut missing)?,
            Told::Failed(Failed { code, message }) => {
                let code = Code(code.unsigned_abs());
                return Err(Refusal::Other(format!(
                    "reflection: {name}: {code}: {message}; use --proto FILE"
                )));
            }
            Told::Services(_) => return Err(unexpected()),
        }
        if known.len() > MOST_FILES || missing.contains(&name) {
            return Err(Refusal::Other(format!("reflection does not give {name}; use --proto FILE")));
        }
    }
    stream.finish().await?;
    let set = FileDescriptorSet { file: known.into_values().collect() };
    DescriptorPool::from_file_descriptor_set(set)
        .map_err(|error| Refusal::Other(format!("reflection: {error}; use --proto FILE")))
}

/// Takes over files; what they import and nobody has is missing.
fn take(
    files: Files,
    known: &mut BTreeMap<String, FileDescriptorProto>,
    missing: &mut BTreeSet<String>,
) -> Result<(), Refusal> {
    for bytes in files.descriptors {
        let file = FileDescriptorProto::decode(bytes.as_slice())
            .map_err(|error| Refusal::Other(format!("reflection: a descriptor is broken: {error}")))?;
        known.insert(file.name().to_owned(), file);
    }
    let imported = known.values().flat_map(|file| &file.dependency);
    missing.extend(imported.filter(|name| !known.contains_key(*name)).cloned().collect::<Vec<_>>());
    missing.retain(|name| !known.contains_key(name));
    Ok(())
}

/// One stream of questions and answers, in turn.
struct Stream {
    questions: SendStream<Bytes>,
    answers: Answers,
}

enum Answers {
    Awaited(h2::client::ResponseFuture),
    Coming(RecvStream, Frames),
}

impl Stream {
    async fn open(link: &Link, target: &Origin<'_>, version: &str) -> Result<Self, Refusal> {
        let path = format!("/{version}.ServerReflection/ServerReflectionInfo");
        let head = call::head(target.secure, target.authority, &path, target.headers.clone());
        let mut sender = link.sender().ready().await.map_err(|error| broken(&error))?;
        let (answer, questions) =
            sender.send_request(head.map_err(Refusal::Other)?, false).map_err(|error| broken(&error))?;
        Ok(Self { questions, answers: Answers::Awaited(answer) })
    }

    async fn ask(&mut self, asked: Asked) -> Result<Told, Refusal> {
        let question = Question { asked: Some(asked) }.encode_to_vec();
        let framed = framing::frame(&question).map_err(Refusal::Other)?;
        // A server without reflection may have answered before the question.
        let _ = self.questions.send_data(framed, false);
        let (body, frames) = self.answers.begin().await?;
        loop {
            let Some(data) = body.data().await else {
                let trailers = body.trailers().await.map_err(|error| broken(&error))?;
                return Err(ended(&trailers.unwrap_or_default()));
            };
            let data = data.map_err(|error| broken(&error))?;
            let _ = body.flow_control().release_capacity(data.len());
            frames.feed(&data);
            let message = frames.take().map_err(|error| Refusal::Other(format!("reflection: {error}")))?;
            if let Some(message) = message {
                let reply = Reply::decode(message);
                let reply = reply.map_err(|error| Refusal::Other(format!("reflection: {error}")))?;
                return reply.told.ok_or_else(unexpected);
            }
        }
    }

    /// The last question: which services are there?
    async fn services(mut self) -> Result<Vec<String>, Refusal> {
        let told = self.ask(Asked::Services(String::new())).await?;
        self.finish().await?;
        match told {
            Told::Services(Services { services }) => {
                Ok(services.into_iter().map(|service| service.name).collect())
            }
            _ => Err(unexpected()),
        }
    }

    /// No more questions: the server ends the stream in good order, and its record is complete.
    async fn finish(mut self) -> Result<(), Refusal> {
        let _ = self.questions.send_data(Bytes::new(), true);
        let (body, _) = self.answers.begin().await?;
        while let Some(data) = body.data().await {
            let length = data.map_err(|error| broken(&error))?.len();
            let _ = body.flow_control().release_capacity(length);
        }
        body.trailers().await.map(drop).map_err(|error| broken(&error))
    }
}

impl Answers {
    async fn begin(&mut self) -> Result<(&mut RecvStream, &mut Frames), Refusal> {
        if let Self::Awaited(answer) = self {
            let answer = answer.await.map_err(|error| broken(&error))?;
            let (head, body) = answer.into_parts();
            if head.status != http::StatusCode::OK {
                // A server of something else than gRPC: 404 and the like.
                return Err(Refusal::Unknown);
            }
            if Code::of(&head.headers).is_some() {
                return Err(ended(&head.headers));
            }
            let mut frames = Frames::new(MOST_BYTES);
            // Some servers compress whatever the client can do.
            frames.begin(MOST_BYTES, true);
            *self = Self::Coming(body, frames);
        }
        match self {
            Self::Coming(body, frames) => Ok((body, frames)),
            Self::Awaited(_) => Err(unexpected()),
        }
    }
}

/// The stream ended instead of an answer.
fn ended(headers: &HeaderMap) -> Refusal {
    match Code::of(headers) {
        Some(Code::UNIMPLEMENTED) => Refusal::Unknown,
        Some(Code::NOT_FOUND) => Refusal::NotFound,
        Some(code) => Refusal::Other(format!(
            "reflection was refused: {code}: {}; --metadata and --token say who asks, --proto FILE does without",
            status::message(headers)
        )),
        None => unexpected(),
    }
}

fn broken(error: &h2::Error) -> Refusal {
    Refusal::Other(format!("reflection: {}", explain(error).1))
}

fn unexpected() -> Refusal {
    Refusal::Other("reflection: the server did not answer the question; use --proto FILE".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_have_the_numbers_of_the_protocol() {
        let bytes = |asked| Question { asked: Some(asked) }.encode_to_vec();
        assert_eq!(bytes(Asked::FileByName("a".into())), b"\x1a\x01a");
        assert_eq!(bytes(Asked::FileContaining("a".into())), b"\x22\x01a");
        assert_eq!(bytes(Asked::Services(String::new())), b"\x3a\x00");
        let reply = Reply::decode(&b"\x32\x05\x0a\x03\x0a\x01s"[..]).unwrap();
        assert_eq!(
            reply.told,
            Some(Told::Services(Services { services: vec![Service { name: "s".into() }] }))
        );
    }

    #[test]
    fn imports_that_did_not_come_are_missing() {
        let file = |name: &str, imports: &[&str]| {
            let dependency = imports.iter().map(|name| (*name).to_owned()).collect();
            FileDescriptorProto { name: Some(name.into()), dependency, ..Default::default() }.encode_to_vec()
        };
        let (mut known, mut missing) = (BTreeMap::new(), BTreeSet::new());
        let first = Files { descriptors: vec![file("a", &["b", "c"]), file("b", &["d"])] };
        assert!(take(first, &mut known, &mut missing).is_ok());
        assert_eq!(missing.iter().collect::<Vec<_>>(), ["c", "d"]);
        missing.remove("c");
        assert!(take(Files { descriptors: vec![file("c", &["d"])] }, &mut known, &mut missing).is_ok());
        assert_eq!(missing.iter().collect::<Vec<_>>(), ["d"]);
    }
}
