//! The stores that come with the crate, on real databases: `cargo test -p grantor-tests --test stores`. The
//! servers are started by the tests themselves (`tests/servers/`); one that cannot start is a failure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

#[path = "../servers/mod.rs"]
mod servers;
#[allow(dead_code, unused_imports)] // the other binary uses all of it
#[path = "../support/mod.rs"]
mod support;

mod behaviour;
mod contract;
mod crash;
mod cuts;
mod faults;
mod folder;
mod future;
mod logout;
mod pgbouncer;
mod places;
mod postgres;
mod pushed;
mod race;
mod redis;
mod scale;
mod secrets;
mod server;
mod sqlite;
