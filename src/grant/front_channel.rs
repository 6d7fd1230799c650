//! Tokens that the authorization response itself carries: beside a code (OpenID Connect Core section 3.3), or
//! instead of one (section 3.2).

use chrono::{DateTime, Utc};

use super::access::{AccessRecord, Issued, LiveTokens};
use super::stage::{Ended, Lifetime, Stage};
use super::{Grant, Kind, PendingCode, end_of};
use crate::base::{Authentication, FreshSecrets, GrantId, RightsRef, Secret};
use crate::issuance::{Granted, Issuance, Policy};

/// A code that has not been redeemed, and the tokens that were sent beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) code: PendingCode,
    /// Present if an access token or an `id_token` was sent beside the code; an `id_token` leaves no record
    /// in it. Boxed, because it is rare.
    pub(super) beside: Option<Box<LiveTokens>>,
}

impl Grant {
    /// A grant whose response has a code and an `id_token`.
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

    /// A grant whose response has a code and an access token; the token has an issuance of its own.
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
        // The grant can lose the key of its code at the redemption, but the token keeps it. So the record of
        // the token has the key itself.
        let rights = RightsRef { confirmation: None, ..issuance.rights.as_ref() };
        let granted = Granted { rights, ..issuance.granted() };
        let record = AccessRecord::new(&secret, beside, granted, ends, now, policy);
        let tokens = Issued::of(&record, beside, secret, None, policy);
        let offer = Offer { code, beside: Some(Box::new(LiveTokens::of(record))) };
        let stage = Stage::Offered(Box::new(offer));
        (Self::new(issuance, Some(authentication), stage, id, now, policy), tokens)
    }

    /// The grant of an `id_token` alone. It has nothing that can be used, so it begins as ended; it exists so
    /// that a logout finds its session.
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
