//! What does a run make, and how is it removed? One table, made in one transaction: all of it is there, or nothing.

use load_core::protocol::Control;
use tokio_postgres::Error;

use super::session::Wire;
use crate::names::Nonce;
use crate::token::token;

/// Rows of one statement: a signal need not wait long.
const CHUNK: u64 = 10_000;

/// Makes the table of `run` with `rows` rows.
///
/// # Errors
/// Those of the server.
pub async fn make(wire: &Wire, run: &Nonce, rows: u64, control: &mut Control) -> Result<(), Error> {
    let table = run.table();
    // Room on the page for the versions that updates leave.
    control.calls += 2;
    wire.batch_execute(&format!(
        "BEGIN; CREATE TABLE {table} (id bigint PRIMARY KEY, token bigint NOT NULL, \
         writes bigint NOT NULL DEFAULT 0) WITH (fillfactor = 70)"
    ))
    .await?;
    let insert = format!("INSERT INTO {table} SELECT * FROM unnest($1::bigint[], $2::bigint[])");
    let insert = wire.prepare(&insert).await?;
    for from in (0..rows).step_by(CHUNK as usize) {
        let chunk = from..rows.min(from + CHUNK);
        let ids: Vec<_> = chunk.clone().map(u64::cast_signed).collect();
        let tokens: Vec<_> = chunk.map(token).collect();
        control.calls += 1;
        wire.execute(&insert, &[&ids, &tokens]).await?;
    }
    control.calls += 1;
    wire.batch_execute("COMMIT").await
}

/// Removes the table of `run`, whatever came of it. Fails rather than waits for somebody who has locked it.
///
/// # Errors
/// Those of the server.
pub async fn remove(wire: &Wire, run: &Nonce, control: &mut Control) -> Result<(), Error> {
    control.calls += 3;
    let table = run.table();
    wire.batch_execute(&format!("ROLLBACK; SET lock_timeout = '8s'; DROP TABLE IF EXISTS {table}")).await
}

/// The tables that runs have made and not removed, of all schemas in the search path.
///
/// # Errors
/// Those of the server.
pub async fn list(wire: &Wire) -> Result<Vec<Nonce>, Error> {
    let query = "SELECT relname::text FROM pg_class \
                 WHERE relkind = 'r' AND relname ~ '^quintet_' AND pg_table_is_visible(oid) ORDER BY 1";
    let rows = wire.query(query, &[]).await?;
    let names = rows.iter().map(|row| row.try_get::<_, String>(0)).collect::<Result<Vec<_>, _>>()?;
    Ok(names.iter().filter_map(|name| Nonce::of_table(name)).collect())
}
