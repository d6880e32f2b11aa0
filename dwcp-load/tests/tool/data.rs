//! Does an image arrive as it is, in every way there is? And is it told when it does not?

use std::net::SocketAddr;

use load_report::fault::FaultKind;
use load_report::model::Quantiles;
use target_server::{Config, DwcpDataReport, Script, Server};
use tool_tests::{Left, args, pass, timed};

use crate::{run, tool};

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// A server that follows the `[dwcp.data]` table in `script`.
fn server_at(address: SocketAddr, script: &str) -> Server {
    let script = Script::parse("test", &format!("[dwcp.data]\n{script}\n")).unwrap();
    let (dwcp, dwcp_data) = (Some(ANY), Some(address));
    Server::start(Config { dwcp, dwcp_data, script, ..Config::default() }).unwrap()
}

pub(crate) fn server(script: &str) -> Server {
    server_at(ANY, script)
}

fn tcp(server: &Server) -> String {
    format!("tcp://{}", server.dwcp_data_addr().unwrap())
}

fn ws(server: &Server) -> String {
    format!("ws://{}", server.dwcp_addr().unwrap())
}

/// Migrates at `url` as `line` says.
pub(crate) fn migrate(url: &str, line: &str) -> Left {
    run(url, &format!("--mode data {line}"))
}

fn series(left: &Left, name: &str) -> Quantiles {
    left.run().extras.iter().find(|extra| extra.name == name).unwrap().ms.unwrap()
}

/// What began ended in exactly one way, and the server says the same.
pub(crate) fn accounted(left: &Left, truth: DwcpDataReport) {
    let count = |name: &str| left.counter(name);
    let ended =
        ["completed", "failed", "cancelled", "rolled_back"].map(|how| count(&format!("migrations_{how}")));
    assert_eq!(count("migrations_started"), ended.iter().sum::<u64>(), "{ended:?}");
    assert_eq!((truth.completed, truth.active, truth.memory), (ended[0], 0, 0), "{truth:?}");
    assert_eq!(truth.migrations, truth.completed + truth.rolled_back + truth.gone, "{truth:?}");
}

#[test]
fn an_image_arrives_in_every_way_there_is() {
    // 771 pages: the last chunk is not whole.
    let usual = "-u 2 -n 4 --vm-memory 3158016 --dirty-rate 20% --streams 3";
    for (carrier, ways) in [
        (
            "tcp",
            &[
                "--compress none",
                "--compress lz4",
                "--compress zstd --delta",
                "--compress none --delta",
                "--compress zstd-max --vm-memory 1MiB -n 2",
                "--migration-mode hybrid",
                "--migration-mode internet --compress zstd",
                "--framing amst",
                "--framing adapter",
                "--framing sdk",
            ][..],
        ),
        ("ws", &["--compress none", "--migration-mode hybrid --delta"][..]),
    ] {
        for way in ways {
            let server = server("");
            let url = if carrier == "tcp" { tcp(&server) } else { ws(&server) };
            // A flag that is given again is the last one that counts, for clap only where a test says so.
            let mut line = usual.to_owned();
            if way.contains("--vm-memory") {
                line = "-u 2 --dirty-rate 20% --streams 3".to_owned();
            }
            let left = migrate(&url, &format!("{line} {way}"));
            let truth = server.dwcp_data_truth();
            assert_eq!(left.code, 0, "{carrier} {way}: {}{}", left.stdout, left.stderr);
            accounted(&left, truth);
            assert_eq!(left.counter("data_loss"), 0, "{carrier} {way}");
            assert_eq!(left.counter("migrations_completed"), left.run().ledger.calls.ok, "{carrier} {way}");
            assert_eq!((truth.broken, truth.cut_off, truth.resumed), (0, 0, 0), "{carrier} {way}: {truth:?}");
            assert!(truth.bytes > 0 && left.counter("bytes_wire") > truth.bytes, "{carrier} {way}");
            if !way.contains("--framing") {
                assert_eq!(
                    (left.counter("pages"), left.counter("frames")),
                    (truth.pages, truth.frames),
                    "{way}"
                );
            }
            if way.contains("zstd") || way.contains("hybrid") {
                assert!(left.counter("bytes_wire") * 3 < left.counter("bytes_raw") * 2, "{carrier} {way}");
            }
        }
    }
}

#[test]
fn a_vm_that_goes_on_writing_is_copied_in_rounds_until_little_is_left() {
    timed(|| {
        let server = server("");
        let line = "-u 1 -n 2 --vm-memory 32MiB --dirty-rate 60%/s --bandwidth-limit 50MB/s --max-downtime 10ms --max-rounds 12 --zero-pages 0";
        let left = migrate(&tcp(&server), line);
        assert_eq!(left.code, 0, "{}{}", left.stdout, left.stderr);
        accounted(&left, server.dwcp_data_truth());
        let (rounds, downtime) = (left.counter("rounds"), series(&left, "downtime"));
        // More than the image has passed: what was dirtied as well.
        assert!(left.counter("bytes_raw") > 2 * (32 << 20));
        // 32 MiB at 50 MB/s take 0.67 s.
        let slow = series(&left, "phase_pre_copy").min;
        if rounds >= 6 && downtime.max < 100.0 && slow >= 600.0 {
            Ok(())
        } else {
            Err(format!("{rounds} rounds, {downtime:?}, {slow}"))
        }
    });
}

#[test]
fn a_dirty_rate_that_cannot_converge_is_told_as_that_and_undone() {
    let server = server("");
    let line = "-u 2 -n 2 --vm-memory 8MiB --dirty-rate 1000%/s --bandwidth-limit 20MB/s --max-downtime 50ms --max-rounds 3 --zero-pages 0";
    let left = migrate(&tcp(&server), line);
    assert_eq!(left.code, 99, "{}{}", left.stdout, left.stderr);
    let truth = server.dwcp_data_truth();
    accounted(&left, truth);
    assert_eq!(
        (left.counter("not_converged"), left.counter("migrations_rolled_back"), truth.rolled_back),
        (2, 2, 2)
    );
    assert_eq!((left.counter("rounds"), left.counter("data_loss")), (6, 0));
    let fault = &left.run().faults[0];
    assert_eq!((fault.kind, fault.code), (FaultKind::Wrong, 8));
    // The VM has never stood still.
    assert!(left.run().extras.iter().all(|extra| extra.name != "downtime" || extra.ms.is_none()));
}

#[test]
fn on_the_internet_the_rest_follows_after_the_stop() {
    let server = server("");
    let line = "-u 1 -n 2 --vm-memory 8MiB --dirty-rate 1000%/s --bandwidth-limit 20MB/s --max-downtime 100ms --max-rounds 2 --zero-pages 0 --migration-mode internet --compress none";
    let left = migrate(&tcp(&server), line);
    assert_eq!(left.code, 0, "{}{}", left.stdout, left.stderr);
    accounted(&left, server.dwcp_data_truth());
    assert_eq!((left.counter("not_converged"), left.counter("migrations_completed")), (0, 2));
    // 8 MiB at 20 MB/s take 0.42 s, of which 0.1 s were with the VM stopped.
    assert!(series(&left, "phase_post_copy").min > 100.0, "{:?}", series(&left, "phase_post_copy"));
}

#[test]
fn a_migration_whose_time_is_over_has_failed_with_what_it_had_copied() {
    let server = server("");
    let line = "-u 1 -n 2 --vm-memory 8MiB --bandwidth-limit 10MB/s --zero-pages 0 --timeout 300ms";
    let left = migrate(&tcp(&server), line);
    assert_eq!(left.code, 99, "{}{}", left.stdout, left.stderr);
    assert_eq!(left.run().faults[0].kind, FaultKind::Timeout);
    assert_eq!((left.counter("migrations_started"), left.counter("migrations_failed")), (2, 2));
    // 0.3 s of 10 MB/s, twice; a little more may be in flight.
    let copied = left.counter("bytes_raw");
    assert!((1 << 20..8 << 20).contains(&copied), "{copied}");
    let truth = server.dwcp_data_truth();
    assert_eq!((truth.completed, truth.migrations), (0, 2), "{truth:?}");
}

#[test]
fn a_loss_of_data_is_computed_and_not_believed() {
    let server = server("fail = { every = 3, how = \"corrupt\" }");
    let left = migrate(&tcp(&server), "-u 1 -n 9 --vm-memory 1MiB");
    assert_eq!(left.code, 99, "{}", left.stderr);
    let truth = server.dwcp_data_truth();
    accounted(&left, truth);
    assert_eq!(
        (left.counter("data_loss"), left.counter("migrations_rolled_back"), truth.completed),
        (3, 3, 6)
    );
    assert_eq!(left.run().faults[0].code, 100);
    // The streams are whole, and were used again.
    assert_eq!(truth.connections, 4 + 1);
}

#[test]
fn cancelled_failed_and_rolled_back_are_told_apart() {
    let server = server("fail = [{ every = 4, how = \"cancel\" }, { every = 3, how = \"fail\" }]");
    let left = migrate(&tcp(&server), "-u 1 -n 12 --vm-memory 1MiB --streams 2");
    let truth = server.dwcp_data_truth();
    accounted(&left, truth);
    assert_eq!((left.counter("migrations_cancelled"), truth.cancelled), (3, 3), "{}", left.stdout);
    assert_eq!((left.counter("migrations_rolled_back"), truth.failed), (3, 3));
    assert_eq!((left.counter("migrations_completed"), left.counter("migrations_failed")), (6, 0));
}

#[test]
fn lost_connections_come_back_and_nothing_is_lost_with_them() {
    for line in ["--compress none", "--compress lz4 --delta", "--migration-mode internet --compress none"] {
        let server = server("lose = { every = 2, after_bytes = 700000 }");
        let usual = "-u 2 -n 6 --vm-memory 6MiB --zero-pages 0 --streams 3 --dirty-rate 50%";
        let left = migrate(&tcp(&server), &format!("{usual} {line}"));
        let truth = server.dwcp_data_truth();
        assert_eq!(left.code, 0, "{line}: {}{}", left.stdout, left.stderr);
        accounted(&left, truth);
        assert_eq!((left.counter("migrations_completed"), left.counter("data_loss")), (6, 0), "{line}");
        assert!(truth.connections_lost > 0, "{line}: {truth:?}");
        assert_eq!(
            (left.counter("streams_resumed"), truth.resumed),
            (truth.connections_lost, truth.connections_lost),
            "{line}"
        );
        assert!(left.counter("pages_retransmitted") > 0, "{line}");
    }
}

#[test]
fn a_killed_receiver_fails_the_migration_and_the_next_one_is_clean() {
    let first = server("bandwidth = 4000000");
    let (address, tool) = (first.dwcp_data_addr().unwrap(), tool());
    let line = "--mode data -u 2 -d 5s --vm-memory 4MiB --zero-pages 0 --graceful-stop 10s --threshold error_rate<100%";
    let child = tool.start(args(&tcp(&first), line));
    pass(1_500);
    // 8 MiB take two seconds: both are under way.
    let before = first.dwcp_data_truth();
    assert!(before.active > 0 && before.pages > 0, "{before:?}");
    drop(first);
    let second = server_at(address, "");
    let left = tool.wait(child);
    let truth = second.dwcp_data_truth();
    assert!(
        left.counter("migrations_failed") + left.counter("migrations_rolled_back") >= 2,
        "{}",
        left.stdout
    );
    assert!(left.counter("migrations_completed") >= 2 && left.counter("data_loss") == 0, "{}", left.stdout);
    assert!(truth.completed >= 2 && truth.broken <= 8, "{truth:?}");
    assert_eq!((truth.active, truth.memory), (0, 0), "{truth:?}");
}

#[test]
fn an_emulated_link_is_as_slow_as_it_says() {
    timed(|| {
        let server = server("latency = \"20ms\"\nbandwidth = 20000000");
        let left = migrate(&tcp(&server), "-u 1 -n 1 --vm-memory 4MiB --zero-pages 0 --dirty-rate 0");
        assert_eq!(left.code, 0, "{}", left.stderr);
        let (greeting, copying) =
            (series(&left, "phase_initialization").min, series(&left, "phase_pre_copy").min);
        assert!(greeting >= 40.0 && copying >= 200.0, "{greeting} ms, {copying} ms");
        if greeting < 90.0 && copying < 500.0 { Ok(()) } else { Err(format!("{greeting} ms, {copying} ms")) }
    });
}

#[test]
fn what_the_target_cannot_hold_it_refuses() {
    let server = server("memory = 1048576");
    let left = migrate(&tcp(&server), "-u 1 -n 3 --vm-memory 2MiB");
    assert_eq!(left.code, 99);
    let fault = &left.run().faults[0];
    assert_eq!((fault.kind, fault.code, fault.count), (FaultKind::Rejected, 3, 3));
    assert_eq!((server.dwcp_data_truth().refused, left.counter("migrations_completed")), (3, 0));
}

#[test]
fn many_at_once_lose_nothing() {
    let server = server("");
    let left = migrate(&tcp(&server), "-u 100 -n 200 --vm-memory 512KiB --streams 1");
    assert_eq!(left.code, 0, "{}{}", left.stdout, left.stderr);
    accounted(&left, server.dwcp_data_truth());
    assert_eq!((left.counter("migrations_completed"), left.counter("data_loss")), (200, 0));
}

#[test]
fn a_target_that_cannot_be_used_is_one_line_and_114() {
    let plain = Server::start(Config::default()).unwrap();
    let elsewhere = format!("tcp://{}", plain.http_addr().unwrap());
    for (target, expected) in
        [("tcp://127.0.0.1:1", "connection refused"), (elsewhere.as_str(), "no DWCP data plane at")]
    {
        migrate(target, "-u 1 -n 1 --quiet").is_refused(114, expected);
    }
}

#[test]
fn mistakes_on_the_command_line_are_104() {
    for (line, expected) in [
        ("--url http://x", "expected tcp or tcps"),
        ("--url tcp://x --transport ws", "expected ws or wss"),
        ("--url tcp://x --vm-memory 5000", "expected whole pages of 4096"),
        ("--url tcp://x --zero-pages 60% --duplicate-pages 60%", "at most 100 %"),
        ("--url tcp://x --framing amst --compress lz4", "only v3 compresses"),
        ("--url ws://x --framing amst", "bare TCP"),
        ("--url tcp://x --framing adapter --vm-memory 4GiB", "end at 4 GiB"),
    ] {
        let words = format!("--mode data -u 1 -n 1 {line}");
        tool().run(words.split(' ')).is_refused(104, expected);
    }
    for (line, expected) in [
        ("--vm-memory 1XB", "is not a size like 64MiB"),
        ("--dirty-rate much", "is not a share like 30%"),
        ("--max-polls 3", "unexpected argument '--max-polls'"),
        ("--streams 0", "is not in 1..=1024"),
    ] {
        let left = migrate("tcp://x", &format!("-u 1 -n 1 {line}"));
        assert!(left.code == 104 && left.stderr.contains(expected), "{line}: {}", left.stderr);
    }
}

#[test]
fn several_processes_migrate_as_one_and_the_other_words_know_the_mode() {
    let server = server("");
    let left = migrate(&tcp(&server), "-u 4 -n 8 --vm-memory 1MiB --streams 2 --processes 2");
    assert_eq!(left.code, 0, "{}{}", left.stdout, left.stderr);
    accounted(&left, server.dwcp_data_truth());
    assert_eq!(left.counter("migrations_completed"), 8);
    for (word, said) in [("check", "nothing was sent"), ("once", "migration")] {
        let line = format!("{word} --mode data --url {} --vm-memory 1MiB -u 1 -n 1", tcp(&server));
        let left = tool().run(line.split(' '));
        assert!(left.code == 0 && left.stdout.contains(said), "{word}: {}{}", left.stdout, left.stderr);
    }
    assert_eq!(server.dwcp_data_truth().completed, 9);
}
