//! Where does a redirect lead, and may it? RFC 9110, section 15.4, as curl follows it, but to no host that was not named.

use std::str::FromStr;

use url::Url;

use crate::redact;

/// The flags about redirects.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct RedirectArgs {
    /// Follow so many redirects in one call; by default the redirect itself is the answer.
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "HTTP")]
    pub max_redirects: u32,
    /// Other hosts to which redirects may lead, by any scheme: HOST or HOST:PORT.
    #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = "HTTP")]
    pub redirect_hosts: Vec<AllowedHost>,
}

/// A host that may be asked, at one port or at any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedHost {
    /// Name or address, without brackets.
    pub host: String,
    port: Option<u16>,
}

/// Who is asked: nothing goes to another one by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Over TLS.
    pub secure: bool,
    /// Name or address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl FromStr for AllowedHost {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The parser of URLs knows what a host is.
        let url = Url::parse(&format!("http://{text}/")).ok().filter(|url| url.as_str().len() >= text.len());
        let origin = url.as_ref().and_then(Origin::of).filter(|_| !text.contains(['/', '@', '?', '#']));
        let origin = origin.ok_or("expected HOST or HOST:PORT, IPv6 in brackets")?;
        let has_port = !text.ends_with(']') && text.contains(':');
        Ok(Self { host: origin.host, port: has_port.then_some(origin.port) })
    }
}

impl Origin {
    /// Who `url` is about; none unless it is http or https.
    pub fn of(url: &Url) -> Option<Self> {
        let secure = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
        Some(Self { secure, host, port: url.port_or_known_default()? })
    }

    /// Who the target of a run is.
    pub fn of_target(url: &crate::url::Url) -> Option<Self> {
        Url::parse(&format!("{}://{}", url.scheme, url.authority)).ok().as_ref().and_then(Self::of)
    }
}

/// Whether the answer says that something is elsewhere.
pub fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// Whether the request to where this answer leads is a GET without a body: 303 always, 301 and 302 after a POST.
pub fn becomes_get(status: u16, method: &[u8]) -> bool {
    match status {
        303 => !matches!(method, b"GET" | b"HEAD"),
        301 | 302 => method == b"POST",
        _ => false,
    }
}

/// Where a redirect from `here` with this `location` leads.
///
/// # Errors
/// It is no URL, or leads to a host that is neither the `first` one nor one of the `allowed`.
pub fn next(here: &Url, location: &str, first: &Origin, allowed: &[AllowedHost]) -> Result<Url, String> {
    let mut url =
        here.join(location).map_err(|error| format!("a redirect with a Location that is no URL: {error}"))?;
    url.set_fragment(None);
    let Some(to) = Origin::of(&url) else {
        return Err(format!("a redirect to {}:, which is not http", url.scheme()));
    };
    let is_allowed = |other: &AllowedHost| {
        other.host.eq_ignore_ascii_case(&to.host) && other.port.is_none_or(|port| port == to.port)
    };
    if to == *first || allowed.iter().any(is_allowed) {
        return Ok(url);
    }
    let (host, port) = (url.host_str().unwrap_or_default(), to.port);
    let is_known = allowed.iter().any(|other| other.host.eq_ignore_ascii_case(&to.host));
    let (another, allows) = if to.host == first.host && port == first.port {
        ("another scheme", host.to_owned())
    } else if to.host == first.host || is_known {
        ("another port", format!("{host}:{port}"))
    } else {
        ("another host", host.to_owned())
    };
    Err(format!(
        "a redirect to {}://{host}:{port}{}, which is {another}; --redirect-hosts {allows} allows it",
        url.scheme(),
        redact::target(&target(&url))
    ))
}

/// Path and query of `url`.
pub fn target(url: &Url) -> String {
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}

/// `Host` for `url`.
pub fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn led(from: &str, location: &str, allowed: &[&str]) -> Result<String, String> {
        let from = Url::parse(from).unwrap();
        let allowed: Vec<_> = allowed.iter().map(|text| text.parse().unwrap()).collect();
        next(&from, location, &Origin::of(&from).unwrap(), &allowed).map(String::from)
    }

    #[test]
    fn locations_are_resolved_against_where_they_came_from() {
        for (location, to) in [
            ("/x?y#z", "http://h:81/x?y"),
            ("x", "http://h:81/a/x"),
            ("../x/./y", "http://h:81/x/y"),
            ("?q", "http://h:81/a/b?q"),
            ("", "http://h:81/a/b?c"),
            ("//h:81/x", "http://h:81/x"),
            ("HTTP://H:81/x y", "http://h:81/x%20y"),
        ] {
            assert_eq!(led("http://h:81/a/b?c", location, &[]).as_deref(), Ok(to), "{location}");
        }
    }

    #[test]
    fn other_hosts_ports_and_schemes_have_to_be_named() {
        for location in ["http://g:81/", "http://h/", "https://h:81/", "//g/"] {
            let error = led("http://h:81/", location, &[]).unwrap_err();
            assert!(error.contains("--redirect-hosts"), "{error}");
        }
        assert!(led("http://h:81/", "https://g/", &["G"]).is_ok());
        assert!(led("http://h:81/", "https://g/", &["x", "g:443"]).is_ok());
        assert!(led("http://h:81/", "https://g/", &["g:80"]).is_err());
        assert!(led("http://h/", "http://[::1]:5/", &["[::1]"]).is_ok());
        let error = led("http://h/", "http://g/?token=hunter2", &[]).unwrap_err();
        assert_eq!(
            error,
            "a redirect to http://g:80/?token=***, which is another host; --redirect-hosts g allows it"
        );
        for (location, allowed, expected) in [
            ("http://h:82/", &[][..], "which is another port; --redirect-hosts h:82 allows it"),
            ("https://h:81/", &[], "which is another scheme; --redirect-hosts h allows it"),
            ("http://g:82/", &["g:83"], "which is another port; --redirect-hosts g:82 allows it"),
        ] {
            let error = led("http://h:81/", location, allowed).unwrap_err();
            assert!(error.ends_with(expected), "{location}: {error}");
        }
        assert_eq!(led("http://h/", "ftp://h/", &[]).unwrap_err(), "a redirect to ftp:, which is not http");
        assert!(led("http://h/", "http://", &[]).unwrap_err().contains("no URL"));
    }

    #[test]
    fn what_becomes_a_get_is_as_with_curl() {
        for (status, method, get) in [
            (301, "POST", true),
            (302, "POST", true),
            (302, "PUT", false),
            (303, "PUT", true),
            (303, "HEAD", false),
            (307, "POST", false),
            (308, "POST", false),
        ] {
            assert_eq!(becomes_get(status, method.as_bytes()), get, "{status} {method}");
        }
    }

    #[test]
    fn hosts_are_checked() {
        for text in ["", "a/b", "a@b", "http://a", "a:b", "a b"] {
            assert!(text.parse::<AllowedHost>().is_err(), "{text}");
        }
    }
}
