//! What is told on an event stream? Every change of state of the jobs that it was subscribed to, when it comes.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::{SystemTime, UNIX_EPOCH},
};

use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::json;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc::UnboundedReceiver,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Error, Message},
};

use super::{
    DwcpContext,
    jobs::{Change, Job},
};
use crate::clock::now_ns;

/// What a client may say.
#[derive(Deserialize)]
struct Order {
    action: String,
    channel: String,
    job_id: Option<String>,
}

/// Which jobs a stream tells of.
#[derive(Default)]
struct Subscribed {
    all: bool,
    jobs: BTreeSet<String>,
}

impl Subscribed {
    fn to(&self, job: &Job) -> bool {
        self.all || self.jobs.contains(&job.id)
    }
}

/// Serves one stream to its end. `named` is the job of its address.
pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    dwcp: Rc<DwcpContext>,
    mut socket: WebSocketStream<S>,
    named: Option<String>,
    mut made: UnboundedReceiver<Job>,
) -> Result<(), Error> {
    let mut subscribed = Subscribed::default();
    // What is to be told, by its time; the number keeps the order of what comes at one instant.
    let mut waiting: BTreeMap<(u64, u64), (Job, Change)> = BTreeMap::new();
    let mut number = 0;
    let mut wait = |waiting: &mut BTreeMap<_, _>, job: &Job| {
        for change in job.changes() {
            number += 1;
            waiting.insert((change.at_ns, number), (job.clone(), change));
        }
    };
    loop {
        let now = now_ns();
        while let Some(entry) = waiting.first_entry().filter(|entry| entry.key().0 <= now) {
            let (job, change) = entry.remove();
            for _ in 0..change.times {
                socket.send(Message::text(event(&job, change))).await?;
                dwcp.context.record.dwcp.state().report.events += 1;
            }
        }
        let next = waiting.keys().next().map_or(u64::MAX, |(at, _)| *at);
        tokio::select! {
            // A new job before the subscription that names it, as they came: the other way round it is told twice.
            biased;
            () = dwcp.context.timer.until(next), if next < u64::MAX => {}
            Some(job) = made.recv() => {
                if subscribed.to(&job) {
                    wait(&mut waiting, &job);
                }
            }
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    let Ok(order) = serde_json::from_str::<Order>(&text) else { continue };
                    if (order.action.as_str(), order.channel.as_str()) != ("subscribe", "migrations") {
                        continue;
                    }
                    match order.job_id.or_else(|| named.clone()) {
                        // The original's name for "any".
                        None => subscribed.all = true,
                        Some(id) if id == "test" => subscribed.all = true,
                        Some(id) => {
                            // What has happened before is told at once.
                            let job = dwcp.context.record.dwcp.state().jobs.find(&id).cloned();
                            if let Some(job) = job.filter(|job| !subscribed.to(job)) {
                                wait(&mut waiting, &job);
                            }
                            subscribed.jobs.insert(id);
                        }
                    }
                }
                Some(Ok(Message::Close(_))) | None => return Ok(()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
            },
        }
    }
}

/// What is told of a change; the timestamp is taken as late as possible.
fn event(job: &Job, change: Change) -> String {
    let us = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
    let mut event = json!({
        "type": "migration_status",
        "timestamp": us as f64 / 1e3,
        "job_id": job.id,
        "vm_id": job.vm_id,
        "status": change.status,
        "seq": change.seq,
    });
    if change.status.is_final() {
        event["data_loss"] = job.has_data_loss().into();
    }
    event.to_string()
}
