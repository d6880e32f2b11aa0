//! Is a server's clock that is off told, and are ages right when it is taken into account?

use jiff::{SignedDuration, Timestamp};
use load_report::model::RunFile;

use crate::raw::{CLOSE, PING, Peer, Raw, frame};
use crate::support::{args, observed, timed, tool, whole};

/// How old what is pushed is.
const AGE_MS: i64 = 50;

/// A server whose clock is ahead by so much. It says so in the `Date` of its upgrades where `dated`, and in its answers; behind each
/// answer comes a push that is as old as all pushes.
fn ahead(by: SignedDuration, dated: bool) -> Raw {
    Raw::from_the_first(move |peer| {
        let now = || Timestamp::now() + by;
        let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&now()).unwrap();
        let answer = peer.answer(&if dated { format!("Date: {date}\r\n") } else { String::new() });
        peer.say(answer.as_bytes());
        serve(peer, |old_ms| now().as_microsecond() - old_ms * 1_000);
    })
}

fn serve(peer: &mut Peer, stamp_us: impl Fn(i64) -> i64) {
    while let Some(heard) = peer.hear() {
        match heard.opcode() {
            CLOSE => {
                peer.say(&frame(0x80 | CLOSE, &heard.payload));
                return;
            }
            PING => drop(peer.say(&frame(0x8a, &heard.payload))),
            _ => {
                let (now, old) = (stamp_us(0), stamp_us(AGE_MS));
                peer.say(&frame(0x81, format!("{{\"type\":\"clock\",\"timestamp\":{now}}}").as_bytes()));
                peer.say(&frame(0x81, format!("{{\"type\":\"push\",\"timestamp\":{old}}}").as_bytes()));
            }
        }
    }
}

const LINE: &str = "-u 5 --think 20ms -d 1s --message what --expect-text clock";

/// What is said of clocks.
fn remarks(run: &RunFile) -> Vec<&String> {
    run.warnings.iter().filter(|warning| warning.contains("clock")).collect()
}

#[test]
fn a_clock_that_is_off_is_told_by_its_date() {
    for (hours, side) in [(1, "ahead of"), (-1, "behind")] {
        let server = ahead(SignedDuration::from_hours(hours), true);
        let left = tool().run(args(&server.url(), LINE));
        let run = left.run();
        let [remark] = remarks(run)[..] else { panic!("{:?}", run.warnings) };
        assert!(
            remark.starts_with("by the Date of its answer to the upgrade, the server's clock is"),
            "{remark}"
        );
        assert!(remark.contains(side) && remark.contains("ages of pushed messages contain that"), "{remark}");
        let said: f64 = remark.split(" is ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        assert!((said - 3_600_000.0).abs() < 1_500.0, "{remark}");
        assert!(left.stdout.contains(remark.as_str()), "{}", left.stdout);
        // From the future, or an hour old.
        let pushed = whole(run, "messages_pushed");
        assert!(pushed > 50);
        assert_eq!(whole(run, "timestamps_ahead"), if hours > 0 { pushed } else { 0 });
    }
}

#[test]
fn nothing_is_said_where_nothing_is_known_to_be_wrong() {
    for dated in [false, true] {
        let server = ahead(SignedDuration::ZERO, dated);
        let left = tool().run(args(&server.url(), LINE));
        assert_eq!(remarks(left.run()), Vec::<&String>::new(), "one machine has one clock");
    }
}

#[test]
fn ages_are_right_when_the_offset_is_given_or_asked_for() {
    timed(|| {
        for (seconds, more, expected) in [
            (3_600, "--clock-offset 1h", "by --clock-offset, the server's clock is 3600000.0 ms ahead"),
            (-90, "--clock-offset -90s", "by --clock-offset, the server's clock is 90000.0 ms behind"),
            (3_600, "--clock-offset auto", "by its answers, the server's clock is 3600"),
            (-90, "--clock-offset auto --processes 2", "by its answers, the server's clock is 90"),
        ] {
            let server = ahead(SignedDuration::from_secs(seconds), false);
            let left = tool().run(args(&server.url(), &format!("{LINE} {more}")));
            let run = left.run();
            let [remark] = remarks(run)[..] else { panic!("{more}: {:?}", run.warnings) };
            assert!(remark.contains(expected), "{remark}");
            let asked = if more.contains("auto") { 8 } else { 0 };
            assert_eq!(run.ledger.control_calls, 1 + asked, "{more}");
            assert_eq!(observed(run, "message_latency"), whole(run, "messages_pushed"), "{more}");
            let latency =
                run.extras.iter().find(|extra| extra.name == "message_latency").unwrap().ms.unwrap();
            // What is asked for is as sure as the exchange was short.
            let near = AGE_MS as f64 - 5.0..AGE_MS as f64 + 10.0 + run.generator.turn_ms.unwrap().p99;
            if !near.contains(&latency.p50) || latency.min < AGE_MS as f64 - 5.0 {
                return Err(format!("{more}: {latency:?}, {remark}"));
            }
        }
        Ok(())
    });
}

#[test]
fn a_given_offset_that_the_date_does_not_bear_out_is_told() {
    let server = ahead(SignedDuration::from_secs(10), true);
    let left = tool().run(args(&server.url(), &format!("{LINE} --clock-offset 250ms")));
    let [remark] = remarks(left.run())[..] else { panic!("{:?}", left.run().warnings) };
    assert!(remark.contains("250.0 ms ahead of this machine's, ±0.0 ms, but by the Date"), "{remark}");
}

#[test]
fn an_offset_that_cannot_be_known_is_no_offset() {
    // The echo of our own time is not the server's.
    let echo = Raw::from_the_first(|peer| {
        peer.upgrade();
        while let Some(heard) = peer.hear() {
            peer.say(&frame(heard.first, &heard.payload));
        }
    });
    let line = "-u 1 -d 1s --quiet --expect-text echo --clock-offset auto";
    tool().run(args(&echo.url(), line)).is_refused(114, "no answer has a time of its own");
    // What is pushed has the word, too, and is taken for the answer to the next question.
    let server = ahead(SignedDuration::from_hours(1), false);
    let line = "-u 1 -d 1s --quiet --message what --expect-text time --clock-offset auto";
    tool().run(args(&server.url(), line)).is_refused(114, "its answers contradict each other");
    for (line, expected) in [
        ("--clock-offset auto", "give --send echo, --message and --expect-text"),
        ("--clock-offset 1s --send echo,publish", "leave publish out of --send"),
        ("--clock-offset soon", "or auto, or -250ms"),
    ] {
        let line = format!("-d 1s --quiet {line}");
        let left = tool().run(args("ws://127.0.0.1:1/", &line));
        assert!(left.code == 104 && left.stderr.contains(expected), "{} {}", left.code, left.stderr);
    }
}
