//! Refresh tokens: one successor each, kind to a lost answer, merciless to a late replay.
//!
//! ```text
//!   R0 ──use──▶ R1 ──use──▶ R2      R2 is current, R1 its predecessor, R0 older
//!
//!   R1 again, while R2 is unused and the leeway runs   the very same tokens again, over the bridge
//!   R1 again, after the leeway                         a replay: the family ends
//!   R0 again, within the leeway after R1's use         refused, nothing ends
//!   R0 again, later                                    a replay: the family ends
//! ```

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::access::{AccessRecord, Issued};
use super::{Grant, Kind, Live, Stage, Verdict, refuse};
use crate::details::AuthorizationDetails;
use crate::error::Reason;
use crate::flow::Gate;
use crate::mint::Mint;
use crate::policy::{Policy, after};
use crate::scope::Scope;
use crate::secret::{Digest, Masked, Secret};
use crate::signing::AccessTokens;
use crate::target::{ResourceId, Targets};

/// The digests of this many spent refresh tokens are kept, so that late replays are recognised.
pub const MAX_SPENT_REFRESH_TOKENS: usize = 32;

/// The refresh tokens of a grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Family {
    current: Digest,
    /// Whether each use replaces the token.
    rotates: bool,
    /// The current token dies then, if it is not used before; never after the grant's absolute end.
    #[serde(with = "chrono::serde::ts_seconds")]
    pub(super) idle_until: DateTime<Utc>,
    /// The latest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    spent: Vec<Spent>,
    /// From the latest spent token to the current one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bridge: Option<Bridge>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spent {
    digest: Digest,
    #[serde(with = "chrono::serde::ts_seconds")]
    at: DateTime<Utc>,
}

/// What a refresh asked for; a retry has to ask for the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefreshAsk {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<Scope>,
    #[serde(default, skip_serializing_if = "Targets::is_empty")]
    targets: Targets,
    #[serde(default, skip_serializing_if = "AuthorizationDetails::is_empty")]
    details: AuthorizationDetails,
}

impl RefreshAsk {
    pub(super) fn of(gate: &Gate<'_>) -> Self {
        Self {
            scope: gate.asked_scope().cloned(),
            targets: gate.asked_targets().clone(),
            details: gate.asked_details().clone(),
        }
    }
}

/// An answer that may have been lost: the new secrets, each under a pad that only the old secret makes.
/// Whoever reads the store learns nothing from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bridge {
    access: Masked,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh: Option<Masked>,
    scope: Scope,
    #[serde(default, skip_serializing_if = "AuthorizationDetails::is_empty")]
    details: AuthorizationDetails,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    audience: Option<ResourceId>,
    #[serde(with = "chrono::serde::ts_seconds")]
    access_expires: DateTime<Utc>,
    ask: RefreshAsk,
    /// When the answer was given; it may be repeated for as long as the leeway after that.
    #[serde(with = "chrono::serde::ts_seconds")]
    at: DateTime<Utc>,
}

/// One pad for each secret, each used once.
const ACCESS_PAD: &str = "grantor:bridge-access:v1";
const REFRESH_PAD: &str = "grantor:bridge-refresh:v1";

impl Bridge {
    pub(super) fn over(old: &Secret, tokens: &Issued, ask: RefreshAsk) -> Self {
        let refresh = tokens.refresh.as_ref();
        Self {
            access: Masked::hide(&tokens.access, old, ACCESS_PAD),
            refresh: refresh.map(|secret| Masked::hide(secret, old, REFRESH_PAD)),
            scope: tokens.scope.clone(),
            details: tokens.details.clone(),
            audience: tokens.audience.clone(),
            access_expires: tokens.expires,
            ask,
            at: tokens.issued,
        }
    }

    /// Whether the leeway still runs.
    pub(super) fn stands(&self, now: DateTime<Utc>, policy: &Policy) -> bool {
        now <= after(self.at, policy.leeway)
    }

    /// The very same tokens, for the same question, in time.
    pub(super) fn cross(
        &self,
        old: &Secret,
        ask: &RefreshAsk,
        now: DateTime<Utc>,
        policy: &Policy,
    ) -> Option<Issued> {
        (self.stands(now, policy) && self.ask == *ask).then(|| Issued {
            access: self.access.reveal(old, ACCESS_PAD),
            issued: self.at,
            expires: self.access_expires,
            scope: self.scope.clone(),
            details: self.details.clone(),
            audience: self.audience.clone(),
            format: AccessTokens::default(),
            unrecorded: false,
            refresh: self.refresh.map(|masked| masked.reveal(old, REFRESH_PAD)),
        })
    }
}

/// A refresh token as a client presents it.
#[derive(Debug)]
#[non_exhaustive]
pub struct RefreshUse<'a> {
    /// The half of the token that proves it.
    pub secret: &'a Secret,
    /// The one way to tokens.
    pub gate: &'a Gate<'a>,
}

impl Family {
    pub(super) fn new(
        secret: &Secret,
        rotates: bool,
        grant_ends: DateTime<Utc>,
        now: DateTime<Utc>,
        policy: &Policy,
    ) -> Self {
        Self {
            current: secret.digest(Kind::Refresh.tag()),
            rotates,
            idle_until: after(now, policy.refresh_token_idle).min(grant_ends),
            spent: Vec::new(),
            bridge: None,
        }
    }

    pub(super) fn is_current(&self, presented: &Secret) -> bool {
        self.current.matches(&presented.digest(Kind::Refresh.tag()))
    }

    /// Whether it is the current token or a spent one.
    pub(super) fn knows(&self, digest: &Digest) -> bool {
        self.current.matches(digest) || self.spent.iter().any(|s| s.digest.matches(digest))
    }

    /// Makes `next` the current token and keeps the presented one among the spent.
    fn rotate(&mut self, next: &Secret, bridge: Bridge, now: DateTime<Utc>) {
        if self.spent.len() == MAX_SPENT_REFRESH_TOKENS {
            self.spent.remove(0);
        }
        self.spent.push(Spent { digest: self.current, at: now });
        self.current = next.digest(Kind::Refresh.tag());
        self.bridge = Some(bridge);
    }

    /// What a token is that is not the current one.
    fn judge_spent(
        &self,
        digest: &Digest,
        presented: &RefreshUse<'_>,
        now: DateTime<Utc>,
        policy: &Policy,
    ) -> Presented {
        let Some(at) = self.spent.iter().position(|s| s.digest.matches(digest)) else {
            return Presented::Unknown;
        };
        // The successor of all but the latest was used when it became spent itself.
        if let Some(successor) = self.spent.get(at + 1) {
            return match now <= after(successor.at, policy.leeway) {
                true => Presented::Late,
                false => Presented::Replay,
            };
        }
        let ask = RefreshAsk::of(presented.gate);
        match &self.bridge {
            Some(bridge) if !bridge.stands(now, policy) => Presented::Replay,
            Some(bridge) => match bridge.cross(presented.secret, &ask, now, policy) {
                Some(tokens) => Presented::Retry(tokens),
                None => Presented::Different,
            },
            None => Presented::Replay,
        }
    }
}

enum Presented {
    Unknown,
    Retry(Issued),
    Different,
    Late,
    Replay,
}

impl Grant {
    /// Renews the tokens of a grant; see the module's picture for what a spent token gets.
    pub fn rotate_refresh(
        self,
        presented: RefreshUse<'_>,
        mint: Mint,
        now: DateTime<Utc>,
        policy: &Policy,
    ) -> Verdict {
        let digest = presented.secret.digest(Kind::Refresh.tag());
        let family = match &self.stage {
            Stage::Live(Live { family: Some(family), .. }) => family,
            Stage::Live(_) | Stage::Waiting(_) | Stage::Offered(_) => return refuse(Reason::RefreshUnknown),
            Stage::Ended(_) => return refuse(Reason::GrantEnded),
        };
        if !family.knows(&digest) {
            return refuse(Reason::RefreshUnknown);
        }
        if self.client != *presented.gate.client().id() {
            return refuse(Reason::RefreshForAnotherClient);
        }
        if family.idle_until <= now {
            return refuse(Reason::RefreshExpired);
        }
        if family.current.matches(&digest) {
            return self.renew(&presented, mint, now, policy);
        }
        match family.judge_spent(&digest, &presented, now, policy) {
            Presented::Retry(tokens) => match presented.gate.pass(self.granted()) {
                Ok(issuance) => Verdict::Repeat { grant: self, tokens: tokens.written_as(issuance.format) },
                Err(reason) => refuse(reason),
            },
            Presented::Different => refuse(Reason::RetryDiffers),
            Presented::Late => refuse(Reason::RefreshSuperseded),
            Presented::Replay => {
                let next = self.revoke(now);
                Verdict::RefuseAndEnd { next, reason: Reason::RefreshReplayed }
            }
            Presented::Unknown => refuse(Reason::RefreshUnknown),
        }
    }

    fn renew(
        mut self,
        presented: &RefreshUse<'_>,
        mint: Mint,
        now: DateTime<Utc>,
        policy: &Policy,
    ) -> Verdict {
        let issuance = match presented.gate.pass(self.granted()) {
            Ok(issuance) => issuance,
            Err(reason) => return refuse(reason),
        };
        let record = AccessRecord::new(&mint.first, &issuance, self.granted(), self.ends, now, policy);
        let Stage::Live(live) = &mut self.stage else {
            return refuse(Reason::RefreshUnknown);
        };
        live.forget_first_answer();
        let Some(family) = &mut live.family else {
            return refuse(Reason::RefreshUnknown);
        };
        let idle_until = after(now, policy.refresh_token_idle).min(self.ends);
        family.idle_until = idle_until;
        let next = if family.rotates { mint.second } else { presented.secret.duplicate() };
        let tokens = Issued::of(&record, &issuance, mint.first, Some(next), policy);
        live.access.add(record, now);
        if let (true, Some(next)) = (family.rotates, &tokens.refresh) {
            let ask = RefreshAsk::of(presented.gate);
            let bridge = Bridge::over(presented.secret, &tokens, ask);
            family.rotate(next, bridge, now);
        }
        Verdict::Issue { next: self, tokens }
    }
}
