//! What happens on one WebSocket? Messages are echoed or broadcast, pushes and pings go out when they are due, or
//! something goes wrong as scripted.

use std::{
    borrow::Cow,
    collections::VecDeque,
    pin::pin,
    rc::Rc,
    time::{SystemTime, UNIX_EPOCH},
};

use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use tokio::{
    io::AsyncWriteExt,
    sync::broadcast::{Receiver, error::RecvError},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Bytes, Error, Message,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

use super::{
    WsContext,
    bulletin::Post,
    record::{Kind, NO_CLOSE_FRAME, WsRecord, wall_ns},
};
use crate::{clock::now_ns, script::WsHow, stream::GatedStream};

/// What is sent instead of the right text.
pub(super) const WRONG: &str = "not what was sent";

/// A frame with a reserved opcode (RFC 6455, section 5.2).
const MALFORMED: [u8; 4] = [0x8b, 0x02, 0xff, 0xff];

/// One WebSocket and what is to be sent on it.
pub(super) struct Connection {
    ws: Rc<WsContext>,
    id: u64,
    socket: WebSocketStream<GatedStream>,
    /// Messages that came.
    messages: u64,
    /// Pushes that were due.
    pushes: u64,
    next_push_ns: u64,
    next_ping_ns: u64,
    /// What others broadcast.
    posts: Receiver<Post>,
    /// What waits for its delay, in the order it came: with the instant, and with what goes wrong.
    echoes: VecDeque<(u64, Message)>,
}

/// The connection is over, with this code.
pub(super) struct Over(pub(super) u16);

/// What the connection waits for.
enum Event {
    Message(Option<Result<Message, Error>>),
    Post(Result<Post, RecvError>),
    Due,
}

/// The one field of a message that the server looks at.
#[derive(Deserialize)]
struct Typed<'a> {
    #[serde(borrow)]
    r#type: Option<Cow<'a, str>>,
}

impl Connection {
    pub(super) fn new(ws: Rc<WsContext>, id: u64, socket: WebSocketStream<GatedStream>) -> Self {
        let script = &ws.context.script.ws;
        let first = |every: u64| if every == 0 { u64::MAX } else { now_ns() + every };
        let (next_push_ns, next_ping_ns) = (first(script.push_every_ns), first(script.ping_every_ns));
        let (posts, echoes) = (ws.bulletin.subscribe(), VecDeque::new());
        Self { id, socket, messages: 0, pushes: 0, next_push_ns, next_ping_ns, posts, echoes, ws }
    }

    /// Serves the connection to its end and returns the code it ended with.
    pub(super) async fn serve(mut self) -> u16 {
        let timer = self.ws.context.timer.clone();
        let mut due_ns = self.due_ns();
        // Set anew only when the deadline changes: every alarm stays with the timer until its time.
        let mut alarm = pin!(timer.until(due_ns));
        loop {
            if due_ns != self.due_ns() {
                due_ns = self.due_ns();
                alarm.set(timer.until(due_ns));
            }
            let event = tokio::select! {
                biased;
                () = &mut alarm, if due_ns < u64::MAX => Event::Due,
                post = self.posts.recv() => Event::Post(post),
                message = self.socket.next() => Event::Message(message),
            };
            let done = match event {
                Event::Due => {
                    // A deadline that has passed and is set again would be waited for with an alarm that rang.
                    due_ns = 0;
                    self.send_due().await
                }
                Event::Post(post) => self.pass_on(post).await,
                Event::Message(Some(Ok(message))) => self.take(message).await,
                Event::Message(Some(Err(_)) | None) => Err(Over(NO_CLOSE_FRAME)),
            };
            if let Err(Over(code)) = done {
                return code;
            }
        }
    }

    /// When the next thing is to be sent; `u64::MAX` is never.
    fn due_ns(&self) -> u64 {
        let echo = self.echoes.front().map_or(u64::MAX, |(due, _)| *due);
        echo.min(self.next_push_ns).min(self.next_ping_ns)
    }

    /// Sends everything that is due.
    async fn send_due(&mut self) -> Result<(), Over> {
        let now = now_ns();
        while self.echoes.front().is_some_and(|(due, _)| *due <= now) {
            if let Some((_, message)) = self.echoes.pop_front() {
                self.send(Kind::Echo, message).await?;
            }
        }
        if self.next_push_ns <= now {
            self.next_push_ns += self.ws.context.script.ws.push_every_ns;
            self.push().await?;
        }
        if self.next_ping_ns <= now {
            self.next_ping_ns += self.ws.context.script.ws.ping_every_ns;
            self.send(Kind::Ping, Message::Ping(Bytes::new())).await?;
        }
        Ok(())
    }

    async fn push(&mut self) -> Result<(), Over> {
        let (script, n) = (&self.ws.context.script, self.pushes);
        let fault = script.ws.push(script.seed, self.id, n);
        self.pushes += 1;
        if fault == Some(WsHow::LosePush) {
            self.ws.context.record.ws.lost(Kind::Push);
            return Ok(());
        }
        // As late as possible: what is measured by it begins here.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let us = now.as_micros().saturating_sub(u128::from(script.ws.push_age_ns / 1000));
        let text = format!("{{\"type\":\"push\",\"seq\":{n},\"timestamp\":{}.{:03}}}", us / 1000, us % 1000);
        let message = Message::text(text);
        if fault == Some(WsHow::DuplicatePush) {
            self.ws.context.record.ws.duplicated(Kind::Push);
            self.send(Kind::Push, message.clone()).await?;
        }
        self.send(Kind::Push, message).await
    }

    /// Does what a message asks for.
    async fn take(&mut self, message: Message) -> Result<(), Over> {
        let record = &self.ws.context.record.ws;
        match message {
            Message::Text(text) if is_broadcast(&text) => {
                record.received(Kind::Broadcast, text.len());
                self.ws.broadcast(self.id, text);
                Ok(())
            }
            message @ (Message::Text(_) | Message::Binary(_)) => {
                record.received(Kind::Echo, message.len());
                self.echo(message).await
            }
            control => take_control(&mut self.socket, record, control).await,
        }
    }

    /// Sends a message back, or does what the script wants instead.
    async fn echo(&mut self, message: Message) -> Result<(), Over> {
        let context = &self.ws.context;
        let (script, record) = (&context.script, &context.record.ws);
        let (delay_ns, fault) = script.ws.message(script.seed, self.id, self.messages);
        self.messages += 1;
        let mut answer = message;
        let mut times = 1;
        go_wrong(&mut self.socket, fault).await?;
        match fault {
            Some(WsHow::Never) => {
                record.lost(Kind::Echo);
                return Ok(());
            }
            Some(WsHow::Wrong) => {
                record.wrong();
                answer = Message::text(WRONG);
            }
            Some(WsHow::Duplicate) => {
                record.duplicated(Kind::Echo);
                times = 2;
            }
            _ => {}
        }
        for _ in 0..times {
            if delay_ns == 0 && self.echoes.is_empty() {
                self.send(Kind::Echo, answer.clone()).await?;
            } else {
                self.echoes.push_back((now_ns() + delay_ns, answer.clone()));
            }
        }
        Ok(())
    }

    /// Sends what another one broadcasts.
    async fn pass_on(&mut self, post: Result<Post, RecvError>) -> Result<(), Over> {
        match post {
            Ok(Post { from, .. }) if from == Some(self.id) => Ok(()),
            Ok(Post { text, .. }) => {
                // Before the write, so that whoever reads it does so later.
                let begun_ns = wall_ns();
                self.send(Kind::Broadcast, Message::Text(text.clone())).await?;
                self.ws.context.record.ws.delivered(&text, begun_ns);
                Ok(())
            }
            Err(RecvError::Lagged(n)) => {
                (0..n).for_each(|_| self.ws.context.record.ws.lost(Kind::Broadcast));
                Ok(())
            }
            // The list lives as long as the server.
            Err(RecvError::Closed) => Err(Over(NO_CLOSE_FRAME)),
        }
    }

    async fn send(&mut self, kind: Kind, message: Message) -> Result<(), Over> {
        let bytes = message.len();
        self.socket.send(message).await.map_err(|_| Over(NO_CLOSE_FRAME))?;
        self.ws.context.record.ws.sent(kind, bytes);
        Ok(())
    }
}

/// Takes a message that belongs to the connection itself.
pub(super) async fn take_control(
    socket: &mut WebSocketStream<GatedStream>,
    record: &WsRecord,
    message: Message,
) -> Result<(), Over> {
    match message {
        Message::Ping(content) => {
            record.received(Kind::Ping, content.len());
            // The library has put the pong in front of whatever is read or written next.
            record.sent(Kind::Pong, content.len());
            Ok(())
        }
        Message::Pong(content) => {
            record.received(Kind::Pong, content.len());
            Ok(())
        }
        Message::Close(frame) => {
            let code = frame.map_or(CloseCode::Status, |frame| frame.code);
            // The library answers with the same frame; whatever comes after is not for us.
            while let Some(Ok(_)) = socket.next().await {}
            Err(Over(code.into()))
        }
        Message::Text(_) | Message::Binary(_) | Message::Frame(_) => Ok(()),
    }
}

/// Ends the connection, if `fault` does so.
pub(super) async fn go_wrong(
    socket: &mut WebSocketStream<GatedStream>,
    fault: Option<WsHow>,
) -> Result<(), Over> {
    match fault {
        Some(WsHow::Close(code)) => Err(close(socket, code, "as scripted").await),
        Some(WsHow::Reset) => {
            // If the socket refuses, the client sees a close instead of a reset.
            let _ = socket.get_ref().reset_on_close();
            Err(Over(NO_CLOSE_FRAME))
        }
        Some(WsHow::Hangup) => Err(Over(NO_CLOSE_FRAME)),
        Some(WsHow::Malformed) => {
            let _ = socket.get_mut().write_all(&MALFORMED).await;
            Err(Over(NO_CLOSE_FRAME))
        }
        _ => Ok(()),
    }
}

/// Begins a close and waits for the other side's.
pub(super) async fn close(
    socket: &mut WebSocketStream<GatedStream>,
    code: u16,
    reason: &'static str,
) -> Over {
    let frame = CloseFrame { code: code.into(), reason: reason.into() };
    if socket.close(Some(frame)).await.is_ok() {
        while let Some(Ok(_)) = socket.next().await {}
    }
    Over(code)
}

fn is_broadcast(text: &str) -> bool {
    let typed = || serde_json::from_str::<Typed<'_>>(text).ok()?.r#type;
    text.contains("broadcast") && typed().as_deref() == Some("broadcast")
}
