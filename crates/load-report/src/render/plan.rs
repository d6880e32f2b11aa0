//! What is about to happen? The effective plan in a few lines, printed before the first packet.

use std::fmt::Write as _;

use crate::model::{LoadModel, Plan};

use super::units;

/// `plan` for a terminal.
pub fn text(plan: &Plan) -> String {
    let mut lines = vec![format!("target   {}", plan.target), format!("load     {}", load(plan))];
    let mut length = units::seconds(plan.duration_s);
    if plan.warmup_s > 0.0 {
        let _ = write!(length, ", the first {} not counted", units::seconds(plan.warmup_s));
    }
    if let Some(requests) = plan.requests {
        let _ = write!(length, ", or {}", units::counted(requests, "iteration", "iterations"));
    }
    let _ = write!(
        length,
        "; then at most {} for calls in flight, {} a call",
        units::seconds(plan.graceful_stop_s),
        units::seconds(plan.timeout_s)
    );
    lines.push(format!("length   {length}"));
    if !plan.stages.is_empty() {
        let stage = |s: &crate::model::Stage| format!("{} to {}", units::seconds(s.duration_s), s.target);
        lines.push(format!("stages   {}", plan.stages.iter().map(stage).collect::<Vec<_>>().join(", ")));
    }
    lines.push(format!(
        "machine  {} of {}, seed {}",
        units::counted(plan.processes.into(), "process", "processes"),
        units::counted(plan.threads.into(), "thread", "threads"),
        plan.seed
    ));
    if let Some(token) = plan.args.pointer("/suite/token").and_then(serde_json::Value::as_str) {
        lines.push(format!("token    {token}"));
    }
    lines.extend(units::rehearsal(plan));
    for threshold in &plan.thresholds {
        lines.push(format!("must     {threshold}"));
    }
    lines.join("\n")
}

fn load(plan: &Plan) -> String {
    let connections = units::counted(plan.connections.into(), "connection", "connections");
    match plan.model {
        LoadModel::Closed => {
            let think = match plan.think_s {
                Some((low, high)) if low < high => {
                    format!(", {} to {} apart", units::seconds(low), units::seconds(high))
                }
                Some((think, _)) => format!(", {} apart", units::seconds(think)),
                None => String::new(),
            };
            format!("closed: {}{think} over {connections}", units::counted(plan.vus.into(), "user", "users"))
        }
        LoadModel::Open => format!(
            "open: {}/s in total ({}), {}, at most {}, over {connections}",
            plan.rate_per_s.unwrap_or_default(),
            plan.arrivals.as_deref().unwrap_or("constant"),
            units::counted(plan.vus.into(), "lane", "lanes"),
            units::count(plan.max_vus.into()),
        ),
    }
}
