//! [`SlowHash`]: how the host checks secrets that people chose.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::base::SecretText;

/// Checks secrets that people chose, slowly and off the async threads. The feature `argon2` has one.
#[async_trait]
pub trait SlowHash: Send + Sync + fmt::Debug {
    /// Whether `presented` is the secret of this PHC string; `None` if too many are being checked already.
    ///
    /// `presented` is untrusted, `phc` comes from your registry. A wrong `true` lets anyone impersonate this
    /// client. After [`Policy::store_deadline`](crate::Policy::store_deadline) the response is 503, and the
    /// future is dropped.
    async fn verify(&self, phc: &str, presented: &SecretText) -> Option<bool>;
}

#[async_trait]
impl<T: SlowHash + ?Sized> SlowHash for Arc<T> {
    async fn verify(&self, phc: &str, presented: &SecretText) -> Option<bool> {
        (**self).verify(phc, presented).await
    }
}
