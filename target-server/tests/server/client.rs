//! A client without a library: what it asserts, it saw in the bytes.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use target_server::{Config, Script, Server, now_ns};

/// Nanoseconds of a millisecond.
pub(crate) const MS: u64 = 1_000_000;

/// A server with this script, on a free port.
pub(crate) fn start(script: &str) -> Server {
    let script = Script::parse("test", script).unwrap();
    Server::start(Config { script, ring: 1 << 16, ..Config::default() }).unwrap()
}

/// One connection.
pub(crate) struct Client(BufReader<TcpStream>);

/// An answer whose length was told.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        // A server that hangs fails the test instead of holding it up.
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    pub(crate) fn to(server: &Server) -> Self {
        Self::connect(server.http_addr().unwrap())
    }

    pub(crate) fn write(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
    }

    pub(crate) fn get(&mut self, target: &str) -> Answer {
        self.write(&format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n"));
        self.answer().unwrap()
    }

    pub(crate) fn post(&mut self, target: &str) -> Answer {
        self.write(&format!("POST {target} HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n"));
        self.answer().unwrap()
    }

    /// Reads a head, its end included.
    pub(crate) fn head(&mut self) -> io::Result<String> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.0.read_line(&mut head)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(head)
    }

    /// Reads an answer with `Content-Length`.
    pub(crate) fn answer(&mut self) -> io::Result<Answer> {
        let head = self.head()?;
        let status = head[9..12].parse().map_err(io::Error::other)?;
        let fields = head.lines().filter_map(|line| line.split_once(": "));
        let mut length =
            fields.filter(|(name, _)| name.eq_ignore_ascii_case("content-length")).map(|(_, value)| value);
        let mut body = vec![0; length.next().unwrap_or("0").parse().map_err(io::Error::other)?];
        self.0.read_exact(&mut body)?;
        Ok(Answer { status, head, body: String::from_utf8(body).map_err(io::Error::other)? })
    }

    /// Reads exactly this many bytes.
    pub(crate) fn exactly(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Reads until the server closes.
    pub(crate) fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.0.read_to_end(&mut bytes).map(|_| bytes)
    }

    /// Sees the server close at once.
    pub(crate) fn is_closed(&mut self) -> bool {
        matches!(self.rest(), Ok(bytes) if bytes.is_empty())
    }

    /// Nothing comes for this long.
    pub(crate) fn is_silent(&mut self, time: Duration) -> bool {
        self.0.get_ref().set_read_timeout(Some(time)).unwrap();
        let error = self.0.read(&mut [0; 1]).map_err(|error| error.kind());
        self.0.get_ref().set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        error == Err(io::ErrorKind::WouldBlock)
    }
}

/// Looks again and again until there is something to see, for five seconds at most.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = now_ns();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(now_ns() - begun < 5000 * MS, "not seen in 5 s: {what}");
        std::thread::yield_now();
    }
}
