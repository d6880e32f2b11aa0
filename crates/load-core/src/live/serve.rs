//! Who asked for what? A small site over HTTP/1.1: `/metrics`, `/events`, `/healthz`, and a page for people.

use std::convert::Infallible;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use load_report::render::prometheus;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Semaphore, broadcast, oneshot, watch};

use super::Shown;
use super::feed::message;
use crate::secret::Secrets;

/// Connections at a time; further ones are closed at once, so that forgotten readers do not take the descriptors of a run.
const MOST: usize = 64;
/// A connection may take so long to say what it wants.
const PATIENCE: Duration = Duration::from_secs(10);
/// At the end readers may take so long to hear the last words.
const GOODBYE: Duration = Duration::from_millis(300);
/// What is written to a reader at most before it has to read, bytes.
const BUFFER: usize = 16 << 10;

const PAGE: &str = include_str!("page.html");
/// The page has all it needs, and talks to nobody else.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'";

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// What there is to be read.
pub(super) struct Site {
    shown: watch::Receiver<Shown>,
    events: broadcast::Receiver<Bytes>,
}

/// The thread of the listener, until `over` is dropped.
pub(super) fn run(listener: std::net::TcpListener, site: Site, over: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default());
    let served = runtime.and_then(|runtime| runtime.block_on(serve(listener, site, over)));
    if let Err(error) = served {
        tracing::warn!("--live: nothing can be read: {error}");
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the engine's clock is not on this thread, and a few ms are nothing here"
)]
async fn serve(
    listener: std::net::TcpListener,
    site: Site,
    over: oneshot::Receiver<()>,
) -> std::io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let (site, places, graceful) = (Rc::new(site), Arc::new(Semaphore::new(MOST)), GracefulShutdown::new());
    let mut over = pin!(over);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut over => break,
        };
        let Ok((stream, _)) = accepted else {
            // No descriptor is left, for instance; it must not become a busy loop.
            tokio::time::sleep(GOODBYE).await;
            continue;
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let site = Rc::clone(&site);
        let answer = service_fn(move |request| {
            let answer = site.answer(&request);
            async move { Ok::<_, Infallible>(answer) }
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(BUFFER);
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), answer));
        tokio::task::spawn_local(async move {
            // A reader that went away, or spoke another language, is of no interest to the run.
            let _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(GOODBYE, graceful.shutdown()).await;
    Ok(())
}

impl Site {
    pub(super) fn new(shown: watch::Receiver<Shown>, events: broadcast::Receiver<Bytes>) -> Self {
        Self { shown, events }
    }

    fn answer<T>(&self, request: &Request<T>) -> Response<Body> {
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "only GET and HEAD\n");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        match request.uri().path() {
            "/metrics" => text(StatusCode::OK, prometheus::CONTENT_TYPE, self.shown.borrow().metrics.clone()),
            "/events" => response(StatusCode::OK, "text/event-stream", self.events()),
            "/healthz" => text(StatusCode::OK, "text/plain", "ok\n"),
            "/" => {
                let mut response = text(StatusCode::OK, "text/html; charset=utf-8", PAGE);
                response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
                response
            }
            _ => text(StatusCode::NOT_FOUND, "text/plain", "there is /metrics, /events, /healthz and /\n"),
        }
    }

    /// What has been said of the run, then all that comes.
    fn events(&self) -> Body {
        let events = self.events.resubscribe();
        let hello = self.shown.borrow().hello.clone();
        let coming = stream::unfold(events, async |mut events| {
            let event = match events.recv().await {
                Ok(event) => event,
                Err(RecvError::Lagged(n)) => {
                    message("dropped", &json!({ "dropped": n }), &Secrets::default())
                }
                Err(RecvError::Closed) => return None,
            };
            Some((event, events))
        });
        let all = stream::iter([hello]).chain(coming);
        StreamBody::new(all.map(|event| Ok(Frame::data(event)))).boxed_unsync()
    }
}

fn text(status: StatusCode, media_type: &'static str, text: impl Into<Bytes>) -> Response<Body> {
    response(status, media_type, Full::new(text.into()).boxed_unsync())
}

fn response(status: StatusCode, media_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
