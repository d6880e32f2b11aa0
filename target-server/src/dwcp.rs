//! What happens on the DWCP listener? Migrations are ordered and looked at, and streams tell how they go.

mod api;
mod jobs;
mod record;
mod stream;

use std::{cell::RefCell, convert::Infallible, rc::Rc, sync::Arc};

use http_body_util::{Either, Empty, Full};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    sync::mpsc::{UnboundedSender, unbounded_channel},
    task::spawn_local,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        handshake::derive_accept_key,
        protocol::{Role, WebSocketConfig},
    },
};

use crate::{clock::now_ns, serve::Context, stream::GatedStream};

use jobs::Job;
pub(crate) use record::DwcpRecord;
pub use record::DwcpReport;

/// Where the events are.
const STREAM: &str = "/dwcp/v3/stream";
/// Bytes that a stream reads at once: its clients say little.
const READ_BUFFER: usize = 1 << 10;

/// What all connections share.
pub(crate) struct DwcpContext {
    context: Rc<Context>,
    /// How each stream is told of new jobs.
    streams: RefCell<Vec<UnboundedSender<Job>>>,
}

impl DwcpContext {
    pub(crate) fn new(context: Rc<Context>) -> Self {
        Self { context, streams: RefCell::default() }
    }

    /// Tells every stream of a new job; streams that are gone are forgotten.
    fn tell(&self, job: &Job) {
        self.streams.borrow_mut().retain(|stream| stream.send(job.clone()).is_ok());
    }
}

/// Serves a connection that was just accepted to its end.
pub(crate) async fn serve(dwcp: Rc<DwcpContext>, tcp: TcpStream) {
    let stream = GatedStream::new(tcp, Arc::clone(&dwcp.context.record));
    let service = service_fn(move |request| answer(Rc::clone(&dwcp), request));
    // An error says that the client left, or did not speak HTTP.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await;
}

type Body = Either<Full<Bytes>, Empty<Bytes>>;

async fn answer(dwcp: Rc<DwcpContext>, request: Request<Incoming>) -> Result<Response<Body>, hyper::Error> {
    dwcp.context.record.gate.begin(now_ns());
    let key = request.headers().get(SEC_WEBSOCKET_KEY).cloned();
    match key {
        Some(key) if request.uri().path() == STREAM => Ok(upgrade(dwcp, request, &key).map(Either::Right)),
        _ => api::answer(dwcp, request).await.map(|response| response.map(Either::Left)),
    }
}

/// Accepts an upgrade (RFC 6455, section 4.2.2) and serves the stream beside the connection.
fn upgrade(
    dwcp: Rc<DwcpContext>,
    mut request: Request<Incoming>,
    key: &HeaderValue,
) -> Response<Empty<Bytes>> {
    let query = request.uri().query().unwrap_or_default();
    let named = query.split('&').find_map(|pair| pair.strip_prefix("job_id=")).map(str::to_owned);
    let accept = derive_accept_key(key.as_bytes());
    spawn_local(async move {
        // Without the other side's consent there is no stream.
        let Ok(upgraded) = hyper::upgrade::on(&mut request).await else { return Ok::<_, Infallible>(()) };
        let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER).write_buffer_size(0);
        let socket =
            WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
        let (sender, made) = unbounded_channel();
        dwcp.streams.borrow_mut().push(sender);
        {
            let report = &mut dwcp.context.record.dwcp.state().report;
            report.streams += 1;
            report.streams_open += 1;
        }
        // An error says that the client left.
        let _ = stream::serve(Rc::clone(&dwcp), socket, named, made).await;
        dwcp.context.record.dwcp.state().report.streams_open -= 1;
        Ok(())
    });
    let mut response = Response::new(Empty::new());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = accept.parse() {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}
