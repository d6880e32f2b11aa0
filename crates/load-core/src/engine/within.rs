//! How is a call cut off at its deadline? By polling it beside an alarm that is already set.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use crate::clock::Alarm;

/// How a future that had to end in time ended.
pub(crate) struct Ended<T> {
    /// Its output; none when the alarm rang first.
    pub(crate) output: Option<T>,
    /// It had to wait for something.
    pub(crate) waited: bool,
}

/// Runs `future` until it ends or `alarm` rings.
pub(crate) async fn within<T>(alarm: &Alarm, future: impl Future<Output = T>) -> Ended<T> {
    let mut future = pin!(future);
    let mut waited = false;
    let output = poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => {
            waited = true;
            alarm.poll_rang(context).map(|()| None)
        }
    })
    .await;
    Ended { output, waited }
}
