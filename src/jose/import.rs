//! Private keys that the host brings along: PEM files and private JWKs.

use aws_lc_rs::rsa::{KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::jwk::{Material, Members, Private};
use super::signing_key::{Pair, SigningKey};
use super::{Algorithm, KeyError};

impl SigningKey {
    /// Reads the first private key of a PEM file: `PRIVATE KEY` (PKCS#8), `RSA PRIVATE KEY` (PKCS#1) or
    /// `EC PRIVATE KEY` (SEC 1), not encrypted. Its `kid` is its thumbprint.
    ///
    /// # Errors
    /// There is no such key, or it is for another algorithm.
    pub fn from_pem(algorithm: Algorithm, pem: &str) -> Result<Self, KeyError> {
        let (label, der) = private_block(pem).ok_or(KeyError::NotPem)?;
        match (label, algorithm) {
            ("PRIVATE KEY", _) => Self::from_pkcs8(algorithm, &der),
            ("RSA PRIVATE KEY", Algorithm::Ps256 | Algorithm::Rs256) => {
                let pair = RsaKeyPair::from_der(&der).map_err(|_| KeyError::Rejected)?;
                Self::of(algorithm, Pair::Rsa(pair))
            }
            ("EC PRIVATE KEY", Algorithm::Es256) => {
                let pair = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, &der);
                Self::of(algorithm, Pair::P256(pair.map_err(|_| KeyError::Rejected)?))
            }
            _ => Err(KeyError::Mismatch),
        }
    }

    /// Reads a private JWK (RFC 7517, RFC 7518 section 6, RFC 8037). An RSA key has to name its `alg` and to
    /// bring `p`, `q`, `dp`, `dq` and `qi`. Without a `kid` it is named after its thumbprint.
    ///
    /// # Errors
    /// It is no such key, or its parts do not belong together.
    pub fn from_jwk(json: &str) -> Result<Self, KeyError> {
        let members: Members = serde_json::from_str(json).map_err(|_| KeyError::NotJson)?;
        let public = members.public("sign")?;
        let (algorithm, pair) = match public.material() {
            Material::Ed25519 { x } => {
                let pair = Ed25519KeyPair::from_seed_and_public_key(&part(&members.d)?, x);
                (Algorithm::EdDsa, pair.map(Pair::Ed25519))
            }
            Material::P256 { x, y } => {
                let point = [&[4][..], x, y].concat();
                let pair = EcdsaKeyPair::from_private_key_and_public_key(
                    &ECDSA_P256_SHA256_FIXED_SIGNING,
                    &part(&members.d)?,
                    &point,
                );
                (Algorithm::Es256, pair.map(Pair::P256))
            }
            Material::Rsa { n, e } => {
                let components = KeyPairComponents {
                    public_key: PublicKeyComponents { n: n.as_slice(), e: e.as_slice() },
                    d: part(&members.d)?,
                    p: part(&members.p)?,
                    q: part(&members.q)?,
                    dP: part(&members.dp)?,
                    dQ: part(&members.dq)?,
                    qInv: part(&members.qi)?,
                };
                let algorithm = public.algorithm().ok_or(KeyError::NoAlgorithm)?;
                (algorithm, RsaKeyPair::from_components(&components).map(Pair::Rsa))
            }
        };
        let key = Self::of(algorithm, pair.map_err(|_| KeyError::Rejected)?)?;
        Ok(match members.kid {
            Some(kid) => key.with_kid(kid),
            None => key,
        })
    }
}

fn part(member: &Option<Private>) -> Result<Vec<u8>, KeyError> {
    member.as_ref().ok_or(KeyError::Malformed)?.bytes()
}

/// The label and the bytes of the first private key; `openssl` may write its curve before it.
fn private_block(pem: &str) -> Option<(&str, Vec<u8>)> {
    let mut rest = pem;
    loop {
        let (_, after) = rest.split_once("-----BEGIN ")?;
        let (label, after) = after.split_once("-----")?;
        let (body, after) = after.split_once("-----END ")?;
        if label.ends_with("PRIVATE KEY") {
            let body: String = body.split_ascii_whitespace().collect();
            after.strip_prefix(label)?.strip_prefix("-----")?;
            return Some((label, STANDARD.decode(body).ok()?));
        }
        rest = after;
    }
}
