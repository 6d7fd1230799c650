//! The clock, the timers and the random source of an operating system.

use std::time::{SystemTime, UNIX_EPOCH};

#[cfg(any(feature = "argon2", feature = "jwt"))]
pub(crate) use blocking::unblock;
use chrono::{DateTime, Utc};
pub(crate) use futures_timer::Delay;
use rand::Rng as _;
pub(crate) use std::time::Instant;

/// Whether there is a clock: always, except in a WebAssembly module without a host.
pub(crate) const fn is_there() -> bool {
    true
}

pub(super) fn now() -> DateTime<Utc> {
    // A clock before 1970 counts as 1970.
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX);
    DateTime::from_timestamp(seconds, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

pub(super) fn precise_now() -> DateTime<Utc> {
    SystemTime::now().into()
}

/// A monotonic clock, for the deadlines of calls and the retries of stores. No rule of a grant depends on it.
pub(crate) fn stopwatch() -> Instant {
    Instant::now()
}

pub(super) fn fill(bytes: &mut [u8]) {
    rand::rng().fill_bytes(bytes);
}
