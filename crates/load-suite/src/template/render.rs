//! How is a template written out? Into a buffer that is used again, without allocation.

use std::io::Write as _;

use jiff::Timestamp;

use crate::scope::Scope;

use super::{Escape, Part, Template, Value};

/// Letters of `{{text(n)}}`; spaces make it words.
const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz      ";

impl Template {
    /// Appends the rendered text to `out`.
    pub fn render(&self, scope: &Scope, out: &mut Vec<u8>) {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text),
                Part::Insert(value, escape) => value.insert(*escape, scope, out),
            }
        }
    }
}

impl Value {
    /// Appends the value as `escape` wants it.
    fn insert(&self, escape: Escape, scope: &Scope, out: &mut Vec<u8>) {
        match self {
            Self::Var(slot) => escaped(scope.vars.get(*slot), escape, out),
            Self::Row(column) => escaped(column.text(scope).as_bytes(), escape, out),
            Self::Pick(texts) => {
                escaped(texts[scope.below(texts.len() as u64) as usize].as_bytes(), escape, out);
            }
            Self::Or(slot, rest) => match scope.vars.get(*slot) {
                b"" => rest.insert(escape, scope, out),
                set => escaped(set, escape, out),
            },
            Self::Joined(values) => values.iter().for_each(|value| value.insert(escape, scope, out)),
            Self::Constant(text) => escaped(text.as_bytes(), escape, out),
            Self::Sample(low, high, texts) => {
                sample((*low, *high), texts, scope, |text| escaped(text.as_bytes(), escape, out));
            }
            Self::Text(length) if escape == Escape::Url => {
                let begin = out.len();
                text(*length, scope, out);
                for byte in &mut out[begin..] {
                    *byte = if *byte == b' ' { b'-' } else { *byte };
                }
            }
            // Nothing in the others needs to be escaped.
            value => value.write(scope, out),
        }
    }

    /// Appends the value as it is.
    pub(crate) fn write(&self, scope: &Scope, out: &mut Vec<u8>) {
        match self {
            Self::Seq => push_decimal(scope.seq, out),
            Self::Vu => push_decimal(scope.vu, out),
            Self::Iteration => push_decimal(scope.iteration, out),
            Self::Var(slot) => out.extend_from_slice(scope.vars.get(*slot)),
            Self::Row(column) => out.extend_from_slice(column.text(scope).as_bytes()),
            Self::Constant(text) => out.extend_from_slice(text.as_bytes()),
            Self::Uuid => uuid(scope, out),
            Self::Int(low, high) => {
                let span = high.wrapping_sub(*low) as u64;
                let drawn = if span == u64::MAX { scope.draw() } else { scope.below(span + 1) };
                push_signed(low.wrapping_add(drawn as i64), out);
            }
            Self::Float(low, high) => print(out, format_args!("{:.6}", low + (high - low) * scope.share())),
            Self::Pick(texts) => {
                out.extend_from_slice(texts[scope.below(texts.len() as u64) as usize].as_bytes());
            }
            Self::Or(slot, rest) => match scope.vars.get(*slot) {
                b"" => rest.write(scope, out),
                set => out.extend_from_slice(set),
            },
            Self::Joined(values) => values.iter().for_each(|value| value.write(scope, out)),
            Self::Sample(low, high, texts) => {
                sample((*low, *high), texts, scope, |text| out.extend_from_slice(text.as_bytes()));
            }
            Self::Hex(digits) => hex(*digits, scope, out),
            Self::Text(length) => text(*length, scope, out),
            Self::NowMs => push_signed(scope.now_ns.div_euclid(1_000_000), out),
            Self::NowS => {
                let (seconds, rest) =
                    (scope.now_ns.div_euclid(1_000_000_000), scope.now_ns.rem_euclid(1_000_000_000));
                print(out, format_args!("{seconds}.{:06}", rest / 1_000));
            }
            Self::Now => {
                let now = Timestamp::from_nanosecond(i128::from(scope.now_ns)).unwrap_or_default();
                print(out, format_args!("{now:.3}"));
            }
        }
    }
}

fn print(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // A vector takes everything.
    let _ = out.write_fmt(text);
}

/// Appends `value` as `escape` wants it.
pub(super) fn escaped(value: &[u8], escape: Escape, out: &mut Vec<u8>) {
    match escape {
        Escape::Raw => out.extend_from_slice(value),
        Escape::Json => value.iter().for_each(|&byte| match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0..0x20 => print(out, format_args!("\\u{byte:04x}")),
            _ => out.push(byte),
        }),
        Escape::Url => value.iter().for_each(|&byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte),
            _ => print(out, format_args!("%{byte:02X}")),
        }),
        Escape::Line => {
            out.extend(value.iter().map(|&byte| if matches!(byte, b'\r' | b'\n' | 0) { b' ' } else { byte }));
        }
    }
}

/// A random UUID of version 4 (RFC 9562).
fn uuid(scope: &Scope, out: &mut Vec<u8>) {
    let high = scope.draw() & !0xF000 | 0x4000;
    let low = scope.draw() >> 2 | 1 << 63;
    let begin = out.len();
    nibbles(high, 16, out);
    nibbles(low, 16, out);
    for (n, at) in [8, 12, 16, 20].into_iter().enumerate() {
        out.insert(begin + at + n, b'-');
    }
}

/// Gives the pieces of a JSON list of some of `texts` to `piece`, in their order: each set of a size is as likely as every other.
fn sample((low, high): (usize, usize), texts: &[String], scope: &Scope, mut piece: impl FnMut(&str)) {
    let mut wanted = low as u64 + scope.below((high - low) as u64 + 1);
    let (mut left, mut comma) = (texts.len() as u64, "");
    piece("[");
    for text in texts {
        if scope.below(left) < wanted {
            piece(comma);
            piece(text);
            (wanted, comma) = (wanted - 1, ", ");
        }
        left -= 1;
    }
    piece("]");
}

fn hex(digits: usize, scope: &Scope, out: &mut Vec<u8>) {
    let mut left = digits;
    while left > 0 {
        let n = left.min(16);
        nibbles(scope.draw(), n, out);
        left -= n;
    }
}

/// The upper `n` hexadecimal digits of `bits`.
fn nibbles(bits: u64, n: usize, out: &mut Vec<u8>) {
    out.extend((0..n).map(|i| b"0123456789abcdef"[(bits >> (60 - 4 * i) & 15) as usize]));
}

fn text(length: usize, scope: &Scope, out: &mut Vec<u8>) {
    let begin = out.len();
    let mut bits = 0;
    for i in 0..length {
        if i % 12 == 0 {
            bits = scope.draw();
        }
        out.push(LETTERS[(bits & 31) as usize]);
        bits >>= 5;
    }
    // A text neither begins nor ends with a space: somebody may trim it.
    for at in [begin, begin + length - 1] {
        out[at] = if out[at] == b' ' { b'x' } else { out[at] };
    }
}

fn push_signed(value: i64, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    push_decimal(value.unsigned_abs(), out);
}

/// Appends `value` in decimal.
pub fn push_decimal(value: u64, out: &mut Vec<u8>) {
    let (mut digits, mut at, mut value) = ([0_u8; 20], 20, value);
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}
