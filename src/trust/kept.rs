//! [`RemoteValue`]: a cached remote value. Concurrent callers share one fetch; a stale value is served during
//! an outage.

use std::future::{Future, poll_fn};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::base::after;
use crate::error::{Reason, Refusal};
use crate::outbound::{OutboundError, OutboundResponse};

/// A cached remote value.
///
/// One request fetches and the others use the cached value; they wait only if there is none. If a fetch
/// fails, the last value is used for a while longer, and then every caller gets the failure.
pub(crate) struct RemoteValue<T> {
    renew_every: TimeDelta,
    state: Mutex<State<T>>,
}

/// The deadline of one fetch; shorter than the guard's own deadline for a verifier.
pub(crate) const DEADLINE: Duration = Duration::from_secs(3);

/// The pause after a failed fetch.
const RETRY_AFTER: TimeDelta = TimeDelta::seconds(5);

/// How often a caller can force another fetch. Strangers can cause that with forged tokens. The pause limits
/// the load on the other server, and also how late a new value is noticed in an emergency.
const RENEW_EVERY: TimeDelta = TimeDelta::seconds(5);

/// A fetched value.
pub(crate) struct Answer<T> {
    pub(crate) value: T,
    /// The end of its freshness.
    pub(crate) fresh_until: DateTime<Utc>,
    /// The end of its use during an outage.
    pub(crate) stale_until: DateTime<Utc>,
}

/// Why there is no answer.
pub(crate) enum NoAnswer {
    /// The fetch failed.
    Failed(Refusal),
    /// Nothing was fetched, for lack of room: that says nothing about the other server, so no pause follows.
    NotAsked(Refusal),
}

impl NoAnswer {
    /// The failure of a request, with the refusal for callers.
    pub(crate) fn of(error: OutboundError, refusal: impl Into<Refusal>) -> Self {
        match error {
            OutboundError::Busy => Self::NotAsked(refusal.into()),
            _ => Self::Failed(refusal.into()),
        }
    }
}

impl<R: Into<Refusal>> From<R> for NoAnswer {
    fn from(refusal: R) -> Self {
        Self::Failed(refusal.into())
    }
}

struct State<T> {
    answer: Option<Answer<T>>,
    /// The time of the last fetch.
    asked: Option<DateTime<Utc>>,
    /// Why the last fetch failed.
    failed: Option<Refusal>,
    /// Whether a fetch is in progress.
    asking: bool,
    waiting: Vec<Waker>,
}

impl<T> Default for RemoteValue<T> {
    fn default() -> Self {
        Self::renewed_every(RENEW_EVERY)
    }
}

impl<T> RemoteValue<T> {
    /// An empty cache; another fetch can be forced at most this often.
    pub(crate) fn renewed_every(pause: TimeDelta) -> Self {
        let state = State { answer: None, asked: None, failed: None, asking: false, waiting: Vec::new() };
        Self { renew_every: pause, state: Mutex::new(state) }
    }
}

impl<T: Clone> RemoteValue<T> {
    /// The cached value, or else the result of `ask`, which is polled only if it is this caller's turn.
    /// `renew` says that the cached value was not sufficient.
    pub(crate) async fn latest<E: Into<NoAnswer>>(
        &self,
        renew: bool,
        now: DateTime<Utc>,
        ask: impl Future<Output = Result<Answer<T>, E>>,
    ) -> Result<T, Refusal> {
        let turn = poll_fn(|context| {
            let mut state = self.state();
            let turn = state.turn(renew, self.renew_every, now);
            if matches!(turn, Turn::Wait) {
                if !state.waiting.iter().any(|own| own.will_wake(context.waker())) {
                    state.waiting.push(context.waker().clone());
                }
                return Poll::Pending;
            }
            Poll::Ready(turn)
        });
        match turn.await {
            Turn::Use(value) => return Ok(value),
            Turn::Fail(refusal) => return Err(refusal),
            Turn::Wait => return Err(Reason::IssuerUnavailable.into()),
            Turn::Ask => {}
        }
        let asking = Asking { state: &self.state, settled: false };
        let answer = ask.await;
        asking.settle(answer.map_err(E::into), renew, now)
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a request does about the value.
enum Turn<T> {
    Use(T),
    Ask,
    Wait,
    Fail(Refusal),
}

impl<T: Clone> State<T> {
    fn turn(&mut self, renew: bool, renew_every: TimeDelta, now: DateTime<Utc>) -> Turn<T> {
        let usable = self.usable(now);
        let is_fresh = self.answer.as_ref().is_some_and(|answer| now < answer.fresh_until);
        match &usable {
            Some(value) if !renew && (is_fresh || self.asking) => return Turn::Use(value.clone()),
            _ if self.asking => return Turn::Wait,
            _ => {}
        }
        let pause = if renew && usable.is_some() { renew_every } else { RETRY_AFTER };
        let is_over = self.answer.is_some() && usable.is_none() && self.failed.is_none();
        // If the clock was set back, do not wait for the old time.
        if is_over || self.asked.is_none_or(|asked| now < asked || now - asked >= pause) {
            (self.asking, self.asked) = (true, Some(now));
            return Turn::Ask;
        }
        match (usable, &self.failed) {
            // The last fetch failed, so it is unknown whether there is a newer value.
            (Some(_), Some(refusal)) if renew => Turn::Fail(refusal.clone()),
            (Some(value), _) => Turn::Use(value),
            (None, Some(refusal)) => Turn::Fail(refusal.clone()),
            (None, None) => Turn::Fail(Reason::IssuerUnavailable.into()),
        }
    }

    fn usable(&self, now: DateTime<Utc>) -> Option<T> {
        let answer = self.answer.as_ref().filter(|answer| now < answer.stale_until);
        answer.map(|answer| answer.value.clone())
    }
}

/// The right to fetch on behalf of all callers. If it is dropped, the next caller takes over.
struct Asking<'a, T> {
    state: &'a Mutex<State<T>>,
    settled: bool,
}

impl<T: Clone> Asking<'_, T> {
    fn settle(
        mut self,
        answer: Result<Answer<T>, NoAnswer>,
        renew: bool,
        now: DateTime<Utc>,
    ) -> Result<T, Refusal> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.settled = true;
        state.asking = false;
        let refusal = match answer {
            Ok(answer) => {
                let value = answer.value.clone();
                (state.answer, state.failed) = (Some(answer), None);
                return Ok(value);
            }
            Err(NoAnswer::Failed(refusal)) => {
                state.failed = Some(refusal.clone());
                refusal
            }
            Err(NoAnswer::NotAsked(refusal)) => {
                state.asked = None;
                refusal
            }
        };
        state.usable(now).filter(|_| !renew).ok_or(refusal)
    }
}

impl<T> Drop for Asking<'_, T> {
    fn drop(&mut self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.settled {
            state.asking = false;
            // Without a value, fetch at once. With one, wait; otherwise callers that hang up could force any
            // number of fetches.
            if state.answer.is_none() {
                state.asked = None;
            }
        }
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }
}

/// How long published data are fresh: as the response says, within bounds.
#[derive(Clone, Copy)]
pub(crate) struct Freshness {
    pub(crate) longest: Duration,
    pub(crate) stale: Duration,
}

/// The lifetime of a response that does not state one, in seconds.
const DEFAULT_MAX_AGE: u64 = 300;

/// The minimum lifetime, even if the response states a shorter one, in seconds.
const SHORTEST_MAX_AGE: u64 = 30;

impl Default for Freshness {
    fn default() -> Self {
        Self { longest: Duration::from_secs(60 * 60), stale: Duration::from_secs(60 * 60) }
    }
}

impl Freshness {
    pub(crate) fn of<T>(self, value: T, response: &OutboundResponse, now: DateTime<Utc>) -> Answer<T> {
        let fresh = response.fresh_for().unwrap_or(DEFAULT_MAX_AGE).max(SHORTEST_MAX_AGE);
        let fresh_until = after(now, Duration::from_secs(fresh).min(self.longest));
        Answer { value, fresh_until, stale_until: after(fresh_until, self.stale) }
    }
}
