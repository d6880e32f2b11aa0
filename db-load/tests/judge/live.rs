//! Can what the server says of itself be read while the run goes on?

use tool_tests::live::Watched;

use crate::support::{Service, signal};

#[test]
fn what_redis_says_of_itself_is_on_the_page() {
    let Some(service) = Service::start("redis") else { return };
    let tool = service.tool();
    let watched = Watched::new(tool.start("-r 200 -d 60s -u 8 -c 4 --graceful-stop 1s --live 0"));
    let page = watched.until(|page| {
        page.of("quintet_target", "gauge", "redis_commands").is_some() && page.calls("ok") > 0.0
    });
    let gauge = |name| page.of("quintet_target", "gauge", name).unwrap();
    // The connections of the load, and the one that asks; the test itself may have one, too.
    assert!(gauge("redis_connected_clients") >= 5.0, "{}", page.text);
    assert!(gauge("redis_used_memory") > 100_000.0);
    assert_eq!(page.of("quintet_target_looks_total", "outcome", "failed"), Some(0.0));
    assert!(page.text.contains("gauge=\"redis_used_memory\",unit=\"bytes\""), "{}", page.text);
    assert!(!page.text.contains(&service.password()), "{}", page.text);
    signal(watched.pid(), "TERM");
    assert_eq!(tool.wait(watched.child()).code, 105);
}
