//! Refresh tokens: one successor each, tolerant of a lost response, strict on a late replay.
//!
//! ```text
//!   R0 ──use──▶ R1 ──use──▶ R2      R2 is current, R1 its predecessor, R0 older
//! ```
//!
//! The answers to a spent token. The leeway counts from the token's *own* first use, which a thief cannot
//! choose, and its end is exclusive: with a [leeway](crate::Policy::leeway) of 0 only the last row applies.
//!
//! | presented | when | answer |
//! | --- | --- | --- |
//! | the predecessor, its successor unused, the same parameters | within the leeway | the same tokens again, from the bridge |
//! | the predecessor, its successor unused, other parameters | within the leeway | refused, nothing ends |
//! | the predecessor, after the access token of its response was revoked | within the leeway | refused, nothing ends |
//! | any other spent token | within the leeway | refused, nothing ends |
//! | a spent token, or any other text that begins with the bytes of the family | otherwise | refused, and the family ends |
//!
//! Every token of a family begins with the same 12 bytes, and the 20 bytes behind them change at each use.
//! The grant keeps one digest of the 12 bytes, so it recognises each token that the family ever issued, in
//! constant space. To use the current token, the holder of an earlier one has to guess 160 bits; to end the
//! family, a stranger who knows the id of the grant has to guess 96. Of the tokens that were spent within the
//! leeway the grant keeps the names of the last [`MAX_SPENT_REFRESH_TOKENS`]. With more uses than that, the
//! oldest ones lose their leeway: a thief who refreshes quickly only makes the family end sooner, and cannot
//! hide.

use std::fmt;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smallvec::SmallVec;
use subtle::ConstantTimeEq as _;

use super::access::{AccessRecord, Issued};
use super::bridge::{Bridge, TokenParameters};
use super::stage::{Live, Stage};
use super::{Grant, Kind, Verdict, refuse};
use crate::base::{Digest, FreshSecrets, SECRET_BYTES, Secret, after};
use crate::error::{Reason, Refusal};
use crate::issuance::{Gate, Policy};

/// How many of the refresh tokens that were spent within the leeway a grant remembers. An older one counts as
/// spent before the leeway.
pub const MAX_SPENT_REFRESH_TOKENS: usize = 16;

/// The number of bytes that all refresh tokens of a family begin with.
const FAMILY_BYTES: usize = 12;

/// The domain separator of the digest of those bytes.
const FAMILY: &str = "grantor:refresh-family:v1";

/// The refresh tokens of a grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Family {
    current: Digest,
    /// Whether the token was rotated at the last use. At the next use, the client's setting at that time
    /// decides.
    rotates: bool,
    /// When the current token expires if it is not used; never after the grant's absolute end.
    #[serde(with = "chrono::serde::ts_seconds")]
    pub(super) idle_until: DateTime<Utc>,
    /// Recognises every text that begins like the tokens of this family. `None` until the first of them is
    /// spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    root: Option<Mark>,
    /// The tokens that were spent within the leeway before the last use, in order.
    #[serde(default, skip_serializing_if = "SmallVec::is_empty")]
    spent: SmallVec<[Spent; 1]>,
    /// The response that the latest spent token got, for a retry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bridge: Option<Bridge>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spent {
    digest: Mark,
    #[serde(with = "chrono::serde::ts_seconds")]
    at: DateTime<Utc>,
}

/// The first half of a digest: enough to recognise a secret that only its holder can present. Earlier
/// versions stored the whole digest.
#[derive(Clone, Copy)]
struct Mark([u8; 16]);

impl Mark {
    fn of(digest: &Digest) -> Self {
        Self(digest.fingerprint().0)
    }

    /// The mark of the bytes that all tokens of a family share.
    fn of_family(secret: &Secret) -> Self {
        Self::of(&Digest::of(FAMILY, &secret.bytes()[..FAMILY_BYTES]))
    }
}

impl PartialEq for Mark {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}
impl Eq for Mark {}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mark(..)")
    }
}

impl Serialize for Mark {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Mark {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let text = String::deserialize(from)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| D::Error::custom("not base64url"))?;
        match (bytes.len(), bytes.first_chunk()) {
            (16 | 32, Some(head)) => Ok(Self(*head)),
            _ => Err(D::Error::custom("neither a digest nor the first half of one")),
        }
    }
}

/// A refresh token as a client presents it.
#[derive(Debug)]
pub(crate) struct RefreshUse<'a> {
    /// The secret half of the token.
    pub(crate) secret: &'a Secret,
    /// The gate that every token passes.
    pub(crate) gate: &'a Gate<'a>,
    /// The address that presents it: only for the audit event of a repeat, not for any decision.
    pub(crate) peer: Option<IpAddr>,
}

/// What a presented token is to a family.
enum Known {
    Current,
    /// Spent within the leeway before the last use; its position in `Family::spent`.
    Spent(usize),
    /// It begins like the tokens of this family.
    Older,
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
            root: None,
            spent: SmallVec::new(),
            bridge: None,
        }
    }

    pub(super) fn is_current(&self, presented: &Secret) -> bool {
        self.current.matches(&presented.digest(Kind::Refresh.tag()))
    }

    /// Whether it is the current token or a spent one.
    pub(super) fn knows(&self, presented: &Secret) -> bool {
        self.find(presented).is_some()
    }

    /// The address that got the last response.
    fn answered_peer(&self) -> Option<IpAddr> {
        self.bridge.as_ref()?.peer
    }

    /// Erases the last response if the leeway has passed, and returns whether it did.
    pub(super) fn forget_answer(&mut self, now: DateTime<Utc>, policy: &Policy) -> bool {
        let is_over = self.bridge.as_ref().is_some_and(|bridge| !bridge.stands(now, policy));
        if is_over {
            self.bridge = None;
        }
        is_over
    }

    fn find(&self, presented: &Secret) -> Option<Known> {
        let digest = presented.digest(Kind::Refresh.tag());
        if self.current.matches(&digest) {
            return Some(Known::Current);
        }
        let mark = Mark::of(&digest);
        if let Some(at) = self.spent.iter().position(|spent| spent.digest == mark) {
            return Some(Known::Spent(at));
        }
        let root = self.root?;
        (root == Mark::of_family(presented)).then_some(Known::Older)
    }

    /// The successor of a token: it begins with the bytes of the family, and ends with fresh random bytes.
    fn successor(old: &Secret, drawn: &Secret) -> Secret {
        let mut bytes: [u8; SECRET_BYTES] = *drawn.bytes();
        bytes[..FAMILY_BYTES].copy_from_slice(&old.bytes()[..FAMILY_BYTES]);
        Secret::new(bytes)
    }

    /// Makes `next` the current token in place of `old`.
    fn rotate(&mut self, old: &Secret, next: &Secret, bridge: Bridge, now: DateTime<Utc>, policy: &Policy) {
        self.root.get_or_insert_with(|| Mark::of_family(old));
        self.spent.retain(|spent| now < after(spent.at, policy.leeway));
        let is_kept = !policy.leeway.is_zero();
        if is_kept {
            if self.spent.len() >= MAX_SPENT_REFRESH_TOKENS {
                self.spent.remove(0);
            }
            self.spent.push(Spent { digest: Mark::of(&self.current), at: now });
        }
        self.current = next.digest(Kind::Refresh.tag());
        self.bridge = is_kept.then_some(bridge);
    }

    /// Judges a spent token, by the table in the module documentation.
    fn judge_spent(
        &self,
        spent: usize,
        presented: &RefreshUse<'_>,
        now: DateTime<Utc>,
        policy: &Policy,
    ) -> Presented {
        let Some(Spent { at, .. }) = self.spent.get(spent) else {
            return Presented::Replay;
        };
        if after(*at, policy.leeway) <= now {
            return Presented::Replay;
        }
        // For all but the latest spent token, the successor was used, too.
        let is_latest = spent + 1 == self.spent.len();
        let Some(bridge) = self.bridge.as_ref().filter(|_| is_latest) else {
            return Presented::Late;
        };
        let ask = TokenParameters::of(presented.gate);
        match bridge.cross(presented.secret, &ask, now, policy) {
            Some(tokens) => Presented::Retry(tokens),
            None => Presented::Different,
        }
    }
}

enum Presented {
    Retry(Issued),
    Different,
    Late,
    Replay,
}

impl Grant {
    /// Renews the tokens of a grant. The table in the module documentation says how a spent token is
    /// answered.
    pub(crate) fn rotate_refresh(
        self,
        presented: RefreshUse<'_>,
        fresh: FreshSecrets,
        now: DateTime<Utc>,
        policy: &Policy,
    ) -> Verdict {
        let family = match &self.stage {
            Stage::Live(Live { family: Some(family), .. }) => family,
            Stage::Live(_) | Stage::Pushed(_) | Stage::Waiting(_) | Stage::Offered(_) => {
                return refuse(Reason::RefreshUnknown);
            }
            Stage::Ended(_) => return refuse(Reason::GrantEnded),
        };
        let Some(known) = family.find(presented.secret) else {
            return refuse(Reason::RefreshUnknown);
        };
        if self.client() != presented.gate.client.id() {
            return refuse(Reason::RefreshForAnotherClient);
        }
        if family.idle_until <= now {
            return refuse(Reason::RefreshExpired);
        }
        let spent = match known {
            Known::Current => return self.renew(&presented, fresh, now, policy),
            Known::Spent(at) => family.judge_spent(at, &presented, now, policy),
            Known::Older => Presented::Replay,
        };
        match spent {
            Presented::Retry(tokens) => self.repeat_answer(tokens, presented.gate),
            Presented::Different => refuse(Reason::RetryDiffers),
            Presented::Late => refuse(Reason::RefreshSuperseded),
            Presented::Replay => {
                let next = self.revoke(now);
                Verdict::RefuseAndEnd { next, reason: Reason::RefreshReplayed }
            }
        }
    }

    fn renew(
        mut self,
        presented: &RefreshUse<'_>,
        fresh: FreshSecrets,
        now: DateTime<Utc>,
        policy: &Policy,
    ) -> Verdict {
        let issuance = match presented.gate.pass(self.granted()) {
            Ok(issuance) => issuance,
            Err(reason) => return refuse(reason),
        };
        self.bind_later(&issuance);
        let ends = self.ends();
        let record = AccessRecord::new(&fresh.first, &issuance, self.granted(), ends, now, policy);
        let Stage::Live(live) = &mut self.stage else {
            return refuse(Reason::RefreshUnknown);
        };
        if let Some(wait) = live.access.until_room(now, policy) {
            return Verdict::Refuse { refusal: Refusal::throttled(Reason::AccessTokensTooMany, wait) };
        }
        self.origin.forget_first_answer();
        let Some(family) = &mut live.family else {
            return refuse(Reason::RefreshUnknown);
        };
        family.idle_until = after(now, policy.refresh_token_idle).min(ends);
        family.rotates = issuance.client.rotates_refresh();
        let next = match family.rotates {
            true => Family::successor(presented.secret, &fresh.second),
            false => presented.secret.duplicate(),
        };
        let tokens = Issued::of(&record, &issuance, fresh.first, Some(next), policy);
        live.access.add(record, now);
        match &tokens.refresh {
            Some(next) if family.rotates => {
                let mut bridge = Bridge::over(presented.secret, &tokens, TokenParameters::of(presented.gate));
                bridge.peer = presented.peer;
                family.rotate(presented.secret, next, bridge, now, policy);
            }
            // The current token stays, but its use shows that the last response arrived.
            Some(_) | None => family.bridge = None,
        }
        Verdict::Issue { next: self, tokens }
    }

    /// The address that got the last response that may be repeated.
    pub(crate) fn answered_peer(&self) -> Option<IpAddr> {
        match &self.stage {
            Stage::Live(Live { family: Some(family), .. }) => family.answered_peer(),
            Stage::Live(_) | Stage::Pushed(_) | Stage::Waiting(_) | Stage::Offered(_) | Stage::Ended(_) => {
                None
            }
        }
    }
}
