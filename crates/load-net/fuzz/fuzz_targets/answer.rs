//! Any bytes, cut anywhere: no panic, no more than 64 KiB kept, and the same answer as in one piece.
#![no_main]

use libfuzzer_sys::fuzz_target;
use load_net::http::codec::{Codec, MAX_HEAD, Progress};

/// Status, body and what was left over; or what was wrong.
fn read(bytes: &[u8], has_body: bool, cut: usize) -> Result<(u16, Vec<u8>, usize), String> {
    let mut codec = Codec::new(10_000);
    codec.begin(has_body);
    let mut body = Vec::new();
    let (first, second) = bytes.split_at(cut);
    for (piece, behind) in [(first, second.len()), (second, 0)] {
        let progress = codec.feed(piece, &mut |data: &[u8]| body.extend_from_slice(data));
        assert!(codec.pending().len() <= MAX_HEAD);
        match progress {
            Ok(Progress::More) => {}
            Ok(Progress::Done { answer, left_over }) => return Ok((answer.status, body, left_over + behind)),
            Err(broken) => return Err(format!("{broken:?}")),
        }
    }
    codec.finish().map(|answer| (answer.status, body, 0)).map_err(|broken| format!("{broken:?}"))
}

fuzz_target!(|input: (bool, u16, &[u8])| {
    let (has_body, cut, bytes) = input;
    let cut = usize::from(cut) % (bytes.len() + 1);
    assert_eq!(read(bytes, has_body, cut), read(bytes, has_body, bytes.len()));
});
