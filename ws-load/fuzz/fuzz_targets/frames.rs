//! Any bytes behind an upgrade, cut anywhere: no panic, an end, a fault of the right kind, and the same as in one piece.
#![no_main]

#[path = "../../tests/hostile/stream.rs"]
#[expect(dead_code, reason = "the other target needs the rest")]
mod stream;

use libfuzzer_sys::fuzz_target;
use load_core::record::Unobserved;
use load_report::fault::FaultKind::{Closed, Malformed, TooLarge};
use stream::{End, Fed, listen};

fn end(bytes: &[u8], cut: usize) -> End {
    let Ok(end) = listen(Fed::new(bytes, cut, true), &Unobserved) else { panic!("no upgrade") };
    let fault = end.fault;
    assert!(matches!(fault.kind, Closed | Malformed | TooLarge) && fault.ends_session && fault.code > 0);
    // A pong for every two bytes, with its mask, and a close.
    assert!(end.sent.len() <= 7 * bytes.len() + 200, "{}", end.sent.len());
    end
}

fuzz_target!(|input: (u16, &[u8])| {
    let (cut, bytes) = input;
    let (whole, parted) = (end(bytes, bytes.len()), end(bytes, usize::from(cut) % (bytes.len() + 1)));
    assert_eq!((whole.fault, &whole.note, whole.sent.len()), (parted.fault, &parted.note, parted.sent.len()));
});
