//! The stores that come with the crate, on real databases: `cargo test --test stores`. The servers are started by the
//! tests themselves (`tests/servers/`); one that cannot start is a failure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

#[path = "../servers/mod.rs"]
mod servers;
#[allow(dead_code)]
#[path = "../support/mod.rs"]
mod support;

mod behaviour;
mod contract;
mod folder;
mod postgres;
mod redis;
mod secrets;
mod server;
mod sqlite;
