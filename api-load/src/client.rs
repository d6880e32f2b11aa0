//! Which HTTP is spoken? Requests, links and sessions of HTTP/1.1 and HTTP/2, which answer the same questions.

use std::num::NonZeroU32;
use std::sync::Arc;

use load_core::error::{PrepareError, UsageError};
use load_core::protocol::{Fault, LinkId, Probe, Sharing, Vu};
use load_core::record::Unobserved;
use load_net::args::wrong;
use load_net::connection::Connection;
use load_net::http::{self, Agent, Exchanged, Failure, Manner, Parts, Sink, Ways};
use load_net::http2::greet::{greet, in_time};
use load_net::http2::{self, detour};
use load_net::reach::{Dial, Target};
use load_net::url::Url;
use load_report::fault::FaultKind;
use load_suite::template::Names;

use crate::args::ApiArgs;

/// The version of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.1: one call at a time on a connection.
    Http1,
    /// HTTP/2: so many calls at a time on a connection, where that is fixed.
    Http2(Option<NonZeroU32>),
}

/// One request, compiled.
#[derive(Clone)]
pub struct Request {
    /// As a text: the form of HTTP/1.1, in which people read it, too.
    pub text: http::Request,
    http2: Option<Box<http2::Request>>,
}

/// A connection.
pub enum Link {
    /// Of one lane.
    Http1(Agent),
    /// A handle to that of several lanes.
    Http2(http2::Link),
}

/// One lane's connection, or its share of one.
pub enum Session {
    /// Its own connection.
    Http1(Agent),
    /// Its share of one.
    Http2(http2::Session),
}

impl Version {
    /// What the flags ask for.
    ///
    /// # Errors
    /// What this tool does over HTTP/1.1 alone, beside HTTP/2.
    pub fn asked(args: &ApiArgs, manner: &Manner) -> Result<Self, UsageError> {
        if !args.http2 {
            return Ok(Self::Http1);
        }
        let others = [
            ("--redirect-hosts", !manner.redirect_hosts.is_empty()),
            ("--proxy", manner.route.proxy().is_some()),
            ("--stages", args.stages),
        ];
        match others.into_iter().find(|(_, given)| *given) {
            Some((flag, _)) => Err(wrong(flag, "works with HTTP/1.1 alone; leave it or --http2 out")),
            None => Ok(Self::Http2(args.streams)),
        }
    }

    /// The number, as it is shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http1 => "1.1",
            Self::Http2(_) => "2",
        }
    }

    /// How lanes and connections go together.
    pub fn sharing(self) -> Sharing {
        match self {
            Self::Http1 => Sharing::Exclusive,
            Self::Http2(lanes) => Sharing::Shared { lanes },
        }
    }

    /// How many calls of one user are under way at the same time, when nothing says so: what browsers do.
    pub fn at_once(self) -> NonZeroU32 {
        const CONNECTIONS: NonZeroU32 = NonZeroU32::MIN.saturating_add(5);
        match self {
            Self::Http1 => CONNECTIONS,
            Self::Http2(_) => NonZeroU32::MAX,
        }
    }

    /// Compiles `parts` of a request, over TLS where that is `secure`, in which `names` may be inserted; its calls are made
    /// in these `ways`.
    ///
    /// # Errors
    /// What the version has no place for, or an unknown `{{...}}`.
    pub fn request(
        self,
        (secure, ways): (bool, Ways),
        parts: &Parts<'_>,
        names: &Names,
    ) -> Result<Request, String> {
        let http2 = match self {
            Self::Http1 => None,
            Self::Http2(_) => Some(Box::new(http2::Request::new(secure, parts, names)?)),
        };
        let mut text = http::Request::new(parts, names)?;
        text.ways = ways;
        Ok(Request { text, http2 })
    }

    /// Makes sure that `target`, which accepts connections, speaks this version, where a connection alone does not say so.
    ///
    /// # Errors
    /// It does not: why, in one line.
    pub async fn check(self, url: &Url, target: &Target, dial: &Dial<'_>) -> Result<(), PrepareError> {
        if self == Self::Http1 {
            return Ok(());
        }
        let speaks = async {
            let (observer, mut note) = (Unobserved, String::new());
            let mut probe = Probe::unobserved(&observer, &mut note);
            let opened = target.connect_by(dial, LinkId::FIRST, &mut probe).await;
            let connection = opened.map_err(|_| note)?;
            greet(&url.authority, connection).await.map(drop)
        };
        in_time(&url.authority, speaks).await.map_err(PrepareError::new)
    }

    /// Begins HTTP/2 on `connection`, or hands it to the agent that `or` makes.
    ///
    /// # Errors
    /// The fault that ended the attempt.
    pub async fn begin(
        self,
        connection: Connection,
        probe: &mut Probe<'_>,
        or: impl FnOnce(Connection) -> Agent,
    ) -> Result<Link, Fault> {
        match self {
            Self::Http1 => Ok(Link::Http1(or(connection))),
            Self::Http2(_) => http2::Link::begin(connection, probe).await.map(Link::Http2),
        }
    }
}

impl Link {
    /// A handle for another lane, where one connection serves several and accepts new calls.
    pub fn share(&self) -> Option<Self> {
        match self {
            Self::Http1(_) => None,
            Self::Http2(link) => link.is_open().then(|| Self::Http2(link.clone())),
        }
    }
}

impl Session {
    /// A lane's session on `link`; an answer whose body is larger than `manner` allows is a fault.
    pub fn new(link: Link, manner: &Arc<Manner>) -> Self {
        match link {
            Link::Http1(agent) => Self::Http1(agent),
            Link::Http2(link) => Self::Http2(http2::Session::new(link, manner.max_body)),
        }
    }

    /// Makes one call. What the answer consists of goes to `sink`, piece by piece as it comes.
    #[inline]
    pub async fn exchange(
        &mut self,
        call: &Request,
        vu: &mut Vu,
        sink: impl Sink,
        probe: &mut Probe<'_>,
    ) -> Exchanged {
        match (self, &call.http2) {
            (Self::Http1(agent), _) => agent.exchange(&call.text, vu, sink, probe).await,
            (Self::Http2(session), Some(http2)) if call.text.ways.is_plain() => {
                session.exchange(http2, &vu.scope, sink).await
            }
            // In a box, so that the short way stays small.
            (Self::Http2(session), Some(http2)) => {
                Box::pin(detour::exchange(session, (http2, call.text.ways), vu, sink)).await
            }
            (Self::Http2(_), None) => {
                // All requests of a run are compiled for the same version.
                let fault = Fault::fatal(FaultKind::Local);
                let why = "a request that was not compiled for HTTP/2".to_owned();
                Exchanged { result: Err(Failure::Told(fault, why)), sent: 0, received: 0 }
            }
        }
    }

    /// Waits for the end of the connection, or what should not come on it.
    pub async fn unasked(&mut self) -> Failure {
        match self {
            Self::Http1(agent) => agent.unasked().await,
            Self::Http2(session) => session.ended().await,
        }
    }

    /// Ends the connection in good order. One that is shared ends with its last session.
    pub async fn close(self) {
        if let Self::Http1(agent) = self {
            agent.close().await;
        }
    }
}
