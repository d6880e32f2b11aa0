//! The whole server stands still when the script says so.

use target_server::now_ns;

use crate::client::{Client, MS, eventually, start};

#[test]
fn a_stall_stops_reading_and_writing_for_its_time_exactly() {
    let server =
        start("[[rule]]\npath = \"/delayed\"\ndelay = \"60ms\"\n[[stall]]\nat = \"50ms\"\nfor = \"200ms\"\n");
    let (mut first, mut second) = (Client::to(&server), Client::to(&server));
    first.write("GET /delayed HTTP/1.1\r\n\r\n");
    let first_probe = now_ns();
    while now_ns() < first_probe + 300 * MS {
        second.get("/probe");
    }
    first.answer().unwrap();
    let start_ns = server.truth().start_ns.unwrap();
    let (begin, end) = (start_ns + 50 * MS, start_ns + 250 * MS);
    // A stamp is taken right after the read that the gate let pass.
    let inside = |t: u64| t > begin + MS && t < end;
    let arrivals = server.arrivals();
    assert_eq!(arrivals[0].t_ns, start_ns);
    assert!(arrivals.iter().all(|a| !inside(a.t_ns) && !inside(a.done_ns)), "{start_ns}: {arrivals:?}");
    // Two connections: the second request may be read first.
    let delayed = arrivals.iter().find(|a| a.rule == 0).unwrap();
    assert!(delayed.done_ns >= end, "its delay ended within the stall");
    assert!(arrivals.iter().any(|a| a.done_ns < begin && a.t_ns > start_ns), "none before the stall");
    assert!(arrivals.iter().any(|a| a.t_ns >= end), "none after the stall");
}

#[test]
fn stopping_does_not_wait_for_a_stall() {
    let server = start("[[stall]]\nat = \"0s\"\nfor = \"1h\"\n");
    let mut client = Client::to(&server);
    client.write("GET / HTTP/1.1\r\n\r\n");
    eventually("the request", || (server.truth().requests > 0).then_some(()));
    let begun = now_ns();
    drop(server);
    assert!(now_ns() - begun < 1000 * MS);
}
