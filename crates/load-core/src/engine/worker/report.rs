//! What does a worker tell the conductor? A frame a second, and what was under way when all ended.

use std::rc::Rc;

use load_report::journal::{Entry, Frame, encode};

use super::Worker;
use crate::clock::Nanos;
use crate::engine::words::Message;
use crate::protocol::Protocol;
use crate::record::CallTimes;

const SECOND: Nanos = Nanos(1_000_000_000);

impl<P: Protocol> Worker<P> {
    pub(super) async fn report(self: Rc<Self>) {
        loop {
            // Whole seconds since time zero, so that the frames of all workers cover the same seconds.
            let seconds = (self.reported.get() - self.t0.get()).0 / SECOND.0 + 1;
            self.clock.sleep_until(self.t0.get() + Nanos(seconds * SECOND.0)).await;
            self.send_frame(self.clock.now());
        }
    }

    /// What is in flight when the graceful stop has run out is abandoned.
    pub(super) fn settle(&self, end: Nanos) {
        let mut recorder = self.recorder.borrow_mut();
        for slot in self.in_flight.borrow_mut().iter_mut().filter_map(Option::take) {
            if let Some(tick) = slot.tick {
                recorder.iteration_abandoned(tick);
            }
            if !slot.paused {
                recorder.abandoned(slot.op, &CallTimes { end, ..slot.times });
            }
        }
        for tick in self.dispatcher.borrow_mut().never_taken() {
            recorder.unsent(tick.due, true);
        }
    }

    pub(super) fn send_frame(&self, now: Nanos) {
        let t0 = self.t0.get();
        let tally = self.recorder.borrow_mut().take(now);
        let busy = self.busy.borrow_mut().lap();
        let from = self.reported.replace(now);
        let in_flight = self.in_flight.borrow().iter().flatten().filter(|call| !call.paused).count();
        let frame = Frame {
            process: self.id.0,
            worker: self.id.1,
            from_ns: (from - t0).0,
            to_ns: (now - t0).0,
            vus: self.most_active.replace(self.active.get()),
            in_flight: in_flight as u32,
            connections: self.most_connections.replace(self.connections.get()),
            busy: busy.busy,
            run_queue_ns: busy.run_queue_ns,
            tally,
        };
        let mut entry = Entry::Frame(Box::new(frame));
        self.say(Message::Entry(encode(&entry)));
        if let Entry::Frame(frame) = &mut entry {
            self.recorder.borrow_mut().give_back(std::mem::take(&mut frame.tally));
        }
    }

    pub(super) fn say(&self, message: Message) {
        // Nobody listens any more only when the run is over.
        let _ = self.messages.send(message);
    }
}
