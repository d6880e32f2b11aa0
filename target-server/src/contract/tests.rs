//! Tests of contracts without a socket; those with one are in tests/server/contract.rs.

mod properties;
mod shape;
mod shipped;
mod shop;
mod template;
