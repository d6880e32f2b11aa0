//! What is right in a row? A number that follows from its own, so that an answer for another row is seen.

/// The number in row `row`. It fits a signed 64-bit column.
pub fn token(row: u64) -> i64 {
    (row.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 1).cast_signed()
}

/// A value of `bytes` for key `row`: the token in 16 hexadecimal digits, cut or filled.
pub fn value(row: u64, bytes: usize, buffer: &mut Vec<u8>) {
    buffer.clear();
    let mut digits = token(row);
    buffer.extend((0..16.min(bytes)).map(|_| {
        digits = digits.rotate_left(4);
        b"0123456789abcdef"[(digits & 15) as usize]
    }));
    buffer.resize(bytes, b'.');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_tokens_of_their_own() {
        let tokens: std::collections::HashSet<_> = (0..10_000).map(token).collect();
        assert_eq!(tokens.len(), 10_000);
        assert!(tokens.iter().all(|token| *token >= 0));
    }

    #[test]
    fn a_value_has_its_size_and_begins_with_the_token() {
        let mut buffer = Vec::new();
        value(7, 20, &mut buffer);
        assert_eq!(buffer, format!("{:016x}....", token(7)).into_bytes());
        value(7, 3, &mut buffer);
        assert_eq!(buffer, &format!("{:016x}", token(7)).as_bytes()[..3]);
        value(7, 0, &mut buffer);
        assert!(buffer.is_empty());
    }
}
