//! Does every byte that a server can send lead to the end that RFC 6455 demands? Random frames over a connection in memory, beside a
//! second reading of the RFC that shares no code with the first.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod stream;

use std::cell::RefCell;
use std::fs;

use load_core::clock::Nanos;
use load_core::record::Observer;
use load_report::fault::FaultKind::{self, Closed, Malformed, TooLarge};
use proptest::prelude::*;
use stream::{End, Fed, MOST, listen, refuse};
use ws_load::count;

/// Counts.
#[derive(Default)]
struct Counts(RefCell<[u64; 16]>);

impl Observer for Counts {
    fn now(&self) -> Nanos {
        Nanos::ZERO
    }

    fn observe(&self, _extra: usize, _ns: u64) {}

    fn count(&self, counter: usize, n: u64) {
        self.0.borrow_mut()[counter] += n;
    }
}

/// Messages and pings that are read, and the end: what the RFC says of `bytes`.
#[derive(Debug, PartialEq, Eq)]
struct Read {
    messages: u64,
    pings: u64,
    kind: FaultKind,
    code: u32,
}

fn tool(bytes: &[u8], cut: usize) -> (Read, End) {
    let counts = Counts::default();
    let end = listen(Fed::new(bytes, cut, true), &counts).unwrap();
    let counts = counts.0.into_inner();
    let (messages, pings) = (counts[count::RECEIVED], counts[count::PINGS]);
    (Read { messages, pings, kind: end.fault.kind, code: end.fault.code }, end)
}

fn rfc(bytes: &[u8]) -> Read {
    let (mut messages, mut pings, mut rest) = (0, 0, bytes);
    // Of a message in pieces: whether it is a text, and what there is of it.
    let mut partial: Option<(bool, Vec<u8>)> = None;
    let (kind, code) = loop {
        match one(&mut rest, &mut partial) {
            Ok(Some(true)) => messages += 1,
            Ok(Some(false)) => pings += 1,
            Ok(None) => {}
            Err(end) => break end,
        }
    };
    Read { messages, pings, kind, code }
}

/// One frame: a whole message, a ping, or neither.
fn one(rest: &mut &[u8], partial: &mut Option<(bool, Vec<u8>)>) -> Result<Option<bool>, (FaultKind, u32)> {
    let (gone, broken, bad_text, large) =
        ((Closed, 1006), (Malformed, 1002), (Malformed, 1007), (TooLarge, 1009));
    let mut take = |n: u64| {
        let n = usize::try_from(n).map_err(|_| gone)?;
        let taken = rest.get(..n).ok_or(gone)?;
        *rest = &rest[n..];
        Ok(taken)
    };
    let head = take(2)?;
    let (is_last, reserved, opcode) = (head[0] & 0x80 != 0, head[0] & 0x70, head[0] & 0xf);
    let length = match head[1] & 0x7f {
        126 => u16::from_be_bytes(take(2)?.try_into().unwrap()).into(),
        127 => u64::from_be_bytes(take(8)?.try_into().unwrap()),
        short => u64::from(short),
    };
    let masked = head[1] & 0x80 != 0;
    if masked {
        take(4)?;
    }
    if !matches!(opcode, 0..=2 | 8..=10) {
        return Err(broken);
    }
    if length > MOST as u64 {
        return Err(large);
    }
    let payload = take(length)?;
    if reserved != 0 || masked {
        return Err(broken);
    }
    if opcode >= 8 {
        if !is_last || length > 125 {
            return Err(broken);
        }
        return match (opcode, payload) {
            (8, []) => Err((Closed, 1005)),
            (8, [_]) => Err(broken),
            (8, [high, low, reason @ ..]) => {
                std::str::from_utf8(reason).map_err(|_| bad_text)?;
                let code = u16::from_be_bytes([*high, *low]).into();
                let may_be_sent = matches!(code, 1000..=1003 | 1007..=1013 | 3000..=4999);
                Err(if may_be_sent { (Closed, code) } else { broken })
            }
            (9, _) => Ok(Some(false)),
            _ => Ok(None),
        };
    }
    let (is_text, mut whole) = match (opcode, partial.take()) {
        (0, Some(partial)) => partial,
        (0, None) | (_, Some(_)) => return Err(broken),
        (_, None) => (opcode == 1, Vec::new()),
    };
    if whole.len() + payload.len() > MOST {
        return Err(large);
    }
    whole.extend(payload);
    if is_text && let Err(error) = std::str::from_utf8(&whole) {
        // A character may go on in the next piece.
        if is_last || error.error_len().is_some() {
            return Err(bad_text);
        }
    }
    if is_last {
        return Ok(Some(true));
    }
    *partial = Some((is_text, whole));
    Ok(None)
}

/// The frames of a client: opcode and unmasked payload.
fn frames(mut sent: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while let [first, second, rest @ ..] = sent {
        assert!(first & 0xf0 == 0x80 && second & 0x80 != 0 && second & 0x7f <= 125, "{sent:x?}");
        let (mask, rest) = rest.split_at(4);
        let (payload, rest) = rest.split_at(usize::from(second & 0x7f));
        let payload = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
        frames.push((first & 0xf, payload));
        sent = rest;
    }
    assert!(sent.is_empty(), "{sent:x?}");
    frames
}

/// What must hold of every connection.
fn check(bytes: &[u8], cut: usize) -> Result<(), TestCaseError> {
    let (read, end) = tool(bytes, cut);
    prop_assert_eq!(&read, &rfc(bytes), "{:?}", end);
    let sent = frames(&end.sent);
    let pongs = sent.iter().filter(|(opcode, _)| *opcode == 0xa).count() as u64;
    prop_assert_eq!(pongs, read.pings);
    let closes: Vec<_> = sent.iter().filter(|(opcode, _)| *opcode == 8).collect();
    match (read.kind, read.code) {
        (Closed, 1006) => prop_assert!(closes.is_empty()),
        (Closed, 1005) => prop_assert!(closes.len() == 1 && closes[0].1.is_empty()),
        (_, code) => {
            let told = closes.first().and_then(|(_, payload)| Some([*payload.first()?, *payload.get(1)?]));
            prop_assert_eq!(told.map(u16::from_be_bytes).map(u32::from), Some(code));
        }
    }
    prop_assert!(closes.len() <= 1 && (closes.is_empty() || sent.last().unwrap().0 == 8));
    Ok(())
}

/// Frames, most of them in order.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let opcode = prop_oneof![20 => 1_u8..3, 4 => Just(0), 8 => 9_u8..11, 1 => Just(8), 1 => 0_u8..16];
    let first = (opcode, prop::bool::weighted(0.9), prop_oneof![40 => Just(0_u8), 1 => 0_u8..8]);
    let text = prop_oneof![4 => "[a-zäö€😀]{0,20}", 1 => "\\PC{120,160}"].prop_map(String::into_bytes);
    let stamped = (any::<u32>(), any::<u64>())
        .prop_map(|(seq, at)| format!("{{\"seq\":{seq},\"timestamp\":{at}}}").into_bytes());
    let close =
        (990_u16..5010, "[a-z]{0,5}").prop_map(|(code, why)| [&code.to_be_bytes(), why.as_bytes()].concat());
    let payload = prop_oneof![
        4 => text, 2 => stamped, 2 => close,
        1 => prop::collection::vec(any::<u8>(), 0..8), 1 => prop::collection::vec(any::<u8>(), 0..400)
    ];
    (first, payload, prop::bool::weighted(0.02), prop::option::weighted(0.02, any::<u64>())).prop_map(
        |((opcode, is_last, reserved), payload, masked, lie)| {
            let mut frame = vec![u8::from(is_last) << 7 | reserved << 4 | opcode];
            let mask = u8::from(masked) << 7;
            match (lie, payload.len()) {
                (Some(length), _) => {
                    frame.push(0x7f | mask);
                    frame.extend(length.to_be_bytes());
                }
                (None, short @ ..126) => frame.push(short as u8 | mask),
                (None, long) => {
                    frame.push(0x7e | mask);
                    frame.extend((long as u16).to_be_bytes());
                }
            }
            if masked {
                frame.extend([1, 2, 3, 4]);
            }
            frame.extend(payload);
            frame
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn frames_are_read_as_the_rfc_says(
        sent in prop::collection::vec(frame(), 0..12),
        cut: prop::sample::Index,
        change in prop::option::weighted(0.3, (any::<prop::sample::Index>(), any::<u8>())),
    ) {
        let mut bytes = sent.concat();
        if let (Some((at, byte)), false) = (change, bytes.is_empty()) {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        check(&bytes, cut.index(bytes.len() + 1))?;
    }

    #[test]
    fn any_bytes_are_read_as_the_rfc_says(bytes: Vec<u8>, cut: prop::sample::Index) {
        check(&bytes, cut.index(bytes.len() + 1))?;
    }

    #[test]
    fn any_answer_to_an_upgrade_comes_to_an_end(
        start in prop::sample::select(vec!["", "HTTP/1.1 101 \r\n", "HTTP/1.1 200 OK\r\nUpgrade: websocket\r\n"]),
        bytes: Vec<u8>,
        lines in "([A-Za-z-]{1,12}: ?[ -~]{0,20}\r\n){0,4}",
        cut: prop::sample::Index,
    ) {
        let bytes = [start.as_bytes(), lines.as_bytes(), &bytes, b"\r\n\r\n"].concat();
        refuse(&bytes, cut.index(bytes.len() + 1));
    }
}

#[test]
fn what_a_header_announces_is_not_allocated() {
    let most = || -> u64 {
        let status = fs::read_to_string("/proc/thread-self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmPeak:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    };
    let endless = "HTTP/1.1 101 \r\nX: ".to_owned() + &"y".repeat(1 << 20);
    refuse(endless.as_bytes(), 1 << 19);
    let before = most();
    for power in 9..64 {
        for opcode in [0x01, 0x02, 0x80, 0x89] {
            let header = [&[opcode, 0x7f], &(1_u64 << power).to_be_bytes()[..]].concat();
            let (read, _) = tool(&header, 3);
            assert_eq!((read.kind, read.code), (TooLarge, 1009), "2^{power}");
        }
    }
    // Pieces without end, each of them small.
    let mut pieces = vec![0x02, 0];
    pieces.extend([0x00, 1, b'x'].repeat(MOST));
    pieces.extend([0x00, 0].repeat(50_000));
    assert_eq!(tool(&pieces, 7).0.kind, Closed);
    // Other tests of this binary run beside this one, and each thread has 64 MiB of addresses for itself.
    let grown = most() - before;
    assert!(grown < 300 << 10, "{grown} KiB");
}
