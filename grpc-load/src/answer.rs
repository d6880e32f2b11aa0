//! What came back? Heads and trailers that are gRPC's or not, and the fault behind each thing that goes wrong.

use h2::RecvStream;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use load_core::protocol::{Fault, Probe};
use load_net::http2;
use load_report::fault::FaultKind;

use crate::call::Call;
use crate::framing::Broken;
use crate::json;
use crate::shape::Misfit;
use crate::status::{self, Code};

/// Is this an answer of gRPC at all?
///
/// # Errors
/// The fault that it is instead.
#[inline]
pub(crate) fn check(status: StatusCode, headers: &HeaderMap, probe: &mut Probe<'_>) -> Result<(), Fault> {
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

/// Whether the messages behind this head may be compressed as `call` allows.
#[inline]
pub(crate) fn is_compressed(call: &Call, headers: &HeaderMap) -> bool {
    call.gzip && headers.get("grpc-encoding").is_some_and(|coding| coding == "gzip")
}

/// The status of an answer whose body has been read, and the headers it was in: the trailers, or the head of an answer
/// without any.
///
/// # Errors
/// There is none, or the connection broke.
#[inline]
pub(crate) async fn end(
    mut body: RecvStream,
    head: HeaderMap,
    link: &http2::Link,
    probe: &mut Probe<'_>,
) -> Result<(Code, HeaderMap), Fault> {
    let trailers = body.trailers().await.map_err(|error| broken(&error, link, probe))?;
    let headers = trailers.unwrap_or(head);
    match Code::of(&headers) {
        Some(code) => Ok((code, headers)),
        None => Err(malformed("the answer ended without grpc-status", probe)),
    }
}

/// Whether it was the status that had to be.
///
/// # Errors
/// It was not.
#[inline]
pub(crate) fn judge(
    call: &Call,
    code: Code,
    headers: &HeaderMap,
    probe: &mut Probe<'_>,
) -> Result<(), Fault> {
    if call.expect.codes.contains(code) { Ok(()) } else { Err(refused(call, code, headers, probe)) }
}

/// Looks for what a good answer contains in `json`.
///
/// # Errors
/// It is not there.
pub(crate) fn find(call: &Call, json: &[u8], probe: &mut Probe<'_>) -> Result<(), Fault> {
    match &call.expect.text {
        Some(text) if memchr::memmem::find(json, text.as_bytes()).is_none() => {
            probe.note(format_args!("the answer lacks {text:?}"));
            Err(Fault::answered(FaultKind::Wrong, 0))
        }
        _ => Ok(()),
    }
}

/// Appends `message`, which fits its type, as JSON to `kept`.
pub(crate) fn keep(call: &Call, message: &[u8], kept: &mut Vec<u8>) {
    // It has been checked; what is no JSON all the same (a number without an end, say) holds nothing to be found.
    if let Ok(json) = json::show(&call.output, message) {
        kept.extend_from_slice(json.as_bytes());
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
pub(crate) fn malformed(why: impl std::fmt::Display, probe: &mut Probe<'_>) -> Fault {
    probe.note(why);
    Fault::answered(FaultKind::Malformed, 0)
}

#[cold]
pub(crate) fn misfit(call: &Call, why: Misfit, probe: &mut Probe<'_>) -> Fault {
    malformed(format_args!("the answer is no {}: {why}", call.output.full_name()), probe)
}

#[cold]
pub(crate) fn misframed(error: Broken, probe: &mut Probe<'_>) -> Fault {
    probe.note(error);
    let kind = match error {
        Broken::TooLarge { .. } => FaultKind::TooLarge,
        Broken::Short { .. } => FaultKind::ShortBody,
        Broken::Flag(_) | Broken::Gzip | Broken::Second => FaultKind::Malformed,
    };
    Fault::answered(kind, 0)
}

#[cold]
pub(crate) fn broken(error: &h2::Error, link: &http2::Link, probe: &mut Probe<'_>) -> Fault {
    let (fault, note) = link.explain(error);
    probe.note(note);
    fault
}

#[cold]
pub(crate) fn late(ns: u64, probe: &mut Probe<'_>) -> Fault {
    probe.note(format_args!("OK came {:.1} ms after the deadline", ns as f64 / 1e6));
    Fault::answered(FaultKind::Timeout, 0)
}
