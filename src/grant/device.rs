//! The life of a device code (RFC 8628): it waits for a user, is answered once, and is redeemed once.
//!
//! ```text
//!   pending ──approve──▶ approved ──poll──▶ the grant is live
//!      │ ⟲ claim, poll
//!      └────deny───▶ denied
//! ```
//!
//! The answer is final, and counts until the code expires. The browser session that enters the user code
//! claims it; from then on no other session can answer, so an attacker cannot swap the request that the user
//! approves.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::bridge::{Bridge, TokenParameters};
use super::origin::{Circumstances, Origin, Spent};
use super::stage::{Lifetime, Live, Stage};
use super::{Grant, Kind, Login, UserCode, Verdict, refuse};
use crate::base::{
    AuthorizationDetails, Digest, FreshSecrets, Parties, Scope, Second, Secret, UserCodeDigest, after,
};
use crate::error::Reason;
use crate::issuance::{Gate, Issuance, Policy};
use crate::openid::OPENID;

/// How many seconds an early poll adds to the interval (RFC 8628 section 3.5).
const SLOWER: u32 = 5;

/// The longest interval in seconds, so that a burst of polls does not lock a device out.
const SLOWEST: u32 = 60;

/// How long an expired code is kept, so that the device learns that it expired.
const KEPT: Duration = Duration::from_secs(2 * SLOWEST as u64);

/// A code that waits for its user, or for its device to fetch the user's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Waiting {
    /// The device code's digest.
    code: Digest,
    user_code: UserCodeDigest,
    #[serde(with = "chrono::serde::ts_seconds")]
    expires: DateTime<Utc>,
    /// The shortest time between polls, in seconds.
    interval: u32,
    /// The time of the last poll that found no answer.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "chrono::serde::ts_seconds_option")]
    polled: Option<DateTime<Utc>>,
    /// The session that entered the user code; only it can answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claimant: Option<BrowserSession>,
    answer: Answer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Pending,
    Approved,
    Denied,
}

/// A redeemed device code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SpentDeviceCode {
    code: Digest,
    /// The response, while it may have been lost. The device code alone is the key to it: unlike an
    /// authorization code, it is never in an address bar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) bridge: Option<Bridge>,
}

/// The browser session in which a user code was entered, as a digest of the host's own identifier of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BrowserSession(Digest);

impl BrowserSession {
    /// The session with this identifier. It is trusted: two browsers with the same identifier can answer for
    /// each other.
    #[must_use]
    pub fn session(id: &str) -> Self {
        Self(Digest::of("grantor:claimant:v1", id.as_bytes()))
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        self.0.expose()
    }
}

/// A device code as a client presents it.
#[derive(Debug)]
pub(crate) struct DeviceCodeUse<'a> {
    /// The secret half of the code.
    pub(crate) secret: &'a Secret,
    /// The gate that every token passes.
    pub(crate) gate: &'a Gate<'a>,
    /// Whether this server knows that the first response was never sent, see
    /// [`CodeRedemption::unanswered`](super::CodeRedemption::unanswered).
    pub(crate) unanswered: bool,
}

impl Waiting {
    /// The user code by which a browser finds the grant, until the user has answered.
    pub(super) fn user_code(&self) -> Option<UserCodeDigest> {
        (self.answer == Answer::Pending).then_some(self.user_code)
    }

    fn is_code(&self, digest: &Digest) -> bool {
        self.code.matches(digest)
    }

    /// Whether this session may answer now.
    fn may_answer(&self, claimant: &BrowserSession, now: DateTime<Utc>) -> Result<(), Reason> {
        match (self.answer, self.claimant) {
            (Answer::Approved | Answer::Denied, _) => Err(Reason::UserCodeAnswered),
            (Answer::Pending, _) if self.expires <= now => Err(Reason::UserCodeExpired),
            (Answer::Pending, Some(first)) if first == *claimant => Ok(()),
            (Answer::Pending, Some(_)) => Err(Reason::UserCodeClaimed),
            (Answer::Pending, None) => Err(Reason::UserCodeUnclaimed),
        }
    }

    fn is_early(&self, now: DateTime<Utc>) -> bool {
        let interval = Duration::from_secs(self.interval.into());
        self.polled.is_some_and(|last| now < after(last, interval))
    }

    fn is_slowest(&self) -> bool {
        self.interval >= SLOWEST
    }

    /// Records a poll that finds no answer. An early poll lengthens the interval of all later ones.
    fn poll(&mut self, now: DateTime<Utc>) -> Reason {
        let early = self.is_early(now);
        self.polled = Some(now);
        if early {
            self.interval = self.interval.max(self.interval.saturating_add(SLOWER).min(SLOWEST));
            return Reason::DevicePollsTooFast;
        }
        Reason::DevicePending
    }
}

impl Lifetime for Waiting {
    fn expires(&self) -> DateTime<Utc> {
        after(self.expires, KEPT)
    }

    fn latest_expiry(&self, ends: DateTime<Utc>) -> DateTime<Utc> {
        ends.max(self.expires())
    }

    fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.answer != Answer::Denied && now < self.expires
    }

    fn holds(&self, kind: Kind, presented: &Secret) -> bool {
        kind == Kind::Device && self.is_code(&presented.digest(kind.tag()))
    }
}

impl Grant {
    /// A grant that waits for its user, and the code that the user enters. Until a user approves, its subject
    /// is the client.
    #[must_use]
    pub(crate) fn wait(
        issuance: Issuance,
        fresh: &FreshSecrets,
        now: DateTime<Utc>,
        policy: &Policy,
    ) -> (Self, UserCode) {
        let user_code = UserCode::of(&fresh.second);
        let waiting = Waiting {
            code: fresh.first.digest(Kind::Device.tag()),
            user_code: user_code.digest(),
            expires: after(now, policy.device_code_lifetime),
            interval: policy.device_poll_seconds,
            polled: None,
            claimant: None,
            answer: Answer::Pending,
        };
        let stage = Stage::Waiting(Box::new(waiting));
        (Self::new(issuance, None, stage, fresh.grant, now, policy), user_code)
    }

    /// Claims the grant for the session that entered its user code. `None` if this session has claimed it
    /// already, so that nothing has to be written.
    ///
    /// # Errors
    /// The code is not this grant's, it was answered or has expired, or another session claimed it.
    pub(crate) fn claim(
        &self,
        code: &UserCodeDigest,
        claimant: &BrowserSession,
        now: DateTime<Utc>,
    ) -> Result<Option<Self>, Reason> {
        let waiting = self.waiting().filter(|waiting| waiting.user_code == *code);
        let waiting = waiting.ok_or(Reason::UserCodeUnknown)?;
        match waiting.may_answer(claimant, now) {
            Ok(()) => Ok(None),
            Err(Reason::UserCodeUnclaimed) => {
                let waiting = Waiting { claimant: Some(*claimant), ..waiting.clone() };
                Ok(Some(Self { stage: Stage::Waiting(Box::new(waiting)), ..self.clone() }))
            }
            Err(reason) => Err(reason),
        }
    }

    /// The user approved the whole request, or only `granted`: this scope and these details. From now on the
    /// grant is this user's.
    ///
    /// # Errors
    /// It was answered before, it has expired, or this session did not claim it.
    pub(crate) fn approve(
        mut self,
        claimant: &BrowserSession,
        login: &Login,
        granted: Option<(&Scope, &AuthorizationDetails)>,
        now: DateTime<Utc>,
        policy: &Policy,
    ) -> Result<Self, Reason> {
        self.answer(Answer::Approved, claimant, now)?;
        let details = match granted {
            Some((scope, details)) => {
                self.scope = self.scope.intersection(scope);
                details.clone()
            }
            None => self.details().clone(),
        };
        let openid = self.openid().filter(|_| self.scope.contains(OPENID)).cloned().map(|mut openid| {
            openid.amr.clone_from(&login.amr);
            Box::new(openid)
        });
        let authentication = Some(login.authentication().clone());
        let parties = Parties { client: self.client().clone(), subject: login.subject().clone() };
        let circumstances = Circumstances { authentication, details, openid, ..Circumstances::default() };
        self.origin = Origin::new(parties, circumstances);
        self.created = Second::of(now);
        self.ends = Second::of(after(now, policy.grant_lifetime));
        Ok(self)
    }

    /// The user denied the request.
    ///
    /// # Errors
    /// As for [`approve`](Self::approve).
    pub(crate) fn deny(mut self, claimant: &BrowserSession, now: DateTime<Utc>) -> Result<Self, Reason> {
        self.answer(Answer::Denied, claimant, now)?;
        Ok(self)
    }

    /// Answers a poll of the device: with `authorization_pending` and the like, once with tokens, and then
    /// with a refusal. A replay does not end the grant: the code was never in a browser, and an impatient
    /// device may poll twice.
    pub(crate) fn redeem_device_code(
        mut self,
        presented: DeviceCodeUse<'_>,
        fresh: FreshSecrets,
        now: DateTime<Utc>,
        policy: &Policy,
    ) -> Verdict {
        let digest = presented.secret.digest(Kind::Device.tag());
        let known = match &self.stage {
            Stage::Waiting(waiting) => waiting.is_code(&digest),
            Stage::Live(_) => {
                self.origin.spent_device_code().is_some_and(|spent| spent.code.matches(&digest))
            }
            Stage::Pushed(_) | Stage::Offered(_) => false,
            Stage::Ended(_) => return refuse(Reason::GrantEnded),
        };
        if !known {
            return refuse(Reason::DeviceCodeUnknown);
        }
        if self.client() != presented.gate.client.id() {
            return refuse(Reason::DeviceCodeForAnotherClient);
        }
        let waiting = match &mut self.stage {
            Stage::Waiting(waiting) => waiting,
            Stage::Pushed(_) | Stage::Live(_) | Stage::Offered(_) | Stage::Ended(_) => {
                return self.repeat(&presented, now, policy);
            }
        };
        match waiting.answer {
            _ if waiting.expires <= now => refuse(Reason::DeviceCodeExpired),
            Answer::Denied => refuse(Reason::DeviceDenied),
            // There is nothing to write, so a burst of polls cannot flood the store.
            Answer::Pending if waiting.is_slowest() && waiting.is_early(now) => {
                refuse(Reason::DevicePollsTooFast)
            }
            Answer::Pending => {
                let reason = waiting.poll(now);
                Verdict::RefuseAndNote { next: self, reason }
            }
            Answer::Approved => {
                let code = waiting.code;
                self.begin(code, &presented, fresh, now, policy)
            }
        }
    }

    fn begin(
        mut self,
        code: Digest,
        presented: &DeviceCodeUse<'_>,
        fresh: FreshSecrets,
        now: DateTime<Utc>,
        policy: &Policy,
    ) -> Verdict {
        let issuance = match presented.gate.pass(self.granted()) {
            Ok(issuance) => issuance,
            Err(reason) => return refuse(reason),
        };
        self.bind(&issuance);
        let (live, tokens) = Live::begin(&issuance, self.granted(), self.ends(), fresh, now, policy);
        let is_kept = !policy.leeway.is_zero();
        let ask = TokenParameters::of(presented.gate);
        let bridge = is_kept.then(|| Bridge::over(presented.secret, &tokens, ask));
        let spent = Arc::new(Spent::Device(SpentDeviceCode { code, bridge }));
        self.origin = self.origin.with(|origin| origin.spent = Some(spent));
        self.stage = Stage::Live(live);
        Verdict::Issue { next: self, tokens }
    }

    /// The answer to a spent code: the first response again if it is known to be lost, otherwise a refusal.
    fn repeat(self, presented: &DeviceCodeUse<'_>, now: DateTime<Utc>, policy: &Policy) -> Verdict {
        let bridge = self.origin.spent_device_code().and_then(|spent| spent.bridge.as_ref());
        let Some(bridge) = bridge.filter(|bridge| presented.unanswered && bridge.stands(now, policy)) else {
            return refuse(Reason::DeviceCodeSpent);
        };
        let Some(tokens) = bridge.cross(presented.secret, &TokenParameters::of(presented.gate), now, policy)
        else {
            return refuse(Reason::RetryDiffers);
        };
        self.repeat_answer(tokens, presented.gate)
    }

    /// Whether this session gave this answer. If the device has redeemed its code since, the approval can
    /// only have come from this session.
    pub(crate) fn was_answered(&self, claimant: &BrowserSession, approved: bool) -> bool {
        let answer = if approved { Answer::Approved } else { Answer::Denied };
        match &self.stage {
            Stage::Waiting(waiting) => waiting.claimant == Some(*claimant) && waiting.answer == answer,
            Stage::Live(_) => approved && self.origin.spent_device_code().is_some(),
            Stage::Pushed(_) | Stage::Offered(_) | Stage::Ended(_) => false,
        }
    }

    /// The user code by which a browser finds the grant, while it waits for its user.
    #[must_use]
    pub fn user_code(&self) -> Option<UserCodeDigest> {
        self.waiting().and_then(Waiting::user_code)
    }

    fn waiting(&self) -> Option<&Waiting> {
        match &self.stage {
            Stage::Waiting(waiting) => Some(waiting),
            Stage::Pushed(_) | Stage::Offered(_) | Stage::Live(_) | Stage::Ended(_) => None,
        }
    }

    fn answer(
        &mut self,
        answer: Answer,
        claimant: &BrowserSession,
        now: DateTime<Utc>,
    ) -> Result<(), Reason> {
        let Stage::Waiting(waiting) = &mut self.stage else {
            return Err(Reason::UserCodeAnswered);
        };
        waiting.may_answer(claimant, now)?;
        waiting.answer = answer;
        Ok(())
    }
}
