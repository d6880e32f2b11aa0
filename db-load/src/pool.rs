//! Who gets which connection? The pool of one worker: first come, first served, and no connection with an answer still
//! to come is handed out.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::num::NonZeroU32;

use load_core::protocol::{Fault, Probe};
use load_report::fault::FaultKind;
use load_report::model::{ExtraPlan, RunFile};
use tokio::sync::{Mutex, Notify, Semaphore, SemaphorePermit};

/// The series of the waits for a connection.
const WAIT: usize = 0;

/// The protocol's own series.
pub fn extras() -> Vec<ExtraPlan> {
    let help = "Wait for a connection of the pool, part of the response and the service time.".into();
    vec![ExtraPlan { name: "pool_wait".into(), help }]
}

/// What is to be said of a pool that is too small for the load: calls spend a quarter of their time on waiting for it.
pub fn remark(run: &RunFile) -> Option<String> {
    let wait = run.extras.get(WAIT).filter(|extra| extra.name == "pool_wait")?.ms?.mean;
    let (service, connections) = (run.totals.service_ms?.mean, run.connections.peak);
    if wait < service / 4.0 || wait < 0.05 || wait >= service {
        return None;
    }
    let enough = (connections as f64 * service / (service - wait)).ceil();
    // Users who are as many as connections wait for none.
    let enough = enough.min(f64::from(run.header.plan.max_vus));
    Some(format!(
        "the pool is too small for the load: of {service:.2} ms, calls waited {wait:.2} ms for one of {connections} connections; \
         with --connections {enough} nobody would wait, as far as the server keeps up"
    ))
}

/// Connections that lanes borrow, each for `depth` calls at a time.
pub struct Pool<C> {
    places: Vec<Place<C>>,
    /// Numbers of the places that are free, each as often as it can be borrowed.
    free: RefCell<VecDeque<usize>>,
    /// As many permits as there are entries in `free`; hands them out in the order of asking.
    permits: Semaphore,
    /// Told when the pool is closed.
    closed: Notify,
}

/// Room for one connection.
struct Place<C> {
    connection: RefCell<Option<C>>,
    /// Counts the connections that were here.
    generation: Cell<u64>,
    /// Held by the one who opens a new connection.
    opening: Mutex<()>,
}

/// A connection on loan. Dropped without [`Lent::done`], it is not lent again.
pub struct Lent<'a, C> {
    pool: &'a Pool<C>,
    index: usize,
    generation: u64,
    /// The connection.
    pub connection: C,
    _permit: Returned<'a, C>,
}

/// A place on loan, which is given back when this is dropped.
struct Returned<'a, C> {
    pool: &'a Pool<C>,
    index: usize,
    _permit: SemaphorePermit<'a>,
}

/// Waits for a connection of a pool, and records it when it is there.
///
/// # Errors
/// As `dialled`.
pub async fn recorded<C, E>(probe: &Probe<'_>, dialled: impl Future<Output = Result<C, E>>) -> Result<C, E> {
    let start = probe.now();
    let connection = dialled.await?;
    probe.connected(start);
    Ok(connection)
}

impl<C: Clone> Pool<C> {
    /// A pool of `connections`, each for `depth` calls at a time.
    pub fn new(connections: Vec<C>, depth: NonZeroU32) -> Self {
        let n = connections.len();
        let free: VecDeque<_> = (0..n * depth.get() as usize).map(|i| i % n).collect();
        let place = |connection| Place {
            connection: RefCell::new(Some(connection)),
            generation: Cell::new(0),
            opening: Mutex::new(()),
        };
        let permits = Semaphore::new(free.len());
        let places = connections.into_iter().map(place).collect();
        Self { places, free: RefCell::new(free), permits, closed: Notify::new() }
    }

    /// The next free connection, opened by `dial` where there is none any more. The wait goes into the series.
    ///
    /// # Errors
    /// When no connection could be opened: the pool is closed then for everybody, and the fault ends it.
    #[inline]
    pub async fn get(
        &self,
        probe: &mut Probe<'_>,
        dial: impl AsyncFnOnce(&mut Probe<'_>) -> Result<C, Fault>,
    ) -> Result<Lent<'_, C>, Fault> {
        let asked = probe.now();
        let Ok(permit) = self.permits.acquire().await else {
            probe.note("the pool was closed, because a connection could not be opened");
            return Err(Fault::fatal(FaultKind::Closed));
        };
        probe.observe(WAIT, (probe.now() - asked).0.unsigned_abs());
        let index = self.free.borrow_mut().pop_front().ok_or(Fault::fatal(FaultKind::Local))?;
        let returned = Returned { pool: self, index, _permit: permit };
        let place = &self.places[index];
        let there = place.connection.borrow().clone();
        let connection = match there {
            Some(connection) => connection,
            None => self.repair(place, probe, dial).await?,
        };
        Ok(Lent { pool: self, index, generation: place.generation.get(), connection, _permit: returned })
    }

    /// Waits until the pool is closed, so that a lane without a call gets the next pool in time.
    pub async fn gone(&self) -> Fault {
        let closed = self.closed.notified();
        if !self.permits.is_closed() {
            closed.await;
        }
        Fault::fatal(FaultKind::Closed)
    }

    #[cold]
    async fn repair(
        &self,
        place: &Place<C>,
        probe: &mut Probe<'_>,
        dial: impl AsyncFnOnce(&mut Probe<'_>) -> Result<C, Fault>,
    ) -> Result<C, Fault> {
        let _opening = place.opening.lock().await;
        if let Some(connection) = place.connection.borrow().clone() {
            // Somebody else was faster.
            return Ok(connection);
        }
        let start = probe.now();
        match dial(probe).await {
            Ok(connection) => {
                probe.connected(start);
                place.generation.set(place.generation.get() + 1);
                *place.connection.borrow_mut() = Some(connection.clone());
                Ok(connection)
            }
            Err(fault) => {
                self.permits.close();
                self.closed.notify_waiters();
                self.places.iter().for_each(|place| drop(place.connection.take()));
                Err(Fault { ends_session: true, ..fault })
            }
        }
    }
}

impl<C> Lent<'_, C> {
    /// The whole answer has come: the connection may go on.
    #[inline]
    pub fn done(mut self) {
        self.generation = u64::MAX;
    }
}

impl<C> Drop for Lent<'_, C> {
    #[inline]
    fn drop(&mut self) {
        let place = &self.pool.places[self.index];
        // Another call may have given the same connection up before, and there is a new one by now.
        if place.generation.get() == self.generation {
            place.connection.take();
        }
    }
}

impl<C> Drop for Returned<'_, C> {
    #[inline]
    fn drop(&mut self) {
        self.pool.free.borrow_mut().push_back(self.index);
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use load_core::clock::Nanos;
    use load_core::record::Observer;

    use super::*;

    struct Quiet;

    impl Observer for Quiet {
        fn now(&self) -> Nanos {
            Nanos::ZERO
        }
        fn observe(&self, _: usize, _: u64) {}
        fn count(&self, _: usize, _: u64) {}
    }

    type Connection = Rc<u32>;

    async fn get(pool: &Pool<Connection>) -> Result<Lent<'_, Connection>, Fault> {
        let mut note = String::new();
        let mut probe = Probe::unobserved(&Quiet, &mut note);
        pool.get(&mut probe, async |_: &mut Probe<'_>| Err(Fault::fatal(FaultKind::Connect))).await
    }

    async fn get_or_open(pool: &Pool<Connection>, number: u32) -> Lent<'_, Connection> {
        let mut note = String::new();
        let mut probe = Probe::unobserved(&Quiet, &mut note);
        let lent = pool.get(&mut probe, async |_: &mut Probe<'_>| Ok(Rc::new(number))).await;
        lent.unwrap_or_else(|fault| panic!("{fault:?}"))
    }

    fn pool(connections: u32, depth: u32) -> Pool<Connection> {
        Pool::new((0..connections).map(Rc::new).collect(), NonZeroU32::new(depth).unwrap())
    }

    fn block<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    #[test]
    fn a_connection_is_lent_once_and_given_back() {
        block(async {
            let pool = pool(2, 1);
            let (a, b) = (get(&pool).await.ok().unwrap(), get(&pool).await.ok().unwrap());
            assert_eq!((*a.connection, *b.connection), (0, 1));
            let mut third = std::pin::pin!(get(&pool));
            tokio::select! {
                biased;
                _ = &mut third => panic!("lent twice"),
                () = std::future::ready(()) => {}
            }
            b.done();
            assert_eq!(*third.await.ok().unwrap().connection, 1);
        });
    }

    #[test]
    fn what_was_given_up_is_replaced_and_not_lent_again() {
        block(async {
            let pool = pool(1, 1);
            let old = Rc::downgrade(&get(&pool).await.ok().unwrap().connection);
            assert!(old.upgrade().is_none(), "dropped, and so closed");
            let lent = get_or_open(&pool, 7).await;
            assert_eq!(*lent.connection, 7);
            lent.done();
            assert_eq!(*get_or_open(&pool, 8).await.connection, 7);
        });
    }

    #[test]
    fn a_call_that_shared_a_lost_connection_does_not_lose_the_new_one() {
        block(async {
            let pool = pool(1, 3);
            let (a, b) = (get(&pool).await.ok().unwrap(), get(&pool).await.ok().unwrap());
            drop(a);
            let new = get_or_open(&pool, 7).await;
            drop(b);
            assert_eq!(*get(&pool).await.ok().unwrap().connection, 7);
            new.done();
        });
    }

    #[test]
    fn a_connection_that_cannot_be_opened_ends_the_pool_for_all() {
        block(async {
            let pool = pool(2, 1);
            drop(get(&pool).await);
            let kept = get(&pool).await.ok().unwrap();
            let fault = get(&pool).await.err().unwrap();
            assert_eq!((fault.kind, fault.ends_session), (FaultKind::Connect, true));
            // All are on loan or gone, but nobody waits.
            assert!(get(&pool).await.is_err_and(|fault| fault.ends_session));
            kept.done();
            assert_eq!(get(&pool).await.err().map(|fault| fault.kind), Some(FaultKind::Closed));
            assert_eq!(pool.gone().await.kind, FaultKind::Closed);
        });
    }

    #[test]
    fn who_waits_without_a_call_is_told_that_the_pool_is_closed() {
        block(async {
            let pool = pool(1, 1);
            let mut gone = std::pin::pin!(pool.gone());
            tokio::select! {
                biased;
                _ = &mut gone => panic!("the pool is there"),
                () = std::future::ready(()) => {}
            }
            drop(get(&pool).await);
            assert!(get(&pool).await.is_err());
            assert!(gone.await.ends_session);
        });
    }
}
