//! [`Confirmation`]: the key that a token is bound to (RFC 7800).

use std::fmt;

use base64::Engine as _;
use base64::display::Base64Display;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A SHA-256 thumbprint: of a public key (RFC 7638) or of a certificate (RFC 8705 section 3.1). It is no
/// secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Thumbprint([u8; 32]);

impl Thumbprint {
    /// The thumbprint with these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads 43 characters of canonical base64url without padding.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Base64Display::new(&self.0, &URL_SAFE_NO_PAD).fmt(f)
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Thumbprint({self})")
    }
}

impl Serialize for Thumbprint {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Thumbprint {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("not the thumbprint of a key"))
    }
}

/// The key that a token is bound to: only its holder may use the token. Serialised as the claim `cnf` (RFC
/// 7800 section 3.1).
///
/// A `cnf` with unknown members is refused: ignoring one would drop a restriction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Confirmation {
    /// `jkt`: a public key that is proven by DPoP (RFC 9449 section 6.1).
    Jkt(Thumbprint),
    /// `x5t#S256`: the client certificate of the connection (RFC 8705 section 3.1).
    X5tS256(Thumbprint),
    /// Both; each must be proven.
    Both(Box<BothKeys>),
}

/// A key that is proven by DPoP, and a client certificate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct BothKeys {
    /// `jkt`
    pub jkt: Thumbprint,
    /// `x5t#S256`
    pub x5t_s256: Thumbprint,
}

impl Confirmation {
    /// The confirmation of what a request proves: a DPoP key, a certificate, both or nothing.
    #[must_use]
    pub fn of(jkt: Option<Thumbprint>, x5t_s256: Option<Thumbprint>) -> Option<Self> {
        match (jkt, x5t_s256) {
            (None, None) => None,
            (Some(jkt), None) => Some(Self::Jkt(jkt)),
            (None, Some(x5t_s256)) => Some(Self::X5tS256(x5t_s256)),
            (Some(jkt), Some(x5t_s256)) => Some(Self::Both(Box::new(BothKeys { jkt, x5t_s256 }))),
        }
    }

    /// The thumbprint of the DPoP key.
    #[must_use]
    pub fn jkt(&self) -> Option<&Thumbprint> {
        match self {
            Self::Jkt(jkt) => Some(jkt),
            Self::X5tS256(_) => None,
            Self::Both(both) => Some(&both.jkt),
        }
    }

    /// The thumbprint of the client certificate.
    #[must_use]
    pub fn x5t_s256(&self) -> Option<&Thumbprint> {
        match self {
            Self::Jkt(_) => None,
            Self::X5tS256(x5t_s256) => Some(x5t_s256),
            Self::Both(both) => Some(&both.x5t_s256),
        }
    }

    /// The `token_type` of a token that is bound to this key.
    #[must_use]
    pub fn token_type(&self) -> &'static str {
        match self.jkt() {
            Some(_) => "DPoP",
            None => BEARER,
        }
    }

    /// The `token_type` of a token with an optional key.
    pub(crate) fn token_type_of(key: Option<&Self>) -> &'static str {
        key.map_or(BEARER, Self::token_type)
    }

    /// Whether this has every key of the other one.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let has = |own: Option<&Thumbprint>, needed: Option<&Thumbprint>| needed.is_none() || own == needed;
        has(self.jkt(), other.jkt()) && has(self.x5t_s256(), other.x5t_s256())
    }
}

/// The known members of `cnf`. A `cnf` with any other member is refused.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jkt: Option<Thumbprint>,
    #[serde(default, rename = "x5t#S256", skip_serializing_if = "Option::is_none")]
    x5t_s256: Option<Thumbprint>,
}

impl Serialize for Confirmation {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Members { jkt: self.jkt().copied(), x5t_s256: self.x5t_s256().copied() }.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Confirmation {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Members { jkt, x5t_s256 } = Members::deserialize(from)?;
        Self::of(jkt, x5t_s256).ok_or_else(|| D::Error::custom("a confirmation without a key"))
    }
}

/// The `token_type` of a token that is bound to no key, or to a certificate.
pub(crate) const BEARER: &str = "Bearer";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confirmation_is_written_as_the_claim_cnf() -> Result<(), serde_json::Error> {
        let print = Thumbprint::new([7; 32]);
        for (key, json) in [
            (Confirmation::Jkt(print), format!(r#"{{"jkt":"{print}"}}"#)),
            (Confirmation::X5tS256(print), format!(r#"{{"x5t#S256":"{print}"}}"#)),
            (
                Confirmation::Both(Box::new(BothKeys { jkt: print, x5t_s256: print })),
                format!(r#"{{"jkt":"{print}","x5t#S256":"{print}"}}"#),
            ),
        ] {
            assert_eq!(serde_json::to_string(&key)?, json);
            assert_eq!(serde_json::from_str::<Confirmation>(&json)?, key);
        }
        Ok(())
    }

    #[test]
    fn a_confirmation_that_cannot_be_checked_whole_is_not_read() {
        let print = Thumbprint::new([7; 32]);
        for bad in [
            "{}".to_owned(),
            "null".to_owned(),
            r#""jkt""#.to_owned(),
            r#"{"jkt":"short"}"#.to_owned(),
            r#"{"kid":"1"}"#.to_owned(),
            format!(r#"{{"jkt":"{print}","kid":"1"}}"#),
            format!(r#"{{"jkt":"{print}="}}"#),
            format!(r#"{{"jkt":"{print}","jkt":"{print}"}}"#),
        ] {
            assert!(serde_json::from_str::<Confirmation>(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn more_keys_cover_fewer() {
        let [one, two] = [1, 2].map(|byte| Thumbprint::new([byte; 32]));
        let both = Confirmation::Both(Box::new(BothKeys { jkt: one, x5t_s256: two }));
        assert!(both.covers(&Confirmation::Jkt(one)) && both.covers(&Confirmation::X5tS256(two)));
        assert!(both.covers(&both) && !Confirmation::Jkt(one).covers(&both));
        assert!(
            !both.covers(&Confirmation::Jkt(two))
                && !Confirmation::Jkt(one).covers(&Confirmation::X5tS256(one))
        );
    }

    #[test]
    fn a_thumbprint_has_one_spelling() {
        let text = Thumbprint::new([255; 32]).to_string();
        assert_eq!(text.len(), 43);
        assert_eq!(Thumbprint::parse(&text), Some(Thumbprint::new([255; 32])));
        // The last character encodes two unused bits, so this text decodes to the same bytes.
        let twin = format!("{}9", &text[..42]);
        for bad in [twin.as_str(), "", &text[..42], &format!("{text}=")] {
            assert_eq!(Thumbprint::parse(bad), None, "{bad}");
        }
    }
}
