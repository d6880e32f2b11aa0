//! What happens on the DWCP listener? Migrations are ordered and looked at, and streams tell how they go.

mod api;
mod data;
mod jobs;
mod record;
mod stream;

use std::{cell::RefCell, rc::Rc, sync::Arc};

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

pub use data::DwcpDataReport;
pub(crate) use data::{DataContext, DataRecord, serve as serve_data};
use jobs::Job;
pub(crate) use record::DwcpRecord;
pub use record::DwcpReport;

/// Where the events are.
const STREAM: &str = "/dwcp/v3/stream";
/// Where images are.
const DATA: &str = "/dwcp/v3";
/// Bytes that a stream reads at once: its clients say little.
const READ_BUFFER: usize = 1 << 10;
/// The same of a connection that brings pages, one frame of which is the largest message.
const DATA_BUFFER: usize = 256 << 10;

/// What all connections share.
pub(crate) struct DwcpContext {
    context: Rc<Context>,
    data: Rc<DataContext>,
    /// How each stream is told of new jobs.
    streams: RefCell<Vec<UnboundedSender<Job>>>,
}

impl DwcpContext {
    pub(crate) fn new(context: Rc<Context>, data: Rc<DataContext>) -> Self {
        Self { context, data, streams: RefCell::default() }
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
        Some(key) if request.uri().path() == STREAM => {
            let query = request.uri().query().unwrap_or_default();
            let named = query.split('&').find_map(|pair| pair.strip_prefix("job_id=")).map(str::to_owned);
            let serve = move |socket| events(dwcp, socket, named);
            Ok(upgrade(request, &key, READ_BUFFER, serve).map(Either::Right))
        }
        Some(key) if request.uri().path() == DATA => Ok(upgrade(request, &key, DATA_BUFFER, move |socket| {
            data::serve_ws(Rc::clone(&dwcp.data), socket)
        })
        .map(Either::Right)),
        _ => api::answer(dwcp, request).await.map(|response| response.map(Either::Left)),
    }
}

/// A WebSocket that a client has upgraded to.
type Socket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

/// Accepts an upgrade (RFC 6455, section 4.2.2) and has the WebSocket served beside the connection.
fn upgrade<F: Future<Output = ()> + 'static>(
    mut request: Request<Incoming>,
    key: &HeaderValue,
    buffer: usize,
    serve: impl FnOnce(Socket) -> F + 'static,
) -> Response<Empty<Bytes>> {
    let accept = derive_accept_key(key.as_bytes());
    spawn_local(async move {
        // Without the other side's consent there is no WebSocket.
        let Ok(upgraded) = hyper::upgrade::on(&mut request).await else { return };
        let config = WebSocketConfig::default()
            .read_buffer_size(buffer)
            .write_buffer_size(0)
            .max_message_size(Some(1 << 20))
            .max_frame_size(Some(1 << 20));
        let upgraded = TokioIo::new(upgraded);
        serve(WebSocketStream::from_raw_socket(upgraded, Role::Server, Some(config)).await).await;
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

/// Tells events on a WebSocket to its end. `named` is the job of its address.
async fn events(dwcp: Rc<DwcpContext>, socket: Socket, named: Option<String>) {
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
}
