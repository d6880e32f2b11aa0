//! How long does it take to hand a tick to a lane? A lane that waits, and one that takes overdue ticks as it ends.

use std::hint::black_box;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use load_core::clock::{Clock, Nanos};
use load_core::engine::dispatch::{Dispatcher, Told};
use load_core::schedule::{Arrivals, Kind};
use load_report::model::Segment;
use load_suite::shape::Shape;

/// Ticks an iteration of the bench, and lanes.
const TICKS: u64 = 10_000;
const LANES: usize = 64;

/// A second of ticks, all of them still to come.
fn dispatcher(kind: Kind) -> Dispatcher {
    let shape = Shape::constant(TICKS as f64, Duration::from_secs(1));

    let mut dispatcher = Dispatcher::new(
        Some(Arrivals::new(shape, kind, 1, Segment::WHOLE, None)),
        u64::MAX,
        Clock::virtual_time().alarm(),
    );
    for _ in 0..LANES {
        dispatcher.add_lane();
    }
    dispatcher.begin(Nanos::ZERO);
    dispatcher
}

/// All lanes wait; each wake of the pacer finds four ticks due.
fn to_waiting_lanes(mut dispatcher: Dispatcher) -> u64 {
    let mut context = Context::from_waker(Waker::noop());
    let mut taken = 0;
    for lane in 0..LANES {
        dispatcher.enqueue(lane);
        let _ = dispatcher.poll_told(lane, &mut context);
    }
    let mut now = Nanos::ZERO;
    while !dispatcher.is_closed() {
        now = now + Nanos(4 * 1_000_000_000 / TICKS as i64);
        dispatcher.dispatch(black_box(now), |_, _| {});
        for lane in 0..LANES {
            if let Poll::Ready(Told::Take(tick)) = dispatcher.poll_told(lane, &mut context) {
                taken += tick.seq;
                dispatcher.enqueue(lane);
            }
        }
    }
    taken
}

/// The schedule is behind: a lane that ends finds the next tick overdue.
fn overdue(mut dispatcher: Dispatcher) -> u64 {
    let mut taken = 0;
    while let Some(tick) = dispatcher.take_overdue(black_box(Nanos::NEVER - Nanos(1))) {
        taken += tick.seq;
    }
    taken
}

fn dispatching(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("dispatcher");
    group.throughput(Throughput::Elements(TICKS));
    for (name, kind) in [("constant", Kind::Constant), ("poisson", Kind::Poisson)] {
        let size = criterion::BatchSize::LargeInput;
        group.bench_function(format!("{name}, overdue"), |bencher| {
            bencher.iter_batched(|| dispatcher(kind), overdue, size);
        });
        group.bench_function(format!("{name}, to 64 lanes that wait, four at a time"), |bencher| {
            bencher.iter_batched(|| dispatcher(kind), to_waiting_lanes, size);
        });
    }
    group.finish();
}

criterion_group!(benches, dispatching);
criterion_main!(benches);
