//! Cookies: each user's own, kept from call to call and from connection to connection.

use crate::client::{Client, run};
use crate::site::{Site, answer};

/// Sets `n` to the number of the request, and a deep one at `/deep`; a redirect at `/go` sets one, too.
fn site() -> Site {
    let count = std::sync::atomic::AtomicU32::new(0);
    Site::start(move |request| {
        let n = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let lines = format!("Set-Cookie: n={n}; HttpOnly\r\nSet-Cookie: deep=1; Path=/deep\r\n");
        if request.starts_with("GET /go ") {
            return answer("302 Found", "Set-Cookie: went=1\r\nLocation: /deep/x\r\n", b"");
        }
        answer("200 OK", &lines, b"ok")
    })
}

fn sent(site: &Site) -> Vec<String> {
    let cookie =
        |request: &str| request.lines().find_map(|line| Some(line.strip_prefix("Cookie: ")?.to_owned()));
    site.requests().iter().map(|(_, request)| cookie(request).unwrap_or_default()).collect()
}

#[test]
fn without_the_flag_none_are_kept() {
    let site = site();
    run(async {
        let mut client = Client::new(&["--url", &site.url("/")]).await;
        client.call().await.unwrap();
        client.call().await.unwrap();
    });
    assert_eq!(sent(&site), ["", ""]);
}

#[test]
fn a_user_keeps_its_cookies_over_connections() {
    let site = site();
    run(async {
        let mut client = Client::new(&["--url", &site.url("/"), "--cookies"]).await;
        client.call().await.unwrap();
        client.call().await.unwrap();
        client.reconnect().await;
        client.call().await.unwrap();
        // Another user knows nothing of them.
        Client::new(&["--url", &site.url("/"), "--cookies"]).await.call().await.unwrap();
    });
    assert_eq!(sent(&site), ["", "n=0", "n=1", ""]);
}

#[test]
fn cookies_follow_redirects_and_join_the_users_own() {
    let site = site();
    run(async {
        let flags = ["--url", &site.url("/go"), "--cookies", "--max-redirects", "3", "-H", "Cookie: own=x"];
        let mut client = Client::new(&flags).await;
        client.call().await.unwrap();
        client.call().await.unwrap();
    });
    // The path of a cookie without one is that of its request, up to the last slash.
    assert_eq!(sent(&site), ["own=x", "own=x; went=1", "own=x; went=1", "own=x; deep=1; n=1; went=1"]);
}
