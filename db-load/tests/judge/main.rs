//! Does the tool say of a database what the database says of itself? The binary against servers of
//! `scripts/services.sh`; where those cannot be had, the tests say so and pass.
#![expect(clippy::unwrap_used, reason = "used by tests alone, where a panic is a failed test")]

mod answers;
mod cleanup;
mod cluster;
mod faults;
mod gauges;
mod live;
mod loss;
mod makes;
mod nodes;
mod pgbench;
mod pubsub;
mod redis;
mod redis_suites;
mod redis_tls;
mod refused;
mod scripts;
mod stops;
mod streams;
mod suites;
mod support;
mod tls;
mod truth;
