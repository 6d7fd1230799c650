//! The host's policy for assertions.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::base::{ResourceId, Scope};
use crate::client::Client;
use crate::flow::token::{Denial, Entitlement};

/// Maps the subject of an assertion to a user, and limits what the client may do for them.
#[async_trait]
pub trait AssertionPolicy: Send + Sync {
    /// Your user for the issuer's subject, and a ceiling of rights; the assertion's own limits also apply.
    ///
    /// All claims come from an issuer that you trust, and are signed. But **a subject is only meaningful
    /// together with its issuer**: another issuer's `alice` is another person, and a wrong result hands over
    /// an account. No user is asked on a page, so this also decides whether consent is required
    /// ([`Denial::consent_missing`]). A disabled user is refused by
    /// [`account_status`](crate::ResourceOwner::account_status), as always.
    ///
    /// # Errors
    /// No such user, or not for this client; or (from a [`BackendError`](crate::BackendError)) the lookup
    /// failed.
    async fn accept(&self, assertion: &Assertion<'_>) -> Result<Entitlement, Denial>;
}

#[async_trait]
impl<T: AssertionPolicy + ?Sized> AssertionPolicy for Arc<T> {
    async fn accept(&self, assertion: &Assertion<'_>) -> Result<Entitlement, Denial> {
        (**self).accept(assertion).await
    }
}

/// An assertion with a valid signature, issuer, audience and times, which was issued to the presenting
/// client.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Assertion<'a> {
    /// Who vouches for it (`iss`): one of the issuers that you named.
    pub issuer: &'a str,
    /// Its subject (`sub`), in the namespace of this issuer.
    pub subject: &'a str,
    /// The presenting client: authenticated, unless public clients are allowed.
    pub client: &'a Client,
    /// Its limit on the scope (`scope`), if any.
    pub scope: Option<&'a Scope>,
    /// Its limit on resources (`resource`), if any.
    pub resources: Option<&'a [ResourceId]>,
    /// The requested scope, within that limit; `None` is all of it.
    pub asked_scope: Option<&'a Scope>,
    /// All claims: `email`, `aud_sub`, `tenant`, `acr` and any others.
    pub claims: &'a Map<String, Value>,
}
