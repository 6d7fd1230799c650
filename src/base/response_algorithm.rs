//! [`ResponseAlgorithm`]: what an answer is signed with for the client that reads it.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Algorithm;

/// What an `id_token` or a UserInfo answer is signed with for the client that reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResponseAlgorithm {
    /// A key of the server: everyone can verify it with the published keys.
    Key(Algorithm),
    /// HMAC with SHA-256 under the client's own secret (`HS256`, OpenID Connect Core section 10.1). The
    /// client could have made it, too, so it proves nothing to anyone else.
    Hs256,
}

impl ResponseAlgorithm {
    /// The name in a header and in metadata.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Key(algorithm) => algorithm.as_str(),
            Self::Hs256 => "HS256",
        }
    }

    /// The algorithm of this name, spelled exactly so.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "HS256" => Some(Self::Hs256),
            _ => Algorithm::parse(name).map(Self::Key),
        }
    }

    /// That of the server's key; none for a secret.
    #[must_use]
    pub fn key(self) -> Option<Algorithm> {
        match self {
            Self::Key(algorithm) => Some(algorithm),
            Self::Hs256 => None,
        }
    }
}

impl From<Algorithm> for ResponseAlgorithm {
    fn from(algorithm: Algorithm) -> Self {
        Self::Key(algorithm)
    }
}

impl fmt::Display for ResponseAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ResponseAlgorithm {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ResponseAlgorithm {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = String::deserialize(from)?;
        Self::parse(&name).ok_or_else(|| D::Error::custom("not a signature algorithm, and not HS256"))
    }
}
