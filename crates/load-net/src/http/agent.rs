//! How does a call go that may take more than one exchange? Redirects, cookies and compressed bodies around a session.
//!
//! Without any of them a call is one exchange and nothing else. With them it takes the long way, which may allocate.

use std::cell::RefCell;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};

use load_core::protocol::{Fault, LinkId, Probe, Vu};
use load_report::fault::FaultKind;
use url::Url;

use crate::connection::{Connection, Tls};
use crate::http::codec::{Answer, Sink};
use crate::http::jar::Jar;
use crate::http::look::Look;
use crate::http::redirect::{self, AllowedHost, Origin};
use crate::http::request::{Buffers, Request};
use crate::http::rewrite::{Edit, method_and_target, rewrite};
use crate::http::session::{Exchanged, Failure, Session, Wire};
use crate::reach::{Dial, Target};
use crate::route::Route;
use crate::stages::{Stopwatch, Times};

/// What a call may need besides an exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ways {
    /// Redirects that are followed in one call.
    pub max_redirects: u32,
    /// Cookies are kept and sent.
    pub cookies: bool,
    /// A body that is looked at is decompressed.
    pub compressed: bool,
}

/// What calls may need besides an exchange; the same for all sessions of a target.
pub struct Manner {
    /// The URL of the target, without a path: what targets of requests are behind.
    pub base: String,
    /// Whose URL that is.
    pub first: Option<Origin>,
    /// Of calls that say nothing else.
    pub ways: Ways,
    /// Some call takes more than one exchange.
    pub detours: bool,
    /// Hosts besides the target to which redirects may lead.
    pub redirect_hosts: Vec<AllowedHost>,
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
}

impl Ways {
    /// A call is one exchange.
    #[inline]
    pub fn is_plain(self) -> bool {
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
            detour: manner.detours.then(detour),
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
        let detour = self.detour.as_mut().filter(|_| !call.ways.is_plain());
        match (detour, self.stages) {
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
        let jar: Rc<RefCell<Jar>> = keep.get();
        let request = call.bytes(scope, &mut self.buffers).to_vec();
        let mut course = match Course::begin(&self.manner.base, &request) {
            Ok(course) => course,
            Err(failure) => return Exchanged { result: Err(failure), sent: 0, received: 0 },
        };
        let result = loop {
            match self.hop(main, call, &request, &mut course, &jar, &mut sink, (stages, &mut *probe)).await {
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
        jar: &RefCell<Jar>,
        sink: &mut impl Sink,
        (stages, probe): (Option<usize>, &mut Probe<'_>),
    ) -> Result<Option<Answer>, Failure> {
        if call.ways.cookies {
            course.edit.cookies = jar.borrow().cookies(&course.url);
        }
        rewrite(request, &course.edit, &mut self.wire);
        let origin = Origin::of(&course.url).unwrap_or_else(|| course.first.clone());
        let on_main = origin == course.first && !course.main_ended;
        let mut spare = if on_main { None } else { Some(self.spare(&origin, stages, probe).await?) };
        let mut look = Look::new(call.ways, self.manner.max_body, sink);
        let session = spare.as_mut().unwrap_or(main);
        let wire = Wire { bytes: &self.wire, head_only: call.head_only, closes: call.closes };
        let mut watch = Stopwatch::start(probe, &mut course.times);
        let Exchanged { result, sent, received } = session.send(wire, &mut look, &mut watch).await;
        watch.end();
        course.sent = course.sent.saturating_add(sent);
        course.received += received;
        for cookie in &look.set_cookies {
            jar.borrow_mut().take(cookie, &course.url);
        }
        let answer = result?;
        match spare {
            None => course.main_ended |= !answer.keep_alive,
            Some(spare) if answer.keep_alive => self.spares.push((origin, spare)),
            Some(_) => {}
        }
        if let Some(location) = &look.location {
            let most = call.ways.max_redirects;
            return self.follow(course, most, (look.status, location), request).map(|()| None);
        }
        look.finish().map_err(|broken| Failure::Broken(broken, String::new()))?;
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
        let start = probe.now();
        match self.connect(origin, &dial, probe).await {
            Ok(connection) => {
                probe.connected(start);
                Ok(Session::new(connection, self.manner.max_body))
            }
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

    /// Sets `course` to where a redirect leads, unless it is one more than `most`.
    fn follow(
        &self,
        course: &mut Course,
        most: u32,
        (status, location): (u16, &str),
        request: &[u8],
    ) -> Result<(), Failure> {
        let refused = |why: String| {
            let fault = Fault::answered(FaultKind::Rejected, status.into());
            Failure::Told(Fault { ends_session: course.main_ended, ..fault }, why)
        };
        if course.hops == most {
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
