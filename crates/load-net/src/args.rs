//! Which flags do all tools with a URL have? Headers, tokens and trust, read and checked in one place.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use load_core::error::UsageError;

use crate::connection::Tls;
use crate::tls::{self, Settings};
use crate::url::Url;

/// Who is asking. No `Debug`: it is a secret.
#[derive(clap::Args, Clone, Default)]
pub struct TokenArgs {
    /// Bearer token; better from the environment or with --token-file, where no process list shows it.
    #[arg(long, value_name = "TOKEN", env = VARIABLE, hide_env_values = true, help_heading = "Target")]
    pub token: Option<String>,
    /// Bearer token, from a file; wins over --token.
    #[arg(long, value_name = "FILE", help_heading = "Target")]
    pub token_file: Option<PathBuf>,
}

/// Headers of requests. No `Debug`: some of them are secrets.
#[derive(clap::Args, Clone, Default)]
pub struct HeaderArgs {
    /// A header, as 'Name: value'; repeatable.
    #[arg(short = 'H', long = "header", value_name = "HEADER", help_heading = "Target")]
    pub headers: Vec<String>,
    /// User-Agent header [default: quintet-TOOL/VERSION].
    #[arg(long, value_name = "TEXT", help_heading = "Target")]
    pub user_agent: Option<String>,
    /// Who is asking.
    #[command(flatten)]
    pub token: TokenArgs,
    /// User of Basic authorisation, with --password-file; wins over the one in the URL and over a token.
    #[arg(
        long,
        value_name = "NAME",
        requires = "password_file",
        conflicts_with = "token_file",
        help_heading = "Target"
    )]
    pub basic_user: Option<String>,
    /// Password of --basic-user, from a file.
    #[arg(long, value_name = "FILE", requires = "basic_user", help_heading = "Target")]
    pub password_file: Option<PathBuf>,
}

/// Whom to trust.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct TlsArgs {
    /// Trust the certificates in this PEM file too: of CAs, or the server's own.
    #[arg(long, value_name = "FILE", help_heading = "Target")]
    pub cacert: Option<PathBuf>,
    /// Do not verify the server's certificate.
    #[arg(long, help_heading = "Target")]
    pub insecure: bool,
    /// Certificate of the client, PEM, its chain behind it.
    #[arg(long, value_name = "FILE", help_heading = "Target")]
    pub cert: Option<PathBuf>,
    /// Key of --cert, PEM, not encrypted [default: in the file of --cert].
    #[arg(long, value_name = "FILE", requires = "cert", help_heading = "Target")]
    pub key: Option<PathBuf>,
    /// Make a full TLS handshake for every connection; without it sessions are resumed.
    #[arg(long, help_heading = "Target")]
    pub no_tls_resumption: bool,
}

/// The variable of a token.
const VARIABLE: &str = "API_TOKEN";

impl TokenArgs {
    /// Where the token of calls comes from, in words: from here, or else from the suite, where `of_suite` says that it has one.
    pub fn told(&self, of_suite: bool) -> Option<String> {
        let given = self.token.as_ref().filter(|token| !token.is_empty());
        let source = match (&self.token_file, given) {
            (Some(_), _) => "--token-file",
            (None, Some(token)) if std::env::var(VARIABLE).is_ok_and(|set| set == *token) => VARIABLE,
            (None, Some(_)) => "--token",
            (None, None) => return of_suite.then(|| "of the suite".to_owned()),
        };
        Some(format!("{source}{}", if of_suite { ", instead of that of the suite" } else { "" }))
    }

    /// The token, if one was given.
    ///
    /// # Errors
    /// A file that cannot be read or holds none.
    pub fn bearer(&self) -> Result<Option<String>, UsageError> {
        let Some(file) = &self.token_file else {
            return Ok(self.token.clone().filter(|token| !token.is_empty()));
        };
        let text = String::from_utf8(read("--token-file", file)?).unwrap_or_default();
        match text.trim() {
            "" => Err(wrong(&format!("--token-file {}", file.display()), "expected a token as text")),
            token => Ok(Some(token.to_owned())),
        }
    }
}

impl HeaderArgs {
    /// The headers to send: the user's, and `Host`, `User-Agent` and `Authorization` where the user has none of the
    /// same name. `agent` is the default of the second.
    ///
    /// # Errors
    /// What is no header; never with the line itself, which may hold a secret.
    pub fn headers(&self, url: &Url, agent: &str) -> Result<Vec<(String, String)>, UsageError> {
        let given = self.headers.iter().map(|line| header(line)).collect::<Result<Vec<_>, _>>()?;
        let agent = self.user_agent.clone().unwrap_or_else(|| agent.to_owned());
        let mut ours = vec![("Host", url.authority.clone()), ("User-Agent", agent)];
        if let Some(value) = self.authorization(url)? {
            ours.push(("Authorization", value));
        }
        let mut all = Vec::new();
        for (name, value) in ours {
            if !given.iter().any(|(theirs, _)| theirs.eq_ignore_ascii_case(name)) {
                all.push(checked(name, &value)?);
            }
        }
        all.extend(given);
        Ok(all)
    }

    fn authorization(&self, url: &Url) -> Result<Option<String>, UsageError> {
        if let Some(login) = self.login()? {
            return Ok(Some(login));
        }
        if let Some(token) = self.token.bearer()? {
            return Ok(Some(format!("Bearer {token}")));
        }
        Ok(url.credentials().map(|(user, password)| basic(&user, &password)))
    }

    /// `--basic-user` with its password.
    fn login(&self) -> Result<Option<String>, UsageError> {
        let Some((user, file)) = self.basic_user.as_ref().zip(self.password_file.as_ref()) else {
            return Ok(None);
        };
        if user.contains(':') {
            return Err(wrong("--basic-user", "a name with a colon cannot be told from its password"));
        }
        let text = String::from_utf8(read("--password-file", file)?).unwrap_or_default();
        match text.trim_end_matches(['\r', '\n']) {
            "" => Err(wrong(&format!("--password-file {}", file.display()), "expected a password as text")),
            password => Ok(Some(basic(user, password))),
        }
    }
}

/// RFC 7617.
pub fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
}

impl TlsArgs {
    /// How TLS connections to `url` are made, if it asks for them; the protocols are offered by ALPN.
    ///
    /// # Errors
    /// A certificate file that is not one, a host that cannot have a certificate.
    pub fn tls(&self, url: &Url, protocols: &[&[u8]]) -> Result<Option<Tls>, UsageError> {
        if !url.secure {
            return Ok(None);
        }
        let config = tls::client_config(&self.settings(), protocols)?;
        Tls::named(&config, &url.host).map(Some).map_err(|error| wrong("--url", error))
    }

    /// What they say about the handshake.
    pub fn settings(&self) -> Settings<'_> {
        let key = self.key.as_deref().or(self.cert.as_deref());
        Settings {
            cacert: self.cacert.as_deref(),
            insecure: self.insecure,
            identity: self.cert.as_deref().zip(key),
            always_full: self.no_tls_resumption,
        }
    }

    /// For the record: whether certificates are verified.
    pub fn describe(&self, url: &Url) -> Option<&'static str> {
        url.secure.then_some(if self.insecure { "NOT VERIFIED (--insecure)" } else { "verified" })
    }
}

/// A mistake in what `flag` was given.
pub fn wrong(flag: &str, why: impl std::fmt::Display) -> UsageError {
    UsageError::new(format!("{flag}: {why}"))
}

/// The content of the `file` that `flag` names.
///
/// # Errors
/// Why it cannot be read.
pub fn read(flag: &str, file: &Path) -> Result<Vec<u8>, UsageError> {
    fs::read(file).map_err(|error| wrong(&format!("{flag} {}", file.display()), error))
}

fn header(line: &str) -> Result<(String, String), UsageError> {
    // Without the line itself, which may hold a secret.
    let (name, value) =
        line.split_once(':').ok_or_else(|| wrong("--header", "no colon; expected 'Name: value'"))?;
    if ["content-length", "transfer-encoding"].iter().any(|ours| name.trim().eq_ignore_ascii_case(ours)) {
        return Err(wrong("--header", format!("{} follows from the body; leave it out", name.trim())));
    }
    checked(name.trim(), value.trim())
}

fn checked(name: &str, value: &str) -> Result<(String, String), UsageError> {
    if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
        return Err(wrong("--header", format!("{name:?} is not a header name; expected 'Name: value'")));
    }
    if http::HeaderValue::from_bytes(value.as_bytes()).is_err() {
        return Err(wrong(
            "--header",
            format!("the value of {name} has a line break or a control character"),
        ));
    }
    Ok((name.to_owned(), value.to_owned()))
}
