//! Imports the host's private keys: PEM files and private JWKs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::crypto::Pair;
use super::jwk::{Material, Members, Private};
use super::signing_key::SigningKey;
use super::{Algorithm, KeyError};

impl SigningKey {
    /// Reads the first private key of a PEM file: `PRIVATE KEY` (PKCS#8), `RSA PRIVATE KEY` (PKCS#1) or
    /// `EC PRIVATE KEY` (SEC 1), not encrypted. Its `kid` is its thumbprint.
    ///
    /// # Errors
    /// The file has no such key, or the key is for another algorithm.
    pub fn from_pem(algorithm: Algorithm, pem: &str) -> Result<Self, KeyError> {
        let (label, der) = private_block(pem).ok_or(KeyError::NotPem)?;
        match (label, algorithm) {
            ("PRIVATE KEY", _) => Self::from_pkcs8(algorithm, &der),
            ("RSA PRIVATE KEY", Algorithm::Ps256 | Algorithm::Rs256) => {
                Self::of(algorithm, Pair::from_pkcs1(&der)?)
            }
            ("EC PRIVATE KEY", Algorithm::Es256) => Self::of(algorithm, Pair::from_sec1(&der)?),
            _ => Err(KeyError::Mismatch),
        }
    }

    /// Reads a private JWK (RFC 7517, RFC 7518 section 6, RFC 8037). An RSA key must have `alg`, `p`, `q`,
    /// `dp`, `dq` and `qi`. If there is no `kid`, the thumbprint becomes the `kid`.
    ///
    /// # Errors
    /// The JSON is not such a key, or its parts do not match.
    pub fn from_jwk(json: &str) -> Result<Self, KeyError> {
        let members: Members = serde_json::from_str(json).map_err(|_| KeyError::NotJson)?;
        let public = members.public("sign")?;
        let (algorithm, pair) = match public.material() {
            Material::Ed25519 { x } => (Algorithm::EdDsa, Pair::from_seed(&part(&members.d)?, x)?),
            Material::P256 { x, y } => (Algorithm::Es256, Pair::from_p256(&part(&members.d)?, x, y)?),
            Material::Rsa { n, e } => {
                let Members { d, p, q, dp, dq, qi, .. } = &members;
                let [d, p, q] = [part(d)?, part(p)?, part(q)?];
                let [dp, dq, qi] = [part(dp)?, part(dq)?, part(qi)?];
                let algorithm = public.algorithm().ok_or(KeyError::NoAlgorithm)?;
                (algorithm, Pair::from_rsa(n, e, [&d, &p, &q, &dp, &dq, &qi])?)
            }
        };
        let key = Self::of(algorithm, pair)?;
        Ok(match members.kid {
            Some(kid) => key.with_kid(kid),
            None => key,
        })
    }
}

fn part(member: &Option<Private>) -> Result<Vec<u8>, KeyError> {
    member.as_ref().ok_or(KeyError::Malformed)?.bytes()
}

/// The label and the bytes of the first private key. Other blocks are skipped, because `openssl` may write
/// the curve before the key.
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
