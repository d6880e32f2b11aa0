//! What happens on the WebSocket listener? Upgrades are accepted or refused, and each connection is told what the
//! others broadcast.

mod bulletin;
mod connection;
mod record;

use std::{rc::Rc, sync::Arc};

use tokio::{net::TcpStream, task::spawn_local};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async_with_config,
    tungstenite::{
        Error, Utf8Bytes,
        error::ProtocolError,
        handshake::server::{ErrorResponse, Request, Response},
        protocol::WebSocketConfig,
    },
};

use crate::{clock::now_ns, group::Question, serve::Context, stream::GatedStream};

use bulletin::Bulletin;
use connection::Connection;
use record::Presence;
pub(crate) use record::WsRecord;
pub use record::{WsBroadcast, WsMessages, WsReport};

/// Bytes that a connection reads at once; 15,000 of them shall need little memory.
const READ_BUFFER: usize = 512;

/// What all WebSockets share.
pub(crate) struct WsContext {
    context: Rc<Context>,
    /// How each open connection is told what another one broadcasts.
    bulletin: Bulletin,
}

impl WsContext {
    pub(crate) fn new(context: Rc<Context>) -> Self {
        Self { context, bulletin: Bulletin::new() }
    }

    /// Tells all connections but `from`, in all processes.
    fn broadcast(&self, from: u64, text: Utf8Bytes) {
        if self.context.group.count() > 1 {
            let (context, question) = (Rc::clone(&self.context), Question::Broadcast(text.to_string()));
            spawn_local(async move {
                // What a process that has ended was to tell, nobody waits for.
                let _ = context.group.ask(question).await;
            });
        }
        self.bulletin.post(Some(from), text);
    }

    /// Tells all connections of this process what one of another process broadcasts.
    pub(crate) fn heard(&self, text: String) {
        self.bulletin.post(None, text.into());
    }
}

/// Serves a connection that was just accepted to its end, which is in the record.
pub(crate) async fn serve(ws: Rc<WsContext>, tcp: TcpStream) {
    // In a box that goes when it is done: connections that are open need little memory.
    let Some((id, socket)) = Box::pin(upgrade(&ws.context, tcp)).await else { return };
    let presence = Presence::new(Arc::clone(&ws.context.record));
    let code = Connection::new(ws, id, socket).serve().await;
    presence.end(code);
}

/// Answers the upgrade; the connection's number and socket, unless it was refused or was none.
async fn upgrade(context: &Rc<Context>, tcp: TcpStream) -> Option<(u64, WebSocketStream<GatedStream>)> {
    let record = &context.record;
    let mut id = None;
    #[expect(clippy::result_large_err, reason = "the library's trait wants it so")]
    let decide = |request: &Request, mut response: Response| {
        record.gate.begin(now_ns());
        let n = context.group.connection(record.ws.next_upgrade());
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
