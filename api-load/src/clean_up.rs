//! How are the cleanup steps of a suite made? Once, by hand: no engine is there any more.

use load_core::error::PrepareError;
use load_core::protocol::{Control, LinkId, Probe, Protocol as _, Vu};
use load_core::record::Unobserved;
use load_net::reach::Target;

use crate::protocol::{Api, Step};

impl Api {
    /// Makes the calls of `steps`, one after the other on one connection. The first that fails is told, the others are made
    /// all the same.
    pub(crate) async fn clean_up(
        &self,
        target: &Target,
        steps: &[Step],
        control: &mut Control,
    ) -> Result<(), PrepareError> {
        let (observer, mut note, mut vu) = (Unobserved, String::new(), Vu::new(0));
        let link = LinkId::FIRST;
        let (mut session, mut failed) = (None, None);
        for step in steps {
            let mut probe = Probe::unobserved(&observer, &mut note);
            if session.is_none() {
                match self.connect(target, link, &mut probe).await {
                    Ok(connection) => session = self.open(connection, &vu).await.ok(),
                    Err(fault) => {
                        return Err(PrepareError::new(format!(
                            "no connection: {} {note}",
                            fault.kind.name()
                        )));
                    }
                }
            }
            let Some(open) = &mut session else { break };
            control.calls += 1;
            let ended = self.call(open, step, &mut vu, &mut probe).await;
            if ended.map_or_else(|fault| fault.ends_session, |outcome| outcome.ends_session) {
                session = None;
            }
            if let Err(fault) = ended {
                failed.get_or_insert(format!("{}: {note}", fault.kind.name()));
            }
        }
        failed.map_or(Ok(()), |why| Err(PrepareError::new(why)))
    }
}
