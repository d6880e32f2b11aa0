//! What is counted? The series and counters of the data plane, and what their figures say together.

use load_report::model::{ExtraPlan, RatePlan, RunFile};

/// Series, in ms.
#[derive(Clone, Copy)]
pub(super) enum Series {
    Migration,
    Downtime,
    /// The first of the nine phases; the others follow.
    Phase,
}

/// Counters.
#[derive(Clone, Copy)]
pub(super) enum Counter {
    Started,
    Completed,
    Failed,
    Cancelled,
    RolledBack,
    NotConverged,
    DataLoss,
    Rounds,
    Raw,
    Wire,
    Frames,
    Pages,
    Again,
    Resumed,
}

pub(super) fn extras() -> Vec<ExtraPlan> {
    [
        ("migration_time", "From INIT to the completion of a migration that lost nothing."),
        (
            "downtime",
            "How long the VM stood still, from its stop to the arrival of the last page that it waits for.",
        ),
        ("phase_initialization", "From INIT until the target is ready."),
        ("phase_prefetch", "Until the target has set up its table."),
        ("phase_pre_copy", "All rounds of pre-copy of a migration."),
        ("phase_convergence", "The decision."),
        ("phase_stop_and_copy", "With the VM stopped; the same as downtime."),
        ("phase_post_copy", "After the stop, internet mode only."),
        ("phase_verification", "Both sides hash the whole image."),
        ("phase_cleanup", "Until the target has let go."),
        ("phase_complete", "The last word."),
    ]
    .map(|(name, help)| ExtraPlan { name: name.into(), help: help.into() })
    .to_vec()
}

pub(super) fn counters() -> Vec<ExtraPlan> {
    [
        ("migrations_started", "Migrations that began."),
        ("migrations_completed", "Migrations that went through all phases, with equal hashes."),
        ("migrations_failed", "Migrations that ended otherwise, without the target's word that it let go."),
        ("migrations_cancelled", "Migrations that somebody wanted to end."),
        ("migrations_rolled_back", "Migrations that were given up, and the target has let go of everything."),
        ("not_converged", "Of migrations_rolled_back, those whose VM dirtied its pages too fast."),
        ("data_loss", "Migrations whose two hashes, made at the end, differ."),
        ("rounds", "Rounds of pre-copy."),
        ("bytes_raw", "Bytes of pages that were copied, before compression."),
        ("bytes_wire", "Bytes that were sent for them, headers of frames as well."),
        ("frames", "Frames or records of pages."),
        ("pages", "Pages that were copied."),
        ("pages_retransmitted", "Pages that may not have arrived when a connection was lost."),
        ("streams_resumed", "Connections that were lost and opened again within a migration."),
    ]
    .map(|(name, help)| ExtraPlan { name: name.into(), help: help.into() })
    .to_vec()
}

pub(super) fn rates() -> Vec<RatePlan> {
    let of = |name: &str, cases: Counter| RatePlan {
        name: name.into(),
        cases: cases as usize,
        all: Counter::Started as usize,
    };
    vec![
        of("completed_rate", Counter::Completed),
        of("data_loss_rate", Counter::DataLoss),
        RatePlan { name: "wire_rate".into(), cases: Counter::Wire as usize, all: Counter::Raw as usize },
    ]
}

/// Throughput, ratio and rounds of `run`, which no single figure tells.
pub(super) fn remarks(run: &RunFile) -> Vec<String> {
    let count = |counter: Counter| run.counters.get(counter as usize).map_or(0, |counter| counter.count);
    let completed = count(Counter::Completed);
    let mut remarks = Vec::new();
    let copying =
        ["phase_pre_copy", "phase_stop_and_copy", "phase_post_copy"].iter().fold(0.0, |sum, name| {
            let extra = run.extras.iter().find(|extra| extra.name == *name);
            sum + extra.and_then(|extra| Some(extra.ms?.mean * extra.count as f64 / 1e3)).unwrap_or(0.0)
        });
    let (raw, wire) = (count(Counter::Raw) as f64, count(Counter::Wire) as f64);
    if completed > 0 && copying > 0.0 && wire > 0.0 {
        remarks.push(format!(
            "while it copied, a migration moved {:.1} MB/s of memory and {:.1} MB/s on the wire, ratio {:.2}, in {:.1} rounds",
            raw / copying / 1e6,
            wire / copying / 1e6,
            raw / wire,
            count(Counter::Rounds) as f64 / count(Counter::Started) as f64,
        ));
    }
    let late = count(Counter::NotConverged);
    if late > 0 {
        remarks.push(format!(
            "{late} migrations did not converge: their VMs dirty pages faster than they are copied; lower --dirty-rate, raise \
             --bandwidth-limit or --max-downtime, or take --migration-mode internet, which copies the rest after the stop"
        ));
    }
    remarks
}
