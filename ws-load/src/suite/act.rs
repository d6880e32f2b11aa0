//! How does one call of a suite go? What it sends, and what it waits for.

use std::time::Duration;

use bytes::Bytes;
use futures_util::SinkExt as _;
use load_core::protocol::{Fault, Outcome, Probe, Vu};
use load_net::http::refused;
use load_report::fault::FaultKind;
use load_suite::scope::Scope;
use load_suite::template::Template;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::Class;
use super::rules::{Rules, Seen};
use super::session::{Given, Session, Wire, show};
use super::step::{Act, Asked, Known};
use crate::end::{NO_CLOSE_FRAME, fault};
use crate::heard::{Is, content};
use crate::session as plain;

/// Bytes of a ping at most (RFC 6455, section 5.5).
const PING: usize = 125;

/// The answer to a call.
pub(super) struct Got {
    /// What the call was like.
    pub outcome: Outcome,
    /// The message that was its answer.
    pub message: Option<Message>,
    /// Its status, over HTTP.
    pub status: u16,
}

impl Session {
    /// Does what is `asked` for; whether the answer is right, others say.
    pub(super) async fn act(
        &mut self,
        (class, given): (&Class, &Given<'_>),
        asked: &Asked,
        vu: &mut Vu,
        probe: &mut Probe<'_>,
    ) -> Result<Got, Fault> {
        let (rules, scope) = (&asked.rules, &vu.scope);
        match &asked.act {
            Act::Send { content, binary, answer } => {
                let sent = self.send(content, (*binary, given), scope, probe).await?;
                match answer {
                    None => Ok(self.done(sent, 0)),
                    Some(known) => {
                        let answered = self.answer(class, (known, rules), scope, probe).await;
                        answered
                            .map(|message| self.got(sent, message))
                            .map_err(|fault| self.failed(fault, sent))
                    }
                }
            }
            Act::Receive(known) => {
                let message = self.answer(class, (known, rules), scope, probe).await?;
                Ok(self.got(0, message))
            }
            Act::Ping(payload) => self.ping(class, payload.as_ref(), scope, probe).await,
            // In boxes: they are rare, and every call of every user would have room for them.
            Act::Connect(uri) => Box::pin(self.connect(class, uri, scope, probe)).await,
            Act::Close { code, reason } => Box::pin(self.goodbye(class, (*code, reason), scope, probe)).await,
            Act::Request(request, place) => {
                let Some(http) = &mut self.http else { return Ok(self.done(0, 0)) };
                probe.show(&format_args!("> over HTTP to {}:{}", place.host, place.port));
                let exchange = Box::pin(http.exchange((request, place), given.suite.tls.as_ref(), vu, probe));
                let (status, outcome) = exchange.await?;
                show(&http.body, "< ", probe);
                if !rules.is_status(status) {
                    return Err(
                        refused(status, rules.expected(), probe).after(outcome.sent, outcome.received)
                    );
                }
                Ok(Got { outcome, message: None, status })
            }
        }
    }

    async fn send(
        &mut self,
        template: &Template,
        (binary, given): (bool, &Given<'_>),
        scope: &Scope,
        probe: &mut Probe<'_>,
    ) -> Result<u32, Fault> {
        self.buffer.clear();
        template.render(scope, &mut self.buffer);
        show(&self.buffer, "> ", probe);
        self.remember();
        let bytes = Bytes::copy_from_slice(&self.buffer);
        self.socket(probe)?.put(given.rules, bytes, binary, probe).await
    }

    /// Waits for the message that is `known` as the answer.
    async fn answer(
        &mut self,
        class: &Class,
        (known, rules): (&Known, &Rules),
        scope: &Scope,
        probe: &mut Probe<'_>,
    ) -> Result<Message, Fault> {
        loop {
            let (message, came_ns) = self.next(probe).await?;
            if message.is_pong() {
                continue;
            }
            let seen = Seen::new(content(&message), message.is_binary());
            let is_answer = match known {
                Known::Echo => seen.content == self.buffer,
                Known::Like(like) => like.judge(&seen, Duration::ZERO, scope).is_ok(),
                Known::Expected => rules.good.judge(&seen, Duration::ZERO, scope).is_ok(),
                Known::Any => true,
            };
            if is_answer {
                self.socket(probe)?.heard.came(seen.content, probe);
                probe.count(Is::Answer.counter(), 1);
                return Ok(message);
            }
            self.take(class, (&seen, came_ns), scope, probe)?;
        }
    }

    async fn ping(
        &mut self,
        class: &Class,
        payload: Option<&Template>,
        scope: &Scope,
        probe: &mut Probe<'_>,
    ) -> Result<Got, Fault> {
        self.buffer.clear();
        if let Some(payload) = payload {
            payload.render(scope, &mut self.buffer);
        } else {
            self.pings += 1;
            self.buffer.extend_from_slice(&self.pings.to_be_bytes());
        }
        self.buffer.truncate(PING);
        let (ping, length) = (Bytes::copy_from_slice(&self.buffer), self.buffer.len());
        let sent = self.socket(probe)?.socket.send(Message::Ping(ping)).await;
        sent.map_err(|error| fault(&error, probe))?;
        loop {
            let next = self.next(probe).await;
            let (message, came_ns) = next.map_err(|fault| self.failed(fault, length as u32))?;
            match &message {
                Message::Pong(pong) if *pong == self.buffer => {
                    return Ok(self.done(length as u32, length as u64));
                }
                Message::Pong(_) => {}
                _ => {
                    let seen = Seen::new(content(&message), message.is_binary());
                    self.take(class, (&seen, came_ns), scope, probe)?;
                }
            }
        }
    }

    /// Makes a WebSocket of the connection.
    async fn connect(
        &mut self,
        class: &Class,
        uri: &Template,
        scope: &Scope,
        probe: &mut Probe<'_>,
    ) -> Result<Got, Fault> {
        let (connection, took) = match std::mem::replace(&mut self.wire, Wire::Over) {
            Wire::Bare(connection, took) => (connection, took),
            other => {
                self.wire = other;
                probe.note("connect: it is a WebSocket already; close comes before a second one");
                return Err(Fault::answered(FaultKind::Wrong, 0));
            }
        };
        if probe.shows() {
            self.buffer.clear();
            uri.render(scope, &mut self.buffer);
            show(&self.buffer, "> upgrade to ", probe);
        }
        let begun = probe.now();
        let upgraded = class.connect.upgrade.run_to(connection, Some(uri), scope).await;
        let (socket, _) = upgraded.map_err(|error| error.fault(probe))?;
        let at = probe.now();
        let took = Box::new(plain::Took { connection: took, upgrade_ns: at.since(begun), at });
        let mut open = plain::Session::new(plain::Upgraded { socket, took });
        open.tell_upgrade(probe);
        self.wire = Wire::Open(open);
        Ok(self.done(0, 0))
    }

    /// Says goodbye, and waits for the server's.
    async fn goodbye(
        &mut self,
        class: &Class,
        (code, reason): (u16, &Template),
        scope: &Scope,
        probe: &mut Probe<'_>,
    ) -> Result<Got, Fault> {
        self.buffer.clear();
        reason.render(scope, &mut self.buffer);
        let reason = String::from_utf8_lossy(&self.buffer);
        let frame = CloseFrame { code: CloseCode::from(code), reason: Utf8Bytes::from(&*reason) };
        probe.show(&format_args!("> (close) {code} {reason}"));
        let said = self.socket(probe)?.socket.close(Some(frame)).await;
        said.map_err(|error| fault(&error, probe))?;
        loop {
            match self.next(probe).await {
                Ok((message, _)) if message.is_pong() => {}
                Ok((message, came_ns)) => {
                    let seen = Seen::new(content(&message), message.is_binary());
                    self.take(class, (&seen, came_ns), scope, probe)?;
                }
                Err(fault) if fault.kind == FaultKind::Closed && fault.code != NO_CLOSE_FRAME => {
                    let mut got = self.done(0, 0);
                    got.outcome.ends_session = true;
                    return Ok(got);
                }
                Err(fault) => return Err(fault),
            }
        }
    }

    /// A call that ended well, without a message.
    fn done(&mut self, sent: u32, received: u64) -> Got {
        let outcome = match &mut self.wire {
            Wire::Open(open) => open.outcome(sent, received),
            _ => Outcome { sent: sent.into(), received, ..Outcome::default() },
        };
        Got { outcome, message: None, status: 0 }
    }

    fn got(&mut self, sent: u32, message: Message) -> Got {
        let outcome = match &mut self.wire {
            Wire::Open(open) => open.outcome(sent, 0),
            _ => Outcome::default(),
        };
        Got { outcome, message: Some(message), status: 0 }
    }

    /// `fault` with the traffic before it.
    fn failed(&mut self, fault: Fault, sent: u32) -> Fault {
        let received = match &mut self.wire {
            Wire::Open(open) => open.outcome(sent, 0).received,
            _ => 0,
        };
        fault.after(sent, received)
    }
}
