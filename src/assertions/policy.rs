//! Whom an assertion is about: the host's word.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::base::{ResourceId, Scope};
use crate::client::Client;
use crate::flow::token::{Denial, Entitlement};

/// Says whom an assertion is about, and what that client may do in their name.
#[async_trait]
pub trait AssertionPolicy: Send + Sync {
    /// The user here whom the issuer's subject is, and a ceiling; the assertion's own limits apply besides.
    ///
    /// All claims are of an issuer that you trust, and signed by it. But **a subject means something only together with its
    /// issuer**: another issuer's `alice` is another person, and a wrong answer hands over an account. No user is asked on a page, so
    /// whether the user would have to consent to this client and scope is decided here, too ([`Denial::consent_missing`]). A
    /// user who is disabled here is refused by [`account_status`](crate::ResourceOwner::account_status), like everywhere.
    ///
    /// # Errors
    /// No user, or not for this client; or (from a [`BackendError`](crate::BackendError)) it could not be found out.
    async fn accept(&self, assertion: &Assertion<'_>) -> Result<Entitlement, Denial>;
}

#[async_trait]
impl<T: AssertionPolicy + ?Sized> AssertionPolicy for Arc<T> {
    async fn accept(&self, assertion: &Assertion<'_>) -> Result<Entitlement, Denial> {
        (**self).accept(assertion).await
    }
}

/// An assertion whose signature, issuer, audience and times are right, and that was given to the client that brings it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Assertion<'a> {
    /// Who vouches for it (`iss`): one of the issuers that you named.
    pub issuer: &'a str,
    /// Whom it is about (`sub`), by a name that is this issuer's own.
    pub subject: &'a str,
    /// Who brings it: authenticated, unless public clients were let in.
    pub client: &'a Client,
    /// What it is limited to (`scope`), if it is.
    pub scope: Option<&'a Scope>,
    /// The resources that it is limited to (`resource`), if it is.
    pub resources: Option<&'a [ResourceId]>,
    /// The scope that the request asks for, of that; none is all of it.
    pub asked_scope: Option<&'a Scope>,
    /// Every claim: `email`, `aud_sub`, `tenant`, `acr` and whatever else the issuer says.
    pub claims: &'a Map<String, Value>,
}
