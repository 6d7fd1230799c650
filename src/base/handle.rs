//! Handles: the opaque codes and tokens that clients hold, `prefix + base64url(grant id ‖ secret)`.
//!
//! A handle contains the id of its grant, so every use is one read by primary key and no index. Its encoding
//! is canonical: 48 bytes are 64 characters without a spare bit.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::secret::{SECRET_BYTES, Secret};

/// The random id of a grant, 128 bits. It is not a secret: knowing it gives no access.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GrantId([u8; GrantId::BYTES]);

impl GrantId {
    /// The length in bytes.
    pub const BYTES: usize = 16;

    /// Takes 16 random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes, for a store's primary key.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl fmt::Display for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GrantId({self})")
    }
}

/// The text is not the id of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a grant id: 22 characters of base64url are expected")]
#[non_exhaustive]
pub struct InvalidGrantId;

impl FromStr for GrantId {
    type Err = InvalidGrantId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidGrantId)?;
        bytes.try_into().map(Self).map_err(|_| InvalidGrantId)
    }
}

impl Serialize for GrantId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for GrantId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The kind of a handle. The kind is part of the digest, so no kind passes as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// An authorization code.
    Code,
    /// An access token.
    Access,
    /// A refresh token.
    Refresh,
    /// A device code.
    Device,
    /// The end of a `request_uri` (RFC 9126).
    RequestUri,
}

impl Kind {
    /// Every kind.
    pub const ALL: &'static [Kind] =
        &[Kind::Access, Kind::Refresh, Kind::Code, Kind::Device, Kind::RequestUri];

    /// The kinds that can be revoked, in the order in which a token of unknown kind is tried.
    pub(crate) const TOKENS: &'static [Kind] = &[Kind::Access, Kind::Refresh, Kind::Code, Kind::Device];

    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Kind::Code => "grantor:code:v1",
            Kind::Access => "grantor:access:v1",
            Kind::Refresh => "grantor:refresh:v1",
            Kind::Device => "grantor:device:v1",
            Kind::RequestUri => "grantor:request-uri:v1",
        }
    }
}

/// The prefixes of handles; secret scanners find leaked tokens by them.
///
/// Each has at most 16 characters of `A-Z a-z 0-9 _ -`, and all differ.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Prefixes {
    /// For an authorization code; `gac_` by default.
    pub code: Cow<'static, str>,
    /// For an access token; `gat_` by default.
    pub access: Cow<'static, str>,
    /// For a refresh token; `grt_` by default.
    pub refresh: Cow<'static, str>,
    /// For a device code; `gdc_` by default.
    pub device: Cow<'static, str>,
    /// For the end of a `request_uri`; `gpr_` by default.
    pub request_uri: Cow<'static, str>,
}

impl Default for Prefixes {
    fn default() -> Self {
        Self {
            code: Cow::Borrowed("gac_"),
            access: Cow::Borrowed("gat_"),
            refresh: Cow::Borrowed("grt_"),
            device: Cow::Borrowed("gdc_"),
            request_uri: Cow::Borrowed("gpr_"),
        }
    }
}

impl Prefixes {
    /// The prefix of a kind.
    #[must_use]
    pub fn of(&self, kind: Kind) -> &str {
        match kind {
            Kind::Code => &self.code,
            Kind::Access => &self.access,
            Kind::Refresh => &self.refresh,
            Kind::Device => &self.device,
            Kind::RequestUri => &self.request_uri,
        }
    }

    /// Whether scanners and parsers can distinguish the kinds by their prefixes.
    pub(crate) fn are_distinct(&self) -> bool {
        let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        let fine = |p: &str| p.len() <= 16 && p.bytes().all(legal);
        Kind::ALL.iter().all(|kind| {
            let mine = self.of(*kind);
            fine(mine) && Kind::ALL.iter().all(|k| k == kind || self.of(*k) != mine)
        })
    }
}

/// The parts of a handle: the id of its grant, and its secret.
#[derive(Debug)]
#[non_exhaustive]
pub struct Handle {
    /// The grant that it names.
    pub grant: GrantId,
    /// The secret half, which only the holder knows.
    pub secret: Secret,
}

const BODY_BYTES: usize = GrantId::BYTES + SECRET_BYTES;
const BODY_CHARS: usize = BODY_BYTES / 3 * 4;

impl Handle {
    /// Joins the two halves.
    #[must_use]
    pub fn new(grant: GrantId, secret: Secret) -> Self {
        Self { grant, secret }
    }

    /// Parses a handle of this kind; only the canonical encoding is accepted.
    #[must_use]
    pub fn parse(text: &str, kind: Kind, prefixes: &Prefixes) -> Option<Self> {
        let body = text.strip_prefix(prefixes.of(kind))?;
        if body.len() != BODY_CHARS {
            return None;
        }
        let mut bytes = [0; BODY_BYTES];
        let length = URL_SAFE_NO_PAD.decode_slice(body, &mut bytes).ok()?;
        let (grant, secret) = bytes.split_first_chunk::<{ GrantId::BYTES }>()?;
        let secret = secret.try_into().ok()?;
        (length == BODY_BYTES).then(|| Self::new(GrantId::new(*grant), Secret::new(secret)))
    }

    /// The text that goes to the client, once.
    #[must_use]
    pub fn into_text(self, kind: Kind, prefixes: &Prefixes) -> String {
        let mut bytes = [0; BODY_BYTES];
        bytes[..GrantId::BYTES].copy_from_slice(&self.grant.0);
        bytes[GrantId::BYTES..].copy_from_slice(self.secret.bytes());
        let prefix = prefixes.of(kind);
        let mut text = String::with_capacity(prefix.len() + BODY_CHARS);
        text.push_str(prefix);
        URL_SAFE_NO_PAD.encode_string(bytes, &mut text);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(kind: Kind) -> String {
        let handle = Handle::new(GrantId::new([1; 16]), Secret::new([0xFB; 32]));
        handle.into_text(kind, &Prefixes::default())
    }

    #[test]
    fn a_handle_reads_back_as_what_it_was() {
        let prefixes = Prefixes::default();
        let read = Handle::parse(&text(Kind::Code), Kind::Code, &prefixes).unwrap();
        assert_eq!(read.grant, GrantId::new([1; 16]));
        assert!(read.secret.digest(Kind::Code.tag()) == Secret::new([0xFB; 32]).digest(Kind::Code.tag()));
    }

    #[test]
    fn any_other_spelling_is_no_handle() {
        let prefixes = Prefixes::default();
        let good = text(Kind::Code);
        let (cut, case) = (&good[..good.len() - 1], good.to_ascii_uppercase());
        for bad in [cut, &format!("{good}A"), &format!("{good}="), &case, &good[4..], "", "gac_"] {
            assert!(Handle::parse(bad, Kind::Code, &prefixes).is_none(), "{bad}");
        }
        assert!(Handle::parse(&good, Kind::Access, &prefixes).is_none());
    }

    #[test]
    fn prefixes_must_tell_kinds_apart() {
        let mut prefixes = Prefixes::default();
        assert!(prefixes.are_distinct());
        prefixes.access = Cow::Borrowed("gac_");
        assert!(!prefixes.are_distinct());
    }
}
