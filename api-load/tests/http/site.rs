//! A small site: answers that a function makes of requests, on any number of connections, until the test ends.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::raw;

/// What came, in order: the number of the connection, and the request with its body.
type Log = Arc<Mutex<Vec<(usize, String)>>>;

pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    log: Log,
}

impl Site {
    /// `answer` gets the request and makes the answer; a connection ends behind one with `Connection: close`.
    pub(crate) fn start(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (log, answer) = (Log::default(), Arc::new(answer));
        let kept = Arc::clone(&log);
        // Ends with the process.
        thread::spawn(move || {
            for (number, stream) in listener.incoming().map_while(Result::ok).enumerate() {
                let (log, answer) = (Arc::clone(&kept), Arc::clone(&answer));
                thread::spawn(move || serve(stream, number, &log, &*answer));
            }
        });
        Self { address, log }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests so far, each with its connection: 0 is the first one behind the look at whether anyone is there.
    pub(crate) fn requests(&self) -> Vec<(usize, String)> {
        self.log
            .lock()
            .unwrap()
            .iter()
            .map(|(number, request)| (number.saturating_sub(1), request.clone()))
            .collect()
    }
}

fn serve(mut stream: TcpStream, number: usize, log: &Log, answer: &dyn Fn(&str) -> Vec<u8>) {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    while stream.peek(&mut [0]).is_ok_and(|n| n > 0) {
        let head = String::from_utf8(raw::request(&mut stream)).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        stream.read_exact(&mut body).unwrap();
        let request = head + &String::from_utf8_lossy(&body);
        let answer = answer(&request);
        log.lock().unwrap().push((number, request));
        if stream.write_all(&answer).is_err() || answer.windows(7).any(|window| window == b": close") {
            return;
        }
    }
}

/// An answer with these header lines, each with its line break, and a `body`.
pub(crate) fn answer(status: &str, lines: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\n{lines}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// A redirect with a body that nobody should see.
pub(crate) fn redirect(status: &str, location: &str) -> Vec<u8> {
    answer(status, &format!("Location: {location}\r\n"), b"elsewhere")
}
