//! How does a call go that may take more than one exchange? Redirects, cookies and compressed bodies around a session.
//!
//! Without any of them a call is one exchange and nothing else. With them it takes the long way, which may allocate.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use load_core::protocol::{Fault, LinkId, Probe, Vu};
use load_report::fault::FaultKind;
use url::Url;

use crate::connection::{Connection, Tls};
use crate::http::codec::{Answer, Broken, Sink};
use crate::http::decode::Decoder;
use crate::http::fields::{fields, status};
use crate::http::jar::Jar;
use crate::http::redirect::{self, AllowedHost, Origin};
use crate::http::request::{Buffers, Request};
use crate::http::rewrite::{Edit, method_and_target, rewrite};
use crate::http::session::{Exchanged, Failure, Session, Wire};
use crate::reach::{Dial, Target};
use crate::route::Route;
use crate::stages::{Stopwatch, Times};

/// What calls may need besides an exchange; the same for all sessions of a target.
pub struct Manner {
    /// The URL of the target, without a path: what targets of requests are behind.
    pub base: String,
    /// Whose URL that is.
    pub first: Option<Origin>,
    /// Redirects that are followed in one call.
    pub max_redirects: u32,
    /// Hosts besides the target to which they may lead.
    pub redirect_hosts: Vec<AllowedHost>,
    /// Cookies are kept and sent.
    pub cookies: bool,
    /// Bodies that are looked at are decompressed.
    pub compressed: bool,
    /// Largest body, before and after decompression, in bytes.
    pub max_body: u64,
    /// Which way connections take.
    pub route: Route,
    /// How TLS connections to other hosts are made.
    pub tls: Option<Arc<rustls::ClientConfig>>,
}

/// One lane's way to make calls.
pub struct Agent {
    session: Session,
    /// The series, counted from this one, that get the time of each stage.
    stages: Option<usize>,
    detour: Option<Box<Detour>>,
}

/// What the long way needs.
struct Detour {
    manner: Arc<Manner>,
    target: Target,
    link: LinkId,
    buffers: Buffers,
    /// The request as it is sent.
    wire: Vec<u8>,
    /// Connections besides the session's own.
    spares: Vec<(Origin, Session)>,
}

impl Manner {
    /// What stands ahead of the targets of requests: a proxy is asked for the whole URL, unless it makes a tunnel.
    pub fn ahead(&self) -> &str {
        let is_whole = self.route.proxy().is_some() && self.base.starts_with("http:");
        if is_whole { &self.base } else { "" }
    }

    /// Every call is one exchange.
    fn is_plain(&self) -> bool {
        self.max_redirects == 0 && !self.cookies && !self.compressed
    }
}

impl Agent {
    /// Makes calls on the connection of `link` to `target`, in this `manner`. The protocol's own series, counted from
    /// `stages`, get the time of each stage.
    pub fn new(
        connection: Connection,
        link: LinkId,
        target: &Target,
        manner: &Arc<Manner>,
        stages: Option<usize>,
    ) -> Self {
        let detour = || {
            Box::new(Detour {
                manner: Arc::clone(manner),
                target: target.clone(),
                link,
                buffers: Buffers::default(),
                wire: Vec::new(),
                spares: Vec::new(),
            })
        };
        Self {
            session: Session::new(connection, manner.max_body),
            stages,
            detour: (!manner.is_plain()).then(detour),
        }
    }

    /// Makes one call. What the answer consists of goes to `sink`, piece by piece as it comes; of several answers the last.
    #[inline]
    pub async fn exchange(
        &mut self,
        call: &Request,
        vu: &mut Vu,
        sink: impl Sink,
        probe: &mut Probe<'_>,
    ) -> Exchanged {
        match (&mut self.detour, self.stages) {
            (None, None) => self.session.exchange(call, &vu.scope, sink).await,
            (None, Some(first)) => {
                let mut times = Times::default();
                let mut watch = Stopwatch::start(probe, &mut times);
                let exchanged = self.session.exchange_watched(call, &vu.scope, sink, &mut watch).await;
                watch.end();
                if exchanged.result.is_ok() {
                    times.observe(first, probe);
                }
                exchanged
            }
            // In a box, so that the short way stays small.
            (Some(detour), stages) => {
                Box::pin(detour.exchange(&mut self.session, call, vu, sink, (stages, probe))).await
            }
        }
    }

    /// Waits for what should not come: bytes, or the end of the connection.
    pub async fn unasked(&mut self) -> Failure {
        self.session.unasked().await
    }

    /// Ends the connections in good order.
    pub async fn close(self) {
        self.session.close().await;
        for (_, spare) in self.detour.map(|detour| detour.spares).unwrap_or_default() {
            spare.close().await;
        }
    }
}

/// Where a call is.
struct Course {
    url: Url,
    first: Origin,
    edit: Edit,
    hops: u32,
    sent: u32,
    received: u64,
    times: Times,
    /// The session's own connection is of no more use.
    main_ended: bool,
}

impl Detour {
    async fn exchange(
        &mut self,
        main: &mut Session,
        call: &Request,
        vu: &mut Vu,
        mut sink: impl Sink,
        (stages, probe): (Option<usize>, &mut Probe<'_>),
    ) -> Exchanged {
        let Vu { scope, keep, .. } = vu;
        let jar: &mut Jar = keep.get();
        let request = call.bytes(scope, &mut self.buffers).to_vec();
        let mut course = match Course::begin(&self.manner.base, &request) {
            Ok(course) => course,
            Err(failure) => return Exchanged { result: Err(failure), sent: 0, received: 0 },
        };
        let result = loop {
            match self.hop(main, call, &request, &mut course, jar, &mut sink, (stages, &mut *probe)).await {
                Ok(None) => {}
                Ok(Some(answer)) => break Ok(answer),
                Err(failure) => break Err(failure),
            }
        };
        if let Some(first) = stages.filter(|_| result.is_ok()) {
            course.times.observe(first, probe);
        }
        Exchanged { result, sent: course.sent, received: course.received }
    }

    /// One exchange; an answer unless another one has to follow.
    #[expect(clippy::too_many_arguments, reason = "the parts of a call, which belong to several owners")]
    async fn hop(
        &mut self,
        main: &mut Session,
        call: &Request,
        request: &[u8],
        course: &mut Course,
        jar: &mut Jar,
        sink: &mut impl Sink,
        (stages, probe): (Option<usize>, &mut Probe<'_>),
    ) -> Result<Option<Answer>, Failure> {
        if self.manner.cookies {
            course.edit.cookies = jar.cookies(&course.url);
        }
        rewrite(request, &course.edit, &mut self.wire);
        let origin = Origin::of(&course.url).unwrap_or_else(|| course.first.clone());
        let on_main = origin == course.first && !course.main_ended;
        let mut spare = if on_main { None } else { Some(self.spare(&origin, stages, probe).await?) };
        let mut look = Look::new(&self.manner, sink);
        let session = spare.as_mut().unwrap_or(main);
        let wire = Wire { bytes: &self.wire, head_only: call.head_only, closes: call.closes };
        let mut watch = Stopwatch::start(probe, &mut course.times);
        let Exchanged { result, sent, received } = session.send(wire, &mut look, &mut watch).await;
        watch.end();
        course.sent = course.sent.saturating_add(sent);
        course.received += received;
        let Look { location, status, set_cookies, decoder, broken, sink, .. } = look;
        for cookie in &set_cookies {
            jar.take(cookie, &course.url);
        }
        let answer = result?;
        match spare {
            None => course.main_ended |= !answer.keep_alive,
            Some(spare) if answer.keep_alive => self.spares.push((origin, spare)),
            Some(_) => {}
        }
        if let Some(location) = location {
            return self.follow(course, status, &location, request).map(|()| None);
        }
        let ended = match (broken, decoder) {
            (Some(broken), _) => Err(broken),
            (None, Some(mut decoder)) => decoder.finish(&mut |piece| sink.body(piece)),
            (None, None) => Ok(()),
        };
        ended.map_err(|broken| Failure::Broken(broken, String::new()))?;
        Ok(Some(Answer { keep_alive: !course.main_ended, ..answer }))
    }

    /// A connection to `origin` that can take a request: a kept one on which nothing has happened since, or a new one.
    async fn spare(
        &mut self,
        origin: &Origin,
        stages: Option<usize>,
        probe: &mut Probe<'_>,
    ) -> Result<Session, Failure> {
        while let Some(at) = self.spares.iter().position(|(to, _)| to == origin) {
            let (_, mut session) = self.spares.swap_remove(at);
            let is_quiet = {
                let mut context = Context::from_waker(Waker::noop());
                pin!(session.unasked()).poll(&mut context).is_pending()
            };
            if is_quiet {
                return Ok(session);
            }
        }
        let manner = &self.manner;
        let tls = match (&manner.tls, origin.secure) {
            (Some(config), true) => Some(Tls::named(config, &origin.host).map_err(|why| {
                Failure::Told(Fault::fatal(FaultKind::Tls), format!("{}: {why}", origin.host))
            })?),
            _ => None,
        };
        let dial =
            Dial { route: &manner.route, host: &origin.host, port: origin.port, tls: tls.as_ref(), stages };
        match self.connect(origin, &dial, probe).await {
            Ok(connection) => Ok(Session::new(connection, self.manner.max_body)),
            Err(fault) => Err(Failure::Told(fault, probe.noted().to_owned())),
        }
    }

    async fn connect(
        &self,
        origin: &Origin,
        dial: &Dial<'_>,
        probe: &mut Probe<'_>,
    ) -> Result<Connection, Fault> {
        if self.manner.first.as_ref() == Some(origin) {
            // Its addresses were found before the run.
            return self.target.connect_by(dial, self.link, probe).await;
        }
        self.target.connect_other(dial, self.link, probe).await
    }

    /// Sets `course` to where a redirect leads.
    fn follow(
        &self,
        course: &mut Course,
        status: u16,
        location: &str,
        request: &[u8],
    ) -> Result<(), Failure> {
        let refused = |why: String| {
            let fault = Fault::answered(FaultKind::Rejected, status.into());
            Failure::Told(Fault { ends_session: course.main_ended, ..fault }, why)
        };
        if course.hops == self.manner.max_redirects {
            return Err(refused(format!("more than {} redirects (--max-redirects)", course.hops)));
        }
        let next = redirect::next(&course.url, location, &course.first, &self.manner.redirect_hosts);
        let next = next.map_err(refused)?;
        let method = if course.edit.becomes_get { b"GET" } else { method_and_target(request).0 };
        course.hops += 1;
        course.edit.becomes_get |= redirect::becomes_get(status, method);
        let is_whole = self.manner.route.proxy().is_some() && next.scheme() == "http";
        course.edit.target = Some(if is_whole { next.to_string() } else { redirect::target(&next) });
        let is_first = Origin::of(&next).as_ref() == Some(&course.first);
        course.edit.host = (!is_first).then(|| redirect::authority(&next));
        course.url = next;
        Ok(())
    }
}

impl Course {
    fn begin(base: &str, request: &[u8]) -> Result<Self, Failure> {
        let target = String::from_utf8_lossy(method_and_target(request).1);
        // What is for a proxy is whole.
        let base = if target.starts_with('/') { base } else { "" };
        let url = Url::parse(&format!("{base}{target}")).ok();
        let Some((url, first)) = url.and_then(|url| Origin::of(&url).map(|origin| (url, origin))) else {
            let why = "the URL cannot be taken apart, which redirects and cookies need".to_owned();
            return Err(Failure::Told(Fault::answered(FaultKind::Local, 0), why));
        };
        let (edit, main_ended) = (Edit::default(), false);
        Ok(Self { url, first, edit, hops: 0, sent: 0, received: 0, times: Times::default(), main_ended })
    }
}

/// Looks at an answer before the sink gets it, if it gets it.
struct Look<'a, S> {
    manner: &'a Manner,
    sink: &'a mut S,
    status: u16,
    /// Where the answer leads that is to be followed; its body is of no interest.
    location: Option<String>,
    set_cookies: Vec<String>,
    decoder: Option<Decoder>,
    broken: Option<Broken>,
}

impl<'a, S: Sink> Look<'a, S> {
    fn new(manner: &'a Manner, sink: &'a mut S) -> Self {
        Self { manner, sink, status: 0, location: None, set_cookies: Vec::new(), decoder: None, broken: None }
    }
}

impl<S: Sink> Sink for Look<'_, S> {
    fn head(&mut self, head: &[u8]) {
        self.status = status(head);
        let follows = self.manner.max_redirects > 0 && redirect::is_redirect(self.status);
        let (mut coding, text) = (&b""[..], |value| String::from_utf8_lossy(value).into_owned());
        for (name, value) in fields(head) {
            if follows && name.eq_ignore_ascii_case(b"location") {
                self.location.get_or_insert_with(|| text(value));
            } else if self.manner.cookies && name.eq_ignore_ascii_case(b"set-cookie") {
                self.set_cookies.push(text(value));
            } else if name.eq_ignore_ascii_case(b"content-encoding") {
                coding = value;
            }
        }
        if self.location.is_some() {
            return;
        }
        if self.manner.compressed && self.sink.wants_body() {
            match Decoder::new(coding, self.manner.max_body) {
                Ok(decoder) => self.decoder = decoder,
                Err(broken) => self.broken = Some(broken),
            }
        }
        self.sink.head(head);
    }

    fn body(&mut self, piece: &[u8]) {
        if self.location.is_some() || self.broken.is_some() {
            return;
        }
        match &mut self.decoder {
            None => self.sink.body(piece),
            Some(decoder) => self.broken = decoder.feed(piece, &mut |piece| self.sink.body(piece)).err(),
        }
    }
}
