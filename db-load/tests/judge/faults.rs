//! What happens when the server is away?

use crate::support::{Service, op, pass, timed};

#[test]
fn a_server_stopped_in_the_middle_fails_calls_at_the_schedules_pace_until_it_is_back() {
    for (name, rows) in [("postgres", "--rows"), ("redis", "--keys")] {
        timed(|| {
            let Some(service) = Service::start(name) else { return Ok(()) };
            let tool = service.tool();
            let line = format!("-r 200 -d 6s -u 16 -c 4 --max-vus 16 --read-ratio 0.5 {rows} 100");
            let child = tool.start(&line);
            pass(1_000);
            service.stop();
            pass(1_900);
            service.start_again();
            let left = tool.wait(child);
            let run = left.run();
            assert_eq!(run.ledger.calls.scheduled, 1_200);
            assert!(op(&left, "read") > 0, "{}", left.stdout);
            assert!(run.warnings.iter().all(|warning| !warning.contains("cleanup")), "{:?}", run.warnings);
            left.exits(99)?;
            left.paced(200, &[1, 2], &[5])
        });
    }
}
