//! Is there a WebSocket, and what time is it there? One connection before the run, to be told what is wrong before thousands are.

use std::time::Duration;

use load_core::error::PrepareError;
use load_core::protocol::Control;
use load_net::connection::{Connection, NoConnection};
use load_net::reach::Target;
use load_net::tls;
use load_suite::scope::Scope;
use tokio::time::{Instant, timeout_at};

use crate::clock::{self, Clock, ClockOffset};
use crate::end::farewell;
use crate::offset::Ahead;
use crate::protocol::Ws;
use crate::text::{ECHO, Text, wall_ns};
use crate::upgrade::Upgrade;

/// For everything that is asked before the run; a command that cannot start says so within 5 s.
pub(crate) const LIMIT: Duration = Duration::from_millis(4_700);

impl Ws {
    /// Makes one connection by `upgrade`, asks what has to be asked, and closes it. Each of it counts as a control call.
    pub(crate) async fn ask(
        &self,
        upgrade: &Upgrade,
        target: &Target,
        deadline: Instant,
        control: &mut Control,
    ) -> Result<Clock, PrepareError> {
        let [address, ..] = target.addresses[..] else { return Err(self.unable("no address")) };
        let connection = Connection::open(address, self.tls.as_ref()).await.map_err(|error| match error {
            NoConnection::Tcp(error) => self.unable(&error.to_string()),
            NoConnection::Tls(error) => self.unable(&tls::explain(&error)),
        })?;
        let scope = Scope::default();
        control.calls += 1;
        let sent_ns = wall_ns();
        let (mut socket, answer) = match timeout_at(deadline, upgrade.run(connection, &scope)).await {
            Ok(Ok(upgraded)) => upgraded,
            Ok(Err(error)) => return Err(self.unable(&format!("{error}; {}", error.hint()))),
            Err(_) => return Err(self.unable("no answer to the upgrade within 5 s; is it the right port?")),
        };
        let (came_ns, date) = (wall_ns(), answer.headers().get(http::header::DATE));
        let date = date.and_then(|date| Ahead::by_date(sent_ns, came_ns, date.to_str().ok()?));
        let offset = self.args.clock_offset;
        let mut answers = None;
        if let (Some(ClockOffset::Auto), Some(text)) = (offset, self.echo()) {
            let asked = clock::ask(&mut socket, &text, &self.rules, control);
            let known = timeout_at(deadline, asked).await.unwrap_or(Err("no answer within 5 s"));
            answers = Some(known.map_err(|why| {
                self.unable(&format!(
                    "--clock-offset auto: {why}; see --timestamp-field, or give it as 250ms"
                ))
            })?);
        }
        farewell(&mut socket, |_| {}).await;
        Ok(Clock { date, answers, offset, is_here: Clock::is_here(&target.addresses) })
    }

    /// What is sent to be echoed.
    fn echo(&self) -> Option<Text> {
        Text::parse(self.args.message.as_deref().unwrap_or(ECHO)).ok()
    }

    fn unable(&self, why: &str) -> PrepareError {
        use load_core::protocol::Protocol as _;
        PrepareError::new(format!("{}: {why}", self.label()))
    }
}
