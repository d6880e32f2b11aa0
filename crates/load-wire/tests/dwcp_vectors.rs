//! Are the bytes those that docs/dwcp.md says? Every frame and every raw format as hex, written down by hand.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::fmt::Write as _;

use load_wire::dwcp::frame::{Decoder, Encoder, Kind};
use load_wire::dwcp::hde::{self, Algorithm};
use load_wire::dwcp::message::{
    Ack, Data, Framing, Hello, Init, Mark, Phase, Reason, Step, Verified, Welcome, feature,
};
use load_wire::dwcp::raw::{self, Reader, Record};
use load_wire::dwcp::{Broken, CHUNK, TO_TARGET};

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

#[test]
fn a_frame_has_24_bytes_of_header_and_two_checksums() {
    let mut encoder = Encoder::new(2);
    let mut bytes = Vec::new();
    encoder.put(Kind::Verify, b"", &mut bytes);
    encoder.put(Kind::Mark, b"123456789", &mut bytes);
    // The checksum of "123456789" is the check value of CRC-32C, e3069283; those of the headers were computed bit by bit, by
    // another implementation.
    let first = concat!("44574333", "0a", "00", "0002", "00000000", "00000000", "00000000");
    let second = concat!("44574333", "08", "00", "0002", "00000001", "00000009", "e3069283");
    let text = hex(&bytes);
    assert_eq!(&text[..40], first);
    assert_eq!(&text[48..88], second);
    assert_eq!((&text[40..48], &text[88..96]), (HEADER_SUMS[0], HEADER_SUMS[1]));
    assert_eq!(&text[96..], "313233343536373839");
}

/// CRC-32C of the two headers above.
const HEADER_SUMS: [&str; 2] = ["c2a20a25", "c54bdb3a"];

#[test]
fn payloads_are_as_the_tables_say() {
    let session = *b"0123456789abcdef";
    let hello = Hello { versions: (3, 3), stream: 1, streams: 4, features: feature::ALL, session };
    let text = "0303000100040000".to_owned() + "0000003f" + "30313233343536373839616263646566";
    assert_eq!((hex(hello.bytes()), Hello::read(&hello.bytes())), (text, Ok(hello)));

    let welcome = Welcome { features: 5, credit: 1 << 24, payload: TO_TARGET as u32 };
    let text = "03000000".to_owned() + "00000005" + "0000000001000000" + "00040024";
    assert_eq!((hex(welcome.bytes()), Welcome::read(&welcome.bytes())), (text, Ok(welcome)));

    let reason = Reason { code: 8, text: "no" };
    assert_eq!((hex(reason.bytes()), Reason::read(&reason.bytes())), ("00086e6f".to_owned(), Ok(reason)));

    let init = Init { migration: session, bytes: 8192, mode: 2, framing: Framing::Adapter, vm: "vm" };
    let text = hex(session) + "0000000000002000" + "00001000" + "0040" + "02" + "02" + "766d";
    assert_eq!((hex(init.bytes()), Init::read(&init.bytes())), (text, Ok(init)));

    let step = Step { phase: Phase::PreCopy, round: 258 };
    assert_eq!((hex(step.bytes()), Step::read(&step.bytes())), ("03000102".to_owned(), Ok(step)));
    let done = "030001020000000000001f90".to_owned();
    assert_eq!((hex(step.done(8080)), Step::read_done(&step.done(8080))), (done, Ok((step, 8080))));

    let mark = Mark { round: 3, bytes: 4096 };
    assert_eq!(
        (hex(mark.bytes()), Mark::read(&mark.bytes())),
        ("000300000000000000001000".to_owned(), Ok(mark))
    );

    let ack = Ack { next: 7, credit: 65_536 };
    assert_eq!((hex(ack.bytes()), Ack::read(&ack.bytes())), ("000000070000000000010000".to_owned(), Ok(ack)));

    let verified = Verified { bytes: 4096, hash: 0xfe };
    let text = "0000000000001000".to_owned() + "000000000000000000000000000000fe";
    assert_eq!((hex(verified.bytes()), Verified::read(&verified.bytes())), (text, Ok(verified)));
}

#[test]
fn pages_are_said_by_bits_and_behind_them_is_the_originals_hde_header() {
    let data = Data { chunk: 9, round: 2, pages: 0b1101, zeros: 0b0100 };
    let mut payload = data.bytes().to_vec();
    let header = hde::Header { delta: true, algorithm: Algorithm::Zstd, mode: 1, original: 8192, size: 3 };
    payload.extend(header.bytes());
    payload.extend(b"abc");
    let expected = concat!(
        "00000009",
        "0002",
        "0000",
        "000000000000000d",
        "0000000000000004",
        "03",
        "01",
        "02",
        "01",
        "00002000",
        "00000003",
        "616263"
    );
    assert_eq!(hex(&payload), expected);
    let (read, rest) = Data::read(&payload).unwrap();
    assert_eq!((read, read.full()), (data, 0b1001));
    assert_eq!(hde::Header::read(rest), Ok((header, &b"abc"[..])));
}

#[test]
fn the_raw_formats_are_the_originals() {
    assert_eq!(hex(raw::amst(1, 262_144)), "0000000100040000");
    assert_eq!(hex(raw::adapter(3, 196_608, 65_536, 1 << 20)), "00000003000300000001000000100000");
    let sdk = raw::sdk("ab", 1000, 262_144, 4096);
    // 1 + 1 + 8 + 2 + 2 + 4 + 8 + 4096 = 0x101a bytes behind the length.
    let expected =
        concat!("0000101a", "03", "03", "00000000000003e8", "0002", "6162", "00001008", "0000000000040000");
    assert_eq!(hex(&sdk), expected);
    for (framing, head) in [
        (Framing::Amst, raw::amst(1, 4096).to_vec()),
        (Framing::Adapter, raw::adapter(4, 262_144, 4096, 1 << 20).to_vec()),
        (Framing::Sdk, sdk),
    ] {
        // One byte at a time.
        let mut reader = Reader::new(framing, 1 << 20);
        let mut came = None;
        for byte in &head {
            assert!(came.is_none());
            let (taken, record) = reader.read(std::slice::from_ref(byte)).unwrap();
            assert_eq!(taken, 1);
            came = record;
        }
        assert_eq!(came, Some(Record { offset: CHUNK as u64, length: 4096 }), "{framing:?}");
        assert!(reader.is_between());
    }
}

#[test]
fn raw_records_beyond_the_image_are_refused() {
    let read = |framing, head: &[u8]| Reader::new(framing, 1 << 20).read(head);
    for (framing, head) in [
        (Framing::Amst, raw::amst(4, 1).to_vec()),
        (Framing::Amst, raw::amst(u32::MAX, u32::MAX).to_vec()),
        (Framing::Amst, raw::amst(0, CHUNK as u32 + 1).to_vec()),
        (Framing::Amst, raw::amst(0, 0).to_vec()),
        (Framing::Adapter, raw::adapter(0, 0, 4096, 7).to_vec()),
        (Framing::Adapter, raw::adapter(0, 200_000, 65_536, 1 << 20).to_vec()),
        (Framing::Sdk, raw::sdk("a", 0, u64::MAX, 1)),
        (Framing::Sdk, raw::sdk(&"a".repeat(65), 0, 0, 1)),
    ] {
        assert!(matches!(read(framing, &head), Err(Broken::Malformed(_))), "{framing:?} {}", hex(&head));
    }
}

#[test]
fn a_length_is_believed_only_behind_its_checksum_and_within_the_limit() {
    let mut encoder = Encoder::new(0);
    let mut header = encoder.header(Kind::Data, &[&[0; 4096]]);
    let mut decoder = Decoder::new(4095);
    decoder.space().copy_from_slice(&header);
    assert_eq!(decoder.filled(24), Err(Broken::TooLong { length: 4096, limit: 4095 }));
    header[12..16].copy_from_slice(&u32::MAX.to_be_bytes());
    let mut decoder = Decoder::new(TO_TARGET);
    decoder.space().copy_from_slice(&header);
    assert_eq!(decoder.filled(24), Err(Broken::Header));
}

#[test]
fn a_size_that_compressed_bytes_claim_is_not_allocated() {
    let mut packed = Vec::new();
    let mut packer = hde::Packer::default();
    for algorithm in [Algorithm::Lz4, Algorithm::Zstd] {
        // A bomb: as much as a chunk, where a page was announced.
        assert_eq!(packer.pack(algorithm, &vec![7; CHUNK], &mut packed), algorithm);
        let mut page = vec![0; 4096];
        let unpacked = hde::Unpacker::default().unpack(algorithm, &packed, &mut page);
        assert!(matches!(unpacked, Err(Broken::Malformed(_))), "{algorithm:?}");
    }
}
