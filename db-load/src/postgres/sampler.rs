//! What does the server say of itself? One query a look, over a session of its own.

use std::sync::Arc;

use load_core::sample::{Look, Reading, Sampler};
use load_report::gauge::GaugeKind::{Growth, Level, Rate, Share};
use load_report::gauge::GaugePlan;
use load_report::gauge::GaugeUnit::{Bytes, Count, PerS, Ratio};
use tokio_postgres::{Row, Statement};

use super::faults;
use super::protocol::Postgres;
use super::session::Wire;
use crate::gauges::plan;

/// Names of the last gauge, with tables that are known and without.
const TABLE_BYTES: &str = "pg_table_bytes";
const DATABASE_BYTES: &str = "pg_database_bytes";

/// What can be asked, in the order of the readings.
pub fn gauges(knows_tables: bool) -> Vec<GaugePlan> {
    let mut all: Vec<_> = [
        ("pg_commits", PerS, Rate, "transactions committed in the database"),
        ("pg_rollbacks", PerS, Rate, "transactions rolled back in the database"),
        (
            "pg_cache_hit",
            Ratio,
            Share,
            "blocks of the database found in shared_buffers, of all that were wanted",
        ),
        ("pg_deadlocks", Count, Growth, "deadlocks in the database"),
        ("pg_temp_files", Count, Growth, "temporary files of queries in the database"),
        ("pg_temp_bytes", Bytes, Growth, "what was written to them"),
        ("pg_wal_bytes", Bytes, Growth, "WAL of the whole server"),
        ("pg_connections", Count, Level, "sessions of clients in the database"),
        ("pg_active", Count, Level, "those that run a statement"),
        ("pg_idle_in_transaction", Count, Level, "those that have a transaction open and run nothing"),
        ("pg_waiting_lock", Count, Level, "those that run a statement and wait for a lock"),
        ("pg_waiting_lwlock", Count, Level, "the same for a lock within the server"),
        ("pg_waiting_io", Count, Level, "the same for a disk"),
        ("pg_locks", Count, Level, "locks held or wanted by sessions in the database"),
        ("pg_locks_waiting", Count, Level, "those of them that are wanted"),
    ]
    .map(plan)
    .into();
    all.push(plan(if knows_tables {
        (TABLE_BYTES, Bytes, Level, "size of the tables that are loaded, with indexes")
    } else {
        (DATABASE_BYTES, Bytes, Level, "size of the database")
    }));
    all
}

/// The query of a look. `$1` are the names of the tables.
fn query(knows_tables: bool) -> String {
    let bytes = if knows_tables {
        "(SELECT sum(pg_total_relation_size(to_regclass(name))) FROM unnest($1::text[]) AS name)"
    } else {
        "(SELECT pg_database_size(current_database()) WHERE $1::text[] IS NOT NULL)"
    };
    format!(
        "SELECT xact_commit::float8, xact_rollback::float8, blks_hit::float8, blks_read::float8, \
         deadlocks::float8, temp_files::float8, temp_bytes::float8, \
         CASE WHEN NOT pg_is_in_recovery() THEN pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') END::float8, \
         sessions.*, locks.*, {bytes}::float8 \
         FROM pg_stat_database, \
         (SELECT count(*)::float8, (count(*) FILTER (WHERE state = 'active'))::float8, \
          (count(*) FILTER (WHERE state LIKE 'idle in transaction%'))::float8, \
          (count(*) FILTER (WHERE state = 'active' AND wait_event_type = 'Lock'))::float8, \
          (count(*) FILTER (WHERE state = 'active' AND wait_event_type = 'LWLock'))::float8, \
          (count(*) FILTER (WHERE state = 'active' AND wait_event_type = 'IO'))::float8 \
          FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' \
          AND pid <> pg_backend_pid()) AS sessions, \
         (SELECT count(*)::float8, (count(*) FILTER (WHERE NOT granted))::float8 FROM pg_locks \
          WHERE pid <> pg_backend_pid() AND pid IN \
          (SELECT pid FROM pg_stat_activity WHERE datname = current_database())) AS locks \
         WHERE datname = current_database()"
    )
}

/// What a new session is to be, and what it may see. A look must not wait behind a lock of the load.
const BEGIN: &str = "SELECT set_config('lock_timeout', '500', false), set_config('statement_timeout', '5000', false), \
    pg_is_in_recovery(), pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'), current_user::text";

/// The session that asks.
pub struct Asker {
    of: Arc<Postgres>,
    tables: Vec<String>,
    /// Not there while a look is under way.
    session: Option<(Wire, Statement)>,
    remarks: Vec<String>,
}

impl Asker {
    /// Asks the server of `of` about itself and `tables`.
    pub fn new(of: &Arc<Postgres>, tables: Vec<String>) -> Self {
        Self { of: Arc::clone(of), tables, session: None, remarks: Vec::new() }
    }

    async fn open(&mut self) -> Result<(Wire, Statement), String> {
        let wire = self.of.server.wire().await.map_err(|error| error.to_string())?;
        let explain = |error| faults::explain(&error);
        let row = wire.query_one(BEGIN, &[]).await.map_err(explain)?;
        self.remarks = remarks(&row);
        let statement = wire.prepare(&query(!self.tables.is_empty())).await.map_err(explain)?;
        Ok((wire, statement))
    }
}

/// What the session cannot see.
fn remarks(row: &Row) -> Vec<String> {
    let (is_standby, sees_all, role): (bool, bool, String) = (row.get(2), row.get(3), row.get(4));
    let mut remarks = Vec::new();
    if is_standby {
        remarks.push(
            "pg_wal_bytes is left out: the server is a standby, which writes no WAL of its own".to_owned(),
        );
    }
    if !sees_all {
        remarks.push(format!(
            "pg_connections, pg_active, pg_idle_in_transaction and pg_waiting_* are those of the role {role} alone: \
             to see all, GRANT pg_read_all_stats TO {role}"
        ));
    }
    remarks
}

impl Sampler for Asker {
    fn look(&mut self) -> Look<'_> {
        Box::pin(async {
            let (wire, statement) = match self.session.take() {
                Some(session) => session,
                None => self.open().await?,
            };
            let row =
                wire.query_one(&statement, &[&self.tables]).await.map_err(|error| faults::explain(&error))?;
            self.session = Some((wire, statement));
            readings(&row)
        })
    }

    fn remarks(&self) -> Vec<String> {
        self.remarks.clone()
    }
}

fn readings(row: &Row) -> Result<Vec<Reading>, String> {
    let columns: Result<Vec<Option<f64>>, _> = (0..row.len()).map(|column| row.try_get(column)).collect();
    let columns = columns.map_err(|error| faults::explain(&error))?;
    let [commits, rollbacks, hits, reads, others @ ..] = columns.as_slice() else {
        return Err("an answer of another kind than the question".to_owned());
    };
    let cache = match (hits, reads) {
        (Some(hits), Some(reads)) => Reading::Share { cases: *hits, of: hits + reads },
        _ => Reading::Unknown,
    };
    let others = others.iter().map(|column| Reading::from(*column));
    Ok([Reading::from(*commits), Reading::from(*rollbacks), cache].into_iter().chain(others).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_column_for_each_gauge_and_one_more_for_the_share() {
        for knows_tables in [true, false] {
            let text = query(knows_tables);
            let (head, rest) = text.split_once("sessions.*, locks.*").unwrap();
            let own = head.matches("::float8,").count() + 1;
            let joined = rest.split_once("FROM pg_stat_database").unwrap().1.matches("::float8").count();
            assert_eq!(own + joined, gauges(knows_tables).len() + 1, "{text}");
        }
    }
}
