//! On which port may a server listen that must be told one?

use std::hash::{BuildHasher as _, RandomState};
use std::net::TcpListener;

/// Below the ports that the system gives to connections (`ip_local_port_range`): one of those may be taken between our look and
/// the start of the server. scripts/services.sh takes those from 20,000 on.
const PORTS: std::ops::Range<u16> = 10_000..20_000;

/// A port of this machine on which nobody listens.
#[track_caller]
pub fn free_port() -> u16 {
    let mut tries = (0..100).map(|k| {
        // The tests are many processes: each takes its ports by chance.
        let chance = RandomState::new().hash_one(k) % u64::from(PORTS.end - PORTS.start);
        PORTS.start + chance as u16
    });
    tries
        .find(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok())
        .expect("one of a hundred ports is free")
}
