//! How are the cleanup steps of a suite made? Once, by hand: no engine is there any more.

use crate::error::PrepareError;
use crate::protocol::{Control, LinkId, Probe, Protocol, Vu};
use crate::record::Unobserved;

/// Makes the calls of `steps`, one after the other on one connection. The first that fails is told, the others are made
/// all the same.
///
/// # Errors
/// Why there is no connection, or the first fault.
pub async fn make<P: Protocol>(
    protocol: &P,
    target: &P::Target,
    steps: &[P::Step],
    control: &mut Control,
) -> Result<(), PrepareError> {
    let (observer, mut note, mut vu) = (Unobserved, String::new(), Vu::new(0));
    let link = LinkId::FIRST;
    let (mut session, mut failed) = (None, None);
    for step in steps {
        let mut probe = Probe::unobserved(&observer, &mut note);
        if session.is_none() {
            match protocol.connect(target, link, &mut probe).await {
                Ok(connection) => session = protocol.open(connection, &vu).await.ok(),
                Err(fault) => {
                    return Err(PrepareError::new(format!("no connection: {} {note}", fault.kind.name())));
                }
            }
        }
        let Some(open) = &mut session else { break };
        control.calls += 1;
        let ended = protocol.call(open, step, &mut vu, &mut probe).await;
        if ended.map_or_else(|fault| fault.ends_session, |outcome| outcome.ends_session) {
            session = None;
        }
        if let Err(fault) = ended {
            failed.get_or_insert(format!("{}: {note}", fault.kind.name()));
        }
    }
    failed.map_or(Ok(()), |why| Err(PrepareError::new(why)))
}
