//! How does a stream of messages go? What is to be sent goes as the windows allow, while what comes is checked message by
//! message, each with its own time.

use std::collections::VecDeque;
use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request};
use load_core::clock::Nanos;
use load_core::protocol::{Fault, Probe};
use load_net::http2;

use crate::answer;
use crate::call::Call;
use crate::framing::Broken;
use crate::protocol::{FIRST_MESSAGE, MESSAGE_GAP, MESSAGE_LATENCY};
use crate::round::{Place, Round};
use crate::session::{Room, Traffic};
use crate::shape::Misfit;
use crate::status::Code;

/// Bytes that are read before others of the thread have their turn: no poll of a call may take long.
const TURN: u64 = 64 * 1024;

/// Makes one call that streams: the messages of `round`, and as many as the server sends.
///
/// # Errors
/// The fault, unless the answer came and was right.
pub(crate) async fn exchange(
    call: &Call,
    (head, round): (Request<()>, &Round),
    link: &http2::Link,
    room: &mut Room,
    traffic: &mut Traffic,
    probe: &mut Probe<'_>,
) -> Result<(), Fault> {
    let begin = probe.now();
    let mut sender = link.sender();
    let opened = sender.send_request(head, false);
    let (answered, up) = opened.map_err(|error| answer::broken(&error, link, probe))?;
    let mut up = Up::new(up, call, round);
    // The request goes out before anybody looks for the answer.
    let (head, body) = {
        let mut answered = answered;
        let head = poll_fn(|context| poll_head(&mut answered, &mut up, traffic, probe, context)).await;
        head.map_err(|error| answer::broken(&error, link, probe))?.into_parts()
    };
    answer::check(head.status, &head.headers, probe)?;
    room.frames.begin(call.expect.max_message, answer::is_compressed(call, &head.headers));
    let mut down = Down { call, body, room, last: begin };
    let read = poll_fn(|context| down.poll(&mut up, traffic, probe, context)).await;
    let Down { body, room, .. } = down;
    if let Err(cut) = read {
        return Err(match cut {
            Cut::Http2(error) => answer::broken(&error, link, probe),
            Cut::Broken(error) => answer::misframed(error, probe),
            Cut::Misfit(why) => answer::misfit(call, why, probe),
        });
    }
    end(call, (body, head.headers), link, room, traffic, probe).await
}

/// The last words of the server, and whether what came before was right.
async fn end(
    call: &Call,
    (body, head): (RecvStream, HeaderMap),
    link: &http2::Link,
    room: &mut Room,
    traffic: &Traffic,
    probe: &mut Probe<'_>,
) -> Result<(), Fault> {
    let (code, headers) = answer::end(body, head, link, probe).await?;
    answer::judge(call, code, &headers, probe)?;
    room.code = code;
    if code != Code::OK {
        return Ok(());
    }
    room.frames.end().map_err(|error| answer::misframed(error, probe))?;
    if !call.server_streams && traffic.messages == 0 {
        return Err(answer::malformed("status OK without a message", probe));
    }
    if call.looks() || probe.shows() {
        if call.server_streams {
            room.kept.extend(if traffic.messages == 0 { &b"[]"[..] } else { b"]" });
        }
        answer::find(call, &room.kept, probe)?;
    }
    Ok(())
}

fn poll_head(
    answered: &mut ResponseFuture,
    up: &mut Up<'_>,
    traffic: &mut Traffic,
    probe: &Probe<'_>,
    context: &mut Context<'_>,
) -> Poll<Result<http::Response<RecvStream>, h2::Error>> {
    up.poll(traffic, probe, context);
    Pin::new(answered).poll(context)
}

/// Why there is no answer.
enum Cut {
    Http2(h2::Error),
    Broken(Broken),
    Misfit(Misfit),
}

/// The client's side.
struct Up<'a> {
    stream: SendStream<Bytes>,
    round: &'a Round,
    place: Place,
    /// What of a piece the windows have not allowed yet.
    rest: Bytes,
    /// Messages that may be without an answer.
    in_flight: u64,
    /// Up to which message they were sent when; only where answers are matched with them.
    stamps: Option<VecDeque<(u64, Nanos)>>,
    /// Messages that came.
    answered: u64,
    ended: bool,
}

impl<'a> Up<'a> {
    fn new(stream: SendStream<Bytes>, call: &Call, round: &'a Round) -> Self {
        let both = call.client_streams && call.server_streams;
        Self {
            stream,
            round,
            place: Place::default(),
            rest: Bytes::new(),
            in_flight: if both { call.in_flight } else { u64::MAX },
            stamps: both.then(VecDeque::new),
            answered: 0,
            ended: false,
        }
    }

    /// Sends as much as it may. What goes wrong here, the answer tells.
    fn poll(&mut self, traffic: &mut Traffic, probe: &Probe<'_>, context: &mut Context<'_>) {
        while !self.ended {
            if self.rest.is_empty() {
                let allowed = self.answered.saturating_add(self.in_flight).saturating_sub(self.place.sent);
                if let Some(piece) = self.round.next(&mut self.place, allowed) {
                    self.rest = piece;
                    if let Some(stamps) = &mut self.stamps {
                        stamps.push_back((self.place.sent, probe.now()));
                    }
                } else {
                    self.ended = self.place.sent == self.round.messages;
                    if self.ended && self.round.messages == 0 {
                        let _ = self.stream.send_data(Bytes::new(), true);
                    }
                    return;
                }
            }
            self.stream.reserve_capacity(self.rest.len());
            if self.stream.capacity() == 0 {
                match self.stream.poll_capacity(context) {
                    Poll::Ready(Some(Ok(_))) => {}
                    Poll::Ready(_) => self.ended = true,
                    Poll::Pending => return,
                }
                continue;
            }
            let piece = self.rest.split_to(self.stream.capacity().min(self.rest.len()));
            traffic.sent += piece.len() as u64;
            let is_last = self.rest.is_empty() && self.place.sent == self.round.messages;
            self.ended = self.stream.send_data(piece, is_last).is_err() || is_last;
        }
    }

    /// A message came: when was the one sent that it answers, if it answers one?
    fn asked(&mut self) -> Option<Nanos> {
        self.answered += 1;
        let stamps = self.stamps.as_mut()?;
        while stamps.front().is_some_and(|(upto, _)| *upto < self.answered) {
            stamps.pop_front();
        }
        stamps.front().map(|(_, sent)| *sent)
    }
}

/// The server's side.
struct Down<'a> {
    call: &'a Call,
    body: RecvStream,
    room: &'a mut Room,
    /// When the last message came, or the call began.
    last: Nanos,
}

impl Down<'_> {
    /// Reads to the end of the messages.
    fn poll(
        &mut self,
        up: &mut Up<'_>,
        traffic: &mut Traffic,
        probe: &Probe<'_>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Cut>> {
        let until = traffic.received + TURN;
        loop {
            up.poll(traffic, probe, context);
            if traffic.received >= until {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            let data = match ready!(self.body.poll_data(context)) {
                Some(data) => data.map_err(Cut::Http2)?,
                None => return Poll::Ready(Ok(())),
            };
            traffic.received += data.len() as u64;
            // Fails only when the stream is gone, and then nobody needs the window.
            let _ = self.body.flow_control().release_capacity(data.len());
            self.take(&data, up, traffic, probe)?;
        }
    }

    /// Looks at every message that `data` makes whole.
    fn take(
        &mut self,
        data: &[u8],
        up: &mut Up<'_>,
        traffic: &mut Traffic,
        probe: &Probe<'_>,
    ) -> Result<(), Cut> {
        let Room { frames, kept, .. } = &mut *self.room;
        frames.feed(data);
        let now = probe.now();
        while let Some(message) = frames.take().map_err(Cut::Broken)? {
            self.call.shape.check(message).map_err(Cut::Misfit)?;
            let is_first = traffic.messages == 0;
            if self.call.server_streams {
                probe.observe(if is_first { FIRST_MESSAGE } else { MESSAGE_GAP }, now.since(self.last));
            } else if !is_first {
                return Err(Cut::Broken(Broken::Second));
            }
            if self.call.looks() || probe.shows() {
                if self.call.server_streams {
                    kept.push(if is_first { b'[' } else { b',' });
                }
                answer::keep(self.call, message, kept);
            }
            traffic.messages = traffic.messages.saturating_add(1);
            self.last = now;
            if let Some(asked) = up.asked() {
                probe.observe(MESSAGE_LATENCY, now.since(asked));
            }
        }
        Ok(())
    }
}
