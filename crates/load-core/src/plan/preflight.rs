//! Can this machine do what the plan says? Checked before the first packet, with what to change.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::RunPlan;
use crate::error::UsageError;
use crate::protocol::Sharing;

/// Descriptors of a process that are not connections: event loops, timers, files, pipes.
const OWN_DESCRIPTORS: u64 = 64;
/// Memory of one lane with its buffers, bytes; an upper estimate.
const LANE_BYTES: u64 = 16 << 10;
/// Memory of a process before its first lane, bytes.
const BASE_BYTES: u64 = 32 << 20;

/// What the plan needs and the machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Descriptors of the busiest process.
    pub descriptors: u64,
    /// Local ports towards one address of the target.
    pub ports: u64,
    /// Memory of all processes, bytes; an upper estimate.
    pub memory_bytes: u64,
}

/// What `plan` needs on this machine.
pub fn needs(plan: &RunPlan) -> Needs {
    let processes = u64::from(plan.processes);
    let connections = opened(plan.sharing, plan.max_vus, plan.width, plan.connections);
    let links = plan.segment.share_of(connections);
    let here = links.saturating_mul(plan.weight.connections);
    let bytes = links.saturating_mul(plan.weight.bytes);
    Needs {
        descriptors: here.div_ceil(processes) + OWN_DESCRIPTORS,
        ports: here,
        memory_bytes: (here * LANE_BYTES + processes * BASE_BYTES).saturating_add(bytes),
    }
}

/// The most connections that are open at a time, over all segments.
pub(super) fn opened(sharing: Sharing, max_vus: u64, width: u64, connections: u64) -> u64 {
    match sharing {
        // One for each call that a lane has under way.
        Sharing::Exclusive => max_vus.saturating_mul(width),
        // Their number, whatever the lanes.
        Sharing::Shared { .. } | Sharing::Pool => connections,
    }
}

/// How many processes so many connections need on this machine: one a core at least, as far as there are connections.
pub(super) fn processes(connections: u64) -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let limit = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    let each = limit.saturating_sub(OWN_DESCRIPTORS).max(1);
    connections.div_ceil(each).max(cores.min(connections)).clamp(1, 1_024) as u32
}

/// Checks `plan` against the limits of this machine and raises the soft limit of descriptors where needed.
///
/// # Errors
/// When a limit is too low: which, how much is needed, and what to do.
pub fn preflight(plan: &RunPlan) -> Result<(), UsageError> {
    let needs = needs(plan);
    raise_descriptors(plan)?;
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    if let Ok(max) = read("/proc/sys/fs/file-max").trim().parse::<u64>()
        && needs.ports > max
    {
        return Err(UsageError::new(format!(
            "the plan needs {} descriptors, the machine allows {max} (fs.file-max): raise it or use fewer connections",
            needs.ports
        )));
    }
    if let Some(available) = available_bytes(&read("/proc/meminfo"))
        && needs.memory_bytes > available
    {
        return Err(UsageError::new(format!(
            "the plan needs about {} MiB, {} MiB are available: use fewer connections, or several machines with --segment",
            needs.memory_bytes >> 20,
            available >> 20
        )));
    }
    let ports = local_ports(&read("/proc/sys/net/ipv4/ip_local_port_range"));
    if let Some(ports) = ports
        && needs.ports > ports
        && !plan.spreads
    {
        tracing::warn!(
            "{} connections to one address need more local ports than the {ports} of net.ipv4.ip_local_port_range: unless the \
             target has several addresses, connect from several of this machine's (--local-ips)",
            needs.ports
        );
    }
    Ok(())
}

/// Raises the soft limit of descriptors to what the busiest process of `plan` needs: for that process itself.
///
/// # Errors
/// When the hard limit is too low: how much is needed, and what to do.
pub fn raise_descriptors(plan: &RunPlan) -> Result<(), UsageError> {
    let needs = needs(plan);
    let limit = getrlimit(Resource::Nofile);
    let hard = limit.maximum.unwrap_or(u64::MAX);
    if needs.descriptors > hard {
        let processes = (needs.ports).div_ceil(hard.saturating_sub(OWN_DESCRIPTORS).max(1));
        return Err(UsageError::new(format!(
            "the plan needs {} descriptors in one process, the limit is {hard}: use --processes {processes}, fewer \
             connections, or raise the limit (ulimit -Hn {})",
            needs.descriptors, needs.descriptors
        )));
    }
    if limit.current.is_some_and(|soft| soft < needs.descriptors) {
        let raised = Rlimit { current: Some(hard), maximum: limit.maximum };
        setrlimit(Resource::Nofile, raised)
            .map_err(|e| UsageError::new(format!("cannot raise the limit of descriptors to {hard}: {e}")))?;
    }
    Ok(())
}

fn available_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_ascii_whitespace().next()?.parse::<u64>().ok().map(|kib| kib << 10)
}

/// Ports of a range as the kernel writes it: `low high`.
fn local_ports(range: &str) -> Option<u64> {
    let mut ends = range.split_ascii_whitespace().map(|n| n.parse::<u64>().ok());
    let (low, high) = (ends.next()??, ends.next()??);
    high.checked_sub(low).map(|n| n + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_figures_are_understood() {
        assert_eq!(local_ports("32768\t60999\n"), Some(28_232));
        assert_eq!(available_bytes("MemTotal: 9 kB\nMemAvailable:   2048 kB\n"), Some(2 << 20));
        assert_eq!(local_ports(""), None);
    }
}
