//! The load generator for PostgreSQL and Redis.
//!
//! | question | module |
//! |---|---|
//! | Which calls read, which write, and which row? | [`mix`] |
//! | Which key? | [`keys`] |
//! | What share of the iterations does something get? | [`share`] |
//! | What is right in a row? | [`token`] |
//! | How is a gauge declared? | [`gauges`] |
//! | What are the tables and keys of a run called? | [`names`] |
//! | Which server is meant? | [`target`] |
//! | Who gets which connection? | [`pool`] |
//! | What does the engine get? | [`postgres`], [`redis`] |
//! | What did a killed run leave? | [`cleanup`] |

pub mod cleanup;
pub mod gauges;
pub mod keys;
pub mod mix;
pub mod names;
pub mod pool;
pub mod postgres;
pub mod redis;
pub mod share;
pub mod target;
pub mod token;

use load_core::About;

pub use postgres::Postgres;
pub use redis::Redis;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What `db-load --help` says.
pub const ABOUT: About = About {
    name: "db-load",
    version: VERSION,
    about: "Loads a database with reads and writes and tells the truth about their response times",
    examples: "  db-load postgres --help\n  \
               db-load redis --url redis://127.0.0.1:6379 -c 16 -d 30s",
};

/// What `db-load postgres --help` says.
pub const POSTGRES: About = About {
    name: "db-load postgres",
    version: VERSION,
    about: "Loads PostgreSQL: single rows, pgbench's workloads, or scripts of SQL",
    examples: "  db-load postgres --url postgres://me@db/test -c 16 -d 30s              16 users as fast as they can\n  \
               db-load postgres --url postgres://me@db/test -c 8 -r 2000 -d 1m        2,000 arrivals/s over 8 connections\n  \
               db-load postgres --url postgres://me@db/test -u 64 -c 8 --read-ratio 1 reads only; see pool_wait\n  \
               db-load postgres --url postgres://me@db/test --workload tpcb -s 10 -u 16 --no-pool -d 1m   as pgbench -c 16\n  \
               db-load postgres --url postgres://me@db/test -f a.sql@9 -f b.sql -r 200 -u 16 -d 1m        your own scripts",
};

/// What `db-load redis --help` says.
pub const REDIS: About = About {
    name: "db-load redis",
    version: VERSION,
    about: "Loads Redis and what speaks like it: single keys, hashes, lists, sorted sets, or commands of your own",
    examples: "  db-load redis --url redis://127.0.0.1:6379 -c 16 -d 30s                16 users as fast as they can\n  \
               db-load redis --url redis://127.0.0.1:6379 -c 8 -r 20000 -d 1m         20,000 arrivals/s over 8 connections\n  \
               db-load redis --url redis://127.0.0.1:6379 -u 64 -c 1 --multiplex 64   64 calls at a time on one connection\n  \
               db-load redis --url redis://127.0.0.1:6379 --workload set --pipeline 16 -u 64 -d 30s   as redis-benchmark -t set -P 16\n  \
               db-load redis --url redis://127.0.0.1:6379 --command 'INCR {{key}}@9' --command 'GET {{key}}' -d 1m   your own",
};

/// What `db-load cleanup --help` says.
pub const CLEANUP: About = About {
    name: "db-load cleanup",
    version: VERSION,
    about: "Lists and removes the tables or keys that a killed run left",
    examples: "  db-load cleanup --url postgres://me@db/test                            what is there\n  \
               db-load cleanup --url postgres://me@db/test 20261121t025500_1a2b3c4d   removes that of this run",
};
