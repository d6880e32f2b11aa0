//! How long does it take to record a call? From its tick to its end, full recording, the way a worker does it.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use load_core::clock::Nanos;
use load_core::protocol::{Fault, Outcome};
use load_core::record::{CallTimes, Recorder, Start};
use load_core::secret::Secrets;
use load_report::fault::FaultKind;
use load_report::model::{PhasePlan, Plan};

/// Calls an iteration of the bench, each with another service time.
const CALLS: i64 = 1_000;

fn recorder(ops: u16) -> Recorder {
    let phase =
        |name: &str, counted, start_ns, end_ns| PhasePlan { name: name.into(), counted, start_ns, end_ns };
    let plan = Plan {
        phases: vec![phase("connect", false, i64::MIN, 0), phase("sustain", true, 0, i64::MAX)],
        ops: (0..ops).map(|op| format!("op {op}")).collect(),
        ..Plan::default()
    };
    let mut recorder = Recorder::new(&plan, None, Arc::new(Secrets::default()));
    recorder.begin(Nanos::ZERO);
    recorder
}

/// The times of call `seq`: 20,000/s, 0.05 to 8 ms long.
fn times(seq: i64) -> CallTimes {
    let due = Nanos(seq * 50_000);
    let start = due + Nanos(20_000);
    let service = Nanos(50_000 + seq.wrapping_mul(7_919) % 8_000_000);
    CallTimes { seq: seq.unsigned_abs(), due, start, end: start + service }
}

fn record(recorder: &mut Recorder, ops: u16, failing: bool) {
    let outcome = Outcome { sent: 100, received: 200, messages: 1, ..Outcome::default() };
    for seq in 0..CALLS {
        let times = black_box(times(seq));
        let CallTimes { due, start, end, .. } = times;
        recorder.started(&Start { seq: times.seq, due, freed: due, idle_until: start, start });
        recorder.begun(due);
        let op = (seq % i64::from(ops)) as u16;
        if failing && seq % 10 == 0 {
            recorder.failed(op, &times, &Fault::answered(FaultKind::Rejected, 500), "");
            recorder.iteration(due, end, Some(FaultKind::Rejected));
        } else {
            recorder.ok(op, &times, &outcome);
            recorder.iteration(due, end, None);
        }
    }
}

fn recording(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("recorder");
    group.throughput(Throughput::Elements(CALLS.unsigned_abs()));
    for (name, ops, failing) in [("one op", 1, false), ("50 ops", 50, false), ("a tenth fails", 1, true)] {
        let mut recorder = recorder(ops);
        group.bench_function(name, |bencher| bencher.iter(|| record(&mut recorder, ops, failing)));
    }
    let mut recorder = recorder(50);
    group.throughput(Throughput::Elements(1));
    group.bench_function("a snapshot of 50 ops after 1,000 calls", |bencher| {
        bencher.iter(|| {
            record(&mut recorder, 50, false);
            let tally = recorder.take(Nanos::ZERO);
            recorder.give_back(tally);
        });
    });
    group.finish();
}

criterion_group!(benches, recording);
criterion_main!(benches);
