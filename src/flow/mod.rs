//! The requests of OAuth as chains of types.
//!
//! Each state names the one fact that it lacks and has one method that takes it; the wrong order does
//! not compile. None of it waits, reads a clock or draws randomness: the driver in
//! [`server`](crate::server) brings facts and proves writes.

pub mod authorize;
pub mod configure;
pub(crate) mod consent;
pub mod device;
mod inquiry;
pub mod introspect;
mod redirect;
pub mod register;
pub mod revoke;
pub mod token;

use std::sync::Arc;

use chrono::{DateTime, Utc};

pub use redirect::{
    AwaitApproval, AwaitRedirectSignature, ErrorAnswer, OpenedRedirect, Redirect, SealedRedirect,
};

use crate::client::Client;
pub use crate::client::ResponseMode;
use crate::client::auth::{AuthenticatedClient, Authentication, AwaitHash, Presented};
use crate::error::Refusal;
pub(crate) use crate::issuance::Asked;
pub use crate::issuance::{Gate, Granted, Issuance, Standing};
use crate::secret::SecretText;

/// A state after the client was looked up: either its authentication is decided, or a slow hash has to be
/// computed first.
#[derive(Debug)]
#[non_exhaustive]
pub enum Checked<S> {
    /// The next state.
    Ready(S),
    /// Compute [`AwaitSlowHash::question`], then go on.
    Hash(AwaitSlowHash<S>),
}

/// Waits for the answer of a slow hash.
#[derive(Debug)]
pub struct AwaitSlowHash<S> {
    hash: AwaitHash,
    next: Next<S>,
}

/// What a flow does with the client once it is known.
struct Next<S>(Box<dyn FnOnce(AuthenticatedClient) -> Result<S, Refusal> + Send>);

impl<S> std::fmt::Debug for Next<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Next(..)")
    }
}

impl<S> AwaitSlowHash<S> {
    /// The stored PHC strings, at least one, and the presented secret.
    #[must_use]
    pub fn question(&self) -> (&[String], &SecretText) {
        self.hash.question()
    }

    /// Takes the answer: whether the secret is that of one of the PHC strings.
    ///
    /// # Errors
    /// The refusal, if it is not.
    pub fn with_answer(self, right: bool) -> Result<S, Refusal> {
        let client = self.hash.with_answer(right)?;
        (self.next.0)(client)
    }
}

/// The step that every authenticated endpoint begins with.
pub(crate) fn authenticate<S>(
    presented: Presented,
    found: Option<Arc<Client>>,
    now: DateTime<Utc>,
    next: impl FnOnce(AuthenticatedClient) -> Result<S, Refusal> + Send + 'static,
) -> Result<Checked<S>, Refusal> {
    match presented.authenticate(found, now) {
        Authentication::Done(client) => next(client).map(Checked::Ready),
        Authentication::Failed(reason) => Err(reason.into()),
        Authentication::Hash(hash) => {
            let next = Next(Box::new(next));
            Ok(Checked::Hash(AwaitSlowHash { hash, next }))
        }
    }
}
