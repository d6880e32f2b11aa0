//! What happens on a WebSocket in the name of a contract? Messages are answered as agreed, frames go out when they are due,
//! and what the script wants goes wrong on top.

use std::{collections::VecDeque, pin::pin, rc::Rc};

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Bytes, Error, Message},
};

use super::{
    WsContext,
    connection::{Over, WRONG, close, go_wrong, take_control},
    record::{Kind, NO_CLOSE_FRAME},
};
use crate::{
    clock::now_ns,
    contract::{Answer, Out, Service, Session},
    script::WsHow,
    stream::GatedStream,
};

/// One WebSocket of a contract.
pub(super) struct Agreed {
    ws: Rc<WsContext>,
    id: u64,
    socket: WebSocketStream<GatedStream>,
    session: Session,
    /// Messages that came.
    messages: u64,
    /// Frames that were due by themselves.
    pushes: u64,
    next_ping_ns: u64,
    /// Replies that wait for their delay, in the order of the messages: with the instant, and the close behind them.
    replies: VecDeque<(u64, Vec<Out>, Option<u16>)>,
}

/// What the connection waits for.
enum Event {
    Message(Option<Result<Message, Error>>),
    Due,
}

impl Agreed {
    pub(super) fn new(
        ws: Rc<WsContext>,
        id: u64,
        socket: WebSocketStream<GatedStream>,
        session: Session,
    ) -> Self {
        let every = ws.context.script.ws.ping_every_ns;
        let next_ping_ns = if every == 0 { u64::MAX } else { now_ns() + every };
        Self { ws, id, socket, session, messages: 0, pushes: 0, next_ping_ns, replies: VecDeque::new() }
    }

    /// Serves the connection to its end and returns the code it ended with.
    pub(super) async fn serve(mut self) -> u16 {
        let timer = self.ws.context.timer.clone();
        let answer = self.with(|session, service| session.begin(now_ns(), service));
        let mut done = self.tell(answer, Kind::Push).await;
        let mut due_ns = self.due_ns();
        // Set anew only when the deadline changes: every alarm stays with the timer until its time.
        let mut alarm = pin!(timer.until(due_ns));
        loop {
            if let Err(Over(code)) = done {
                return code;
            }
            if due_ns != self.due_ns() {
                due_ns = self.due_ns();
                alarm.set(timer.until(due_ns));
            }
            let event = tokio::select! {
                biased;
                () = &mut alarm, if due_ns < u64::MAX => Event::Due,
                message = self.socket.next() => Event::Message(message),
            };
            done = match event {
                Event::Due => {
                    // A deadline that has passed and is set again would be waited for with an alarm that rang.
                    due_ns = 0;
                    self.send_due().await
                }
                Event::Message(Some(Ok(message))) => self.take(message).await,
                Event::Message(Some(Err(_)) | None) => Err(Over(NO_CLOSE_FRAME)),
            };
        }
    }

    /// Has the session do something with the contract's service.
    fn with(&mut self, ask: impl FnOnce(&mut Session, &mut Service) -> Answer) -> Answer {
        match self.ws.context.record.contract() {
            Some(mut service) => ask(&mut self.session, &mut service),
            // Without a contract nobody has begun the session.
            None => Answer::Frames(Vec::new(), None),
        }
    }

    /// When the next thing is to be sent; `u64::MAX` is never.
    fn due_ns(&self) -> u64 {
        let reply = self.replies.front().map_or(u64::MAX, |(due, ..)| *due);
        reply.min(self.session.due_ns()).min(self.next_ping_ns)
    }

    /// Sends everything that is due.
    async fn send_due(&mut self) -> Result<(), Over> {
        let now = now_ns();
        while self.replies.front().is_some_and(|(due, ..)| *due <= now) {
            if let Some((_, frames, code)) = self.replies.pop_front() {
                self.tell(Answer::Frames(frames, code), Kind::Echo).await?;
            }
        }
        while let Some(out) = self.session.due(now) {
            self.push(&out).await?;
        }
        if self.next_ping_ns <= now {
            self.next_ping_ns += self.ws.context.script.ws.ping_every_ns;
            self.write(Kind::Ping, Message::Ping(Bytes::new())).await?;
        }
        Ok(())
    }

    /// Sends a frame that came due by itself, or does what the script wants instead.
    async fn push(&mut self, out: &Out) -> Result<(), Over> {
        let (script, record) = (&self.ws.context.script, &self.ws.context.record.ws);
        let fault = script.ws.push(script.seed, self.id, self.pushes);
        self.pushes += 1;
        match fault {
            Some(WsHow::LosePush) => {
                record.lost(Kind::Push);
                return Ok(());
            }
            Some(WsHow::DuplicatePush) => {
                record.duplicated(Kind::Push);
                self.send(Kind::Push, out).await?;
            }
            _ => {}
        }
        self.send(Kind::Push, out).await
    }

    async fn take(&mut self, message: Message) -> Result<(), Over> {
        let record = &self.ws.context.record.ws;
        match message {
            Message::Text(text) => {
                record.received(Kind::Echo, text.len());
                let answer = self.with(|session, service| session.take(&text, now_ns(), service));
                self.answer(answer).await
            }
            Message::Binary(bytes) => {
                record.received(Kind::Echo, bytes.len());
                let answer = self.with(|session, service| session.stray(service));
                self.answer(answer).await
            }
            control => take_control(&mut self.socket, record, control).await,
        }
    }

    /// Answers a message, or does what the script wants instead.
    async fn answer(&mut self, answer: Answer) -> Result<(), Over> {
        let context = Rc::clone(&self.ws.context);
        let (script, record) = (&context.script, &context.record.ws);
        let (delay_ns, fault) = script.ws.message(script.seed, self.id, self.messages);
        self.messages += 1;
        go_wrong(&mut self.socket, fault).await?;
        let (mut frames, code) = match answer {
            Answer::Frames(frames, code) => (frames, code),
            refused @ Answer::Refused(_) => return self.tell(refused, Kind::Echo).await,
        };
        match fault {
            Some(WsHow::Never) => {
                record.lost(Kind::Echo);
                return Ok(());
            }
            Some(WsHow::Wrong) => {
                record.wrong();
                frames.iter_mut().for_each(|out| WRONG.clone_into(&mut out.text));
            }
            Some(WsHow::Duplicate) => {
                record.duplicated(Kind::Echo);
                frames.extend(frames.clone());
            }
            _ => {}
        }
        if delay_ns == 0 && self.replies.is_empty() {
            return self.tell(Answer::Frames(frames, code), Kind::Echo).await;
        }
        self.replies.push_back((now_ns() + delay_ns, frames, code));
        Ok(())
    }

    async fn tell(&mut self, answer: Answer, kind: Kind) -> Result<(), Over> {
        let code = match answer {
            Answer::Refused(code) => Some(code),
            Answer::Frames(frames, code) => {
                for out in &frames {
                    self.send(kind, out).await?;
                }
                code
            }
        };
        match code {
            Some(code) => Err(close(&mut self.socket, code, "by contract").await),
            None => Ok(()),
        }
    }

    async fn send(&mut self, kind: Kind, out: &Out) -> Result<(), Over> {
        self.write(kind, Message::text(out.text.clone())).await?;
        if let Some(mut service) = self.ws.context.record.contract() {
            self.session.sent(out, &mut service);
        }
        Ok(())
    }

    async fn write(&mut self, kind: Kind, message: Message) -> Result<(), Over> {
        let bytes = message.len();
        self.socket.send(message).await.map_err(|_| Over(NO_CLOSE_FRAME))?;
        self.ws.context.record.ws.sent(kind, bytes);
        Ok(())
    }
}
