//! Which flags does ws-load have of its own?

use std::fmt;
use std::str::FromStr;

use load_net::args::{HeaderArgs, TlsArgs};
use load_net::local::LocalArgs;
use load_suite::units;

use crate::clock::ClockOffset;

/// The flags of WebSockets. No `Debug`: some of them are secrets.
#[derive(clap::Args, Clone, Default)]
pub struct WsArgs {
    /// Target, ws or wss; {{vu}} may stand in its path and query and is the connection's number.
    #[arg(
        long,
        alias = "host",
        value_name = "URL",
        env = "WS_URL",
        hide_env_values = true,
        help_heading = "Target"
    )]
    pub url: Option<String>,
    /// What a user does in an iteration: echo, ping, publish or none, or several by weight, as echo=3,ping=1. With
    /// none it only listens; give --think then [default: echo].
    #[arg(long, alias = "mix", value_name = "LIST", value_delimiter = ',', help_heading = "WebSocket")]
    pub send: Vec<Share>,
    /// Message of an echo; {{seq}}, {{vu}}, {{iteration}} and {{timestamp}} (ms since 1970) are filled in [default: a
    /// JSON object with seq and timestamp].
    #[arg(long, value_name = "TEXT", help_heading = "WebSocket")]
    pub message: Option<String>,
    /// Message of a publish, which the server is to give to others [default: a JSON object of type broadcast].
    #[arg(long, value_name = "TEXT", help_heading = "WebSocket")]
    pub publish_message: Option<String>,
    /// Send binary messages instead of texts.
    #[arg(long, help_heading = "WebSocket")]
    pub binary: bool,
    /// Send messages in frames of at most so many bytes [default: each in one].
    #[arg(long, value_name = "BYTES", value_parser = units::count, help_heading = "WebSocket")]
    pub fragment: Option<u64>,
    /// The answer to an echo is the first message that contains this [default: the one that equals what was sent].
    #[arg(long, value_name = "TEXT", help_heading = "WebSocket")]
    pub expect_text: Option<String>,
    /// Field in which a message says when it was sent: s, ms, us or ns since 1970, or RFC 3339 [default: timestamp].
    #[arg(long, value_name = "NAME", help_heading = "WebSocket")]
    pub timestamp_field: Option<String>,
    /// Field that numbers what is pushed on a connection, by one each; an empty name looks at none [default: seq].
    #[arg(long, value_name = "NAME", help_heading = "WebSocket")]
    pub seq_field: Option<String>,
    /// How far the server's clock is ahead of this machine's, as 250ms or -1.5s: ages of pushed messages are corrected by
    /// it. With auto the server is asked, by echoes with its time in the answer [default: not corrected].
    #[arg(long, value_name = "D|auto", allow_hyphen_values = true, help_heading = "WebSocket")]
    pub clock_offset: Option<ClockOffset>,
    /// Tell messages that come to many connections apart by their content: their age with the first, the median and the last
    /// receiver, and how many received each.
    #[arg(long, help_heading = "WebSocket")]
    pub fanout: bool,
    /// Subprotocol to ask for; repeatable.
    #[arg(long, value_name = "NAME", help_heading = "WebSocket")]
    pub subprotocol: Vec<String>,
    /// Largest message, in bytes; a larger one is a fault [default: 16 MiB].
    #[arg(long, value_name = "BYTES", value_parser = units::count, help_heading = "WebSocket")]
    pub max_message: Option<u64>,
    /// Headers of the upgrade and who is asking.
    #[command(flatten)]
    pub headers: HeaderArgs,
    /// Whom to trust.
    #[command(flatten)]
    pub tls: TlsArgs,
    /// Where connections come from.
    #[command(flatten)]
    pub local: LocalArgs,
}

/// What a user does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Sends a message and waits for it to come back.
    Echo,
    /// Sends a ping and waits for the pong.
    Ping,
    /// Sends a message that the server gives to others.
    Publish,
    /// Sends nothing.
    None,
}

/// A kind and how often it is drawn, against the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// What.
    pub kind: Kind,
    /// How often; at least 1.
    pub weight: u32,
}

impl Kind {
    /// The name of the op.
    pub fn op(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Ping => "ping",
            Self::Publish => "publish",
            Self::None => "hold",
        }
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, weight) = text.split_once('=').unwrap_or((text, "1"));
        let kind = match name.trim() {
            "echo" => Kind::Echo,
            "ping" => Kind::Ping,
            "publish" => Kind::Publish,
            "none" => Kind::None,
            _ => return Err("expected echo, ping, publish or none, or several as echo=3,ping=1".into()),
        };
        match weight.trim().parse() {
            Ok(weight @ 1..=1_000_000) => Ok(Self { kind, weight }),
            _ => Err(format!("the weight of {name}: expected a number from 1 to 1000000")),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.kind.op(), self.weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_have_a_kind_and_a_weight() {
        assert_eq!("echo".parse(), Ok(Share { kind: Kind::Echo, weight: 1 }));
        assert_eq!("ping = 3".parse(), Ok(Share { kind: Kind::Ping, weight: 3 }));
        for text in ["", "pong", "echo=", "echo=0", "echo=x", "echo=-1"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
    }
}
