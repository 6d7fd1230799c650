//! [`SessionId`]: the host's session in which a user signed in.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::secret::Digest;

/// A session of the host: one browser in which one user is signed in.
///
/// It is a digest of the host's own session id, so neither a store nor a token shows that id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId([u8; SessionId::BYTES]);

impl SessionId {
    /// Its length.
    pub const BYTES: usize = 16;

    /// The session with this id at the host, such as the primary key of its table of sessions. It must be
    /// unique for each session and stay the same until the session ends. Do not use the value of the session
    /// cookie.
    ///
    /// It is trusted: if two sessions have the same id, the end of one ends the grants of both.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let digest = Digest::of("grantor:session", name.as_bytes());
        let mut bytes = [0; Self::BYTES];
        bytes.copy_from_slice(&digest.expose()[..Self::BYTES]);
        Self(bytes)
    }

    /// The session that a store's index has under these bytes, from [`as_bytes`](Self::as_bytes).
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// For a store's index.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    fn to_text(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({})", self.to_text())
    }
}

impl Serialize for SessionId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.to_text())
    }
}

impl<'de> Deserialize<'de> for SessionId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(D::Error::custom)?;
        bytes.try_into().map(Self).map_err(|_| D::Error::custom("a session has 16 bytes"))
    }
}
