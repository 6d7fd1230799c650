//! [`Documents`]: answers from the cache, and fetches what is not in it.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::cache::{DocumentCache, Kept, Limits, Lookup, Requester};
use super::document::{lifetime, read, unanswered};
use super::{DocumentUrl, MetadataDocuments};
use crate::base::time::in_time;
use crate::client::{Client, ClientId};
use crate::error::{Reason, Refusal};
use crate::issuance::Rules;
use crate::outbound::{ChosenBy, OutboundRequest, ask};

/// The most bytes of a document (section 6.6 of the draft).
const MAX_DOCUMENT: usize = 5 * 1024;

/// How long a whole response may take.
const DEADLINE: Duration = Duration::from_secs(3);

/// How long a request waits for its own or another request's fetch.
const PATIENCE: Duration = Duration::from_secs(4);

/// The clients that are identified by metadata documents.
pub(crate) struct Documents {
    settings: MetadataDocuments,
    cache: DocumentCache,
}

impl Documents {
    pub(crate) fn new(settings: MetadataDocuments) -> Self {
        let MetadataDocuments { entries, at_once, per_minute, .. } = settings;
        Self { cache: DocumentCache::new(Limits { entries, at_once, per_minute }), settings }
    }

    /// The client whose document is at this URL.
    pub(crate) async fn client(
        &self,
        id: &ClientId,
        requester: Requester,
        now: DateTime<Utc>,
        rules: &Rules,
    ) -> Result<Arc<Client>, Refusal> {
        if let Some(client) = self.cache.fresh(id, now) {
            return Ok(client);
        }
        let url = DocumentUrl::parse(id)?;
        let latest = pin!(self.latest(id, url, requester, now, rules));
        in_time(latest, PATIENCE).await.unwrap_or(Err(Reason::DocumentTimeout.into()))
    }

    async fn latest(
        &self,
        id: &ClientId,
        url: DocumentUrl<'_>,
        requester: Requester,
        now: DateTime<Utc>,
        rules: &Rules,
    ) -> Result<Arc<Client>, Refusal> {
        match self.cache.lookup(id, url.host(), requester, now).await {
            Lookup::Use(client) => Ok(client),
            Lookup::Fail(refusal) => Err(refusal),
            Lookup::Fetch(in_flight) => Ok(in_flight.settle(self.fetch(id, now, rules).await, now)?),
        }
    }

    /// Whether this client counts as a stranger: no grant of it is remembered.
    pub(crate) fn is_unknown(&self, id: &ClientId, now: DateTime<Utc>) -> bool {
        self.cache.is_unknown(id, now)
    }

    /// Records that this client has a grant of a user.
    pub(crate) fn led_to_grant(&self, id: &ClientId, now: DateTime<Utc>) {
        self.cache.led_to_grant(id, now);
    }

    async fn fetch(&self, id: &ClientId, now: DateTime<Utc>, rules: &Rules) -> Result<Kept, Reason> {
        let request = OutboundRequest::get(id.as_str(), ChosenBy::Client)
            .header("accept", "application/json")
            .limits(MAX_DOCUMENT, DEADLINE);
        let answer = ask(&*self.settings.outbound, &request).await.map_err(unanswered)?;
        let client = Arc::new(read(id, &answer, &self.settings, rules)?);
        let (fresh_until, stale_until) = lifetime(&answer, &self.settings, now);
        Ok(Kept { client, fresh_until, stale_until })
    }
}

impl fmt::Debug for Documents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Documents").field("settings", &self.settings).finish_non_exhaustive()
    }
}
