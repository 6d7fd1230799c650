//! The cryptographic library of every target with a C compiler: aws-lc. It supports every [`Algorithm`].

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use aws_lc_rs::pkcs8::Document;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPairComponents, KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_SHA256, RsaEncoding, RsaKeyPair, RsaPublicKeyComponents, Signature,
};

use super::jwk::Material;
use super::{Algorithm, KeyError, SignError};

/// A private key.
pub(super) enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl Pair {
    pub(super) fn generate(algorithm: Algorithm) -> Result<Self, KeyError> {
        let pair = match algorithm {
            Algorithm::EdDsa => Ed25519KeyPair::generate().map(Self::Ed25519),
            Algorithm::Es256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Self::P256),
            Algorithm::Ps256 | Algorithm::Rs256 => RsaKeyPair::generate(KeySize::Rsa2048).map(Self::Rsa),
        };
        pair.map_err(|_| KeyError::Library)
    }

    pub(super) fn from_pkcs8(algorithm: Algorithm, der: &[u8]) -> Result<Self, KeyError> {
        let pair = match algorithm {
            Algorithm::EdDsa => Ed25519KeyPair::from_pkcs8(der).map(Self::Ed25519),
            Algorithm::Es256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).map(Self::P256)
            }
            Algorithm::Ps256 | Algorithm::Rs256 => RsaKeyPair::from_pkcs8(der).map(Self::Rsa),
        };
        pair.map_err(|_| KeyError::Rejected)
    }

    /// An RSA key in the format of RFC 8017 (PKCS#1).
    pub(super) fn from_pkcs1(der: &[u8]) -> Result<Self, KeyError> {
        RsaKeyPair::from_der(der).map(Self::Rsa).map_err(|_| KeyError::Rejected)
    }

    /// A P-256 key in the format of RFC 5915 (SEC 1).
    pub(super) fn from_sec1(der: &[u8]) -> Result<Self, KeyError> {
        let pair = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, der);
        pair.map(Self::P256).map_err(|_| KeyError::Rejected)
    }

    pub(super) fn from_seed(seed: &[u8], x: &[u8; 32]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_and_public_key(seed, x);
        pair.map(Self::Ed25519).map_err(|_| KeyError::Rejected)
    }

    pub(super) fn from_p256(d: &[u8], x: &[u8; 32], y: &[u8; 32]) -> Result<Self, KeyError> {
        let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pair = EcdsaKeyPair::from_private_key_and_public_key(kind, d, &point(x, y));
        pair.map(Self::P256).map_err(|_| KeyError::Rejected)
    }

    /// The private parts are `d`, `p`, `q`, `dp`, `dq` and `qi`.
    pub(super) fn from_rsa(n: &[u8], e: &[u8], private: [&[u8]; 6]) -> Result<Self, KeyError> {
        let [d, p, q, dp, dq, qi] = private;
        let public_key = PublicKeyComponents { n, e };
        let parts = KeyPairComponents { public_key, d, p, q, dP: dp, dQ: dq, qInv: qi };
        RsaKeyPair::from_components(&parts).map(Self::Rsa).map_err(|_| KeyError::Rejected)
    }

    pub(super) fn to_pkcs8(&self) -> Result<Der, KeyError> {
        let der = match self {
            Self::Ed25519(pair) => pair.to_pkcs8().map(Der::Document),
            Self::P256(pair) => pair.to_pkcs8v1().map(Der::Document),
            Self::Rsa(pair) => pair.as_der().map(Der::Buffer),
        };
        der.map_err(|_| KeyError::Library)
    }

    pub(super) fn public(&self) -> Result<Material, KeyError> {
        match self {
            Self::Ed25519(pair) => {
                let x = pair.public_key().as_ref().try_into().map_err(|_| KeyError::Library)?;
                Ok(Material::Ed25519 { x })
            }
            Self::P256(pair) => {
                // An uncompressed point: 4, x, y.
                let point = pair.public_key().as_ref();
                let (x, rest) =
                    point.get(1..).and_then(<[u8]>::split_first_chunk).ok_or(KeyError::Library)?;
                Ok(Material::P256 { x: *x, y: rest.try_into().map_err(|_| KeyError::Library)? })
            }
            Self::Rsa(pair) => {
                let key = pair.public_key();
                let n = key.modulus().big_endian_without_leading_zero().to_vec();
                let e = key.exponent().big_endian_without_leading_zero().to_vec();
                Material::rsa(n, e)
            }
        }
    }

    /// Signs with this algorithm, which matches the key.
    pub(super) fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let signed = match self {
            Self::Ed25519(pair) => pair.try_sign(message).ok().and_then(short),
            Self::P256(pair) => pair.sign(&SystemRandom::new(), message).ok().and_then(short),
            Self::Rsa(pair) => {
                let encoding: &'static dyn RsaEncoding =
                    if algorithm == Algorithm::Ps256 { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                let mut signature = vec![0; pair.public_modulus_len()];
                let signed = pair.sign(encoding, &SystemRandom::new(), message, &mut signature);
                signed.is_ok().then_some(signature)
            }
        };
        signed.ok_or_else(|| SignError::permanent("the cryptographic library failed"))
    }
}

/// Both kinds have 64 bytes. aws-lc's type has room for those of every algorithm, almost 5 KB, which is only
/// filled with zeros if the length is not known here.
#[inline]
fn short(signature: Signature) -> Option<Vec<u8>> {
    signature.as_ref().first_chunk::<64>().map(|bytes| bytes.to_vec())
}

/// A private key as PKCS#8; its bytes are zeroed when it is dropped.
pub(super) enum Der {
    Document(Document),
    Buffer(Pkcs8V1Der<'static>),
}

impl Der {
    pub(super) fn reveal(&self) -> &[u8] {
        match self {
            Self::Document(document) => document.as_ref(),
            Self::Buffer(buffer) => buffer.as_ref(),
        }
    }
}

/// A public key for one algorithm.
#[derive(Clone)]
pub(super) struct PublicKey(ParsedPublicKey);

impl PublicKey {
    pub(super) fn new(material: &Material, algorithm: Algorithm) -> Result<Self, KeyError> {
        let parsed = match (material, algorithm) {
            (Material::Ed25519 { x }, Algorithm::EdDsa) => ParsedPublicKey::new(&ED25519, x),
            (Material::P256 { x, y }, Algorithm::Es256) => {
                ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point(x, y))
            }
            (Material::Rsa { n, e }, Algorithm::Ps256) => {
                RsaPublicKeyComponents { n, e }.to_parsed_public_key(&RSA_PSS_2048_8192_SHA256)
            }
            (Material::Rsa { n, e }, Algorithm::Rs256) => {
                RsaPublicKeyComponents { n, e }.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
            }
            (Material::Ed25519 { .. } | Material::P256 { .. } | Material::Rsa { .. }, _) => {
                return Err(KeyError::Mismatch);
            }
        };
        parsed.map(Self).map_err(|_| KeyError::Rejected)
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify_sig(message, signature).is_ok()
    }
}

/// An uncompressed point (SEC 1 section 2.3.3).
fn point(x: &[u8; 32], y: &[u8; 32]) -> Vec<u8> {
    [&[4][..], x, y].concat()
}

/// HMAC-SHA-256 with one key.
pub(crate) struct HmacSha256(hmac::Key);

impl HmacSha256 {
    pub(crate) fn new(key: &[u8]) -> Self {
        Self(hmac::Key::new(HMAC_SHA256, key))
    }

    pub(crate) fn mac(&self, message: &[u8]) -> [u8; 32] {
        let mut mac = [0; 32];
        mac.copy_from_slice(hmac::sign(&self.0, message).as_ref());
        mac
    }
}
