//! What does a GET cost with the codec of db-load, and what with the redis crate? 64 connections, one at a time and in
//! pipelines of 16, on one thread; CPU of the whole process, in turn.
//!
//!     taskset -c 0 cargo bench -p db-load --bench redis_codec
//!
//! It starts a `redis-server` on the last core, and fails where there is none.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that somebody reads at a terminal"
)]

use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use db_load::redis::wire::login::Login;
use db_load::redis::wire::{Reply, Shared, reply};
use futures_util::future::join_all;
use rand::{RngExt as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;
use rustix::time::{ClockId, clock_gettime};

const CONNECTIONS: u64 = 64;
const KEYS: u64 = 10_000;
const BYTES: usize = 100;
const ROUNDS: usize = 5;

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

fn key(rng: &mut Xoshiro256PlusPlus) -> String {
    format!("key:{:08}", rng.random_range(0..KEYS))
}

async fn own(port: u16, pipeline: u32, calls: u64) {
    let login = Login {
        host: "127.0.0.1".into(),
        port,
        tls: None,
        user: None,
        password: None,
        database: 0,
        resp3: false,
    };
    let lane = async |lane| {
        let shared = Shared::new(login.open().await.unwrap(), false);
        let (slot, mut rng) = (Rc::default(), Xoshiro256PlusPlus::seed_from_u64(lane));
        for _ in 0..calls {
            shared.submit(&slot, pipeline, |out| {
                for _ in 0..pipeline {
                    db_load::redis::wire::command(&[b"GET", key(&mut rng).as_bytes()], out);
                }
            });
            shared.replies(&slot, |_| {}).await.unwrap();
            let bytes = slot.bytes.borrow();
            let mut rest = &bytes[..];
            while let Some((reply, length)) = reply::read(rest).unwrap() {
                assert!(matches!(reply, Reply::Text(text) if text.len() == BYTES));
                rest = &rest[length..];
            }
        }
    };
    join_all((0..CONNECTIONS).map(lane)).await;
}

async fn redis_crate(port: u16, pipeline: u32, calls: u64) {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).unwrap();
    let lane = async |lane| {
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(lane);
        for _ in 0..calls {
            if pipeline == 1 {
                let value: Vec<u8> =
                    redis::cmd("GET").arg(key(&mut rng)).query_async(&mut connection).await.unwrap();
                assert_eq!(value.len(), BYTES);
                continue;
            }
            let mut pipe = redis::pipe();
            for _ in 0..pipeline {
                pipe.cmd("GET").arg(key(&mut rng));
            }
            let values: Vec<Vec<u8>> = pipe.query_async(&mut connection).await.unwrap();
            assert!(values.len() == pipeline as usize && values.iter().all(|value| value.len() == BYTES));
        }
    };
    join_all((0..CONNECTIONS).map(lane)).await;
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    // The last core, whatever we are bound to ourselves.
    let core = std::fs::read_to_string("/sys/devices/system/cpu/online").unwrap();
    let core = core.trim().rsplit(['-', ',']).next().map_or(cores - 1, |last| last.parse().unwrap());
    let mut command = Command::new("taskset");
    command.args(["-c", &core.to_string(), "timeout", "300", "redis-server"]);
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
    let _server = Server(command.stdout(Stdio::null()).spawn().unwrap());
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).unwrap();
    let mut connection = std::iter::repeat_with(|| {
        std::thread::sleep(Duration::from_millis(20));
        client.get_connection()
    })
    .take(250)
    .find_map(Result::ok)
    .unwrap();
    for row in 0..KEYS {
        redis::cmd("SET").arg(format!("key:{row:08}")).arg(vec![b'.'; BYTES]).exec(&mut connection).unwrap();
    }
    for (pipeline, calls) in [(1, 2_000), (16, 1_000)] {
        let commands = (CONNECTIONS * calls * u64::from(pipeline)) as f64;
        let mut all = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            for (index, costs) in all.iter_mut().enumerate() {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build_local(tokio::runtime::LocalOptions::default())
                    .unwrap();
                let before = cpu();
                runtime.block_on(async {
                    if index == 0 {
                        own(port, pipeline, calls).await;
                    } else {
                        redis_crate(port, pipeline, calls).await;
                    }
                });
                costs.push(cpu().saturating_sub(before).as_secs_f64() * 1e6 / commands);
            }
        }
        for (name, costs) in ["own codec", "redis crate"].iter().zip(&mut all) {
            costs.sort_by(f64::total_cmp);
            let (least, median, most) = (costs[0], costs[ROUNDS / 2], costs[ROUNDS - 1]);
            println!(
                "GET, {CONNECTIONS} connections, pipeline {pipeline:2}, {name:11}: {median:.2} µs of CPU a command ({least:.2} to {most:.2})"
            );
        }
    }
}
