//! The life of an authorization code: issued once, redeemed once, and a replay ends the grant.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::access::Issued;
use super::bridge::{Bridge, TokenParameters};
use super::front_channel::Offer;
use super::origin::Spent;
use super::stage::{Live, Stage};
use super::{Grant, Kind, Verdict, refuse};
use crate::base::pkce::{CodeChallenge, CodeVerifier};
use crate::base::redirect_uri::RedirectUri;
use crate::base::{Digest, FreshSecrets, Secret, SecretText, after};
use crate::error::Reason;
use crate::issuance::{Gate, Policy};

/// What a code was issued for; its redemption must match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PendingCode {
    /// The code's digest.
    pub(super) code: Digest,
    #[serde(with = "chrono::serde::ts_seconds")]
    pub(super) expires: DateTime<Utc>,
    /// Where the code was sent.
    pub(super) redirect_uri: RedirectUri,
    /// Whether the authorization request named the redirect URI; then its redemption must, too.
    pub(super) redirect_uri_named: bool,
    /// The PKCE challenge, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) challenge: Option<CodeChallenge>,
}

impl PendingCode {
    /// The terms of a new code.
    #[must_use]
    pub(crate) fn new(
        code: &Secret,
        redirect_uri: &RedirectUri,
        redirect_uri_named: bool,
        challenge: Option<CodeChallenge>,
        now: DateTime<Utc>,
        policy: &Policy,
    ) -> Self {
        Self {
            code: code.digest(Kind::Code.tag()),
            expires: after(now, policy.code_lifetime),
            redirect_uri: redirect_uri.clone(),
            redirect_uri_named,
            challenge,
        }
    }

    /// Limits the lifetime of the code to `longest`.
    pub(crate) fn at_most(mut self, longest: Option<Duration>, now: DateTime<Utc>) -> Self {
        let longest = longest.map_or(self.expires, |longest| after(now, longest));
        self.expires = self.expires.min(longest);
        self
    }

    /// Whether the presented secret is this code.
    pub(super) fn is(&self, kind: Kind, presented: &Secret) -> bool {
        kind == Kind::Code && self.code.matches(&presented.digest(kind.tag()))
    }

    /// Checks the redirect URI (RFC 6749 section 4.1.3), and then PKCE (RFC 7636 section 4.6).
    fn fits(&self, presented: &CodeRedemption<'_>) -> Result<(), Reason> {
        match presented.redirect_uri {
            Some(uri) if uri != self.redirect_uri.as_str() => return Err(Reason::RedirectUriMismatch),
            None if self.redirect_uri_named => return Err(Reason::RedirectUriMismatch),
            Some(_) | None => {}
        }
        match (&self.challenge, presented.verifier) {
            (Some(challenge), Some(verifier)) if challenge.accepts(verifier) => Ok(()),
            (Some(_), Some(_)) => Err(Reason::VerifierMismatch),
            (Some(_), None) => Err(Reason::VerifierMissing),
            (None, Some(_)) => Err(Reason::VerifierUnexpected),
            (None, None) => Ok(()),
        }
    }
}

/// A redeemed code, with everything that is needed to judge a replay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SpentCode {
    pub(super) offer: PendingCode,
    /// The response, while it may have been lost; [`CodeRedemption::bridge_key`] is the key to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) bridge: Option<Bridge>,
}

/// The domain separator of the key to a code's bridge.
const BRIDGE_KEY: &str = "grantor:code-bridge:v1";

/// A code as a client presents it.
#[derive(Debug)]
pub(crate) struct CodeRedemption<'a> {
    /// The secret half of the code.
    pub(crate) secret: &'a Secret,
    /// `code_verifier`
    pub(crate) verifier: Option<&'a CodeVerifier>,
    /// The client secret that authenticated the request, if it was generated. A secret that a person chose is
    /// left out: anyone who read the store could guess it offline with the bridge.
    pub(crate) client_secret: Option<&'a SecretText>,
    /// `redirect_uri`
    pub(crate) redirect_uri: Option<&'a str>,
    /// The gate that every token passes.
    pub(crate) gate: &'a Gate<'a>,
    /// Whether this server knows that the first response was never sent: its future was dropped, or the store
    /// did not report the outcome of the write in time. A replay is then a retry.
    pub(crate) unanswered: bool,
}

impl CodeRedemption<'_> {
    /// The key to the bridge. The code alone is not enough: it is in the address bar and in logs, and
    /// together with a row of the store it would reveal the refresh token. So the key also needs something
    /// that only the token request contained: the verifier or, without PKCE, the client's secret. Without
    /// either there is no bridge.
    fn bridge_key(&self) -> Option<Secret> {
        let unlogged = match (self.verifier, self.client_secret) {
            (Some(verifier), _) => verifier.as_bytes(),
            (None, Some(secret)) => secret.reveal().as_bytes(),
            (None, None) => return None,
        };
        Some(self.secret.joined_with(unlogged, BRIDGE_KEY))
    }
}

impl Grant {
    /// Redeems a code, once. A replay ends the grant only if it passes every check of a redemption, such as
    /// PKCE: otherwise anyone who saw a code could end a session.
    pub(crate) fn redeem_code(
        self,
        presented: CodeRedemption<'_>,
        fresh: FreshSecrets,
        now: DateTime<Utc>,
        policy: &Policy,
    ) -> Verdict {
        let digest = presented.secret.digest(Kind::Code.tag());
        let offer = match &self.stage {
            Stage::Offered(offer) => &offer.code,
            Stage::Live(_) => match self.origin.spent_code() {
                Some(spent) => &spent.offer,
                None => return refuse(Reason::CodeUnknown),
            },
            Stage::Pushed(_) | Stage::Waiting(_) => return refuse(Reason::CodeUnknown),
            Stage::Ended(_) => return refuse(Reason::GrantEnded),
        };
        if !offer.code.matches(&digest) {
            return refuse(Reason::CodeUnknown);
        }
        if self.client() != presented.gate.client.id() {
            return refuse(Reason::CodeForAnotherClient);
        }
        if matches!(self.stage, Stage::Offered(_)) && offer.expires <= now {
            return refuse(Reason::CodeExpired);
        }
        if let Err(reason) = offer.fits(&presented) {
            return refuse(reason);
        }
        match &self.stage {
            Stage::Live(_) => match self.unanswered(&presented, now, policy) {
                Some(None) => refuse(Reason::RetryDiffers),
                Some(Some(tokens)) => self.repeat_answer(tokens, presented.gate),
                None => Verdict::RefuseAndEnd { next: self.revoke(now), reason: Reason::CodeReplayed },
            },
            Stage::Pushed(_) | Stage::Waiting(_) | Stage::Offered(_) | Stage::Ended(_) => {
                self.go_live(presented, fresh, now, policy)
            }
        }
    }

    fn go_live(
        mut self,
        presented: CodeRedemption<'_>,
        fresh: FreshSecrets,
        now: DateTime<Utc>,
        policy: &Policy,
    ) -> Verdict {
        let issuance = match presented.gate.pass(self.granted()) {
            Ok(issuance) => issuance,
            Err(reason) => return refuse(reason),
        };
        self.bind(&issuance);
        let is_bound = self.confirmation().is_some();
        let (mut live, tokens) = Live::begin(&issuance, self.granted(), self.ends(), fresh, now, policy);
        let Stage::Offered(offer) = self.stage else {
            return refuse(Reason::CodeUnknown);
        };
        let Offer { code: offer, beside } = *offer;
        if let Some(mut beside) = beside {
            if is_bound {
                beside.keep_key(None);
            }
            live.access.follow(*beside);
        }
        let key = presented.bridge_key().filter(|_| !policy.leeway.is_zero());
        let bridge = key.map(|key| Bridge::over(&key, &tokens, TokenParameters::of(presented.gate)));
        let spent = Arc::new(Spent::Code(SpentCode { offer, bridge }));
        self.origin = self.origin.with(|origin| origin.spent = Some(spent));
        self.stage = Stage::Live(live);
        Verdict::Issue { next: self, tokens }
    }

    /// The tokens of the first response, if the server knows that it was never sent and none of them was
    /// used. `Some(None)` is a retry with other parameters, `None` a replay.
    fn unanswered(
        &self,
        presented: &CodeRedemption<'_>,
        now: DateTime<Utc>,
        policy: &Policy,
    ) -> Option<Option<Issued>> {
        let bridge = self.origin.spent_code()?.bridge.as_ref();
        let bridge = bridge.filter(|bridge| presented.unanswered && bridge.stands(now, policy))?;
        let key = presented.bridge_key()?;
        Some(bridge.cross(&key, &TokenParameters::of(presented.gate), now, policy))
    }
}
