//! Reads and writes of single rows: which statements, and which table?

use load_core::protocol::Control;
use tokio_postgres::Error;

use super::draw;
use crate::keys::Spread;
use crate::mix::{MixArgs, Step};
use crate::names::Nonce;
use crate::postgres::session::Wire;
use crate::token::token;

/// Rows of one statement: a signal need not wait long.
const CHUNK: u64 = 10_000;

/// The table, and what is done with it.
#[derive(Clone, Copy)]
pub struct Shape {
    /// How many rows.
    pub rows: u64,
    /// Bytes of the text in each row; without any there is no such column.
    pub value_size: u32,
    /// Reads and writes.
    pub mix: MixArgs,
}

impl Shape {
    /// Names, texts and weights.
    pub fn scripts(&self, table: &str, spread: Spread) -> Vec<(&'static str, String, u32)> {
        let id = format!("\\set id {}\n", draw(spread, "0", ":rows - 1"));
        let (read, write) = match self.value() {
            None => ("token", String::new()),
            Some(value) => ("token, value", format!(", value = '{value}'")),
        };
        let text = |step| match step {
            Step::Read => ("read", format!("{id}SELECT {read} FROM {table} WHERE id = :id;\n\\token id\n")),
            Step::Write => {
                let set = format!("writes = writes + 1{write}");
                ("write", format!("{id}UPDATE {table} SET {set} WHERE id = :id;\n\\rows 1\n"))
            }
        };
        let script = |(step, weight)| {
            let (name, text) = text(step);
            (name, text, weight)
        };
        self.mix.weights().into_iter().map(script).collect()
    }

    fn value(&self) -> Option<String> {
        (self.value_size > 0).then(|| "x".repeat(self.value_size as usize))
    }

    /// Makes the table in one transaction: all of it is there, or nothing.
    ///
    /// # Errors
    /// Those of the server.
    pub async fn make(&self, wire: &Wire, run: &Nonce, control: &mut Control) -> Result<(), Error> {
        let table = run.table();
        let value = self.value();
        let (column, cell) = match &value {
            None => ("", String::new()),
            Some(value) => (", value text NOT NULL", format!(", 0, '{value}'")),
        };
        // Room on the page for the versions that updates leave.
        control.calls += 2;
        wire.batch_execute(&format!(
            "BEGIN; CREATE TABLE {table} (id bigint PRIMARY KEY, token bigint NOT NULL, \
             writes bigint NOT NULL DEFAULT 0{column}) WITH (fillfactor = 70)"
        ))
        .await?;
        let insert = format!(
            "INSERT INTO {table} SELECT id, token{cell} FROM unnest($1::bigint[], $2::bigint[]) AS t (id, token)"
        );
        let insert = wire.prepare(&insert).await?;
        for from in (0..self.rows).step_by(CHUNK as usize) {
            let chunk = from..self.rows.min(from + CHUNK);
            let ids: Vec<_> = chunk.clone().map(u64::cast_signed).collect();
            let tokens: Vec<_> = chunk.map(token).collect();
            control.calls += 1;
            wire.execute(&insert, &[&ids, &tokens]).await?;
        }
        control.calls += 1;
        wire.batch_execute("COMMIT").await
    }
}
