//! What does an answer say? The messages of one exchange, from the first to the server's readiness.

use super::{Failure, Table};

/// All that came until the server was ready for more.
#[derive(Debug, Default)]
pub struct Answer {
    /// Statements that were parsed.
    pub parsed: u32,
    /// Statements that were completed.
    pub completed: u32,
    /// Rows that the last of them changed or gave.
    pub affected: u64,
    /// The first statement that the server refused; those behind it were not executed.
    pub refusal: Option<Box<Refusal>>,
    /// The server's transaction: `I`, `T` or `E`.
    pub status: u8,
    /// Bytes of the request.
    pub sent: u32,
    /// Bytes of the answer.
    pub received: u64,
}

/// Why the server refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// It ended the session, too.
    pub is_fatal: bool,
    /// The SQLSTATE.
    pub code: [u8; 5],
    /// In the server's own words.
    pub message: String,
}

impl Answer {
    /// Takes the next message; true with the last one.
    #[inline]
    pub(super) fn take(
        &mut self,
        tag: u8,
        body: &[u8],
        table: &mut Option<&mut Table>,
    ) -> Result<bool, Failure> {
        match tag {
            b'Z' => {
                self.status = body.first().copied().unwrap_or(b'I');
                return Ok(true);
            }
            b'C' => {
                self.completed += 1;
                self.affected = affected(body);
            }
            b'D' => {
                if let Some(table) = table {
                    table.push(body).ok_or(Failure::Malformed("a row that ends within a value"))?;
                }
            }
            b'T' => {
                if let Some(table) = table {
                    table.name(body).ok_or(Failure::Malformed("columns without an end"))?;
                }
            }
            b'I' => {
                self.completed += 1;
                self.affected = 0;
            }
            // Bound, closed, no data, parameters of a statement, a status, a notice, a notification, suspended.
            b'1' => self.parsed += 1,
            b'2' | b'3' | b'n' | b't' | b'S' | b'N' | b'A' | b's' => {}
            b'E' => {
                let refusal = Box::new(Refusal::of(body));
                if refusal.is_fatal {
                    return Err(Failure::Refused(refusal));
                }
                self.refusal.get_or_insert(refusal);
            }
            b'G' | b'H' | b'W' => return Err(Failure::Malformed("COPY, which is no part of a load")),
            _ => return Err(Failure::Malformed("a message of an unknown kind")),
        }
        Ok(false)
    }
}

/// The number at the end of a tag like `UPDATE 1` or `INSERT 0 1`; 0 where there is none.
#[inline]
fn affected(tag: &[u8]) -> u64 {
    let tag = tag.strip_suffix(b"\0").unwrap_or(tag);
    let digits = tag.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    tag[tag.len() - digits..]
        .iter()
        .fold(0, |n: u64, digit| n.wrapping_mul(10).wrapping_add(u64::from(digit - b'0')))
}

impl Refusal {
    /// The one in an `ErrorResponse`.
    #[cold]
    pub fn of(body: &[u8]) -> Self {
        let mut refusal = Self { is_fatal: false, code: *b"XX000", message: String::new() };
        for field in body.split(|&byte| byte == 0) {
            let Some((kind, text)) = field.split_first() else { continue };
            match kind {
                b'V' => refusal.is_fatal = matches!(text, b"FATAL" | b"PANIC"),
                b'C' => refusal.code = text.try_into().unwrap_or(refusal.code),
                b'M' => refusal.message = String::from_utf8_lossy(text).into_owned(),
                _ => {}
            }
        }
        refusal
    }

    /// The SQLSTATE as text.
    pub fn state(&self) -> &str {
        std::str::from_utf8(&self.code).unwrap_or("XX000")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_ends_with_the_rows() {
        for (tag, rows) in
            [("UPDATE 12\0", 12), ("INSERT 0 3\0", 3), ("BEGIN\0", 0), ("SELECT 1", 1), ("", 0)]
        {
            assert_eq!(affected(tag.as_bytes()), rows, "{tag}");
        }
    }

    #[test]
    fn a_refusal_has_a_code_and_words() {
        let body = b"SERROR\0VERROR\0C40001\0Mcould not serialize\0Fpredicate.c\0\0";
        let refusal = Refusal::of(body);
        assert_eq!((refusal.state(), refusal.is_fatal), ("40001", false));
        assert_eq!(refusal.message, "could not serialize");
        assert!(Refusal::of(b"VFATAL\0C57P01\0M\0\0").is_fatal);
    }
}
