//! DPoP proofs: a token that is bound to a key passes with a proof that this key signed for it, and with
//! nothing else.
#![no_main]

use std::sync::OnceLock;

use grantor::Request;
use grantor::dpop::{Dpop, DpopProofs};
use grantor::jose::{Algorithm, JwkSet, Signer as _, SigningKey, encode_now};
use grantor::resource::{Guard, Requirement, StaticKeys};
use grantor_fuzz::{Forgetful, ISSUER, NOW, Still, base64url, guard, key, sha256, signed};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    assert!(!passes(text), "no one but the key can sign");
    // The same text as claims under a valid header, and as a header before valid claims, both with a valid
    // signature.
    if passes(&signed(&header(), text)) {
        let claims: serde_json::Value = serde_json::from_str(text).expect("claims");
        assert_eq!((&claims["htm"], claims["htu"].is_string()), (&"GET".into(), true));
        assert_eq!(claims["ath"], ath());
        let iat = claims["iat"].as_f64().expect("a time");
        assert!((NOW as f64 - 60.0..NOW as f64 + 31.0).contains(&iat));
        assert!(claims["exp"].is_null() || claims["exp"].as_f64().expect("a time") > NOW as f64 - 10.0);
        assert!(claims["nbf"].is_null() || claims["nbf"].as_f64().expect("a time") < NOW as f64 + 31.0);
        let jti = claims["jti"].as_str().expect("an identifier");
        assert!((1..=128).contains(&jti.len()));
    }
    if passes(&signed(text, &claims())) {
        let header: serde_json::Value = serde_json::from_str(text).expect("a header");
        assert!(["EdDSA", "Ed25519"].contains(&header["alg"].as_str().expect("an algorithm")));
        assert!(header["typ"].as_str().expect("a type").to_ascii_lowercase().ends_with("dpop+jwt"));
        assert!(header["jwk"].get("d").is_none() && header.get("crit").is_none());
        assert_eq!(header["jwk"]["x"], public()["x"]);
    }
});

const API: &str = "https://api.example";
const PATH: &str = "/notes";

/// A guard, and a token that is bound to [`key`].
fn world() -> &'static (Guard, String) {
    static WORLD: OnceLock<(Guard, String)> = OnceLock::new();
    WORLD.get_or_init(|| {
        let issuer = SigningKey::generate(Algorithm::EdDsa).expect("a key");
        let keys = StaticKeys::new(&JwkSet::new([issuer.key().clone()]).expect("a key set"));
        let dpop = Dpop::new(DpopProofs::new());
        let guard = Guard::builder(API)
            .jwks(ISSUER, keys)
            .clock(Still)
            .dpop(dpop, Forgetful)
            .build()
            .expect("a guard");
        let claims = serde_json::json!({
            "iss": ISSUER, "sub": "alice", "sub_type": "user", "aud": API, "client_id": "app", "jti": "a",
            "iat": NOW, "exp": NOW + 600, "cnf": { "jkt": key().key().thumbprint() },
        });
        let token = encode_now("at+jwt", &claims, &issuer).expect("a key of this process").expect("a token");
        let good = guard_takes(&guard, &token, &signed(&header(), &claims_for(&token)));
        assert!(good, "a proof that is in order passes");
        (guard, token)
    })
}

fn passes(proof: &str) -> bool {
    let (guard, token) = world();
    let first = guard_takes(guard, token, proof);
    assert_eq!(first, guard_takes(guard, token, proof), "a key that is known changes nothing");
    first
}

fn guard_takes(own: &Guard, token: &str, proof: &str) -> bool {
    let request = Request::get("").header("authorization", format!("DPoP {token}")).header("dpop", proof);
    match guard(own, &request.at_path(PATH), &Requirement::any()) {
        Ok(_) => true,
        Err(response) => {
            assert_eq!(response.status, 401);
            false
        }
    }
}

fn header() -> String {
    serde_json::json!({ "typ": "dpop+jwt", "alg": "EdDSA", "jwk": public() }).to_string()
}

fn public() -> serde_json::Value {
    serde_json::to_value(key().key()).expect("a key")
}

fn claims() -> String {
    claims_for(&world().1)
}

fn claims_for(token: &str) -> String {
    let ath = base64url(&sha256(token));
    serde_json::json!({ "jti": "1", "htm": "GET", "htu": format!("{API}{PATH}"), "iat": NOW, "ath": ath })
        .to_string()
}

fn ath() -> String {
    base64url(&sha256(&world().1))
}
