//! [`RequestCheck`]: the steps of a guard that do not depend on who checks the token.

use chrono::{DateTime, Utc};

use super::key_check::{KeyCheck, Target};
use super::requirement::Implied;
use super::{Access, Requirement};
use crate::audit::{Audit, Endpoint, Event, EventKind};
use crate::error::{Reason, Refusal};
use crate::http::Request;
use crate::http::bearer::{Presented, presented_by};
use crate::trust::Proven;

/// A request for a resource, and what it needs there. The token is checked between
/// [`presented`](Self::presented) and [`proven`](Self::proven).
#[derive(Clone, Copy)]
pub(crate) struct RequestCheck<'a> {
    pub(crate) request: &'a Request,
    pub(crate) needed: &'a Requirement,
    pub(crate) implied: &'a Implied,
    pub(crate) keys: &'a KeyCheck,
    pub(crate) at: Target<'a>,
}

impl<'a> RequestCheck<'a> {
    /// The token to check.
    pub(crate) fn presented(self) -> Result<Presented<'a>, Reason> {
        self.needed.check_itself()?;
        presented_by(self.request, self.keys.schemes())
    }

    /// The proof to use up, if there is one, of a request that meets the requirement.
    pub(crate) fn proven(
        self,
        presented: Presented<'_>,
        access: &Access,
        now: DateTime<Utc>,
    ) -> Result<Option<Proven>, Reason> {
        let proven = self.keys.check(self.request, presented, access, self.at, now)?;
        self.needed.check(access, self.implied, now)?;
        Ok(proven)
    }
}

/// The reason, and the access if the token was valid.
pub(crate) type Refused = (Refusal, Option<Box<Access>>);

/// Audits a refused request, with the access if the token was valid.
pub(crate) fn record_refusal(audit: &dyn Audit, refusal: &Refusal, access: Option<&Access>) {
    let reason = refusal.reason();
    let what = if reason.status() >= 500 { EventKind::Failed(reason) } else { EventKind::Refused(reason) };
    audit.record(&Event {
        client: access.map(Access::client),
        grant: access.and_then(Access::grant_id),
        subject: access.map(Access::subject),
        cause: refusal.cause().map(|cause| cause as _),
        ..Event::new(what, Endpoint::Resource)
    });
}
