//! The reference system under test: it does what a script says and records what it did.
//!
//! It shares no code with the load tools, so that a mistake of theirs cannot agree with itself. The binary
//! serves by itself; [`Server`] serves from a thread of a test.
//!
//! ```
//! use target_server::{Config, Script, Server};
//!
//! let script = Script::parse("example", "[[rule]]\npath = \"/slow\"\ndelay = \"5ms\"\n")?;
//! let server = Server::start(Config { script, ..Config::default() })?;
//! assert!(server.http_addr().is_some());
//! assert_eq!(server.truth().requests, 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answers;
mod clock;
mod contract;
mod control;
mod delay;
mod dwcp;
mod fault;
mod group;
mod grpc;
mod http;
mod inbox;
mod listen;
mod presence;
mod record;
mod report;
mod script;
mod serve;
mod server;
mod stall;
mod stream;
mod timer;
mod truth;
mod usage;
mod ws;

pub use clock::now_ns;
pub use contract::{
    Contract, ContractError, ContractReport, EventReport, MessageReport, MethodReport, RouteReport,
    SocketReport,
};
pub use delay::Delay;
pub use dwcp::{DwcpDataReport, DwcpReport};
pub use fault::{Abort, How};
pub use group::{Group, Others};
pub use grpc::{GrpcAborted, GrpcConnections, GrpcReport};
pub use http::Encoding;
pub use listen::{BindError, Reservation, TlsFiles};
pub use report::{Aborted, Connections, Report, RingReport};
pub use script::{
    DrawBy, DwcpDataFail, DwcpDataHow, DwcpDataScript, DwcpFail, DwcpHow, DwcpScript, Fail, GrpcFail,
    GrpcHow, GrpcScript, MAX_BODY_BYTES, Rule, Script, ScriptError, Stall, When, WsFail, WsHow, WsScript,
};
pub use server::{Config, Server, StartError};
pub use truth::{Arrival, CSV_HEADER, Outcome};
pub use ws::{WsBroadcast, WsMessages, WsReport};
