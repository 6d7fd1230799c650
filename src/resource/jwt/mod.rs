//! Verifies signed access tokens locally (RFC 9068 section 4), without asking a server.

mod claims;
mod discovered;
mod leniency;
mod verified_cache;

use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::token_claims::TokenClaims;
use super::{Access, GuardBuilder, TokenVerifier};
use crate::base::ResourceId;
use crate::error::{Reason, Refusal};
use crate::jose::{Jws, Unverified};
use crate::signing::ACCESS_TOKEN;
use crate::trust::{KeySource, SignatureMissing, Signed, signed_claims};
use claims::{is_of_another_kind, required};
use leniency::Leniencies;
use verified_cache::{TokenDigest, VerifiedToken, VerifiedTokenCache};

pub use discovered::DiscoveredKeys;
pub use leniency::Leniency;

/// Verifies the signed access tokens of one issuer. A revoked token passes until it expires: that is the
/// price of local verification.
///
/// A verified token is cached by its digest, so its signature, which is most of the work, need not be checked
/// again. Everything else is: its times, its audience, and that the signing key is still trusted.
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
    lenient: Leniencies,
    /// The issuer's name for the resource, if it is not its URL.
    audience: Option<String>,
    passed: Option<VerifiedTokenCache>,
}

impl GuardBuilder {
    /// Accepts the access tokens that this issuer signed with these keys.
    pub fn jwks(self, issuer: impl Into<String>, keys: impl KeySource + 'static) -> Self {
        self.verifier(JwtVerifier::new(issuer, keys))
    }
}

/// The default number of cached tokens.
const REMEMBERED: usize = 10_000;

impl JwtVerifier {
    /// Accepts tokens of exactly this issuer that one of these keys signed.
    #[must_use]
    pub fn new(issuer: impl Into<String>, keys: impl KeySource + 'static) -> Self {
        let passed = Some(VerifiedTokenCache::with_limit(REMEMBERED));
        Self {
            issuer: issuer.into(),
            keys: Box::new(keys),
            lenient: Leniencies::default(),
            audience: None,
            passed,
        }
    }

    /// Roughly how many verified tokens are cached; by default 10,000; 0 disables the cache. One takes a KiB,
    /// and one with larger claims counts as several, so this also bounds the memory. The least used are
    /// evicted first.
    #[must_use]
    pub fn remember(mut self, tokens: usize) -> Self {
        self.passed = (tokens > 0).then(|| VerifiedTokenCache::with_limit(tokens));
        self
    }

    /// Also accepts tokens that differ from RFC 9068 in these ways, for issuers other than grantor. Read what
    /// each one gives up.
    ///
    /// ```
    /// # use grantor::resource::{JwtVerifier, KeySource, Leniency};
    /// # fn verifier(keys: impl KeySource + 'static) -> JwtVerifier {
    /// JwtVerifier::new("https://keycloak.example/realms/main", keys).allow(Leniency::KEYCLOAK)
    /// # }
    /// ```
    #[must_use]
    pub fn allow(mut self, leniencies: &[Leniency]) -> Self {
        leniencies.iter().for_each(|leniency| self.lenient.add(*leniency));
        self
    }

    /// [`Leniency::UntypedSubjects`]: also takes tokens that do not say whether their subject is a user.
    #[must_use]
    pub fn allow_untyped_subjects(self) -> Self {
        self.allow(&[Leniency::UntypedSubjects])
    }

    /// The `aud` of this issuer's tokens for the resource, if it is not its URL: an "API identifier" of
    /// Auth0, or the client id of the API at Entra ID. A token with the URL is then refused.
    ///
    /// Every guard with this verifier accepts tokens with that `aud`, so give each resource its own verifier.
    #[must_use]
    pub fn audience(mut self, name: impl Into<String>) -> Self {
        self.audience = Some(name.into());
        self
    }

    /// Every check, the signature first.
    async fn check(
        &self,
        token: &str,
        resource: &ResourceId,
        now: DateTime<Utc>,
    ) -> Result<VerifiedToken, Refusal> {
        let jws = Jws::parse(token).map_err(|_| Reason::TokenUnreadable)?;
        let is_typed = jws.has_typ(ACCESS_TOKEN);
        let is_plain = jws.is_untyped() || jws.has_typ("JWT");
        if !(is_typed || is_plain && self.lenient.plain_type) {
            return Err(Reason::TokenUnreadable.into());
        }
        let Signed { mut claims, key } = self.signed(&jws, now).await?;
        let required = required(&claims).ok_or(Reason::TokenUnreadable)?;
        if !is_typed && is_of_another_kind(&claims) {
            return Err(Reason::TokenUnreadable.into());
        }
        if required.iss != self.issuer {
            return Err(Reason::TokenIssuerWrong.into());
        }
        if !required.aud.names(self.audience.as_deref().unwrap_or(resource.as_str())) {
            return Err(Reason::TokenAudienceWrong.into());
        }
        let validity = required.validity;
        validity.check(now)?;
        claims.confirmation()?;
        self.lenient.apply(&mut claims).ok_or(Reason::TokenUnreadable)?;
        let claims = claims.complete(resource).ok_or(Reason::TokenUnreadable)?;
        Ok(VerifiedToken { access: Access::of_claims(claims, resource), validity, key })
    }

    /// The remaining checks of a cached token; `None` if it needs all of them again.
    async fn check_again(
        &self,
        passed: VerifiedToken,
        resource: &ResourceId,
        now: DateTime<Utc>,
    ) -> Result<Option<Access>, Refusal> {
        let VerifiedToken { access, validity, key } = passed;
        if access.audience() != Some(resource) {
            return Ok(None);
        }
        let keys = self.keys.keys(false, now).await.map_err(Refusal::of_key_source)?;
        if !keys.as_slice().iter().any(|trusted| trusted.digest() == key) {
            return Ok(None);
        }
        validity.check(now)?;
        Ok(Some(access))
    }

    async fn signed(&self, jws: &Unverified<'_>, now: DateTime<Utc>) -> Result<Signed<TokenClaims>, Refusal> {
        signed_claims(&*self.keys, jws, now).await.map_err(|missing| match missing {
            SignatureMissing::NoKey | SignatureMissing::Wrong => Reason::TokenSignatureWrong.into(),
            SignatureMissing::Claims => Reason::TokenUnreadable.into(),
            SignatureMissing::KeysUnavailable(error) => Refusal::of_key_source(error),
        })
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

impl fmt::Debug for JwtVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtVerifier").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}
