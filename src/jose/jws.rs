//! [`Jws`]: a received signed token (RFC 7515, compact serialisation).
//!
//! ```text
//! text ──Jws::parse──▶ Unverified ──verify(trusted keys)──▶ Verified ──claims──▶ your type
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::jwk::Members;
use super::{Algorithm, Jwk, KeyError, VerifyingKey};
use crate::base::strict_json::{self, NotStrict};

/// The only parser of signed tokens: see [`Jws::parse`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Jws;

/// A well-formed token whose signature has not been checked. Its payload cannot be read before
/// [`verify`](Self::verify).
pub struct Unverified<'a> {
    algorithm: Algorithm,
    typ: Option<String>,
    kid: Option<String>,
    message: &'a str,
    payload: String,
    signature: Vec<u8>,
}

/// The payload of a token with a valid signature. Issuer, audience and expiry have not been checked.
pub struct Verified<'a> {
    payload: &'a str,
    key: &'a VerifyingKey,
}

/// Why a token is refused. The error contains nothing of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwsError {
    /// Longer than [`Jws::MAX_BYTES`].
    #[error("the token is too long")]
    TooLong,
    /// Not three non-empty parts.
    #[error("the token does not have three parts")]
    NotThreeParts,
    /// A part is not canonical base64url without padding.
    #[error("a part of the token is not base64url")]
    NotBase64Url,
    /// Header or payload is not a JSON object.
    #[error("a part of the token is not a JSON object")]
    NotAnObject,
    /// A member occurs twice.
    #[error("the token has a duplicate member")]
    DuplicateMember,
    /// The header has a member that provides a key, changes what is signed, or requires an extension.
    #[error("the token's header has the member {0}")]
    ForbiddenMember(&'static str),
    /// `alg` is missing or not supported, such as `none` in any spelling, and every symmetric algorithm.
    #[error("the token's algorithm is refused")]
    Algorithm,
    /// No trusted key has this `kid` and this algorithm. A fresh key set may have one.
    #[error("no trusted key has the token's key identifier and algorithm")]
    UnknownKey,
    /// The signature was not made by the key that the token names.
    #[error("the token's signature is wrong")]
    BadSignature,
    /// The claims do not have the expected form.
    #[error("the token's claims do not have the expected types")]
    Claims,
}

impl Jws {
    /// The maximum length of a token, in bytes.
    pub const MAX_BYTES: usize = 16 * 1024;

    /// Parses a token strictly; nothing in it is verified yet.
    ///
    /// The header and the payload must be JSON objects without duplicate members. Only `alg`, `typ` and `kid`
    /// of the header are used. `crit`, `b64`, `jwk`, `jku`, `x5u`, `x5c`, `zip` and `enc` are refused; other
    /// members are ignored, as RFC 7515 section 4 requires.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(text: &str) -> Result<Unverified<'_>, JwsError> {
        Self::parse_without(text, &FORBIDDEN).map(|(unverified, _)| unverified)
    }

    /// Parses a token with its own public key in the header, such as a DPoP proof (RFC 9449 section 4.2), and
    /// that key. The signature proves only that the signer has the private key.
    ///
    /// # Errors
    /// The first thing that is wrong; a header without a key is [`JwsError::UnknownKey`].
    pub(crate) fn parse_with_key(text: &str) -> Result<(Unverified<'_>, Result<Jwk, KeyError>), JwsError> {
        let (unverified, key) = Self::parse_without(text, &FORBIDDEN_BESIDE_A_KEY)?;
        let key = key.ok_or(JwsError::UnknownKey)?;
        Ok((unverified, Jwk::try_from(key)))
    }

    fn parse_without<'a>(
        text: &'a str,
        forbidden: &[&'static str],
    ) -> Result<(Unverified<'a>, Option<Members>), JwsError> {
        let (Parts { algorithm, typ, kid, message, payload, signature }, key) = parts(text, forbidden)?;
        let algorithm = algorithm.as_deref().and_then(Algorithm::parse).ok_or(JwsError::Algorithm)?;
        Ok((Unverified { algorithm, typ, kid, message, payload, signature }, key))
    }

    /// Parses a token with any algorithm, for a reader of a different one.
    pub(super) fn parts(text: &str) -> Result<Parts<'_>, JwsError> {
        parts(text, &FORBIDDEN).map(|(parts, _)| parts)
    }
}

/// The parts of a token.
pub(super) struct Parts<'a> {
    pub(super) algorithm: Option<String>,
    pub(super) typ: Option<String>,
    kid: Option<String>,
    pub(super) message: &'a str,
    pub(super) payload: String,
    pub(super) signature: Vec<u8>,
}

fn parts<'a>(text: &'a str, forbidden: &[&'static str]) -> Result<(Parts<'a>, Option<Members>), JwsError> {
    if text.len() > Jws::MAX_BYTES {
        return Err(JwsError::TooLong);
    }
    let (message, signature) = text.rsplit_once('.').ok_or(JwsError::NotThreeParts)?;
    let (header, payload) = message.split_once('.').ok_or(JwsError::NotThreeParts)?;
    let parts = [header, payload, signature];
    if parts.iter().any(|part| part.is_empty()) || payload.contains('.') {
        return Err(JwsError::NotThreeParts);
    }
    let Header { alg: algorithm, typ, kid, jwk: key } = Header::parse(&decode_text(header)?, forbidden)?;
    let payload = decode_text(payload)?;
    check(&payload, &[])?;
    let signature = decode(signature)?;
    Ok((Parts { algorithm, typ, kid, message, payload, signature }, key))
}

impl<'a> Unverified<'a> {
    /// The algorithm that the header names; unverified.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The `kid` in the header; unverified.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The issuer that the token claims (`iss`); unverified. Use it only to choose the keys to verify with:
    /// only the keys of that issuer can confirm it.
    pub(crate) fn claimed_issuer(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Json {
            iss: String,
        }
        serde_json::from_str::<Json>(&self.payload).ok().map(|Json { iss }| iss)
    }

    /// Whether the header has no `typ`.
    pub(crate) fn is_untyped(&self) -> bool {
        self.typ.is_none()
    }

    /// Whether the header's `typ` is this media type; `application/` may be left out, and letter case is
    /// ignored (RFC 7515 section 4.1.9).
    #[must_use]
    pub fn has_typ(&self, expected: &str) -> bool {
        self.typ.as_deref().is_some_and(|typ| is_typ(typ, expected))
    }

    /// The payload. Do not use it before [`is_signed_by`](Self::is_signed_by) has returned `true`.
    pub(crate) fn payload(&self) -> &str {
        &self.payload
    }

    /// Whether this key signed it, regardless of its `kid`.
    pub(crate) fn is_signed_by(&self, key: &VerifyingKey) -> bool {
        key.verify(self.algorithm, self.message.as_bytes(), &self.signature).is_ok()
    }

    /// Checks the signature with the trusted keys. A key is tried if it has the token's algorithm and, if the
    /// token names one, its `kid`; of several such keys, one has to match. The caller limits their number, as
    /// a [`JwkSet`](super::JwkSet) does.
    ///
    /// # Errors
    /// [`JwsError::UnknownKey`] if no key can be tried, [`JwsError::BadSignature`] if none matches.
    pub fn verify<'s>(
        &'s self,
        trusted: impl IntoIterator<Item = &'s VerifyingKey>,
    ) -> Result<Verified<'s>, JwsError> {
        let mut outcome = JwsError::UnknownKey;
        for key in trusted {
            if self.kid.is_some() && self.kid() != key.key().kid() {
                continue;
            }
            match key.verify(self.algorithm, self.message.as_bytes(), &self.signature) {
                Ok(()) => return Ok(Verified { payload: &self.payload, key }),
                Err(JwsError::UnknownKey) => {}
                Err(wrong) => outcome = wrong,
            }
        }
        Err(outcome)
    }
}

impl<'a> Verified<'a> {
    /// The claims.
    ///
    /// # Errors
    /// They do not deserialise into `T`.
    pub fn claims<T: DeserializeOwned>(&self) -> Result<T, JwsError> {
        serde_json::from_str(self.payload).map_err(|_| JwsError::Claims)
    }

    /// The signed JSON object.
    #[must_use]
    pub fn payload(&self) -> &'a str {
        self.payload
    }

    /// The key that signed it.
    #[must_use]
    pub fn key(&self) -> &'a VerifyingKey {
        self.key
    }
}

#[derive(Deserialize)]
struct Header {
    alg: Option<String>,
    typ: Option<String>,
    kid: Option<String>,
    jwk: Option<Members>,
}

impl Header {
    fn parse(json: &str, forbidden: &[&'static str]) -> Result<Self, JwsError> {
        check(json, forbidden)?;
        serde_json::from_str(json).map_err(|_| JwsError::NotAnObject)
    }
}

/// Whether a part is one JSON object without duplicate members, and without one of these names among its own.
fn check(json: &str, forbidden: &[&'static str]) -> Result<(), JwsError> {
    let names = strict_json::member_names(json).map_err(|flaw| match flaw {
        NotStrict::Malformed => JwsError::NotAnObject,
        NotStrict::DuplicateMember => JwsError::DuplicateMember,
    })?;
    let names = names.ok_or(JwsError::NotAnObject)?;
    match forbidden.iter().find(|forbidden| names.iter().any(|name| name == **forbidden)) {
        Some(forbidden) => Err(JwsError::ForbiddenMember(forbidden)),
        None => Ok(()),
    }
}

/// Members by which an attacker could provide a key or certificate (`jwk`, `jku`, `x5u`, `x5c`) or change the
/// signed text (`b64`, `zip`, `enc`), and extensions that would have to be understood (`crit`).
const FORBIDDEN: [&str; 8] = ["crit", "b64", "jwk", "jku", "x5u", "x5c", "zip", "enc"];

/// The forbidden members of a token that has to have a key in its header.
const FORBIDDEN_BESIDE_A_KEY: [&str; 7] = ["crit", "b64", "jku", "x5u", "x5c", "zip", "enc"];

/// Whether a `typ` is this media type (RFC 7515 section 4.1.9).
pub(super) fn is_typ(typ: &str, expected: &str) -> bool {
    let prefixed = typ.get(..12).is_some_and(|start| start.eq_ignore_ascii_case("application/"));
    let bare = if prefixed { &typ[12..] } else { typ };
    bare.eq_ignore_ascii_case(expected)
}

fn decode(part: &str) -> Result<Vec<u8>, JwsError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| JwsError::NotBase64Url)
}

fn decode_text(part: &str) -> Result<String, JwsError> {
    String::from_utf8(decode(part)?).map_err(|_| JwsError::NotAnObject)
}

impl std::fmt::Debug for Unverified<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unverified").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Verified<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verified").field("key", self.key).finish_non_exhaustive()
    }
}
