//! Any split of the bytes gives the same answer, no bytes make it panic, and none make it keep more than 64 KiB.

use proptest::prelude::*;

use super::*;

/// What came of a stream of bytes that then ended.
#[derive(Debug, PartialEq, Eq)]
struct Read {
    result: Result<Answer, Broken>,
    body: Vec<u8>,
    left_over: Vec<u8>,
}

const MAX_BODY: u64 = 5_000;

fn read(bytes: &[u8], has_body: bool, cuts: &[usize]) -> Read {
    read_with(&mut Codec::new(MAX_BODY), bytes, has_body, cuts)
}

fn read_with(codec: &mut Codec, bytes: &[u8], has_body: bool, cuts: &[usize]) -> Read {
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).chain([0, bytes.len()]).collect();
    cuts.sort_unstable();
    codec.begin(has_body);
    let mut body = Vec::new();
    for pair in cuts.windows(2) {
        let progress =
            codec.feed(&bytes[pair[0]..pair[1]], &mut |piece: &[u8]| body.extend_from_slice(piece));
        assert!(codec.pending.len() <= MAX_HEAD);
        match progress {
            Ok(Progress::More) => {}
            Ok(Progress::Done { answer, left_over }) => {
                let left_over = bytes[pair[1] - left_over..].to_vec();
                return Read { result: Ok(answer), body, left_over };
            }
            Err(broken) => return Read { result: Err(broken), body, left_over: Vec::new() },
        }
    }
    Read { result: codec.finish(), body, left_over: Vec::new() }
}

fn whole(text: &str) -> Read {
    read(text.as_bytes(), true, &[])
}

fn kind(text: &str) -> FaultKind {
    whole(text).result.unwrap_err().kind
}

#[expect(clippy::unnecessary_wraps, reason = "it is compared with what can fail")]
fn answer(status: u16, keep_alive: bool) -> Result<Answer, Broken> {
    Ok(Answer { status, keep_alive })
}

#[test]
fn lengths_are_counted_and_the_rest_is_left() {
    let seen = whole("HTTP/1.1 200 OK\r\ncontent-LENGTH: 3 \r\n\r\nabcHTTP");
    assert_eq!(seen, Read { result: answer(200, true), body: b"abc".into(), left_over: b"HTTP".into() });
}

#[test]
fn chunks_are_joined_and_trailers_skipped() {
    let seen = whole(
        "HTTP/1.1 201 Made\r\nTransfer-Encoding: gzip, Chunked\r\nContent-Length: 7\r\n\r\n\
         3;x=\"y\"\r\nabc\r\n0A \r\n0123456789\r\n000\r\nTrailer: x\r\nAnother: y\r\n\r\nrest",
    );
    let body = b"abc0123456789".into();
    assert_eq!(seen, Read { result: answer(201, true), body, left_over: b"rest".into() });
}

#[test]
fn without_a_length_the_close_ends_the_body() {
    let seen = whole("HTTP/1.1 200 OK\r\n\r\nabc");
    assert_eq!(seen, Read { result: answer(200, false), body: b"abc".into(), left_over: Vec::new() });
    let seen = whole("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 1\r\n\r\nabc");
    assert_eq!((seen.result, seen.body.len()), (answer(200, false), 3));
}

#[test]
fn some_answers_have_no_body_whatever_they_say() {
    for text in ["HTTP/1.1 204 No\r\nContent-Length: 3\r\n\r\n", "HTTP/1.1 304 Same\r\n\r\n"] {
        assert!(whole(text).result.unwrap().keep_alive, "{text}");
    }
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n";
    assert_eq!(read(head, false, &[]).result, answer(200, true));
    assert_eq!(read(head, true, &[]).result.unwrap_err().kind, FaultKind::ShortBody);
}

#[test]
fn interim_answers_are_skipped_up_to_a_limit() {
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: </s.css>\r\n\r\n";
    let last = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(whole(&format!("{}{last}", interim.repeat(32))).result, answer(200, true));
    assert_eq!(kind(&format!("{}{last}", interim.repeat(33))), FaultKind::TooLarge);
    assert_eq!(whole("HTTP/1.1 101 Switching\r\n\r\n\x01").result, answer(101, false));
    assert_eq!(kind(interim), FaultKind::Closed);
}

#[test]
fn who_keeps_the_connection_is_understood() {
    for (version, connection, keep_alive) in [
        ("1.1", "", true),
        ("1.1", "Connection: Close\r\n", false),
        ("1.1", "connection: x , CLOSE\r\n", false),
        ("1.1", "Connection: closed\r\n", true),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: keep-alive, close\r\n", false),
    ] {
        let text = format!("HTTP/{version} 200 OK\r\n{connection}Content-Length: 0\r\n\r\n");
        assert_eq!(whole(&text).result, answer(200, keep_alive), "{text}");
    }
}

#[test]
fn lengths_that_are_none_are_refused() {
    for length in ["-1", "+1", "", "1a", "0x1", "1 1", "1,1", "18446744073709551616"] {
        let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nabc");
        assert_eq!(kind(&text), FaultKind::Malformed, "{length}");
    }
    let two = |a, b| format!("HTTP/1.1 200 OK\r\nContent-Length: {a}\r\nContent-Length: {b}\r\n\r\nabc");
    assert_eq!(kind(&two(2, 3)), FaultKind::Malformed);
    assert_eq!(whole(&two(3, 3)).result, answer(200, true));
}

#[test]
fn chunks_that_are_none_are_refused() {
    for chunks in [
        "zz\r\n",
        "\r\n",
        "-1\r\n",
        "3\nabc",
        "3\r\nabcd",
        "3\r\nabc\rx",
        ";x\r\n",
        "0\r\n\rx",
        "3;x\nabc",
        "00000000000000001\r\n",
    ] {
        let text = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
        assert_eq!(kind(&text), FaultKind::Malformed, "{chunks:?}");
    }
}

#[test]
fn what_is_no_answer_is_refused() {
    for text in [
        "\x16\x03\x03",
        "HTTP/1.1 2x0 OK\r\n\r\n",
        "HTTP/2 200\r\n\r\n",
        "hello\r\n",
        "HTTP/1.1 099 X\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA B\r\n\r\n",
    ] {
        assert_eq!(kind(text), FaultKind::Malformed, "{text:?}");
    }
}

#[test]
fn an_end_in_the_middle_is_told_from_one_before() {
    assert_eq!(kind(""), FaultKind::Closed);
    for text in [
        "HTTP/1.1 20",
        "HTTP/1.1 200 OK\r\nA: b\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
    ] {
        assert_eq!(kind(text), FaultKind::ShortBody, "{text:?}");
    }
}

#[test]
fn endless_answers_end() {
    let start = "HTTP/1.1 200 OK\r\n";
    let chunked = format!("{start}Transfer-Encoding: chunked\r\n\r\n");
    for (start, repeat) in [
        (start.to_owned(), "X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n".to_owned()),
        (start.to_owned(), format!("X: {}\r\n", "a".repeat(3_000))),
        (format!("{start}X: "), "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned()),
        (format!("{start}\r\n"), "body without a length".to_owned()),
        (chunked.clone(), "5\r\naaaaa\r\n".to_owned()),
        (format!("{chunked}5;"), "extension".to_owned()),
        (format!("{chunked}0\r\n"), "Trailer: x\r\n".to_owned()),
        (String::new(), "HTTP/1.1 103 Early Hints\r\n\r\n".to_owned()),
    ] {
        let mut codec = Codec::new(1_000_000);
        codec.begin(true);
        assert_eq!(codec.feed(start.as_bytes(), &mut |_: &[u8]| {}), Ok(Progress::More), "{start}");
        let (mut fed, ended) = (0, |fed| assert!(fed < 1_100_000, "{start:?} {fed}"));
        let broken = loop {
            fed += repeat.len();
            ended(fed);
            match codec.feed(repeat.as_bytes(), &mut |_: &[u8]| {}) {
                Ok(progress) => assert_eq!(progress, Progress::More),
                Err(broken) => break broken,
            }
            assert!(codec.pending.capacity() <= 2 * MAX_HEAD);
        };
        assert_eq!(broken.kind, FaultKind::TooLarge, "{start:?}");
    }
    assert_eq!(kind("HTTP/1.1 200 OK\r\nContent-Length: 5001\r\n\r\n"), FaultKind::TooLarge);
}

fn heads() -> impl Strategy<Value = String> {
    let status = prop_oneof![Just(200_u16), Just(204), Just(304), Just(404), Just(100), Just(103), Just(101)];
    let field = prop_oneof![
        (0_u32..30).prop_map(|n| format!("Content-Length: {n}\r\n")),
        Just("Transfer-Encoding: chunked\r\n".to_owned()),
        Just("Connection: close\r\n".to_owned()),
        "X-[a-z]{0,9}: [ -~]{0,20}\r\n",
        Just("Bad Name: x\r\n".to_owned()),
    ];
    (status, prop::collection::vec(field, 0..4), prop::bool::ANY).prop_map(|(status, fields, one)| {
        format!("HTTP/1.{} {status} Some\r\n{}\r\n", u8::from(one), fields.concat())
    })
}

fn bodies() -> impl Strategy<Value = String> {
    let chunk = "[a-z]{0,12}".prop_map(|data| format!("{:x}\r\n{data}\r\n", data.len()));
    let chunks = prop::collection::vec(chunk, 0..4).prop_map(|chunks| chunks.concat());
    let end = prop_oneof![Just(""), Just("0\r\n\r\n"), Just("0\r\nA: b\r\n\r\n"), Just("0;x\r\n\r\nmore")];
    prop_oneof![(chunks, end).prop_map(|(chunks, end)| chunks + end), "[a-z]{0,40}", "[a-z]{4990,5010}"]
}

proptest! {
    #[test]
    fn any_split_gives_the_same_answer(
        interim in prop::option::of(heads()),
        head in heads(),
        body in bodies(),
        noise in prop::collection::vec((any::<usize>(), any::<u8>()), 0..3),
        end in any::<usize>(),
        has_body in any::<bool>(),
        cuts in prop::collection::vec(any::<usize>(), 0..12),
    ) {
        let mut bytes = format!("{}{head}{body}", interim.unwrap_or_default()).into_bytes();
        for (at, byte) in noise {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        if end % 3 == 0 {
            bytes.truncate(end % bytes.len());
        }
        prop_assert_eq!(read(&bytes, has_body, &cuts), read(&bytes, has_body, &[]));
    }

    #[test]
    fn a_drip_gives_the_same_answer(head in heads(), body in "[a-z0-9\r\n]{0,60}", has_body in any::<bool>()) {
        let bytes = format!("{head}{body}").into_bytes();
        let every: Vec<_> = (0..bytes.len()).collect();
        prop_assert_eq!(read(&bytes, has_body, &every), read(&bytes, has_body, &[]));
    }

    /// Heads of before are kept and compared with; that must never show.
    #[test]
    fn a_codec_that_has_read_answers_reads_the_next_one_as_a_new_one_does(
        heads in prop::collection::vec(heads(), 1..3),
        answers in prop::collection::vec((any::<prop::sample::Index>(), bodies(), any::<bool>()), 2..8),
        end in any::<usize>(),
        cuts in prop::collection::vec(any::<usize>(), 0..3),
    ) {
        let mut codec = Codec::new(MAX_BODY);
        for (head, body, has_body) in answers {
            let mut bytes = format!("{}{body}", head.get(&heads)).into_bytes();
            if end % 5 == 0 {
                bytes.truncate(end % bytes.len());
            }
            let cuts = if end % 2 == 0 { &[][..] } else { &cuts };
            prop_assert_eq!(read_with(&mut codec, &bytes, has_body, cuts), read(&bytes, has_body, &[]));
        }
    }

    #[test]
    fn no_bytes_make_it_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        begins_well in any::<bool>(),
        cuts in prop::collection::vec(any::<usize>(), 0..4),
    ) {
        let start: &[u8] = if begins_well { b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" } else { b"" };
        let bytes = [start, &bytes].concat();
        prop_assert_eq!(read(&bytes, true, &cuts), read(&bytes, true, &[]));
    }

    #[test]
    fn the_limit_of_the_head_is_the_same_for_any_split(
        length in MAX_HEAD - 200..MAX_HEAD + 200,
        broken_at in prop::option::of(MAX_HEAD - 100..MAX_HEAD + 100),
        cuts in prop::collection::vec(any::<usize>(), 0..6),
    ) {
        let start = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: ";
        let mut bytes = format!("{start}{}\r\n\r\n", "a".repeat(length - start.len() - 4)).into_bytes();
        if let Some(at) = broken_at.filter(|at| *at < bytes.len()) {
            bytes[at] = 0;
        }
        let seen = read(&bytes, true, &[]);
        prop_assert_eq!(&read(&bytes, true, &cuts), &seen);
        if broken_at.is_none() {
            prop_assert_eq!(seen.result.is_ok(), bytes.len() <= MAX_HEAD);
        }
    }
}
