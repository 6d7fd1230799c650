//! Every test of the public API, in one binary. `tests/run.sh` adds real clients, a browser and fuzzing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

mod support;

mod endpoints;
mod floors;
mod guard;
mod hosts;
mod lifecycle;
mod manual;
mod requirements;
mod values;
