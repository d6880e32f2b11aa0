//! What survives a kill? The journal: one checked entry after the other, appended while the run goes on.
//!
//! Layout: the magic `QNTJRNL1`, then entries of `length: u32 LE`, `crc32c of the payload: u32 LE`, `payload:
//! postcard`. The first entry is the header, the last the footer; a journal without a footer is that of a killed
//! run and is good up to its last whole entry. The same entries travel from child process to parent.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::collect::Collector;
use crate::figures::Record;
use crate::gauge::Sample;
use crate::model::{End, Header, SCHEMA};
use crate::tally::Tally;

/// The first bytes of a journal.
pub const MAGIC: &[u8; 8] = b"QNTJRNL1";
/// No entry is longer, bytes: a longer length is damage, and is not allocated for.
pub const MAX_ENTRY: usize = 64 << 20;

/// One entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Entry {
    /// A [`Header`] as JSON, so that a later version can still say what it cannot read.
    Header(String),
    /// What one worker counted in one interval.
    Frame(Box<Frame>),
    /// What one process has used so far.
    Usage(Usage),
    /// The run ended by itself.
    Footer(Footer),
    /// One look at the gauges.
    Sample(Sample),
}

/// What one worker counted in one interval.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// Process, counted from 0.
    pub process: u32,
    /// Worker of that process, counted from 0.
    pub worker: u32,
    /// Begin, ns since time zero.
    pub from_ns: i64,
    /// End, ns since time zero.
    pub to_ns: i64,
    /// The most lanes in use at a time.
    pub vus: u32,
    /// Calls in flight at the end.
    pub in_flight: u32,
    /// The most connections open at a time.
    pub connections: u32,
    /// The worker had no idle time left in this interval.
    pub busy: bool,
    /// Time that the worker's thread was ready and waited for a CPU, ns.
    pub run_queue_ns: u64,
    /// The counts of this interval.
    pub tally: Tally,
}

/// What one process has used so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Process, counted from 0.
    pub process: u32,
    /// CPU, user and system, ns.
    pub cpu_ns: u64,
    /// Largest resident set, bytes.
    pub max_rss_bytes: u64,
    /// Largest jump of the wall clock, or pause of the machine, against `CLOCK_MONOTONIC`, ns.
    pub clock_jump_ns: u64,
    /// Calls made outside the schedule.
    pub control_calls: u64,
}

/// The last entry of a run that ended by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footer {
    /// How the run ended.
    pub end: End,
    /// Stopped by a signal.
    pub interrupted: bool,
    /// Workers and processes that were lost, in words.
    pub lost: Vec<String>,
}

/// Why a journal cannot be read at all. Damage after the header is no error: reading ends there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// Another kind of file.
    #[error("not a journal: it does not begin with {:?}", String::from_utf8_lossy(MAGIC))]
    Magic,
    /// Nothing can be recovered without the plan.
    #[error("the journal ends or is damaged before its header is complete")]
    NoHeader,
    /// Written by another version.
    #[error("the journal's header is not of schema {SCHEMA}: {0}")]
    Header(String),
}

/// The bytes of `entry`, ready to be appended. Children send other things than [`Entry`] in the same form.
///
/// # Panics
/// Never for the types of this crate: only for such as postcard cannot hold.
pub fn encode<T: Serialize>(entry: &T) -> Vec<u8> {
    #[expect(clippy::expect_used, reason = "serialising to memory fails only for types that postcard lacks")]
    let mut bytes = postcard::to_extend(entry, vec![0; 8]).expect("an entry is serialisable");
    let (length, crc) = ((bytes.len() - 8) as u32, crc32c::crc32c(&bytes[8..]));
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes[4..8].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// What the next bytes of a journal hold.
#[derive(Debug, PartialEq)]
pub enum Next<T> {
    /// A whole entry, and how many bytes it took.
    Entry(T, usize),
    /// The entry is not complete yet.
    Incomplete,
    /// Not an entry.
    Damaged,
}

/// Reads the entry at the beginning of `bytes`, which come after the magic.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Next<T> {
    let Some((head, rest)) = bytes.split_first_chunk::<8>() else { return Next::Incomplete };
    let word = |i: usize| u32::from_le_bytes([head[i], head[i + 1], head[i + 2], head[i + 3]]);
    let length = word(0) as usize;
    if length > MAX_ENTRY {
        return Next::Damaged;
    }
    let Some(payload) = rest.get(..length) else { return Next::Incomplete };
    if crc32c::crc32c(payload) != word(4) {
        return Next::Damaged;
    }
    postcard::from_bytes(payload).map_or(Next::Damaged, |entry| Next::Entry(entry, length + 8))
}

/// The record of a run from its journal, up to the last whole entry.
///
/// What was in flight at that point is `lost`, and so is the run's claim to be valid: the record says that it was
/// recovered. A journal with a footer gives the record of a run that ended by itself.
///
/// # Errors
/// When the file is no journal, or its header is missing or of another schema.
pub fn recover(bytes: &[u8]) -> Result<Record, JournalError> {
    let mut rest = bytes.strip_prefix(MAGIC).ok_or(JournalError::Magic)?;
    let mut next = || match decode(rest) {
        Next::Entry(entry, taken) => {
            rest = &rest[taken..];
            Some(entry)
        }
        Next::Incomplete | Next::Damaged => None,
    };
    let Some(Entry::Header(json)) = next() else { return Err(JournalError::NoHeader) };
    let mut collector = Collector::new(read_header(&json)?);
    let mut footer = None;
    while let Some(entry) = next() {
        match entry {
            Entry::Header(_) => break,
            Entry::Frame(frame) => collector.absorb(&frame),
            Entry::Usage(usage) => collector.usage(usage),
            Entry::Sample(sample) => collector.sample(&sample),
            Entry::Footer(end) => footer = Some(end),
        }
    }
    let killed = footer.is_none();
    let footer = footer.unwrap_or_else(|| Footer {
        end: collector.reached(),
        interrupted: true,
        lost: vec!["the run itself: it was killed, its journal has no end".to_owned()],
    });
    let mut record = collector.finish(footer);
    record.recovered = killed;
    Ok(record)
}

fn read_header(json: &str) -> Result<Header, JournalError> {
    let header: Header = serde_json::from_str(json).map_err(|e| JournalError::Header(e.to_string()))?;
    if header.schema == SCHEMA { Ok(header) } else { Err(JournalError::Header(header.schema)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::tests::{frame, header};
    use crate::gauge::{GaugeKind, GaugePlan, GaugeUnit};

    fn journal(frames: u32, footer: bool) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(encode(&Entry::Header(serde_json::to_string(&header(10)).unwrap())));
        for second in 0..frames {
            bytes.extend(encode(&Entry::Frame(Box::new(frame(0, second, 100, 97)))));
        }
        if footer {
            let end = End { stop_ns: 10_000_000_000, end_ns: 10_000_000_001 };
            bytes.extend(encode(&Entry::Footer(Footer { end, ..Footer::default() })));
        }
        bytes
    }

    #[test]
    fn a_killed_run_is_recovered_up_to_its_last_whole_frame() {
        let whole = journal(3, false);
        for cut in 0..whole.len() {
            match recover(&whole[..cut]) {
                Ok(record) => {
                    let calls = &record.data.phases.first().map(|p| p.calls.clone()).unwrap_or_default();
                    assert_eq!(calls.scheduled, calls.accounted(), "cut at {cut}");
                    assert!(record.recovered && record.interrupted);
                }
                Err(e) => {
                    assert!(matches!(e, JournalError::Magic | JournalError::NoHeader), "cut at {cut}: {e}");
                }
            }
        }
        let calls = recover(&whole).unwrap().data.phases[0].calls.clone();
        assert_eq!((calls.scheduled, calls.ok, calls.lost), (300, 291, 9));
    }

    #[test]
    fn a_damaged_entry_ends_the_reading() {
        let (whole, shorter) = (journal(3, false), journal(2, false));
        let mut damaged = whole;
        damaged[shorter.len() + 20] ^= 1;
        assert_eq!(recover(&damaged).unwrap().data, recover(&shorter).unwrap().data);
    }

    #[test]
    fn a_footer_makes_the_run_whole() {
        let record = recover(&journal(10, true)).unwrap();
        assert!(!record.recovered && !record.interrupted && record.health.lost.is_empty());
    }

    #[test]
    fn looks_at_gauges_survive_a_kill() {
        let mut header = header(10);
        let gauge = GaugePlan {
            name: "memory".into(),
            help: String::new(),
            unit: GaugeUnit::Bytes,
            kind: GaugeKind::Level,
        };
        header.plan.gauges = vec![gauge];
        let mut bytes = MAGIC.to_vec();
        bytes.extend(encode(&Entry::Header(serde_json::to_string(&header).unwrap())));
        for second in 1..=3 {
            let at_ns = second * 1_000_000_000;
            let values = if second == 2 { Vec::new() } else { vec![Some(second as f64)] };
            bytes.extend(encode(&Entry::Sample(Sample { from_ns: at_ns - 1, at_ns, values })));
            bytes.extend(encode(&Entry::Frame(Box::new(frame(0, second as u32 - 1, 100, 100)))));
        }
        let samples = recover(&bytes).unwrap().samples;
        assert_eq!((samples.answered, samples.failed, samples.points.len()), (2, 1, 2));
        assert_eq!(recover(&bytes).unwrap().into_figures().gauges[0].max, Some(3.0));
    }

    #[test]
    fn a_length_beyond_reason_is_damage() {
        assert_eq!(decode::<Entry>(&[0xff; 16]), Next::Damaged);
    }
}
