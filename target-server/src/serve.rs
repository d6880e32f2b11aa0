//! What happens on a connection? Requests are read, decided, recorded and answered, one after another.

use std::{cell::Cell, io, rc::Rc, sync::Arc};

use tokio::{io::AsyncWriteExt, net::TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::{
    answers::Answers,
    clock::now_ns,
    contract,
    control::Control,
    fault::{Abort, End, How, Staged},
    group::Group,
    http::{self, Answer, Chunks, Encoding, Framing, Head, Persistence},
    inbox::Inbox,
    presence::Presence,
    record::Record,
    script::{DrawBy, MAX_BODY_BYTES, Rule, Script},
    stream::{GatedStream, Socket},
    timer::Timer,
    truth::{Arrival, Outcome, Ticket},
};

/// An endless answer ends here after all, should the client never hang up.
const ENDLESS_BYTES: u64 = 1 << 30;

/// What all connections of a process share.
pub(crate) struct Context {
    pub(crate) script: Arc<Script>,
    pub(crate) answers: Answers,
    pub(crate) record: Arc<Record>,
    pub(crate) timer: Timer,
    pub(crate) group: Group,
    /// A rule or a route for `/health` makes it load.
    health_is_load: bool,
    /// Connections accepted by this process, for their numbers.
    connections: Cell<u64>,
}

/// One connection and how far it is.
pub(crate) struct Connection<S> {
    context: Rc<Context>,
    socket: S,
    inbox: Inbox,
    id: u64,
    /// Requests begun.
    requests: u64,
    presence: Presence,
}

/// What the next bytes of a connection ask for.
enum Next {
    Load(Request),
    Control(Control, Framing, Persistence),
    Bad(&'static str),
    End,
}

/// A request of the load, decided and recorded.
struct Request {
    ticket: Ticket,
    rule: usize,
    fail: Option<usize>,
    /// The answer is not written before this instant; `None` is at once.
    due_ns: Option<u64>,
    head_only: bool,
    persistence: Persistence,
    expects_continue: bool,
    framing: Framing,
    /// The whole of it, for a contract.
    kept: Option<Box<contract::Request>>,
}

/// Whether a connection goes on.
#[derive(PartialEq, Eq)]
enum Flow {
    Next,
    Over,
}

impl Context {
    pub(crate) fn new(script: Arc<Script>, record: Arc<Record>, timer: Timer, group: Group) -> Self {
        let agreed = record.contract().is_some_and(|service| service.contract().has_path("/health"));
        Self {
            answers: Answers::new(&script),
            health_is_load: agreed || script.names_path("/health"),
            script,
            record,
            timer,
            group,
            connections: Cell::new(0),
        }
    }

    /// Decides about a request and records it.
    fn admit(&self, head: &Head<'_>, t_ns: u64, connection: u64) -> Request {
        let start_ns = self.record.gate.begin(t_ns);
        let rule = self.script.find(head.method, head.path, t_ns.saturating_sub(start_ns));
        let k = http::query_k(head.query);
        let arrival = Arrival {
            t_ns,
            connection,
            rule: rule as u16,
            k,
            status: 0,
            delay_ns: 0,
            done_ns: 0,
            outcome: Outcome::Open,
        };
        let mut truth = self.record.truth();
        let ticket = truth.arrive(arrival, head.len as u64);
        let (n, salt) = match (self.script.draw_by, k) {
            (DrawBy::K, Some(k)) => (k, 0),
            _ => (ticket.nth, u64::from(self.group.index)),
        };
        let decision = self.script.decide(rule, n, salt);
        truth.scripted(ticket, decision.delay_ns);
        Request {
            ticket,
            rule,
            fail: decision.fail,
            due_ns: (decision.delay_ns > 0).then(|| t_ns + decision.delay_ns),
            head_only: head.method == "HEAD",
            persistence: head.persistence,
            expects_continue: head.expects_continue,
            framing: head.framing,
            kept: None,
        }
    }

    /// The contract's answer, if there is a contract and the script says none of its own.
    fn agreed(&self, request: &Request, rule: &Rule, persistence: Persistence) -> Option<Answer> {
        let kept = request.kept.as_ref().filter(|_| !rule.answers)?;
        if request.fail.is_some_and(|fail| matches!(rule.fails[fail].how, How::Status(_))) {
            return None;
        }
        let mut reply = self.record.contract()?.answer(kept);
        reply.headers.extend(rule.headers.iter().cloned());
        Some(Answer::render(reply.status, &reply.headers, &reply.body, rule.encoding, persistence))
    }

    fn control(&self, head: &Head<'_>) -> Option<Control> {
        let control = Control::find(head.method, head.path)?;
        (head.path != "/health" || !self.health_is_load).then_some(control)
    }
}

/// Serves a connection that was just accepted to its end, which is in the record.
pub(crate) async fn serve(context: Rc<Context>, tcp: TcpStream, tls: Option<TlsAcceptor>) {
    let presence = Presence::new(Arc::clone(&context.record));
    let stream = GatedStream::new(tcp, Arc::clone(&context.record));
    // An error says that the client left, or that a reset was due.
    let _ = match tls {
        None => Connection::new(context, stream, presence).run().await,
        Some(tls) => match tls.accept(stream).await {
            Ok(stream) => Connection::new(context, stream, presence).run().await,
            Err(error) => {
                context.record.truth().connections.tls_failed += 1;
                Err(error)
            }
        },
    };
}

impl<S: Socket> Connection<S> {
    fn new(context: Rc<Context>, socket: S, presence: Presence) -> Self {
        let number = context.connections.get();
        context.connections.set(number + 1);
        let id = context.group.connection(number);
        Self { context, socket, inbox: Inbox::new(), id, requests: 0, presence }
    }

    async fn run(mut self) -> io::Result<()> {
        loop {
            let flow = match self.next().await? {
                Next::Load(request) => self.load(request).await?,
                Next::Control(control, framing, persistence) => {
                    self.control(control, framing, persistence).await?
                }
                Next::Bad(reason) => self.refuse(reason).await?,
                Next::End => Flow::Over,
            };
            if flow == Flow::Over {
                return self.socket.shutdown().await;
            }
        }
    }

    async fn next(&mut self) -> io::Result<Next> {
        loop {
            if !self.inbox.bytes().is_empty() {
                match http::parse(self.inbox.bytes()) {
                    Ok(Some(head)) => {
                        let len = head.len;
                        let next = match self.context.control(&head) {
                            Some(control) => Next::Control(control, head.framing, head.persistence),
                            None => Next::Load(self.admit(&head)),
                        };
                        self.inbox.consume(len);
                        return Ok(next);
                    }
                    Ok(None) if self.inbox.is_full() => return Ok(Next::Bad("head too large")),
                    Ok(None) => {}
                    Err(reason) => return Ok(Next::Bad(reason)),
                }
            }
            if self.inbox.fill(&mut self.socket).await? == 0 {
                return Ok(Next::End);
            }
        }
    }

    /// Decides about a request and records it; all of it is kept where there is a contract.
    fn admit(&self, head: &Head<'_>) -> Request {
        let t_ns = self.socket.gated().last_read_ns();
        let mut request = self.context.admit(head, t_ns, self.id);
        if self.context.record.has_contract() {
            request.kept = Some(Box::new(contract::Request {
                method: head.method.to_owned(),
                path: head.path.to_owned(),
                query: head.query.to_owned(),
                headers: http::headers(&self.inbox.bytes()[..head.len]),
                body: Vec::new(),
                peer: self.socket.gated().peer(),
                at_ns: t_ns,
            }));
        }
        request
    }

    async fn load(&mut self, mut request: Request) -> io::Result<Flow> {
        self.requests += 1;
        if request.framing != Framing::Length(0) {
            self.take_body(&mut request).await?;
        }
        let request = &request;
        if let Some(due_ns) = request.due_ns {
            self.context.timer.until(due_ns).await;
        }
        let context = Rc::clone(&self.context);
        let rule = &context.script.rules[request.rule];
        let last = self.requests == rule.requests_per_connection;
        let persistence = if last { Persistence::Closing } else { request.persistence };
        let agreed = context.agreed(request, rule, persistence);
        let answer = match &agreed {
            Some(answer) => answer,
            None => context.answers.pick(request.rule, request.fail, persistence),
        };
        let over = persistence == Persistence::Closing || rule.encoding == Encoding::Close;
        let usual = if over { Flow::Over } else { Flow::Next };
        match request.fail.map(|fail| rule.fails[fail].how) {
            None => self.whole(request, answer, usual).await,
            Some(how) => {
                self.faulty(request, answer.status(), how.stage(answer, request.head_only), usual).await
            }
        }
    }

    /// Sends an answer as it is.
    async fn whole(&mut self, request: &Request, answer: &Answer, then: Flow) -> io::Result<Flow> {
        let bytes = answer.bytes(request.head_only);
        let sent = self.send(bytes).await;
        let done_ns = now_ns();
        let mut truth = self.context.record.truth();
        match sent {
            Ok(()) => truth.answered(request.ticket, answer.status(), done_ns, bytes.len() as u64),
            // How much of it left is not known; nothing is counted.
            Err(_) => truth.aborted(request.ticket, Abort::Gone, 0),
        }
        sent.map(|()| then)
    }

    /// Sends a faulty answer and does what comes after it.
    async fn faulty(
        &mut self,
        request: &Request,
        status: u16,
        staged: Staged<'_>,
        usual: Flow,
    ) -> io::Result<Flow> {
        let mut sent = 0;
        let result = self.perform(&staged, &mut sent).await;
        let done_ns = now_ns();
        {
            let mut truth = self.context.record.truth();
            match (staged.abort, &result) {
                (None, Ok(())) => truth.answered(request.ticket, status, done_ns, sent),
                (Some(Abort::Endless), _) => truth.aborted(request.ticket, Abort::Endless, sent),
                (Some(abort), Ok(())) => truth.aborted(request.ticket, abort, sent),
                (_, Err(_)) => truth.aborted(request.ticket, Abort::Gone, sent),
            }
        }
        result?;
        match staged.end {
            End::KeepOpen => Ok(usual),
            End::Close => Ok(Flow::Over),
            End::Reset => {
                self.socket.gated().reset_on_close()?;
                // An error leaves without the orderly shutdown.
                Err(io::ErrorKind::ConnectionReset.into())
            }
            End::Hold => {
                while self.inbox.refill(&mut self.socket).await? > 0 {}
                Ok(Flow::Over)
            }
        }
    }

    async fn perform(&mut self, staged: &Staged<'_>, sent: &mut u64) -> io::Result<()> {
        if staged.pace_ns > 0 {
            for byte in staged.bytes.chunks(1) {
                self.send(byte).await?;
                *sent += 1;
                self.context.timer.pause(staged.pace_ns).await;
            }
        } else {
            self.send(&staged.bytes).await?;
            *sent += staged.bytes.len() as u64;
        }
        if let Some(line) = staged.repeat {
            let block = line.repeat(256);
            while *sent < ENDLESS_BYTES {
                self.send(&block).await?;
                *sent += block.len() as u64;
            }
        }
        Ok(())
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes).await?;
        self.socket.flush().await
    }

    /// Reads the body of a load request; the end of a client that leaves first is recorded.
    async fn take_body(&mut self, request: &mut Request) -> io::Result<()> {
        let mut kept = request.kept.as_mut().map(|kept| &mut kept.body);
        let result = async {
            if request.expects_continue && self.inbox.bytes().is_empty() {
                self.send(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
            }
            self.read_body(request.framing, kept.as_deref_mut()).await
        }
        .await;
        if request.framing == Framing::Chunked
            && let Some(kept) = kept
        {
            *kept = http::unchunk(kept);
        }
        let mut truth = self.context.record.truth();
        match &result {
            Ok(bytes) => truth.body(*bytes),
            Err(_) => truth.aborted(request.ticket, Abort::Gone, 0),
        }
        result.map(drop)
    }

    /// Reads a body, keeps it if it shall be kept, and returns the number of its bytes.
    async fn read_body(&mut self, framing: Framing, mut kept: Option<&mut Vec<u8>>) -> io::Result<u64> {
        let mut total = 0;
        let mut chunks = Chunks::Size;
        loop {
            let held = self.inbox.bytes();
            let (taken, over) = match framing {
                Framing::Length(length) => {
                    let taken = (length - total).min(held.len() as u64) as usize;
                    (taken, total + taken as u64 == length)
                }
                Framing::Chunked => {
                    let taken = chunks.feed(held).map_err(io::Error::other)?;
                    (taken, chunks == Chunks::Done)
                }
            };
            if let Some(kept) = kept.as_mut().filter(|kept| kept.len() < MAX_BODY_BYTES) {
                kept.extend_from_slice(&held[..taken]);
            }
            self.inbox.consume(taken);
            total += taken as u64;
            if over {
                return Ok(total);
            }
            if self.inbox.is_full() {
                return Err(io::ErrorKind::InvalidData.into());
            }
            if self.inbox.fill(&mut self.socket).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    async fn control(
        &mut self,
        control: Control,
        framing: Framing,
        persistence: Persistence,
    ) -> io::Result<Flow> {
        if self.requests == 0 {
            self.presence.uncount();
        }
        self.read_body(framing, None).await?;
        let reply = control.reply(&self.context.record, &self.context.group).await;
        let headers = [("Content-Type".to_owned(), reply.content_type.to_owned())];
        let body = reply.body.as_bytes();
        let answer = Answer::render(reply.status, &headers, body, Encoding::Length, persistence);
        self.send(answer.bytes(false)).await?;
        Ok(if persistence == Persistence::Closing { Flow::Over } else { Flow::Next })
    }

    async fn refuse(&mut self, reason: &str) -> io::Result<Flow> {
        self.context.record.truth().bad_request();
        let body = format!("{reason}\n");
        let answer = Answer::render(400, &[], body.as_bytes(), Encoding::Length, Persistence::Closing);
        self.send(answer.bytes(false)).await?;
        Ok(Flow::Over)
    }
}
