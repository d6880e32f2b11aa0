//! What is a message? The answer to an echo, pushed, come before, or none of these.

use std::num::NonZeroUsize;

use load_core::clock::Nanos;
use load_core::protocol::Probe;
use memchr::memmem::Finder;
use tokio_tungstenite::tungstenite::Message;
use xxhash_rust::xxh3::xxh3_64;

use crate::count;
use crate::stamp::Fields;
use crate::text::wall_ns;

/// How messages are told apart.
pub struct Rules {
    /// An answer contains this; without it, an answer equals what was sent.
    pub expect: Option<Finder<'static>>,
    /// Where a message says when it was sent, and which one it is.
    pub fields: Fields,
    /// Messages are sent as binary ones.
    pub binary: bool,
    /// Messages are sent in frames of at most so many bytes.
    pub fragment: Option<NonZeroUsize>,
}

/// What is known of a connection's messages.
#[derive(Default)]
pub(crate) struct Heard {
    /// What was sent to be echoed.
    pub(crate) sent: Vec<u8>,
    /// The last answer, by which a second one is known.
    answer: Vec<u8>,
    /// The number that the next pushed message should have.
    next: Option<u64>,
    /// What has come since the last call on the connection ended.
    come: Come,
    /// Since when nothing has come, until the first message.
    silent_since: Option<Nanos>,
}

/// Texts and binary messages that have come. Pushes come between calls, too: they count with the call that ends next.
#[derive(Default)]
pub(crate) struct Come {
    pub(crate) bytes: u64,
    pub(crate) messages: u32,
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Is {
    Answer,
    Pushed,
    Duplicate,
    Unexpected,
}

impl Heard {
    /// Nothing yet on a connection that was upgraded `at` this instant.
    pub(crate) fn since(at: Nanos) -> Self {
        Self { silent_since: Some(at), ..Self::default() }
    }

    /// What has come since this was asked last.
    pub(crate) fn come(&mut self) -> Come {
        std::mem::take(&mut self.come)
    }

    /// The connection is silent no longer.
    #[inline]
    pub(crate) fn stirred(&mut self, probe: &Probe<'_>) {
        if let Some(since) = self.silent_since.take() {
            probe.observe(count::FIRST_MESSAGE, probe.now().since(since));
        }
    }

    /// A text or binary message has come.
    pub(crate) fn came(&mut self, content: &[u8], probe: &Probe<'_>) {
        probe.count(count::RECEIVED, 1);
        self.stirred(probe);
        self.come.bytes += content.len() as u64;
        self.come.messages = self.come.messages.saturating_add(1);
    }

    /// Says what a message is and counts it.
    pub(crate) fn take(&mut self, rules: &Rules, content: &[u8], awaited: bool, probe: &Probe<'_>) -> Is {
        let came_ns = wall_ns();
        self.came(content, probe);
        let is = self.tell(rules, content, awaited, came_ns, probe);
        probe.count(is.counter(), 1);
        is
    }

    fn tell(&mut self, rules: &Rules, content: &[u8], awaited: bool, came_ns: i64, probe: &Probe<'_>) -> Is {
        let is_answer = match &rules.expect {
            Some(text) => text.find(content).is_some(),
            None => content == self.sent,
        };
        if awaited && is_answer {
            self.answer.clear();
            self.answer.extend_from_slice(content);
            return Is::Answer;
        }
        if !self.answer.is_empty() && content == self.answer {
            return Is::Duplicate;
        }
        self.pushed(&rules.fields, content, came_ns, probe).0
    }

    /// What a message is that nobody has asked for, by the time and the number in it, and its age in ns where that is known.
    pub(crate) fn pushed(
        &mut self,
        fields: &Fields,
        content: &[u8],
        came_ns: i64,
        probe: &Probe<'_>,
    ) -> (Is, Option<u64>) {
        let stamp = fields.read(content);
        let Some(sent_ns) = stamp.sent_ns else { return (Is::Unexpected, None) };
        if let Some(seq) = stamp.seq {
            let expected = self.next.unwrap_or(seq);
            if seq < expected {
                return (Is::Duplicate, None);
            }
            probe.count(count::MISSING, seq - expected);
            self.next = seq.checked_add(1);
        }
        let age = u64::try_from(came_ns.saturating_sub(sent_ns)).ok();
        match age {
            Some(age) => {
                probe.observe(count::LATENCY, age);
                if fields.fanout {
                    probe.fan_out(xxh3_64(content), age);
                }
            }
            None => probe.count(count::AHEAD, 1),
        }
        (Is::Pushed, age)
    }
}

impl Is {
    /// Where it is counted.
    pub(crate) fn counter(self) -> usize {
        match self {
            Self::Answer => count::ANSWERS,
            Self::Pushed => count::PUSHED,
            Self::Duplicate => count::DUPLICATE,
            Self::Unexpected => count::UNEXPECTED,
        }
    }
}

/// What a text or binary message holds.
pub(crate) fn content(message: &Message) -> &[u8] {
    match message {
        Message::Text(text) => text.as_bytes(),
        Message::Binary(bytes) => bytes,
        _ => &[],
    }
}
