//! The `id_token` of an answer (OpenID Connect Core section 2).

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256, Sha512};

use crate::base::{Algorithm, after};
use crate::client::Client;
use crate::error::{BackendError, Reason};
use crate::grant::{Grant, Issued, Subject};
use crate::issuance::Rules;
use crate::openid::{ClaimsAsked, ClaimsTo, OPENID, Wanted, can_be_sub};
use crate::signing::Unsigned;

/// An `id_token` on its way to its signature. Before the answer is written, the host has its word on the user; after the
/// access token is known, so is its hash.
pub struct IdToken {
    body: Body,
    algorithm: Algorithm,
    client: Arc<Client>,
    /// The user, as the host knows them.
    user: Arc<str>,
    /// The claims that the host is still to be asked for.
    wanted: Option<Wanted>,
}

/// In the order in which people read them.
#[derive(Serialize)]
struct Body {
    iss: Arc<str>,
    sub: Arc<str>,
    /// One audience as a text; so there is no `azp`.
    aud: Arc<str>,
    iat: i64,
    exp: i64,
    auth_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    amr: Box<[Box<str>]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_hash: Option<String>,
    /// The host's word on the user.
    #[serde(flatten)]
    user: Map<String, Value>,
}

/// Its `typ`: no access token, no proof and no assertion of this server has it.
const TYPE: &str = "JWT";

impl IdToken {
    /// The `id_token` that goes with these tokens, if the grant began with `openid` and they still have it. Only the answer to
    /// a code has the `nonce` (section 12.2).
    ///
    /// # Errors
    /// The host's user identifier cannot be a `sub`, or the signer has no key for the client's algorithm.
    pub(super) fn of(
        grant: &Grant,
        tokens: &Issued,
        client: &Arc<Client>,
        answers_a_code: bool,
        rules: &Rules,
    ) -> Result<Option<Self>, Reason> {
        let (Some(terms), Some(openid)) = (&rules.openid, grant.openid()) else {
            return Ok(None);
        };
        let (Subject::User(user), Some(authentication)) = (grant.subject(), grant.authentication()) else {
            return Ok(None);
        };
        if !tokens.rights.scope.contains(OPENID) {
            return Ok(None);
        }
        let sub = tokens.sub.as_ref().unwrap_or(user);
        if !can_be_sub(sub) {
            return Err(Reason::SubjectUnfit);
        }
        let algorithm = rules.id_token_algorithm(client);
        if !terms.algorithms.contains(&algorithm) {
            return Err(Reason::IdTokenAlgorithm);
        }
        let wanted = Wanted::in_id_token(openid, &tokens.rights.scope, client);
        let body = Body {
            iss: Arc::clone(&rules.issuer),
            sub: Arc::clone(sub),
            aud: client.id().as_str().into(),
            iat: tokens.issued.timestamp(),
            exp: after(tokens.issued, terms.id_token_lifetime).timestamp(),
            auth_time: authentication.auth_time.timestamp(),
            nonce: openid.nonce.clone().filter(|_| answers_a_code),
            acr: authentication.acr.as_deref().map(str::to_owned),
            amr: openid.amr.clone(),
            sid: terms.sessions.as_ref().zip(grant.session()).map(|(own, id)| own.sid(id, client.id())),
            at_hash: None,
            user: Map::new(),
        };
        let wanted = (!wanted.is_empty()).then_some(wanted);
        Ok(Some(Self { body, algorithm, client: Arc::clone(client), user: Arc::clone(user), wanted }))
    }

    /// What the host is asked for, if it still is to be.
    #[must_use]
    pub fn asked(&self) -> Option<ClaimsAsked<'_>> {
        let wanted = self.wanted.as_ref()?;
        Some(ClaimsAsked::new(&self.user, &self.client, wanted, ClaimsTo::IdToken))
    }

    /// Takes the host's answer. Gives back whether it named claims that the protocol makes, which are dropped.
    pub(crate) fn answer(&mut self, given: Map<String, Value>) -> bool {
        let Some(wanted) = self.wanted.take() else { return false };
        let kept = wanted.keep(given);
        self.body.user = kept.claims;
        kept.overreached
    }

    /// Binds it to the text of the access token that it goes with (section 3.1.3.6).
    pub(super) fn bind(&mut self, access_token: &str) {
        self.body.at_hash = Some(half_hash(access_token, self.algorithm));
    }

    /// What has to be signed.
    pub(super) fn unsigned(&self) -> Result<Unsigned, BackendError> {
        match self.wanted {
            None => Unsigned::new(TYPE, &self.body, Some(self.algorithm)),
            Some(_) => Err(BackendError::permanent("the host was not asked for the claims of the id_token")),
        }
    }
}

/// Without what it says of a person.
impl fmt::Debug for IdToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdToken").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// The left half of the hash that goes with a signature's algorithm, as base64url. Ed25519 goes with SHA-512.
fn half_hash(text: &str, algorithm: Algorithm) -> String {
    match algorithm {
        Algorithm::Es256 | Algorithm::Ps256 | Algorithm::Rs256 => {
            URL_SAFE_NO_PAD.encode(&Sha256::digest(text)[..16])
        }
        Algorithm::EdDsa => URL_SAFE_NO_PAD.encode(&Sha512::digest(text)[..32]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// OpenID Connect Core, the examples of section A.3 and A.4.
    #[test]
    fn the_hash_is_that_of_the_specification() {
        let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
        assert_eq!(half_hash(token, Algorithm::Rs256), "77QmUPtjPfzWtF2AnpK9RQ");
        assert_eq!(half_hash(token, Algorithm::EdDsa).len(), 43);
    }
}
