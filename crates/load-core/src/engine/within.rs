//! How is a call cut off at its deadline? By polling it beside an alarm that is already set.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use crate::clock::Alarm;

/// How a future that had to end in time ended.
pub(crate) struct Ended<T> {
    /// Its output; none when the alarm rang first.
    pub(crate) output: Option<T>,
    /// It had to wait for something.
    pub(crate) waited: bool,
}

/// Runs `future` until it ends or `alarm` rings. The future stays where it is: what is handed over by value has room in both
/// futures, and there are as many as lanes.
pub(crate) async fn within<T>(alarm: &Alarm, mut future: Pin<&mut impl Future<Output = T>>) -> Ended<T> {
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
