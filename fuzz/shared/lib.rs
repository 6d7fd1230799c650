//! What the targets share: a clock, a key, servers, and what holds for each of their answers.
//!
//! The futures of the crate are polled here, in functions without type parameters, and not in the targets: an
//! `async fn` is compiled in each crate that polls it.

mod answers;
pub mod client;
mod drive;
mod outbound;
pub mod provider;
mod signing;

pub use answers::{check, error, json, own_parameter, redirect, sound};
pub use drive::{
    answer_as, approve_as, approve_device, authorize, claim, guard, handle, log_out, login, protect, tenant,
    verify,
};
pub use outbound::Canned;
pub use signing::{
    Forgetful, ISSUER, NOW, Still, Ticking, base64url, key, moment, public_keys, sha256, signed,
};

/// A text as the value of a parameter.
pub fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
