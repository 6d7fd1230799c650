//! Makes signed tokens.

use std::future::Future;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::jwk::Material;
use super::{SignError, Signer};

/// Signs `claims`, a JSON object. The header has the signer's `alg` and `kid`, and this `typ`.
///
/// # Errors
/// The claims are not an object, or the signer failed.
pub fn encode<'s, T: Serialize + ?Sized>(
    typ: &str,
    claims: &T,
    signer: &'s dyn Signer,
) -> impl Future<Output = Result<String, SignError>> + Send + use<'s, T> {
    let message = message(typ, claims, signer);
    async move {
        let message = message?;
        let signature = match signer.sign_now(message.as_bytes()) {
            Some(signature) => signature?,
            None => signer.sign(message.as_bytes()).await?,
        };
        seal(message, &signature, signer)
    }
}

/// Like [`encode`], for a signer that can sign without waiting; `None` for any other.
///
/// # Errors
/// As for [`encode`].
pub fn encode_now<T: Serialize + ?Sized>(
    typ: &str,
    claims: &T,
    signer: &dyn Signer,
) -> Option<Result<String, SignError>> {
    let message = match message(typ, claims, signer) {
        Ok(message) => message,
        Err(error) => return Some(Err(error)),
    };
    let signature = signer.sign_now(message.as_bytes())?;
    Some(signature.and_then(|signature| seal(message, &signature, signer)))
}

/// Signs the text of a JSON object, with a header like that of [`encode`].
pub(crate) async fn encode_text(typ: &str, claims: &str, signer: &dyn Signer) -> Result<String, SignError> {
    let message = message_of(typ, claims, signer)?;
    let signature = match signer.sign_now(message.as_bytes()) {
        Some(signature) => signature?,
        None => signer.sign(message.as_bytes()).await?,
    };
    seal(message, &signature, signer)
}

/// The header and the payload, with room for the signature after them.
fn message<T: Serialize + ?Sized>(typ: &str, claims: &T, signer: &dyn Signer) -> Result<String, SignError> {
    let claims = serde_json::to_string(claims).map_err(|_| SignError::Claims)?;
    message_of(typ, &claims, signer)
}

fn message_of(typ: &str, claims: &str, signer: &dyn Signer) -> Result<String, SignError> {
    message_under(signer.algorithm().as_str(), typ, signer.key().kid(), claims)
}

/// The header and the payload, with these header members.
pub(crate) fn message_under(
    alg: &'static str,
    typ: &str,
    kid: Option<&str>,
    claims: &str,
) -> Result<String, SignError> {
    #[derive(Serialize)]
    struct Header<'a> {
        alg: &'static str,
        typ: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        kid: Option<&'a str>,
    }
    let header = Header { alg, typ, kid };
    if !claims.starts_with('{') {
        return Err(SignError::Claims);
    }
    let header = serde_json::to_string(&header).map_err(|_| SignError::Claims)?;
    let mut text = String::with_capacity((header.len() + claims.len()) * 4 / 3 + 8 + SIGNATURE_ROOM);
    URL_SAFE_NO_PAD.encode_string(header, &mut text);
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut text);
    Ok(text)
}

/// The length of a 2048-bit RSA signature in base64url.
const SIGNATURE_ROOM: usize = 344;

fn seal(mut message: String, signature: &[u8], signer: &dyn Signer) -> Result<String, SignError> {
    let expected = match signer.key().material() {
        Material::Ed25519 { .. } | Material::P256 { .. } => 64,
        Material::Rsa { n, .. } => n.len(),
    };
    if signature.len() != expected {
        return Err(SignError::Malformed);
    }
    message.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut message);
    Ok(message)
}
