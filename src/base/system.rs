//! The only place that reads the clock and the system's random source. All other code takes them as
//! arguments.

#[cfg(any(all(target_arch = "wasm32", target_os = "unknown"), doc))]
pub mod host;
#[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
mod native;

use std::sync::Arc;

use chrono::{DateTime, Utc};

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use host as machine;
#[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
use native as machine;

#[cfg(any(feature = "argon2", feature = "jwt"))]
pub(crate) use machine::unblock;
pub(crate) use machine::{Delay, Instant, is_there, stopwatch};

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

impl<T: Entropy + ?Sized> Entropy for Arc<T> {
    fn fill(&self, bytes: &mut [u8]) {
        (**self).fill(bytes);
    }
}

/// The clock of this machine, in whole seconds, except for [`precise_now`](Clock::precise_now). On
/// `wasm32-unknown-unknown` it is the [host](host)'s.
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
        machine::now()
    }

    fn precise_now(&self) -> DateTime<Utc> {
        machine::precise_now()
    }
}

/// The thread's cryptographically secure generator, seeded from the operating system. On
/// `wasm32-unknown-unknown` it is the [host](host)'s.
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
        machine::fill(bytes);
    }
}
