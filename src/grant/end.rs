//! How a grant ends, as a whole or in parts.

use chrono::{DateTime, Utc};

use super::stage::{Ended, Stage};
use super::{Grant, Kind};
use crate::base::Secret;
use crate::base::secret::Fingerprint;
use crate::issuance::Policy;

impl Grant {
    /// Ends the grant and all that it issued. A second end changes nothing.
    #[must_use]
    pub fn revoke(self, now: DateTime<Utc>) -> Self {
        if self.is_ended() {
            return self;
        }
        let until = self.stage.lifetime().remembered_until(now);
        let origin = match self.origin.spent() {
            Some(_) => self.origin.with(|origin| origin.spent = None),
            None => self.origin,
        };
        Self { origin, stage: Stage::Ended(Ended { at: now, until }), ..self }
    }

    /// The grant without the stored responses that can no longer be repeated, because the leeway has passed.
    /// `None` if it has no such response.
    #[must_use]
    pub fn without_old_answers(mut self, now: DateTime<Utc>, policy: &Policy) -> Option<Self> {
        let Stage::Live(live) = &mut self.stage else {
            return None;
        };
        let is_old = self.origin.first_answer().is_some_and(|bridge| !bridge.stands(now, policy));
        if is_old {
            self.origin.forget_first_answer();
        }
        let renewed = live.family.as_mut().is_some_and(|family| family.forget_answer(now, policy));
        (is_old || renewed).then_some(self)
    }

    /// The grant after the revocation of one token (RFC 7009 section 2.1): revoking a refresh token, a code
    /// or a device code ends the whole grant, revoking an access token only that token. `None` if the grant
    /// has no such token.
    #[must_use]
    pub fn revoke_token(self, kind: Kind, presented: &Secret, now: DateTime<Utc>) -> Option<Self> {
        match kind {
            Kind::Access => self.without_access(presented.digest(kind.tag()).fingerprint(), now),
            Kind::Code | Kind::Refresh | Kind::Device | Kind::RequestUri => {
                self.stage.lifetime().holds(kind, presented).then(|| self.revoke(now))
            }
        }
    }

    /// The grant after the revocation of one access token; `None` if the token is not live.
    pub(crate) fn without_access(mut self, name: Fingerprint, now: DateTime<Utc>) -> Option<Self> {
        let live = match &mut self.stage {
            Stage::Live(live) => live,
            // Only the token beside the code ends; the code stays valid.
            Stage::Offered(offer) => return offer.beside.as_mut()?.remove(name, now).then_some(self),
            Stage::Pushed(_) | Stage::Waiting(_) | Stage::Ended(_) => return None,
        };
        if !live.access.remove(name, now) {
            return None;
        }
        let nothing_left = live.family.is_none() && live.access.is_empty();
        Some(if nothing_left { self.revoke(now) } else { self })
    }
}
