//! Does a suite do the same over HTTP/2?

use crate::{HERE, Shop, Speaks, calls, run_file, tool};

#[test]
fn a_suite_means_the_same_in_every_version() {
    let suite = format!("{HERE}/shop_cookies.toml");
    for (speaks, more) in [
        (Speaks::Http1, ""),
        (Speaks::Http2, " -c 2"),
        (Speaks::Http2, " --processes 2 -c 4 --max-redirects 2 --compressed"),
        (Speaks::Tls, " -c 3"),
        (Speaks::Tls, ""),
    ] {
        let (shop, tool) = (Shop::node(speaks), tool());
        let left = run_file(&tool, &shop, &suite, &format!("-u 10 -d 2s --no-progress{more}"));
        assert_eq!(left.code, 0, "{speaks:?}{more} {}{}", left.stdout, left.stderr);
        let (stats, mut all) = (shop.stats(), 1);
        for (op, seen) in [
            ("login", "POST /login"),
            ("GET /products?page={{int(1, 20)}}", "GET /products"),
            ("POST /orders", "POST /orders"),
            ("order status", "GET /orders"),
            ("GET /basket", "GET /basket"),
            ("logout", "POST /logout"),
        ] {
            assert_eq!(calls(&left, op), shop.seen(seen), "{speaks:?}{more} {op}");
            assert!(calls(&left, op) > 5, "{op} was called");
            all += shop.seen(seen);
        }
        // The cleanup step is a control call, and so over the same version.
        assert_eq!((left.run().ledger.control_calls, shop.seen("DELETE /all")), (1, 1));
        let version = if speaks == Speaks::Http1 { "1.1" } else { "2.0" };
        assert_eq!(stats["versions"], serde_json::json!({ version: all }), "{speaks:?}{more}");
        let calls_made = &left.run().ledger.calls;
        assert_eq!((calls_made.ok, calls_made.scheduled), (all - 1, all - 1));
        // Captures, cookies and polls: every order had a key of its own, three looks bring it to its end.
        let bought = shop.seen("POST /orders");
        assert_eq!(stats["keys"], bought);
        assert_eq!((shop.seen("unauthorised"), calls(&left, "order status")), (0, 3 * bought));
        let done = left.run().extras.iter().find(|extra| extra.name == "order_done").unwrap();
        assert_eq!(done.count, bought);
        let checks = left.run().rates.iter().find(|rate| rate.name == "checks").unwrap();
        let expected = ["POST /login", "GET /products", "POST /orders", "GET /basket"];
        let expected = expected.map(|what| shop.seen(what)).iter().sum::<u64>();
        assert_eq!((checks.cases, checks.all), (expected, expected));
    }
}

#[test]
fn what_goes_wrong_over_http2_is_told_apart() {
    for speaks in [Speaks::Http2, Speaks::Tls] {
        let (shop, tool) = (Shop::node(speaks), tool());
        let suite = "[[users]]\nname = \"u\"\norder = \"sequence\"\n[[users.tasks]]\nname = \"a\"\nrequest = \"GET /basket\"\nexpect = { status = [200, 401] }\n\
            [[users.tasks]]\nname = \"b\"\nrequest = \"GET /products\"\n";
        let left = crate::run(&tool, &shop, suite, "-u 2 -n 20 --no-progress");
        assert_eq!((left.code, left.counter("expected_4xx")), (99, 20), "{}{}", left.stdout, left.stderr);
        assert_eq!((shop.seen("GET /basket"), shop.seen("unauthorised")), (20, 20));
        assert!(left.run().faults[0].sample.contains("status 401 Unauthorized, expected 200-399"));
    }
}

#[test]
fn redirects_over_http2_stay_with_the_target() {
    let (shop, tool) = (Shop::node(Speaks::Http2), tool());
    let left = crate::run(
        &tool,
        &shop,
        "[[users]]\nname = \"u\"\n[[users.tasks]]\nname = \"a\"\nrequest = \"GET /old\"\nexpect = { status = 200 }\n",
        "-u 2 -n 20 --max-redirects 1 --no-progress",
    );
    assert_eq!((left.code, left.run().connections.opened), (0, 2), "{}", left.stdout);
    assert_eq!((shop.seen("GET /old"), shop.seen("GET /new")), (20, 20));
    let refused =
        tool.run(["--url", &shop.url, "--http2", "--max-redirects", "1", "--redirect-hosts", "other"]);
    assert!(refused.code == 104 && refused.stderr.contains("--redirect-hosts"), "{}", refused.stderr);
}
