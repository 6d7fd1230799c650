//! OpenID Connect: authenticates users to clients that request the scope `openid` (OpenID Connect Core 1.0).
//!
//! With the feature `openid`, the builder has a method of that name, which switches it on. It takes the
//! host's [`ClaimsSource`], which knows names, addresses and other claims. Users, sessions and pages stay the
//! host's own. Then
//!
//! - the response to a code, a device code or a refresh token has an `id_token`, if the grant has the scope
//!   `openid`. It is signed with the client's `id_token_signed_response_alg`, RS256 by default, so the signer
//!   needs a key for RS256. With
//!   [`sealed_secrets`](crate::server::AuthorizationServerBuilder::sealed_secrets) it can be HS256, under the
//!   client's own secret;
//! - the UserInfo endpoint (section 5.3) answers with the claims of the scopes `profile`, `email`, `address`
//!   and `phone`, and with those that the request named by the parameter `claims`;
//! - the metadata are at the path of OpenID Connect Discovery, too.
//!
//! An authorization request with the scope `openid` must name its `redirect_uri`; unknown scopes are left out
//! and not refused; and its `acr_values` are voluntary (see
//! [`Consent::requested`](crate::Consent::requested)), while in plain OAuth they are a condition.
//!
//! A client with `subject_type` `pairwise` gets user identifiers that no other sector has (section 8.1); this
//! needs `pairwise_secret`. A client with `userinfo_signed_response_alg` gets its UserInfo answers as signed
//! JWTs.
//!
//! With `sessions`, the server knows in which session of the host a grant began, and users can sign out
//! everywhere at once: see the [manual](crate::manual::logout).
//!
//! Under [`Profile::Rfc6749`](crate::Profile::Rfc6749) the response types with `id_token` and `token` are
//! supported for clients that list them ([`ResponseType`](crate::ResponseType)).
//!
//! Not supported: encrypted tokens, session management, aggregated and distributed claims, and the claim
//! `sub` of self-issued providers.

mod client_macs;
#[cfg(feature = "openid")]
mod hmac;
#[cfg(feature = "openid")]
mod hs256;
mod logout;
mod names;
mod pairwise;
mod request;
mod session;
mod source;

pub(crate) use client_macs::ClientMacs;
#[cfg(feature = "openid")]
pub(crate) use hs256::Hs256;
pub use logout::{Delivery, LogoutNotice, LogoutQueue};
pub(crate) use names::is_of_user;
#[cfg(all(feature = "testing", feature = "openid"))]
pub(crate) use names::scopes_of_user;
pub use pairwise::MIN_PAIRWISE_SECRET;
pub(crate) use pairwise::PairwiseKey;
pub use request::{ClaimTerms, ClaimsRequest, MAX_CLAIM_NAME, MAX_CLAIM_NAMES, MAX_CLAIMS_LENGTH};
pub(crate) use session::{Session, SessionRules};
pub(crate) use source::Wanted;
pub use source::{ClaimsAsked, ClaimsSource, ClaimsTo};

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{Algorithm, ResponseAlgorithm, Scope};

/// The scope that makes an OAuth request an OpenID Connect request.
pub const OPENID: &str = "openid";

/// The scope of refresh tokens that outlive the session in which the user agreed to them (OpenID Connect Core
/// section 11).
pub const OFFLINE_ACCESS: &str = "offline_access";

/// Whether a scope is about the login or the grant, and not about a resource.
pub(crate) fn is_of_login(scope: &str) -> bool {
    scope == OPENID || scope == OFFLINE_ACCESS
}

/// The maximum length of a `nonce`, in characters.
pub const MAX_NONCE: usize = 512;

/// The OpenID Connect data of a grant. Only a grant that began with the scope `openid` has them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenId {
    /// `nonce` of the authorization request, for the `id_token` that comes with the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) nonce: Option<Box<str>>,
    /// The methods by which the user signed in (RFC 8176).
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub(crate) amr: Box<[Box<str>]>,
    /// The parameter `claims`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) claims: Option<Box<ClaimsRequest>>,
    /// The session of the host in which the user was signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) session: Option<Box<Session>>,
}

impl OpenId {
    /// Whether the request asks for a specific `sub`, and not this one (section 5.5.1).
    pub(crate) fn is_for_another(&self, sub: &str) -> bool {
        let terms = self.claims.as_ref().and_then(|claims| claims.terms("sub"));
        terms.is_some_and(|terms| !terms.accept(&sub.into()))
    }

    /// Whether the request requires one of certain authentication context classes, and this is none of them
    /// (section 5.5.1.1).
    pub(crate) fn is_unmet_by(&self, acr: Option<&str>) -> bool {
        let terms = self.claims.as_ref().and_then(|claims| claims.terms("acr"));
        terms.is_some_and(|terms| terms.essential && !terms.accept(&acr.into()))
    }

    /// The individual claims that the user is asked for, each once.
    pub(crate) fn claim_names(&self) -> Vec<&str> {
        let claims = self.claims.iter().flat_map(|claims| claims.of_id_token().chain(claims.of_userinfo()));
        let mut names: Vec<&str> = claims.map(|(name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// How a server answers requests of OpenID Connect.
#[derive(Clone, Debug)]
pub(crate) struct OpenIdRules {
    /// The keys that an `id_token` can be signed with.
    pub(crate) algorithms: Vec<Algorithm>,
    /// Signs with the secrets of clients, if the host can open them.
    pub(crate) macs: Option<&'static dyn ClientMacs>,
    pub(crate) id_token_lifetime: Duration,
    /// The key for pairwise subject identifiers, if they are enabled.
    pub(crate) pairwise: Option<PairwiseKey>,
    /// The classes that sign-ins can reach, for the metadata.
    pub(crate) acr_values: Vec<String>,
    /// The values of `display` that the host's pages support, for the metadata.
    pub(crate) display_values: Vec<String>,
    /// The rules for the host's sessions, if it has configured them.
    pub(crate) sessions: Option<SessionRules>,
}

impl OpenIdRules {
    /// The data of a new grant with this scope.
    pub(crate) fn begin(&self, scope: &Scope) -> Option<Box<OpenId>> {
        scope.contains(OPENID).then(Box::default)
    }

    /// The algorithm of `id_token`s that is registered for a client that names none: RS256, unless the
    /// server's profile forbids it, or else the first that the server has.
    pub(crate) fn algorithm_to_register(&self) -> Algorithm {
        let rs256 = Algorithm::Rs256;
        let first = self.algorithms.first().copied().unwrap_or(rs256);
        if self.algorithms.contains(&rs256) { rs256 } else { first }
    }

    /// Whether an `id_token` can be signed with this algorithm.
    pub(crate) fn signs_with(&self, algorithm: ResponseAlgorithm) -> bool {
        match algorithm {
            ResponseAlgorithm::Key(algorithm) => self.algorithms.contains(&algorithm),
            ResponseAlgorithm::Hs256 => self.macs.is_some(),
        }
    }

    /// The names of the algorithms, for the metadata.
    pub(crate) fn algorithm_names(&self) -> impl Iterator<Item = &'static str> {
        let macs = self.macs.map(|_| ResponseAlgorithm::Hs256.as_str());
        self.algorithms.iter().map(|algorithm| algorithm.as_str()).chain(macs)
    }
}

/// Whether a user identifier can be the `sub` of an `id_token` (OpenID Connect Core section 2).
pub(crate) fn can_be_sub(user: &str) -> bool {
    user.is_ascii() && (1..=255).contains(&user.len())
}

/// Whether a user identifier can be the subject of tokens. No user has an empty one.
pub(crate) fn can_be_subject(user: &str, is_of_openid: bool) -> bool {
    if is_of_openid { can_be_sub(user) } else { !user.is_empty() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts themselves take more room: a `nonce` has about 32 characters.
    #[test]
    fn what_a_grant_remembers_is_small() {
        assert!(size_of::<OpenId>() + 32 <= 112, "{}", size_of::<OpenId>());
    }
}
