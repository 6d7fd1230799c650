//! The state that a server keeps only in this process, and in no store.

mod bounded;
mod repeats;
mod single_use;
mod turns;

use std::sync::Mutex;

use super::authorize::UndeliveredAnswers;
use super::limit::{AttemptLimiter, RateLimiter, RegistrationLimiter};
use super::logout::Lanes;
use super::{AuthorizationServer, Inner};
use crate::grant::GrantId;
pub(super) use bounded::Bounded;
use repeats::Repeats;
pub(super) use single_use::SingleUse;
pub(super) use turns::{Turn, Turns};

/// Allocated when something first has to be remembered: with many tenants, most have none.
pub(super) struct ProcessState {
    /// Limits guesses at the token endpoint: client secrets, passwords and the like.
    pub(super) guesses: RateLimiter,
    pub(super) devices: RateLimiter,
    /// Limits the requests that public clients push.
    pub(super) pushes: RateLimiter,
    pub(super) user_codes: AttemptLimiter,
    pub(super) registrations: RegistrationLimiter,
    pub(super) undelivered: UndeliveredAnswers,
    pub(super) repeats: Repeats,
    /// Limits the deliveries of logout tokens.
    pub(super) logouts: Lanes,
    /// Where the next sweep continues its search for stored responses that can no longer be repeated.
    pub(super) answers_from: Mutex<Option<GrantId>>,
}

impl ProcessState {
    fn of(inner: &Inner) -> Self {
        let policy = &inner.rules.policy;
        let terms = inner.registration.as_ref();
        let (per_minute, per_day) = terms.map_or((0, 0), |terms| (terms.per_minute, terms.per_day));
        Self {
            guesses: RateLimiter::per_minute(policy.secret_failures_per_minute),
            devices: RateLimiter::per_minute(policy.device_requests_per_minute),
            pushes: RateLimiter::per_minute(policy.pushed_requests_per_minute),
            user_codes: AttemptLimiter::new(policy),
            registrations: RegistrationLimiter::new(per_minute, per_day),
            undelivered: UndeliveredAnswers::new(policy.leeway),
            repeats: Repeats::new(policy.leeway),
            logouts: Lanes::default(),
            answers_from: Mutex::default(),
        }
    }
}

impl AuthorizationServer {
    /// Allocates it if there is none yet.
    pub(super) fn process(&self) -> &ProcessState {
        self.inner.process.get_or_init(|| Box::new(ProcessState::of(&self.inner)))
    }
}
