//! What does a URL say? Scheme, host, port and target, as the user wrote them.
//!
//! The target is sent as written, with its `{{...}}`: no path is normalised and nothing but non-ASCII is encoded,
//! because a load test must be able to send what a client in the field sends.

use std::net::{IpAddr, Ipv6Addr};

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::redact;

/// Controls are refused before; what is left to encode is not ASCII.
const NOTHING_ELSE: &AsciiSet = CONTROLS;

/// The schemes that a tool takes: without and with TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schemes {
    /// Over TCP.
    pub plain: &'static str,
    /// Over TLS.
    pub secure: &'static str,
}

impl Schemes {
    /// RFC 9110.
    pub const HTTP: Self = Self { plain: "http", secure: "https" };
    /// RFC 6455.
    pub const WS: Self = Self { plain: "ws", secure: "wss" };
}

/// An absolute URL, without its fragment.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    /// The scheme, in small letters.
    pub scheme: &'static str,
    /// The scheme is the one with TLS.
    pub secure: bool,
    /// Name or address, without brackets.
    pub host: String,
    /// The port, given or implied.
    pub port: u16,
    /// Host and, unless it is the scheme's own, port: the `Host` header.
    pub authority: String,
    /// Path and query, with `{{...}}` as written.
    pub target: String,
    /// User and password, as written before the `@`.
    pub userinfo: Option<String>,
}

impl Url {
    /// Parses `text`.
    ///
    /// # Errors
    /// What is wrong and what was expected; never with the text itself, which may hold a password.
    pub fn parse(text: &str, schemes: Schemes) -> Result<Self, String> {
        let Schemes { plain, secure } = schemes;
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| format!("no scheme; expected {plain}://HOST[:PORT]/PATH or {secure}://..."))?;
        let (scheme, secure) = match scheme.to_ascii_lowercase() {
            scheme if scheme == plain => (plain, false),
            scheme if scheme == secure => (secure, true),
            other => return Err(format!("scheme {other:?}; expected {plain} or {secure}")),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        let (userinfo, address) = match authority.rsplit_once('@') {
            Some((userinfo, address)) => (Some(userinfo.to_owned()), address),
            None => (None, authority),
        };
        let (host, port) = split_port(address)?;
        let default = if secure { 443 } else { 80 };
        let port = port.unwrap_or(default);
        let bracketed = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let authority = if port == default { bracketed } else { format!("{bracketed}:{port}") };
        Ok(Self { scheme, secure, host, port, authority, target: target_of(target)?, userinfo })
    }

    /// The URL without user, password and the values of parameters that look like secrets.
    pub fn label(&self) -> String {
        format!("{}://{}{}", self.scheme, self.authority, redact::target(&self.target))
    }

    /// The address, when the host is one.
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// User and password, decoded.
    pub fn credentials(&self) -> Option<(String, String)> {
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let userinfo = self.userinfo.as_deref()?;
        let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
        Some((decode(user), decode(password)))
    }
}

fn split_port(address: &str) -> Result<(String, Option<u16>), String> {
    let (host, port) = if let Some(rest) = address.strip_prefix('[') {
        let (host, port) = rest.split_once(']').ok_or("the address is not closed; expected [IPv6]:PORT")?;
        host.parse::<Ipv6Addr>().map_err(|_| format!("{host:?} in brackets; expected an IPv6 address"))?;
        (host, port.strip_prefix(':').or_else(|| port.is_empty().then_some("")))
    } else {
        match address.split_once(':') {
            Some((host, port)) => (checked_host(host)?, Some(port)),
            None => (checked_host(address)?, Some("")),
        }
    };
    let port = match port {
        Some("") => None,
        Some(digits) => Some(
            digits.parse().ok().filter(|&port: &u16| port > 0).ok_or("no such port; expected 1 to 65535")?,
        ),
        None => return Err("text after the bracket; expected [IPv6]:PORT".into()),
    };
    Ok((host.to_owned(), port))
}

fn checked_host(host: &str) -> Result<&str, String> {
    match host.chars().find(|c| !(c.is_ascii_alphanumeric() || "-._".contains(*c))) {
        _ if host.is_empty() => Err("no host; expected SCHEME://HOST[:PORT]/PATH".into()),
        Some(c) if !c.is_ascii() => Err(format!("{c:?} in the host; write the name in its xn-- form")),
        Some(c) => {
            Err(format!("{c:?} in the host; expected a name, an IPv4 address or an IPv6 address in brackets"))
        }
        None => Ok(host),
    }
}

/// Path and query: begins with a slash, has no fragment and nothing that would break the request line.
fn target_of(text: &str) -> Result<String, String> {
    let text = text.split('#').next().unwrap_or_default();
    let mut outside = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("{{") {
        outside.push_str(&rest[..at]);
        rest = rest[at..].split_once("}}").map_or("", |(_, rest)| rest);
    }
    outside.push_str(rest);
    if let Some(c) = outside.chars().find(|c| c.is_ascii_control() || *c == ' ') {
        return Err(format!("{c:?} in path or query; write it as %{:02X}", c as u32));
    }
    let slash = if text.starts_with('/') { "" } else { "/" };
    Ok(format!("{slash}{}", utf8_percent_encode(text, NOTHING_ELSE)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (bool, String, u16, String, String) {
        let url = Url::parse(text, Schemes::HTTP).unwrap();
        (url.secure, url.host, url.port, url.authority, url.target)
    }

    #[test]
    fn parts_are_as_written() {
        let plain = (false, "h".into(), 80, "h".into(), "/".into());
        assert_eq!(parts("http://h"), plain);
        assert_eq!(parts("HTTP://h:80#top"), plain);
        assert_eq!(
            parts("https://a.b:8443/x/../y?q=1#f"),
            (true, "a.b".into(), 8443, "a.b:8443".into(), "/x/../y?q=1".into())
        );
        assert_eq!(parts("http://[::1]:81?q"), (false, "::1".into(), 81, "[::1]:81".into(), "/?q".into()));
        assert_eq!(parts("http://h/{{ seq }}/ä?k={{vu}}").4, "/{{ seq }}/%C3%A4?k={{vu}}");
        assert_eq!(Url::parse("http://[::1]/", Schemes::HTTP).unwrap().ip(), Some("::1".parse().unwrap()));
    }

    #[test]
    fn user_and_password_are_decoded_and_never_shown() {
        let url = Url::parse("http://bob:p%40ss@h:1/x?token=abc&k={{seq}}", Schemes::HTTP).unwrap();
        assert_eq!(url.credentials(), Some(("bob".into(), "p@ss".into())));
        assert_eq!(url.label(), "http://h:1/x?token=***&k={{seq}}");
    }

    #[test]
    fn mistakes_say_what_was_expected() {
        for (text, contains) in [
            ("localhost:80", "no scheme"),
            ("ftp://h/", "expected http or https"),
            ("http:///x", "no host"),
            ("http://{{vu}}.h/", "'{' in the host"),
            ("http://h:99999/", "1 to 65535"),
            ("http://h:0/", "1 to 65535"),
            ("http://[::g]/", "expected an IPv6 address"),
            ("http://[::1]x/", "after the bracket"),
            ("http://bücher.de/", "xn--"),
            ("http://h/a b", "write it as %20"),
            ("http://h/a\r\nX: y", "write it as %0D"),
        ] {
            let error = Url::parse(text, Schemes::HTTP).err().unwrap();
            assert!(error.contains(contains), "{text}: {error}");
        }
    }
}
