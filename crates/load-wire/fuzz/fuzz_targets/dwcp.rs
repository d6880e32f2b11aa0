//! Any bytes as a connection, cut anywhere: no panic, no more memory than the limit, the same frames as in one piece; and any
//! payload as anything that it could be.
#![no_main]

use libfuzzer_sys::fuzz_target;
use load_wire::dwcp::frame::Decoder;
use load_wire::dwcp::hde::{Header, Unpacker};
use load_wire::dwcp::message::{Ack, Data, Framing, Hello, Init, Mark, Reason, Step, Verified, Welcome};
use load_wire::dwcp::raw::Reader;
use load_wire::dwcp::{CHUNK, TO_SOURCE};

fn read(bytes: &[u8], step: usize) -> Vec<String> {
    let (mut decoder, mut said, mut rest) = (Decoder::new(TO_SOURCE), Vec::new(), bytes);
    while !rest.is_empty() {
        let space = decoder.space();
        assert!(!space.is_empty() && space.len() <= TO_SOURCE + 24);
        let n = space.len().min(step).min(rest.len());
        space[..n].copy_from_slice(&rest[..n]);
        rest = &rest[n..];
        match decoder.filled(n) {
            Ok(None) => {}
            Ok(Some(frame)) => said.push(format!("{frame:?}")),
            Err(broken) => {
                said.push(format!("{broken:?}"));
                break;
            }
        }
    }
    said
}

fuzz_target!(|input: (u8, &[u8])| {
    let (cut, bytes) = input;
    assert_eq!(read(bytes, usize::from(cut) + 1), read(bytes, usize::MAX));
    let _ = (Hello::read(bytes), Welcome::read(bytes), Reason::read(bytes), Init::read(bytes));
    let _ = (Step::read(bytes), Step::read_done(bytes), Mark::read(bytes), Ack::read(bytes), Verified::read(bytes));
    if let Ok((data, rest)) = Data::read(bytes)
        && let Ok((header, data_bytes)) = Header::read(rest)
    {
        let mut out = vec![0; data.full().count_ones() as usize * 4096];
        let _ = Unpacker::default().unpack(header.algorithm, data_bytes, &mut out);
    }
    for framing in [Framing::Amst, Framing::Adapter, Framing::Sdk] {
        let (mut reader, mut rest) = (Reader::new(framing, 1 << 30), bytes);
        while !rest.is_empty() {
            let Ok((taken, record)) = reader.read(rest) else { break };
            assert!(record.is_none_or(|record| record.length <= CHUNK && record.offset < 1 << 30));
            rest = &rest[taken..];
        }
    }
});
