//! Signed access tokens by their signatures (RFC 9068 section 4), without a question to anybody.

mod claims;
mod discovered;
mod fetched;
mod file;
mod key_source;
mod passed;

use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Access, GuardBuilder, TokenVerifier};
use crate::error::{Reason, Refusal};
use crate::jose::{Jws, JwsError, Unverified};
use crate::secret::Digest;
use crate::store::StoreError;
use crate::target::ResourceId;
use claims::Wire;
use passed::{Passed, PassedTokens, TokenDigest};

pub use discovered::DiscoveredKeys;
pub use fetched::FetchedKeys;
pub use file::FileKeys;
pub use key_source::{KeySource, StaticKeys, TrustedKeys};

/// Verifies the signed access tokens of one issuer. What is revoked passes until it expires: that is the price of
/// asking nobody.
///
/// A token that passed is remembered by its digest, so that its signature need not be checked again, which is most of the
/// work. All else is: its times, its audience, and that the key which signed it is still trusted.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use grantor::jose::{Algorithm, JwkSet, Signer as _, SigningKey};
/// use grantor::resource::{Guard, StaticKeys};
///
/// # let key = SigningKey::generate(Algorithm::EdDsa)?;
/// let published = JwkSet::new([key.key().clone()])?;
/// let guard = Guard::builder("https://api.example")
///     .jwks("https://as.example", StaticKeys::new(&published))
///     .build()?;
/// # Ok(())
/// # }
/// ```
pub struct JwtVerifier {
    issuer: String,
    keys: Box<dyn KeySource>,
    untyped: bool,
    passed: Option<PassedTokens>,
}

impl GuardBuilder {
    /// Believes the access tokens that this issuer signed with these keys.
    pub fn jwks(self, issuer: impl Into<String>, keys: impl KeySource + 'static) -> Self {
        self.verifier(JwtVerifier::new(issuer, keys))
    }
}

/// RFC 9068 section 2.1.
const ACCESS_TOKEN: &str = "at+jwt";

/// Tokens that are remembered.
const REMEMBERED: usize = 10_000;

impl JwtVerifier {
    /// The tokens of this issuer, by exactly this name, signed with one of these keys.
    #[must_use]
    pub fn new(issuer: impl Into<String>, keys: impl KeySource + 'static) -> Self {
        let passed = Some(PassedTokens::with_limit(REMEMBERED));
        Self { issuer: issuer.into(), keys: Box::new(keys), untyped: false, passed }
    }

    /// How many of the tokens that passed are remembered, about; by default 10,000, and none by 0. One takes a KiB, and
    /// one with larger claims counts for several, so it is a bound of the memory, too. The least used go first.
    #[must_use]
    pub fn remember(mut self, tokens: usize) -> Self {
        self.passed = (tokens > 0).then(|| PassedTokens::with_limit(tokens));
        self
    }

    /// Also takes tokens that do not say whether their subject is a user (`sub_type`, grantor's own claim): then it is
    /// the client where `sub` is `client_id`, and else a user.
    ///
    /// Only for an issuer whose clients can never be named as its users are, and whose tokens for clients
    /// have `sub` and `client_id` alike (RFC 9068 section 2.2): else a client passes as the user of its name.
    #[must_use]
    pub fn allow_untyped_subjects(mut self) -> Self {
        self.untyped = true;
        self
    }

    /// Every check, the signature first.
    async fn check(&self, token: &str, resource: &ResourceId, now: DateTime<Utc>) -> Result<Passed, Refusal> {
        let jws = Jws::parse(token).map_err(|_| Reason::TokenUnreadable)?;
        if !jws.has_typ(ACCESS_TOKEN) {
            return Err(Reason::TokenUnreadable.into());
        }
        let Signed { wire, key } = self.signed(&jws, now).await?;
        if wire.iss != self.issuer {
            return Err(Reason::TokenIssuerWrong.into());
        }
        if !wire.aud.names(resource.as_str()) {
            return Err(Reason::TokenAudienceWrong.into());
        }
        let validity = wire.validity();
        validity.check(now)?;
        if wire.cnf.is_some() {
            return Err(Reason::TokenBound.into());
        }
        let claims = wire.into_claims(resource, self.untyped).ok_or(Reason::TokenUnreadable)?;
        Ok(Passed { access: Access::of_claims(claims, resource), validity, key })
    }

    /// The checks of a token that has passed before; none if it has to pass all of them again.
    async fn check_again(
        &self,
        passed: Passed,
        resource: &ResourceId,
        now: DateTime<Utc>,
    ) -> Result<Option<Access>, Refusal> {
        let Passed { access, validity, key } = passed;
        if access.audience() != Some(resource) {
            return Ok(None);
        }
        let keys = self.keys.keys(false, now).await.map_err(unavailable)?;
        if !keys.as_slice().iter().any(|trusted| trusted.digest() == key) {
            return Ok(None);
        }
        validity.check(now)?;
        Ok(Some(access))
    }

    /// The claims under a signature of one of the keys. A key that is not there may be new: then the keys are asked for
    /// once more.
    async fn signed(&self, jws: &Unverified<'_>, now: DateTime<Utc>) -> Result<Signed, Refusal> {
        let keys = self.keys.keys(false, now).await.map_err(unavailable)?;
        match read(jws, &keys) {
            Err(Unread::KeyMissing) => {
                let fresh = self.keys.keys(true, now).await.map_err(unavailable)?;
                let read = if fresh.is(&keys) { Err(Unread::KeyMissing) } else { read(jws, &fresh) };
                read.map_err(|unread| match unread {
                    Unread::KeyMissing => Reason::TokenSignatureWrong.into(),
                    Unread::Refused(reason) => reason.into(),
                })
            }
            Err(Unread::Refused(reason)) => Err(reason.into()),
            Ok(signed) => Ok(signed),
        }
    }
}

#[async_trait]
impl TokenVerifier for JwtVerifier {
    async fn verify(
        &self,
        token: &str,
        resource: &ResourceId,
        now: DateTime<Utc>,
    ) -> Result<Access, Refusal> {
        let Some(remembered) = self.passed.as_ref().filter(|_| token.len() <= Jws::MAX_BYTES) else {
            return Ok(self.check(token, resource, now).await?.access);
        };
        let digest = TokenDigest::of(token);
        if let Some(passed) = remembered.find(&digest)
            && let Some(access) = self.check_again(passed, resource, now).await?
        {
            return Ok(access);
        }
        let passed = self.check(token, resource, now).await?;
        remembered.insert(digest, passed.clone());
        Ok(passed.access)
    }

    fn issuer(&self) -> Option<&str> {
        Some(&self.issuer)
    }
}

/// Claims, and the key that signed them.
struct Signed {
    wire: Wire,
    key: Digest,
}

enum Unread {
    /// A fresh key set may have the key.
    KeyMissing,
    Refused(Reason),
}

fn read(jws: &Unverified<'_>, keys: &TrustedKeys) -> Result<Signed, Unread> {
    // A token that names no key was tried with all of them.
    let may_be_new = |error| error == JwsError::UnknownKey || jws.kid().is_none();
    let verified = jws.verify(keys.as_slice()).map_err(|error| match may_be_new(error) {
        true => Unread::KeyMissing,
        false => Unread::Refused(Reason::TokenSignatureWrong),
    })?;
    let wire = verified.claims().map_err(|_| Unread::Refused(Reason::TokenUnreadable))?;
    Ok(Signed { wire, key: verified.key().digest() })
}

fn unavailable(_: StoreError) -> Refusal {
    Reason::IssuerUnavailable.into()
}

impl fmt::Debug for JwtVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtVerifier").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}
