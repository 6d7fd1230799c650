//! The key of a single-use identifier.

use std::fmt;

use super::secret::{Digest, Fingerprint};

/// The digest of a single-use identifier and of the namespace in which it is unique.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReplayKey([u8; 32]);

impl ReplayKey {
    /// The key of `id` in the namespace `space`, for example of a `jti` among one client's assertions.
    #[must_use]
    pub fn new(space: &str, id: &str) -> Self {
        let text = format!("{}:{space}{id}", space.len());
        Self(*Digest::of("grantor:replay:v1", text.as_bytes()).expose())
    }

    /// The same key within another namespace, such as one server's.
    pub(crate) fn within(&self, space: &str) -> Self {
        let id: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        Self::new(space, &id)
    }

    /// The bytes, for a store's primary key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Its first half: enough to distinguish keys.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Digest::new(self.0).fingerprint()
    }
}

impl fmt::Debug for ReplayKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReplayKey(..)")
    }
}
