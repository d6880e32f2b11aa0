//! What is counted besides calls? The protocol's series and counters, by name.
//!
//! Of every connection and run: received = answers + pushed + duplicate + unexpected.

use load_report::model::ExtraPlan;

/// Series: the HTTP upgrade alone, without TCP and TLS.
pub const UPGRADE: usize = 0;
/// Series: the age of a message, from the time in it to its being read.
pub const LATENCY: usize = 1;
/// Series: TCP alone.
pub const TCP: usize = 2;
/// Series: the TLS handshake alone.
pub const TLS: usize = 3;
/// Series: from the upgrade to the first message.
pub const FIRST_MESSAGE: usize = 4;

/// Counter: texts and binary messages that came.
pub const RECEIVED: usize = 0;
/// Counter: those that were the answer to an echo.
pub const ANSWERS: usize = 1;
/// Counter: those that the server or another connection sent, with the time in them.
pub const PUSHED: usize = 2;
/// Counter: those that had come before.
pub const DUPLICATE: usize = 3;
/// Counter: those that are none of these.
pub const UNEXPECTED: usize = 4;
/// Counter: numbers that were left out among those pushed.
pub const MISSING: usize = 5;
/// Counter: messages from the future.
pub const AHEAD: usize = 6;
/// Counter: pings of the server.
pub const PINGS: usize = 7;

/// The series, in the order of their numbers.
pub fn series() -> Vec<ExtraPlan> {
    plans(&[
        ("upgrade", "From the upgrade request to its answer, after TCP and TLS; counts with the first call"),
        ("message_latency", "Age of pushed messages: from the time in them to their being read"),
        ("tcp", "To connect, without TLS and the upgrade; counts with the first call"),
        ("tls", "The TLS handshake; counts with the first call"),
        ("first_message", "From the upgrade to the first message that comes, an answer or one by itself"),
    ])
}

/// The counters, in the order of their numbers.
pub fn counters() -> Vec<ExtraPlan> {
    plans(&[
        (
            "messages_received",
            "Texts and binary messages that came: answers, pushed, duplicate and unexpected",
        ),
        ("messages_answers", "Answers to echoes"),
        ("messages_pushed", "Messages by the server or another connection, with the time in them"),
        ("messages_duplicate", "Messages that had come before"),
        ("messages_unexpected", "Messages that are neither an answer nor have a time in them"),
        ("messages_missing", "Numbers left out among the pushed messages of a connection"),
        ("timestamps_ahead", "Pushed messages whose time was still to come: the clocks differ"),
        ("pings_received", "Pings of the server; each is answered"),
    ])
}

fn plans(all: &[(&str, &str)]) -> Vec<ExtraPlan> {
    all.iter().map(|(name, help)| ExtraPlan { name: (*name).into(), help: (*help).into() }).collect()
}
