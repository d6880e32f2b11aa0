//! How is a request ended on the server when nobody waits for its answer any more? From a thread beside the run, which
//! ends them one after the other.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use postgres_protocol::message::frontend;

use super::login::Place;

/// A server that does not answer is not waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Ends requests.
#[derive(Debug, Default)]
pub struct Canceller(Mutex<Option<Sender<Job>>>);

#[derive(Debug)]
enum Job {
    Cancel(Place, Key),
    /// Tells when all jobs before are done.
    Tell(Sender<()>),
}

/// What a server knows a session by.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    process: i32,
    secret: i32,
}

impl Key {
    /// That of a `BackendKeyData`.
    pub fn of(body: &[u8]) -> Option<Self> {
        let (process, rest) = body.split_first_chunk()?;
        let (process, secret) = (i32::from_be_bytes(*process), i32::from_be_bytes(*rest.first_chunk()?));
        Some(Self { process, secret })
    }
}

impl Canceller {
    /// Ends what the session is at, soon.
    pub fn cancel(&self, place: &Place, key: Key) {
        self.give(Job::Cancel(place.clone(), key));
    }

    /// Gets what says when all that was to be ended was.
    pub fn done(&self) -> Option<Receiver<()>> {
        let is_at_work = self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        is_at_work.then(|| {
            let (tell, told) = channel();
            self.give(Job::Tell(tell));
            told
        })
    }

    fn give(&self, job: Job) {
        let mut sender = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = sender.get_or_insert_with(|| {
            let (sender, jobs) = channel();
            std::thread::spawn(move || work(&jobs));
            sender
        });
        // The thread ends when the sender does.
        let _ = sender.send(job);
    }
}

fn work(jobs: &Receiver<Job>) {
    for job in jobs {
        match job {
            // Whether it helped, nobody can tell.
            Job::Cancel(place, key) => drop(cancel(&place, key)),
            Job::Tell(tell) => drop(tell.send(())),
        }
    }
}

/// As libpq does it: without TLS, for the key is of no use once the session has ended.
fn cancel(place: &Place, key: Key) -> io::Result<()> {
    let mut request = BytesMut::new();
    frontend::cancel_request(key.process, key.secret, &mut request);
    match place {
        Place::Tcp(host, port) => {
            let address = (host.as_str(), *port).to_socket_addrs()?.next();
            let mut stream =
                TcpStream::connect_timeout(&address.ok_or(io::ErrorKind::AddrNotAvailable)?, PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            say(&mut stream, &request)
        }
        Place::Unix(path) => {
            let mut stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            say(&mut stream, &request)
        }
    }
}

/// The server closes the connection when it has passed the request on.
fn say(stream: &mut (impl Read + Write), request: &[u8]) -> io::Result<()> {
    stream.write_all(request)?;
    stream.read(&mut [0]).map(drop)
}
