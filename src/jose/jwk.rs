//! [`Jwk`]: a public key in JSON (RFC 7517).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use super::Algorithm;

/// A public key for signatures. The type has no private part, so it can never contain or serialise one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwk {
    kid: Option<String>,
    alg: Option<Algorithm>,
    material: Material,
}

/// The parameters of a key, checked for size, each in its canonical encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Material {
    Ed25519 { x: [u8; 32] },
    P256 { x: [u8; 32], y: [u8; 32] },
    Rsa { n: Vec<u8>, e: Vec<u8> },
}

/// Why a key cannot be used. The error contains nothing of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not the JSON of a key: not an object, a duplicate member, or a member of the wrong type.
    #[error("not a JSON Web Key")]
    NotJson,
    /// A key type, curve or algorithm that is not supported.
    #[error("a key type, curve or algorithm that is not supported")]
    Unsupported,
    /// A key that is not for verifying signatures (`use`, `key_ops`).
    #[error("the key is not for signatures")]
    NotForSignatures,
    /// A private or symmetric key where a public one is expected.
    #[error("the key carries a private part")]
    Private,
    /// An RSA key of less than 2048 bits.
    #[error("the RSA key is shorter than 2048 bits")]
    Weak,
    /// A parameter is missing, is not base64url, or has the wrong length.
    #[error("a part of the key is missing or malformed")]
    Malformed,
    /// The algorithm does not match the key.
    #[error("the key type does not match the algorithm")]
    Mismatch,
    /// An RSA key that does not say whether it is for `PS256` or `RS256`.
    #[error("the key does not name its algorithm")]
    NoAlgorithm,
    /// Not a PEM file with an unencrypted private key.
    #[error("not a PEM file with an unencrypted private key")]
    NotPem,
    /// The parameters are not a valid key: the point is not on the curve, or the public and the private part
    /// do not match.
    #[error("the cryptographic library refuses the key")]
    Rejected,
    /// The cryptographic library could not generate or encode a key.
    #[error("the cryptographic library failed")]
    Library,
}

impl Jwk {
    /// The maximum length of a `kid`, in bytes.
    pub const MAX_KID: usize = 256;

    pub(super) fn new(material: Material, alg: Algorithm) -> Self {
        let mut key = Self { kid: None, alg: Some(alg), material };
        key.kid = Some(key.thumbprint());
        key
    }

    /// Reads a public key. A key with a private or symmetric part (`d`, `p`, `q`, `dp`, `dq`, `qi`, `oth`,
    /// `k`) is refused: that part is no longer secret, so nothing should trust the key.
    ///
    /// # Errors
    /// What is wrong with the key.
    pub fn parse(json: &str) -> Result<Self, KeyError> {
        let members: Members = serde_json::from_str(json).map_err(|_| KeyError::NotJson)?;
        Self::try_from(members)
    }

    /// The `kid` by which tokens refer to it.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The one algorithm that it is for, if it names one.
    #[must_use]
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.alg
    }

    /// Sets the `kid`.
    #[must_use]
    pub fn with_kid(mut self, kid: impl Into<String>) -> Self {
        self.kid = Some(kid.into());
        self
    }

    /// Whether it verifies signatures of this algorithm: only the one that it names, or else any of its key
    /// type.
    #[must_use]
    pub fn supports(&self, algorithm: Algorithm) -> bool {
        self.alg.map_or_else(|| self.material.fits(algorithm), |own| own == algorithm)
    }

    pub(super) fn fits(&self, algorithm: Algorithm) -> bool {
        self.material.fits(algorithm)
    }

    /// SHA-256 over the required members, in base64url (RFC 7638).
    #[must_use]
    pub fn thumbprint(&self) -> String {
        // The members are in the order of their names, and no value needs an escape.
        let canonical = match &self.material {
            Material::Ed25519 { x } => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, text(x)),
            Material::P256 { x, y } => {
                format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, text(x), text(y))
            }
            Material::Rsa { n, e } => format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, text(e), text(n)),
        };
        text(&Sha256::digest(canonical))
    }

    pub(super) fn material(&self) -> &Material {
        &self.material
    }
}

impl Material {
    fn fits(&self, algorithm: Algorithm) -> bool {
        match algorithm {
            Algorithm::EdDsa => matches!(self, Self::Ed25519 { .. }),
            Algorithm::Es256 => matches!(self, Self::P256 { .. }),
            Algorithm::Ps256 | Algorithm::Rs256 => matches!(self, Self::Rsa { .. }),
        }
    }

    /// An RSA key of 2048 to 8192 bits with an odd exponent of at most 33 bits.
    pub(super) fn rsa(n: Vec<u8>, e: Vec<u8>) -> Result<Self, KeyError> {
        let well_formed = |number: &[u8]| number.first().is_some_and(|first| *first != 0);
        if !well_formed(&n) || !well_formed(&e) {
            return Err(KeyError::Malformed);
        }
        let leading = n.first().map_or(0, |first| first.leading_zeros() as usize);
        let bits = n.len() * 8 - leading;
        match bits {
            0..2048 => return Err(KeyError::Weak),
            2048..=8192 => {}
            _ => return Err(KeyError::Unsupported),
        }
        let odd = e.last().is_some_and(|last| last % 2 == 1);
        if !odd || e == [1] || e.len() > 5 {
            return Err(KeyError::Malformed);
        }
        Ok(Self::Rsa { n, e })
    }
}

/// Every member that is read. `serde` refuses a duplicate.
#[derive(Deserialize)]
pub(super) struct Members {
    pub(super) kty: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    pub(super) kid: Option<String>,
    pub(super) alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    pub(super) d: Option<Private>,
    pub(super) p: Option<Private>,
    pub(super) q: Option<Private>,
    pub(super) dp: Option<Private>,
    pub(super) dq: Option<Private>,
    pub(super) qi: Option<Private>,
    oth: Option<Private>,
    k: Option<Private>,
}

/// A private member of any type. Its own type keeps it out of `Debug`.
#[derive(Deserialize)]
pub(super) struct Private(serde_json::Value);

impl Private {
    pub(super) fn bytes(&self) -> Result<Vec<u8>, KeyError> {
        let text = self.0.as_str().ok_or(KeyError::Malformed)?;
        URL_SAFE_NO_PAD.decode(text).map_err(|_| KeyError::Malformed)
    }
}

impl Members {
    fn has_private_part(&self) -> bool {
        let Self { d, p, q, dp, dq, qi, oth, k, .. } = self;
        [d, p, q, dp, dq, qi, oth, k].iter().any(|part| part.is_some())
    }

    /// The public half of a key, even if a private half is present.
    pub(super) fn public(&self, operation: &str) -> Result<Jwk, KeyError> {
        if self.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return Err(KeyError::NotForSignatures);
        }
        if self.key_ops.as_ref().is_some_and(|ops| !ops.iter().any(|op| op == operation)) {
            return Err(KeyError::NotForSignatures);
        }
        let material = match (self.kty.as_deref(), self.crv.as_deref()) {
            (Some("OKP"), Some("Ed25519")) => Material::Ed25519 { x: exact(&self.x)? },
            (Some("EC"), Some("P-256")) => Material::P256 { x: exact(&self.x)?, y: exact(&self.y)? },
            (Some("RSA"), None) => Material::rsa(bytes(&self.n)?, bytes(&self.e)?)?,
            _ => return Err(KeyError::Unsupported),
        };
        let alg = match self.alg.as_deref() {
            Some(name) => Some(Algorithm::parse(name).ok_or(KeyError::Unsupported)?),
            None => None,
        };
        if alg.is_some_and(|alg| !material.fits(alg)) {
            return Err(KeyError::Mismatch);
        }
        if self.kid.as_ref().is_some_and(|kid| kid.len() > Jwk::MAX_KID) {
            return Err(KeyError::Malformed);
        }
        Ok(Jwk { kid: self.kid.clone(), alg, material })
    }
}

impl TryFrom<Members> for Jwk {
    type Error = KeyError;

    fn try_from(members: Members) -> Result<Self, KeyError> {
        if members.has_private_part() {
            return Err(KeyError::Private);
        }
        members.public("verify")
    }
}

fn bytes(member: &Option<String>) -> Result<Vec<u8>, KeyError> {
    let text = member.as_ref().ok_or(KeyError::Malformed)?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| KeyError::Malformed)
}

fn exact(member: &Option<String>) -> Result<[u8; 32], KeyError> {
    bytes(member)?.try_into().map_err(|_| KeyError::Malformed)
}

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Serialize for Jwk {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize, Default)]
        struct Json<'a> {
            kty: &'static str,
            #[serde(rename = "use")]
            usage: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            alg: Option<&'static str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            kid: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            crv: Option<&'static str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            x: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            y: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            n: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            e: Option<String>,
        }
        let alg = self.alg.map(Algorithm::as_str);
        let common = Json { usage: "sig", alg, kid: self.kid(), ..Json::default() };
        let json = match &self.material {
            Material::Ed25519 { x } => Json { kty: "OKP", crv: Some("Ed25519"), x: Some(text(x)), ..common },
            Material::P256 { x, y } => {
                Json { kty: "EC", crv: Some("P-256"), x: Some(text(x)), y: Some(text(y)), ..common }
            }
            Material::Rsa { n, e } => Json { kty: "RSA", n: Some(text(n)), e: Some(text(e)), ..common },
        };
        json.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Jwk {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::try_from(Members::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}
