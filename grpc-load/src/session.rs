//! How does one call go? A stream is opened, the message sent, the answer read to its trailers and judged.

use std::sync::Arc;

use h2::RecvStream;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Response, StatusCode};
use load_core::protocol::{Fault, Outcome, Probe};
use load_net::http2::Link;
use load_report::fault::FaultKind;
use load_suite::scope::Scope;

use crate::call::{Buffers, Call};
use crate::framing::{Broken, Frames};
use crate::json;
use crate::status::{self, Code};

/// One lane's handle to its connection, and its room for messages.
pub struct Session {
    link: Link,
    call: Arc<Call>,
    frames: Frames,
    buffers: Buffers,
}

impl Session {
    pub(crate) fn new(link: Link, call: Arc<Call>) -> Self {
        let frames = Frames::new(call.expect.max_message);
        Self { link, call, frames, buffers: Buffers::default() }
    }

    /// Makes one call. Dropping the future resets its stream and nothing else.
    #[inline]
    pub(crate) async fn exchange(&mut self, scope: &Scope, probe: &mut Probe<'_>) -> Result<Outcome, Fault> {
        let Self { link, call, frames, buffers } = self;
        let message = call.message(scope, buffers).map_err(|why| {
            probe.note(why);
            Fault::answered(FaultKind::Local, 0)
        })?;
        let sent = message.len() as u32;
        let mut received = 0;
        frames.begin();
        let result = async {
            // A fresh handle has no stream that waits to be opened, so it is ready.
            let mut sender = link.sender();
            let (answer, mut body) =
                sender.send_request(call.head.clone(), false).map_err(|error| broken(&error, link, probe))?;
            // What the windows do not allow yet, h2 keeps until they do.
            body.send_data(message, true).map_err(|error| broken(&error, link, probe))?;
            let answer = answer.await.map_err(|error| broken(&error, link, probe))?;
            let (code, headers) = read(answer, link, frames, &mut received, probe).await?;
            judge(call, code, &headers, frames, probe)
        }
        .await;
        match result {
            Ok(()) => {
                Ok(Outcome { sent, received, messages: 1, ends_session: !link.is_open(), pending: false })
            }
            Err(fault) => Err(fault.after(sent, received)),
        }
    }

    /// Waits for the end of the connection.
    pub(crate) async fn ended(&self, probe: &mut Probe<'_>) -> Fault {
        let (fault, note) = self.link.ended().await;
        probe.note(note);
        fault
    }
}

/// Reads an answer: its message into `frames`, its status from wherever it is.
async fn read(
    answer: Response<RecvStream>,
    link: &Link,
    frames: &mut Frames,
    received: &mut u64,
    probe: &mut Probe<'_>,
) -> Result<(Code, HeaderMap), Fault> {
    let (head, mut body) = answer.into_parts();
    check(head.status, &head.headers, probe)?;
    while let Some(data) = body.data().await {
        let data = data.map_err(|error| broken(&error, link, probe))?;
        *received += data.len() as u64;
        // Fails only when the stream is gone, and then nobody needs the window.
        let _ = body.flow_control().release_capacity(data.len());
        frames.feed(&data).map_err(|error| misframed(error, probe))?;
    }
    let trailers = body.trailers().await.map_err(|error| broken(&error, link, probe))?;
    // Without a message and trailers the status is in the head.
    let headers = trailers.unwrap_or(head.headers);
    let Some(code) = Code::of(&headers) else {
        probe.note("the answer ended without grpc-status");
        return Err(Fault::answered(FaultKind::Malformed, 0));
    };
    Ok((code, headers))
}

/// Is this an answer of gRPC at all?
fn check(status: StatusCode, headers: &HeaderMap, probe: &mut Probe<'_>) -> Result<(), Fault> {
    let content = headers.get(CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    if status == StatusCode::OK && content.starts_with(b"application/grpc") {
        return Ok(());
    }
    let content = String::from_utf8_lossy(content);
    probe.note(format_args!(
        "HTTP {status} with content-type {content:?}; expected 200 with application/grpc"
    ));
    Err(match status {
        StatusCode::OK => Fault::answered(FaultKind::Malformed, 0),
        StatusCode::TOO_MANY_REQUESTS => Fault::answered(FaultKind::RateLimited, status.as_u16().into()),
        _ => Fault::answered(FaultKind::Rejected, status.as_u16().into()),
    })
}

/// Was the answer what it had to be?
#[inline]
fn judge(
    call: &Call,
    code: Code,
    headers: &HeaderMap,
    frames: &Frames,
    probe: &mut Probe<'_>,
) -> Result<(), Fault> {
    let expect = &call.expect;
    if !expect.codes.contains(code) {
        return Err(refused(call, code, headers, probe));
    }
    if code != Code::OK {
        return Ok(());
    }
    let message = match frames.end() {
        Ok(Some(message)) => message,
        Ok(None) => return Err(malformed("status OK without a message", probe)),
        Err(error) => return Err(misframed(error, probe)),
    };
    if let Err(why) = call.shape.check(message) {
        return Err(malformed(format_args!("the answer is no {}: {why}", call.output.full_name()), probe));
    }
    match &expect.text {
        Some(text) if !json::show(&call.output, message).is_ok_and(|json| json.contains(text)) => {
            probe.note(format_args!("the answer lacks {text:?}"));
            Err(Fault::answered(FaultKind::Wrong, 0))
        }
        _ => Ok(()),
    }
}

#[cold]
fn refused(call: &Call, code: Code, headers: &HeaderMap, probe: &mut Probe<'_>) -> Fault {
    if code == Code::OK {
        probe.note(format_args!("status OK; expected {}", call.expect.codes));
        return Fault::answered(FaultKind::Wrong, 0);
    }
    probe.note(format_args!("{code}: {}", status::message(headers)));
    Fault::answered(code.kind(), code.0)
}

#[cold]
fn malformed(why: impl std::fmt::Display, probe: &mut Probe<'_>) -> Fault {
    probe.note(why);
    Fault::answered(FaultKind::Malformed, 0)
}

#[cold]
fn misframed(error: Broken, probe: &mut Probe<'_>) -> Fault {
    probe.note(error);
    let kind = match error {
        Broken::TooLarge { .. } => FaultKind::TooLarge,
        Broken::Short { .. } => FaultKind::ShortBody,
        Broken::Flag(_) | Broken::Second => FaultKind::Malformed,
    };
    Fault::answered(kind, 0)
}

#[cold]
fn broken(error: &h2::Error, link: &Link, probe: &mut Probe<'_>) -> Fault {
    let (fault, note) = link.explain(error);
    probe.note(note);
    fault
}
