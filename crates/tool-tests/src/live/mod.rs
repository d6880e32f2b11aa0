//! What does a run tell those who watch it, by `--live`?

mod page;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Child;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

pub use self::page::Page;
use crate::pass;

/// A run that is watched from outside.
pub struct Watched {
    child: Child,
    address: String,
    /// What it says on stderr.
    lines: Receiver<String>,
}

impl Watched {
    /// Waits until a tool that was started with `--live` has said where.
    pub fn new(mut child: Child) -> Self {
        let (tell, lines) = channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        // It is read to its end, lest the tool wait for a reader.
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                // The test may have heard enough.
                let _ = tell.send(line);
            }
        });
        let mut before = Vec::new();
        let address = loop {
            let line = lines.recv_timeout(Duration::from_secs(30)).unwrap_or_else(|_| panic!("{before:?}"));
            match line.strip_prefix("live: http://") {
                Some(rest) => break rest.split('/').next().unwrap().to_owned(),
                None => before.push(line),
            }
        };
        Self { child, address, lines }
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether the next line that it says contains `text`.
    pub fn said(&self, text: &str) -> bool {
        self.lines.recv_timeout(Duration::from_secs(30)).unwrap().contains(text)
    }

    /// The process, for [`Tool::wait`](crate::Tool::wait).
    pub fn child(self) -> Child {
        self.child
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.0 200 OK\r\n"), "{head}");
        body.to_owned()
    }

    /// `/metrics`.
    #[track_caller]
    pub fn page(&self) -> Page {
        Page::parse(&self.get("/metrics"))
    }

    /// The first page that `is` so, of those of the next minute.
    #[track_caller]
    pub fn until(&self, mut is: impl FnMut(&Page) -> bool) -> Page {
        for _ in 0..600 {
            let page = self.page();
            if is(&page) {
                return page;
            }
            pass(100);
        }
        panic!("no page is as it should be; the last one: {}", self.page().text);
    }

    /// `/events` until the run ends: what each is called, and its data.
    pub fn events(&self) -> Vec<(String, Value)> {
        let text = self.get("/events");
        let event = |block: &str| {
            let (kind, data) = block.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
            (kind.to_owned(), serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}")))
        };
        text.split_terminator("\n\n").map(event).collect()
    }
}
