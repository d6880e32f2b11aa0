//! What does pgbench do? Its scripts and its tables, of PostgreSQL 15.

use load_core::error::PrepareError;
use load_core::protocol::Control;
use tokio_postgres::Error;

use super::{Builtin, draw};
use crate::keys::Spread;
use crate::postgres::session::Wire;

/// Accounts of a branch.
const ACCOUNTS: u64 = 100_000;

/// The tables, without what their names begin with.
pub const TABLES: [&str; 4] = ["accounts", "branches", "history", "tellers"];

/// The script of `builtin` on tables whose names begin with `prefix`. Each statement must meet its row.
pub fn script(builtin: Builtin, prefix: &str, spread: Spread) -> String {
    let aid = format!("\\set aid {}\n", draw(spread, "1", &format!("{ACCOUNTS} * :scale")));
    let select = format!("SELECT abalance FROM {prefix}accounts WHERE aid = :aid;\n\\rows 1\n");
    if builtin == Builtin::SelectOnly {
        return aid + &select;
    }
    let update = |table: &str, balance: &str, key: &str| {
        format!("UPDATE {prefix}{table} SET {balance} = {balance} + :delta WHERE {key} = :{key};\n\\rows 1\n")
    };
    let draws = "\\set bid random(1, 1 * :scale)\n\\set tid random(1, 10 * :scale)\n\\set delta random(-5000, 5000)\n";
    let others = match builtin {
        Builtin::Tpcb => update("tellers", "tbalance", "tid") + &update("branches", "bbalance", "bid"),
        _ => String::new(),
    };
    format!(
        "{aid}{draws}BEGIN;\n{}{select}{others}\
         INSERT INTO {prefix}history (tid, bid, aid, delta, mtime) VALUES (:tid, :bid, :aid, :delta, CURRENT_TIMESTAMP);\n\
         \\rows 1\nEND;\n",
        update("accounts", "abalance", "aid")
    )
}

/// Makes the tables as `pgbench -i` does, in one transaction: all of it is there, or nothing.
///
/// # Errors
/// Those of the server.
pub async fn make(wire: &Wire, prefix: &str, scale: u64, control: &mut Control) -> Result<(), Error> {
    control.calls += 5;
    wire.batch_execute(&format!(
        "BEGIN; \
         CREATE TABLE {prefix}history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22)); \
         CREATE TABLE {prefix}tellers (tid int NOT NULL, bid int, tbalance int, filler char(84)) WITH (fillfactor = 100); \
         CREATE TABLE {prefix}accounts (aid int NOT NULL, bid int, abalance int, filler char(84)) WITH (fillfactor = 100); \
         CREATE TABLE {prefix}branches (bid int NOT NULL, bbalance int, filler char(88)) WITH (fillfactor = 100)"
    ))
    .await?;
    control.calls += 2;
    wire.batch_execute(&format!(
        "INSERT INTO {prefix}branches SELECT bid, 0 FROM generate_series(1, {scale}) AS bid; \
         INSERT INTO {prefix}tellers SELECT tid, (tid - 1) / 10 + 1, 0 FROM generate_series(1, {scale} * 10) AS tid"
    ))
    .await?;
    // A branch at a time: a signal need not wait long.
    for branch in 1..=scale {
        control.calls += 1;
        let (first, last) = ((branch - 1) * ACCOUNTS + 1, branch * ACCOUNTS);
        wire.batch_execute(&format!(
            "INSERT INTO {prefix}accounts SELECT aid, {branch}, 0, '' FROM generate_series({first}, {last}) AS aid"
        ))
        .await?;
    }
    control.calls += 4;
    wire.batch_execute(&format!(
        "ALTER TABLE {prefix}branches ADD PRIMARY KEY (bid); ALTER TABLE {prefix}tellers ADD PRIMARY KEY (tid); \
         ALTER TABLE {prefix}accounts ADD PRIMARY KEY (aid); COMMIT"
    ))
    .await?;
    control.calls += 4;
    for table in ["branches", "tellers", "accounts", "history"] {
        wire.batch_execute(&format!("VACUUM ANALYZE {prefix}{table}")).await?;
    }
    Ok(())
}

/// The scale of the tables that `pgbench -i` made.
///
/// # Errors
/// They are not there, or not whole.
pub async fn scale_of_existing(
    wire: &Wire,
    control: &mut Control,
    failed: &impl Fn(Error) -> PrepareError,
) -> Result<u64, PrepareError> {
    control.calls += 1;
    let query = "SELECT count(*), (SELECT max(aid) FROM pgbench_accounts), (SELECT max(tid) FROM pgbench_tellers) \
                 FROM pgbench_branches";
    let row = wire.query_one(query, &[]).await;
    let row = row.map_err(|error| {
        let is_missing = error.code().is_some_and(|code| code.code() == "42P01");
        let why = failed(error);
        if is_missing {
            PrepareError::new(format!("{why}; make them with pgbench -i, or leave --use-existing out"))
        } else {
            why
        }
    })?;
    let cell = |index| row.try_get::<_, Option<i32>>(index).map(Option::unwrap_or_default).map_err(failed);
    let branches = row.try_get::<_, i64>(0).map_err(failed)?.unsigned_abs();
    let (accounts, tellers) = (u64::from(cell(1)?.unsigned_abs()), u64::from(cell(2)?.unsigned_abs()));
    if branches == 0 || accounts != branches * ACCOUNTS || tellers != branches * 10 {
        return Err(PrepareError::new(format!(
            "the tables of pgbench are not whole: {branches} branches, {tellers} tellers, {accounts} accounts; \
             make them anew with pgbench -i"
        )));
    }
    Ok(branches)
}
