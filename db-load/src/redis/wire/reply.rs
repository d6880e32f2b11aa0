//! What does a reply say? RESP2 and RESP3, read where they lie.

/// One reply. What is nested in it is read when it is asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply<'a> {
    /// A word: `OK`.
    Simple(&'a [u8]),
    /// A refusal: its code, a space, a sentence.
    Error(&'a [u8]),
    /// A whole number.
    Number(i64),
    /// Bytes; numbers that are not whole are among them, as they are written.
    Text(&'a [u8]),
    /// Nothing is there.
    Nil,
    /// Several replies; those of a map are keys and values in turn.
    List(Items<'a>),
    /// Said without having been asked for.
    Push(Items<'a>),
}

/// Replies within a reply.
#[derive(Clone, Debug, PartialEq)]
pub struct Items<'a> {
    left: usize,
    bytes: &'a [u8],
}

impl<'a> Iterator for Items<'a> {
    type Item = Reply<'a>;

    fn next(&mut self) -> Option<Reply<'a>> {
        self.left = self.left.checked_sub(1)?;
        // They were whole when the reply was.
        let (reply, length) = read(self.bytes).ok()??;
        self.bytes = &self.bytes[length..];
        Some(reply)
    }
}

impl<'a> Reply<'a> {
    /// Its bytes, where it is a text or a word.
    pub fn text(self) -> Option<&'a [u8]> {
        match self {
            Self::Text(text) | Self::Simple(text) => Some(text),
            _ => None,
        }
    }

    /// Its parts, where it has some.
    pub fn items(self) -> Option<Items<'a>> {
        match self {
            Self::List(items) | Self::Push(items) => Some(items),
            _ => None,
        }
    }

    /// The number that it is, or that its text says.
    pub fn number(self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Text(text) | Self::Simple(text) => std::str::from_utf8(text).ok()?.parse().ok(),
            _ => None,
        }
    }
}

/// So deep may replies lie within each other.
const DEPTH: usize = 32;
/// No text and no list of Redis is longer.
const LONGEST: i64 = 1 << 30;

/// The first whole reply in `bytes` and how long it is; none while there is more to come.
///
/// # Errors
/// What comes is not the protocol.
#[inline]
pub fn read(bytes: &[u8]) -> Result<Option<(Reply<'_>, usize)>, &'static str> {
    let Some((kind, line, begin)) = line(bytes)? else { return Ok(None) };
    Ok(Some(match kind {
        b'$' | b'!' | b'=' => {
            let length = length(line)?;
            let Some(length) = length else { return Ok(Some((Reply::Nil, begin))) };
            let end = begin + length;
            if bytes.len() < end + 2 {
                return Ok(None);
            }
            if bytes[end..end + 2] != *b"\r\n" {
                return Err("a text longer than it said");
            }
            let text = &bytes[begin..end];
            let reply = match kind {
                b'!' => Reply::Error(text),
                // A verbatim text says first what it is: `txt:`.
                b'=' => Reply::Text(text.get(4..).unwrap_or_default()),
                _ => Reply::Text(text),
            };
            (reply, end + 2)
        }
        b'+' => (Reply::Simple(line), begin),
        b'-' => (Reply::Error(line), begin),
        b':' => (Reply::Number(number(line)?), begin),
        b'_' => (Reply::Nil, begin),
        b'#' => (Reply::Number(i64::from(line == b"t")), begin),
        b',' | b'(' => (Reply::Text(line), begin),
        _ => {
            let Some(left) = items(kind, line)? else { return Ok(Some((Reply::Nil, begin))) };
            let Some(end) = skip(bytes, begin, left, DEPTH)? else { return Ok(None) };
            let inner = Items { left, bytes: &bytes[begin..end] };
            match kind {
                b'>' => (Reply::Push(inner), end),
                // What is said about the reply behind it.
                b'|' => match read(&bytes[end..])? {
                    Some((reply, length)) => (reply, end + length),
                    None => return Ok(None),
                },
                _ => (Reply::List(inner), end),
            }
        }
    }))
}

/// Where `count` replies from `at` on end.
fn skip(bytes: &[u8], at: usize, count: usize, depth: usize) -> Result<Option<usize>, &'static str> {
    let depth = depth.checked_sub(1).ok_or("replies too deep within each other")?;
    let mut at = at;
    for _ in 0..count {
        let Some((kind, line, begin)) = line(&bytes[at..])? else { return Ok(None) };
        at += begin;
        match kind {
            b'$' | b'!' | b'=' => {
                if let Some(length) = length(line)? {
                    at += length + 2;
                }
            }
            b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(' => {}
            _ => {
                // An attribute is followed by what it is about.
                let inner = items(kind, line)?.unwrap_or_default() + usize::from(kind == b'|');
                let Some(end) = skip(bytes, at, inner, depth)? else { return Ok(None) };
                at = end;
            }
        }
        if at > bytes.len() {
            return Ok(None);
        }
    }
    Ok(Some(at))
}

/// Kind and first line, and where the next one begins.
type Line<'a> = (u8, &'a [u8], usize);

/// The first line, once it is whole.
#[inline]
fn line(bytes: &[u8]) -> Result<Option<Line<'_>>, &'static str> {
    let Some((&kind, rest)) = bytes.split_first() else { return Ok(None) };
    if !b"$+-:*_%~>,#(!=|".contains(&kind) {
        return Err("no reply begins like this");
    }
    let Some(end) = rest.iter().position(|&byte| byte == b'\r') else { return Ok(None) };
    match rest.get(end + 1) {
        None => Ok(None),
        Some(b'\n') => Ok(Some((kind, &rest[..end], end + 3))),
        Some(_) => Err("a line that does not end"),
    }
}

#[inline]
fn number(line: &[u8]) -> Result<i64, &'static str> {
    let (negative, digits) = match line.split_first() {
        Some((b'-', digits)) => (true, digits),
        Some((b'+', digits)) => (false, digits),
        _ => (false, line),
    };
    if digits.is_empty() || digits.len() > 19 {
        return Err("no number where one belongs");
    }
    let mut number = 0_i64;
    for &digit in digits {
        if !digit.is_ascii_digit() {
            return Err("no number where one belongs");
        }
        number = number.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'));
    }
    Ok(if negative { number.wrapping_neg() } else { number })
}

/// None for what is not there.
#[inline]
fn length(line: &[u8]) -> Result<Option<usize>, &'static str> {
    match number(line)? {
        -1 => Ok(None),
        length @ 0..=LONGEST => Ok(Some(length as usize)),
        _ => Err("an impossible length"),
    }
}

/// How many replies lie within one of this `kind`.
fn items(kind: u8, line: &[u8]) -> Result<Option<usize>, &'static str> {
    let per = if matches!(kind, b'%' | b'|') { 2 } else { 1 };
    Ok(length(line)?.map(|count| count * per))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(bytes: &[u8]) -> Reply<'_> {
        // No part of it is taken for the whole.
        for cut in 0..bytes.len() {
            assert_eq!(read(&bytes[..cut]), Ok(None), "{cut} bytes");
        }
        let (reply, length) = read(bytes).unwrap().unwrap();
        assert_eq!(length, bytes.len());
        reply
    }

    #[test]
    fn all_kinds_are_read_and_no_part_is_taken_for_the_whole() {
        for (bytes, expected) in [
            (&b"+OK\r\n"[..], Reply::Simple(b"OK")),
            (b"-ERR no\r\n", Reply::Error(b"ERR no")),
            (b":-42\r\n", Reply::Number(-42)),
            (b"$5\r\na\r\nbc\r\n", Reply::Text(b"a\r\nbc")),
            (b"$0\r\n\r\n", Reply::Text(b"")),
            (b"$-1\r\n", Reply::Nil),
            (b"*-1\r\n", Reply::Nil),
            (b"_\r\n", Reply::Nil),
            (b"#t\r\n", Reply::Number(1)),
            (b",1.5\r\n", Reply::Text(b"1.5")),
            (b"(12345678901234567890\r\n", Reply::Text(b"12345678901234567890")),
            (b"!5\r\nERR x\r\n", Reply::Error(b"ERR x")),
            (b"=5\r\ntxt:a\r\n", Reply::Text(b"a")),
            (b"|1\r\n+ttl\r\n:9\r\n$1\r\nx\r\n", Reply::Text(b"x")),
        ] {
            assert_eq!(whole(bytes), expected, "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn what_is_nested_is_read_in_turn() {
        let list = b"*3\r\n*2\r\n$1\r\na\r\n:1\r\n%1\r\n+k\r\n~1\r\n_\r\n|1\r\n+x\r\n+y\r\n:7\r\n";
        let items: Vec<_> = whole(list).items().unwrap().collect();
        assert_eq!(
            items[0].clone().items().unwrap().collect::<Vec<_>>(),
            [Reply::Text(b"a"), Reply::Number(1)]
        );
        let map: Vec<_> = items[1].clone().items().unwrap().collect();
        assert_eq!((map.len(), &map[0]), (2, &Reply::Simple(b"k")));
        assert_eq!(map[1].clone().items().unwrap().collect::<Vec<_>>(), [Reply::Nil]);
        assert_eq!(items[2], Reply::Number(7));
        assert!(matches!(whole(b">2\r\n+a\r\n:1\r\n"), Reply::Push(items) if items.clone().count() == 2));
    }

    #[test]
    fn what_is_no_reply_is_told() {
        let deep = b"*1\r\n".repeat(100);
        for wrong in [&b"HTTP/1.1"[..], b"$x\r\n", b"$-2\r\n", b"$1\r\nabc", b":\r\n", b"+a\rb", &deep] {
            assert!(read(wrong).is_err(), "{}", String::from_utf8_lossy(wrong));
        }
    }
}
