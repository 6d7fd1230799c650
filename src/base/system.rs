//! The only file that reads the clock and the system's random source. All other code takes them as arguments.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use std::sync::Arc;

use chrono::{DateTime, Utc};
use rand::Rng as _;

/// Tells the time. Trusted: a slow clock keeps tokens valid for longer; a fast one ends them early.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> DateTime<Utc>;

    /// The current time, as precise as possible: a sign-in and a request may be less than a second apart.
    fn precise_now(&self) -> DateTime<Utc> {
        self.now()
    }
}

impl<T: Clock + ?Sized> Clock for Arc<T> {
    fn now(&self) -> DateTime<Utc> {
        (**self).now()
    }

    fn precise_now(&self) -> DateTime<Utc> {
        (**self).precise_now()
    }
}

/// Generates secrets. Fully trusted: anyone who can guess its bytes has every token.
pub trait Entropy: Send + Sync {
    /// Fills `bytes` from a cryptographically secure source.
    fn fill(&self, bytes: &mut [u8]);
}

/// The clock of this machine, in whole seconds, except for [`precise_now`](Clock::precise_now).
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct SystemClock;

impl SystemClock {
    /// The clock of this machine.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        // Before 1970 there were no tokens.
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX);
        DateTime::from_timestamp(seconds, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    fn precise_now(&self) -> DateTime<Utc> {
        SystemTime::now().into()
    }
}

/// A monotonic clock, for the deadlines of calls and the retries of stores. No rule of a grant depends on it.
pub(crate) fn stopwatch() -> Instant {
    Instant::now()
}

/// The thread's cryptographically secure generator, seeded from the operating system.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct SystemEntropy;

impl SystemEntropy {
    /// The random source of this system.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        rand::rng().fill_bytes(bytes);
    }
}
