//! How does a script run over a connection? Its commands in order, a transaction once more where the server asks for it.

use load_core::protocol::{Fault, Outcome, Probe, Vu};
use load_report::fault::FaultKind;
use load_suite::scope::Scope;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::faults;
use super::script::expr::number;
use super::script::statement::{Kind, SYNC, Statement};
use super::script::{Batch, Check, Command, Script};
use super::series;
use super::wire::{Answer, Connection, Failure, Table};
use crate::token::token;

/// Why a script did not come to its end.
pub enum Stop {
    /// The connection is of no more use.
    Lost(Fault),
    /// It is, and no transaction is open.
    Failed(Fault),
}

/// A script that is under way.
pub struct Performance<'a, 'p> {
    /// Where it is sent.
    pub connection: &'a mut Connection,
    /// For the rows that are looked at.
    pub table: &'a mut Table,
    /// Whose variables it uses.
    pub vu: &'a mut Vu,
    /// Where its figures go.
    pub probe: &'a mut Probe<'p>,
    /// How often a transaction may be tried in all.
    pub tries: u32,
    /// Rows that the last statement gave or changed.
    pub affected: u64,
}

/// Where a transaction began, and with what.
#[derive(Default)]
struct Begin {
    at: usize,
    saved: Option<Box<(Scope, Xoshiro256PlusPlus)>>,
}

impl Performance<'_, '_> {
    /// Runs `script` from its beginning to its end.
    ///
    /// # Errors
    /// Where it stopped.
    #[inline]
    pub async fn run(&mut self, script: &Script) -> Result<Outcome, Stop> {
        let begun = self.probe.now();
        let mut outcome = Outcome::default();
        let ended = self.commands(script, &mut outcome).await;
        self.probe.observe(series::TRANSACTION, self.probe.now().since(begun));
        self.probe.count(series::STATEMENTS, outcome.messages.into());
        let with = |fault: Fault, outcome: &Outcome| fault.after(outcome.sent, outcome.received);
        match ended {
            Ok(()) => Ok(outcome),
            Err(Stop::Lost(fault)) => Err(Stop::Lost(with(fault, &outcome))),
            Err(Stop::Failed(fault)) => {
                let is_clean = self.connection.status == b'I' || self.roll_back(&mut outcome).await.is_ok();
                Err(if is_clean {
                    Stop::Failed(with(fault, &outcome))
                } else {
                    Stop::Lost(with(fault, &outcome))
                })
            }
        }
    }

    async fn commands(&mut self, script: &Script, outcome: &mut Outcome) -> Result<(), Stop> {
        let (mut at, mut tried, mut tries_again) = (0, 1, false);
        let mut begin = Begin::default();
        while let Some(command) = script.commands.get(at) {
            let batch = match command {
                Command::Set(slot, expr) => {
                    match expr.value(self.vu) {
                        Ok(value) => set(self.vu, *slot, value),
                        Err(why) => return Err(self.wrong(format_args!("\\set: {why}"))),
                    }
                    at += 1;
                    continue;
                }
                Command::Send(batch) => batch,
            };
            if self.connection.status == b'I' && !std::mem::take(&mut tries_again) {
                tried = 1;
                begin.at = at;
                if self.tries > 1 && script.restores {
                    begin.saved = Some(Box::new((self.vu.scope.clone(), self.vu.rng.clone())));
                }
            }
            let answer = self.send(batch, outcome).await?;
            let Some(refusal) = &answer.refusal else {
                self.look(batch, &answer)?;
                at += 1;
                continue;
            };
            if !self.is_conflict(refusal.code) || tried >= self.tries {
                return Err(Stop::Failed(faults::refused(refusal, self.probe)));
            }
            if self.connection.status != b'I' {
                self.roll_back(outcome).await?;
            }
            self.probe.count(series::RETRIES, 1);
            tried += 1;
            tries_again = true;
            at = begin.at;
            if let Some(saved) = &begin.saved {
                self.vu.scope.clone_from(&saved.0);
                self.vu.rng.clone_from(&saved.1);
            }
        }
        if self.connection.status == b'I' {
            return Ok(());
        }
        Err(self.wrong(format_args!("the script ends within a transaction; expected COMMIT or ROLLBACK")))
    }

    /// Sends a batch, and counts an outcome that nobody can know.
    #[inline]
    async fn send(&mut self, batch: &Batch, outcome: &mut Outcome) -> Result<Answer, Stop> {
        for statement in &batch.statements {
            if let Err(name) = statement.encode(&self.vu.scope, &mut self.connection.out) {
                let stop = self.wrong(format_args!(":{name} is not set: no row gave it a value"));
                self.connection.out.clear();
                return Err(stop);
            }
        }
        if batch.statements.first().is_some_and(Statement::needs_sync) {
            self.connection.out.extend_from_slice(SYNC);
        }
        let table = (batch.keep.is_some() || batch.check.is_some_and(Check::needs_rows)).then(|| {
            self.table.clear();
            &mut *self.table
        });
        let is_outside = self.connection.status == b'I';
        let commits = |kind| kind == Kind::Commit || is_outside && kind == Kind::Other;
        let may_commit = batch.statements.iter().any(|statement| commits(statement.kind));
        let begun = self.probe.now();
        let unknown = Unknown(may_commit.then_some(&*self.probe));
        let answered = self.connection.exchange(table).await;
        unknown.end(!matches!(answered, Err(Failure::Io(_) | Failure::Closed)));
        self.probe.observe(series::QUERY, self.probe.now().since(begun));
        match answered {
            Ok(answer) => {
                outcome.sent += u64::from(answer.sent);
                outcome.received += answer.received;
                outcome.messages += answer.completed;
                Ok(answer)
            }
            Err(failure) => Err(Stop::Lost(faults::lost(&failure, may_commit, self.probe))),
        }
    }

    /// Leaves the transaction.
    #[cold]
    async fn roll_back(&mut self, outcome: &mut Outcome) -> Result<(), Stop> {
        self.connection.out.extend_from_slice(b"Q\0\0\0\x0dROLLBACK\0");
        let answered = self.connection.exchange(None).await;
        let answer = answered.map_err(|failure| Stop::Lost(faults::lost(&failure, false, self.probe)))?;
        outcome.sent += u64::from(answer.sent);
        outcome.received += answer.received;
        Ok(())
    }

    /// Whether the answer to `batch` is right; keeps what it is to keep.
    #[inline]
    fn look(&mut self, batch: &Batch, answer: &Answer) -> Result<(), Stop> {
        self.affected = answer.affected;
        match batch.check {
            None => {}
            Some(Check::Rows(rows)) if answer.affected == rows => {}
            Some(Check::Rows(rows)) => {
                let there = answer.affected;
                return Err(self.wrong(format_args!("{there} rows, expected {rows}")));
            }
            Some(Check::Token(slot)) => {
                let Some(there) = self.table.text(0, 0) else {
                    return Err(self.wrong(format_args!("the row is not there")));
                };
                let row = number(self.vu.scope.vars.get(slot)).unwrap_or(-1);
                if number(there) != Some(token(row.cast_unsigned())) {
                    return Err(
                        self.wrong(format_args!("the row holds another value than the run has put there"))
                    );
                }
            }
        }
        for (column, slot) in batch.keep.iter().flatten() {
            if let Some(index) = self.table.column(column) {
                self.vu.scope.vars.set(*slot, self.table.text(0, index).unwrap_or_default());
            }
        }
        Ok(())
    }

    /// Counts a refusal that another try may be spared.
    #[cold]
    fn is_conflict(&self, code: [u8; 5]) -> bool {
        let counter = match &code {
            b"40001" => series::SERIALIZATION_FAILURES,
            b"40P01" => series::DEADLOCKS,
            _ => return false,
        };
        self.probe.count(counter, 1);
        true
    }

    #[cold]
    fn wrong(&mut self, why: std::fmt::Arguments<'_>) -> Stop {
        self.probe.note(why);
        Stop::Failed(Fault::answered(FaultKind::Wrong, 0))
    }
}

impl Check {
    fn needs_rows(self) -> bool {
        matches!(self, Self::Token(_))
    }
}

/// A commit without its answer, until it is known: also when the call is given up.
struct Unknown<'a, 'p>(Option<&'a Probe<'p>>);

impl Unknown<'_, '_> {
    #[inline]
    fn end(mut self, is_known: bool) {
        if is_known {
            self.0 = None;
        }
    }
}

impl Drop for Unknown<'_, '_> {
    fn drop(&mut self) {
        if let Some(probe) = self.0 {
            probe.count(series::UNKNOWN_OUTCOMES, 1);
        }
    }
}

#[inline]
fn set(vu: &mut Vu, slot: usize, value: i64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        at -= 1;
        digits[at] = b'-';
    }
    vu.scope.vars.set(slot, &digits[at..]);
}
