//! How are the cleanup steps of a suite made? Once, over a connection of their own: no engine is there any more.

use load_core::protocol::{Control, Probe, Vu};
use load_core::record::Unobserved;

use super::faults;
use super::perform::{Performance, Stop};
use super::protocol::Postgres;
use super::wire::Table;
use super::workload::Program;

impl Postgres {
    /// Runs the scripts of the suite's cleanup. The first that fails is told, the others run all the same.
    pub(super) async fn clean_up(&self, program: &Program, control: &mut Control) -> Result<(), String> {
        let (mut note, mut failed) = (String::new(), None);
        let mut probe = Probe::unobserved(&Unobserved, &mut note);
        let (mut vu, mut table) = (Vu::new(0), Table::default());
        let mut connection = match self.open(program).await {
            Ok(connection) => connection,
            Err(failure) => {
                faults::lost(&failure, false, &mut probe);
                return Err(note);
            }
        };
        for script in &program.scripts[self.cleanup.clone()] {
            control.calls += script.statements().count() as u64;
            let (connection, table) = (&mut connection, &mut table);
            let mut performance = Performance {
                connection,
                table,
                vu: &mut vu,
                probe: &mut probe,
                tries: self.tries,
                affected: 0,
            };
            match performance.run(script).await {
                Ok(_) => {}
                Err(Stop::Failed(_)) => {
                    failed.get_or_insert(probe.noted().to_owned());
                }
                Err(Stop::Lost(_)) => return Err(failed.unwrap_or_else(|| probe.noted().to_owned())),
            }
        }
        connection.close().await;
        failed.map_or(Ok(()), Err)
    }
}
