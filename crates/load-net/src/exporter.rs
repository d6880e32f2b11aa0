//! Who reads the page of an exporter? One GET over a connection of its own, each time anew: no redirects, no proxy, no more than 8 MiB.
//!
//! It is a second's work of nobody: what it costs is not on the way of any call.

use std::io;
use std::sync::Arc;

use load_core::error::UsageError;
use load_core::sample::{Exporter, Page};
use load_report::fault::FaultKind;
use tokio::net::lookup_host;

use crate::args::{TlsArgs, basic};
use crate::connection::{Connection, NoConnection, Tls};
use crate::http::codec::Broken;
use crate::http::session::{Failure, Session, Wire};
use crate::redact::Collector;
use crate::tls;
use crate::url::{Schemes, Url};

/// Largest page, bytes: that of `node_exporter` has about 100 KiB.
const MAX_PAGE: u64 = 8 << 20;

/// A page of an exporter.
struct Reader {
    url: Url,
    tls: Option<Tls>,
    request: Vec<u8>,
    secrets: Vec<String>,
}

/// Who reads the page at `url`, trusting whom `tls` says, with a bearer `token` or what the URL has of user and password.
///
/// # Errors
/// The URL is none.
pub fn exporter(url: &str, token: Option<&str>, tls: &TlsArgs) -> Result<Arc<dyn Exporter>, UsageError> {
    // Without the URL itself, which may hold a secret.
    let wrong = |why: String| UsageError::new(format!("{why}; expected a URL like http://HOST:9100/metrics"));
    let url = Url::parse(url, Schemes::HTTP).map_err(wrong)?;
    if url.target.contains("{{") {
        return Err(wrong("{{ in the path, which does not vary".into()));
    }
    let token = token.map(|token| format!("Bearer {token}"));
    let authorization = token.or_else(|| url.credentials().map(|(user, password)| basic(&user, &password)));
    let mut request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: quintet/{}\r\nAccept: text/plain;version=0.0.4, application/json;q=0.9, */*;q=0.1\r\nConnection: close\r\n",
        url.target,
        url.authority,
        env!("CARGO_PKG_VERSION")
    );
    let mut secrets = Collector::default();
    secrets.add_url(&url);
    if let Some(value) = authorization {
        if http::HeaderValue::from_str(&value).is_err() {
            return Err(UsageError::new("the token has a line break or a control character"));
        }
        secrets.add_header("authorization", &value);
        request.extend(["Authorization: ", &value, "\r\n"]);
    }
    request.push_str("\r\n");
    let tls = tls.tls(&url, &[b"http/1.1"])?;
    Ok(Arc::new(Reader { url, tls, request: request.into(), secrets: secrets.into_values() }))
}

impl Exporter for Reader {
    fn label(&self) -> String {
        self.url.label()
    }

    fn secrets(&self) -> Vec<String> {
        self.secrets.clone()
    }

    fn read(&self) -> Page<'_> {
        Box::pin(async {
            let connection = self.connect().await?;
            let mut page = Vec::new();
            let mut sink = |piece: &[u8]| page.extend_from_slice(piece);
            let wire = Wire { bytes: &self.request, head_only: false, closes: true };
            let mut session = Session::new(connection, MAX_PAGE);
            let exchanged = session.send(wire, &mut sink, &mut ()).await;
            session.close().await;
            match exchanged.result {
                Ok(answer) if answer.status == 200 => Ok(page),
                Ok(answer) => Err(format!("status {} instead of 200", answer.status)),
                Err(failure) => Err(explain(failure)),
            }
        })
    }
}

impl Reader {
    /// A connection to the first address that takes one.
    async fn connect(&self) -> Result<Connection, String> {
        let found = lookup_host((self.url.host.as_str(), self.url.port)).await;
        let mut why = "the name has no address".to_owned();
        for address in found.map_err(|error| error.to_string())? {
            match Connection::open(address, self.tls.as_ref()).await {
                Ok(connection) => return Ok(connection),
                Err(NoConnection::Tcp(error)) => why = said(&error),
                Err(NoConnection::Tls(error)) => why = tls::explain(&error),
            }
        }
        Err(why)
    }
}

fn said(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::ConnectionRefused {
        "connection refused".into()
    } else {
        error.to_string()
    }
}

fn explain(failure: Failure) -> String {
    match failure {
        Failure::Io(error) => said(&error),
        Failure::Broken(Broken { kind: FaultKind::TooLarge, .. }, _) => "more than 8 MiB".into(),
        Failure::Broken(broken, _) | Failure::Answered(broken) => broken.what.into(),
        Failure::Told(_, why) => why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    /// What is read where this is answered, and what was asked.
    fn asked(
        answer: &'static [u8],
        credentials: &str,
        token: Option<&str>,
    ) -> (Result<Vec<u8>, String>, String) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let url = format!("http://{credentials}{address}/metrics?x=1");
            let exporter = exporter(&url, token, &TlsArgs::default()).unwrap();
            assert_eq!(exporter.label(), format!("http://{address}/metrics?x=1"));
            let serve = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    stream.read_buf(&mut request).await.unwrap();
                }
                // Whoever has had enough of it hangs up.
                let _ = stream.write_all(answer).await;
                String::from_utf8(request).unwrap()
            };
            tokio::join!(exporter.read(), serve)
        })
    }

    #[test]
    fn a_page_is_read_to_its_end() {
        let (page, request) = asked(b"HTTP/1.1 200 OK\r\n\r\na 1\n", "", None);
        assert_eq!(page.unwrap(), b"a 1\n");
        assert!(request.starts_with("GET /metrics?x=1 HTTP/1.1\r\n") && !request.contains("Authorization"));
        let chunked =
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\na \r\n2\r\n1\n\r\n0\r\n\r\n";
        let (page, request) = asked(chunked, "bob:p%40ss@", None);
        assert_eq!(page.unwrap(), b"a 1\n");
        assert!(request.contains(&format!("Authorization: {}\r\n", basic("bob", "p@ss"))), "{request}");
        let (_, request) = asked(b"HTTP/1.1 200 OK\r\n\r\n", "bob:pass@", Some("abc"));
        assert!(request.contains("Authorization: Bearer abc\r\n"), "{request}");
    }

    #[test]
    fn whoever_answers_otherwise_has_no_page() {
        for (answer, why) in [
            (&b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"[..], "status 404"),
            (b"HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n", "status 302"),
            (b"HTTP/1.1 200 OK\r\ncontent-length: 9000000\r\n\r\n", "more than 8 MiB"),
            (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\na", "closed"),
            (b"nonsense\r\n\r\n", ""),
        ] {
            let error = asked(answer, "", None).0.unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn mistakes_do_not_show_what_may_be_a_secret() {
        for url in ["bob:hunter2@h", "ftp://bob:hunter2@h/", "http://bob:hunter2@h/{{vu}}"] {
            let error = exporter(url, None, &TlsArgs::default()).err().unwrap().to_string();
            assert!(error.contains("expected a URL like") && !error.contains("hunter2"), "{error}");
        }
    }
}
