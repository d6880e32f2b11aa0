//! What do the fields of a head say? Reads the head of a request or an answer that is known to be well-formed.

/// Status of the head of an answer; 0 where there is none.
pub fn status(head: &[u8]) -> u16 {
    let code = head.split(|&byte| byte == b' ').nth(1).and_then(|code| code.get(..3));
    code.and_then(|code| std::str::from_utf8(code).ok()?.parse().ok()).unwrap_or(0)
}

/// Names and values in order, behind the first line, without the blanks around values.
pub fn fields(head: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    head.split(|&byte| byte == b'\n').skip(1).filter_map(|line| {
        let colon = line.iter().position(|&byte| byte == b':')?;
        Some((&line[..colon], line[colon + 1..].trim_ascii()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_line_by_line() {
        let head = b"HTTP/1.1 301 Moved: there\r\nA: b:c \r\nEmpty:\nLast: x\r\n\r\n";
        let all: Vec<_> = fields(head).collect();
        assert_eq!(all, [(&b"A"[..], &b"b:c"[..]), (b"Empty", b""), (b"Last", b"x")]);
        assert_eq!((status(head), status(b"HTTP/1.1 204\r\n\r\n"), status(b"x")), (301, 204, 0));
    }
}
