//! Client secrets that a host can open, and MACs made with them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grantor::client::SealedSecrets;
use grantor::{BackendError, SecretText};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::guarded::b64;

pub const HS256: &str = r#"{"alg":"HS256"}"#;

/// Seals secrets by reversing them, which is enough for a test. It can be locked, so that it opens none.
#[derive(Clone, Debug, Default)]
pub struct Chest(Arc<AtomicBool>);

impl Chest {
    pub fn lock(&self, is_locked: bool) {
        self.0.store(is_locked, Ordering::SeqCst);
    }

    fn turned(&self, text: &str) -> Result<String, BackendError> {
        match self.0.load(Ordering::SeqCst) {
            true => Err(BackendError::transient("the chest is locked")),
            false => Ok(text.chars().rev().collect()),
        }
    }
}

impl SealedSecrets for Chest {
    fn seal(&self, secret: &SecretText) -> Result<String, BackendError> {
        self.turned(secret.reveal())
    }

    fn open(&self, sealed: &str) -> Result<SecretText, BackendError> {
        self.turned(sealed).map(SecretText::new)
    }
}

/// The secret that [`Mistaken`] returns.
pub const OF_ANOTHER: &str = "the secret of somebody else, of 44 characters";

/// Opens every sealed secret to the same wrong one.
#[derive(Debug)]
pub struct Mistaken;

impl SealedSecrets for Mistaken {
    fn seal(&self, secret: &SecretText) -> Result<String, BackendError> {
        Ok(secret.reveal().to_owned())
    }

    fn open(&self, _: &str) -> Result<SecretText, BackendError> {
        Ok(SecretText::new(OF_ANOTHER))
    }
}

/// A JWT with exactly this header and payload, and a valid MAC.
pub fn maced(secret: &[u8], header: &str, payload: &str) -> String {
    let message = format!("{}.{}", b64(header), b64(payload));
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(hmac(secret, message.as_bytes())))
}

/// The header and the claims of a JWT whose MAC has to be made with this secret.
pub fn unmaced(secret: &str, jwt: &str) -> (Value, Value) {
    let (message, mac) = jwt.rsplit_once('.').unwrap();
    assert_eq!(mac, URL_SAFE_NO_PAD.encode(hmac(secret.as_bytes(), message.as_bytes())), "its MAC: {jwt}");
    let (header, claims) = message.split_once('.').unwrap();
    let read = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
    let [header, claims] = [header, claims].map(|part| serde_json::from_slice(&read(part)).unwrap());
    (header, claims)
}

/// RFC 2104 with SHA-256.
fn hmac(secret: &[u8], message: &[u8]) -> Vec<u8> {
    let mut key = [0; 64];
    let hashed = Sha256::digest(secret);
    let secret = if secret.len() > 64 { &hashed[..] } else { secret };
    key[..secret.len()].copy_from_slice(secret);
    let padded = |pad: u8| key.map(|byte| byte ^ pad);
    let inner = Sha256::digest([&padded(0x36), message].concat());
    Sha256::digest([&padded(0x5c), &inner[..]].concat()).to_vec()
}
