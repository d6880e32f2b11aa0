//! What of a run is in the database, and how is it removed? Tables whose names begin with the run's.

use std::collections::BTreeMap;

use load_core::protocol::Control;
use tokio_postgres::Error;

use super::session::Wire;
use crate::names::Nonce;

/// Removes `tables`, whatever came of them. Fails rather than waits for somebody who has locked one.
///
/// # Errors
/// Those of the server.
pub async fn remove(wire: &Wire, tables: &[String], control: &mut Control) -> Result<(), Error> {
    control.calls += 3;
    let tables = tables.join(", ");
    wire.batch_execute(&format!("ROLLBACK; SET lock_timeout = '8s'; DROP TABLE IF EXISTS {tables}")).await
}

/// The tables that runs have made and not removed, of all schemas in the search path, by run.
///
/// # Errors
/// Those of the server.
pub async fn list(wire: &Wire) -> Result<BTreeMap<Nonce, Vec<String>>, Error> {
    let query = "SELECT relname::text FROM pg_class \
                 WHERE relkind = 'r' AND relname ~ '^quintet_' AND pg_table_is_visible(oid) ORDER BY 1";
    let rows = wire.query(query, &[]).await?;
    let mut all = BTreeMap::<_, Vec<_>>::new();
    for row in &rows {
        let name: String = row.try_get(0)?;
        if let Some(run) = Nonce::of_table(&name) {
            all.entry(run).or_default().push(name);
        }
    }
    Ok(all)
}
