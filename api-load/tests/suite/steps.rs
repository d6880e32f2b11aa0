//! May a step do otherwise than the run?

use crate::{HERE, Shop, Speaks, calls, run_file, tool};

#[test]
fn a_step_says_itself_whether_it_follows_keeps_cookies_and_decompresses() {
    let suite = format!("{HERE}/steps.toml");
    for speaks in [Speaks::Http1, Speaks::Http2] {
        for flags in ["", " --max-redirects 3 --cookies --compressed"] {
            let (shop, tool) = (Shop::node(speaks), tool());
            let left = run_file(&tool, &shop, &suite, &format!("-u 2 -n 20 --no-progress{flags}"));
            assert_eq!(left.code, 0, "{speaks:?}{flags} {}{}", left.stdout, left.stderr);
            assert_eq!((shop.seen("GET /old"), shop.seen("GET /new")), (40, 20), "{flags}");
            assert_eq!((calls(&left, "followed"), calls(&left, "as the run")), (20, 20));
            // What a step does not say, the flags do.
            let asked = shop.stats()["encodings"]["gzip, deflate, br, zstd"].as_u64().unwrap();
            let all: u64 =
                shop.stats()["encodings"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
            assert_eq!(all, 8 * 20 + 2);
            assert_eq!(asked, if flags.is_empty() { 20 } else { all - 20 }, "{flags}");
            assert_eq!(left.run().connections.opened, 2, "redirects stay on their connection");
        }
    }
}

#[test]
fn the_defaults_are_those_of_steps_that_say_nothing() {
    let (shop, tool) = (Shop::node(Speaks::Http1), tool());
    let suite = "[defaults]\nredirects = 1\n[[users]]\nname = \"u\"\n[[users.tasks]]\nname = \"t\"\nrequest = \"GET /old\"\nexpect = { status = 200 }\n";
    let left = crate::run(&tool, &shop, suite, "-u 1 -n 5 --no-progress");
    assert_eq!((left.code, shop.seen("GET /new")), (0, 5), "{}", left.stdout);
}

#[test]
fn connections_that_redirects_need_are_counted_and_so_is_the_most_of_a_short_run() {
    let (here, there, tool) = (Shop::node(Speaks::Http1), Shop::node(Speaks::Http1), tool());
    let url = format!("{}/away?to={}/new", here.url, there.url);
    let line = "--max-redirects 1 --redirect-hosts 127.0.0.1 -u 2 -n 20 --no-progress";
    let left = tool.run(tool_tests::args(&url, line));
    assert_eq!((left.code, there.seen("GET /new")), (0, 20), "{}{}", left.stdout, left.stderr);
    let connections = left.run().connections.clone();
    assert_eq!((connections.opened, connections.peak), (4, 2), "{connections:?}");
    assert!(left.run().end.stop_ns < 1_000_000_000, "the first frame is the last one");
}
