//! A server that answers as a test wants, right or wrong: h2 and bytes, over TLS where a test asks for it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{HeaderMap, HeaderValue, Request, Response};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// `RegisterAgentResponse { success: true }` with its prefix.
pub(crate) const GOOD: &[u8] = b"\0\0\0\0\x02\x08\x01";

/// How calls are answered.
#[derive(Clone, Copy)]
pub(crate) enum Answer {
    /// HTTP status and content type, without a body.
    Http(u16, &'static str),
    /// These bytes, in pieces of so many, then this `grpc-status`, or no trailers at all.
    Bytes(&'static [u8], usize, Option<&'static str>),
    /// Head without a body that holds the status and the message.
    Trailers(&'static str, &'static str),
    /// The stream is reset.
    Reset(Reason),
    /// The whole connection ends with this reason.
    GoAway(Reason),
    /// Nothing is answered.
    Never,
}

/// The certificate of a TLS server, and what it offers by ALPN.
pub(crate) struct Tls {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) key: PrivateKeyDer<'static>,
    pub(crate) protocol: &'static [u8],
}

pub(crate) struct Raw {
    pub(crate) address: SocketAddr,
    calls: Arc<AtomicU64>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Raw {
    pub(crate) fn start(answer: Answer, tls: Option<Tls>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let (address, calls) = (listener.local_addr().unwrap(), Arc::<AtomicU64>::default());
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let acceptor = tls.map(acceptor);
        let counted = Arc::clone(&calls);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    () = accept(listener, acceptor, answer, counted) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address, calls, stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Calls that came.
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn acceptor(tls: Tls) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.unwrap().with_no_client_auth();
    let mut config = builder.with_single_cert(vec![tls.certificate], tls.key).unwrap();
    config.alpn_protocols = vec![tls.protocol.to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, answer: Answer, calls: Arc<AtomicU64>) {
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let (tls, calls) = (tls.clone(), Arc::clone(&calls));
        tokio::spawn(async move {
            match tls {
                None => serve(tcp, answer, calls).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(tcp).await {
                        serve(stream, answer, calls).await;
                    }
                }
            }
        });
    }
}

/// Serves a connection to its end; a client may break it at any point.
async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, answer: Answer, calls: Arc<AtomicU64>) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    while let Some(Ok((request, respond))) = connection.accept().await {
        calls.fetch_add(1, Ordering::SeqCst);
        if let Answer::GoAway(reason) = answer {
            connection.abrupt_shutdown(reason);
            continue;
        }
        tokio::spawn(reply(request, respond, answer));
    }
}

async fn reply(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    answer: Answer,
) -> Result<(), h2::Error> {
    let mut body = request.into_body();
    // A refusal does not wait for the end of the questions.
    if !matches!(answer, Answer::Trailers(..)) {
        while let Some(data) = body.data().await {
            body.flow_control().release_capacity(data?.len())?;
        }
    }
    let head = |status: u16, content: &str| {
        Response::builder().status(status).header("content-type", content).body(()).unwrap()
    };
    match answer {
        Answer::Http(status, content) => drop(respond.send_response(head(status, content), true)?),
        Answer::Bytes(bytes, pieces, status) => {
            let mut stream = respond.send_response(head(200, "application/grpc+proto"), false)?;
            for piece in bytes.chunks(pieces) {
                stream.send_data(Bytes::from_static(piece), false)?;
            }
            match status {
                Some(status) => {
                    let mut trailers = HeaderMap::new();
                    trailers.insert("grpc-status", HeaderValue::from_static(status));
                    stream.send_trailers(trailers)?;
                }
                None => stream.send_data(Bytes::new(), true)?,
            }
        }
        Answer::Trailers(status, message) => {
            let mut head = head(200, "application/grpc");
            head.headers_mut().insert("grpc-status", HeaderValue::from_static(status));
            head.headers_mut().insert("grpc-message", HeaderValue::from_static(message));
            respond.send_response(head, true)?;
        }
        Answer::Reset(reason) => respond.send_reset(reason),
        Answer::GoAway(_) => {}
        Answer::Never => drop(std::future::poll_fn(|context| respond.poll_reset(context)).await?),
    }
    Ok(())
}
