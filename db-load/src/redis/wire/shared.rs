//! How do several lanes use one connection? Commands go out in the order of asking, and so replies belong to the lane
//! that has waited longest. Whoever is polled reads for all.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::{Connection, Failure};

/// A connection that lanes of one worker share.
pub struct Shared {
    connection: RefCell<Connection>,
    /// Who waits for replies, the first one first.
    waiting: RefCell<VecDeque<Rc<Slot>>>,
    failed: RefCell<Option<Failure>>,
    /// Several lanes use it: what they ask in one turn of the loop goes out in one piece.
    gathers: bool,
    /// Somebody will send what there is, at the end of the turn.
    is_gathering: Cell<bool>,
    /// Who is woken when there is something to read.
    reader: RefCell<Option<Rc<Slot>>>,
}

/// Where the replies to one lane go.
#[derive(Default)]
pub struct Slot {
    /// The replies, one behind the other.
    pub bytes: RefCell<Vec<u8>>,
    /// How many are still to come.
    left: Cell<u32>,
    waker: RefCell<Option<Waker>>,
}

impl Slot {
    /// Whether replies are still to come, for somebody who does not wait any more.
    pub fn is_busy(&self) -> bool {
        self.left.get() > 0
    }

    fn register(&self, context: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        match &mut *waker {
            Some(waker) => waker.clone_from(context.waker()),
            None => *waker = Some(context.waker().clone()),
        }
    }

    fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }
}

impl Shared {
    /// For one lane at a time, or several.
    pub fn new(connection: Connection, several: bool) -> Self {
        Self {
            connection: RefCell::new(connection),
            waiting: RefCell::default(),
            failed: RefCell::default(),
            gathers: several,
            is_gathering: Cell::new(false),
            reader: RefCell::default(),
        }
    }

    /// Appends `count` commands, which `write` writes. How many bytes they are.
    #[inline]
    pub fn submit(&self, slot: &Rc<Slot>, count: u32, write: impl FnOnce(&mut Vec<u8>)) -> u32 {
        let mut connection = self.connection.borrow_mut();
        let before = connection.out.len();
        write(&mut connection.out);
        connection.pending += count as usize;
        slot.left.set(count);
        slot.bytes.borrow_mut().clear();
        self.waiting.borrow_mut().push_back(Rc::clone(slot));
        (connection.out.len() - before) as u32
    }

    /// Waits for all replies of `slot`; `came` is told how many have come, whenever some have.
    ///
    /// # Errors
    /// The connection is of no more use.
    #[inline]
    pub async fn replies(&self, slot: &Rc<Slot>, mut came: impl FnMut(u32)) -> Result<(), Failure> {
        let leaving = Leaving { shared: self, slot };
        let (mut left, mut is_first, mut gathers) = (slot.left.get(), self.gathers, false);
        poll_fn(|context| {
            if std::mem::take(&mut is_first) {
                slot.register(context);
                if !self.is_gathering.replace(true) {
                    gathers = true;
                    context.waker().wake_by_ref();
                }
                return Poll::Pending;
            }
            let is_others = self.reader.borrow().as_ref().is_some_and(|reader| !Rc::ptr_eq(reader, slot));
            if std::mem::take(&mut gathers) {
                self.is_gathering.set(false);
            } else if is_others && slot.is_busy() && self.failed.borrow().is_none() {
                slot.register(context);
                return Poll::Pending;
            }
            let polled = self.drive(slot, context);
            let now = slot.left.get();
            if now < left {
                came(left - now);
                left = now;
            }
            polled
        })
        .await?;
        drop(leaving);
        Ok(())
    }

    #[inline]
    fn drive(&self, slot: &Rc<Slot>, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let mut connection = self.connection.borrow_mut();
        while slot.left.get() > 0 {
            if let Some(failure) = &*self.failed.borrow() {
                return Poll::Ready(Err(failure.clone()));
            }
            let polled = connection.poll_replies(context, |bytes, _| self.deliver(bytes, slot));
            match polled {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(failure)) => {
                    *self.failed.borrow_mut() = Some(failure);
                    self.waiting.borrow_mut().drain(..).for_each(|waiting| waiting.wake());
                }
                Poll::Pending => {
                    slot.register(context);
                    let mut reader = self.reader.borrow_mut();
                    if !reader.as_ref().is_some_and(|reader| Rc::ptr_eq(reader, slot)) {
                        *reader = Some(Rc::clone(slot));
                    }
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// A reply is that of who has waited longest.
    #[inline]
    fn deliver(&self, bytes: &[u8], reader: &Rc<Slot>) {
        let mut waiting = self.waiting.borrow_mut();
        let Some(first) = waiting.front() else { return };
        first.bytes.borrow_mut().extend_from_slice(bytes);
        first.left.set(first.left.get() - 1);
        if first.left.get() == 0
            && let Some(done) = waiting.pop_front()
            && !Rc::ptr_eq(&done, reader)
        {
            done.wake();
        }
    }
}

/// A lane that stops reading, because it has what it wants or is given up, leaves the reading to another.
struct Leaving<'a> {
    shared: &'a Shared,
    slot: &'a Rc<Slot>,
}

impl Drop for Leaving<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.slot.is_busy() {
            // Perhaps it was the one who wanted to send.
            self.shared.is_gathering.set(false);
        } else if !self.shared.reader.borrow().as_ref().is_some_and(|reader| Rc::ptr_eq(reader, self.slot)) {
            return;
        }
        self.shared.reader.take();
        let waiting = self.shared.waiting.borrow();
        if let Some(next) = waiting.iter().find(|next| !Rc::ptr_eq(next, self.slot)) {
            next.wake();
        }
    }
}
