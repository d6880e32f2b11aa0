//! What does a run count and time besides calls? The protocol's own series and counters, by index.

use load_report::model::ExtraPlan;

use crate::pool;

/// Time from the loss of a connection to the next one that could be opened.
pub const OUTAGE: usize = 1;
/// Time of one command of a pipeline; only where there are pipelines.
pub const COMMAND: usize = 2;

/// Time from the sending of a message of a stream to a consumer; only where there are streams.
pub const LAG: usize = 2;

/// Commands that were answered.
pub const COMMANDS: usize = 0;
/// Commands that the server refused, or answered wrongly.
pub const COMMANDS_FAILED: usize = 1;
/// Commands that found nothing.
pub const MISSES: usize = 2;
/// Messages that the server has taken. This and what follows: only where there are streams.
pub const ADDED: usize = 3;
/// Messages that consumers were given for the first time.
pub const DELIVERED: usize = 4;
/// Messages that consumers took over from others.
pub const REDELIVERED: usize = 5;
/// Messages that had come before.
pub const DUPLICATES: usize = 6;
/// Messages that came behind later ones of the same producer to the same consumer.
pub const OUT_OF_ORDER: usize = 7;
/// Messages that were acknowledged.
pub const ACKNOWLEDGED: usize = 8;
/// Messages that never came.
pub const MISSING: usize = 9;
/// Messages that were given and not acknowledged when the run ended.
pub const LEFT_PENDING: usize = 10;

/// Series and counters of publishing; only where there is nothing but that.
pub mod pubsub {
    /// Time from PUBLISH to one receiver.
    pub const DELIVERY: usize = 2;
    /// Time from PUBLISH to the last receiver.
    pub const FAN_OUT: usize = 3;

    /// Messages that the server has taken.
    pub const MESSAGES: usize = 3;
    /// Receivers, as PUBLISH reports them.
    pub const RECEIVERS: usize = 4;
    /// Subscribers who were not among them.
    pub const MISSED: usize = 5;
    /// Messages that came to a subscriber.
    pub const DELIVERIES: usize = 6;
    /// Of those, messages that had come to it before.
    pub const DUPLICATES: usize = 7;
    /// Of those, messages behind later ones of the same publisher.
    pub const OUT_OF_ORDER: usize = 8;
    /// Of those, messages to whose PUBLISH there was no reply.
    pub const UNCONFIRMED: usize = 9;
    /// Receivers to whom nothing came.
    pub const LOST: usize = 10;
}

/// Counters of suites.
pub mod suite {
    /// Checks that held.
    pub const CHECKS_PASSED: usize = 3;
    /// All checks.
    pub const CHECKS_MADE: usize = 4;
    /// Both, in this order.
    pub const CHECKS: [(&str, &str); 2] =
        [("checks_passed", "steps whose reply was what the suite expects"), ("checks_made", "of so many")];
}

/// Counters of suites with numbered messages: behind those of all suites.
pub mod numbered {
    /// Messages that the server had taken and that were looked for at the end.
    pub const CHECKED: usize = 5;
    /// Of these, messages that were not there.
    pub const LOST: usize = 6;
    /// Both, in this order.
    pub const COUNTERS: [(&str, &str); 2] = [
        ("messages_checked", "that the server had taken and that were looked for at the end"),
        ("messages_lost", "of those, not there any more"),
    ];
    /// The share of the second in the first.
    pub const LOSS: &str = "message_loss";
}

/// Counters of clusters: behind all others, in this order.
pub mod cluster {
    /// Commands that were sent on for ever.
    pub const MOVED: usize = 0;
    /// Commands that were sent on for this once.
    pub const ASKED: usize = 1;
    /// How often a node was asked who has which slot, after time zero.
    pub const REFRESHES: usize = 2;
    /// All of them.
    pub const COUNTERS: [(&str, &str); 3] = [
        ("cluster_moved", "commands whose slot was elsewhere"),
        ("cluster_asked", "commands whose slot was on its way"),
        ("cluster_refreshes", "new maps of the slots"),
    ];
}

fn plan((name, help): (&str, &str)) -> ExtraPlan {
    ExtraPlan { name: name.to_owned(), help: help.to_owned() }
}

/// The series, in the order of their indices.
pub fn extras(has_pipelines: bool, has_streams: bool, publishes: bool) -> Vec<ExtraPlan> {
    let mut all = pool::extras();
    all.push(plan(("outage", "From the loss of a connection to the next one that could be opened.")));
    if has_streams {
        all.push(plan(("stream_lag", "From the sending of a message to its arrival at a consumer.")));
    }
    if publishes {
        all.push(plan(("delivery", "From PUBLISH to the arrival at each receiver.")));
        all.push(plan(("fan_out", "From PUBLISH to the arrival at the last receiver.")));
    }
    if has_pipelines {
        all.push(plan(("command", "From the sending of a pipeline to the reply to each of its commands.")));
    }
    all
}

/// The counters, in the order of their indices.
pub fn counters(has_streams: bool, publishes: bool) -> Vec<ExtraPlan> {
    let mut all: Vec<_> = [
        ("commands", "answered by the server"),
        ("commands_failed", "refused, or answered wrongly"),
        ("misses", "commands that found nothing"),
    ]
    .map(plan)
    .into();
    if has_streams {
        all.extend(
            [
                ("stream_added", "messages that the server has taken"),
                ("stream_delivered", "messages that consumers were given for the first time"),
                ("stream_redelivered", "messages that consumers took over from others"),
                ("stream_duplicates", "messages that had come before"),
                ("stream_out_of_order", "messages behind later ones of their producer"),
                ("stream_acknowledged", "messages that were acknowledged"),
                ("stream_missing", "messages that never came"),
                ("stream_pending", "given and not acknowledged when the run ended"),
            ]
            .map(plan),
        );
    }
    if publishes {
        all.extend(
            [
                ("pubsub_messages", "messages that the server has taken"),
                ("pubsub_receivers", "their receivers, as PUBLISH reports them"),
                ("pubsub_missed", "subscribers who were not among them"),
                ("pubsub_deliveries", "messages that came to a subscriber"),
                ("pubsub_duplicates", "of those, come before"),
                ("pubsub_out_of_order", "of those, behind later ones of their publisher"),
                ("pubsub_unconfirmed", "of those, without a reply to their PUBLISH"),
                ("pubsub_lost", "receivers to whom nothing came"),
            ]
            .map(plan),
        );
    }
    all
}
