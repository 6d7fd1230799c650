//! [`Jws`]: a signed token as it came in (RFC 7515, compact serialisation).
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

/// The door for signed tokens: see [`Jws::parse`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Jws;

/// A well-formed token whose signature was not checked. Its payload cannot be read before
/// [`verify`](Self::verify).
pub struct Unverified<'a> {
    algorithm: Algorithm,
    typ: Option<String>,
    kid: Option<String>,
    message: &'a str,
    payload: String,
    signature: Vec<u8>,
}

/// The payload of a token whose signature is right. Issuer, audience and expiry are still to be checked.
pub struct Verified<'a> {
    payload: &'a str,
    key: &'a VerifyingKey,
}

/// Why a token is refused. It holds nothing of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwsError {
    /// Longer than [`Jws::MAX_BYTES`].
    #[error("the token is too long")]
    TooLong,
    /// Not three non-empty parts.
    #[error("the token does not have three parts")]
    NotThreeParts,
    /// A part is not base64url without padding, in its one spelling.
    #[error("a part of the token is not base64url")]
    NotBase64Url,
    /// Header or payload is not a JSON object.
    #[error("a part of the token is not a JSON object")]
    NotAnObject,
    /// A member is there twice, at any depth.
    #[error("the token has a duplicate member")]
    DuplicateMember,
    /// The header has a member that brings a key along, changes what is signed, or asks for an extension.
    #[error("the token's header has the member {0}")]
    ForbiddenMember(&'static str),
    /// No `alg`, or one that is not ours: `none` in any spelling, and every symmetric one.
    #[error("the token's algorithm is refused")]
    Algorithm,
    /// No trusted key has this `kid` and this algorithm. A fresh key set may have one.
    #[error("no trusted key has the token's key identifier and algorithm")]
    UnknownKey,
    /// The signature is not of the key that the token names.
    #[error("the token's signature is wrong")]
    BadSignature,
    /// The claims are not what the caller expects.
    #[error("the token's claims do not have the expected types")]
    Claims,
}

impl Jws {
    /// The longest token, in bytes.
    pub const MAX_BYTES: usize = 16 * 1024;

    /// Reads a token strictly, and believes nothing of it yet.
    ///
    /// Header and payload have to be JSON objects without a member twice, at any depth. Of the header `alg`,
    /// `typ` and `kid` count. `crit`, `b64`, `jwk`, `jku`, `x5u`, `x5c`, `zip` and `enc` are refused; others
    /// are ignored, as RFC 7515 section 4 asks.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(text: &str) -> Result<Unverified<'_>, JwsError> {
        Self::parse_without(text, &FORBIDDEN).map(|(unverified, _)| unverified)
    }

    /// Reads a token whose header brings its own public key along, as a DPoP proof does (RFC 9449 section
    /// 4.2), and that key. It proves that its sender has the private key, and nothing else.
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

    /// Reads a token of any algorithm, for a reader that knows another one.
    pub(super) fn parts(text: &str) -> Result<Parts<'_>, JwsError> {
        parts(text, &FORBIDDEN).map(|(parts, _)| parts)
    }
}

/// What a token is made of.
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
    /// What the header says; unproven.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The name of the key; unproven.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Whose it claims to be (`iss`); unproven. It tells whose keys to try, and nothing else: no key but
    /// those of that issuer makes it true.
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

    /// Whether the header's `typ` is this media type; `application/` may be left out, and the case of letters
    /// does not count (RFC 7515 section 4.1.9).
    #[must_use]
    pub fn has_typ(&self, expected: &str) -> bool {
        self.typ.as_deref().is_some_and(|typ| is_typ(typ, expected))
    }

    /// What it says. Read it once [`is_signed_by`](Self::is_signed_by) is known.
    pub(crate) fn payload(&self) -> &str {
        &self.payload
    }

    /// Whether this key signed it, whatever key it names.
    pub(crate) fn is_signed_by(&self, key: &VerifyingKey) -> bool {
        key.verify(self.algorithm, self.message.as_bytes(), &self.signature).is_ok()
    }

    /// Checks the signature with the trusted keys. A key counts if it has the token's algorithm and, where
    /// the token names one, its `kid`; if several do, one has to be right. The caller bounds their number, as
    /// a [`JwkSet`](super::JwkSet) does.
    ///
    /// # Errors
    /// [`JwsError::UnknownKey`] if no key counts, [`JwsError::BadSignature`] if none is right.
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
    /// They have another shape than `T`.
    pub fn claims<T: DeserializeOwned>(&self) -> Result<T, JwsError> {
        serde_json::from_str(self.payload).map_err(|_| JwsError::Claims)
    }

    /// The JSON object that was signed.
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

/// A key or certificate from the attacker (`jwk`, `jku`, `x5u`, `x5c`), another signed text (`b64`, `zip`,
/// `enc`), and extensions that we would have to understand (`crit`).
const FORBIDDEN: [&str; 8] = ["crit", "b64", "jwk", "jku", "x5u", "x5c", "zip", "enc"];

/// The same where a key has to be there.
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
