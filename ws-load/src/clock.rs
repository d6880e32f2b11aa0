//! What is done about the server's clock? Found out before the run how far it is off, told behind it, and taken into account where
//! that is asked for.

use std::fmt;
use std::net::{SocketAddr, UdpSocket};
use std::str::FromStr;

use futures_util::{SinkExt as _, StreamExt as _};
use load_core::error::UsageError;
use load_core::protocol::Control;
use load_net::args::wrong;
use load_report::model::RunFile;
use load_suite::scope::Scope;
use load_suite::units;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::args::{Kind, Share};
use crate::heard::Rules;
use crate::offset::Ahead;
use crate::text::{Text, wall_ns};

/// Echoes by which `--clock-offset auto` asks.
const ASKED: u64 = 8;
/// Messages that are read for the answer to one of them.
const READ: usize = 1_000;

/// `--clock-offset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockOffset {
    /// The server is asked.
    Auto,
    /// The server's clock is ahead by so many ns.
    Given(i64),
}

impl FromStr for ClockOffset {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let (sign, rest) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text.strip_prefix('+').unwrap_or(text)),
        };
        let long = units::duration(rest)
            .map_err(|error| format!("{error}; or auto, or -250ms for a clock behind"))?;
        let ns = i64::try_from(long.as_nanos()).map_err(|_| "more than any clock is off".to_owned())?;
        Ok(Self::Given(sign * ns))
    }
}

impl fmt::Display for ClockOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Given(ns) => write!(f, "{}ms", *ns as f64 / 1e6),
        }
    }
}

/// Checks that the ages which `offset` changes are those of the server's messages.
///
/// # Errors
/// Users publish, or `auto` has nothing to ask with.
pub fn check(offset: Option<ClockOffset>, shares: &[Share], expects: bool) -> Result<(), UsageError> {
    let does = |kind| shares.iter().any(|share| share.kind == kind);
    match offset {
        Some(_) if does(Kind::Publish) => {
            let why = "what users publish has the time of this machine; leave publish out of --send";
            Err(wrong("--clock-offset", why))
        }
        Some(ClockOffset::Auto) if !does(Kind::Echo) || !expects => {
            let why = "auto asks by echoes with a time of the server in the answer; give --send echo, --message and --expect-text";
            Err(wrong("--clock-offset", why))
        }
        _ => Ok(()),
    }
}

/// Asks the server for the time: `text` is sent, and a message with what is expected and another time than that in it is the answer.
/// Every question counts as a control call.
///
/// # Errors
/// Why the time is not known.
pub async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    text: &Text,
    rules: &Rules,
    control: &mut Control,
) -> Result<Ahead, &'static str> {
    let (gone, nothing) = ("the connection ended", "no answer has a time of its own");
    let mut known: Option<Ahead> = None;
    for number in 0..ASKED {
        let mut sent = Vec::new();
        let sent_ns = wall_ns();
        text.render(&Scope::numbered(number, 0, 0), &mut sent);
        let message = match String::from_utf8(sent.clone()) {
            Ok(text) if !rules.binary => Message::text(text),
            _ => Message::binary(sent.clone()),
        };
        control.calls += 1;
        socket.send(message).await.map_err(|_| gone)?;
        for _ in 0..READ {
            let content = socket.next().await.ok_or(gone)?.map_err(|_| gone)?.into_data();
            let came_ns = wall_ns();
            if rules.expect.as_ref().is_none_or(|text| text.find(&content).is_none()) {
                continue;
            }
            let said = rules.fields.read(&content).sent_ns;
            // An echo of our own time says nothing of the server's.
            if let Some(said_ns) = said.filter(|_| said != rules.fields.read(&sent).sent_ns) {
                let ahead = Ahead::by_stamp(sent_ns, came_ns, said_ns);
                // A message that had been sent before the question, perhaps.
                let together = known.map_or(Some(ahead), |known| known.and(ahead));
                known = Some(
                    together.ok_or("its answers contradict each other; is --expect-text in others, too?")?,
                );
            }
            break;
        }
    }
    known.ok_or(nothing)
}

/// What is known of the server's clock, and what is done about it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// How far it is ahead by the `Date` of the answer to the upgrade.
    pub date: Option<Ahead>,
    /// How far by its answers to echoes; none where it was not asked.
    pub answers: Option<Ahead>,
    /// What was asked for.
    pub offset: Option<ClockOffset>,
    /// The server is on this machine.
    pub is_here: bool,
}

impl Clock {
    /// Whether the server at `addresses` is on this machine.
    pub fn is_here(addresses: &[SocketAddr]) -> bool {
        // Only an address of this machine can be listened on.
        addresses.iter().all(|address| UdpSocket::bind((address.ip(), 0)).is_ok())
    }

    /// What ages are corrected by, in ns: the server's clock is taken to be ahead by this.
    pub fn correction_ns(&self) -> i64 {
        match self.offset {
            None => 0,
            Some(ClockOffset::Given(ns)) => ns,
            Some(ClockOffset::Auto) => self.answers.map_or(0, Ahead::middle_ns),
        }
    }

    /// What a reader should know of the ages in `run`.
    pub fn remark(&self, run: &RunFile) -> Option<String> {
        let aged = run.extras.iter().any(|extra| extra.name == "message_latency" && extra.count > 0);
        let ahead =
            run.counters.iter().any(|counter| counter.name == "timestamps_ahead" && counter.count > 0);
        if aged || ahead { self.said() } else { None }
    }

    fn said(&self) -> Option<String> {
        const DATE: &str = "by the Date of its answer to the upgrade";
        let corrected = "ages of pushed messages are corrected:";
        Some(match (self.offset, self.answers, self.date) {
            (Some(ClockOffset::Auto), Some(ahead), _) => {
                format!("{corrected} by its answers, the server's clock is {ahead}")
            }
            (Some(ClockOffset::Given(ns)), _, date) => {
                let given = Ahead { least_ns: ns, most_ns: ns };
                match date.filter(|date| ns < date.least_ns || ns > date.most_ns) {
                    None => format!("{corrected} by --clock-offset, the server's clock is {given}"),
                    Some(date) => format!(
                        "{corrected} by --clock-offset, the server's clock is {given}, but {DATE} it is {date}"
                    ),
                }
            }
            (_, _, Some(date)) if !date.may_be_none() => format!(
                "{DATE}, the server's clock is {date}; ages of pushed messages contain that, see --clock-offset"
            ),
            (_, _, Some(date)) if !self.is_here => format!(
                "{DATE}, the server's clock is {date}; ages of pushed messages contain the difference, see --clock-offset"
            ),
            (_, _, None) if !self.is_here => {
                "nothing tells how far the server's clock is off; ages of pushed messages contain that, see --clock-offset"
                    .into()
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    #[test]
    fn offsets_have_a_sign() {
        for (text, offset) in [
            ("auto", ClockOffset::Auto),
            ("250ms", ClockOffset::Given(250 * MS)),
            ("+1s", ClockOffset::Given(1_000 * MS)),
            ("-1.5s", ClockOffset::Given(-1_500 * MS)),
        ] {
            assert_eq!(text.parse(), Ok(offset), "{text}");
            assert_eq!(offset.to_string().parse(), Ok(offset), "{offset}");
        }
        for text in ["", "-", "soon", "--1s", "-auto"] {
            assert!(text.parse::<ClockOffset>().is_err(), "{text}");
        }
    }

    #[test]
    fn this_machine_knows_its_addresses() {
        let is_here = |address: &str| Clock::is_here(&[address.parse().unwrap()]);
        // Of the three, the second one is for documentation alone (RFC 5737).
        assert_eq!(
            (is_here("127.3.2.1:80"), is_here("192.0.2.1:80"), is_here("[::1]:80")),
            (true, false, true)
        );
    }

    #[test]
    fn only_what_is_known_is_said() {
        let clock = |offset, date: Option<(i64, i64)>, is_here| {
            let date = date.map(|(least, most)| Ahead { least_ns: least * MS, most_ns: most * MS });
            Clock { date, answers: None, offset, is_here }.said()
        };
        assert_eq!(clock(None, None, true), None, "one machine has one clock");
        assert_eq!(clock(None, Some((-500, 501)), true), None);
        for (offset, date, is_here, expected) in [
            (None, None, false, "nothing tells how far the server's clock is off"),
            (
                None,
                Some((-500, 501)),
                false,
                "0.5 ms ahead of this machine's, ±500.5 ms; ages of pushed messages contain",
            ),
            (None, Some((4_000, 5_000)), true, "4500.0 ms ahead of this machine's, ±500.0 ms; ages"),
            (
                Some(4_200),
                Some((4_000, 5_000)),
                true,
                "are corrected: by --clock-offset, the server's clock is 4200.0 ms ahead",
            ),
            (
                Some(-100),
                Some((4_000, 5_000)),
                true,
                "100.0 ms behind this machine's, ±0.0 ms, but by the Date",
            ),
        ] {
            let said = clock(offset.map(|ms: i64| ClockOffset::Given(ms * MS)), date, is_here).unwrap();
            assert!(said.contains(expected), "{said}");
        }
    }
}
