//! How does one call go? HTTP on one connection, events on another, and the migration that both are about.

use load_core::clock::Nanos;
use load_core::protocol::{Fault, Probe};
use load_net::http::{self, Exchanged, Request};
use load_report::fault::FaultKind;
use load_suite::scope::Scope;
use serde::de::DeserializeOwned;

use crate::events::{Event, Events, wall_ns};
use crate::job::Status;
use crate::protocol::{Counter, Series};

/// Bytes of a strange answer that are shown.
const SAMPLE: usize = 80;

/// One lane's connections and its migration.
pub struct Session {
    pub(crate) http: http::Session,
    pub(crate) events: Option<Events>,
    /// The body of the last answer.
    body: Vec<u8>,
    pub(crate) migration: Option<Migration>,
}

/// The migration that a lane is at.
pub(crate) struct Migration {
    pub(crate) job_id: String,
    /// Looks at it, compiled.
    pub(crate) look: Request,
    /// When it was ordered.
    pub(crate) ordered: Nanos,
    pub(crate) looks: u32,
    /// Its end has been seen, by an event or by a look.
    pub(crate) ended: bool,
    /// Numbers of the events that came; an event that comes twice is a duplicate.
    seen: Vec<u64>,
}

impl Migration {
    pub(crate) fn new(job_id: String, look: Request, ordered: Nanos) -> Self {
        Self { job_id, look, ordered, looks: 0, ended: false, seen: Vec::new() }
    }

    /// Its end has been seen: the first sight tells how long it took.
    pub(crate) fn end(&mut self, status: Status, probe: &Probe<'_>) {
        if !std::mem::replace(&mut self.ended, true) && status == Status::Completed {
            probe.observe(Series::MigrationTime as usize, probe.now().since(self.ordered));
        }
    }
}

/// What came of a call that was answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) sent: u32,
    pub(crate) received: u64,
    pub(crate) keep_alive: bool,
}

impl Answer {
    /// A fault of this answer, after which the connection goes on if it can.
    pub(crate) fn fault(&self, kind: FaultKind, code: u32) -> Fault {
        Fault { ends_session: !self.keep_alive, ..Fault::answered(kind, code) }
            .after(self.sent, self.received)
    }
}

impl Session {
    pub(crate) fn new(http: http::Session, events: Option<Events>) -> Self {
        Self { http, events, body: Vec::new(), migration: None }
    }

    /// Makes one call. Events that come meanwhile are taken when they come.
    pub(crate) async fn exchange(
        &mut self,
        request: &Request,
        scope: &Scope,
        probe: &mut Probe<'_>,
    ) -> Result<Answer, Fault> {
        let Self { http, events, body, migration } = self;
        body.clear();
        let Exchanged { result, sent, received } = {
            let exchange = http.exchange(request, scope, |piece: &[u8]| body.extend_from_slice(piece));
            let mut exchange = std::pin::pin!(exchange);
            loop {
                let Some(stream) = events.as_mut() else { break exchange.await };
                tokio::select! {
                    biased;
                    exchanged = &mut exchange => break exchanged,
                    event = stream.next(probe) => take(&event?, migration.as_mut(), probe),
                }
            }
        };
        match result {
            Ok(answer) => Ok(Answer { status: answer.status, sent, received, keep_alive: answer.keep_alive }),
            Err(failure) => Err(failure.fault(probe).after(sent, received)),
        }
    }

    /// The body of the last answer, which must have had the status `expected`.
    pub(crate) fn read<T: DeserializeOwned>(
        &self,
        answer: &Answer,
        expected: u16,
        probe: &mut Probe<'_>,
    ) -> Result<T, Fault> {
        if answer.status != expected {
            let fault = http::refused(answer.status, expected, probe);
            return Err(answer.fault(fault.kind, fault.code));
        }
        serde_json::from_slice(&self.body).map_err(|error| {
            let cut = &self.body[..self.body.len().min(SAMPLE)];
            probe.note(format_args!("not what the API says ({error}): {}", cut.escape_ascii()));
            answer.fault(FaultKind::Wrong, 0)
        })
    }

    /// Reads events until a connection is no more.
    pub(crate) async fn idle(&mut self, probe: &mut Probe<'_>) -> Fault {
        loop {
            let Some(events) = self.events.as_mut() else { return self.http.unasked().await.fault(probe) };
            let event = tokio::select! {
                failure = self.http.unasked() => return failure.fault(probe),
                event = events.next(probe) => event,
            };
            match event {
                Ok(event) => take(&event, self.migration.as_mut(), probe),
                Err(fault) => return fault,
            }
        }
    }
}

/// Takes an event: how old it is, whether it came before, and what it says of the migration.
fn take(event: &Event, migration: Option<&mut Migration>, probe: &Probe<'_>) {
    probe.count(Counter::Events as usize, 1);
    if let Some(told) = event.told_ns() {
        // Clocks of two machines may differ; an event is never younger than now.
        probe.observe(Series::EventLatency as usize, wall_ns().saturating_sub(told).max(0).unsigned_abs());
    }
    let Some(migration) = migration.filter(|migration| event.job_id.as_ref() == Some(&migration.job_id))
    else {
        return;
    };
    if let Some(seq) = event.seq {
        if migration.seen.contains(&seq) {
            probe.count(Counter::EventsDuplicated as usize, 1);
            return;
        }
        migration.seen.push(seq);
    }
    match event.status {
        // A completion that lost data is not one whose time counts, whether a look or an event tells it.
        Some(Status::Completed) if event.data_loss == Some(true) => migration.end(Status::Failed, probe),
        Some(status @ (Status::Completed | Status::Failed)) => migration.end(status, probe),
        _ => {}
    }
}
