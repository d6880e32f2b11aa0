//! Does the target speak HTTP/2? One connection and one PING before anything is measured.

use std::future::Future;
use std::time::Duration;

use crate::connection::Connection;
use crate::http2::Link;
use crate::http2::link;

/// A command that cannot start says so within 5 s.
const LIMIT: Duration = Duration::from_millis(4_500);

/// Asks the other end of `connection`, which is at `place`, whether it speaks HTTP/2; without a limit of time.
///
/// # Errors
/// It does not: why, in one line.
pub async fn greet(place: &str, connection: Connection) -> Result<Link, String> {
    let failed = |why: &str| format!("{place} does not speak HTTP/2: {why}; is it the right port?");
    let (link, ping) = Link::with_ping(connection).await.map_err(|(_, why)| failed(&why))?;
    if let Some(mut ping) = ping {
        let pong = ping.ping(h2::Ping::opaque()).await;
        pong.map_err(|error| failed(&link::explain(&error).1))?;
    }
    Ok(link)
}

/// The output of `future`, which waits for what the HTTP/2 server at `place` says.
///
/// # Errors
/// Its own, or that it takes longer than a command may that cannot start.
pub async fn in_time<T>(place: &str, future: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let (limit, reached) = tokio::sync::oneshot::channel::<()>();
    // A thread, because deadlines of the run are the engine's and this is not one of them.
    std::thread::spawn(move || {
        std::thread::sleep(LIMIT);
        drop(limit);
    });
    tokio::select! {
        output = future => output,
        _ = reached => Err(format!(
            "{place} does not answer as an HTTP/2 server does: nothing in {LIMIT:?}; is it the right port?"
        )),
    }
}
