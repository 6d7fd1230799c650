//! Argon2 for client secrets that people chose (feature `argon2`).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordVerifier as _};
use async_trait::async_trait;

use super::SlowHash;
use crate::base::SecretText;
use crate::base::system::unblock;

/// Checks `$argon2…` strings on its own thread pool, a bounded number at a time: each check costs the memory
/// that its PHC string names, 64 MiB in a usual one.
pub struct Argon2Secrets {
    running: Arc<AtomicUsize>,
    limit: usize,
}

impl Argon2Secrets {
    /// At most `limit` checks run at a time; one more is answered with 503.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { running: Arc::new(AtomicUsize::new(0)), limit }
    }
}

impl Default for Argon2Secrets {
    fn default() -> Self {
        Self::new(8)
    }
}

#[async_trait]
impl SlowHash for Argon2Secrets {
    async fn verify(&self, phc: &str, presented: &SecretText) -> Option<bool> {
        let slot = Slot::take(&self.running, self.limit)?;
        let (phc, presented) = (phc.to_owned(), presented.reveal().to_owned());
        let check = move || {
            let right = PasswordHash::new(&phc)
                .is_ok_and(|hash| Argon2::default().verify_password(presented.as_bytes(), &hash).is_ok());
            drop(slot);
            right
        };
        Some(unblock(check).await)
    }
}

/// A permit for one check; it is released when the check ends, not when its caller is dropped.
struct Slot(Arc<AtomicUsize>);

impl Slot {
    fn take(running: &Arc<AtomicUsize>, limit: usize) -> Option<Self> {
        let slot = Self(Arc::clone(running));
        let before = running.fetch_add(1, Ordering::AcqRel);
        (before < limit).then_some(slot)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl fmt::Debug for Argon2Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Argon2Secrets").field("limit", &self.limit).finish_non_exhaustive()
    }
}
