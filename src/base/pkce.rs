//! Proof Key for Code Exchange (RFC 7636), with `S256` only.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::value_error::ValueError;

/// A code verifier: 43 to 128 unreserved characters (RFC 7636 section 4.1).
pub struct CodeVerifier(String);

impl CodeVerifier {
    /// Checks length and alphabet.
    ///
    /// # Errors
    /// [`ValueError::CodeVerifier`].
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let unreserved = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
        if !(43..=128).contains(&text.len()) || !text.bytes().all(unreserved) {
            return Err(ValueError::CodeVerifier);
        }
        Ok(Self(text.to_owned()))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for CodeVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeVerifier(..)")
    }
}

/// A code challenge of method `S256`: base64url of a SHA-256 digest, 43 characters.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CodeChallenge(#[serde(with = "text")] [u8; 32]);

impl CodeChallenge {
    /// Reads the `code_challenge` of an authorization request.
    ///
    /// # Errors
    /// [`ValueError::CodeChallenge`] if it is not the encoding of a SHA-256 digest.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        if text.len() != 43 {
            return Err(ValueError::CodeChallenge);
        }
        let mut bytes = [0; 33]; // the engine asks for room for whole groups
        match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
            Ok(32) => bytes.first_chunk().copied().map(Self).ok_or(ValueError::CodeChallenge),
            Ok(_) | Err(_) => Err(ValueError::CodeChallenge),
        }
    }

    /// Whether this is the challenge of `verifier` (RFC 7636 section 4.6), in constant time.
    #[must_use]
    pub fn accepts(&self, verifier: &CodeVerifier) -> bool {
        let made: [u8; 32] = Sha256::digest(verifier.0.as_bytes()).into();
        made.ct_eq(&self.0).into()
    }
}

impl fmt::Debug for CodeChallenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeChallenge(..)")
    }
}

mod text {
    use super::*;
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&URL_SAFE_NO_PAD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(from)?;
        let challenge = CodeChallenge::parse(&text);
        challenge.map(|c| c.0).map_err(|_| serde::de::Error::custom("not a code challenge"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_of_rfc_7636_appendix_b() {
        let verifier = CodeVerifier::parse("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap();
        let challenge = CodeChallenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM").unwrap();
        assert!(challenge.accepts(&verifier));
        let other = CodeVerifier::parse(&"a".repeat(43)).unwrap();
        assert!(!challenge.accepts(&other));
    }

    #[test]
    fn lengths_and_alphabet() {
        for good in ["a".repeat(43), "~".repeat(128)] {
            assert!(CodeVerifier::parse(&good).is_ok());
        }
        for bad in ["a".repeat(42), "a".repeat(129), "=".repeat(43), "/".repeat(43), "\0".repeat(43)] {
            assert_eq!(CodeVerifier::parse(&bad).err(), Some(ValueError::CodeVerifier));
        }
        for bad in ["", "short", &"a".repeat(44), &"=".repeat(43)] {
            assert_eq!(CodeChallenge::parse(bad), Err(ValueError::CodeChallenge));
        }
    }
}
