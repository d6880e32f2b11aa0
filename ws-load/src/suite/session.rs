//! How does a call of a suite go, and what comes by itself meanwhile? One user's WebSocket, or what is to become one.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use load_core::protocol::{Fault, Outcome, Probe, Vu};
use load_net::connection::Connection;
use load_net::reach::Took;
use load_report::fault::FaultKind;
use load_suite::scope::Scope;
use tokio::io::AsyncReadExt as _;
use tokio_tungstenite::tungstenite::Message;

use super::act::Got;
use super::request::Http;
use super::rules::Seen;
use super::step::{Act, Asked, Known};
use super::{Class, Suite};
use crate::end::farewell;
use crate::heard::{Rules, content};
use crate::session::{self as plain, Upgraded};
use crate::text::wall_ns;

/// Messages that were sent last and are known when they come back.
const REMEMBERED: usize = 16;
/// Messages that are kept for the first steps of a user, who may not be there yet when they come.
const EARLY: usize = 64;
/// So much of a message is shown.
const SHOWN: usize = 4_096;

/// What calls need besides a session.
pub struct Given<'a> {
    /// The suite.
    pub suite: &'a Suite,
    /// What the command line says of messages.
    pub rules: &'a Rules,
}

/// One user's connection.
pub struct Session {
    /// Of which class the user is.
    class: usize,
    pub(super) wire: Wire,
    /// For calls over HTTP, where the suite makes some.
    pub(super) http: Option<Box<Http>>,
    /// What was sent last.
    own: [u64; REMEMBERED],
    sent: usize,
    /// Pings that were numbered.
    pub(super) pings: u64,
    /// What is sent, or was sent last.
    pub(super) buffer: Vec<u8>,
    /// The user has done something on it.
    begun: bool,
    /// What has come before that, and when.
    early: VecDeque<(Message, i64)>,
}

/// How far the connection is.
#[expect(clippy::large_enum_variant, reason = "nearly all are upgraded, nearly all the time")]
pub(super) enum Wire {
    /// It has not been upgraded; so long it took to get there.
    Bare(Connection, Took),
    /// It is a WebSocket.
    Open(plain::Session),
    /// It is no more.
    Over,
}

impl Session {
    /// A connection of a user of `class` that a step is to upgrade.
    pub fn bare(class: usize, connection: (Connection, Took), http: Option<Box<Http>>) -> Self {
        let (connection, took) = connection;
        Self::of(class, Wire::Bare(connection, took), http)
    }

    /// An upgraded one.
    pub fn open(class: usize, upgraded: Upgraded, http: Option<Box<Http>>) -> Self {
        Self::of(class, Wire::Open(plain::Session::new(upgraded)), http)
    }

    fn of(class: usize, wire: Wire, http: Option<Box<Http>>) -> Self {
        Self {
            class,
            wire,
            http,
            own: [0; REMEMBERED],
            sent: 0,
            pings: 0,
            buffer: Vec::new(),
            begun: false,
            early: VecDeque::new(),
        }
    }

    /// Makes the call that is `asked` for.
    ///
    /// # Errors
    /// It fails, or its answer is not what it has to be.
    pub async fn call(
        &mut self,
        given: &Given<'_>,
        asked: &Asked,
        vu: &mut Vu,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        if let Some((_, name)) = asked.needs.iter().find(|(slot, _)| vu.scope.vars.get(*slot).is_empty()) {
            probe.note(format_args!("{{{{{name}}}}} is not set: nothing was captured for it"));
            return Err(Fault::answered(FaultKind::Wrong, 0));
        }
        if let Wire::Open(open) = &mut self.wire {
            open.tell_upgrade(probe);
        }
        self.begun = true;
        let class = &given.suite.classes[self.class];
        let begin = probe.now();
        let ended = self.act((class, given), asked, vu, probe).await;
        let time = Duration::from_nanos(probe.now().since(begin));
        let (ended, message, status) = match ended {
            Ok(Got { outcome, message, status }) => (Ok(outcome), message, status),
            Err(fault) => (Err(fault), None, 0),
        };
        let seen = match &message {
            Some(message) => Some(Seen::new(content(message), message.is_binary())),
            None => {
                self.http.as_ref().filter(|_| status > 0).map(|http| Seen::with_status(&http.body, status))
            }
        };
        asked.rules.judge(ended, seen.as_ref(), time, &mut vu.scope, probe)
    }

    /// Reads what comes by itself, until the connection is no more. What comes before the user has done anything is kept.
    pub async fn idle(&mut self, suite: &Suite, scope: &Scope, probe: &mut Probe<'_>) -> Fault {
        while !self.begun && self.early.len() < EARLY && matches!(self.wire, Wire::Open(_)) {
            match self.read(probe).await {
                Ok(message) if message.is_pong() => {}
                Ok(message) => self.early.push_back((message, wall_ns())),
                Err(fault) => {
                    // Nobody will ask for them now.
                    for (message, came_ns) in std::mem::take(&mut self.early) {
                        let seen = Seen::new(content(&message), message.is_binary());
                        let class = &suite.classes[self.class];
                        let _ = self.take(class, (&seen, came_ns), scope, probe);
                    }
                    return fault;
                }
            }
        }
        self.wait(suite, None, scope, probe).await.err().unwrap_or(Fault::fatal(FaultKind::Closed))
    }

    /// Reads what comes by itself, until what `until` waits for has come.
    ///
    /// # Errors
    /// The connection is no more.
    pub async fn wait(
        &mut self,
        suite: &Suite,
        until: Option<&Asked>,
        scope: &Scope,
        probe: &mut Probe<'_>,
    ) -> Result<(), Fault> {
        self.begun = true;
        let class = &suite.classes[self.class];
        if let Wire::Bare(connection, _) = &mut self.wire {
            let read = connection.read(&mut [0]).await;
            return Err(match read {
                Ok(0) => Fault::fatal(FaultKind::Closed),
                Ok(_) => {
                    probe.note("bytes that nobody had asked for, before the upgrade");
                    Fault::fatal(FaultKind::Malformed)
                }
                Err(error) => Fault::io(&error),
            });
        }
        loop {
            let (message, came_ns) = self.next(probe).await?;
            if message.is_pong() {
                continue;
            }
            let seen = Seen::new(content(&message), message.is_binary());
            self.take(class, (&seen, came_ns), scope, probe)?;
            let ends = until.is_some_and(|until| match &until.act {
                Act::Receive(Known::Like(like)) => like.judge(&seen, Duration::ZERO, scope).is_ok(),
                _ => true,
            });
            if ends {
                return Ok(());
            }
        }
    }

    /// Ends the connection in good order.
    pub async fn close(&mut self, suite: &Suite, probe: &mut Probe<'_>) {
        let Self { class, wire, early, own, sent, .. } = self;
        let (own, sent) = (&*own, *sent);
        match std::mem::replace(wire, Wire::Over) {
            Wire::Open(plain::Session { mut socket, mut heard, .. }) => {
                let pushes = &suite.classes[*class].pushes;
                let mut take = |message: &Message, came_ns| {
                    let seen = Seen::new(content(message), message.is_binary());
                    heard.came(seen.content, probe);
                    if is_own(own, sent, seen.content) {
                        probe.count(pushes.counters.own(), 1);
                        return;
                    }
                    // The connection ends in any case.
                    let _ = pushes.take(&mut heard, &seen, came_ns, &Scope::default(), probe);
                };
                early.iter().for_each(|(message, came_ns)| take(message, *came_ns));
                farewell(&mut socket, |message| take(message, wall_ns())).await;
            }
            Wire::Bare(connection, _) => connection.close().await,
            Wire::Over => {}
        }
    }

    /// The WebSocket, where there is one.
    pub(super) fn socket(&mut self, probe: &mut Probe<'_>) -> Result<&mut plain::Session, Fault> {
        match &mut self.wire {
            Wire::Open(open) => Ok(open),
            Wire::Bare(..) => {
                probe.note("no WebSocket yet: a step connect = \"/...\" has to come first");
                Err(Fault::answered(FaultKind::Wrong, 0))
            }
            Wire::Over => Err(Fault::fatal(FaultKind::Closed)),
        }
    }

    /// The next message or pong, and when it came.
    pub(super) async fn next(&mut self, probe: &mut Probe<'_>) -> Result<(Message, i64), Fault> {
        if let Some(early) = self.early.pop_front() {
            if self.early.is_empty() {
                // They do not come again.
                self.early = VecDeque::new();
            }
            return Ok(early);
        }
        let message = self.read(probe).await?;
        Ok((message, wall_ns()))
    }

    /// The next message or pong from the connection.
    async fn read(&mut self, probe: &mut Probe<'_>) -> Result<Message, Fault> {
        let open = self.socket(probe)?;
        let message = open.next(probe).await?;
        if message.is_pong() {
            probe.show(&"< (pong)");
        } else {
            open.heard.stirred(probe);
            show(content(&message), "< ", probe);
        }
        Ok(message)
    }

    /// What is in the buffer is known when it comes back.
    pub(super) fn remember(&mut self) {
        self.own[self.sent % REMEMBERED] = digest(&self.buffer);
        self.sent = self.sent.wrapping_add(1);
    }

    /// A message that is no answer, or not the one that is waited for.
    pub(super) fn take(
        &mut self,
        class: &Class,
        (seen, came_ns): (&Seen<'_>, i64),
        scope: &Scope,
        probe: &mut Probe<'_>,
    ) -> Result<(), Fault> {
        let is_own = is_own(&self.own, self.sent, seen.content);
        let open = self.socket(probe)?;
        open.heard.came(seen.content, probe);
        if is_own {
            probe.count(class.pushes.counters.own(), 1);
            return Ok(());
        }
        class.pushes.take(&mut open.heard, seen, came_ns, scope, probe)
    }
}

/// Whether `content` is one of the last messages that the user has sent.
fn is_own(own: &[u64; REMEMBERED], sent: usize, content: &[u8]) -> bool {
    sent > 0 && own.contains(&digest(content))
}

fn digest(content: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
}

/// Shows a message, line by line, to somebody who looks.
pub(super) fn show(content: &[u8], sign: &str, probe: &Probe<'_>) {
    if !probe.shows() {
        return;
    }
    let text = String::from_utf8_lossy(&content[..content.len().min(SHOWN)]);
    for line in text.lines() {
        probe.show(&format_args!("{sign}{line}"));
    }
    if content.len() > SHOWN {
        probe.show(&format_args!("{sign}... {} bytes in all", content.len()));
    }
}
