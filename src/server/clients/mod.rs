//! Clients: how they authenticate, register, change and end.

mod auth;
mod changes;
mod macs;
mod registration;
mod secrets;
mod sweep;

pub(super) use auth::judge;
