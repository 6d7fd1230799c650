//! Saturating time arithmetic, and [`in_time`]: a deadline for a future, independent of the runtime's timers.

use std::future::Future;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::system::{Delay, Instant, stopwatch};

/// The time `wait` after `start`, or the latest possible time.
pub(crate) fn after(start: DateTime<Utc>, wait: Duration) -> DateTime<Utc> {
    let wait = TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX);
    start.checked_add_signed(wait).unwrap_or_else(end_of_time)
}

/// A wait in whole seconds, rounded up: a second earlier is too early.
pub(crate) fn whole_seconds(wait: Duration) -> NonZeroU32 {
    let seconds = u32::try_from(wait.as_nanos().div_ceil(1_000_000_000)).unwrap_or(u32::MAX);
    NonZeroU32::new(seconds).unwrap_or(NonZeroU32::MIN)
}

/// The last representable whole second. A stored body has no fractions of seconds.
pub(crate) fn end_of_time() -> DateTime<Utc> {
    DateTime::from_timestamp(DateTime::<Utc>::MAX_UTC.timestamp(), 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// A time in whole seconds since 1970, as in stored bodies: a third smaller than one with fractions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub(crate) struct Second(i64);

impl Second {
    pub(crate) const fn of(moment: DateTime<Utc>) -> Self {
        Self(moment.timestamp())
    }

    pub(crate) fn moment(self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.0, 0).unwrap_or(DateTime::<Utc>::MIN_UTC)
    }
}

impl TryFrom<i64> for Second {
    type Error = &'static str;

    fn try_from(seconds: i64) -> Result<Self, Self::Error> {
        DateTime::from_timestamp(seconds, 0).map(Self::of).ok_or("a time that is out of range")
    }
}

impl From<Second> for i64 {
    fn from(second: Second) -> Self {
        second.0
    }
}

/// The output of a future, unless the time limit passes first. A future that is ready at once needs no timer.
pub(crate) const fn in_time<F: Future + Unpin>(future: F, limit: Duration) -> InTime<F> {
    InTime { future, limit, deadline: None }
}

/// A future with a time limit, which begins when it is first polled.
pub(crate) struct InTime<F> {
    future: F,
    limit: Duration,
    deadline: Option<Deadline>,
}

impl<F: Future + Unpin> Future for InTime<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { future, limit, deadline } = &mut *self;
        if let Poll::Ready(output) = Pin::new(future).poll(context) {
            return Poll::Ready(Some(output));
        }
        deadline.get_or_insert_with(|| Deadline::after(*limit)).poll(context).map(|()| None)
    }
}

/// Setting or cancelling a timer wakes a thread, which costs as much as a call of a fast store. So timers are
/// reused, and each is reset only when it fires too early: once per deadline.
static IDLE: Mutex<Vec<Timer>> = Mutex::new(Vec::new());

/// The maximum number of idle timers that are kept: the usual number of concurrent calls.
const KEPT: usize = 256;

struct Timer {
    delay: Delay,
    rings: Instant,
}

struct Deadline {
    ends: Instant,
    /// Fires no later than the deadline, and perhaps earlier. `None` only during the drop.
    timer: Option<Timer>,
}

impl Deadline {
    fn after(limit: Duration) -> Self {
        let now = stopwatch();
        let limit = limit.min(A_YEAR);
        let ends = now + limit;
        let kept = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let timer = kept.filter(|timer| timer.rings <= ends);
        let timer = timer.unwrap_or_else(|| Timer { delay: Delay::new(limit), rings: ends });
        Self { ends, timer: Some(timer) }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(timer) = &mut self.timer else { return Poll::Ready(()) };
        while Pin::new(&mut timer.delay).poll(context).is_ready() {
            let left = self.ends.saturating_duration_since(stopwatch());
            if left.is_zero() {
                return Poll::Ready(());
            }
            timer.delay.reset(left);
            timer.rings = self.ends;
        }
        Poll::Pending
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT {
            idle.extend(self.timer.take());
        }
    }
}

/// Longer than any call takes.
const A_YEAR: Duration = Duration::from_secs(365 * 86_400);

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn};
    use std::pin::pin;

    use super::*;

    /// How long to wait for a future that never completes.
    async fn spent(limit: Duration) -> Duration {
        let begun = stopwatch();
        assert_eq!(in_time(pending::<()>(), limit).await, None);
        begun.elapsed()
    }

    /// Independent of the deadlines of reused timers; how late it fires depends on the machine.
    #[tokio::test]
    async fn no_deadline_ends_early() {
        for limit in [30, 10, 20, 0, 40].map(Duration::from_millis) {
            let mut pending = pin!(in_time(pending::<()>(), Duration::MAX));
            assert!(poll_fn(|context| Poll::Ready(pending.as_mut().poll(context).is_pending())).await);
            assert!(spent(limit).await >= limit);
            // Its timer is kept, set for later than the next one's deadline or for earlier.
            let ready = in_time(pin!(tokio::task::yield_now()), limit + Duration::from_secs(9)).await;
            assert_eq!(ready, Some(()));
        }
    }
}
