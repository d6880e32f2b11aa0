//! A server of single frames (RFC 9113), which does on each stream what a test wants.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

/// What is sent in answer to the request on this stream.
pub(crate) type Answer = fn(u32) -> Vec<u8>;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;
const PREFACE: usize = 24;

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// Status 200 (entry 8 of the static table of RFC 7541), and `ok` where `ends` says that this is all.
pub(crate) fn ok(stream: u32) -> Vec<u8> {
    [frame(HEADERS, END_HEADERS, stream, &[0x88]), frame(DATA, END_STREAM, stream, b"ok")].concat()
}

/// An answer that ends in its middle, with `INTERNAL_ERROR`.
pub(crate) fn cut(stream: u32) -> Vec<u8> {
    let half = [frame(HEADERS, END_HEADERS, stream, &[0x88]), frame(DATA, 0, stream, b"ha")];
    [half.concat(), frame(RST_STREAM, 0, stream, &2_u32.to_be_bytes())].concat()
}

/// No answer but `REFUSED_STREAM`.
pub(crate) fn refusal(stream: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &7_u32.to_be_bytes())
}

/// A body that is longer than its header says: the name is entry 28 of the static table, the value a literal.
pub(crate) fn too_long(stream: u32) -> Vec<u8> {
    let head = frame(HEADERS, END_HEADERS, stream, &[0x88, 0x0f, 0x0d, 1, b'1']);
    [head, frame(DATA, END_STREAM, stream, b"ok")].concat()
}

/// A whole answer, and that the rest of the request is not wanted.
pub(crate) fn ok_and_no_more(stream: u32) -> Vec<u8> {
    [ok(stream), frame(RST_STREAM, 0, stream, &[0; 4])].concat()
}

/// More window of the connection than there can be.
pub(crate) fn window() -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, 0, &0x7fff_ffff_u32.to_be_bytes())
}

/// Serves as long as the test takes; a client may break a connection at any point.
pub(crate) fn start(answer: Answer) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            std::thread::spawn(move || serve(stream, answer));
        }
    });
    address
}

fn serve(mut stream: TcpStream, answer: Answer) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.read_exact(&mut [0; PREFACE])?;
    stream.write_all(&frame(SETTINGS, 0, 0, &[]))?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload)?;
        match (head[3], head[4]) {
            (SETTINGS, 0) => stream.write_all(&frame(SETTINGS, ACK, 0, &[]))?,
            (PING, 0) => stream.write_all(&frame(PING, ACK, 0, &payload))?,
            (HEADERS, _) => stream.write_all(&answer(id))?,
            _ => {}
        }
    }
}
