//! What a source sees that makes mistakes, and what the record says of it: bytes on a socket, without our source.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use load_wire::dwcp::{
    CHUNK, PAGE, TO_SOURCE,
    frame::{Decoder, Encoder, Kind},
    hde::{Algorithm, Header, Packer},
    message::{Ack, Data, Framing, Hello, Init, Mark, Phase, Reason, Step, Verified, Welcome, code, feature},
};
use target_server::{Config, Script, Server};

use crate::client::eventually;

fn server(script: &str) -> Server {
    let script = Script::parse("test", &format!("[dwcp.data]\n{script}\n")).unwrap();
    let dwcp_data = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    Server::start(Config { dwcp_data, script, ..Config::default() }).unwrap()
}

/// One connection of a source.
struct Source {
    socket: TcpStream,
    encoder: Encoder,
    decoder: Decoder,
}

impl Source {
    fn connect(server: &Server) -> Self {
        let socket = TcpStream::connect(server.dwcp_data_addr().unwrap()).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        Self { socket, encoder: Encoder::new(0), decoder: Decoder::new(TO_SOURCE) }
    }

    /// Says hello with these features.
    fn hello(server: &Server, features: u32, session: u8) -> (Self, Welcome) {
        let mut source = Self::connect(server);
        let hello = Hello { versions: (3, 3), stream: 0, streams: 1, features, session: [session; 16] };
        source.say(Kind::Hello, &hello.bytes());
        let (kind, payload) = source.hear().unwrap();
        assert_eq!(kind, Kind::Welcome);
        (source, Welcome::read(&payload).unwrap())
    }

    /// A migration of so many bytes that is in its first round.
    fn copying(server: &Server, features: u32, bytes: u64) -> Self {
        let (mut source, _) = Self::hello(server, features, 1);
        let init = Init { migration: [7; 16], bytes, mode: 0, framing: Framing::V3, vm: "vm" };
        source.say(Kind::Init, &init.bytes());
        assert_eq!(source.hear().unwrap().0, Kind::Done);
        source.enter(Phase::PreCopy, 1);
        source
    }

    fn enter(&mut self, phase: Phase, round: u16) {
        let step = Step { phase, round };
        self.say(Kind::Phase, &step.bytes());
        let (kind, payload) = self.hear().unwrap();
        assert_eq!((kind, Step::read_done(&payload)), (Kind::Done, Ok((step, 0))));
    }

    fn say(&mut self, kind: Kind, payload: &[u8]) {
        let mut frame = Vec::new();
        self.encoder.put(kind, payload, &mut frame);
        self.send(&frame);
    }

    fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).unwrap();
    }

    /// The next answer; none when the connection has ended.
    fn hear(&mut self) -> Option<(Kind, Vec<u8>)> {
        loop {
            let n = self.socket.read(self.decoder.space()).unwrap_or(0);
            if n == 0 {
                return None;
            }
            if let Some(frame) = self.decoder.filled(n).unwrap() {
                return Some((frame.kind, frame.payload.to_vec()));
            }
        }
    }

    /// The code with which the target gives up, and ends the connection.
    fn is_cut_off(&mut self) -> (Kind, u16) {
        let (kind, payload) = self.hear().unwrap();
        let code = Reason::read(&payload).unwrap().code;
        assert_eq!(self.hear(), None);
        (kind, code)
    }
}

/// What a source does wrong.
type Mistake<'a> = &'a dyn Fn(&mut Source);

/// The payload with these pages of a chunk of round 1.
fn pages(chunk: u32, pages: u64, bytes: &[u8]) -> Vec<u8> {
    let data = Data { chunk, round: 1, pages, zeros: 0 };
    let size = bytes.len() as u32;
    let header = Header { delta: false, algorithm: Algorithm::None, mode: 0, original: size, size };
    [&data.bytes()[..], &header.bytes(), bytes].concat()
}

#[test]
fn a_migration_goes_through_all_phases_and_its_hash_is_that_of_the_image() {
    let server = server("");
    let mut source = Source::copying(&server, 0, (CHUNK + PAGE) as u64);
    let image: Vec<u8> = (0..CHUNK + PAGE).map(|i| (i % 251) as u8).collect();
    source.say(Kind::Data, &pages(0, u64::MAX, &image[..CHUNK]));
    source.say(Kind::Data, &pages(1, 1, &image[CHUNK..]));
    source.say(Kind::Mark, &Mark { round: 1, bytes: 0 }.bytes());
    let (kind, payload) = source.hear().unwrap();
    // HELLO, INIT, PHASE, two of pages and the mark: the next one is number 6.
    assert_eq!((kind, Ack::read(&payload).unwrap().next), (Kind::Ack, 6));
    for (phase, round) in [(Phase::StopAndCopy, 2), (Phase::Verification, 3)] {
        source.enter(phase, round);
    }
    source.say(Kind::Verify, &[]);
    let (kind, payload) = source.hear().unwrap();
    assert_eq!(kind, Kind::Verified);
    // Computed at once from the whole, and not in pieces.
    let hash = xxhash_rust::xxh3::xxh3_128(&image);
    assert_eq!(Verified::read(&payload), Ok(Verified { bytes: image.len() as u64, hash }));
    assert_eq!(server.dwcp_data_truth().memory, image.len() as u64);
    source.enter(Phase::Cleanup, 3);
    source.enter(Phase::Complete, 3);
    source.say(Kind::Bye, &[]);
    assert_eq!(source.hear(), None);
    let truth = server.dwcp_data_truth();
    assert_eq!((truth.completed, truth.memory, truth.pages, truth.frames), (1, 0, 65, 2));
    assert_eq!((truth.broken, truth.cut_off, truth.connections_open), (0, 0, 0));
}

#[test]
fn whoever_speaks_something_else_is_refused() {
    let server = server("");
    let mut source = Source::connect(&server);
    source.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(source.is_cut_off(), (Kind::Refuse, code::MALFORMED));
    let mut source = Source::connect(&server);
    source.say(Kind::Verify, &[]);
    assert_eq!(source.is_cut_off(), (Kind::Refuse, code::TURN));
    let mut source = Source::connect(&server);
    let hello = Hello { versions: (4, 9), stream: 0, streams: 1, features: 0, session: [0; 16] };
    source.say(Kind::Hello, &hello.bytes());
    assert_eq!(source.is_cut_off(), (Kind::Refuse, code::VERSION));
    assert_eq!((server.dwcp_data_truth().refused, server.dwcp_data_truth().connections), (3, 0));
}

#[test]
fn features_are_what_both_have_and_no_more_is_allowed() {
    let server = server("");
    let (_, welcome) = Source::hello(&server, feature::LZ4 | 1 << 31, 9);
    assert_eq!(welcome.features, feature::LZ4);
    let mut source = Source::copying(&server, feature::LZ4, CHUNK as u64);
    let mut packed = Vec::new();
    assert_eq!(Packer::default().pack(Algorithm::Zstd, &[1; PAGE], &mut packed), Algorithm::Zstd);
    let data = Data { chunk: 0, round: 1, pages: 1, zeros: 0 };
    let header = Header {
        delta: false,
        algorithm: Algorithm::Zstd,
        mode: 0,
        original: PAGE as u32,
        size: packed.len() as u32,
    };
    source.say(Kind::Data, &[&data.bytes()[..], &header.bytes(), &packed].concat());
    assert_eq!(source.is_cut_off(), (Kind::Abort, code::FEATURES));
}

#[test]
fn every_wrong_frame_is_told_and_ends_the_connection() {
    let page = [5; PAGE];
    let wrong: [(u16, Mistake<'_>); 9] = [
        // Corrupted.
        (code::MALFORMED, &|source| {
            let mut frame = Vec::new();
            source.encoder.put(Kind::Data, &pages(0, 1, &page), &mut frame);
            frame[100] ^= 1;
            source.send(&frame);
        }),
        // One was dropped before it.
        (code::MALFORMED, &|source| {
            source.encoder.header(Kind::Data, &[]);
            source.say(Kind::Data, &pages(0, 1, &page));
        }),
        // Repeated.
        (code::MALFORMED, &|source| {
            let mut frame = Vec::new();
            source.encoder.put(Kind::Data, &pages(0, 1, &page), &mut frame);
            source.send(&[&frame[..], &frame].concat());
        }),
        // Beyond the image, of another number of pages, of another round, larger than allowed.
        (code::MALFORMED, &|source| source.say(Kind::Data, &pages(1, 1, &page))),
        (code::MALFORMED, &|source| source.say(Kind::Data, &pages(0, 0b11, &page))),
        (code::MALFORMED, &|source| {
            let mut payload = pages(0, 1, &page);
            payload[5] = 2;
            source.say(Kind::Data, &payload);
        }),
        (code::MALFORMED, &|source| {
            let header = source.encoder.header(Kind::Data, &[&vec![0; CHUNK + 100]]);
            source.send(&header);
        }),
        // What is not due.
        (code::TURN, &|source| source.say(Kind::Verify, &[])),
        (code::TURN, &|source| {
            source.say(Kind::Phase, &Step { phase: Phase::Prefetch, round: 1 }.bytes());
        }),
    ];
    for (i, (expected, mistake)) in wrong.iter().enumerate() {
        let server = server("");
        let mut source = Source::copying(&server, 0, CHUNK as u64);
        mistake(&mut source);
        assert_eq!(source.is_cut_off(), (Kind::Abort, *expected), "mistake {i}");
        assert_eq!(server.dwcp_data_truth().broken, 1, "mistake {i}");
    }
}

#[test]
fn who_exceeds_the_credit_is_cut_off() {
    // Four chunks with what is said about them are more than 1 MiB, and for 0.4 s nobody is told of further credit.
    let server = server("window = 1048576\nlatency = \"200ms\"");
    let mut source = Source::copying(&server, 0, 4 * CHUNK as u64);
    for chunk in 0..4 {
        source.say(Kind::Data, &pages(chunk, u64::MAX, &vec![1; CHUNK]));
    }
    for _ in 0..3 {
        assert_eq!(source.hear().unwrap().0, Kind::Ack);
    }
    assert_eq!(source.is_cut_off(), (Kind::Abort, code::TURN));
}

#[test]
fn an_image_that_is_too_large_is_no_reason_to_take_memory() {
    let server = server("memory = 1073741824");
    for bytes in [u64::MAX - 4095, 1 << 50, (1 << 30) + 4096] {
        let (mut source, _) = Source::hello(&server, 0, 3);
        let init = Init { migration: [7; 16], bytes, mode: 0, framing: Framing::V3, vm: "vm" };
        source.say(Kind::Init, &init.bytes());
        assert_eq!(source.is_cut_off(), (Kind::Abort, code::TOO_LARGE), "{bytes}");
    }
    assert_eq!((server.dwcp_data_truth().refused, server.dwcp_data_truth().memory), (3, 0));
}

#[test]
fn a_source_that_goes_away_is_waited_for_and_then_forgotten() {
    let server = server("");
    let source = Source::copying(&server, 0, CHUNK as u64);
    drop(source);
    eventually("the end", || (server.dwcp_data_truth().cut_off == 1).then_some(()));
    assert_eq!(server.dwcp_data_truth().active, 1);
    // It comes back, and may begin nothing new, because the old one is still there.
    let (mut source, _) = Source::hello(&server, 0, 1);
    assert_eq!(server.dwcp_data_truth().resumed, 1);
    source.enter(Phase::PreCopy, 2);
    source.say(Kind::Rollback, &[]);
    assert_eq!(source.hear().unwrap().0, Kind::RolledBack);
    let truth = server.dwcp_data_truth();
    assert_eq!((truth.rolled_back, truth.active, truth.memory), (1, 0, 0));
}
