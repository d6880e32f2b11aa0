//! What is going on right now? What those see who watch a run.

use crate::collect::{count, describe};
use crate::hist::Histogram;
use crate::journal::Frame;
use crate::model::{PhasePlan, Point};

/// What the parts of a run said last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Present {
    /// The most lanes in use at a time in their last second.
    pub vus: u64,
    /// Calls in flight at the end of it.
    pub in_flight: u64,
    /// The most connections open at a time in it.
    pub connections: u64,
    /// CPU of all processes so far, user and system, ns.
    pub cpu_ns: u64,
    /// Largest resident sets of all processes, bytes.
    pub max_rss_bytes: u64,
}

/// Everything that was reported since somebody last looked: the sum of all looks is the run.
#[derive(Clone, Debug, Default)]
pub struct Interval {
    point: Point,
    response: Histogram,
}

impl Interval {
    /// Adds what one worker counted.
    pub fn absorb(&mut self, frame: &Frame) {
        count(&mut self.point, &mut self.response, frame);
    }

    /// What came together until `t_s`, seconds since time zero; then begins anew.
    pub fn take(&mut self, t_s: f64, present: &Present) -> Point {
        describe(&mut self.point, &self.response);
        self.response.clear();
        let Present { vus, in_flight, connections, .. } = *present;
        Point { t_s, vus, in_flight, connections, ..std::mem::take(&mut self.point) }
    }
}

/// Which of `phases` has the instant: those without a length come before time zero, the last one goes on to the end.
pub fn phase_at(phases: &[PhasePlan], ns: i64) -> Option<usize> {
    if ns < 0 {
        return (!phases.is_empty()).then_some(0);
    }
    phases
        .iter()
        .rposition(|phase| phase.start_ns <= ns && phase.start_ns < phase.end_ns)
        .or_else(|| phases.len().checked_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::tests::frame;

    #[test]
    fn looks_add_up_whenever_they_come() {
        let present = Present { vus: 3, in_flight: 2, connections: 4, ..Present::default() };
        let mut interval = Interval::default();
        interval.absorb(&frame(0, 0, 10, 9));
        let first = interval.take(1.0, &present);
        interval.absorb(&frame(1, 0, 5, 5));
        interval.absorb(&frame(0, 1, 7, 7));
        let second = interval.take(2.0, &present);
        assert_eq!((first.ok, second.ok), (9, 12));
        assert_eq!((second.t_s, second.vus, second.in_flight, second.connections), (2.0, 3, 2, 4));
        assert!((second.p99_ms.unwrap() - 1.0).abs() < 0.001);
        let nothing = interval.take(3.0, &present);
        assert_eq!((nothing.ok, nothing.p99_ms, nothing.opened), (0, None, 0));
    }

    #[test]
    fn every_instant_has_a_phase() {
        let phase =
            |name: &str, start_ns, end_ns| PhasePlan { name: name.into(), counted: true, start_ns, end_ns };
        let phases = [phase("connect", 0, 0), phase("warm-up", 0, 5), phase("sustain", 5, 9)];
        let at = |ns| phases[phase_at(&phases, ns).unwrap()].name.clone();
        assert_eq!(
            [at(-1), at(0), at(4), at(5), at(100)],
            ["connect", "warm-up", "warm-up", "sustain", "sustain"]
        );
        assert_eq!(phase_at(&[], 3), None);
    }
}
