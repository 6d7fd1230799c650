//! [`FetchedKeys`]: the key set that an issuer publishes, fetched and cached.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::kept::{Answer, DEADLINE, Freshness, NoAnswer, RemoteValue};
use super::key_source::{KeySource, TrustedKeys};
use crate::error::{BackendError, Refusal, RemoteError};
use crate::jose::JwkSet;
use crate::outbound::{self, ChosenBy, Outbound, OutboundRequest};

/// The key set at a URL, cached as its response says, within bounds.
///
/// One request fetches and the others use the cached set; they wait only if there is none. A token with an
/// unknown key causes another fetch, at most once in 5 seconds: forged tokens can delay the first use of a
/// new key by that much. If the issuer cannot be reached, or its response is not a key set, the last set is
/// used for another hour ([`stale_for`](Self::stale_for)), and after that the response is 503 until the
/// issuer is back. With a set without usable keys, no key is trusted.
pub struct FetchedKeys {
    url: String,
    chosen_by: ChosenBy,
    outbound: Box<dyn Outbound>,
    freshness: Freshness,
    kept: RemoteValue<TrustedKeys>,
}

impl FetchedKeys {
    /// The key set at this URL, the `jwks_uri` of the issuer's metadata.
    #[must_use]
    pub fn new(url: impl Into<String>, outbound: impl Outbound + 'static) -> Self {
        Self {
            url: url.into(),
            chosen_by: ChosenBy::Host,
            outbound: Box::new(outbound),
            freshness: Freshness::default(),
            kept: RemoteValue::default(),
        }
    }

    /// Sets who chose the URL. One that the host did not choose is fetched for an unknown key at most twice a
    /// minute.
    pub(crate) fn chosen_by(self, chosen_by: ChosenBy) -> Self {
        Self { chosen_by, kept: RemoteValue::renewed_every(TimeDelta::seconds(30)), ..self }
    }

    /// The longest time that a set counts as fresh, regardless of its response; by default an hour. A key
    /// that its issuer has withdrawn may be trusted for that long.
    #[must_use]
    pub fn max_age(mut self, longest: Duration) -> Self {
        self.freshness.longest = longest;
        self
    }

    /// How long a set that is no longer fresh is used while the issuer cannot be reached; by default another
    /// hour.
    #[must_use]
    pub fn stale_for(mut self, stale: Duration) -> Self {
        self.freshness.stale = stale;
        self
    }

    async fn fetch(&self, now: DateTime<Utc>) -> Result<Answer<TrustedKeys>, NoAnswer> {
        let request = OutboundRequest::get(self.url.as_str(), self.chosen_by)
            .header("accept", "application/jwk-set+json, application/json")
            .limits(JwkSet::MAX_BYTES, DEADLINE);
        let answer = outbound::ask(&*self.outbound, &request).await;
        let unusable = |flaw: String| RemoteError::unavailable("the keys", &self.url, flaw);
        let response = answer.map_err(|error| NoAnswer::of(error, unusable(error.to_string())))?;
        if response.status() != 200 {
            return Err(unusable(format!("status {}", response.status())).into());
        }
        let keys = TrustedKeys::parse(response.body()).map_err(|error| unusable(error.to_string()))?;
        Ok(self.freshness.of(keys, &response, now))
    }
}

#[async_trait]
impl KeySource for FetchedKeys {
    async fn keys(&self, unknown_kid: bool, now: DateTime<Utc>) -> Result<TrustedKeys, BackendError> {
        self.kept.latest(unknown_kid, now, self.fetch(now)).await.map_err(Refusal::into_backend_error)
    }
}

impl fmt::Debug for FetchedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchedKeys").field("url", &self.url).finish_non_exhaustive()
    }
}
