//! [`KeyStore`]: one versioned cell for the ring.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use crate::base::SecretText;
use crate::error::{BackendError, CommitError};

/// Keeps the signing keys of all nodes in one versioned cell.
///
/// This crate writes the body, which **holds private keys**: protect it, encrypt it if you can, and never log
/// it. Emptying the cell is the emergency reset: within a minute all nodes agree on new keys that sign at
/// once, and the old ones are no longer published. The returned body is fully trusted: a forged one lets its
/// author impersonate any user.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a `KeyStore`, so it cannot keep keys",
    note = "if it still has to be opened or connected, like `SqliteStore::open(…)`, add `.await?`"
)]
#[async_trait]
pub trait KeyStore: Send + Sync {
    /// The last committed record; `None` before the first commit. A stale answer costs a conflict; if answers
    /// stay stale for longer than the schedule's `announce`, tokens are signed that cannot be verified.
    ///
    /// # Errors
    /// The cell cannot be read. Keys that are loaded go on signing; without any, tokens cannot be signed: 503.
    async fn load(&self) -> Result<Option<KeyRecord>, BackendError>;

    /// One conditional write. Returns the new version, which is greater than the previous one. If `expect` is
    /// `None`, the cell must be vacant; if it is `Some(v)`, it must still hold version `v`. The condition and
    /// the write are one atomic step. Confirming a write whose condition did not hold lets two nodes sign
    /// with keys that the other does not publish.
    ///
    /// # Errors
    /// [`CommitError::Conflict`] if the condition did not hold; the node loads again, as it does after a write
    /// that may have happened ([`BackendError::unknown_outcome`]).
    async fn commit(&self, expect: Option<u64>, body: &str) -> Result<u64, CommitError>;
}

/// The cell as it was read.
#[derive(Debug)]
pub struct KeyRecord {
    version: u64,
    body: SecretText,
}

impl KeyRecord {
    /// The committed body, and the version that the commit returned.
    #[must_use]
    pub fn new(version: u64, body: impl Into<String>) -> Self {
        Self { version, body: SecretText::new(body) }
    }

    /// The version that a conditional write has to name.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The encoded ring with its private keys.
    #[must_use]
    pub fn body(&self) -> &SecretText {
        &self.body
    }
}

/// Keys in memory: each start of the process generates new ones, and tokens do not outlive the process. For
/// tests, and for servers whose tokens may be lost.
#[derive(Default)]
pub struct MemoryKeyStore(Mutex<Option<(u64, String)>>);

impl MemoryKeyStore {
    /// A vacant cell.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl KeyStore for MemoryKeyStore {
    async fn load(&self) -> Result<Option<KeyRecord>, BackendError> {
        let cell = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(cell.as_ref().map(|(version, body)| KeyRecord::new(*version, body.as_str())))
    }

    async fn commit(&self, expect: Option<u64>, body: &str) -> Result<u64, CommitError> {
        let mut cell = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if cell.as_ref().map(|(version, _)| *version) != expect {
            return Err(CommitError::Conflict);
        }
        let version = expect.map_or(1, |v| v.saturating_add(1));
        *cell = Some((version, body.to_owned()));
        Ok(version)
    }
}

impl fmt::Debug for MemoryKeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryKeyStore(..)")
    }
}

#[async_trait]
impl<T: KeyStore + ?Sized> KeyStore for Arc<T> {
    async fn load(&self) -> Result<Option<KeyRecord>, BackendError> {
        (**self).load().await
    }

    async fn commit(&self, expect: Option<u64>, body: &str) -> Result<u64, CommitError> {
        (**self).commit(expect, body).await
    }
}
