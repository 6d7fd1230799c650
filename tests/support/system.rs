//! A clock that only moves when told to, and randomness that is the same in every run.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use grantor::{Clock, Entropy, SecretText};

/// A clock that moves when it is told to.
#[derive(Clone, Default)]
pub struct TestClock(Arc<AtomicI64>);

impl TestClock {
    pub const START: i64 = 1_800_000_000;

    pub fn set(&self, now: DateTime<Utc>) {
        self.0.store(now.timestamp() - Self::START, Ordering::SeqCst);
    }

    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_secs() as i64, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(Self::START + self.0.load(Ordering::SeqCst), 0).unwrap()
    }
}

/// Randomness that is the same in every run, and never repeats within one.
#[derive(Clone, Default)]
pub struct CountingEntropy(Arc<AtomicI64>);

impl Entropy for CountingEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let count = self.0.fetch_add(1, Ordering::SeqCst);
            let digest = SecretText::new(format!("entropy {count}")).digest();
            let text = serde_json::to_string(&digest).unwrap();
            let noise = URL_SAFE_NO_PAD.decode(text.trim_matches('"')).unwrap();
            chunk.copy_from_slice(&noise[..chunk.len()]);
        }
    }
}
