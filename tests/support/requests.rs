//! The requests that tests start from.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use grantor::Request;

use super::clients::{CALLBACK, SECRET};

/// RFC 7636 appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// The parameters of a valid authorization request.
pub fn code_query<'a>(client: &'a str, scope: &'a str) -> Vec<(&'a str, &'a str)> {
    let redirect_uri = if client == "native" { "com.example.app:/cb" } else { CALLBACK };
    vec![
        ("response_type", "code"),
        ("client_id", client),
        ("redirect_uri", redirect_uri),
        ("scope", scope),
        ("state", "the state"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]
}

/// The parameters of the redemption of a code from [`code_query`].
pub fn redemption(code: &str) -> Vec<(&str, &str)> {
    vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ]
}

pub fn encode(pairs: &[(&str, &str)]) -> String {
    serde_urlencoded::to_string(pairs).unwrap()
}

pub fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

/// A form from a client, authenticated with its registered method.
pub fn request(client: &str, form: &[(&str, &str)]) -> Request {
    let mut form = form.to_vec();
    match client {
        "pub" | "tv" => form.push(("client_id", client)),
        "post" => form.extend([("client_id", "post"), ("client_secret", SECRET)]),
        id => return Request::post_form(encode(&form)).header("authorization", basic(id, SECRET)),
    }
    Request::post_form(encode(&form))
}
