//! The id of a signed access token.

use std::fmt;

use base64::Engine as _;
use base64::display::Base64Display;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::handle::GrantId;
use super::secret::Fingerprint;

/// The id of a signed access token (`jti`). It is not a secret: it proves nothing without the signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenName {
    /// A grant has a record of the token, found by the first half of the record's digest.
    Recorded { grant: GrantId, fingerprint: Fingerprint },
    /// No record of the token is stored.
    Unrecorded(GrantId),
}

impl TokenName {
    pub(crate) fn parse(jti: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(jti).ok()?;
        let (grant, rest) = bytes.split_first_chunk::<16>()?;
        let grant = GrantId::new(*grant);
        match rest {
            [] => Some(Self::Unrecorded(grant)),
            rest => Some(Self::Recorded { grant, fingerprint: Fingerprint(rest.try_into().ok()?) }),
        }
    }
}

impl fmt::Display for TokenName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unrecorded(id) => id.fmt(f),
            Self::Recorded { grant, fingerprint } => {
                let mut bytes = [0; 32];
                let (head, tail) = bytes.split_at_mut(16);
                head.copy_from_slice(grant.as_bytes());
                tail.copy_from_slice(&fingerprint.0);
                Base64Display::new(&bytes, &URL_SAFE_NO_PAD).fmt(f)
            }
        }
    }
}

impl Serialize for TokenName {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TokenName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        // One name has one spelling.
        let name = Self::parse(&text).filter(|name| name.to_string() == text);
        name.ok_or_else(|| D::Error::custom("not the name of a token"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back_as_what_it_was() {
        let grant = GrantId::new([7; 16]);
        let recorded = TokenName::Recorded { grant, fingerprint: Fingerprint([9; 16]) };
        for name in [recorded, TokenName::Unrecorded(grant)] {
            assert_eq!(TokenName::parse(&name.to_string()), Some(name));
        }
        for bad in ["", "x", "AAAA", &"A".repeat(44), "not base64url!"] {
            assert_eq!(TokenName::parse(bad), None, "{bad}");
        }
    }
}
