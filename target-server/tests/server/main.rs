//! The server as its clients see it: bytes on sockets on one side, the record on the other.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a helper of a test fails the test")]

mod answers;
mod client;
mod contract;
mod dwcp;
mod dwcp_data;
mod faults;
mod grpc;
mod program;
mod sockets;
mod stall;
mod tls;
mod ws;
