//! Which way do connections take? Where they go instead of where the URL points, and from where they start.
//!
//! The URL stays what it is: its name is in `Host`, in the TLS handshake and in the check of the certificate.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use load_core::error::UsageError;
use load_core::protocol::LinkId;

use crate::local::{LocalArgs, LocalIps};
use crate::proxy::Proxy;

/// The flags about the way. No `Debug`: the proxy may have a password.
#[derive(clap::Args, Clone, Default)]
pub struct RouteArgs {
    /// Connect to HOST2:PORT2 where the URL says HOST1:PORT1; what is left empty is any, or the same. Repeatable.
    #[arg(long, value_name = "HOST1:PORT1:HOST2:PORT2", help_heading = "Connections")]
    pub connect_to: Vec<ConnectTo>,
    /// The addresses of HOST:PORT, instead of what its name resolves to; HOST may be *. Repeatable.
    #[arg(long, value_name = "HOST:PORT:ADDR[,ADDR]", help_heading = "Connections")]
    pub resolve: Vec<Resolve>,
    /// Where connections come from.
    #[command(flatten)]
    pub local: LocalArgs,
    /// Connect to this Unix socket, whatever the URL says.
    #[arg(
        long,
        value_name = "PATH",
        conflicts_with_all = ["connect_to", "resolve", "local_ips"],
        help_heading = "Connections"
    )]
    pub unix_socket: Option<PathBuf>,
    /// Go through this HTTP proxy, with a tunnel (CONNECT) where the target is https. No
    /// proxy is taken from the environment.
    #[arg(
        long,
        value_name = "http://[USER:PASSWORD@]HOST:PORT",
        conflicts_with_all = ["connect_to", "resolve", "unix_socket"],
        help_heading = "Connections"
    )]
    pub proxy: Option<String>,
}

/// The way, checked.
#[derive(Clone, Default)]
pub struct Route {
    args: RouteArgs,
    proxy: Option<Proxy>,
}

/// curl's `--connect-to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectTo {
    from: (Option<String>, Option<u16>),
    to: (Option<String>, Option<u16>),
}

/// curl's `--resolve`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolve {
    /// None for any.
    host: Option<String>,
    port: u16,
    addresses: Vec<IpAddr>,
}

/// Where a connection goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// To a Unix socket.
    Unix(PathBuf),
    /// To one of these.
    Addresses(Vec<SocketAddr>),
    /// To whatever this name resolves to.
    Name(String, u16),
}

impl RouteArgs {
    /// The way that they say.
    ///
    /// # Errors
    /// A proxy that is none.
    pub fn route(self) -> Result<Route, UsageError> {
        let proxy = self.proxy.as_deref().map(Proxy::parse).transpose()?;
        Ok(Route { args: self, proxy })
    }
}

impl Route {
    /// The proxy on the way.
    pub fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_ref()
    }

    /// The Unix socket that is asked instead.
    pub fn unix_socket(&self) -> Option<&Path> {
        self.args.unix_socket.as_deref()
    }

    /// The addresses to connect from; none for the system's choice.
    pub fn local_ips(&self) -> &[LocalIps] {
        &self.args.local.local_ips
    }

    /// Whether connections to `host` come from several addresses.
    pub fn spreads(&self, host: &str) -> bool {
        self.args.local.spreads(host)
    }

    /// Where connections for `host` and `port` go.
    pub fn way(&self, host: &str, port: u16) -> Way {
        let args = &self.args;
        if let Some(path) = &args.unix_socket {
            return Way::Unix(path.clone());
        }
        if let Some((host, port)) = self.proxy.as_ref().map(Proxy::place) {
            return Way::Name(host.to_owned(), port);
        }
        let (mut host, mut port) = (host.to_owned(), port);
        if let Some(rule) = args.connect_to.iter().find(|rule| rule.is_for(&host, port)) {
            host = rule.to.0.clone().unwrap_or(host);
            port = rule.to.1.unwrap_or(port);
        }
        match args.resolve.iter().find(|rule| rule.is_for(&host, port)) {
            Some(rule) => {
                Way::Addresses(rule.addresses.iter().map(|&address| (address, port).into()).collect())
            }
            None => Way::Name(host, port),
        }
    }

    /// The address from which `link` connects to `target`, one of so many `targets`; none for the system's choice. Links
    /// that share an address of the target differ in this one first.
    pub fn local(&self, link: LinkId, targets: usize, target: SocketAddr) -> Option<IpAddr> {
        self.args.local.pick(link, targets, target.ip())
    }

    /// What differs from the plain way, for the record.
    pub fn describe(&self) -> serde_json::Value {
        let list = |items: Vec<String>| (!items.is_empty()).then_some(items);
        serde_json::json!({
            "connect_to": list(self.args.connect_to.iter().map(ToString::to_string).collect()),
            "resolve": list(self.args.resolve.iter().map(ToString::to_string).collect()),
            "local_ips": list(self.args.local.local_ips.iter().map(ToString::to_string).collect()),
            "unix_socket": self.args.unix_socket,
            "proxy": self.proxy.as_ref().map(Proxy::label),
        })
    }
}

impl ConnectTo {
    fn is_for(&self, host: &str, port: u16) -> bool {
        self.from.0.as_ref().is_none_or(|from| from.eq_ignore_ascii_case(host))
            && self.from.1.is_none_or(|from| from == port)
    }
}

impl Resolve {
    fn is_for(&self, host: &str, port: u16) -> bool {
        self.host.as_ref().is_none_or(|of| of.eq_ignore_ascii_case(host)) && self.port == port
    }
}

impl FromStr for ConnectTo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected HOST1:PORT1:HOST2:PORT2, any of them empty, IPv6 in brackets";
        let parts = split(text).ok_or(EXPECTED)?;
        let [from, from_port, to, to_port] = parts[..] else { return Err(EXPECTED.into()) };
        let host = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let port = |text: &str| match text {
            "" => Ok(None),
            text => text.parse().ok().filter(|&port| port > 0).map(Some).ok_or(EXPECTED),
        };
        Ok(Self { from: (host(from), port(from_port)?), to: (host(to), port(to_port)?) })
    }
}

impl FromStr for Resolve {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected HOST:PORT:ADDR[,ADDR], or * as HOST";
        // curl's mark for an entry that may grow old; a run is too short for that.
        let text = text.strip_prefix('+').unwrap_or(text);
        let bracketed = text.strip_prefix('[').map(|inside| inside.split_once("]:"));
        let (host, rest) = bracketed.unwrap_or_else(|| text.split_once(':')).ok_or(EXPECTED)?;
        let (port, list) = rest.split_once(':').ok_or(EXPECTED)?;
        let port = port.parse().ok().filter(|&port| port > 0).ok_or(EXPECTED)?;
        let address = |text: &str| text.trim_matches(['[', ']']).parse().map_err(|_| EXPECTED);
        let addresses = list.split(',').map(address).collect::<Result<_, _>>()?;
        let host = match host {
            "" => return Err(EXPECTED.into()),
            "*" => None,
            host => Some(host.to_owned()),
        };
        Ok(Self { host, port, addresses })
    }
}

impl std::fmt::Display for ConnectTo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, (host, port)) in [&self.from, &self.to].into_iter().enumerate() {
            let host = host.as_deref().unwrap_or_default();
            let port = port.map(|port| port.to_string()).unwrap_or_default();
            let colon = if index > 0 { ":" } else { "" };
            if host.contains(':') {
                write!(f, "{colon}[{host}]:{port}")?;
            } else {
                write!(f, "{colon}{host}:{port}")?;
            }
        }
        Ok(())
    }
}

impl std::fmt::Display for Resolve {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list: Vec<_> = self.addresses.iter().map(ToString::to_string).collect();
        write!(f, "{}:{}:{}", self.host.as_deref().unwrap_or("*"), self.port, list.join(","))
    }
}

/// The parts between colons that are not in brackets; brackets are taken off.
fn split(text: &str) -> Option<Vec<&str>> {
    let (mut parts, mut rest) = (Vec::new(), text);
    loop {
        let (part, behind) = match rest.strip_prefix('[') {
            Some(inside) => inside.split_once(']')?,
            None => rest.split_at(rest.find(':').unwrap_or(rest.len())),
        };
        parts.push(part);
        match behind.strip_prefix(':') {
            Some(next) => rest = next,
            None => return behind.is_empty().then_some(parts),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(connect_to: &[&str], resolve: &[&str]) -> Route {
        let args = RouteArgs {
            connect_to: connect_to.iter().map(|text| text.parse().unwrap()).collect(),
            resolve: resolve.iter().map(|text| text.parse().unwrap()).collect(),
            ..RouteArgs::default()
        };
        args.route().unwrap()
    }

    #[test]
    fn connect_to_is_curls() {
        let name = |host: &str, port| Way::Name(host.into(), port);
        let plain = route(&["a:80:b:81"], &[]);
        assert_eq!(plain.way("A", 80), name("b", 81));
        assert_eq!(plain.way("a", 82), name("a", 82));
        assert_eq!(plain.way("c", 80), name("c", 80));
        assert_eq!(route(&["::b:"], &[]).way("x", 9), name("b", 9));
        assert_eq!(route(&[":::81"], &[]).way("x", 9), name("x", 81));
        assert_eq!(route(&["[::1]:80:[::2]:81"], &[]).way("::1", 80), name("::2", 81));
        assert_eq!(route(&["x:1:a:2", "x:1:b:3"], &[]).way("x", 1), name("a", 2));
    }

    #[test]
    fn resolve_is_curls_and_comes_behind_connect_to() {
        let two = Way::Addresses(vec!["127.0.0.1:81".parse().unwrap(), "[::1]:81".parse().unwrap()]);
        assert_eq!(route(&["a:80:b:81"], &["b:81:127.0.0.1,[::1]"]).way("a", 80), two);
        assert_eq!(route(&[], &["+*:81:127.0.0.1,::1"]).way("x", 81), two);
        assert_eq!(route(&[], &["b:81:127.0.0.1"]).way("b", 80), Way::Name("b".into(), 80));
        assert_eq!(route(&[], &["[::5]:81:127.0.0.1,::1"]).way("::5", 81), two);
    }

    #[test]
    fn what_is_shown_can_be_given_again() {
        for text in ["a:80:b:81", "::b:", "[::1]:80:[::2]:81"] {
            assert_eq!(text.parse::<ConnectTo>().unwrap().to_string(), text);
        }
        assert_eq!("*:1:::1,1.2.3.4".parse::<Resolve>().unwrap().to_string(), "*:1:::1,1.2.3.4");
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "a", "a:80", "a:80:b", "a:80:b:81:c", "a:x:b:81", "a:0:b:81", "[::1:80:b:81"] {
            assert!(text.parse::<ConnectTo>().is_err(), "{text}");
        }
        for text in ["", "a:80", "a:80:", "a:80:name", ":80:1.1.1.1", "a:x:1.1.1.1", "-a:80"] {
            assert!(text.parse::<Resolve>().is_err(), "{text}");
        }
    }
}
