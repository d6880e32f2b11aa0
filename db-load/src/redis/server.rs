//! Which server is meant, and how does a session begin?

use std::path::Path;

use load_core::error::{PrepareError, UsageError};
use load_net::args::{TlsArgs, wrong};
use load_net::tls::client_config;
use load_net::url::{Schemes, Url};

use super::faults;
use super::wire::Connection;
use super::wire::login::Login;
use crate::target;

const EXAMPLE: &str = "redis://[USER@]HOST[:PORT][/DATABASE]";
const SCHEMES: Schemes = Schemes { plain: "redis", secure: "rediss" };
const PORT: u16 = 6379;

/// A server that was named.
pub struct Server {
    /// How sessions begin.
    pub login: Login,
    is_verified: bool,
    /// What must not be shown.
    pub secrets: Vec<String>,
}

impl Server {
    /// The server at `url`.
    ///
    /// # Errors
    /// What is wrong with the flags.
    pub fn new(
        given: Option<String>,
        password_file: Option<&Path>,
        tls: &TlsArgs,
        resp3: bool,
    ) -> Result<Self, UsageError> {
        let text = target::url(given, &["redis", "rediss"], EXAMPLE, "REDIS_URL")?;
        let unfit = |why: String| wrong("--url", format!("expected {EXAMPLE}: {why}"));
        let url = Url::parse(&text, SCHEMES).map_err(unfit)?;
        // A port that the URL does not name is ours, not that of the web.
        let is_named = text.split(['/', '?']).nth(2).is_some_and(|authority| {
            let address = authority.rsplit_once('@').map_or(authority, |(_, address)| address);
            address.rsplit_once(':').is_some_and(|(_, port)| port.parse() == Ok(url.port))
        });
        let (path, query) = url.target.split_once('?').unwrap_or((&url.target, ""));
        let database = match path.trim_start_matches('/') {
            "" => 0,
            number => {
                number.parse().map_err(|_| unfit("a database is a number, 0 for the first".to_owned()))?
            }
        };
        let resp3 = match query {
            "" | "protocol=resp2" => resp3,
            "protocol=3" | "protocol=resp3" => true,
            _ => return Err(unfit("its query may say protocol=resp3 and nothing else".to_owned())),
        };
        let (mut user, mut password) = (None, target::password(password_file)?);
        let secrets = target::secrets(&text, password.as_deref());
        if let Some((name, given)) = url.credentials() {
            user = Some(name).filter(|name| !name.is_empty());
            password = password.or(Some(given)).filter(|password| !password.is_empty());
        }
        let login = Login {
            host: url.host.clone(),
            port: if is_named { url.port } else { PORT },
            tls: url.secure.then(|| client_config(&tls.settings(), &[])).transpose()?,
            user,
            password,
            database,
            resp3,
        };
        Ok(Self { login, is_verified: !tls.insecure, secrets })
    }

    /// A session for what is done before and after the run.
    ///
    /// # Errors
    /// Why there is none, in one line.
    pub async fn open(&self) -> Result<Connection, PrepareError> {
        target::soon(self.login.open(), &self.label(), "Redis", faults::explain_first).await
    }

    /// How far the server is trusted, for the record.
    pub fn trust(&self) -> &'static str {
        match (&self.login.tls, self.is_verified) {
            (None, _) => "off",
            (Some(_), true) => "verified",
            (Some(_), false) => "NOT VERIFIED (--insecure)",
        }
    }

    /// Where it is, without user and password.
    pub fn label(&self) -> String {
        let Login { host, port, database, tls, .. } = &self.login;
        let scheme = if tls.is_some() { SCHEMES.secure } else { SCHEMES.plain };
        if host.contains(':') {
            format!("{scheme}://[{host}]:{port}/{database}")
        } else {
            format!("{scheme}://{host}:{port}/{database}")
        }
    }
}
