//! Is whoever connects a source that can be served? The handshake of one connection, and how a refusal is said.

use std::rc::Rc;

use load_wire::dwcp::{
    Broken, TO_TARGET, VERSION,
    frame::{Encoder, Kind},
    message::{Hello, Welcome, code, feature},
};

use super::{
    DataContext,
    carrier::{Carrier, End},
    session::Place,
};

/// Why a connection is ended from this side, said with ABORT or REFUSE where that can be done.
pub(super) struct No {
    pub(super) kind: Kind,
    pub(super) code: u16,
    pub(super) text: String,
}

pub(super) fn abort(code: u16, text: impl Into<String>) -> No {
    No { kind: Kind::Abort, code, text: text.into() }
}

impl From<Broken> for No {
    fn from(broken: Broken) -> Self {
        abort(code::MALFORMED, broken.to_string())
    }
}

/// The handshake: the connection's place, or none when whoever connected has left.
pub(super) async fn greet(
    data: &Rc<DataContext>,
    carrier: &mut impl Carrier,
    encoder: &mut Encoder,
) -> Result<Option<(Place, u16)>, No> {
    let refuse = |code, text: &str| No { kind: Kind::Refuse, code, text: text.to_owned() };
    let came = match carrier.next().await {
        Ok(came) => came,
        Err(End::Broken(broken)) => return Err(refuse(code::MALFORMED, &broken.to_string())),
        Err(End::Goodbye | End::Gone) => return Ok(None),
    };
    if came.kind != Kind::Hello {
        return Err(refuse(code::TURN, "expected HELLO"));
    }
    let hello =
        Hello::read(carrier.payload()).map_err(|broken| refuse(code::MALFORMED, &broken.to_string()))?;
    if hello.stream != came.stream {
        return Err(refuse(code::MALFORMED, "HELLO of another stream"));
    }
    if !(hello.versions.0..=hello.versions.1).contains(&VERSION) {
        return Err(refuse(code::VERSION, "there is version 3 only"));
    }
    let features = hello.features & feature::ALL;
    let place = Place::take(data, hello.session, hello.stream, hello.streams, features).ok_or_else(|| {
        refuse(code::SESSIONS, "too many streams or sessions, or another number of streams")
    })?;
    *encoder = Encoder::new(hello.stream);
    let credit = data.context.script.dwcp.data.window;
    let mut frame = Vec::new();
    encoder.put(Kind::Welcome, &Welcome { features, credit, payload: TO_TARGET as u32 }.bytes(), &mut frame);
    data.context.timer.pause(2 * data.context.script.dwcp.data.latency_ns).await;
    Ok(carrier.send(frame).await.is_ok().then_some((place, hello.stream)))
}
