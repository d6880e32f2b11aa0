//! What does the server say of itself? One `INFO` a look, over a connection of its own.

use std::sync::Arc;

use load_core::sample::{Look, Reading, Sampler};
use load_report::gauge::GaugeKind::{Growth, Level, Rate, Share};
use load_report::gauge::GaugePlan;
use load_report::gauge::GaugeUnit::{Bytes, BytesPerS, Count, PerS, Ratio};

use super::faults;
use super::protocol::Redis;
use super::wire::Connection;
use crate::gauges::{Line, plan};

/// The fields of `INFO` that a gauge is made of.
#[derive(Clone, Copy)]
enum Source {
    /// The sum of these.
    Sum(&'static [&'static str]),
    /// The first, of the sum of both.
    Share(&'static str, &'static str),
}

/// What can be asked, and where it stands in `INFO`.
const GAUGES: [(Line, Source); 12] = [
    (("redis_used_memory", Bytes, Level, "what Redis has allocated"), Source::Sum(&["used_memory"])),
    (("redis_rss", Bytes, Level, "what the system has given it"), Source::Sum(&["used_memory_rss"])),
    (
        ("redis_connected_clients", Count, Level, "connections, that of the sampler included"),
        Source::Sum(&["connected_clients"]),
    ),
    (
        ("redis_blocked_clients", Count, Level, "those that wait in BLPOP, XREADGROUP and the like"),
        Source::Sum(&["blocked_clients"]),
    ),
    (
        ("redis_commands", PerS, Rate, "commands, those of the sampler included"),
        Source::Sum(&["total_commands_processed"]),
    ),
    (
        ("redis_keyspace_hit", Ratio, Share, "keys that were there, of all that were looked for"),
        Source::Share("keyspace_hits", "keyspace_misses"),
    ),
    (
        ("redis_evicted_keys", Count, Growth, "removed because memory was full"),
        Source::Sum(&["evicted_keys"]),
    ),
    (
        ("redis_expired_keys", Count, Growth, "removed because their time was over"),
        Source::Sum(&["expired_keys"]),
    ),
    (
        ("redis_rejected_connections", Count, Growth, "connections above maxclients"),
        Source::Sum(&["rejected_connections"]),
    ),
    (
        ("redis_network_in", BytesPerS, Rate, "bytes that clients sent"),
        Source::Sum(&["total_net_input_bytes"]),
    ),
    (
        ("redis_network_out", BytesPerS, Rate, "bytes that clients were sent"),
        Source::Sum(&["total_net_output_bytes"]),
    ),
    (
        ("redis_cpu", Ratio, Rate, "CPU of the server, of one core"),
        Source::Sum(&["used_cpu_user", "used_cpu_sys"]),
    ),
];

/// What can be asked.
pub fn gauges() -> Vec<GaugePlan> {
    GAUGES.map(|(gauge, _)| plan(gauge)).into()
}

/// The connection that asks.
pub struct Asker {
    of: Arc<Redis>,
    /// Not there while a look is under way.
    connection: Option<Connection>,
    /// Names of the gauges that the server has not.
    missing: Vec<String>,
}

impl Asker {
    /// Asks the server of `of` about itself.
    pub fn new(of: &Arc<Redis>) -> Self {
        Self { of: Arc::clone(of), connection: None, missing: Vec::new() }
    }
}

impl Sampler for Asker {
    fn look(&mut self) -> Look<'_> {
        Box::pin(async {
            let mut connection = match self.connection.take() {
                Some(connection) => connection,
                None => self.of.server.open().await.map_err(|error| error.to_string())?,
            };
            let read = |reply: super::wire::Reply<'_>| {
                reply.text().map(|text| readings(&String::from_utf8_lossy(text)))
            };
            let readings =
                connection.ask(&[b"INFO"], read).await.map_err(|failure| faults::explain(&failure))?;
            self.connection = Some(connection);
            let unknown =
                gauges().into_iter().zip(&readings).filter(|(_, reading)| **reading == Reading::Unknown);
            self.missing = unknown.map(|(gauge, _)| gauge.name).collect();
            Ok(readings)
        })
    }

    fn remarks(&self) -> Vec<String> {
        if self.missing.is_empty() {
            return Vec::new();
        }
        vec![format!("INFO of this server has nothing for {}", self.missing.join(", "))]
    }
}

/// What the answer to `INFO` has for each gauge.
fn readings(info: &str) -> Vec<Reading> {
    let field = |name: &str| -> Option<f64> {
        let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value?.trim().parse().ok()
    };
    let read = |source: &Source| match *source {
        Source::Sum(fields) => fields.iter().map(|name| field(name)).sum::<Option<f64>>().into(),
        Source::Share(cases, others) => match (field(cases), field(others)) {
            (Some(cases), Some(others)) => Reading::Share { cases, of: cases + others },
            _ => Reading::Unknown,
        },
    };
    GAUGES.iter().map(|(_, source)| read(source)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_is_missing_is_unknown() {
        let info = "# Memory\r\nused_memory:1024\r\nused_memory_rss_human:2.00M\r\nkeyspace_hits:3\r\n\
                    keyspace_misses:1\r\nused_cpu_sys:0.25\r\nused_cpu_user:0.5\r\n";
        let readings = readings(info);
        assert_eq!(readings[0], Reading::Value(1024.0));
        assert_eq!(readings[1], Reading::Unknown);
        assert_eq!(readings[5], Reading::Share { cases: 3.0, of: 4.0 });
        assert_eq!(readings[11], Reading::Value(0.75));
        assert_eq!(readings.iter().filter(|reading| **reading == Reading::Unknown).count(), 9);
    }
}
