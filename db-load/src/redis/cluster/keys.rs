//! Which words of a command are keys? What servers say of themselves with COMMAND GETKEYS, known before any is asked.

/// The positions of keys in a command of these `words`; those that vary are None. The first word is its name.
pub fn keys(words: &[Option<&str>]) -> Vec<usize> {
    let name = words.first().copied().flatten().unwrap_or_default().to_ascii_uppercase();
    let end = words.len();
    let all: Vec<usize> = match name.as_str() {
        // Keyless.
        "ACL" | "AUTH" | "BGSAVE" | "CLIENT" | "CLUSTER" | "COMMAND" | "CONFIG" | "DBSIZE" | "DISCARD"
        | "ECHO" | "EXEC" | "FLUSHALL" | "FLUSHDB" | "FUNCTION" | "HELLO" | "INFO" | "KEYS" | "LASTSAVE"
        | "LATENCY" | "MULTI" | "PING" | "PUBLISH" | "PUBSUB" | "RANDOMKEY" | "ROLE" | "SCAN" | "SCRIPT"
        | "SELECT" | "SLOWLOG" | "TIME" | "UNWATCH" | "WAIT" => Vec::new(),
        // All words.
        "DEL" | "UNLINK" | "EXISTS" | "TOUCH" | "MGET" | "WATCH" | "SINTER" | "SUNION" | "SDIFF"
        | "SINTERSTORE" | "SUNIONSTORE" | "SDIFFSTORE" | "PFCOUNT" | "PFMERGE" => (1..end).collect(),
        // All but a timeout at the end.
        "BLPOP" | "BRPOP" | "BZPOPMIN" | "BZPOPMAX" => (1..end.saturating_sub(1)).collect(),
        // Each with a value.
        "MSET" | "MSETNX" => (1..end).step_by(2).collect(),
        // From here to there.
        "RENAME" | "RENAMENX" | "COPY" | "RPOPLPUSH" | "BRPOPLPUSH" | "LMOVE" | "BLMOVE" | "SMOVE"
        | "LCS" | "GEOSEARCHSTORE" | "ZRANGESTORE" => vec![1, 2],
        "BITOP" => (2..end).collect(),
        // A word of its own says what is done.
        "OBJECT" | "MEMORY" | "XGROUP" | "XINFO" | "DEBUG" => vec![2],
        // As many as a word says.
        "SINTERCARD" | "ZUNION" | "ZINTER" | "ZDIFF" | "ZINTERCARD" | "LMPOP" | "ZMPOP" => counted(words, 1),
        "EVAL" | "EVALSHA" | "EVAL_RO" | "EVALSHA_RO" | "FCALL" | "FCALL_RO" | "BLMPOP" | "BZMPOP" => {
            counted(words, 2)
        }
        "ZUNIONSTORE" | "ZINTERSTORE" | "ZDIFFSTORE" => [1].into_iter().chain(counted(words, 2)).collect(),
        // The first half of what follows a word.
        "XREAD" | "XREADGROUP" => {
            let mut all = words.iter().copied();
            let from = all.position(|word| word.is_some_and(|word| word.eq_ignore_ascii_case("STREAMS")));
            let from = from.map_or(end, |at| at + 1);
            (from..from + (end - from) / 2).collect()
        }
        _ => vec![1],
    };
    all.into_iter().filter(|&at| at < end).collect()
}

/// Keys behind their number, which is at `at`.
fn counted(words: &[Option<&str>], at: usize) -> Vec<usize> {
    let count = words.get(at).copied().flatten().and_then(|count| count.parse().ok()).unwrap_or(0);
    (at + 1..).take(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_where_commands_have_them() {
        for (line, expected) in [
            ("GET a", &[1][..]),
            ("get", &[]),
            ("PING x", &[]),
            ("DEL a b c", &[1, 2, 3]),
            ("BLPOP a b 0", &[1, 2]),
            ("MSET a 1 b 2", &[1, 3]),
            ("EVAL script 2 a b c", &[3, 4]),
            ("EVAL script 0 a", &[]),
            ("ZUNIONSTORE to 2 a b WEIGHTS 1 2", &[1, 3, 4]),
            ("XREADGROUP GROUP g c COUNT 1 STREAMS a b > >", &[7, 8]),
            ("XGROUP CREATE a g $", &[2]),
            ("SOMETHING.NEW a b", &[1]),
        ] {
            let words: Vec<_> = line.split(' ').map(Some).collect();
            assert_eq!(keys(&words), expected, "{line}");
        }
        assert_eq!(keys(&[Some("GET"), None]), [1]);
    }
}
