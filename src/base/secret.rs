//! Secrets and their digests: moved, hashed or revealed; never printed, compared or cloned.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// The length of a generated secret in bytes: 256 bits.
pub const SECRET_BYTES: usize = 32;

/// A generated secret of 256 bits, the half of a handle that only its holder knows.
///
/// Neither `Clone` nor `Display`: it can be hashed, or put on the wire once.
pub struct Secret([u8; SECRET_BYTES]);

impl Secret {
    /// Takes 32 bytes from a cryptographically secure source.
    #[must_use]
    pub fn new(bytes: [u8; SECRET_BYTES]) -> Self {
        Self(bytes)
    }

    /// SHA-256 over a kind tag and the secret, so that a code is never accepted as a token.
    #[must_use]
    pub fn digest(&self, tag: &'static str) -> Digest {
        Digest::of(tag, &self.0)
    }

    pub(crate) fn bytes(&self) -> &[u8; SECRET_BYTES] {
        &self.0
    }

    /// A second copy, to respond with the presented token itself.
    pub(crate) fn duplicate(&self) -> Self {
        Self(self.0)
    }

    /// A secret derived from this one and other data; neither is enough alone.
    pub(crate) fn joined_with(&self, other: &[u8], tag: &'static str) -> Self {
        Self(self.mac(tag, &[other]).0)
    }

    /// SHA-256 over the tag, this secret and these parts. The secret has a fixed length, and only the last
    /// part may have a variable length, so the input is unambiguous. If the last part has a variable length,
    /// reveal at most half of the digest: SHA-256 allows length extension.
    pub(crate) fn mac(&self, tag: &'static str, parts: &[&[u8]]) -> Digest {
        let start = Sha256::new().chain_update(tag).chain_update([0]).chain_update(self.0);
        let hash = parts.iter().fold(start, |hash, part| hash.chain_update(part));
        Digest(hash.finalize().into())
    }

    /// This secret XOR a pad that only the holder of `key` can compute. Applying it twice returns the secret.
    pub(crate) fn masked_by(&self, key: &Secret, tag: &'static str) -> Self {
        let pad = key.digest(tag);
        let mut bytes = self.0;
        bytes.iter_mut().zip(pad.0).for_each(|(b, p)| *b ^= p);
        Self(bytes)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A secret as text: a client's secret or a user's password, as presented.
pub struct SecretText(String);

impl SecretText {
    /// Wraps a secret so that no log or `Debug` shows it.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Do not log it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The digest under which a generated client secret is kept.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(CLIENT_SECRET, self.0.as_bytes())
    }
}

const CLIENT_SECRET: &str = "grantor:client-secret:v1";

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(..)")
    }
}

/// A SHA-256 digest; equality takes the same time wherever the difference is.
#[derive(Clone, Copy)]
pub struct Digest([u8; 32]);

impl Digest {
    /// A digest of no known input, to compare with if there is no real one.
    pub(crate) const DECOY: Self = Self([0xA5; 32]);

    /// A digest from outside, such as the tag of a cursor, to be compared.
    pub(crate) const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// SHA-256 over `tag`, a zero byte, and `bytes`.
    #[must_use]
    pub fn of(tag: &'static str, bytes: &[u8]) -> Self {
        // Mostly one block, which is hashed at once.
        let mut block = [0; 64];
        let (start, end) = (tag.len() + 1, tag.len() + 1 + bytes.len());
        if let Some(room) = block.get_mut(..end) {
            room[..tag.len()].copy_from_slice(tag.as_bytes());
            room[start..].copy_from_slice(bytes);
            return Self(Sha256::digest(room).into());
        }
        let hash = Sha256::new().chain_update(tag).chain_update([0]).chain_update(bytes);
        Self(hash.finalize().into())
    }

    /// The same digest, in constant time.
    #[must_use]
    pub fn matches(&self, other: &Digest) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    /// Its first half: enough to distinguish tokens, but it proves nothing.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&self.0[..16]);
        Fingerprint(bytes)
    }

    pub(crate) fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other)
    }
}
impl Eq for Digest {}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(..)")
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        bytes_from_base64url(from).map(Self)
    }
}

/// A masked secret reveals as little as a digest, so it may be stored.
impl Serialize for Masked {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Masked {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        bytes_from_base64url(from).map(Self)
    }
}

/// A secret under a pad: useless without the secret from which the pad is derived.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Masked([u8; SECRET_BYTES]);

impl Masked {
    pub(crate) fn hide(secret: &Secret, key: &Secret, tag: &'static str) -> Self {
        Self(secret.masked_by(key, tag).0)
    }

    pub(crate) fn reveal(self, key: &Secret, tag: &'static str) -> Secret {
        Secret(self.0).masked_by(key, tag)
    }
}

impl fmt::Debug for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Masked(..)")
    }
}

fn bytes_from_base64url<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 32], D::Error> {
    let text = String::deserialize(from)?;
    let bytes = URL_SAFE_NO_PAD.decode(text);
    let bytes = bytes.map_err(|_| serde::de::Error::custom("not base64url"))?;
    let exact = bytes.try_into();
    exact.map_err(|_| serde::de::Error::custom("not 32 bytes"))
}

/// The first half of a digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Fingerprint(pub(crate) [u8; 16]);

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_depends_on_its_tag() {
        let secret = Secret::new([7; 32]);
        assert!(secret.digest("a").matches(&secret.digest("a")));
        assert!(!secret.digest("a").matches(&secret.digest("b")));
    }

    #[test]
    fn a_long_text_has_a_digest_like_a_short_one() {
        for length in [0, 1, 31, 32, 60, 61, 62, 63, 64, 65, 200] {
            let bytes = vec![b'x'; length];
            let whole = [b"t\0", &bytes[..]].concat();
            assert_eq!(Digest::of("t", &bytes).0, <[u8; 32]>::from(Sha256::digest(whole)), "{length}");
        }
    }

    #[test]
    fn only_the_key_lifts_a_mask() {
        let (secret, key, other) = (Secret::new([1; 32]), Secret::new([2; 32]), Secret::new([3; 32]));
        let masked = Masked::hide(&secret, &key, "pad");
        assert_eq!(masked.reveal(&key, "pad").0, secret.0);
        assert_ne!(masked.reveal(&other, "pad").0, secret.0);
        assert_ne!(masked.reveal(&key, "another pad").0, secret.0);
    }

    #[test]
    fn nothing_is_printed() {
        assert_eq!(format!("{:?}", Secret::new([9; 32])), "Secret(..)");
        assert_eq!(format!("{:?}", SecretText::new("hunter2")), "SecretText(..)");
        assert_eq!(format!("{:?}", Secret::new([9; 32]).digest("t")), "Digest(..)");
    }
}
