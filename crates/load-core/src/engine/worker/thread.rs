//! On what does a worker run? A thread of its own, with a runtime and a clock that nobody shares.

use std::future::poll_fn;
use std::task::Poll;

use tokio::sync::{mpsc, watch};
use tokio::task::spawn_local;

use super::{Job, run};
use crate::clock::{self, Clock};
use crate::engine::words::{Command, Message};
use crate::protocol::Protocol;

/// Task polls between two looks at the sockets.
const EVENT_INTERVAL: u32 = 31;

/// Starts a worker on a thread of its own. It says [`Message::Done`] or [`Message::Lost`] last, whatever happens.
///
/// # Errors
/// When the machine gives no thread.
pub fn spawn<P: Protocol>(
    job: Job<P>,
    commands: watch::Receiver<Command>,
    messages: mpsc::UnboundedSender<Message>,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    let worker = job.worker;
    std::thread::Builder::new().name(format!("worker-{worker}")).spawn(move || {
        let last = messages.clone();
        let run = std::panic::AssertUnwindSafe(|| thread_main(job, commands, messages));
        let why = match std::panic::catch_unwind(run) {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(panic) => format!("panicked: {}", panic_text(panic.as_ref())),
        };
        // Nobody listens any more only when the run is over.
        let _ = last.send(Message::Lost { worker, why });
    })
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

fn thread_main<P: Protocol>(
    job: Job<P>,
    commands: watch::Receiver<Command>,
    messages: mpsc::UnboundedSender<Message>,
) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .event_interval(EVENT_INTERVAL)
        .on_thread_park(clock::end_turn)
        .on_thread_unpark(clock::begin_turn)
        .build_local(tokio::runtime::LocalOptions::default())?;
    runtime.block_on(async move {
        let clock = Clock::real()?;
        let driver = clock.clone();
        let driving = spawn_local(async move { driver.drive().await });
        let mut main = std::pin::pin!(run(job, clock, commands, messages));
        let mut driving = std::pin::pin!(driving);
        poll_fn(|context| {
            if let Poll::Ready(result) = main.as_mut().poll(context) {
                return Poll::Ready(result);
            }
            driving.as_mut().poll(context).map(|ended| match ended {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => Err(error),
                Err(join) => Err(std::io::Error::other(join)),
            })
        })
        .await
    })
}
