//! The `id_token` of a response (OpenID Connect Core section 2).

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256, Sha512};

use crate::base::{Algorithm, ClientId, ResponseAlgorithm, Scope, SecretText, after};
use crate::client::Client;
use crate::error::{BackendError, Reason};
use crate::grant::{Grant, Subject};
use crate::issuance::Rules;
use crate::openid::{ClaimsAsked, ClaimsTo, OPENID, Wanted, can_be_sub};
use crate::signing::{DroppedClaims, Unsigned};

/// An `id_token` that is not signed yet. Before the grant is written, the host provides the user's claims
/// and, for HS256, opens the client's secret. The hash of the access token is added once that token is known.
pub struct IdToken {
    body: Body,
    algorithm: ResponseAlgorithm,
    client: Arc<Client>,
    /// The client's secret, for HS256, once the host has opened it.
    secret: Option<SecretText>,
    /// The user, as the host knows them.
    user: Arc<str>,
    /// The claims that the host still has to be asked for.
    wanted: Option<Wanted>,
}

/// In an order that people can read.
#[derive(Serialize)]
struct Body {
    iss: Arc<str>,
    sub: Arc<str>,
    /// A single audience, as a string, so there is no `azp`.
    aud: ClientId,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    c_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    s_hash: Option<String>,
    /// The claims of the host about the user.
    #[serde(flatten)]
    user: Map<String, Value>,
}

/// Its `typ`, which this server's access tokens do not have.
const TYPE: &str = "JWT";

/// What the response determines about its `id_token`.
#[derive(Debug)]
pub(in crate::flow) struct IdTokenTerms<'a> {
    /// The granted part of the requested scope, before a resource narrows it.
    pub(in crate::flow) scope: &'a Scope,
    /// The `sub` that the client sees, if it is not the host's own identifier.
    pub(in crate::flow) sub: Option<&'a Arc<str>>,
    pub(in crate::flow) issued: DateTime<Utc>,
    /// Whether it has the `nonce` of the authorization request; an `id_token` from a refresh has none
    /// (section 12.2).
    pub(in crate::flow) has_nonce: bool,
    /// Whether there will be no access token, with which the client could read the claims of the scope
    /// (section 5.4).
    pub(in crate::flow) is_alone: bool,
}

impl IdToken {
    /// The `id_token` of a response, if the grant began with `openid` and the request did not drop that
    /// scope.
    ///
    /// # Errors
    /// The host's user identifier cannot be a `sub`, or the signer has no key for the client's algorithm.
    pub(in crate::flow) fn of(
        grant: &Grant,
        answer: &IdTokenTerms<'_>,
        client: &Arc<Client>,
        rules: &Rules,
    ) -> Result<Option<Self>, Reason> {
        let IdTokenTerms { scope, sub, issued, has_nonce, is_alone } = *answer;
        let (Some(terms), Some(openid)) = (&rules.openid, grant.openid()) else {
            return Ok(None);
        };
        let (Subject::User(user), Some(authentication)) = (grant.subject(), grant.authentication()) else {
            return Ok(None);
        };
        if !scope.contains(OPENID) {
            return Ok(None);
        }
        let sub = sub.unwrap_or(user);
        if !can_be_sub(sub) {
            return Err(Reason::SubjectUnfit);
        }
        let algorithm = rules.signable_id_token(client)?;
        let wanted = Wanted::in_id_token(openid, scope, client, is_alone);
        let body = Body {
            iss: Arc::clone(&rules.issuer),
            sub: Arc::clone(sub),
            aud: client.id().clone(),
            iat: issued.timestamp(),
            exp: after(issued, terms.id_token_lifetime).timestamp(),
            auth_time: authentication.auth_time.timestamp(),
            nonce: openid.nonce.clone().filter(|_| has_nonce),
            acr: authentication.acr.as_deref().map(str::to_owned),
            amr: openid.amr.clone(),
            sid: terms.sessions.as_ref().zip(grant.session()).map(|(own, id)| own.sid(id, client.id())),
            at_hash: None,
            c_hash: None,
            s_hash: None,
            user: Map::new(),
        };
        let wanted = (!wanted.is_empty()).then_some(wanted);
        let (client, user) = (Arc::clone(client), Arc::clone(user));
        Ok(Some(Self { body, algorithm, client, secret: None, user, wanted }))
    }

    /// The client whose secret has to sign it, if the host has not opened that yet.
    pub(crate) fn awaits_secret_of(&self) -> Option<&Client> {
        let is_awaited = self.algorithm == ResponseAlgorithm::Hs256 && self.secret.is_none();
        is_awaited.then_some(&*self.client)
    }

    /// Takes the opened secret.
    pub(crate) fn take_secret(&mut self, secret: SecretText) {
        self.secret = Some(secret);
    }

    /// The secret that signs it; `None` if a key of the server does.
    pub(super) fn secret(&self) -> Option<&SecretText> {
        self.secret.as_ref()
    }

    /// The question to the host, if it still has to be asked.
    #[must_use]
    pub fn asked(&self) -> Option<ClaimsAsked<'_>> {
        let wanted = self.wanted.as_ref()?;
        Some(ClaimsAsked::new(&self.user, &self.client, wanted, ClaimsTo::IdToken))
    }

    /// Takes the host's answer. Drops claims that only the protocol may set, and returns their names.
    pub(crate) fn answer(&mut self, given: Map<String, Value>) -> Option<DroppedClaims> {
        let kept = self.wanted.take()?.keep(given);
        self.body.user = kept.claims;
        Some(kept.dropped)
    }

    /// Binds it to the text of the access token in the same response (section 3.1.3.6).
    pub(in crate::flow) fn bind(&mut self, access_token: &str) {
        self.body.at_hash = Some(half_hash(access_token, self.algorithm));
    }

    /// Binds it to the code and the `state` in the same response (section 3.3.2.11, Financial-grade API 1.0
    /// Part 2 section 5.2.2.1).
    pub(in crate::flow) fn bind_request(&mut self, code: Option<&str>, state: Option<&str>) {
        self.body.c_hash = code.map(|code| half_hash(code, self.algorithm));
        self.body.s_hash = state.map(|state| half_hash(state, self.algorithm));
    }

    /// What has to be signed.
    pub(super) fn unsigned(&self) -> Result<Unsigned, BackendError> {
        match self.wanted.is_some() || self.awaits_secret_of().is_some() {
            true => Err(BackendError::permanent("the host was not asked for what the id_token needs")),
            false => Unsigned::new(TYPE, &self.body, self.algorithm.key()),
        }
    }
}

/// Omits the claims, which are personal data.
impl fmt::Debug for IdToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdToken").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// The left half of the hash that the signature algorithm uses, as base64url. Ed25519 uses SHA-512.
fn half_hash(text: &str, algorithm: ResponseAlgorithm) -> String {
    match algorithm.key() {
        None | Some(Algorithm::Es256 | Algorithm::Ps256 | Algorithm::Rs256) => {
            URL_SAFE_NO_PAD.encode(&Sha256::digest(text)[..16])
        }
        Some(Algorithm::EdDsa) => URL_SAFE_NO_PAD.encode(&Sha512::digest(text)[..32]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::GrantType;

    impl IdToken {
        /// One for which the host has to provide nothing more.
        pub(in crate::flow::token) fn of_alice() -> Self {
            let client = Client::builder("app").secret("s").grant_types([GrantType::ClientCredentials]);
            let body = Body {
                iss: "https://as.example".into(),
                sub: "alice".into(),
                aud: ClientId::new("app"),
                iat: 0,
                exp: 600,
                auth_time: 0,
                nonce: None,
                acr: None,
                amr: Box::default(),
                sid: None,
                at_hash: None,
                c_hash: None,
                s_hash: None,
                user: Map::new(),
            };
            let (algorithm, client) = (Algorithm::EdDsa.into(), Arc::new(client.build().unwrap()));
            Self { body, algorithm, client, secret: None, user: "alice".into(), wanted: None }
        }
    }

    /// OpenID Connect Core, the examples of section A.3 and A.4.
    #[test]
    fn the_hash_is_that_of_the_specification() {
        let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
        assert_eq!(half_hash(token, Algorithm::Rs256.into()), "77QmUPtjPfzWtF2AnpK9RQ");
        assert_eq!(half_hash(token, ResponseAlgorithm::Hs256), "77QmUPtjPfzWtF2AnpK9RQ");
        let code = "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk";
        assert_eq!(half_hash(code, Algorithm::Rs256.into()), "LDktKdoQak3Pk0cnXxCltA");
    }

    /// The left half of the SHA-512 digest of the same token, by another program.
    #[test]
    fn the_hash_of_ed25519_is_the_left_half_of_sha_512() {
        let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
        let half = "q7nS86GgvvFaZkzALLWqJYaJIKw2wCDAVfCAsm5CrBM";
        assert_eq!(half_hash(token, Algorithm::EdDsa.into()), half);
    }
}
