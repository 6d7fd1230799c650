//! [`Documents`]: looks on the shelf, and asks for what is not there.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::document::{lifetime, read, unanswered};
use super::shelf::{Kept, Shelf, Turn};
use super::{DocumentUrl, MetadataDocuments};
use crate::client::{Client, ClientId};
use crate::error::Reason;
use crate::outbound::{ChosenBy, OutboundRequest, ask};
use crate::policy::Rules;
use crate::server::in_time;

/// A document may have so many bytes (section 6.6 of the draft).
const MAX_DOCUMENT: usize = 5 * 1024;

/// All of an answer has come by then.
const DEADLINE: Duration = Duration::from_secs(3);

/// A request waits no longer than this, whoever asks for it.
const PATIENCE: Duration = Duration::from_secs(4);

/// The clients that documents make.
pub(crate) struct Documents {
    settings: MetadataDocuments,
    shelf: Shelf,
}

impl Documents {
    pub(crate) fn new(settings: MetadataDocuments) -> Self {
        Self { shelf: Shelf::new(settings.entries, settings.at_once), settings }
    }

    /// The client whose document is at this URL.
    pub(crate) async fn client(
        &self,
        id: &ClientId,
        now: DateTime<Utc>,
        rules: &Rules,
    ) -> Result<Arc<Client>, Reason> {
        if let Some(client) = self.shelf.fresh(id, now) {
            return Ok(client);
        }
        let url = DocumentUrl::parse(id)?;
        in_time(self.latest(id, url, now, rules), PATIENCE).await.unwrap_or(Err(Reason::DocumentTimeout))
    }

    async fn latest(
        &self,
        id: &ClientId,
        url: DocumentUrl<'_>,
        now: DateTime<Utc>,
        rules: &Rules,
    ) -> Result<Arc<Client>, Reason> {
        match self.shelf.turn(id, url.host(), now).await {
            Turn::Use(client) => Ok(client),
            Turn::Fail(reason) => Err(reason),
            Turn::Ask(asking) => asking.settle(self.fetch(id, now, rules).await, now),
        }
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
