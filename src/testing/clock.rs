//! [`TestClock`]: a clock that tests set.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::base::Clock;

/// A clock that moves only when it is set. Its clones share one time.
#[derive(Clone)]
pub struct TestClock(Arc<AtomicI64>);

impl TestClock {
    /// Moves it forward, by whole seconds.
    pub fn advance(&self, by: Duration) {
        let seconds = i64::try_from(by.as_secs()).unwrap_or(i64::MAX);
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Sets it, to a whole second.
    pub fn set(&self, now: DateTime<Utc>) {
        self.0.store(now.timestamp(), Ordering::SeqCst);
    }
}

impl Default for TestClock {
    /// 15 January 2027, 08:00 UTC.
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(1_800_000_000)))
    }
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        let seconds = self.0.load(Ordering::SeqCst);
        DateTime::from_timestamp(seconds, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

impl fmt::Debug for TestClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TestClock").field(&self.now()).finish()
    }
}
