//! Clients that prove possession of a key with DPoP (RFC 9449), and all kinds of invalid proofs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grantor::base::Secret;
use grantor::dpop::{Dpop, DpopProofs, ProofFlaw};
use grantor::jose::{Algorithm, Signer as _, SigningKey};
use grantor::server::AuthorizationServerBuilder;
use grantor::{MemoryStore, Request};
use serde_json::{Value, json};

use super::guarded::{b64, changed, forged};
use super::{Answer, Fixture, TestClock, request};

pub const TOKEN: &str = "https://as.example/token";
pub const PAR: &str = "https://as.example/par";

/// A client's key, which makes proofs.
pub struct Prover {
    pub key: SigningKey,
}

impl Prover {
    pub fn new() -> Self {
        Self::with(Algorithm::Es256)
    }

    pub fn with(algorithm: Algorithm) -> Self {
        Self { key: SigningKey::generate(algorithm).unwrap() }
    }

    /// The thumbprint of the key, as in `jkt`.
    pub fn thumbprint(&self) -> String {
        self.key.key().thumbprint()
    }

    /// The public key, without optional members.
    pub fn jwk(&self) -> Value {
        changed(
            serde_json::to_value(self.key.key()).unwrap(),
            json!({ "kid": null, "use": null, "alg": null }),
        )
    }

    /// The header of a valid proof, with these changes; `null` removes a member.
    pub fn header(&self, changes: Value) -> Value {
        let algorithm = self.key.key().algorithm().unwrap().as_str();
        changed(json!({ "typ": "dpop+jwt", "alg": algorithm, "jwk": self.jwk() }), changes)
    }

    /// A proof with this header and these claims.
    pub fn signed(&self, header: &Value, claims: &Value) -> String {
        forged(&self.key, &header.to_string(), &claims.to_string())
    }

    /// A proof for this method and URL, with these changes of its claims.
    pub fn proof(&self, method: &str, url: &str, changes: Value) -> String {
        self.signed(&self.header(json!({})), &claims(method, url, changes))
    }

    /// A proof for the token endpoint.
    pub fn for_token(&self) -> String {
        self.proof("POST", TOKEN, json!({}))
    }

    /// A `GET` request to a resource with a token and its proof.
    pub fn call(&self, token: &str, url: &str, path: &str) -> Request {
        let proof = self.proof("GET", &format!("{url}{path}"), json!({ "ath": hash(token) }));
        call_with(token, &proof).at_path(path)
    }
}

/// The claims of a valid new proof, with these changes; `null` removes one.
pub fn claims(method: &str, url: &str, changes: Value) -> Value {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let jti = format!("proof {}", MADE.fetch_add(1, Ordering::SeqCst));
    changed(json!({ "jti": jti, "htm": method, "htu": url, "iat": TestClock::START }), changes)
}

/// `ath` of a token.
pub fn hash(token: &str) -> String {
    use sha2::Digest as _;
    URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(token))
}

/// A request with a token under the `DPoP` scheme and this proof.
pub fn call_with(token: &str, proof: &str) -> Request {
    Request::get("").header("authorization", format!("DPoP {token}")).header("dpop", proof)
}

/// Accepts proofs without nonces.
pub fn dpop() -> Dpop {
    Dpop::new(DpopProofs::new())
}

/// Requires nonces. All servers with this key accept each other's.
pub fn with_nonces() -> Dpop {
    dpop().nonces(Secret::new([7; 32]))
}

/// A server that accepts proofs.
pub fn fixture() -> Fixture {
    configured(|builder| builder)
}

/// The same with further settings.
pub fn configured(
    configure: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
) -> Fixture {
    let store = Arc::new(MemoryStore::new());
    let replays = store.clone();
    Fixture::on(store.clone(), store, |builder| {
        configure(builder.replay_guard(replays).dpop(dpop()).device_verification("/device"))
    })
}

impl Fixture {
    /// `POST /token` with this proof.
    pub async fn token_by(&self, client: &str, form: &[(&str, &str)], proof: &str) -> Answer {
        Answer(self.server.token(&request(client, form).header("dpop", proof)).await)
    }

    /// `POST /par` with this proof.
    pub async fn push_by(&self, client: &str, form: &[(&str, &str)], proof: &str) -> Answer {
        let request = request(client, form).header("dpop", proof);
        Answer(self.server.pushed_authorization_request(&request).await)
    }

    /// The tokens for a code that is redeemed with a proof of this key.
    pub async fn tokens_by(&self, client: &str, scope: &str, prover: &Prover) -> Answer {
        let code = self.code(client, scope).await;
        let answer = self.token_by(client, &super::redemption(&code), &prover.for_token()).await;
        assert_eq!(answer.status(), 200, "{}", answer.json());
        answer
    }

    pub async fn refresh_by(&self, client: &str, refresh_token: &str, proof: &str) -> Answer {
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
        self.token_by(client, &form, proof).await
    }
}

/// A reason to refuse a request for its proof: a name, the `DPoP` fields of the request, and the flaw.
pub type Bad = (&'static str, Vec<String>, ProofFlaw);

/// The beginning of an object.
const NESTED_TWICE: &str = r#"{"x":{"a":1,"a":2},"#;

/// Proofs for this method and URL that are each invalid in one way; at a resource, `token` is the access
/// token.
pub fn bad_proofs(prover: &Prover, method: &str, url: &str, token: Option<&str>) -> Vec<Bad> {
    use ProofFlaw as F;
    let ath = token.map_or(Value::Null, |token| json!(hash(token)));
    let own = |changes: Value| changed(claims(method, url, json!({ "ath": ath })), changes);
    let says = |changes: Value| prover.signed(&prover.header(json!({})), &own(changes));
    let headed = |changes: Value| prover.signed(&prover.header(changes), &own(json!({})));
    let keyed = |changes: Value| headed(json!({ "jwk": changed(prover.jwk(), changes) }));
    let good = || says(json!({}));
    let other = Prover::new();
    let ed25519 = Prover::with(Algorithm::EdDsa);
    let text = |header: &str, payload: &str| forged(&prover.key, header, payload);
    let header = prover.header(json!({})).to_string();
    let payload = own(json!({})).to_string();
    let parts = good();
    let parts: Vec<&str> = parts.split('.').collect();
    let secret = json!({ "kty": "oct", "k": "c2VjcmV0" });
    let weak = json!({ "kty": "RSA", "e": "AQAB", "n": "w8PD".repeat(42) + "ww" });
    let long = "x".repeat(129);
    let now = TestClock::START;
    let mut bad = vec![
        ("two fields", vec![good(), good()], F::Repeated),
        ("two in one field", vec![format!("{}, {}", good(), good())], F::Malformed),
        ("nothing in the field", vec![String::new()], F::Malformed),
        ("no JWT", vec!["proof".to_owned()], F::Malformed),
        ("no signature", vec![format!("{}.{}.", parts[0], parts[1])], F::Malformed),
        ("five parts", vec![format!("{}.a.b", parts.join("."))], F::Malformed),
        ("padding", vec![format!("{}=", parts.join("."))], F::Malformed),
        ("a payload of text", vec![text(&header, "\"proof\"")], F::Malformed),
        ("a member twice", vec![text(&header, &payload.replacen('{', "{\"jti\":\"2\",", 1))], F::Malformed),
        ("a nested member twice", vec![text(&header, &payload.replacen('{', NESTED_TWICE, 1))], F::Malformed),
        ("one in the header", vec![text(&header.replacen('{', NESTED_TWICE, 1), &payload)], F::Malformed),
        ("no typ", vec![headed(json!({ "typ": null }))], F::TypeWrong),
        ("the typ of any JWT", vec![headed(json!({ "typ": "JWT" }))], F::TypeWrong),
        ("no alg", vec![headed(json!({ "alg": null }))], F::AlgorithmRefused),
        ("alg none", vec![headed(json!({ "alg": "none" }))], F::AlgorithmRefused),
        ("alg HS256", vec![headed(json!({ "alg": "HS256" }))], F::AlgorithmRefused),
        ("alg of another key type", vec![headed(json!({ "alg": "EdDSA" }))], F::KeyRefused),
        ("no key", vec![headed(json!({ "jwk": null }))], F::KeyRefused),
        ("a key as text", vec![headed(json!({ "jwk": "key" }))], F::Malformed),
        ("a private key", vec![keyed(json!({ "d": "AAAA" }))], F::KeyRefused),
        ("a symmetric key", vec![headed(json!({ "jwk": secret }))], F::KeyRefused),
        ("a weak key", vec![headed(json!({ "alg": "RS256", "jwk": weak }))], F::KeyRefused),
        ("another curve", vec![keyed(json!({ "crv": "P-384" }))], F::KeyRefused),
        ("a point off the curve", vec![keyed(json!({ "y": b64(&"y".repeat(32)) }))], F::KeyRefused),
        ("a key to encrypt with", vec![keyed(json!({ "use": "enc" }))], F::KeyRefused),
        ("a key of another algorithm", vec![keyed(json!({ "alg": "RS256" }))], F::KeyRefused),
        ("a key of another type", vec![headed(json!({ "jwk": ed25519.jwk() }))], F::KeyRefused),
        ("another key", vec![headed(json!({ "jwk": other.jwk() }))], F::SignatureWrong),
        ("another payload", vec![format!("{}.{}.{}", parts[0], b64(&payload), parts[2])], F::SignatureWrong),
        ("crit", vec![headed(json!({ "crit": ["b64"] }))], F::Malformed),
        ("a key by URL", vec![headed(json!({ "jku": "https://evil.example" }))], F::Malformed),
        ("a certificate", vec![headed(json!({ "x5c": ["AAAA"] }))], F::Malformed),
        ("no jti", vec![says(json!({ "jti": null }))], F::ClaimMissing),
        ("an empty jti", vec![says(json!({ "jti": "" }))], F::IdMalformed),
        ("a long jti", vec![says(json!({ "jti": long }))], F::IdMalformed),
        ("a jti that is a number", vec![says(json!({ "jti": 1 }))], F::ClaimMissing),
        ("no htm", vec![says(json!({ "htm": null }))], F::ClaimMissing),
        ("another method", vec![says(json!({ "htm": "PUT" }))], F::MethodWrong),
        ("the method in lower case", vec![says(json!({ "htm": method.to_lowercase() }))], F::MethodWrong),
        ("no htu", vec![says(json!({ "htu": null }))], F::ClaimMissing),
        ("another path", vec![says(json!({ "htu": format!("{url}2") }))], F::UrlWrong),
        ("a slash at the end", vec![says(json!({ "htu": format!("{url}/") }))], F::UrlWrong),
        ("another host", vec![says(json!({ "htu": url.replace(".example", ".evil") }))], F::UrlWrong),
        ("another scheme", vec![says(json!({ "htu": url.replace("https", "http") }))], F::UrlWrong),
        ("another port", vec![says(json!({ "htu": url.replace(".example", ".example:444") }))], F::UrlWrong),
        ("an htu that is a number", vec![says(json!({ "htu": 1 }))], F::ClaimMissing),
        ("no iat", vec![says(json!({ "iat": null }))], F::ClaimMissing),
        ("an iat that is text", vec![says(json!({ "iat": now.to_string() }))], F::ClaimMissing),
        ("an iat of an hour ago", vec![says(json!({ "iat": now - 3600 }))], F::TimeWrong),
        ("an iat ahead", vec![says(json!({ "iat": now + 61 }))], F::TimeWrong),
        ("an exp in the past", vec![says(json!({ "exp": now - 10 }))], F::Expired),
        ("an exp that is text", vec![says(json!({ "exp": (now + 60).to_string() }))], F::ClaimMissing),
        ("an nbf ahead", vec![says(json!({ "nbf": now + 31 }))], F::TooEarly),
        ("an nbf that is text", vec![says(json!({ "nbf": now.to_string() }))], F::ClaimMissing),
        ("more than 8 KiB", vec![says(json!({ "more": "x".repeat(8 * 1024) }))], F::TooLong),
        ("64 KiB", vec!["x".repeat(64 * 1024)], F::TooLong),
    ];
    if token.is_some() {
        bad.extend([
            ("no ath", vec![says(json!({ "ath": null }))], F::TokenWrong),
            ("the ath of another token", vec![says(json!({ "ath": hash("another") }))], F::TokenWrong),
            ("an ath that is a number", vec![says(json!({ "ath": 1 }))], F::ClaimMissing),
        ]);
    }
    bad
}
