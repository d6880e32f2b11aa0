//! What is said of messages that many receive, against the server's own record of its writes.

use xxhash_rust::xxh3::xxh3_64;

use crate::support::{args, server, timed, tool, url};

#[test]
fn all_receivers_of_a_broadcast_are_accounted_for_and_the_last_one_is_as_late_as_the_servers_last_write() {
    timed(|| {
        let (server, tool) = (server(""), tool());
        // The broadcasts end a while before the connections do.
        let words = "-r 5 -c 400 --send publish --fanout --stage 4s:5,0s:0,1s:0";
        let left = tool.run(args(&url(&server, "/"), words));
        let (run, truth) = (left.run(), server.ws_truth());
        assert_eq!((left.code, truth.received.broadcast), (0, 20), "{}", left.stdout);
        let fanout = run.fanout.as_ref().unwrap();
        assert_eq!((fanout.messages, fanout.receivers), (20, (399, 399)));
        assert_eq!(fanout.received, truth.sent.broadcast);
        let mut beyond = Vec::new();
        for (text, told) in &truth.broadcasts {
            let heard =
                run.data.fanout.messages().iter().find(|message| message.key == xxh3_64(text.as_bytes()));
            let age = &heard.unwrap().age;
            assert_eq!(age.count(), told.receivers);
            let stamp: serde_json::Value = serde_json::from_str(text).unwrap();
            let sent_ns = (stamp["timestamp"].as_f64().unwrap() * 1e6) as i64;
            // A double has microseconds of our days, and a little less.
            let written_ns = told.last_ns - sent_ns;
            let late_ns = age.max_ns() as i64 - written_ns;
            assert!(late_ns >= -1_000, "{text} was read {late_ns} ns after it was written");
            beyond.push((late_ns, (written_ns / 20).max(5_000_000)));
        }
        beyond.sort_unstable();
        let (late_ns, most_ns) = beyond[beyond.len() / 2];
        if late_ns > most_ns {
            Err(format!("the last receiver is {late_ns} ns behind the last write"))
        } else {
            Ok(())
        }
    });
}
