//! What happens when the server is away?

use crate::support::{Service, alone, has_failed, op, pass};

#[test]
fn a_server_stopped_in_the_middle_fails_calls_at_the_schedules_pace_until_it_is_back() {
    let _alone = alone();
    for name in ["postgres", "redis"] {
        let Some(service) = Service::start(name) else { continue };
        let tool = service.tool();
        let child = tool.start(
            "-r 200 -d 6s -u 16 -c 4 --max-vus 16 --read-ratio 0.5 --rows 100"
                .replace("--rows", if name == "redis" { "--keys" } else { "--rows" })
                .as_str(),
        );
        pass(1_000);
        service.stop();
        pass(1_900);
        service.start_again();
        let left = tool.wait(child);
        let run = left.run();
        has_failed(&left);
        assert_eq!(run.ledger.calls.scheduled, 1_200);
        let failed: Vec<u64> = run.timeseries.points.iter().map(|p| p.failed).collect();
        let ok: Vec<u64> = run.timeseries.points.iter().map(|p| p.ok).collect();
        // Neither silence nor a spin, and no call fails once the server is back.
        assert!(failed.iter().all(|&n| n <= 230), "{name}: {failed:?}");
        assert!((150..=230).contains(&failed[1].max(failed[2])), "{name}: {failed:?}");
        assert!(ok[5] >= 150 && failed[5] == 0, "{name}: ok {ok:?}, failed {failed:?}");
        assert!(
            op(&left, "read") > 0 && run.warnings.iter().all(|w| !w.contains("cleanup")),
            "{:?}",
            run.warnings
        );
    }
}
