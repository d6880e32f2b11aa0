//! Where is the server, and how does a session begin?

use std::path::Path;
use std::sync::Arc;

use load_core::error::{PrepareError, UsageError};
use load_net::args::{TlsArgs, wrong};
use load_net::tls::{Settings, client_config};
use tokio_postgres::Config;
use tokio_postgres::config::{ChannelBinding, Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::faults;
use super::session::Wire;
use super::wire::login::{Login, Place};
use crate::target;

const EXAMPLE: &str = "postgres://USER@HOST[:PORT]/DATABASE";

/// A server that was named, and whom it may be.
pub struct Server {
    config: Config,
    tls: MakeRustlsConnect,
    /// How sessions that carry load begin.
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
    pub fn new(url: Option<String>, password_file: Option<&Path>, tls: &TlsArgs) -> Result<Self, UsageError> {
        let url = target::url(url, &["postgres", "postgresql"], EXAMPLE, "DATABASE_URL")?;
        let mut config: Config = url.parse().map_err(|error| wrong("--url", faults::explain(&error)))?;
        if config.get_hosts().is_empty() {
            return Err(wrong("--url", format!("no host; expected {EXAMPLE}")));
        }
        if config.get_channel_binding() == ChannelBinding::Require {
            return Err(wrong("--url", "channel_binding=require is not supported; leave it out"));
        }
        if let Some(password) = target::password(password_file)? {
            config.password(password);
        }
        if config.get_application_name().is_none() {
            config.application_name("quintet db-load");
        }
        if config.get_user().is_none() {
            let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
            config.user(user.map_err(|_| wrong("--url", format!("no user; expected {EXAMPLE}")))?);
        }
        if config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_))) {
            // PostgreSQL speaks no TLS there.
            config.ssl_mode(SslMode::Disable);
        }
        // Without TLS there is nobody to trust.
        let nobody = tls.insecure || config.get_ssl_mode() == SslMode::Disable;
        let trust = client_config(&Settings { insecure: nobody, ..tls.settings() }, &[])?;
        let password = config.get_password().map(|password| String::from_utf8_lossy(password).into_owned());
        let secrets = target::secrets(&url, password.as_deref());
        let login = login(&config, &trust);
        let tls_of_wire = MakeRustlsConnect::new((*trust).clone());
        Ok(Self { config, tls: tls_of_wire, login, is_verified: !tls.insecure, secrets })
    }

    /// A session for what is done before and after the run.
    ///
    /// # Errors
    /// Why there is none, in one line.
    pub async fn wire(&self) -> Result<Wire, PrepareError> {
        let open = Wire::open(&self.config, &self.tls);
        target::soon(open, &self.label(), "PostgreSQL", faults::explain_first).await
    }

    /// The role.
    pub fn user(&self) -> Option<&str> {
        self.config.get_user()
    }

    /// How far the server is trusted, for the record.
    pub fn trust(&self) -> &'static str {
        match (self.config.get_ssl_mode(), self.is_verified) {
            (SslMode::Disable, _) => "off",
            (_, false) => "NOT VERIFIED (--insecure)",
            (SslMode::Require, true) => "verified",
            (_, true) => "verified, where the server has it",
        }
    }

    /// Where it is, without user and password.
    pub fn label(&self) -> String {
        let places = self.login.places.iter().map(|place| match place {
            Place::Tcp(name, port) if name.contains(':') => format!("[{name}]:{port}"),
            Place::Tcp(name, port) => format!("{name}:{port}"),
            Place::Unix(path) => path.display().to_string(),
        });
        let places = places.collect::<Vec<_>>().join(",");
        let database = self.config.get_dbname().or(self.config.get_user()).unwrap_or_default();
        format!("postgres://{places}/{database}")
    }
}

fn login(config: &Config, trust: &Arc<rustls::ClientConfig>) -> Login {
    let ports = config.get_ports();
    let place = |(index, host): (usize, &Host)| {
        let port = ports.get(index).or(ports.first()).copied().unwrap_or(5432);
        match (config.get_hostaddrs().get(index), host) {
            (_, Host::Unix(folder)) => Place::Unix(folder.join(format!(".s.PGSQL.{port}"))),
            (Some(address), Host::Tcp(_)) => Place::Tcp(address.to_string(), port),
            (None, Host::Tcp(name)) => Place::Tcp(name.clone(), port),
        }
    };
    let user = config.get_user().unwrap_or_default();
    let mut settings = vec![("client_encoding".to_owned(), "UTF8".to_owned())];
    let given = [
        ("database", config.get_dbname()),
        ("options", config.get_options()),
        ("application_name", config.get_application_name()),
    ];
    settings.extend(given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))));
    Login {
        places: config.get_hosts().iter().enumerate().map(place).collect(),
        mode: config.get_ssl_mode(),
        tls: Arc::clone(trust),
        user: user.to_owned(),
        password: config.get_password().map(<[u8]>::to_vec),
        settings,
        canceller: Arc::default(),
    }
}
