//! How does a connection come about? Socket, TLS, the password, the version of the protocol and the database.

use std::io;
use std::rc::Rc;
use std::sync::Arc;

use load_net::connection::{Connection as Stream, Socket, Tls};
use rustls::ClientConfig;

use super::{Connection, Failure, Reply};

/// How sessions begin.
#[derive(Clone)]
pub struct Login {
    /// Name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whom to trust, where TLS is spoken.
    pub tls: Option<Arc<ClientConfig>>,
    /// Who we are; the server's `default` without a name.
    pub user: Option<String>,
    /// The password.
    pub password: Option<String>,
    /// Number of the database.
    pub database: u32,
    /// RESP3 is spoken.
    pub resp3: bool,
}

impl Login {
    /// Connects and logs in.
    ///
    /// # Errors
    /// Why that was not possible.
    pub async fn open(&self) -> Result<Connection, Failure> {
        let mut connection = Connection::over(self.reach().await?);
        let password = self.password.as_deref().map(str::as_bytes);
        match (self.resp3, self.user.as_deref().map(str::as_bytes), password) {
            (true, user, Some(password)) => {
                connection.push(&[b"HELLO", b"3", b"AUTH", user.unwrap_or(b"default"), password]);
            }
            (true, _, None) => connection.push(&[b"HELLO", b"3"]),
            (false, Some(user), Some(password)) => connection.push(&[b"AUTH", user, password]),
            (false, None, Some(password)) => connection.push(&[b"AUTH", password]),
            (false, _, None) => {}
        }
        if self.database != 0 {
            connection.push(&[b"SELECT", self.database.to_string().as_bytes()]);
        }
        let mut refusal = None;
        connection
            .settle(|reply| {
                if let Reply::Error(error) = reply {
                    refusal.get_or_insert_with(|| String::from_utf8_lossy(error).into_owned());
                }
            })
            .await?;
        refusal.map_or(Ok(connection), |refusal| Err(Failure::Refused(refusal)))
    }

    async fn reach(&self) -> Result<Stream, Failure> {
        let mut socket = Err(io::Error::from(io::ErrorKind::AddrNotAvailable));
        for address in tokio::net::lookup_host((self.host.as_str(), self.port)).await? {
            socket = Socket::tcp(address, None).await;
            if socket.is_ok() {
                break;
            }
        }
        let socket = socket?;
        let Some(config) = &self.tls else { return Ok(Stream::Plain(socket)) };
        let tls = |error| Failure::Tls(Rc::new(error));
        let named = Tls::named(config, &self.host).map_err(|error| tls(io::Error::other(error)))?;
        Stream::over(socket, Some(&named)).await.map_err(tls)
    }
}
