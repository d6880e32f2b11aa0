//! What does NovaCron's server ask of its database? Its tables, and the queries behind the requests of its load test, in
//! their proportions: 9 that read to 5 that write, three of which are one transaction.

use load_core::protocol::Control;
use tokio_postgres::Error;

use super::draw;
use crate::keys::Spread;
use crate::postgres::session::Wire;

/// The tables, without what their names begin with.
pub const TABLES: [&str; 5] = ["networks", "users", "vm_interfaces", "vm_metrics", "vms"];
/// Machines that are there for each unit of the scale.
const VMS: u64 = 1_000;
/// Measurements of each machine that are there.
const METRICS: u64 = 10;

const COLUMNS: &str = "id, name, state, node_id, tenant_id, created_at, updated_at";

/// Names, texts and weights of the scripts on tables whose names begin with `prefix`.
pub fn scripts(prefix: &str, spread: Spread) -> Vec<(&'static str, String, u32)> {
    let seeded = format!("\\set n {}\n", draw(spread, "1", &format!("{VMS} * :scale")));
    let create = |part: u32| {
        format!(
            "INSERT INTO {prefix}vms (id, name, state, node_id, owner_id, tenant_id, config, created_at, updated_at) \
             VALUES ('vm-{part}-' || {{{{seq}}}}, 'load-test-vm-' || {{{{hex(8)}}}}, 'creating', 'node-' || {{{{int(1, 8)}}}}, 1, \
             'default', jsonb_build_object('cpu_cores', 4, 'memory_mb', 8192), now(), now());\n\\rows 1\n"
        )
    };
    let list = format!(
        "\\set offset random(0, 4) * 10\n\
         SELECT {COLUMNS} FROM {prefix}vms ORDER BY created_at DESC LIMIT 10 OFFSET :offset;\n\\rows 10\n"
    );
    let query = format!(
        "SELECT v.id, v.name, v.state, m.cpu_usage, m.memory_usage FROM {prefix}vms v LEFT JOIN LATERAL \
         (SELECT cpu_usage, memory_usage FROM {prefix}vm_metrics WHERE vm_id = v.id ORDER BY timestamp DESC LIMIT 1) m ON true \
         WHERE v.state = 'running' ORDER BY v.created_at DESC LIMIT 100;\n\\rows 100\n"
    );
    let update = format!(
        "{seeded}UPDATE {prefix}vms SET config = config || jsonb_build_object('cpu_cores', {{{{int(1, 16)}}}}::int), \
         updated_at = now() WHERE id = 'vm-seed-' || :n;\n\\rows 1\n"
    );
    let stats = format!(
        "SELECT count(*) AS total_vms, count(*) FILTER (WHERE state = 'running') AS running, count(DISTINCT node_id) AS nodes \
         FROM {prefix}vms;\n\\rows 1\n"
    );
    let search = format!("SELECT {COLUMNS} FROM {prefix}vms WHERE name LIKE '%vm-' || :n || '%' LIMIT 50;\n");
    let batch = format!("BEGIN;\n{}{}{}COMMIT;\n", create(1), create(2), create(3));
    vec![
        ("list-vms", list, 6),
        ("query-vms", query, 1),
        ("create-vm", create(0), 1),
        ("update-vm", update, 1),
        ("vm-stats", stats, 1),
        ("search-vms", seeded + &search, 1),
        ("batch-vms", batch, 1),
    ]
}

/// Makes the tables in one transaction: all of it is there, or nothing.
///
/// # Errors
/// Those of the server.
pub async fn make(wire: &Wire, prefix: &str, scale: u64, control: &mut Control) -> Result<(), Error> {
    let vms = VMS * scale;
    control.calls += 12;
    wire.batch_execute(&format!(
        "BEGIN; \
         CREATE TABLE {prefix}users (id serial PRIMARY KEY, username text NOT NULL, email text NOT NULL); \
         CREATE TABLE {prefix}vms (id varchar(255) PRIMARY KEY, name text NOT NULL, state text NOT NULL, node_id text, \
           owner_id int REFERENCES {prefix}users (id), tenant_id text NOT NULL DEFAULT 'default', config jsonb, \
           created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL); \
         CREATE TABLE {prefix}vm_metrics (id serial PRIMARY KEY, vm_id varchar(255) REFERENCES {prefix}vms (id), cpu_usage float, \
           memory_usage float, network_sent bigint, network_recv bigint, timestamp timestamptz NOT NULL); \
         CREATE TABLE {prefix}networks (id varchar(255) PRIMARY KEY, name text NOT NULL, subnet text); \
         CREATE TABLE {prefix}vm_interfaces (id serial PRIMARY KEY, vm_id varchar(255) REFERENCES {prefix}vms (id), \
           network_id varchar(255) REFERENCES {prefix}networks (id)); \
         INSERT INTO {prefix}users (username, email) SELECT 'user-' || n, 'user-' || n || '@example.com' FROM generate_series(1, 100) AS n; \
         INSERT INTO {prefix}vms SELECT 'vm-seed-' || n, 'seed-vm-' || n, (ARRAY['running', 'stopped'])[1 + n % 2], \
           'node-' || 1 + n % 8, 1 + n % 100, 'default', '{{\"cpu_cores\": 2, \"memory_mb\": 4096, \"disk_gb\": 50}}', now(), now() \
           FROM generate_series(1, {vms}) AS n; \
         INSERT INTO {prefix}vm_metrics (vm_id, cpu_usage, memory_usage, network_sent, network_recv, timestamp) \
           SELECT 'vm-seed-' || n, n % 100, n % 90, n, n, now() - k * interval '1 minute' \
           FROM generate_series(1, {vms}) AS n, generate_series(1, {METRICS}) AS k; \
         CREATE INDEX ON {prefix}vm_metrics (vm_id); \
         CREATE INDEX ON {prefix}vm_metrics (timestamp); \
         COMMIT"
    ))
    .await?;
    control.calls += 2;
    wire.batch_execute(&format!("ANALYZE {prefix}vms; ANALYZE {prefix}vm_metrics")).await
}
