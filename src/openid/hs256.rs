//! HS256 (RFC 7518 section 3.2) with the secrets of clients.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::client_macs::ClientMacs;
use crate::base::SecretText;
use crate::error::BackendError;
use crate::jose::{HS256, HmacSha256, MacText, message_under};
use crate::signing::Unsigned;

/// HMAC with SHA-256.
#[derive(Debug)]
pub(crate) struct Hs256;

impl ClientMacs for Hs256 {
    /// No `kid`: it would refer to a published key.
    fn sign(&self, what: &Unsigned, secret: &SecretText) -> Result<String, BackendError> {
        let message = message_under(HS256, what.typ, None, &what.claims);
        let mut text = message.map_err(BackendError::permanent)?;
        let mac = HmacSha256::new(secret.reveal().as_bytes()).mac(text.as_bytes());
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(mac, &mut text);
        Ok(text)
    }

    fn claimed_client(&self, token: &str, typ: &'static str) -> Option<String> {
        #[derive(Deserialize)]
        struct Body {
            aud: String,
        }
        let Body { aud } = read(token, typ)?.claims().ok()?;
        Some(aud)
    }

    fn verify(&self, token: &str, typ: &'static str, secrets: &[SecretText]) -> Option<String> {
        let token = read(token, typ)?;
        let is_made_with = |secret: &SecretText| token.is_made_with(secret.reveal().as_bytes());
        if !secrets.iter().fold(false, |is_made, secret| is_made_with(secret) | is_made) {
            return None;
        }
        let claims: Map<String, Value> = token.claims().ok()?;
        serde_json::to_string(&claims).ok()
    }
}

fn read<'a>(token: &'a str, typ: &'static str) -> Option<MacText<'a>> {
    MacText::parse(token).ok().filter(|token| token.is_of(&[typ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_with_the_secret_that_made_it_and_as_what_it_is() {
        let [own, other] = ["a secret of 32 characters or more", "another one of 32 characters or more"];
        let [own, other] = [own, other].map(SecretText::new);
        let body = serde_json::json!({ "aud": "app" });
        let token = Hs256.sign(&Unsigned::new("JWT", &body, None).unwrap(), &own).unwrap();
        assert!(token.starts_with(&format!("{}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#))));
        assert_eq!(Hs256.claimed_client(&token, "JWT").as_deref(), Some("app"));
        assert_eq!(Hs256.claimed_client(&token, "logout+jwt"), None);
        assert_eq!(Hs256.verify(&token, "JWT", &[other, own]), Some(body.to_string()));
        assert_eq!(Hs256.verify(&token, "JWT", &[]), None);
        let stranger = SecretText::new("the secret of yet another client");
        assert_eq!(Hs256.verify(&token, "JWT", &[stranger]), None);
    }
}
