//! JWT bearer assertions as a grant (RFC 7521, RFC 7523 section 2.1; feature `jwt`), and its profile for
//! identity providers (ID-JAG, draft-ietf-oauth-identity-assertion-authz-grant).
//!
//! Another server vouches for a user: a client presents an assertion that an issuer signed, and gets an
//! access token without any user interaction. So the host decides everything in advance: the issuers, their
//! keys and kind of assertion, and which of its users each subject is.
//!
//! ```
//! use grantor::assertions::{Assertion, AssertionIssuer, AssertionPolicy, JwtBearer};
//! use grantor::flow::token::{Denial, Entitlement};
//! use grantor::jose::JwkSet;
//! use grantor::resource::StaticKeys;
//! use grantor::{AuthorizationServer, Client, GrantType, MemoryRegistry, MemoryStore, Scope, async_trait};
//! use std::sync::Arc;
//!
//! /// The accounts of the company's own identity provider, by its names for them.
//! struct Accounts;
//!
//! #[async_trait]
//! impl AssertionPolicy for Accounts {
//!     async fn accept(&self, assertion: &Assertion<'_>) -> Result<Entitlement, Denial> {
//!         match (assertion.issuer, assertion.subject) {
//!             ("https://idp.example", "U019488227") => {
//!                 Ok(Entitlement::user("alice", Scope::parse("read").unwrap_or_default()))
//!             }
//!             _ => Err(Denial::invalid_grant()),
//!         }
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let published = JwkSet::default();
//! let store = Arc::new(MemoryStore::new());
//! let wiki = Client::builder("wiki").secret("sesame").grant_types([GrantType::jwt_bearer()]).build()?;
//! let server = AuthorizationServer::builder("https://as.example")
//!     .clients(MemoryRegistry::new([wiki]))
//!     .store(store.clone())
//!     .replay_guard(store)
//!     .scopes(["read", "write"])
//!     .jwt_bearer(
//!         JwtBearer::new(Accounts)
//!             .issuer(AssertionIssuer::id_jag("https://idp.example", StaticKeys::new(&published))),
//!     )
//!     .build()?;
//! # Ok(())
//! # }
//! ```

mod claims;
mod issuer;
mod policy;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::client::GrantType;
use crate::error::{AssertionFlaw, Reason};
use crate::flow::token::{Denial, Entitlement, ExtensionAsk, ExtensionTerms};
use crate::jose::Jws;
use crate::server::{AuthorizationServerBuilder, ExtensionGrant};
use claims::ValidatedAssertion;

pub use issuer::AssertionIssuer;
pub use policy::{Assertion, AssertionPolicy};

/// The profile's name in the metadata (draft-ietf-oauth-identity-assertion-authz-grant section 7.2).
const ID_JAG_PROFILE: &str = "urn:ietf:params:oauth:grant-profile:id-jag";

/// The grant type `urn:ietf:params:oauth:grant-type:jwt-bearer`, for
/// [`AuthorizationServerBuilder::jwt_bearer`].
///
/// It is for confidential clients that registered it. An assertion works once, and there is no refresh token:
/// for another access token the client needs another assertion.
#[must_use]
pub struct JwtBearer {
    policy: Arc<dyn AssertionPolicy>,
    issuers: Vec<AssertionIssuer>,
    terms: ExtensionTerms,
}

impl JwtBearer {
    /// Uses the host's policy, which maps subjects to users. No issuer is trusted yet: see
    /// [`issuer`](Self::issuer).
    pub fn new(policy: impl AssertionPolicy + 'static) -> Self {
        let terms = ExtensionTerms::default().single_use();
        Self { policy: Arc::new(policy), issuers: Vec::new(), terms }
    }

    /// Trusts the assertions of this issuer.
    pub fn issuer(mut self, issuer: AssertionIssuer) -> Self {
        if issuer.is_id_jag() && self.terms.profiles.is_empty() {
            self.terms = self.terms.profile(ID_JAG_PROFILE);
        }
        self.issuers.push(issuer);
        self
    }

    /// Also accepts assertions from public clients, which only name themselves: anyone who gets an assertion
    /// can then use it. RFC 7523 section 3.1 leaves it open whether clients authenticate; credentials that
    /// are sent are always checked.
    pub fn public_clients(self) -> Self {
        Self { terms: self.terms.public_clients(), ..self }
    }

    /// Lets an [`Entitlement`] have a refresh token. The client then keeps its access without a new
    /// assertion, which RFC 7521 section 4.1 advises against.
    pub fn refresh_tokens(self) -> Self {
        Self { terms: self.terms.refresh_tokens(), ..self }
    }

    /// Every check of an assertion: first the issuer, then the signature, then the claims.
    async fn believe<'a>(
        &'a self,
        text: &str,
        ask: &ExtensionAsk<'_>,
    ) -> Result<(&'a AssertionIssuer, ValidatedAssertion), Reason> {
        let jws = Jws::parse(text).map_err(|_| AssertionFlaw::Unreadable)?;
        if !ask.profile.switches().algorithms.contains(&jws.algorithm()) {
            return Err(AssertionFlaw::AlgorithmRefused.into());
        }
        let named = jws.claimed_issuer().ok_or(AssertionFlaw::ClaimMissing)?;
        let issuer = self.issuers.iter().find(|issuer| issuer.name() == named);
        let issuer = issuer.ok_or(AssertionFlaw::IssuerUnknown)?;
        let claims = issuer.verified_claims(&jws, ask.now).await?;
        Ok((issuer, ValidatedAssertion::check(claims, issuer, ask)?))
    }
}

#[async_trait]
impl ExtensionGrant for JwtBearer {
    async fn entitle(&self, ask: &ExtensionAsk<'_>) -> Result<Entitlement, Denial> {
        let text =
            ask.parameters.one("assertion").ok_or_else(|| Denial::because(Reason::ParameterMissing))?;
        let (issuer, believed) = self.believe(text, ask).await.map_err(Denial::because)?;
        let entitlement = self.policy.accept(&believed.assertion(issuer, ask)).await?;
        let entitlement = believed.limit(entitlement).map_err(Denial::because)?;
        let (id, until) = believed.single_use(text);
        Ok(entitlement.single_use(issuer.name(), &id, until))
    }

    fn terms(&self) -> ExtensionTerms {
        self.terms.clone()
    }

    fn mistakes(&self, issuer: &str) -> Vec<String> {
        let mut mistakes = Vec::new();
        if self.issuers.is_empty() {
            mistakes.push("it trusts no issuer".to_owned());
        }
        for (at, own) in self.issuers.iter().enumerate() {
            if own.name() == issuer {
                mistakes.push("it trusts the server itself".to_owned());
            }
            if self.issuers[..at].iter().any(|earlier| earlier.name() == own.name()) {
                mistakes.push(format!("it trusts the issuer {:?} twice", own.name()));
            }
        }
        mistakes
    }
}

impl<C, S> AuthorizationServerBuilder<C, S> {
    /// Accepts the assertions of other issuers as a grant (RFC 7523 section 2.1). Needs a
    /// [`replay_guard`](Self::replay_guard), because each works once.
    pub fn jwt_bearer(self, grant: JwtBearer) -> Self {
        self.extension_grant(GrantType::jwt_bearer().as_str(), grant)
    }
}

impl fmt::Debug for JwtBearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtBearer").field("issuers", &self.issuers).finish_non_exhaustive()
    }
}
