//! Signed tokens and their keys: a thin, strict layer over a cryptographic library (feature `jwt`).
//!
//! It supports compact JWS (RFC 7515) over JSON objects, public JWKs (RFC 7517) and four asymmetric
//! [`Algorithm`]s, and nothing else, so nothing else can be confused: [`Jws`] has no symmetric algorithm, no
//! `none` and no key from a header, and no type prints a private key. MACs with client secrets (HS256) have a
//! separate reader, which supports no other algorithm. On `wasm32-unknown-unknown` the cryptographic library
//! is a different one, and RSA keys are [not supported](KeyError::Unsupported).
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use grantor::jose::{self, Algorithm, Jws, Signer as _, SigningKey, VerifyingKey};
//!
//! let key = SigningKey::generate(Algorithm::EdDsa)?;
//! let token = jose::encode_now("at+jwt", &serde_json::json!({ "sub": "ada" }), &key).ok_or("remote")??;
//!
//! let trusted = [VerifyingKey::from_jwk(key.key())?];
//! let unverified = Jws::parse(&token)?;
//! assert!(unverified.has_typ("at+jwt"));
//! let claims: serde_json::Value = unverified.verify(&trusted)?.claims()?;
//! assert_eq!(claims["sub"], "ada");
//! # Ok(())
//! # }
//! ```

#[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
#[path = "crypto/aws_lc.rs"]
mod crypto;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
#[path = "crypto/pure_rust.rs"]
mod crypto;
mod encode;
mod import;
mod jwk;
mod jwk_set;
mod jws;
mod mac;
mod signer;
mod signing_key;
mod verifying_key;

pub use crate::base::Algorithm;
#[cfg(feature = "openid")]
pub(crate) use crypto::HmacSha256;
pub(crate) use encode::encode_text;
#[cfg(feature = "openid")]
pub(crate) use encode::message_under;
pub use encode::{encode, encode_now};
pub use jwk::{Jwk, KeyError};
pub use jwk_set::{JwkSet, JwkSetError};
pub use jws::{Jws, JwsError, Unverified, Verified};
pub(crate) use mac::{HS256, MacText};
pub use signer::{SignError, Signer};
pub use signing_key::{Pkcs8, SigningKey};
#[cfg(test)]
pub(crate) use verifying_key::VERIFICATIONS;
pub use verifying_key::VerifyingKey;
