//! The stages of calls and connections, as series.

use std::cell::RefCell;
use std::time::Duration;

use load_core::clock::Nanos;
use load_core::protocol::{Control, Probe, Protocol as _, Vu};
use load_core::record::Observer;
use tool_tests::timed;

use crate::client::{api, link, run, server, url};

/// A clock and what was observed.
#[derive(Default)]
struct Record(RefCell<Vec<(usize, u64)>>);

impl Observer for Record {
    fn now(&self) -> Nanos {
        Nanos(i64::try_from(target_server::now_ns()).unwrap())
    }

    fn observe(&self, extra: usize, ns: u64) {
        self.0.borrow_mut().push((extra, ns));
    }

    fn count(&self, _: usize, _: u64) {}
}

/// What one call with a connection of its own observes, by the names of the series.
fn observed(flags: &[&str]) -> Vec<(String, Duration)> {
    let (api, record, mut note) = (api(flags), Record::default(), String::new());
    run(async {
        let target = api.prepare(&mut Control::default()).await.unwrap();
        let (mut probe, mut vu) = (Probe::unobserved(&record, &mut note), Vu::new(0));
        let connection = api.connect(&target, link(0), &mut probe).await.unwrap();
        let mut session = api.open(connection, &vu).await.unwrap();
        let step = api.script().calls().next().unwrap();
        api.call(&mut session, &step.step, &mut vu, &mut probe).await.unwrap();
    });
    let names: Vec<_> = api.extras().into_iter().map(|extra| extra.name).collect();
    let named = |(extra, ns): (usize, u64)| (names[extra].clone(), Duration::from_nanos(ns));
    record.0.into_inner().into_iter().map(named).collect()
}

#[test]
fn without_the_flag_there_are_no_series() {
    let server = server("");
    let flags = ["--url", &url(&server, "/")];
    assert!(api(&flags).extras().is_empty() && observed(&flags).is_empty());
}

#[test]
fn a_call_is_told_in_k6s_stages() {
    let rule = "[[rule]]\npath = \"/\"\nbody = \"0123456789\"\n";
    // 30 ms before the answer; then ten bytes, and those of the head, 1 ms apart.
    for (script, stage) in [
        ("delay = \"30ms\"\n", "waiting"),
        ("fail = { how = \"drip\", byte_every = \"1ms\" }\n", "receiving"),
    ] {
        for flags in [&["--stages"][..], &["--stages", "--cookies"]] {
            timed(|| {
                let server = server(&format!("{rule}{script}"));
                let seen = observed(&[&["--url", &url(&server, "/")], flags].concat());
                let names: Vec<_> = seen.iter().map(|(name, _)| name.as_str()).collect();
                let stages = ["connecting", "sending", "waiting", "receiving"];
                assert_eq!(names, stages.map(|name| format!("http_req_{name}")));
                for (name, time) in &seen {
                    let is_slow = name.ends_with(stage);
                    if is_slow {
                        assert!(*time >= Duration::from_millis(29), "{name}: {time:?}");
                    } else if *time >= Duration::from_millis(20) {
                        return Err(format!("{name} took {time:?}"));
                    }
                }
                Ok(())
            });
        }
    }
}
