//! [`Stage`]: where a grant is in its life, and what every stage can be asked.

use chrono::{DateTime, Utc};

use super::Kind;
use super::access::{AccessRecord, Issued, LiveTokens};
use super::device::Waiting;
use super::front_channel::Offer;
use super::pushed::Pushed;
use super::refresh::Family;
use crate::base::{FreshSecrets, Secret};
use crate::issuance::{Granted, Issuance, Policy};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// A pushed request; its user has not approved it yet.
    Pushed(Box<Pushed>),
    /// A user code is out. No user has answered yet, or the device has not fetched the answer.
    Waiting(Box<Waiting>),
    /// A code is out, and has not been redeemed.
    Offered(Box<Offer>),
    /// Tokens are out.
    Live(Live),
    /// Ended. Kept so that a replay is recognised as one, and not just as an unknown token.
    Ended(Ended),
}

#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Live {
    pub(super) family: Option<Box<Family>>,
    pub(super) access: LiveTokens,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) at: DateTime<Utc>,
    /// Until then, something that the grant issued may still be presented.
    pub(super) until: DateTime<Utc>,
}

/// The questions that every stage answers, each in a file of its own.
pub(super) trait Lifetime {
    /// When the record can be purged.
    fn expires(&self) -> DateTime<Utc>;

    /// The upper bound of [`expires`](Self::expires), except for a write that reindexes. `ends` is the
    /// absolute end of the grant.
    fn latest_expiry(&self, ends: DateTime<Utc>) -> DateTime<Utc> {
        let _ = ends;
        self.expires()
    }

    /// Whether one of its codes or tokens can still be used.
    fn is_live(&self, now: DateTime<Utc>) -> bool {
        now < self.expires()
    }

    /// If the grant ended now, the time until which one of its tokens may still be presented.
    fn remembered_until(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let _ = now;
        self.expires()
    }

    /// Whether the grant has this code or token, whose revocation ends the whole grant.
    fn holds(&self, kind: Kind, presented: &Secret) -> bool;
}

impl Stage {
    /// The stage as a [`Lifetime`].
    pub(super) fn lifetime(&self) -> &dyn Lifetime {
        match self {
            Self::Pushed(pushed) => &**pushed,
            Self::Waiting(waiting) => &**waiting,
            Self::Offered(offer) => &**offer,
            Self::Live(live) => live,
            Self::Ended(ended) => ended,
        }
    }

    /// The access tokens, if any are out.
    pub(super) fn tokens(&self) -> Option<&LiveTokens> {
        match self {
            Self::Live(live) => Some(&live.access),
            Self::Offered(offer) => offer.beside.as_deref(),
            Self::Pushed(_) | Self::Waiting(_) | Self::Ended(_) => None,
        }
    }
}

impl Live {
    /// The first tokens of a grant.
    pub(super) fn begin(
        issuance: &Issuance,
        granted: Granted<'_>,
        ends: DateTime<Utc>,
        fresh: FreshSecrets,
        now: DateTime<Utc>,
        policy: &Policy,
    ) -> (Self, Issued) {
        let record = AccessRecord::new(&fresh.first, issuance, granted, ends, now, policy);
        let refresh = issuance.refreshable.then_some(fresh.second);
        let family = refresh.as_ref().map(|secret| {
            let rotates = issuance.client.rotates_refresh();
            Box::new(Family::new(secret, rotates, ends, now, policy))
        });
        let tokens = Issued::of(&record, issuance, fresh.first, refresh, policy);
        (Self { family, access: LiveTokens::of(record) }, tokens)
    }
}

impl Lifetime for Live {
    fn expires(&self) -> DateTime<Utc> {
        let tokens = self.access.expires();
        match &self.family {
            Some(family) => tokens.max(family.idle_until),
            None => tokens,
        }
    }

    fn latest_expiry(&self, ends: DateTime<Utc>) -> DateTime<Utc> {
        match self.family {
            Some(_) => ends,
            None => self.expires(),
        }
    }

    fn remembered_until(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        self.access.expires().max(now)
    }

    fn holds(&self, kind: Kind, presented: &Secret) -> bool {
        kind == Kind::Refresh && self.family.as_ref().is_some_and(|family| family.knows(presented))
    }
}

impl Lifetime for Ended {
    fn expires(&self) -> DateTime<Utc> {
        self.until
    }

    fn is_live(&self, _: DateTime<Utc>) -> bool {
        false
    }

    fn holds(&self, _: Kind, _: &Secret) -> bool {
        false
    }
}
