//! Any cut of the bytes gives the same body, and none that are wrong are taken.

use std::io::Write as _;

use proptest::prelude::*;

use super::*;

fn decoded(coding: &str, bytes: &[u8], cuts: &[usize], most: u64) -> Result<Vec<u8>, Broken> {
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).chain([0, bytes.len()]).collect();
    cuts.sort_unstable();
    let mut out = Vec::new();
    let mut sink = |piece: &[u8]| out.extend_from_slice(piece);
    let mut decoder = Decoder::new(coding.as_bytes(), most)?.unwrap();
    for pair in cuts.windows(2) {
        decoder.feed(&bytes[pair[0]..pair[1]], &mut sink)?;
    }
    decoder.finish(&mut sink)?;
    Ok(out)
}

/// The same in every coding that these crates can write; Brotli comes from what its own tool wrote.
fn encoded(body: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let level = flate2::Compression::default();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), level);
    gzip.write_all(body).unwrap();
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), level);
    zlib.write_all(body).unwrap();
    let mut raw = flate2::write::DeflateEncoder::new(Vec::new(), level);
    raw.write_all(body).unwrap();
    vec![
        ("gzip", gzip.finish().unwrap()),
        ("deflate", zlib.finish().unwrap()),
        ("deflate", raw.finish().unwrap()),
        ("zstd", zstd::encode_all(body, 3).unwrap()),
    ]
}

/// `zlib.brotliCompressSync("Brotli Brotli Brotli Brotli")` of Node.js.
const BROTLI: &[u8] = &[
    0x1b, 0x1a, 0x00, 0xf8, 0x1d, 0xa9, 0x53, 0x9f, 0x3b, 0x74, 0x29, 0xf4, 0x26, 0x57, 0x20, 0x74, 0x95,
    0xc6, 0x16, 0xf3, 0x44, 0x02, 0x75, 0x03,
];

#[test]
fn brotli_is_read_in_any_two_pieces() {
    for cut in 0..BROTLI.len() {
        let body = decoded("br", BROTLI, &[cut], 100).unwrap();
        assert_eq!(body, b"Brotli Brotli Brotli Brotli", "{cut}");
        let broken = decoded("br", &BROTLI[..cut.max(1)], &[], 100).unwrap_err();
        assert_eq!(broken.kind, FaultKind::Malformed, "{cut}");
    }
    assert_eq!(decoded("br", BROTLI, &[], 26).unwrap_err().kind, FaultKind::TooLarge);
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_body(
        body in prop::collection::vec(0_u8..4, 0..3_000),
        cuts in prop::collection::vec(0_usize..4_000, 0..6),
    ) {
        for (coding, bytes) in encoded(&body) {
            let decoded = decoded(coding, &bytes, &cuts, 1 << 20);
            prop_assert_eq!(decoded.as_ref(), Ok(&body), "{}", coding);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        cuts in prop::collection::vec(0_usize..300, 0..3),
    ) {
        for coding in ["gzip", "deflate", "br", "zstd"] {
            let _ = decoded(coding, &bytes, &cuts, 1 << 20);
        }
    }

    #[test]
    fn what_is_cut_short_is_no_body(body in prop::collection::vec(any::<u8>(), 50..200), cut in 1_usize..1_000) {
        for (coding, bytes) in encoded(&body) {
            let short = &bytes[..=(cut % (bytes.len() - 9))];
            let broken = decoded(coding, short, &[], 1 << 20).unwrap_err();
            prop_assert_eq!(broken.kind, FaultKind::Malformed, "{}", coding);
        }
    }
}

#[test]
fn several_members_are_one_body() {
    let one = &encoded(b"one ")[0].1;
    let two = &encoded(b"two")[0].1;
    assert_eq!(decoded("x-gzip", &[&one[..], two].concat(), &[one.len()], 100).unwrap(), b"one two");
}

#[test]
fn a_bomb_is_too_large() {
    for (coding, bytes) in encoded(&vec![0; 5_000_000]) {
        let broken = decoded(coding, &bytes, &[], 1_000_000).unwrap_err();
        assert_eq!(broken.kind, FaultKind::TooLarge, "{coding}");
    }
}

#[test]
fn codings_are_known_by_name() {
    assert!(Decoder::new(b" Identity", 1).unwrap().is_none());
    for coding in [&b"compress"[..], b"gzip, br"] {
        assert_eq!(Decoder::new(coding, 1).err(), Some(UNKNOWN));
    }
    // No body at all is none in every coding: HEAD, 204, 304.
    let mut decoder = Decoder::new(b"gzip", 1).unwrap().unwrap();
    assert_eq!(decoder.finish(&mut |_| {}), Ok(()));
}
