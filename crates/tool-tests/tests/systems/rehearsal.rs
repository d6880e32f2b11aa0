//! Has a rehearsal as many users at each moment as its profile has, smaller and shorter? Read from the time series of a real
//! run. (Every profile in virtual time: `crates/load-core/src/engine/tests/systems/profiles.rs`.)

use tool_tests::timed;

use crate::broken::run;
use crate::case::{Case, api};

/// MegaAgent Pro's documents have 100 users, 1,000 of them 5 minutes later and for 2 minutes, and 100 until 15 minutes are
/// over. 11 thousandths of the time and a tenth of the users are 10, then 100 from 3.3 s to 4.62 s, then 10 until 9.9 s.
#[test]
fn a_spike_is_where_it_is_to_be_and_as_high() {
    let case = Case { profile: "spike", ..api("megaagent", "megaagent") };
    timed(|| {
        let line = "--scale-time 0.011 --scale-users 0.1 --no-thresholds";
        let Some(left) = run(&case, line, "") else { return Ok(()) };
        left.exits(0)?;
        let users: Vec<u64> = left.run().timeseries.points.iter().take(9).map(|point| point.vus).collect();
        // The most of each second.
        let expected = [10, 10, 10, 100, 100, 10, 10, 10, 10];
        if users != expected {
            return Err(format!("{users:?} users; expected {expected:?}"));
        }
        let phases: Vec<(&str, i64)> = left
            .run()
            .header
            .plan
            .phases
            .iter()
            .map(|phase| (phase.name.as_str(), phase.end_ns / 1_000_000))
            .collect();
        assert_eq!(
            phases[1..],
            [("before", 3_300), ("spike", 4_620), ("recovery", 5_940), ("recovered", 9_900)]
        );
        Ok(())
    });
}
