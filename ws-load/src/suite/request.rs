//! How does a call over HTTP go that belongs to a user's way to a WebSocket? On a connection of its own, which is kept with
//! the session.

use load_core::protocol::{Fault, LinkId, Outcome, Probe, Vu};
use load_net::connection::Tls;
use load_net::http::{self, Request};
use load_net::reach::{Dial, Target};
use load_net::route::Route;
use load_report::fault::FaultKind;

/// Largest body of an answer, in bytes.
const MAX_BODY: u64 = 16 << 20;

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Name or address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Over TLS.
    pub secure: bool,
}

/// What a session needs to make such calls.
pub struct Http {
    /// Where the hosts are.
    pub target: Target,
    /// Whose calls they are.
    pub link: LinkId,
    /// The connection, and where it goes.
    open: Option<(Place, http::Session)>,
    /// The body of the last answer.
    pub body: Vec<u8>,
}

impl Http {
    /// Without a connection.
    pub fn new(target: Target, link: LinkId) -> Self {
        Self { target, link, open: None, body: Vec::new() }
    }

    /// Makes the call; what comes back is in `body`, its status here.
    ///
    /// # Errors
    /// There is no answer. It never ends the session, which is another connection.
    pub async fn exchange(
        &mut self,
        (request, place): (&Request, &Place),
        tls: Option<&Tls>,
        vu: &Vu,
        probe: &mut Probe<'_>,
    ) -> Result<(u16, Outcome), Fault> {
        let ended = self.attempt((request, place), tls, vu, probe).await;
        ended.map_err(|fault| Fault { ends_session: false, ..fault })
    }

    async fn attempt(
        &mut self,
        (request, place): (&Request, &Place),
        tls: Option<&Tls>,
        vu: &Vu,
        probe: &mut Probe<'_>,
    ) -> Result<(u16, Outcome), Fault> {
        self.body.clear();
        let mut session = match self.open.take() {
            Some((there, session)) if there == *place => session,
            _ => {
                let named = |tls: &Tls| Tls::named(&tls.config, &place.host);
                let tls = tls.filter(|_| place.secure).map(named).transpose().map_err(|error| {
                    probe.note(format_args!("{}: {error}", place.host));
                    Fault::fatal(FaultKind::Tls)
                })?;
                let (host, port) = (place.host.as_str(), place.port);
                let dial = Dial { route: &Route::default(), host, port, tls: tls.as_ref(), stages: None };
                let connection = self.target.connect_other(&dial, self.link, probe).await?;
                http::Session::new(connection, MAX_BODY)
            }
        };
        let body = &mut self.body;
        let exchanged =
            session.exchange(request, &vu.scope, |piece: &[u8]| body.extend_from_slice(piece)).await;
        let (sent, received) = (exchanged.sent, exchanged.received);
        let answer = exchanged.result.map_err(|failure| failure.fault(probe).after(sent, received))?;
        if answer.keep_alive {
            self.open = Some((place.clone(), session));
        }
        Ok((answer.status, Outcome { sent: sent.into(), received, ..Outcome::default() }))
    }
}
