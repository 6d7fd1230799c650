//! What goes to the browser at once: beside a code (OpenID Connect Core section 3.3), or in its place
//! (section 3.2).

use chrono::{DateTime, Utc};

use super::access::{AccessRecord, Issued, LiveTokens};
use super::stage::{Ended, Lifetime, Stage};
use super::{Grant, Kind, PendingCode, end_of};
use crate::base::{Authentication, FreshSecrets, GrantId, RightsRef, Secret};
use crate::issuance::{Granted, Issuance, Policy};

/// A code that is out, and what went with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) code: PendingCode,
    /// There, if something went with the code: an access token, or an `id_token`, which leaves no record.
    /// Boxed, for it is rare.
    pub(super) beside: Option<Box<LiveTokens>>,
}

impl Grant {
    /// A grant whose code is out, and an `id_token` with it.
    pub(crate) fn offer_beside_id_token(
        issuance: Issuance,
        authentication: Authentication,
        code: PendingCode,
        fresh: &FreshSecrets,
        now: DateTime<Utc>,
        policy: &Policy,
    ) -> Self {
        let stage = Stage::Offered(Box::new(Offer { code, beside: Some(Box::default()) }));
        Self::new(issuance, Some(authentication), stage, fresh.grant, now, policy)
    }

    /// A grant whose code is out, and an access token with it, which another issuance permits.
    pub(crate) fn offer_beside_token(
        issuance: Issuance,
        beside: &Issuance,
        authentication: Authentication,
        code: PendingCode,
        fresh: FreshSecrets,
        now: DateTime<Utc>,
        policy: &Policy,
    ) -> (Self, Issued) {
        let FreshSecrets { grant: id, second: secret, .. } = fresh;
        let ends = end_of(&issuance, now, policy);
        // The grant loses the key of its code at the redemption, and the token keeps it: so it has a record
        // of its own.
        let rights = RightsRef { confirmation: None, ..issuance.rights.as_ref() };
        let granted = Granted { rights, ..issuance.granted() };
        let record = AccessRecord::new(&secret, beside, granted, ends, now, policy);
        let tokens = Issued::of(&record, beside, secret, None, policy);
        let offer = Offer { code, beside: Some(Box::new(LiveTokens::of(record))) };
        let stage = Stage::Offered(Box::new(offer));
        (Self::new(issuance, Some(authentication), stage, id, now, policy), tokens)
    }

    /// The grant of an `id_token` alone. Nothing of it can be used, so it is over; a logout finds its
    /// session.
    pub(crate) fn identify(
        issuance: Issuance,
        authentication: Authentication,
        id: GrantId,
        now: DateTime<Utc>,
        policy: &Policy,
    ) -> Self {
        let stage = Stage::Ended(Ended { at: now, until: now });
        Self::new(issuance, Some(authentication), stage, id, now, policy)
    }
}

impl From<PendingCode> for Offer {
    fn from(code: PendingCode) -> Self {
        Self { code, beside: None }
    }
}

impl Lifetime for Offer {
    fn expires(&self) -> DateTime<Utc> {
        let code = self.code.expires;
        self.beside.as_ref().map_or(code, |tokens| code.max(tokens.expires()))
    }

    fn latest_expiry(&self, ends: DateTime<Utc>) -> DateTime<Utc> {
        ends
    }

    fn holds(&self, kind: Kind, presented: &Secret) -> bool {
        self.code.is(kind, presented)
    }
}
