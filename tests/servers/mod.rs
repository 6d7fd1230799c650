//! Private servers on free loopback ports, in directories that are removed with them. Nothing outlives the
//! test process, however it ends.

pub mod haproxy;
pub mod pgbouncer;
pub mod postgres;
pub mod proxy;
pub mod redis;
pub mod watched;
