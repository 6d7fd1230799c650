//! [`ResponseAlgorithm`]: the signature algorithm of a response to a client.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Algorithm;

/// The signature algorithm of a client's `id_token`s or UserInfo responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResponseAlgorithm {
    /// With a key of the server: everyone can verify the signature with the published keys.
    Key(Algorithm),
    /// HMAC with SHA-256 under the client's own secret (`HS256`, OpenID Connect Core section 10.1). The
    /// client can make such a signature itself, so it proves nothing to anyone else.
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

    /// The algorithm with exactly this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "HS256" => Some(Self::Hs256),
            _ => Algorithm::parse(name).map(Self::Key),
        }
    }

    /// The algorithm of the server's key; `None` for `HS256`.
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
        Self::parse(&name).ok_or_else(|| D::Error::custom("neither HS256 nor a known signature algorithm"))
    }
}
