//! Is a rehearsal of a profile the profile itself, smaller and shorter? Its stages and its users at each moment, read from
//! the time series.

use super::*;

/// A profile as its documents have it: users at its begin, then stages of so many seconds to so many users.
struct Staged {
    tool: &'static str,
    suite: &'static str,
    profile: &'static str,
    first: f64,
    stages: &'static [(f64, f64)],
    /// How long a user may stay who is to leave, seconds: its iteration comes to its end.
    stays: f64,
}

/// One that only says how many users there are in the end, how many come a second, and how long it lasts in seconds.
struct Spawned {
    tool: &'static str,
    suite: &'static str,
    profile: &'static str,
    users: f64,
    a_second: f64,
    lasts: f64,
}

const M: f64 = 60.0;

#[rustfmt::skip]
const STAGED: &[Staged] = &[
    Staged { tool: "api", suite: "novacron", profile: "load", first: 0.0, stays: 7.0, stages: &[
        (2.0 * M, 100.0), (5.0 * M, 100.0), (2.0 * M, 1_000.0), (5.0 * M, 1_000.0), (2.0 * M, 10_000.0),
        (5.0 * M, 10_000.0), (2.0 * M, 0.0),
    ] },
    Staged { tool: "api", suite: "novacron-database", profile: "load", first: 0.0, stays: 6.0, stages: &[
        (2.0 * M, 200.0), (5.0 * M, 500.0), (2.0 * M, 2_000.0), (5.0 * M, 2_000.0), (2.0 * M, 5_000.0),
        (3.0 * M, 5_000.0), (2.0 * M, 0.0),
    ] },
    Staged { tool: "db", suite: "novacron", profile: "load", first: 0.0, stays: 0.1, stages: &[
        (2.0 * M, 200.0), (5.0 * M, 500.0), (2.0 * M, 2_000.0), (5.0 * M, 2_000.0), (2.0 * M, 5_000.0),
        (3.0 * M, 5_000.0), (2.0 * M, 0.0),
    ] },
    Staged { tool: "ws", suite: "novacron", profile: "load", first: 0.0, stays: 0.1, stages: &[
        (2.0 * M, 100.0), (5.0 * M, 1_000.0), (5.0 * M, 1_000.0), (2.0 * M, 10_000.0), (5.0 * M, 10_000.0),
        (2.0 * M, 100_000.0), (3.0 * M, 100_000.0), (2.0 * M, 0.0),
    ] },
    Staged { tool: "api", suite: "platform-visitor", profile: "load", first: 0.0, stays: 5.0, stages: &[
        (2.0 * M, 50.0), (5.0 * M, 100.0), (10.0 * M, 100.0), (3.0 * M, 0.0),
    ] },
    Staged { tool: "api", suite: "platform-visitor", profile: "stress", first: 0.0, stays: 5.0, stages: &[
        (2.0 * M, 200.0), (5.0 * M, 200.0), (2.0 * M, 0.0),
    ] },
    Staged { tool: "api", suite: "platform-visitor", profile: "spike", first: 0.0, stays: 5.0, stages: &[
        (30.0, 20.0), (M, 200.0), (30.0, 20.0),
    ] },
    // Without its users of WebSockets, who are one in 19.
    Staged { tool: "api", suite: "aragora", profile: "medium", first: 0.0, stays: 0.6, stages: &[
        (60.0, 9.0), (120.0, 29.0), (180.0, 48.0), (180.0, 48.0), (60.0, 19.0),
    ] },
    Staged { tool: "api", suite: "aragora", profile: "heavy", first: 0.0, stays: 0.6, stages: &[
        (60.0, 19.0), (120.0, 48.0), (180.0, 95.0), (300.0, 95.0), (120.0, 48.0), (60.0, 0.0),
    ] },
    Staged { tool: "api", suite: "aragora", profile: "spike", first: 0.0, stays: 0.6, stages: &[
        (30.0, 9.0), (10.0, 190.0), (60.0, 190.0), (10.0, 48.0), (60.0, 48.0), (30.0, 9.0), (10.0, 190.0),
        (60.0, 190.0), (30.0, 0.0),
    ] },
    Staged { tool: "api", suite: "aragora-baseline", profile: "baseline", first: 0.0, stays: 6.0, stages: &[
        (M, 20.0), (3.0 * M, 50.0), (M, 100.0), (3.0 * M, 100.0), (M, 0.0),
    ] },
    Staged { tool: "api", suite: "megaagent", profile: "spike", first: 100.0, stays: 0.1, stages: &[
        // The last 8 minutes are two to recover in and six to have recovered.
        (5.0 * M, 100.0), (0.0, 1_000.0), (2.0 * M, 1_000.0), (0.0, 100.0), (2.0 * M, 100.0), (6.0 * M, 100.0),
    ] },
];

#[rustfmt::skip]
const SPAWNED: &[Spawned] = &[
    Spawned { tool: "db", suite: "nova-torch", profile: "development", users: 20.0, a_second: 2.0, lasts: 5.0 * M },
    Spawned { tool: "db", suite: "nova-torch", profile: "staging", users: 100.0, a_second: 10.0, lasts: 15.0 * M },
    Spawned { tool: "db", suite: "nova-torch", profile: "production", users: 500.0, a_second: 25.0, lasts: 30.0 * M },
    Spawned { tool: "db", suite: "nova-torch", profile: "stress", users: 1_000.0, a_second: 50.0, lasts: 60.0 * M },
    Spawned { tool: "db", suite: "nova-torch", profile: "soak", users: 200.0, a_second: 5.0, lasts: 240.0 * M },
    Spawned { tool: "db", suite: "nova-torch", profile: "spike", users: 2_000.0, a_second: 200.0, lasts: 10.0 * M },
    Spawned { tool: "api", suite: "aragora", profile: "light", users: 19.0, a_second: 2.0, lasts: 300.0 },
    Spawned { tool: "api", suite: "aragora", profile: "soak", users: 29.0, a_second: 2.0, lasts: 3_600.0 },
    Spawned { tool: "api", suite: "platform", profile: "load", users: 100.0, a_second: 10.0, lasts: 10.0 * M },
    Spawned { tool: "api", suite: "platform", profile: "stress", users: 500.0, a_second: 50.0, lasts: 10.0 * M },
    Spawned { tool: "api", suite: "platform", profile: "spike", users: 200.0, a_second: 100.0, lasts: 5.0 * M },
    Spawned { tool: "api", suite: "platform", profile: "endurance", users: 100.0, a_second: 10.0, lasts: 120.0 * M },
    Spawned { tool: "api", suite: "megaagent", profile: "normal", users: 50.0, a_second: 5.0, lasts: 10.0 * M },
    Spawned { tool: "api", suite: "megaagent", profile: "stress", users: 500.0, a_second: 50.0, lasts: 5.0 * M },
    Spawned { tool: "api", suite: "megaagent", profile: "endurance", users: 200.0, a_second: 10.0, lasts: 120.0 * M },
];

/// How many users there are when: corners (seconds, users), between which it is linear; two at one instant are a jump.
struct Level(Vec<(f64, f64)>);

impl Level {
    /// The one that begins with `first` and has these stages, all its times by `time` and all its users by `users`.
    fn scaled(first: f64, stages: &[(f64, f64)], time: f64, users: f64) -> Self {
        let mut corners = vec![(0.0, first * users)];
        let mut at = 0.0;
        for (lasts, target) in stages {
            at += lasts * time;
            corners.push((at, target * users));
        }
        Self(corners)
    }

    fn end(&self) -> f64 {
        self.0[self.0.len() - 1].0
    }

    fn peak(&self) -> f64 {
        self.0.iter().fold(0.0, |peak, corner| corner.1.max(peak))
    }

    /// The most from one instant to another.
    fn most(&self, from: f64, to: f64) -> f64 {
        self.ends(from, to).into_iter().fold(0.0, f64::max)
    }

    /// The least from one instant to another.
    fn least(&self, from: f64, to: f64) -> f64 {
        self.ends(from, to).into_iter().fold(f64::MAX, f64::min)
    }

    /// What it is where its pieces begin and end from one instant to another.
    fn ends(&self, from: f64, to: f64) -> Vec<f64> {
        let (from, to) = (from.clamp(0.0, self.end()), to.clamp(0.0, self.end()));
        let pieces = self.0.windows(2).filter(|pair| pair[0].0 <= to && pair[1].0 >= from);
        let at = |pair: &[(f64, f64)], t: f64| {
            let ((t0, a), (t1, b)) = (pair[0], pair[1]);
            if t1 > t0 { a + (b - a) * (t.clamp(t0, t1) - t0) / (t1 - t0) } else { a.max(b) }
        };
        pieces.flat_map(|pair| [at(pair, from), at(pair, to)]).collect()
    }
}

/// Too little to make a user of, and shorter than the time between two.
const HAIR: f64 = 1e-6;

/// Compares a rehearsal with `level` at each point of its time series, and its phases with the times of the corners.
fn compare(what: &str, run: &RunFile, level: &Level, stays: f64) {
    assert!(
        (run.header.plan.duration_s - level.end()).abs() < HAIR,
        "{what}: {}",
        run.header.plan.duration_s
    );
    assert_eq!(
        run.timeseries.points.iter().map(|point| point.vus).max(),
        Some(level.peak().round() as u64),
        "{what}"
    );
    let mut compared = 0;
    for point in run.timeseries.points.iter().filter(|point| point.t_s + HAIR < level.end()) {
        let (from, to) = (point.t_s, point.t_s + 1.0);
        let least = (level.most(from + HAIR, to - HAIR) - HAIR).floor() as u64;
        let most = (level.most(from - stays, to) + HAIR).ceil() as u64;
        assert!(
            (least..=most).contains(&point.vus),
            "{what}: {} users from {from} s on, expected {least} to {most}",
            point.vus
        );
        compared += 1;
    }
    assert_eq!(compared, (level.end() - HAIR).ceil() as usize, "{what}: one point a second");
    // Where a stage takes no time, there is no phase.
    let mut corners: Vec<f64> = level.0.iter().map(|corner| corner.0).collect();
    corners.dedup();
    let phases: Vec<_> = run.header.plan.phases.iter().filter(|phase| phase.end_ns > 0).collect();
    assert_eq!(phases.len() + 1, corners.len(), "{what}: {phases:?}");
    for (phase, pair) in phases.iter().zip(corners.windows(2)) {
        let (from, to) = (phase.start_ns as f64 / 1e9, phase.end_ns as f64 / 1e9);
        assert!((from - pair[0]).abs() < HAIR && (to - pair[1]).abs() < HAIR, "{what}: {phase:?}, {pair:?}");
    }
}

/// 18 in 19 users of a suite are no whole ones any more when they become fewer.
fn is_whole(suite: &str) -> bool {
    suite == "aragora"
}

/// Rehearses a profile with its times and its users by these.
fn rehearse(tool: &str, suite: &str, profile: &str, (time, users): (f64, f64)) -> RunFile {
    let line = format!("--profile {profile} --scale-time {time} --scale-users {users}");
    // A visit of a WebSocket ends with its connection.
    if tool == "ws" {
        act::<true>(tool, &shipped(suite), &line).0
    } else {
        act::<false>(tool, &shipped(suite), &line).0
    }
}

#[test]
fn a_rehearsal_of_stages_has_their_boundaries_and_their_users() {
    for Staged { tool, suite, profile, first, stages, stays } in STAGED {
        let peak = stages.iter().fold(0.0_f64, |peak, stage| stage.1.max(peak));
        let scales = (
            0.05,
            if is_whole(suite) {
                1.0
            } else if peak > 10_000.0 {
                0.01
            } else {
                0.1
            },
        );
        let run = rehearse(tool, suite, profile, scales);
        compare(
            &format!("{suite}/{profile} ({tool})"),
            &run,
            &Level::scaled(*first, stages, scales.0, scales.1),
            *stays,
        );
    }
}

#[test]
fn a_rehearsal_of_a_spawn_rate_has_its_ramp_and_its_users() {
    for Spawned { tool, suite, profile, users, a_second, lasts } in SPAWNED {
        let ramp = users / a_second;
        let stages = [(ramp, *users), (lasts - ramp, *users)];
        let scales = (
            0.01,
            if is_whole(suite) {
                1.0
            } else if *users >= 500.0 {
                0.1
            } else {
                0.5
            },
        );
        let run = rehearse(tool, suite, profile, scales);
        let level = Level::scaled(0.0, &stages, scales.0, scales.1);
        compare(&format!("{suite}/{profile} ({tool})"), &run, &level, 0.6);
    }
}

/// Aragora's burst is at a rate: 5 calls a second for 10 s, nothing for 5 s, 500 a second for 10 s.
#[test]
fn a_rehearsal_of_rates_has_as_many_arrivals() {
    let stages = [(10.0, 5.0), (0.0, 0.0), (5.0, 0.0), (0.0, 500.0), (10.0, 500.0)];
    let (time, rate) = (0.8, 0.4);
    let run = rehearse("api", "aragora-rate-limit", "burst", (time, rate));
    let level = Level::scaled(5.0, &stages, time, rate);
    assert_eq!(run.ledger.iterations.scheduled, ((5.0 * 10.0 + 500.0 * 10.0) * time * rate) as u64);
    for point in run.timeseries.points.iter().filter(|point| point.t_s + HAIR < level.end()) {
        let (from, to) = (point.t_s, (point.t_s + 1.0).min(level.end()));
        // It counts where it ends, which is up to 20 ms later.
        let (least, most) =
            (level.least(from, to) * (to - from - 0.02), level.most(from - 0.02, to) * (to - from + 0.02));
        let calls = point.ok as f64;
        assert!(
            least - 1.0 <= calls && calls <= most + 1.0,
            "{calls} calls from {from} s on, expected {least} to {most}"
        );
    }
}

/// A rehearsal that is not the profile would be seen.
#[test]
fn another_stage_is_noticed() {
    let run = rehearse("api", "platform-visitor", "stress", (0.05, 0.1));
    let notices = |stages: &[(f64, f64)]| {
        let level = Level::scaled(0.0, stages, 0.05, 0.1);
        std::panic::catch_unwind(|| compare("other", &run, &level, 5.0)).is_err()
    };
    assert!(!notices(&[(2.0 * M, 200.0), (5.0 * M, 200.0), (2.0 * M, 0.0)]));
    assert!(notices(&[(2.0 * M, 200.0), (5.0 * M, 210.0), (2.0 * M, 0.0)]));
    assert!(notices(&[(3.0 * M, 200.0), (4.0 * M, 200.0), (2.0 * M, 0.0)]));
    assert!(notices(&[(2.0 * M, 200.0), (7.0 * M, 200.0)]));
}
