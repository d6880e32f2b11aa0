//! How does a connection come about, and a call go over it?

use std::ops::Deref;
use std::rc::Rc;

use futures_util::future::try_join_all;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, Error, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::names::Nonce;
use crate::token::token;

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
        let (client, connection) = config.connect(tls.clone()).await?;
        // Its error is that of the call which meets it.
        let driver = tokio::task::spawn_local(async move { drop(connection.await) });
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

/// A connection with the statements of a run.
pub struct Connection {
    wire: Wire,
    read: Statement,
    write: Statement,
}

impl Connection {
    /// Connects and prepares the statements.
    ///
    /// # Errors
    /// Why that was not possible.
    pub async fn open(config: &Config, tls: &MakeRustlsConnect, run: &Nonce) -> Result<Rc<Self>, Error> {
        let wire = Wire::open(config, tls).await?;
        let table = run.table();
        let read = wire.prepare(&format!("SELECT token FROM {table} WHERE id = $1")).await?;
        let write = wire.prepare(&format!("UPDATE {table} SET writes = writes + 1 WHERE id = $1")).await?;
        Ok(Rc::new(Self { wire, read, write }))
    }

    /// So many of them, all at a time.
    ///
    /// # Errors
    /// Why one of them could not be opened.
    pub async fn open_all(
        n: u32,
        config: &Config,
        tls: &MakeRustlsConnect,
        run: &Nonce,
    ) -> Result<Vec<Rc<Self>>, Error> {
        try_join_all((0..n).map(|_| Self::open(config, tls, run))).await
    }

    /// Reads row `row`. What is wrong with the answer, if something is.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn read(&self, row: u64) -> Result<Option<&'static str>, Error> {
        let Some(found) = self.wire.query_opt(&self.read, &[&row.cast_signed()]).await? else {
            return Ok(Some("the row is not there"));
        };
        let right = found.try_get::<_, i64>(0)? == token(row);
        Ok((!right).then_some("the row holds another value than the run has put there"))
    }

    /// Writes row `row`. What is wrong with the answer, if something is.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn write(&self, row: u64) -> Result<Option<&'static str>, Error> {
        let changed = self.wire.execute(&self.write, &[&row.cast_signed()]).await?;
        Ok((changed != 1).then_some("the row is not there to be written"))
    }
}
