//! How is a call made? Over a connection of the pool: its commands go out in one piece, and their replies are looked at.

use std::rc::Rc;
use std::time::Duration;

use load_core::protocol::{Fault, Outcome, Probe, Vu};
use load_report::fault::FaultKind;

use super::batch::word;
use super::command::Command;
use super::numbered::{self, Id, Numbered};
use super::protocol::{Line, Redis, Session, Step};
use super::stream::Stream;
use super::stream::perform::{Performance, Stop};
use super::suite::Asked;
use super::suite::rules::{each, json};
use super::wire::{Failure, Reply, Shared, Slot, command, reply};
use super::{faults, pubsub, series};
use crate::redis::command::Scratch;

impl Redis {
    /// Sends command number `index`, as often as the pipeline is long.
    #[inline]
    pub(super) async fn commands(
        &self,
        index: usize,
        session: &mut Session,
        vu: &mut Vu,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        let Session { pool, prefix, slot, rows, scratch, batch, .. } = session;
        let (command, shape) = (&self.work.commands[index], &self.work.shape);
        let lent = pool.get(probe, async |probe: &mut Probe<'_>| self.dial(probe).await).await?;
        renew(slot);
        rows.clear();
        match &lent.connection {
            Line::One(over) => {
                let sent = over.submit(slot, self.pipeline, |out| {
                    for _ in 0..self.pipeline {
                        let row = shape.draw(vu);
                        command.write((prefix, row), shape, vu, scratch, out);
                        rows.push(row);
                    }
                });
                if let Err(failure) = self.replies(over, slot, probe).await {
                    return Err(self.lost(&failure, probe).after(sent, 0));
                }
                lent.done();
                self.look(command, rows, (sent, &slot.bytes.borrow()), scratch, probe)
            }
            Line::Many(nodes) => {
                batch.clear();
                for _ in 0..self.pipeline {
                    let row = shape.draw(vu);
                    batch.push(command.key(), |out| command.write((prefix, row), shape, vu, scratch, out));
                    rows.push(row);
                }
                let sent = batch.bytes.len() as u32;
                let ended = nodes.exchange(batch, slot, self.pipeline > 1, probe).await;
                // What became of single nodes, it knows itself.
                lent.done();
                if let Err(failure) = ended {
                    let fault = faults::lost(&failure, probe);
                    return Err(Fault { ends_session: false, ..fault }.after(sent, 0));
                }
                self.look(command, rows, (sent, &batch.replies), scratch, probe)
            }
        }
    }

    #[inline]
    async fn replies(&self, over: &Shared, slot: &Rc<Slot>, probe: &Probe<'_>) -> Result<(), Failure> {
        if self.pipeline == 1 {
            return over.replies(slot, |_| {}).await;
        }
        let begun = probe.now();
        let came = |count| {
            let time = probe.now().since(begun);
            (0..count).for_each(|_| probe.observe(series::COMMAND, time));
        };
        over.replies(slot, came).await
    }

    /// The connection is of no more use; the pool repairs itself.
    #[cold]
    fn lost(&self, failure: &Failure, probe: &mut Probe<'_>) -> Fault {
        self.lose(probe);
        Fault { ends_session: false, ..faults::lost(failure, probe) }
    }

    /// Looks at the replies to `command` for each of `rows`.
    #[inline]
    fn look(
        &self,
        command: &Command,
        rows: &[u64],
        (sent, replies): (u32, &[u8]),
        scratch: &mut Scratch,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        let (mut rest, mut first, mut failed) = (replies, None, 0);
        for row in rows {
            // They were whole when they came.
            let Ok(Some((reply, length))) = reply::read(rest) else { break };
            rest = &rest[length..];
            if let Err(fault) = command.look(reply, *row, &self.work.shape, scratch, probe) {
                first.get_or_insert(fault);
                failed += 1;
            }
        }
        probe.count(series::COMMANDS, self.pipeline.into());
        let received = replies.len() as u64;
        match first {
            None => {
                Ok(Outcome { sent: sent.into(), received, messages: self.pipeline, ..Outcome::default() })
            }
            Some(fault) => {
                probe.count(series::COMMANDS_FAILED, failed);
                Err(fault.after(sent, received))
            }
        }
    }

    /// Sends what step number `index` of a suite says.
    pub(super) async fn ask(
        &self,
        index: usize,
        session: &mut Session,
        vu: &mut Vu,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        let Session { scratch, batch, prefix, .. } = &mut *session;
        let Asked { commands, rules, numbered } = &self.asked[index];
        let numbered = self.numbered.as_ref().filter(|_| *numbered);
        let mut number = 0;
        batch.clear();
        for command in commands {
            batch.push(command.key(), |out| {
                command.write(("", 0), &self.work.shape, vu, scratch, out);
                if numbered.is_some() {
                    number = Numbered::write(vu, prefix, out);
                }
            });
        }
        if probe.shows() {
            show('>', &batch.bytes, probe);
        }
        let sent = batch.bytes.len() as u32;
        let (answered, time) = self.exchange(session, probe).await?;
        let Session { slot, batch, .. } = &*session;
        let bytes = slot.bytes.borrow();
        let replies = if batch.replies.is_empty() { &bytes[..] } else { &batch.replies };
        if probe.shows() && answered.is_ok() {
            show('<', replies, probe);
        }
        if let Some(numbered) = numbered.filter(|_| answered.is_ok())
            && let (Some(key), Some(reply)) = (word(&batch.bytes, 1), each(replies).next())
        {
            numbered.added(vu, number, key, &reply);
        }
        let received = replies.len() as u64;
        let outcome =
            Outcome { sent: sent.into(), received, messages: commands.len() as u32, ..Outcome::default() };
        let ended = answered.map(|()| (replies, outcome)).map_err(|fault| fault.after(sent, 0));
        rules.judge(ended, time, &mut vu.scope, probe)
    }

    /// Sends the commands of the session's batch and waits for their replies: what became of it, and the time it took.
    ///
    /// # Errors
    /// There is no connection.
    async fn exchange(
        &self,
        session: &mut Session,
        probe: &mut Probe<'_>,
    ) -> Result<(Result<(), Fault>, Duration), Fault> {
        let Session { pool, slot, batch, .. } = session;
        let lent = pool.get(probe, async |probe: &mut Probe<'_>| self.dial(probe).await).await?;
        renew(slot);
        let begun = probe.now();
        let answered = match &lent.connection {
            Line::One(over) => {
                over.submit(slot, batch.len() as u32, |out| out.extend_from_slice(&batch.bytes));
                match over.replies(slot, |_| {}).await {
                    Ok(()) => {
                        lent.done();
                        Ok(())
                    }
                    Err(failure) => Err(self.lost(&failure, probe)),
                }
            }
            Line::Many(nodes) => {
                let ended = nodes.exchange(batch, slot, false, probe).await;
                lent.done();
                ended.map_err(|failure| Fault { ends_session: false, ..faults::lost(&failure, probe) })
            }
        };
        Ok((answered, Duration::from_nanos(probe.now().since(begun))))
    }

    /// Reads all streams with numbered messages, and counts those that are not there.
    #[cold]
    pub(super) async fn look_back(&self, numbered: &Numbered, session: &mut Session, probe: &mut Probe<'_>) {
        for (key, first) in numbered.streams() {
            if let Err(why) = self.look_through(numbered, (&key, first), session, probe).await {
                return numbered.fail(why);
            }
        }
        let found = numbered.found();
        probe.count(series::numbered::CHECKED, found.checked);
        probe.count(series::numbered::LOST, found.lost);
    }

    /// Reads one stream from the entry `first` to its end.
    async fn look_through(
        &self,
        numbered: &Numbered,
        (key, first): (&[u8], Id),
        session: &mut Session,
        probe: &mut Probe<'_>,
    ) -> Result<(), String> {
        let (count, mut from) = (numbered::PAGE.to_string(), first.from(false));
        loop {
            let words: [&[u8]; 6] = [b"XRANGE", key, from.as_bytes(), b"+", b"COUNT", count.as_bytes()];
            session.batch.clear();
            session.batch.push(Some(1), |out| command(&words, out));
            let answered = self.exchange(session, probe).await.and_then(|(answered, _)| answered);
            answered.map_err(|fault| fault.kind.name().to_owned())?;
            let Session { slot, batch, .. } = &*session;
            let bytes = slot.bytes.borrow();
            let replies = if batch.replies.is_empty() { &bytes[..] } else { &batch.replies };
            let page = match each(replies).next() {
                Some(Reply::Error(error)) => return Err(String::from_utf8_lossy(error).into_owned()),
                page => page.and_then(|page| numbered.look(page)),
            };
            let (last, entries) = page.ok_or("a reply of another kind than XRANGE has")?;
            match last.filter(|_| entries == numbered::PAGE) {
                Some(last) => from = last.from(true),
                None => return Ok(()),
            }
        }
    }

    /// A call of somebody who does more than to send a command: a producer, consumer or publisher.
    pub(super) async fn perform(
        &self,
        step: Step,
        session: &mut Session,
        vu: &mut Vu,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        if let (Step::Leave, Some(group)) = (step, &session.group) {
            pubsub::perform::leave(group, vu, probe).await;
            return Ok(Outcome::default());
        }
        let lent = session.pool.get(probe, async |probe: &mut Probe<'_>| self.dial(probe).await).await?;
        renew(&mut session.slot);
        let Line::One(over) = &lent.connection else { return Err(Fault::fatal(FaultKind::Local)) };
        let ended = match (&session.group, &self.work.stream) {
            (Some(group), _) => {
                let size = self.work.shape.size(0);
                pubsub::perform::publish(group, (over, &session.slot), size, vu, probe).await
            }
            (None, Some(stream)) => self.stream(stream, step, (over, session), vu, probe).await,
            (None, None) => Err(Stop::Failed(Fault::fatal(FaultKind::Local))),
        };
        match ended {
            Ok(outcome) => {
                lent.done();
                Ok(outcome)
            }
            Err(Stop::Failed(fault)) => {
                lent.done();
                Err(fault)
            }
            Err(Stop::Lost(failure)) => Err(self.lost(&failure, probe)),
        }
    }

    /// A call of a producer or consumer.
    async fn stream(
        &self,
        stream: &Stream,
        step: Step,
        (over, session): (&Shared, &Session),
        vu: &mut Vu,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Stop> {
        let run = session.prefix.trim_start_matches("quintet:").trim_end_matches(':');
        let key = stream.key(&session.prefix);
        let begun = probe.now();
        let mut performance = Performance {
            stream,
            key: &key,
            run,
            over,
            slot: &session.slot,
            payload: self.work.shape.size(0),
            vu,
            probe: &mut *probe,
            begun,
            outcome: Outcome::default(),
        };
        let ended = match step {
            Step::Produce => performance.produce().await,
            Step::Consume => performance.consume().await,
            _ => performance.leave().await,
        };
        let Outcome { sent, received, .. } = performance.outcome;
        match ended {
            Ok(()) => Ok(performance.outcome),
            Err(Stop::Failed(fault)) => Err(Stop::Failed(fault.after(sent, received))),
            Err(lost) => Err(lost),
        }
    }
}

/// A slot whose replies are those of a call that was given up is left to them.
#[inline]
fn renew(slot: &mut Rc<Slot>) {
    if slot.is_busy() {
        *slot = Rc::default();
    }
}

/// Shows commands or replies to somebody who looks at every message.
fn show(way: char, bytes: &[u8], probe: &Probe<'_>) {
    for reply in each(bytes) {
        match &reply {
            Reply::Error(error) => probe.show(&format_args!("{way} {}", String::from_utf8_lossy(error))),
            Reply::List(words) if way == '>' => {
                let words = words.clone().filter_map(Reply::text).map(String::from_utf8_lossy);
                probe.show(&format_args!("{way} {}", words.collect::<Vec<_>>().join(" ")));
            }
            reply => probe.show(&format_args!("{way} {}", json(reply))),
        }
    }
}
