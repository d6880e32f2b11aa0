//! Is this text a histogram of ours? HdrHistogram's V2 form, deflated, in base64, read without trusting its
//! lengths: a few bytes of a file may claim gigabytes.
//!
//! The form: `cookie: u32, length: u32`, then deflated `cookie: u32, length of the counts: u32, offset: u32,
//! digits: u32, lowest: u64, highest: u64, ratio: f64, counts`; all big-endian
//! (<https://github.com/HdrHistogram/HdrHistogram>, `AbstractHistogram.encodeIntoByteBuffer`).

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hdrhistogram::serialization::Deserializer;

use super::{DIGITS, HIGHEST_NS, LOWEST_NS};

/// Bytes before the counts.
const HEADER_BYTES: usize = 40;
/// All 26,624 buckets in use, each with a count of nine bytes, need no more.
const MAX_BYTES: u64 = 256 << 10;

/// Reads a histogram.
pub(super) fn read(text: &str) -> Result<hdrhistogram::Histogram<u64>, String> {
    let bytes = BASE64.decode(text).map_err(|e| format!("not base64: {e}"))?;
    let damaged = |why: &str| format!("not an HdrHistogram in V2 deflated form: {why}");
    let deflated = bytes.get(8..).ok_or_else(|| damaged("it is too short"))?;
    let mut raw = Vec::new();
    let mut inflated = flate2::read::ZlibDecoder::new(deflated).take(MAX_BYTES);
    inflated.read_to_end(&mut raw).map_err(|e| damaged(&e.to_string()))?;
    let (length, bounds) = header(&raw).ok_or_else(|| damaged("its header is incomplete"))?;
    if bounds != (LOWEST_NS, HIGHEST_NS, u32::from(DIGITS)) {
        let (low, high, digits) = bounds;
        return Err(format!(
            "a histogram of {low}..{high} ns with {digits} digits, expected {LOWEST_NS}..{HIGHEST_NS} with {DIGITS}"
        ));
    }
    if length != raw.len() - HEADER_BYTES {
        return Err(damaged("it is longer or shorter than it says"));
    }
    Deserializer::new().deserialize(&mut raw.as_slice()).map_err(|e| damaged(&format!("{e:?}")))
}

/// Length of the counts, and lowest value, highest value and digits.
fn header(raw: &[u8]) -> Option<(usize, (u64, u64, u32))> {
    let header = raw.get(..HEADER_BYTES)?;
    let word = |at: usize| Some(u32::from_be_bytes(header.get(at..at + 4)?.try_into().ok()?));
    let long = |at: usize| Some(u64::from_be_bytes(header.get(at..at + 8)?.try_into().ok()?));
    Some((word(4)? as usize, (long(16)?, long(24)?, word(12)?)))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// A histogram whose header claims `length` bytes of counts and `high` ns, with `counts` zeros behind it.
    fn claim(length: u32, high: u64, counts: usize) -> String {
        let mut raw = Vec::new();
        for word in [0x1c84_9303, length, 0, u32::from(DIGITS)] {
            raw.extend(word.to_be_bytes());
        }
        raw.extend(
            LOWEST_NS.to_be_bytes().into_iter().chain(high.to_be_bytes()).chain(1.0_f64.to_be_bytes()),
        );
        raw.resize(raw.len() + counts, 0);
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&raw).unwrap();
        let deflated = encoder.finish().unwrap();
        let head = [0x1c84_9314_u32.to_be_bytes(), (deflated.len() as u32).to_be_bytes()].concat();
        BASE64.encode([head, deflated].concat())
    }

    #[test]
    fn claims_are_checked_before_memory_is_taken_for_them() {
        assert!(read(&claim(u32::MAX, HIGHEST_NS, 10)).unwrap_err().contains("longer or shorter"));
        assert!(read(&claim(10, u64::MAX, 10)).unwrap_err().contains("expected 128..3600000000000"));
        assert!(read(&claim(64 << 20, HIGHEST_NS, 64 << 20)).unwrap_err().contains("longer or shorter"));
        assert!(read(&BASE64.encode([0; 7])).unwrap_err().contains("too short"));
    }
}
