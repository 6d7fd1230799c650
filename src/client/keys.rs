//! [`ClientKeys`]: the public keys of a client, and [`ClientSignatures`], which verifies with them.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::{Client, ClientMetadata};
use crate::base::{Algorithm, Digest, HttpsUrl, SecretText};
use crate::error::{AssertionFlaw, Reason};
use crate::outbound::ChosenBy;

/// The public keys of a client (RFC 7591 section 2): by value, or by URL.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientKeys {
    /// `jwks`
    Set(ClientKeySet),
    /// `jwks_uri`: an https URL. Unless the host chose it ([`ChosenBy`]), the address behind it must be a
    /// public one.
    At(Arc<str>),
}

/// A key set by value.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientKeySet {
    json: Arc<str>,
    digest: Digest,
}

impl ClientKeySet {
    /// The most bytes that a set may have.
    pub const MAX_BYTES: usize = 16 * 1024;
    /// The most keys that a set may have.
    pub const MAX_KEYS: usize = 32;

    /// The key set as JSON (RFC 7517 section 5).
    #[must_use]
    pub fn json(&self) -> &str {
        &self.json
    }

    /// A digest of the JSON, as the cache key of the parsed set.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

impl fmt::Debug for ClientKeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientKeySet({} bytes)", self.json.len())
    }
}

/// What is wrong with the keys of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientKeysError {
    /// RFC 7591 section 2.
    #[error("jwks and jwks_uri are mutually exclusive")]
    Twice,
    /// Not an object with an array `keys` of objects, or one without a key.
    #[error("jwks is not a JSON Web Key Set with a key in it")]
    Malformed,
    /// Beyond [`ClientKeySet::MAX_BYTES`] or [`ClientKeySet::MAX_KEYS`].
    #[error("jwks has more than 32 keys or 16 KiB")]
    TooLarge,
    /// A member that a public key does not have (RFC 7517 section 9.2).
    #[error("jwks holds a private or symmetric key")]
    Private,
    /// An RSA key of less than 2048 bits.
    #[error("jwks holds an RSA key of less than 2048 bits")]
    Weak,
    /// Not an https URL with a host and without user name or fragment.
    #[error("jwks_uri is not an https URL")]
    Uri,
}

impl ClientKeys {
    /// The keys that the metadata name, if they name any.
    ///
    /// # Errors
    /// The mistakes that can be found without cryptography.
    pub fn of(metadata: &ClientMetadata) -> Result<Option<Self>, ClientKeysError> {
        match (&metadata.jwks, metadata.jwks_uri.as_deref()) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => Err(ClientKeysError::Twice),
            (Some(set), None) => key_set(set).map(|set| Some(Self::Set(set))),
            (None, Some(uri)) => match is_https(uri) {
                true => Ok(Some(Self::At(uri.into()))),
                false => Err(ClientKeysError::Uri),
            },
        }
    }
}

fn key_set(set: &Value) -> Result<ClientKeySet, ClientKeysError> {
    let keys = set.get("keys").and_then(Value::as_array).ok_or(ClientKeysError::Malformed)?;
    if keys.is_empty() {
        return Err(ClientKeysError::Malformed);
    }
    let json = set.to_string();
    if keys.len() > ClientKeySet::MAX_KEYS || json.len() > ClientKeySet::MAX_BYTES {
        return Err(ClientKeysError::TooLarge);
    }
    for key in keys {
        check_key(key.as_object().ok_or(ClientKeysError::Malformed)?)?;
    }
    let digest = Digest::of("grantor:client-keys:v1", json.as_bytes());
    Ok(ClientKeySet { json: json.into(), digest })
}

/// RFC 7518 section 6: the private members of a key, and the value of a symmetric one.
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

fn check_key(key: &Map<String, Value>) -> Result<(), ClientKeysError> {
    let kind = key.get("kty").and_then(Value::as_str).ok_or(ClientKeysError::Malformed)?;
    if kind == "oct" || PRIVATE.iter().any(|member| key.contains_key(*member)) {
        return Err(ClientKeysError::Private);
    }
    if kind != "RSA" {
        return Ok(());
    }
    let modulus = key.get("n").and_then(Value::as_str).ok_or(ClientKeysError::Malformed)?;
    let modulus = URL_SAFE_NO_PAD.decode(modulus).map_err(|_| ClientKeysError::Malformed)?;
    let leading = modulus.iter().take_while(|byte| **byte == 0).count();
    let significant = &modulus[leading..];
    let bits = significant.len() * 8 - significant.first().map_or(0, |first| first.leading_zeros() as usize);
    if bits < 2048 { Err(ClientKeysError::Weak) } else { Ok(()) }
}

fn is_https(uri: &str) -> bool {
    uri.len() <= 2048 && HttpsUrl::parse(uri, false).is_ok()
}

/// Verifies what clients sign. The feature `jwt` has one:
#[cfg_attr(feature = "jwt", doc = "[`ClientJwts`](super::ClientJwts).")]
#[cfg_attr(not(feature = "jwt"), doc = "`ClientJwts`.")]
///
/// The text is untrusted, and so are keys from a `jwks_uri`, which the client chose. A wrong `Ok` lets anyone
/// impersonate that client.
#[async_trait]
pub trait ClientSignatures: Send + Sync {
    /// The claims of a compact JWS that one of the client's keys signed; they have not been checked.
    ///
    /// # Errors
    /// Why it is refused, or that the keys could not be fetched, which says nothing about the client. The
    /// response is 503, too, and the future is dropped,
    /// [`Policy::store_deadline`](crate::Policy::store_deadline) and 3 s after the call, which leaves time
    /// for one fetch.
    async fn verify(
        &self,
        signed: &SignedText<'_>,
        now: DateTime<Utc>,
    ) -> Result<Map<String, Value>, ClaimsMissing>;

    /// The claims of a compact JWS whose MAC (`HS256`) one of these secrets made, of at least 32 bytes each;
    /// the claims have not been checked. By default no MAC is accepted.
    ///
    /// # Errors
    /// Why it is refused.
    fn verify_mac(
        &self,
        signed: &SignedText<'_>,
        secrets: &[SecretText],
    ) -> Result<Map<String, Value>, ClaimsMissing> {
        let _ = (signed, secrets);
        Err(ClaimsMissing::Refused(AssertionFlaw::AlgorithmRefused))
    }

    /// Whether it verifies MACs.
    fn takes_macs(&self) -> bool {
        false
    }

    /// The signature algorithms, by the names of the metadata
    /// (`token_endpoint_auth_signing_alg_values_supported`).
    fn algorithms(&self) -> Vec<&'static str>;

    /// Whether it fetches key sets from a `jwks_uri`.
    fn fetches(&self) -> bool;
}

/// A text that a client claims to have signed.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SignedText<'a> {
    /// The compact serialisation.
    pub text: &'a str,
    /// The keys of the client. If there are none because the client is unknown, verify with a dummy key and
    /// refuse: the response must take the same time.
    pub keys: Option<&'a ClientKeys>,
    /// The algorithm that the client registered; `None` is any that fits the key.
    pub algorithm: Option<&'a str>,
    /// The allowed algorithms, in addition to the registered one.
    pub algorithms: &'static [Algorithm],
    /// The values that an optional `typ` may have.
    pub types: &'static [&'static str],
    /// Who chose the client's `jwks_uri`.
    pub chosen_by: ChosenBy,
}

impl<'a> SignedText<'a> {
    pub(crate) fn new(
        text: &'a str,
        keys: Option<&'a ClientKeys>,
        algorithm: Option<&'a str>,
        types: &'static [&'static str],
    ) -> Self {
        Self { text, keys, algorithm, algorithms: Algorithm::ALL, types, chosen_by: ChosenBy::Client }
    }

    /// Limits the text to these algorithms.
    pub(crate) fn within(self, algorithms: &'static [Algorithm]) -> Self {
        Self { algorithms, ..self }
    }

    /// The same, of this client.
    pub(crate) fn by(self, client: Option<&Client>) -> Self {
        Self { chosen_by: client.map_or(ChosenBy::Client, Client::urls_chosen_by), ..self }
    }
}

/// Why there are no claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClaimsMissing {
    /// The text is refused.
    Refused(AssertionFlaw),
    /// The keys could not be fetched; the answer is 503.
    KeysUnavailable,
}

impl ClaimsMissing {
    /// The reason for the refusal of a text; `refused` makes it of a flaw.
    pub(crate) fn reason(self, refused: fn(AssertionFlaw) -> Reason) -> Reason {
        match self {
            Self::Refused(flaw) => refused(flaw),
            Self::KeysUnavailable => Reason::ClientKeysUnavailable,
        }
    }
}

#[async_trait]
impl<T: ClientSignatures + ?Sized> ClientSignatures for Arc<T> {
    async fn verify(
        &self,
        signed: &SignedText<'_>,
        now: DateTime<Utc>,
    ) -> Result<Map<String, Value>, ClaimsMissing> {
        (**self).verify(signed, now).await
    }

    fn verify_mac(
        &self,
        signed: &SignedText<'_>,
        secrets: &[SecretText],
    ) -> Result<Map<String, Value>, ClaimsMissing> {
        (**self).verify_mac(signed, secrets)
    }

    fn takes_macs(&self) -> bool {
        (**self).takes_macs()
    }

    fn algorithms(&self) -> Vec<&'static str> {
        (**self).algorithms()
    }

    fn fetches(&self) -> bool {
        (**self).fetches()
    }
}
