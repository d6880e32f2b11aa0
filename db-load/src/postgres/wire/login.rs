//! How does a connection come about? Socket, TLS, the password, and what the session begins with.

use std::future::poll_fn;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::{Poll, ready};

use bytes::BytesMut;
use load_net::connection::{Connection as Stream, Socket, Tls};
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::frontend;
use rustls::ClientConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_postgres::config::SslMode;

use super::cancel::{Canceller, Key};
use super::{Connection, Failure, Refusal};

/// How sessions begin.
#[derive(Clone)]
pub struct Login {
    /// Where servers may be, tried in this order.
    pub places: Vec<Place>,
    /// Whether TLS is spoken.
    pub mode: SslMode,
    /// Whom to trust.
    pub tls: Arc<ClientConfig>,
    /// The role.
    pub user: String,
    /// Its password.
    pub password: Option<Vec<u8>>,
    /// What the session begins with, as names and values: the database, say.
    pub settings: Vec<(String, String)>,
    /// Ends calls that are given up on the server, too.
    pub canceller: Arc<Canceller>,
}

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// At a host and port.
    Tcp(String, u16),
    /// At a Unix socket.
    Unix(PathBuf),
}

/// How a request that is under way is ended.
pub(super) struct Cancel {
    login: Arc<Login>,
    place: usize,
    key: Key,
}

impl Cancel {
    pub(super) fn send(self) {
        self.login.canceller.cancel(&self.login.places[self.place], self.key);
    }
}

impl Login {
    /// Connects and logs in.
    ///
    /// # Errors
    /// Why none of the places has let us in.
    pub async fn open(self: &Arc<Self>) -> Result<Connection, Failure> {
        let mut failed = Failure::Closed;
        for (index, place) in self.places.iter().enumerate() {
            match self.open_at(index, place).await {
                Ok(connection) => return Ok(connection),
                Err(failure) => failed = failure,
            }
        }
        Err(failed)
    }

    async fn open_at(self: &Arc<Self>, index: usize, place: &Place) -> Result<Connection, Failure> {
        let mut connection = Connection::over(self.reach(place).await?);
        let mut out = BytesMut::new();
        let settings = self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        frontend::startup_message(settings.chain([("user", self.user.as_str())]), &mut out)
            .map_err(Failure::Io)?;
        let mut scram = None;
        let mut key = None;
        loop {
            connection.out.extend_from_slice(&out);
            out.clear();
            let (tag, body) = connection.step().await?;
            match tag {
                b'R' => self.prove(&body, &mut scram, &mut out).await?,
                b'K' => key = Key::of(&body),
                b'E' => return Err(Failure::Refused(Box::new(Refusal::of(&body)))),
                b'Z' => break,
                // Parameters and notices.
                b'S' | b'N' => {}
                b'v' => return Err(Failure::Malformed("it wants another version of the protocol")),
                _ => return Err(Failure::Malformed("no login that a PostgreSQL server knows")),
            }
        }
        connection.cancel = key.map(|key| Cancel { login: Arc::clone(self), place: index, key });
        Ok(connection)
    }

    /// A connection, over TLS where the server speaks it and it is wanted.
    async fn reach(&self, place: &Place) -> Result<Stream, Failure> {
        let (host, port) = match place {
            Place::Unix(path) => {
                return Ok(Stream::Plain(Socket::unix(path).await.map_err(Failure::Io)?));
            }
            Place::Tcp(host, port) => (host.as_str(), *port),
        };
        let mut socket = Err(io::Error::from(io::ErrorKind::AddrNotAvailable));
        for address in tokio::net::lookup_host((host, port)).await.map_err(Failure::Io)? {
            socket = Socket::tcp(address, None).await;
            if socket.is_ok() {
                break;
            }
        }
        let mut socket = socket.map_err(Failure::Io)?;
        if self.mode == SslMode::Disable {
            return Ok(Stream::Plain(socket));
        }
        let mut request = BytesMut::new();
        frontend::ssl_request(&mut request);
        socket.write_all(&request).await.map_err(Failure::Io)?;
        let mut answer = [0];
        socket.read_exact(&mut answer).await.map_err(|_| Failure::Closed)?;
        if &answer != b"S" {
            if self.mode == SslMode::Prefer {
                return Ok(Stream::Plain(socket));
            }
            return Err(Failure::Tls(io::Error::other("the server does not speak TLS")));
        }
        let tls = Tls::named(&self.tls, host).map_err(|error| Failure::Tls(io::Error::other(error)))?;
        Stream::over(socket, Some(&tls)).await.map_err(Failure::Tls)
    }

    /// Answers a question for who we are.
    async fn prove(
        &self,
        body: &[u8],
        scram: &mut Option<ScramSha256>,
        out: &mut BytesMut,
    ) -> Result<(), Failure> {
        let (&kind, data) =
            body.split_first_chunk::<4>().ok_or(Failure::Malformed("a login without a kind"))?;
        let password = || {
            let refusal =
                Refusal { is_fatal: true, code: *b"28P01", message: "no password was given".into() };
            self.password.as_deref().ok_or_else(|| Failure::Refused(Box::new(refusal)))
        };
        let wrong = |_| Failure::Malformed("a server that does not know the password itself");
        match u32::from_be_bytes(kind) {
            0 => {}
            3 => frontend::password_message(password()?, out).map_err(Failure::Io)?,
            5 => {
                let salt = *data.first_chunk().ok_or(Failure::Malformed("a login without salt"))?;
                let hash = md5_hash(self.user.as_bytes(), password()?, salt);
                frontend::password_message(hash.as_bytes(), out).map_err(Failure::Io)?;
            }
            10 => {
                if !data.split(|&byte| byte == 0).any(|name| name == SCRAM_SHA_256.as_bytes()) {
                    return Err(Failure::Malformed("it asks for a proof other than SCRAM-SHA-256"));
                }
                let proof = scram.insert(ScramSha256::new(password()?, ChannelBinding::unsupported()));
                frontend::sasl_initial_response(SCRAM_SHA_256, proof.message(), out).map_err(Failure::Io)?;
            }
            11 => {
                let mut proof = scram.take().ok_or(Failure::Malformed("the second step of a login first"))?;
                // Milliseconds of hashing, which must not hold the worker.
                let data = data.to_vec();
                let proven = tokio::task::spawn_blocking(move || proof.update(&data).map(|()| proof)).await;
                let proof = proven.map_err(|error| Failure::Io(io::Error::other(error)))?.map_err(wrong)?;
                frontend::sasl_response(proof.message(), out).map_err(Failure::Io)?;
                *scram = Some(proof);
            }
            12 => {
                let proof = scram.as_mut().ok_or(Failure::Malformed("the third step of a login first"))?;
                proof.finish(data).map_err(wrong)?;
            }
            _ => return Err(Failure::Malformed("it asks for a proof that is not supported (Kerberos, say)")),
        }
        Ok(())
    }
}

impl Connection {
    /// Sends what there is and reads one message.
    async fn step(&mut self) -> Result<(u8, Vec<u8>), Failure> {
        let message = poll_fn(|context| {
            self.poll_write(context).map_err(Failure::Io)?;
            loop {
                if let Some((tag, body)) = self.message(true)? {
                    return Poll::Ready(Ok((tag, body.to_vec())));
                }
                ready!(self.poll_read(context))?;
            }
        })
        .await?;
        self.out.clear();
        self.sent = 0;
        Ok(message)
    }
}
