//! Any bytes as a compressed body: no panic, no more than the limit comes out.
#![no_main]

use libfuzzer_sys::fuzz_target;
use load_net::http::decode::Decoder;

const MOST: u64 = 1 << 20;

fuzz_target!(|input: (u8, u16, &[u8])| {
    let (coding, cut, bytes) = input;
    let coding = [&b"gzip"[..], b"deflate", b"br", b"zstd"][usize::from(coding % 4)];
    let Ok(Some(mut decoder)) = Decoder::new(coding, MOST) else { return };
    let mut out = 0;
    let mut sink = |piece: &[u8]| out += piece.len() as u64;
    let (first, second) = bytes.split_at(usize::from(cut) % (bytes.len() + 1));
    let _ = decoder
        .feed(first, &mut sink)
        .and_then(|()| decoder.feed(second, &mut sink))
        .and_then(|()| decoder.finish(&mut sink));
    assert!(out <= MOST);
});
