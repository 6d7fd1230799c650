//! DPoP proofs: a token that is bound to a key passes with a proof that this key signed for it, and with nothing else.
#![no_main]

use std::pin::pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};

use chrono::{DateTime, Utc};
use grantor::dpop::{Dpop, DpopProofs};
use grantor::jose::{Algorithm, JwkSet, Signer as _, SigningKey, encode_now};
use grantor::resource::{Guard, Requirement, StaticKeys};
use grantor::store::ReplayKey;
use grantor::{BackendError, Clock, ReplayGuard, Request, async_trait};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    assert!(!passes(text), "no one but the key can sign");
    // The same text as claims under a right header, and as a header before right claims, both with a right signature.
    if passes(&signed(&header(), text)) {
        let claims: serde_json::Value = serde_json::from_str(text).expect("claims");
        assert_eq!((&claims["htm"], claims["htu"].is_string()), (&"GET".into(), true));
        assert_eq!(claims["ath"], ath());
        let iat = claims["iat"].as_f64().expect("a time");
        assert!((NOW as f64 - 60.0..NOW as f64 + 31.0).contains(&iat));
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

const ISSUER: &str = "https://as.example";
const API: &str = "https://api.example";
const PATH: &str = "/notes";
const NOW: i64 = 1_800_000_000;

struct Still;

impl Clock for Still {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(NOW, 0).expect("a time")
    }
}

/// Forgets, so that every input is judged alike.
struct Forgetful;

#[async_trait]
impl ReplayGuard for Forgetful {
    async fn first_use(
        &self,
        _: &ReplayKey,
        _: DateTime<Utc>,
        _: DateTime<Utc>,
    ) -> Result<bool, BackendError> {
        Ok(true)
    }
}

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

fn guard_takes(guard: &Guard, token: &str, proof: &str) -> bool {
    let request = Request::get("").header("authorization", format!("DPoP {token}")).header("dpop", proof);
    match now_or_never(guard.check(&request.at_path(PATH), &Requirement::any())) {
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

fn sha256(text: &str) -> Vec<u8> {
    use sha2::Digest as _;
    sha2::Sha256::digest(text).to_vec()
}

/// This header and this payload under a right signature.
fn signed(header: &str, payload: &str) -> String {
    let message = format!("{}.{}", base64url(header.as_bytes()), base64url(payload.as_bytes()));
    let signature = key().sign_now(message.as_bytes()).expect("a key of this process").expect("a signature");
    format!("{message}.{}", base64url(&signature))
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
