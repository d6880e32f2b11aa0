//! Any bytes as the answer to an upgrade, cut anywhere: no panic, and an end that can be told.
#![no_main]

#[path = "../../tests/hostile/stream.rs"]
mod stream;

use libfuzzer_sys::fuzz_target;
use stream::refuse;

fuzz_target!(|input: (u16, &[u8])| {
    let (cut, bytes) = input;
    refuse(bytes, usize::from(cut) % (bytes.len() + 1));
});
