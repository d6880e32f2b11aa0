//! How many users, or arrivals a second, at which moment? A profile as a beginning and ramps, for other tools.

use std::time::Duration;

use load_suite::suite::Profile;

/// How long a profile lasts that says nothing of it, as the tools have it.
const DURATION: Duration = Duration::from_secs(10);

/// What a profile asks for.
pub(super) struct Levels {
    /// Whether they are arrivals a second instead of users.
    pub(super) open: bool,
    /// The first level.
    pub(super) start: f64,
    /// Linear ramps: how long, and to which level. A ramp of no time is a jump.
    pub(super) ramps: Vec<(Duration, f64)>,
    /// Iterations in all, where the profile counts them.
    pub(super) iterations: Option<u64>,
    /// The users of an open load, at the start and at most.
    pub(super) lanes: (u64, u64),
}

impl Levels {
    /// Of `profile`.
    pub(super) fn of(profile: &Profile) -> Self {
        let duration = profile.duration.unwrap_or(DURATION);
        let users = profile.vus.unwrap_or_else(|| u64::from(profile.stages.is_empty())) as f64;
        let stages: Vec<_> = profile.stages.iter().map(|stage| (stage.duration, stage.target)).collect();
        let (start, ramps) = match (profile.rate, profile.spawn_rate) {
            (rate, _) if !stages.is_empty() => (rate.unwrap_or(users), stages),
            (Some(rate), _) => (rate, vec![(duration, rate)]),
            (None, Some(spawn_rate)) => {
                let whole = duration.as_secs_f64();
                let ramp = (users / spawn_rate).min(whole);
                let reached = (ramp * spawn_rate).min(users);
                let ramp = Duration::from_secs_f64(ramp);
                (0.0, vec![(ramp, reached), (duration.saturating_sub(ramp), reached)])
            }
            (None, None) => (users, vec![(duration, users)]),
        };
        let lanes =
            profile.vus.or(profile.connections).unwrap_or_else(|| profile.max_vus.unwrap_or(64).min(64));
        Self {
            open: profile.rate.is_some(),
            start,
            ramps,
            // What is made once needs as many iterations as there are kinds of users.
            iterations: if profile.once { profile.vus } else { profile.requests },
            lanes: (lanes, profile.max_vus.unwrap_or(lanes).max(lanes)),
        }
    }

    /// The level that never changes, if it is one.
    pub(super) fn constant(&self) -> Option<(Duration, f64)> {
        let same = self.ramps.iter().all(|(_, level)| level.to_bits() == self.start.to_bits());
        same.then(|| (self.ramps.iter().map(|(time, _)| *time).sum(), self.start))
    }
}
