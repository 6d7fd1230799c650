//! Signed tokens and their keys: RFC 7515, 7517, 7518, 7638 and 8037.

mod attacks;
mod others;
mod private_keys;
mod public_keys;
mod vectors;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grantor::jose::{self, Algorithm, Signer as _, SigningKey, VerifyingKey};
use serde_json::{Value, json};

use vectors::RSA_KEY;

/// A key of each algorithm, always the same RSA numbers.
fn key(algorithm: Algorithm) -> SigningKey {
    match algorithm {
        Algorithm::EdDsa | Algorithm::Es256 => SigningKey::generate(algorithm).unwrap(),
        _ => SigningKey::from_jwk(&RSA_KEY.replace("RS256", algorithm.as_str())).unwrap(),
    }
}

fn trusted(key: &SigningKey) -> [VerifyingKey; 1] {
    [VerifyingKey::from_jwk(key.key()).unwrap()]
}

fn signed(key: &SigningKey, claims: &Value) -> String {
    jose::encode_now("at+jwt", claims, key).unwrap().unwrap()
}

/// A token of this very header and payload, whose signature is right.
fn forged(key: &SigningKey, header: &str, payload: &str) -> String {
    let message = format!("{}.{}", b64(header.as_bytes()), b64(payload.as_bytes()));
    let signature = key.sign_now(message.as_bytes()).unwrap().unwrap();
    format!("{message}.{}", b64(&signature))
}

fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn claims() -> Value {
    json!({ "iss": "https://as.example", "sub": "ada", "exp": 1_800_000_600 })
}
