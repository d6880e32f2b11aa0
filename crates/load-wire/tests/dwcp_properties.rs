//! Is a frame that was corrupted, dropped, repeated or reordered always found? And does everything that is written come back?

use load_wire::dwcp::frame::{Decoder, Encoder, HEADER, Kind};
use load_wire::dwcp::hde::{Algorithm, Header, Packer, Unpacker, xor};
use load_wire::dwcp::message::{Ack, Data, Hello, Init, Mark, Reason, Step, Verified, Welcome};
use load_wire::dwcp::{Broken, PAGE, TO_TARGET};
use proptest::prelude::*;

/// What is said on a connection: kinds and payloads, in order.
type Said = Vec<(Kind, Vec<u8>)>;

/// The frames of a connection, each as bytes, the last one a goodbye.
fn written(payloads: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(1);
    let mut frames: Vec<_> = payloads.iter().map(|payload| one(&mut encoder, Kind::Data, payload)).collect();
    frames.push(one(&mut encoder, Kind::Bye, b""));
    frames
}

fn one(encoder: &mut Encoder, kind: Kind, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encoder.put(kind, payload, &mut bytes);
    bytes
}

/// Reads a whole connection, at most `step` bytes at a time.
fn read(bytes: &[u8], step: usize) -> Result<Said, Broken> {
    let (mut decoder, mut said, mut rest) = (Decoder::new(TO_TARGET), Said::new(), bytes);
    while !rest.is_empty() {
        let space = decoder.space();
        // Bytes behind the goodbye: there is still room for a header.
        let n = space.len().min(step).min(rest.len());
        space[..n].copy_from_slice(&rest[..n]);
        rest = &rest[n..];
        if let Some(frame) = decoder.filled(n)? {
            said.push((frame.kind, frame.payload.to_vec()));
        }
    }
    decoder.finish().map(|()| said)
}

/// The same as messages.
fn read_messages(messages: &[Vec<u8>]) -> Result<Said, Broken> {
    let mut decoder = Decoder::new(TO_TARGET);
    let mut said = Said::new();
    for message in messages {
        let frame = decoder.message(message)?;
        said.push((frame.kind, frame.payload.to_vec()));
    }
    decoder.finish().map(|()| said)
}

fn payloads() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..8)
}

proptest! {
    #[test]
    fn what_is_written_is_read_however_it_is_cut(payloads in payloads(), step in 1_usize..300) {
        let frames = written(&payloads);
        let said = read(&frames.concat(), step).unwrap();
        prop_assert_eq!(&read_messages(&frames).unwrap(), &said);
        let (last, data) = said.split_last().unwrap();
        prop_assert_eq!(last, &(Kind::Bye, Vec::new()));
        prop_assert_eq!(data.iter().map(|(_, payload)| payload.clone()).collect::<Vec<_>>(), payloads);
    }

    #[test]
    fn a_corrupted_frame_is_found(payloads in payloads(), at in any::<prop::sample::Index>(), burst in 1_u32..=u32::MAX) {
        let frames = written(&payloads);
        let mut bytes = frames.concat();
        let at = at.index(bytes.len());
        // Up to 32 bits in a row: what CRC-32C is certain to find, and within one of the two that a frame has.
        for (byte, change) in bytes[at..].iter_mut().zip(burst.to_be_bytes()) {
            *byte ^= change;
        }
        if bytes != frames.concat() {
            prop_assert!(read(&bytes, usize::MAX).is_err());
        }
    }

    #[test]
    fn a_dropped_frame_is_found(payloads in payloads(), at in any::<prop::sample::Index>()) {
        let mut frames = written(&payloads);
        frames.remove(at.index(frames.len()));
        prop_assert!(read(&frames.concat(), usize::MAX).is_err());
        prop_assert!(read_messages(&frames).is_err());
    }

    #[test]
    fn a_repeated_frame_is_found(payloads in payloads(), at in any::<prop::sample::Index>(), to in any::<prop::sample::Index>()) {
        let mut frames = written(&payloads);
        let again = frames[at.index(frames.len())].clone();
        frames.insert(to.index(frames.len() + 1), again);
        prop_assert!(read(&frames.concat(), usize::MAX).is_err());
        prop_assert!(read_messages(&frames).is_err());
    }

    #[test]
    fn reordered_frames_are_found(payloads in payloads(), a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>()) {
        let mut frames = written(&payloads);
        let a = a.index(frames.len());
        let b = (a + 1 + b.index(frames.len() - 1)) % frames.len();
        frames.swap(a, b);
        prop_assert!(read(&frames.concat(), usize::MAX).is_err());
        prop_assert!(read_messages(&frames).is_err());
    }

    #[test]
    fn a_cut_connection_is_found(payloads in payloads(), at in any::<prop::sample::Index>()) {
        let bytes = written(&payloads).concat();
        prop_assert!(read(&bytes[..at.index(bytes.len())], usize::MAX).is_err());
    }

    #[test]
    fn a_frame_of_another_stream_is_found(payload in prop::collection::vec(any::<u8>(), 0..50)) {
        let mut frames = written(&[payload.clone(), payload.clone()]);
        let mut other = Encoder::new(2);
        other.header(Kind::Data, &[]);
        frames[1] = one(&mut other, Kind::Data, &payload);
        prop_assert_eq!(read(&frames.concat(), usize::MAX), Err(Broken::Stream));
    }

    #[test]
    fn any_bytes_are_read_without_a_panic_and_without_memory(bytes in prop::collection::vec(any::<u8>(), 0..400), step in 1_usize..50) {
        let _ = read(&bytes, step);
        let _ = Hello::read(&bytes).map(|it| assert_eq!(it.bytes(), bytes));
        let _ = Welcome::read(&bytes).map(|it| assert_eq!(it.bytes(), bytes));
        let _ = Reason::read(&bytes).map(|it| assert_eq!(it.bytes(), bytes));
        let _ = Init::read(&bytes).map(|it| assert_eq!(it.bytes(), bytes));
        let _ = Step::read(&bytes).map(|it| assert_eq!(it.bytes(), bytes[..]));
        let _ = Mark::read(&bytes).map(|it| assert_eq!(it.bytes(), bytes[..]));
        let _ = Ack::read(&bytes).map(|it| assert_eq!(it.bytes(), bytes[..]));
        let _ = Verified::read(&bytes).map(|it| assert_eq!(it.bytes(), bytes[..]));
        let _ = Data::read(&bytes).map(|(it, rest)| assert_eq!([&it.bytes()[..], rest].concat(), bytes));
        let _ = Header::read(&bytes).map(|(it, rest)| assert_eq!([&it.bytes()[..], rest].concat(), bytes));
        let mut out = vec![0; PAGE];
        for algorithm in [Algorithm::None, Algorithm::Lz4, Algorithm::Zstd] {
            let _ = Unpacker::default().unpack(algorithm, &bytes, &mut out);
        }
    }

    #[test]
    fn pages_come_back_whatever_they_are_written_in(seed in prop::collection::vec(any::<u8>(), 1..300), pages in 1_usize..5, which in 0_usize..4) {
        let algorithm = [Algorithm::None, Algorithm::Lz4, Algorithm::Zstd, Algorithm::ZstdMax][which];
        let raw: Vec<u8> = seed.iter().copied().cycle().take(pages * PAGE).collect();
        let mut packed = Vec::new();
        let as_what = Packer::default().pack(algorithm, &raw, &mut packed);
        prop_assert!(packed.len() <= raw.len());
        let mut out = vec![0; raw.len()];
        Unpacker::default().unpack(as_what, &packed, &mut out).unwrap();
        prop_assert_eq!(&out, &raw);
        // A difference twice is nothing.
        let old: Vec<u8> = raw.iter().rev().copied().collect();
        xor(&mut out, &old);
        xor(&mut out, &old);
        prop_assert_eq!(out, raw);
    }
}

#[test]
fn a_single_flipped_bit_is_found_wherever_it_is() {
    let bytes = written(&[b"pages".to_vec(), Vec::new()]).concat();
    assert_eq!(bytes.len(), 3 * HEADER + 5);
    for bit in 0..bytes.len() * 8 {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(read(&bytes, usize::MAX).is_err(), "bit {bit}");
    }
}
