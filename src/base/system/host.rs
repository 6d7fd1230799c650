//! The host of a WebAssembly module: on `wasm32-unknown-unknown` there is no operating system with a clock,
//! so the program that loads the module provides one. Give it to [`install`] before you build a server or a
//! guard.

use std::future::Future;
use std::mem;
use std::ops::Add;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Clock, Entropy};

/// What the program that loads the module provides. It is the clock of [`SystemClock`](super::SystemClock)
/// and the random source of [`SystemEntropy`](super::SystemEntropy), and trusted as such.
pub trait Host: Clock + Entropy {
    /// The time of a monotonic clock, since any fixed moment: `performance.now()` in JavaScript. If it does
    /// not advance, calls to a store have no deadline.
    fn elapsed(&self) -> Duration;

    /// Returns at once, and wakes `waker` when this much time has passed: `setTimeout` in JavaScript. Waking
    /// early costs one more call; if it never wakes, a call to a store has no deadline. `setTimeout` fires at
    /// once for more than 2^31 - 1 ms: cap the time.
    fn wake_after(&self, wait: Duration, waker: Waker);
}

static HOST: OnceLock<Box<dyn Host>> = OnceLock::new();

/// Gives the module its host. Only the first call has an effect.
pub fn install(host: impl Host + 'static) {
    let _ = HOST.set(Box::new(host));
}

pub(crate) fn is_there() -> bool {
    HOST.get().is_some()
}

/// Servers and guards cannot be built without one.
#[expect(
    clippy::expect_used,
    reason = "the standard library panics there, too; a time or a secret cannot be made up"
)]
fn host() -> &'static dyn Host {
    &**HOST.get().expect("no host was installed: call grantor::base::host::install first")
}

pub(super) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(host().now().timestamp(), 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

pub(super) fn precise_now() -> DateTime<Utc> {
    host().precise_now()
}

pub(super) fn fill(bytes: &mut [u8]) {
    host().fill(bytes);
}

pub(crate) fn stopwatch() -> Instant {
    Instant(host().elapsed())
}

/// There is only one thread, so the work blocks the caller.
#[cfg(any(feature = "argon2", feature = "jwt"))]
pub(crate) async fn unblock<T>(work: impl FnOnce() -> T + Send) -> T {
    work()
}

/// A point in time of the stopwatch, in place of the standard library's `Instant`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instant(Duration);

impl Instant {
    pub(crate) fn elapsed(self) -> Duration {
        stopwatch().saturating_duration_since(self)
    }

    pub(crate) fn saturating_duration_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(wait))
    }
}

/// A future that is ready once some time has passed, in place of `futures_timer::Delay`.
pub(crate) struct Delay {
    ends: Instant,
    alarm: Arc<Alarm>,
}

/// The waker that the host gets. It outlives the waiting tasks, so a reused timer needs no second call to the
/// host.
#[derive(Default)]
struct Alarm(Mutex<Setting>);

#[derive(Default)]
struct Setting {
    /// Whether the host has a timer that has not fired yet.
    is_set: bool,
    waiting: Option<Waker>,
}

impl Delay {
    pub(crate) fn new(wait: Duration) -> Self {
        Self { ends: stopwatch() + wait, alarm: Arc::default() }
    }

    pub(crate) fn reset(&mut self, wait: Duration) {
        *self = Self::new(wait);
    }
}

impl Future for Delay {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let left = self.ends.saturating_duration_since(stopwatch());
        if left.is_zero() {
            return Poll::Ready(());
        }
        let was_set = {
            let mut setting = self.alarm.0.lock().unwrap_or_else(PoisonError::into_inner);
            setting.waiting = Some(context.waker().clone());
            mem::replace(&mut setting.is_set, true)
        };
        if !was_set {
            host().wake_after(left, Waker::from(Arc::clone(&self.alarm)));
        }
        Poll::Pending
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        let Setting { waiting, .. } = mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }
}
