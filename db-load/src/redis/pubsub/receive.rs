//! How do subscribers get what is published? Over connections of their own, each read by a task of the worker.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;

use futures_util::future::try_join_all;
use load_core::clock::{Nanos, monotonic};
use load_core::protocol::Probe;
use tokio::sync::Notify;
use tokio::task::{JoinHandle, spawn_local};

use super::board::{Board, Id};
use crate::redis::wire::login::Login;
use crate::redis::wire::{Connection, Failure, Reply};

/// A subscriber without a connection tries so often to get one.
const PAUSE: Nanos = Nanos(100_000_000);

/// The subscribers of one worker, while its pool lasts.
pub struct Group {
    /// The account of the channel.
    pub board: Arc<Board>,
    /// What they have subscribed to.
    pub channel: String,
    bell: Rc<Bell>,
    tasks: Vec<JoinHandle<()>>,
}

/// What subscribers and publishers tell each other.
#[derive(Default)]
struct Bell {
    /// Something has come.
    news: Notify,
    /// Those without a connection may try to get one.
    again: Notify,
    tried: Cell<Nanos>,
    /// How many have none.
    down: Cell<u32>,
    /// Everything that comes from before now is wanted.
    ask: Notify,
    /// Somebody has said that it has come, or never will.
    settled: Notify,
    seats: Vec<Seat>,
}

/// What is known of one subscriber.
#[derive(Default)]
struct Seat {
    is_down: Cell<bool>,
    /// It has not said yet that everything has come.
    owes: Cell<bool>,
}

impl Group {
    /// Subscribes.
    ///
    /// # Errors
    /// A connection that could not be opened, or a channel that is not open to us.
    pub async fn open(board: Arc<Board>, channel: String, login: &Login) -> Result<Self, Failure> {
        let all = (0..board.subscribers.get()).map(|_| subscribe(login, &channel));
        let all = try_join_all(all).await?;
        let seats = all.iter().map(|_| Seat::default()).collect();
        let bell = Rc::new(Bell { seats, ..Bell::default() });
        let begin = |(number, connection)| {
            let one = Subscriber {
                number,
                login: login.clone(),
                channel: channel.clone(),
                board: Arc::clone(&board),
                bell: Rc::clone(&bell),
            };
            spawn_local(one.listen(connection))
        };
        let tasks = all.into_iter().enumerate().map(begin).collect();
        Ok(Self { board, channel, bell, tasks })
    }

    /// Puts on record what comes, as it comes.
    pub async fn record(&self, probe: &Probe<'_>) {
        loop {
            self.board.record(probe);
            self.bell.news.notified().await;
        }
    }

    /// Lets those without a connection try again, if it is time.
    #[inline]
    pub fn nudge(&self, now: Nanos) {
        if self.bell.down.get() > 0 && now - self.bell.tried.get() >= PAUSE {
            self.bell.tried.set(now);
            self.bell.again.notify_waiters();
        }
    }

    /// Returns when all has come that was published before.
    pub async fn settle(&self) {
        self.bell.seats.iter().for_each(|seat| seat.owes.set(!seat.is_down.get()));
        self.bell.ask.notify_waiters();
        while self.bell.seats.iter().any(|seat| seat.owes.get()) {
            self.bell.settled.notified().await;
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn subscribe(login: &Login, channel: &str) -> Result<Connection, Failure> {
    let mut connection = login.open().await?;
    connection.push(&[b"SUBSCRIBE", channel.as_bytes()]);
    let mut answer = None;
    while answer.is_none() {
        poll_fn(|context| {
            connection.poll_each(context, |reply| {
                answer = Some(match reply {
                    Reply::Error(error) => Err(Failure::Refused(String::from_utf8_lossy(error).into_owned())),
                    _ => Ok(()),
                });
            })
        })
        .await?;
    }
    answer.unwrap_or(Ok(()))?;
    Ok(connection)
}

/// One of those who get every message.
struct Subscriber {
    number: usize,
    login: Login,
    channel: String,
    board: Arc<Board>,
    bell: Rc<Bell>,
}

impl Subscriber {
    async fn listen(self, mut connection: Connection) {
        loop {
            self.read(&mut connection).await;
            let (since, seat) = (monotonic(), &self.bell.seats[self.number]);
            seat.is_down.set(true);
            self.bell.down.set(self.bell.down.get() + 1);
            self.settled();
            connection = loop {
                if let Ok(connection) = subscribe(&self.login, &self.channel).await {
                    break connection;
                }
                self.bell.again.notified().await;
            };
            seat.is_down.set(false);
            self.bell.down.set(self.bell.down.get() - 1);
            self.board.back(monotonic().since(since));
            self.bell.news.notify_one();
        }
    }

    /// Nothing of what was wanted is still to come.
    fn settled(&self) {
        if self.bell.seats[self.number].owes.replace(false) {
            self.bell.settled.notify_one();
        }
    }

    /// Until the connection is of no more use.
    async fn read(&self, connection: &mut Connection) {
        let bell = &self.bell;
        // Before the first wait, so that none is missed.
        let mut ask = std::pin::pin!(bell.ask.notified());
        loop {
            let (mut ponged, mut now) = (false, Nanos::NEVER);
            let came = poll_fn(|context| {
                connection.poll_each(context, |reply| {
                    if now == Nanos::NEVER {
                        now = monotonic();
                    }
                    match what(reply) {
                        What::Message(payload) => {
                            if let Some((id, sent)) = stamp(payload) {
                                self.board.came(self.number, id, (sent, now));
                            }
                        }
                        What::Pong => ponged = true,
                        What::Else => {}
                    }
                })
            });
            let ended = tokio::select! {
                biased;
                () = &mut ask => {
                    connection.push(&[b"PING"]);
                    ask.set(bell.ask.notified());
                    continue;
                }
                ended = came => ended,
            };
            bell.news.notify_one();
            if ponged {
                self.settled();
            }
            if ended.is_err() {
                return;
            }
        }
    }
}

/// What a subscriber is sent.
enum What<'a> {
    Message(&'a [u8]),
    Pong,
    Else,
}

fn what(reply: Reply<'_>) -> What<'_> {
    if reply == Reply::Simple(b"PONG") {
        return What::Pong;
    }
    let Some(mut items) = reply.items() else { return What::Else };
    match items.next().and_then(Reply::text) {
        Some(b"message") => items.nth(1).and_then(Reply::text).map_or(What::Else, What::Message),
        Some(b"pong") => What::Pong,
        _ => What::Else,
    }
}

/// What a message begins with: its publisher, its number and the instant of its sending, in decimal digits.
fn stamp(payload: &[u8]) -> Option<(Id, Nanos)> {
    let mut words = payload.splitn(4, |&byte| byte == b' ');
    let mut number = || std::str::from_utf8(words.next()?).ok()?.parse::<u64>().ok();
    let id = (number()?, number()?);
    Some((id, Nanos(number()?.cast_signed())))
}
