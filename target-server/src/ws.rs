//! What happens on the WebSocket listener? Upgrades are accepted or refused, and each connection is told what the
//! others broadcast.

mod agreed;
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

use crate::{
    clock::now_ns,
    contract::{Client, Session},
    group::Question,
    serve::Context,
    stream::GatedStream,
};

use agreed::Agreed;
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
    let Some((id, socket, session)) = Box::pin(upgrade(&ws.context, tcp)).await else { return };
    let presence = Presence::new(Arc::clone(&ws.context.record));
    let code = match session {
        None => Connection::new(ws, id, socket).serve().await,
        // In a box, so that connections without a contract stay small.
        Some(session) => Box::pin(Agreed::new(ws, id, socket, *session).serve()).await,
    };
    presence.end(code);
}

/// A connection that was accepted: its number, its socket, and what it is in the name of a contract.
type Upgraded = (u64, WebSocketStream<GatedStream>, Option<Box<Session>>);

/// Answers the upgrade, unless it was refused or was none.
async fn upgrade(context: &Rc<Context>, tcp: TcpStream) -> Option<Upgraded> {
    let record = &context.record;
    let (mut id, mut session) = (None, None);
    #[expect(clippy::result_large_err, reason = "the library's trait wants it so")]
    let decide = |request: &Request, mut response: Response| {
        record.gate.begin(now_ns());
        let n = context.group.connection(record.ws.next_upgrade());
        id = Some(n);
        if let Some(refused) = refusal(context, request, n) {
            return Err(refused);
        }
        if record.has_contract() {
            session = Some(Box::new(agree(context, request, n)?));
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
        Ok(socket) => Some((id?, socket, session)),
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
    Some(refused(context, status, "as scripted\n".to_owned()))
}

/// Begins a connection in the name of the contract.
#[expect(clippy::result_large_err, reason = "the library's trait wants it so")]
fn agree(context: &Context, request: &Request, n: u64) -> Result<Session, ErrorResponse> {
    let text = |value: &'static str| request.headers().get(value).and_then(|value| value.to_str().ok());
    let client = Client {
        path: request.uri().path(),
        query: request.uri().query().unwrap_or_default(),
        authorization: text("authorization"),
    };
    let wrong = |(status, why): (u16, String)| {
        refused(context, status, serde_json::json!({ "contract": why }).to_string())
    };
    let Some(mut service) = context.record.contract() else {
        return Err(wrong((404, "no contract".to_owned())));
    };
    service.connect(&client, n).map_err(wrong)
}

/// The answer to an upgrade that is refused, which is counted.
fn refused(context: &Context, status: u16, body: String) -> ErrorResponse {
    context.record.ws.refused(status);
    // Without it, a client would wait for the end of the body until the connection closes.
    let length = body.len().into();
    let mut response = ErrorResponse::new(Some(body));
    *response.status_mut() = status.try_into().unwrap_or_default();
    response.headers_mut().insert("content-length", length);
    response
}
