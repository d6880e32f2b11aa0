//! How does one call go? A stream is opened, the message sent, the answer read to its trailers and judged.

use std::sync::Arc;

use load_core::protocol::{Fault, Outcome, Probe};
use load_report::fault::FaultKind;
use load_suite::scope::Scope;

use crate::answer;
use crate::call::{Buffers, Call};
use crate::framing::Frames;
use crate::link::Link;
use crate::status::Code;
use crate::stream;

/// A large answer must not keep its memory for the whole run.
const KEEP: usize = 64 * 1024;

/// One lane's handle to its connection, and its room for messages.
pub struct Session {
    link: Link,
    calls: Arc<[Call]>,
    room: Room,
}

/// What is kept from call to call.
pub(crate) struct Room {
    pub(crate) frames: Frames,
    buffers: Buffers,
    /// The answer as JSON, for those calls that look into it: a message, or a list of those of a stream.
    pub(crate) kept: Vec<u8>,
    /// The status of the last call that was as expected.
    pub(crate) code: Code,
}

/// What went over the wire so far.
#[derive(Default)]
pub(crate) struct Traffic {
    pub(crate) sent: u64,
    pub(crate) received: u64,
    /// Messages of the answer.
    pub(crate) messages: u32,
}

impl Session {
    pub(crate) fn new(link: Link, calls: Arc<[Call]>) -> Self {
        let room =
            Room { frames: Frames::new(0), buffers: Buffers::default(), kept: Vec::new(), code: Code::OK };
        Self { link, calls, room }
    }

    /// Makes call number `index`. Dropping the future resets its stream and nothing else.
    #[inline]
    pub(crate) async fn exchange(
        &mut self,
        index: usize,
        scope: &Scope,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        let Self { link, calls, room } = self;
        let call = &calls[index];
        let mut traffic = Traffic::default();
        if call.looks() || probe.shows() {
            room.kept.clear();
            room.kept.shrink_to(KEEP);
        }
        let begin = call.deadline.map(|deadline| (probe.now(), deadline));
        let mut result = if call.streams() {
            let head = call.head(scope, &mut room.buffers);
            match head.and_then(|head| Ok((head, call.round(scope, &mut room.buffers)?))) {
                Ok((head, round)) => {
                    let _place = link.place(probe).await;
                    stream::exchange(call, (head, &round), &link.http2, room, &mut traffic, probe).await
                }
                Err(why) => Err(unmade(why, probe)),
            }
        } else {
            unary(call, link, room, &mut traffic, scope, probe).await
        };
        if let (Ok(()), Some((begin, deadline))) = (&result, begin) {
            let took = probe.now().since(begin);
            if let Some(late) = took.checked_sub(deadline).filter(|&late| late > 0) {
                result = Err(answer::late(late, probe));
            }
        }
        let Traffic { sent, received, messages } = traffic;
        let sent = u32::try_from(sent).unwrap_or(u32::MAX);
        match result {
            Ok(()) => {
                let ends_session = !link.http2.is_open();
                Ok(Outcome { sent: sent.into(), received, messages, ends_session, pending: false })
            }
            Err(fault) => Err(fault.after(sent, received)),
        }
    }

    /// The answer to the last call as JSON, where its call looks into it.
    pub(crate) fn kept(&self) -> &[u8] {
        &self.room.kept
    }

    /// The status of the last call that ended well.
    pub(crate) fn code(&self) -> Code {
        self.room.code
    }

    /// What call number `index` sends in the iteration that `scope` says, for people.
    pub(crate) fn asked(&self, index: usize, scope: &Scope) -> Vec<u8> {
        self.calls[index].json(scope)
    }

    /// Waits for the end of the connection.
    pub(crate) async fn ended(&self, probe: &mut Probe<'_>) -> Fault {
        let (fault, note) = self.link.http2.ended().await;
        probe.note(note);
        fault
    }
}

#[inline]
async fn unary(
    call: &Call,
    link: &Link,
    room: &mut Room,
    traffic: &mut Traffic,
    scope: &Scope,
    probe: &mut Probe<'_>,
) -> Result<(), Fault> {
    let Room { frames, buffers, kept, code: seen } = room;
    let message = call.message(scope, buffers).map_err(|why| unmade(why, probe))?;
    let head = call.head(scope, buffers).map_err(|why| unmade(why, probe))?;
    traffic.sent = message.len() as u64;
    let _place = link.place(probe).await;
    let link = &link.http2;
    let broken = |error: h2::Error, probe: &mut Probe<'_>| answer::broken(&error, link, probe);
    // A fresh handle has no stream that waits to be opened, so it is ready.
    let mut sender = link.sender();
    let (answered, mut stream) = sender.send_request(head, false).map_err(|error| broken(error, probe))?;
    // What the windows do not allow yet, h2 keeps until they do.
    stream.send_data(message, true).map_err(|error| broken(error, probe))?;
    let (head, mut body) = answered.await.map_err(|error| broken(error, probe))?.into_parts();
    answer::check(head.status, &head.headers, probe)?;
    frames.begin(call.expect.max_message, answer::is_compressed(call, &head.headers));
    while let Some(data) = body.data().await {
        let data = data.map_err(|error| broken(error, probe))?;
        traffic.received += data.len() as u64;
        // Fails only when the stream is gone, and then nobody needs the window.
        let _ = body.flow_control().release_capacity(data.len());
        frames.feed(&data);
        frames.is_single().map_err(|error| answer::misframed(error, probe))?;
    }
    let (code, headers) = answer::end(body, head.headers, link, probe).await?;
    answer::judge(call, code, &headers, probe)?;
    *seen = code;
    if code != Code::OK {
        return Ok(());
    }
    let message = frames.only().map_err(|error| answer::misframed(error, probe))?;
    let message = message.ok_or_else(|| answer::malformed("status OK without a message", probe))?;
    call.shape.check(message).map_err(|why| answer::misfit(call, why, probe))?;
    traffic.messages = 1;
    if call.looks() || probe.shows() {
        answer::keep(call, message, kept);
        answer::find(call, kept, probe)?;
    }
    Ok(())
}

/// A request that could not be made of what was inserted.
#[cold]
fn unmade(why: String, probe: &mut Probe<'_>) -> Fault {
    probe.note(why);
    Fault::answered(FaultKind::Local, 0)
}
