//! Signed tokens: a guard lets in what its keys signed and nothing else, and says no in an orderly way.
#![no_main]

use std::pin::pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};

use chrono::DateTime;
use grantor::jose::{Algorithm, JwkSet, Jws, Signer as _, SigningKey, encode_now};
use grantor::resource::{JwtVerifier, StaticKeys, TokenVerifier as _};
use grantor::{Access, Refusal, ResourceId};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    parse(text);
    assert!(verify(text).is_err(), "nobody but the key can sign");
    // The same text as claims under a right signature, and as a header before one.
    if let Ok(claims) = serde_json::from_str::<serde_json::Value>(text)
        && let Some(Ok(token)) = encode_now("at+jwt", &claims, key())
    {
        match verify(&token) {
            Ok(access) => lets_in(&access, &claims),
            Err(refusal) => assert_eq!(refusal.reason().status(), 401),
        }
    }
    let (header, payload) = (base64url(text.as_bytes()), base64url(CLAIMS.as_bytes()));
    let message = format!("{header}.{payload}");
    if let Some(Ok(signature)) = key().sign_now(message.as_bytes()) {
        let token = format!("{message}.{}", base64url(&signature));
        if verify(&token).is_ok() {
            let header: serde_json::Value = serde_json::from_str(text).expect("a header");
            let algorithm = header["alg"].as_str().expect("an algorithm");
            assert!(["EdDSA", "Ed25519"].contains(&algorithm) && header.get("crit").is_none());
            assert!(header["typ"].as_str().expect("a type").to_ascii_lowercase().ends_with("at+jwt"));
        }
    }
});

/// What was parsed says what it is made of.
fn parse(text: &str) {
    if let Ok(jws) = Jws::parse(text) {
        assert!(text.len() <= Jws::MAX_BYTES && text.split('.').count() == 3);
        let _ = (jws.algorithm(), jws.kid(), jws.has_typ("at+jwt"), jws.verify([]).is_err());
    }
}

/// A guard believes no more than the claims say.
fn lets_in(access: &Access, claims: &serde_json::Value) {
    assert_eq!(claims["iss"], ISSUER);
    let aud = &claims["aud"];
    assert!(aud == API || aud.as_array().is_some_and(|all| all.iter().any(|aud| aud == API)));
    assert_eq!(claims["sub"], access.subject().id());
    assert_eq!(claims["client_id"], access.client().as_str());
    assert_eq!(claims["sub_type"], access.subject().kind());
    assert!(claims["exp"].as_i64().expect("an end") > NOW - 60);
}

const ISSUER: &str = "https://as.example";
const API: &str = "https://api.example";
const NOW: i64 = 1_800_000_000;
const CLAIMS: &str = r#"{"iss":"https://as.example","sub":"alice","sub_type":"user","aud":"https://api.example","client_id":"app","iat":1800000000,"exp":1800000600,"jti":"a"}"#;

fn verify(token: &str) -> Result<Access, Refusal> {
    static VERIFIER: OnceLock<(JwtVerifier, ResourceId)> = OnceLock::new();
    let (verifier, api) = VERIFIER.get_or_init(|| {
        let keys = JwkSet::new([key().key().clone()]).expect("a key set");
        // Few are remembered, so that they come and go.
        let verifier = JwtVerifier::new(ISSUER, StaticKeys::new(&keys)).remember(8);
        (verifier, ResourceId::parse(API).expect("a resource"))
    });
    let now = DateTime::from_timestamp(NOW, 0).expect("a time");
    let first = now_or_never(verifier.verify(token, api, now));
    let again = now_or_never(verifier.verify(token, api, now));
    assert_eq!(first.is_ok(), again.is_ok(), "a token that is seen again is what it was");
    first
}

fn key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| SigningKey::generate(Algorithm::EdDsa).expect("a key"))
}

fn base64url(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// Nothing here waits.
fn now_or_never<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("fixed keys never wait"),
    }
}
