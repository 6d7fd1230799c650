//! [`Algorithm`]: the supported signature algorithms.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A signature algorithm of RFC 7518 or RFC 8037. All are asymmetric: a verifier cannot sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Algorithm {
    /// Ed25519 (RFC 8037): small, fast, and needs no randomness to sign.
    EdDsa,
    /// ECDSA over P-256 with SHA-256.
    Es256,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PKCS1-v1_5 with SHA-256: every verifier supports it.
    Rs256,
}

impl Algorithm {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::EdDsa, Self::Es256, Self::Ps256, Self::Rs256];

    /// The name in a header, a key and the metadata.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Ps256 => "PS256",
            Self::Rs256 => "RS256",
        }
    }

    /// All its names, for metadata: `EdDSA` also has a fully specified name (RFC 9864).
    #[must_use]
    pub fn names(self) -> &'static [&'static str] {
        match self {
            Self::EdDsa => &["EdDSA", "Ed25519"],
            Self::Es256 => &["ES256"],
            Self::Ps256 => &["PS256"],
            Self::Rs256 => &["RS256"],
        }
    }

    /// The algorithm with exactly this name. `Ed25519` (RFC 9864) is the fully specified name of `EdDSA`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            "ES256" => Some(Self::Es256),
            "PS256" => Some(Self::Ps256),
            "RS256" => Some(Self::Rs256),
            _ => None,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Algorithm {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Algorithm {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = String::deserialize(from)?;
        Self::parse(&name)
            .ok_or_else(|| D::Error::custom("not a signature algorithm that this version knows"))
    }
}
