//! How fast can streams be? A server that sends back what it gets, for measurements: every call is a stream of both sides.
//!
//! `echo_server [BYTES]`: in pieces of so many bytes, one frame of HTTP/2 each; without it as they came. Prints its port.

use std::io::Write as _;

use bytes::Bytes;
use h2::server::{self, SendResponse};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::net::{TcpListener, TcpStream};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let piece = std::env::args().nth(1).map(|text| text.parse()).transpose()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        writeln!(std::io::stdout(), "{}", listener.local_addr()?.port())?;
        loop {
            let (tcp, _) = listener.accept().await?;
            tcp.set_nodelay(true)?;
            tokio::task::spawn_local(serve(tcp, piece));
        }
    })
}

async fn serve(tcp: TcpStream, piece: Option<usize>) -> Result<(), h2::Error> {
    let mut connection = server::Builder::new()
        .initial_window_size(1 << 20)
        // With a small window h2 takes a hundred small messages that wait for an attack, and says ENHANCE_YOUR_CALM.
        .initial_connection_window_size(8 << 20)
        .handshake(tcp)
        .await?;
    while let Some(accepted) = connection.accept().await {
        let (request, respond) = accepted?;
        tokio::task::spawn_local(echo(request, respond, piece));
    }
    Ok(())
}

async fn echo(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    piece: Option<usize>,
) -> Result<(), h2::Error> {
    let mut head = Response::new(());
    head.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    let (mut body, mut stream) = (request.into_body(), respond.send_response(head, false)?);
    while let Some(data) = body.data().await {
        let mut data = data?;
        body.flow_control().release_capacity(data.len())?;
        while !data.is_empty() {
            let next = data.split_to(piece.unwrap_or(data.len()).min(data.len()));
            send(&mut stream, next).await?;
        }
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    stream.send_trailers(trailers)
}

async fn send(stream: &mut SendStream<Bytes>, mut data: Bytes) -> Result<(), h2::Error> {
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        while stream.capacity() == 0 {
            match std::future::poll_fn(|context| stream.poll_capacity(context)).await {
                Some(capacity) => drop(capacity?),
                None => return Ok(()),
            }
        }
        let now = data.split_to(stream.capacity().min(data.len()));
        stream.send_data(now, false)?;
    }
    Ok(())
}
