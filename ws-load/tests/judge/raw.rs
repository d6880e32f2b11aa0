//! A server that says byte for byte what a test wants, and keeps what it was sent.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// A client that says nothing for so long is left.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const TEXT: u8 = 0x1;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xa;

/// A frame of the client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Frame {
    /// With the bit for the last one of a message.
    pub(crate) first: u8,
    pub(crate) masked: bool,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    pub(crate) fn opcode(&self) -> u8 {
        self.first & 0xf
    }

    /// The code of a close frame.
    pub(crate) fn code(&self) -> Option<u16> {
        Some(u16::from_be_bytes([*self.payload.first()?, *self.payload.get(1)?]))
    }
}

/// One connection.
pub(crate) struct Peer {
    stream: TcpStream,
    /// Its number, from 0: the first one that asks is the tool's question whether there is a WebSocket.
    pub(crate) number: usize,
    /// What belongs into Sec-WebSocket-Accept.
    pub(crate) accept: String,
    heard: Heard,
}

/// What a connection was sent after its upgrade.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    pub(crate) frames: Vec<Frame>,
    /// It ended with a reset.
    pub(crate) was_reset: bool,
}

impl Peer {
    /// Sends `bytes`; whoever they are for may have gone.
    pub(crate) fn say(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// The right answer to an upgrade, with these further header lines.
    pub(crate) fn answer(&self, more: &str) -> String {
        let accept = &self.accept;
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n{more}\r\n"
        )
    }

    /// Upgrades the connection.
    pub(crate) fn upgrade(&mut self) {
        let answer = self.answer("");
        self.say(answer.as_bytes());
    }

    /// The next frame; none at the end.
    pub(crate) fn hear(&mut self) -> Option<Frame> {
        let mut head = [0; 2];
        self.read(&mut head)?;
        let masked = head[1] & 0x80 != 0;
        let length = match head[1] & 0x7f {
            126 => {
                let mut length = [0; 2];
                self.read(&mut length)?;
                u16::from_be_bytes(length).into()
            }
            127 => panic!("a frame too long for these tests"),
            short => usize::from(short),
        };
        let (mut mask, mut payload) = ([0; 4], vec![0; length]);
        if masked {
            self.read(&mut mask)?;
        }
        self.read(&mut payload)?;
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        let frame = Frame { first: head[0], masked, payload };
        self.heard.frames.push(frame.clone());
        Some(frame)
    }

    /// Keeps what comes until the end; a close is answered where `polite`.
    pub(crate) fn hear_out(&mut self, polite: bool) {
        while let Some(frame) = self.hear() {
            if polite && frame.opcode() == CLOSE {
                let mut answer = vec![0x88, frame.payload.len() as u8];
                answer.extend(&frame.payload);
                self.say(&answer);
                return;
            }
        }
    }

    /// The same connection once more, to take away what comes while this one says something.
    pub(crate) fn emptier(&self) -> impl FnOnce() + Send + 'static {
        let mut stream = self.stream.try_clone().unwrap();
        move || while matches!(stream.read(&mut [0; 1 << 14]), Ok(1..)) {}
    }

    fn read(&mut self, bytes: &mut [u8]) -> Option<()> {
        match self.stream.read_exact(bytes) {
            Ok(()) => Some(()),
            Err(error) => {
                self.heard.was_reset |= error.kind() == ErrorKind::ConnectionReset;
                None
            }
        }
    }
}

/// The server; it lives as long as the test.
pub(crate) struct Raw {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<Option<Heard>>>>,
}

impl Raw {
    /// A server that does `each` with every connection but the first, which is upgraded and answered as it should be.
    pub(crate) fn start(each: impl Fn(&mut Peer) + Send + Sync + 'static) -> Self {
        Self::from_the_first(move |peer| {
            if peer.number == 0 {
                peer.upgrade();
                peer.hear_out(true);
            } else {
                each(peer);
            }
        })
    }

    /// A server that does `each` with every connection.
    pub(crate) fn from_the_first(each: impl Fn(&mut Peer) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (each, shared) = (Arc::new(each), Arc::clone(&heard));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (each, heard) = (Arc::clone(&each), Arc::clone(&shared));
                std::thread::spawn(move || {
                    let stream = stream.unwrap();
                    stream.set_nodelay(true).unwrap();
                    stream.set_read_timeout(Some(PATIENCE)).unwrap();
                    // The tool also connects once without asking for anything.
                    let Some(accept) = accept(&stream) else { return };
                    let number = {
                        let mut heard = heard.lock().unwrap();
                        heard.push(None);
                        heard.len() - 1
                    };
                    let mut peer = Peer { stream, number, accept, heard: Heard::default() };
                    each(&mut peer);
                    heard.lock().unwrap()[number] = Some(peer.heard);
                });
            }
        });
        Self { address, heard }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/", self.address)
    }

    /// What every connection but the first was sent; waits for their ends.
    #[track_caller]
    pub(crate) fn heard(&self) -> Vec<Heard> {
        for _ in 0..500 {
            let heard: Option<Vec<_>> = self.heard.lock().unwrap().iter().skip(1).cloned().collect();
            if let Some(heard) = heard {
                return heard;
            }
            tool_tests::pass(20);
        }
        panic!("a connection does not end");
    }
}

/// Reads a request for an upgrade, and says what belongs into Sec-WebSocket-Accept.
fn accept(mut stream: &TcpStream) -> Option<String> {
    let (mut request, mut byte) = (Vec::new(), [0]);
    while !request.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        request.push(byte[0]);
    }
    let request = String::from_utf8(request).unwrap();
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
    Some(derive_accept_key(key.unwrap().as_bytes()))
}

/// A frame of a server: its first byte, and what is in it.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        short @ ..126 => frame.push(short as u8),
        long => {
            frame.push(126);
            frame.extend((long as u16).to_be_bytes());
        }
    }
    frame.extend(payload);
    frame
}
