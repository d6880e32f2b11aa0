//! What does the server say of itself? One `INFO` a look, over a connection of its own.

use std::sync::Arc;

use load_core::sample::{Look, Reading, Sampler};
use load_report::gauge::GaugeKind::{Growth, Level, Rate, Share};
use load_report::gauge::GaugePlan;
use load_report::gauge::GaugeUnit::{Bytes, BytesPerS, Count, PerS, Ratio};

use super::faults;
use super::protocol::Redis;
use super::wire::Connection;
use crate::gauges::plan;

/// What can be asked, in the order of `SOURCES`.
pub fn gauges() -> Vec<GaugePlan> {
    [
        ("redis_used_memory", Bytes, Level, "used_memory: what Redis has allocated"),
        ("redis_rss", Bytes, Level, "used_memory_rss: what the system has given it"),
        ("redis_connected_clients", Count, Level, "connected_clients, that of the sampler included"),
        (
            "redis_blocked_clients",
            Count,
            Level,
            "blocked_clients: those that wait in BLPOP, XREADGROUP and the like",
        ),
        ("redis_commands", PerS, Rate, "total_commands_processed, those of the sampler included"),
        ("redis_keyspace_hit", Ratio, Share, "keyspace_hits of all keys that were looked for"),
        ("redis_evicted_keys", Count, Growth, "evicted_keys: removed because memory was full"),
        ("redis_expired_keys", Count, Growth, "expired_keys"),
        ("redis_rejected_connections", Count, Growth, "rejected_connections: more than maxclients"),
        ("redis_network_in", BytesPerS, Rate, "total_net_input_bytes"),
        ("redis_network_out", BytesPerS, Rate, "total_net_output_bytes"),
        ("redis_cpu", Ratio, Rate, "used_cpu_user and used_cpu_sys, of one core"),
    ]
    .map(plan)
    .into()
}

/// The fields of `INFO` that a gauge is made of.
#[derive(Clone, Copy)]
enum Source {
    /// The sum of these.
    Sum(&'static [&'static str]),
    /// The first, of the sum of both.
    Share(&'static str, &'static str),
}

const SOURCES: [Source; 12] = [
    Source::Sum(&["used_memory"]),
    Source::Sum(&["used_memory_rss"]),
    Source::Sum(&["connected_clients"]),
    Source::Sum(&["blocked_clients"]),
    Source::Sum(&["total_commands_processed"]),
    Source::Share("keyspace_hits", "keyspace_misses"),
    Source::Sum(&["evicted_keys"]),
    Source::Sum(&["expired_keys"]),
    Source::Sum(&["rejected_connections"]),
    Source::Sum(&["total_net_input_bytes"]),
    Source::Sum(&["total_net_output_bytes"]),
    Source::Sum(&["used_cpu_user", "used_cpu_sys"]),
];

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
    SOURCES.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_gauge_has_a_source_and_a_field_that_is_missing_is_unknown() {
        assert_eq!(gauges().len(), SOURCES.len());
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
