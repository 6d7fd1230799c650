//! [`FetchedKeys`]: the key set that an issuer publishes, fetched and kept.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::kept::{Answer, DEADLINE, Freshness, RemoteValue};
use super::key_source::{KeySource, TrustedKeys};
use crate::error::BackendError;
use crate::error::Reason;
use crate::jose::JwkSet;
use crate::outbound::{self, ChosenBy, Outbound, OutboundRequest};

/// The key set at an address, kept for as long as its answer says, within bounds.
///
/// One request fetches and the others go on with what is there; they wait only if there is nothing. A token that
/// names an unknown key has it fetched again, at most once in 5 seconds: made-up tokens can delay by that much the first
/// use of a key that its issuer put up in an emergency. If the issuer cannot be reached, or
/// answers with something that is no key set, the last set is used for another hour
/// ([`stale_for`](Self::stale_for)), and after that the answer is 503 until the issuer is back. A set without usable
/// keys is taken at its word: no key is trusted.
pub struct FetchedKeys {
    url: String,
    chosen_by: ChosenBy,
    outbound: Box<dyn Outbound>,
    freshness: Freshness,
    kept: RemoteValue<TrustedKeys>,
}

impl FetchedKeys {
    /// The key set at this address, the `jwks_uri` of the issuer's metadata.
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

    /// The same, where somebody else than the host chose the address; it is asked for an unknown key twice a minute at most.
    pub(crate) fn chosen_by(self, chosen_by: ChosenBy) -> Self {
        Self { chosen_by, kept: RemoteValue::renewed_every(TimeDelta::seconds(30)), ..self }
    }

    /// The longest time that a set counts as fresh, whatever its answer says; by default an hour. That is how long a key may still
    /// be trusted that its issuer has withdrawn.
    #[must_use]
    pub fn max_age(mut self, longest: Duration) -> Self {
        self.freshness.longest = longest;
        self
    }

    /// How long a set that is no longer fresh is used while the issuer cannot be reached; by default another hour.
    #[must_use]
    pub fn stale_for(mut self, stale: Duration) -> Self {
        self.freshness.stale = stale;
        self
    }

    async fn fetch(&self, now: DateTime<Utc>) -> Result<Answer<TrustedKeys>, Reason> {
        let request = OutboundRequest::get(self.url.as_str(), self.chosen_by)
            .header("accept", "application/jwk-set+json, application/json")
            .limits(JwkSet::MAX_BYTES, DEADLINE);
        let answer = outbound::ask(&*self.outbound, &request).await;
        let response = answer.ok().filter(|response| response.status() == 200);
        let response = response.ok_or(Reason::IssuerUnavailable)?;
        let keys = TrustedKeys::parse(response.body()).map_err(|_| Reason::IssuerUnavailable)?;
        Ok(self.freshness.of(keys, &response, now))
    }
}

#[async_trait]
impl KeySource for FetchedKeys {
    async fn keys(&self, unknown_kid: bool, now: DateTime<Utc>) -> Result<TrustedKeys, BackendError> {
        self.kept.latest(unknown_kid, now, self.fetch(now)).await.map_err(BackendError::transient)
    }
}

impl fmt::Debug for FetchedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchedKeys").field("url", &self.url).finish_non_exhaustive()
    }
}
