//! What happens on the WebSocket listener? Upgrades are accepted or refused, and each connection is told what the
//! others broadcast.

mod connection;
mod record;

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, sync::Arc};

use tokio::{net::TcpStream, sync::mpsc::UnboundedSender};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async_with_config,
    tungstenite::{
        Error, Utf8Bytes,
        error::ProtocolError,
        handshake::server::{ErrorResponse, Request, Response},
        protocol::WebSocketConfig,
    },
};

use crate::{clock::now_ns, serve::Context, stream::GatedStream};

use connection::Connection;
use record::Presence;
pub(crate) use record::WsRecord;
pub use record::{WsMessages, WsReport};

/// Bytes that a connection reads at once; 15,000 of them shall need little memory.
const READ_BUFFER: usize = 1 << 10;

/// What all WebSockets share.
pub(crate) struct WsContext {
    context: Rc<Context>,
    /// How each open connection is told what another one broadcasts.
    members: RefCell<BTreeMap<u64, UnboundedSender<Utf8Bytes>>>,
}

impl WsContext {
    pub(crate) fn new(context: Rc<Context>) -> Self {
        Self { context, members: RefCell::default() }
    }
}

/// Serves a connection that was just accepted to its end, which is in the record.
pub(crate) async fn serve(ws: Rc<WsContext>, tcp: TcpStream) {
    let Some((id, socket)) = upgrade(&ws.context, tcp).await else { return };
    let presence = Presence::new(Arc::clone(&ws.context.record));
    let (sender, inbox) = tokio::sync::mpsc::unbounded_channel();
    ws.members.borrow_mut().insert(id, sender);
    let code = Connection::new(Rc::clone(&ws), id, socket).serve(inbox).await;
    ws.members.borrow_mut().remove(&id);
    presence.end(code);
}

/// Answers the upgrade; the connection's number and socket, unless it was refused or was none.
async fn upgrade(context: &Rc<Context>, tcp: TcpStream) -> Option<(u64, WebSocketStream<GatedStream>)> {
    let record = &context.record;
    let mut id = None;
    #[expect(clippy::result_large_err, reason = "the library's trait wants it so")]
    let decide = |request: &Request, mut response: Response| {
        record.gate.begin(now_ns());
        let n = record.ws.next_upgrade();
        id = Some(n);
        if let Some(refused) = refusal(context, request, n) {
            return Err(refused);
        }
        // The first subprotocol that is offered will do.
        let name = "sec-websocket-protocol";
        let offered = request.headers().get(name).and_then(|names| names.to_str().ok());
        let first = offered.and_then(|names| names.split(',').next());
        if let Some(value) = first.and_then(|first| first.trim().parse().ok()) {
            response.headers_mut().insert(name, value);
        }
        Ok(response)
    };
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER).write_buffer_size(0);
    let stream = GatedStream::new(tcp, Arc::clone(record));
    let accepted = accept_hdr_async_with_config(stream, decide, Some(config)).await;
    match accepted {
        Ok(socket) => Some((id?, socket)),
        // Whoever connects and says nothing has asked for nothing.
        Err(Error::Protocol(ProtocolError::HandshakeIncomplete) | Error::Io(_)) => None,
        Err(_) => {
            if id.is_none() {
                record.ws.bad_upgrade();
            }
            None
        }
    }
}

/// The answer to an upgrade that is refused.
fn refusal(context: &Context, request: &Request, n: u64) -> Option<ErrorResponse> {
    let script = &context.script;
    let authorised = script.ws.token.as_ref().is_none_or(|token| {
        let given = request.headers().get("authorization").and_then(|value| value.to_str().ok());
        given.and_then(|value| value.strip_prefix("Bearer ")) == Some(token)
    });
    let status = if authorised { script.ws.refuse(script.seed, n)? } else { 401 };
    context.record.ws.refused(status);
    let mut response = ErrorResponse::new(Some("as scripted\n".to_owned()));
    *response.status_mut() = status.try_into().unwrap_or_default();
    // Without it, a client would wait for the end of the body until the connection closes.
    response.headers_mut().insert("content-length", 12.into());
    Some(response)
}
