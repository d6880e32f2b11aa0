//! How is a proxy asked? HTTP proxies: absolute targets for http, a tunnel (CONNECT, RFC 9110, section 9.3.6) for https.

use load_core::error::UsageError;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::args::{basic, wrong};
use crate::connection::Socket;
use crate::http::fields::status;
use crate::redact::Collector;
use crate::url::{Schemes, Url};

/// Longest head of an answer to CONNECT.
const MAX_HEAD: usize = 64 * 1024;

/// A proxy. No `Debug`: it may have a password.
#[derive(Clone)]
pub struct Proxy {
    url: Url,
}

/// Why there is no tunnel.
pub struct NoTunnel {
    /// The status with which the proxy refused; 0 when it did not answer.
    pub status: u16,
    /// What happened.
    pub why: String,
}

impl Proxy {
    /// Reads what `--proxy` says.
    ///
    /// # Errors
    /// What is wrong, never with the text itself.
    pub fn parse(text: &str) -> Result<Self, UsageError> {
        let wrong =
            |why: String| wrong("--proxy", format!("{why}; expected http://[USER:PASSWORD@]HOST:PORT"));
        let url = Url::parse(text, Schemes::HTTP).map_err(wrong)?;
        if url.secure || url.target != "/" {
            return Err(wrong("it is asked over plain HTTP and has no path".into()));
        }
        Ok(Self { url })
    }

    /// Host and port.
    pub fn place(&self) -> (&str, u16) {
        (&self.url.host, self.url.port)
    }

    /// Without user and password.
    pub fn label(&self) -> String {
        format!("http://{}", self.url.authority)
    }

    /// `Proxy-Authorization`, where the proxy wants to know who asks.
    pub fn authorization(&self) -> Option<String> {
        self.url.credentials().map(|(user, password)| basic(&user, &password))
    }

    /// Says what must not be shown.
    pub fn add_secrets(&self, all: &mut Collector) {
        all.add_url(&self.url);
    }

    /// The request for a tunnel to `host` and `port`.
    pub(crate) fn request(&self, host: &str, port: u16) -> Vec<u8> {
        let place = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let mut request = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n");
        if let Some(value) = self.authorization() {
            request.extend(["Proxy-Authorization: ", &value, "\r\n"]);
        }
        (request + "\r\n").into()
    }

    /// Makes a tunnel to `host` and `port` of `socket`, which leads to the proxy.
    ///
    /// # Errors
    /// The proxy refused, or did not answer.
    pub async fn tunnel(&self, socket: &mut Socket, host: &str, port: u16) -> Result<(), NoTunnel> {
        let failed = |error: std::io::Error| NoTunnel { status: 0, why: error.to_string() };
        socket.write_all(&self.request(host, port)).await.map_err(failed)?;
        let mut head = Vec::with_capacity(512);
        loop {
            let n = socket.read_buf(&mut head).await.map_err(failed)?;
            if let Some(result) = judge(&head, n == 0) {
                return result;
            }
        }
    }
}

/// Whether there is a tunnel, once that can be told of the head so far; `ended` when no more will come.
pub(crate) fn judge(head: &[u8], ended: bool) -> Option<Result<(), NoTunnel>> {
    let whole = head.windows(4).any(|window| window == b"\r\n\r\n");
    let refused = |status, why: &str| Some(Err(NoTunnel { status, why: why.into() }));
    match status(head) {
        200..=299 if head.ends_with(b"\r\n\r\n") => Some(Ok(())),
        200..=299 if whole => refused(0, "the proxy sent more than its answer to CONNECT"),
        _ if !whole && ended => refused(0, "the proxy closed the connection instead of an answer to CONNECT"),
        _ if !whole && head.len() > MAX_HEAD => refused(0, "the answer of the proxy to CONNECT has no end"),
        _ if !whole => None,
        0 => refused(0, "the answer of the proxy to CONNECT is not HTTP"),
        status => {
            let known = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
            let known = known.unwrap_or("(no name)");
            refused(status, &format!("the proxy answered CONNECT with status {status} {known}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_asked_for_a_tunnel() {
        let proxy = Proxy::parse("http://bob:p%40ss@proxy:3128").unwrap();
        let asked = String::from_utf8(proxy.request("::1", 443)).unwrap();
        assert_eq!(
            asked,
            "CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\nProxy-Authorization: Basic Ym9iOnBAc3M=\r\n\r\n"
        );
        assert_eq!((proxy.place(), proxy.label().as_str()), (("proxy", 3128), "http://proxy:3128"));
    }

    #[test]
    fn answers_are_told_apart() {
        let said = |text: &str, ended| {
            judge(text.as_bytes(), ended).map(|result| result.map_err(|no| (no.status, no.why)))
        };
        assert_eq!(said("HTTP/1.1 200 OK\r\n\r\n", false), Some(Ok(())));
        assert_eq!(said("HTTP/1.1 200 OK\r\n", false), None);
        for (text, status, why) in [
            ("HTTP/1.1 407 No\r\n\r\nbody", 407, "status 407 Proxy Authentication Required"),
            ("HTTP/1.1 200 OK\r\n\r\nx", 0, "more than its answer"),
            ("HTTP/1.1 200", 0, "closed the connection"),
            ("SSH-2.0\r\n\r\n", 0, "not HTTP"),
        ] {
            let (code, text) = said(text, true).unwrap().unwrap_err();
            assert!(code == status && text.contains(why), "{code} {text}");
        }
    }

    #[test]
    fn other_proxies_are_refused_without_the_password() {
        for text in
            ["socks5://bob:hunter2@h:1", "https://bob:hunter2@h:1", "http://bob:hunter2@h:1/x", "hunter2"]
        {
            let error = Proxy::parse(text).err().unwrap().to_string();
            assert!(error.contains("expected http://") && !error.contains("hunter2"), "{error}");
        }
    }
}
