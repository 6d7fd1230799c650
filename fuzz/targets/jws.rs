//! Signed tokens: a guard lets in what its keys signed and nothing else, and refuses the rest in
//! an orderly way.
#![no_main]

use std::sync::OnceLock;

use grantor::jose::{Jws, encode_now};
use grantor::resource::{JwtVerifier, StaticKeys};
use grantor::{Access, Refusal, ResourceId};
use grantor_fuzz::{ISSUER, NOW, key, public_keys, signed};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    parse(text);
    assert!(verify(text).is_err(), "nobody but the key can sign");
    // The same text as claims under a right signature, and as a header before one.
    if let Ok(claims) = serde_json::from_str::<serde_json::Value>(text)
        && let Some(Ok(token)) = encode_now("at+jwt", &claims, &**key())
    {
        match verify(&token) {
            Ok(access) => lets_in(&access, &claims),
            Err(refusal) => assert_eq!(refusal.reason().status(), 401),
        }
    }
    if verify(&signed(text, CLAIMS)).is_ok() {
        let header: serde_json::Value = serde_json::from_str(text).expect("a header");
        let algorithm = header["alg"].as_str().expect("an algorithm");
        assert!(["EdDSA", "Ed25519"].contains(&algorithm) && header.get("crit").is_none());
        assert!(header["typ"].as_str().expect("a type").to_ascii_lowercase().ends_with("at+jwt"));
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

const API: &str = "https://api.example";
const CLAIMS: &str = r#"{"iss":"https://as.example","sub":"alice","sub_type":"user","aud":"https://api.example","client_id":"app","iat":1800000000,"exp":1800000600,"jti":"a"}"#;

fn verify(token: &str) -> Result<Access, Refusal> {
    static VERIFIER: OnceLock<(JwtVerifier, ResourceId)> = OnceLock::new();
    let (verifier, api) = VERIFIER.get_or_init(|| {
        // Few are remembered, so that they come and go.
        let verifier = JwtVerifier::new(ISSUER, StaticKeys::new(&public_keys())).remember(8);
        (verifier, ResourceId::parse(API).expect("a resource"))
    });
    let first = grantor_fuzz::verify(verifier, token, api, NOW);
    let again = grantor_fuzz::verify(verifier, token, api, NOW);
    assert_eq!(first.is_ok(), again.is_ok(), "a token that is seen again is what it was");
    first
}
