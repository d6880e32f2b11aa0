//! How is the server spoken to before and after the run, where no time is taken?

use std::ops::Deref;
use std::sync::{Mutex, PoisonError};

use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, Error, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

/// A client and the task that moves its bytes. Both end together, also with an answer still to come.
pub struct Wire {
    client: Client,
    driver: JoinHandle<()>,
}

impl Wire {
    /// Connects and logs in.
    ///
    /// # Errors
    /// Why that was not possible.
    pub async fn open(config: &Config, tls: &MakeRustlsConnect) -> Result<Self, Error> {
        // Its error is that of the call which meets it.
        let (client, driver) = if config.get_ssl_mode() == SslMode::Disable {
            let (client, connection) = config.connect(NoTls).await?;
            (client, tokio::task::spawn_local(async move { drop(connection.await) }))
        } else {
            let (client, connection) = config.connect(tls.clone()).await?;
            (client, tokio::task::spawn_local(async move { drop(connection.await) }))
        };
        Ok(Self { client, driver })
    }
}

impl Deref for Wire {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Keeps a client when its owner is dropped half way.
pub struct Kept<'a> {
    /// The client.
    pub wire: Option<Wire>,
    to: &'a Mutex<Option<Wire>>,
}

impl<'a> Kept<'a> {
    /// Puts `wire` to `to` when it is dropped.
    pub fn new(wire: Wire, to: &'a Mutex<Option<Wire>>) -> Self {
        Self { wire: Some(wire), to }
    }

    /// Its owner came to the end: nothing is kept.
    pub fn forget(mut self) {
        self.wire = None;
    }
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        *self.to.lock().unwrap_or_else(PoisonError::into_inner) = self.wire.take();
    }
}
