//! An API behind a guard, and tokens for it that are signed by the test's own key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grantor::http::{Request, Response};
use grantor::jose::{self, Algorithm, JwkSet, Signer as _, SigningKey};
use grantor::resource::{Guard, GuardBuilder, KeySource, Requirement, StaticKeys};
use grantor::{Access, Reason};
use serde_json::{Value, json};

use super::{ISSUER, Log, TestClock};

pub const API: &str = "https://api.example/v1";

/// A guard outside the server's process, with its own clock and log.
pub struct Api {
    pub guard: Guard,
    pub clock: TestClock,
    pub log: Log,
}

impl Api {
    /// Trusts [`ISSUER`] with these keys.
    pub fn by(keys: impl KeySource + 'static) -> Self {
        Self::with(|builder| builder.jwks(ISSUER, keys))
    }

    /// Trusts [`ISSUER`] with only this key.
    pub fn trusting(key: &SigningKey) -> Self {
        Self::by(StaticKeys::new(&set([key])))
    }

    pub fn with(configure: impl FnOnce(GuardBuilder) -> GuardBuilder) -> Self {
        let (clock, log) = (TestClock::default(), Log::default());
        let builder = Guard::builder(API).clock(clock.clone()).audit(log.clone());
        Self { guard: configure(builder).build().unwrap(), clock, log }
    }

    pub async fn check(&self, token: &str, needed: &Requirement) -> Result<Access, Response> {
        self.guard.check(&call(token), needed).await
    }

    /// The status and the reason for a token at an endpoint with no special requirements; 200 and `None` if
    /// it passes.
    pub async fn outcome(&self, token: &str) -> (u16, Option<Reason>) {
        match self.check(token, &Requirement::any()).await {
            Ok(_) => (200, None),
            Err(response) => (response.status, self.log.last_reason()),
        }
    }
}

/// A request with this token.
pub fn call(token: &str) -> Request {
    Request::get("").header("authorization", format!("Bearer {token}"))
}

pub fn key() -> SigningKey {
    SigningKey::generate(Algorithm::EdDsa).unwrap()
}

pub fn set<'a>(keys: impl IntoIterator<Item = &'a SigningKey>) -> JwkSet {
    JwkSet::new(keys.into_iter().map(|key| key.key().clone())).unwrap()
}

pub fn jwks_json(keys: &JwkSet) -> Vec<u8> {
    serde_json::to_vec(keys).unwrap()
}

/// The claims of a valid token for [`API`], with these changes; `null` removes a claim.
pub fn claims(changes: Value) -> Value {
    let claims = json!({
        "iss": ISSUER, "sub": "alice", "sub_type": "user", "aud": API, "client_id": "conf", "jti": "a",
        "iat": TestClock::START, "exp": TestClock::START + 600, "scope": "read write",
    });
    changed(claims, changes)
}

/// The claims with these changes; `null` removes a claim.
pub fn changed(mut claims: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

pub fn b64(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// A token with exactly this header and payload, and a valid signature.
pub fn forged(key: &SigningKey, header: &str, payload: &str) -> String {
    let message = format!("{}.{}", b64(header), b64(payload));
    let signature = key.sign_now(message.as_bytes()).unwrap().unwrap();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// A signed access token with these changes.
pub fn token(key: &SigningKey, changes: Value) -> String {
    jose::encode_now("at+jwt", &claims(changes), key).unwrap().unwrap()
}

/// The value of this parameter of the challenge, if it has one.
pub fn parameter(response: &Response, name: &str) -> Option<String> {
    let challenge = response.header("www-authenticate")?;
    let start = format!("{name}=\"");
    let at = challenge.match_indices(&start).map(|(at, _)| at).find(|at| challenge[..*at].ends_with(' '))?;
    challenge[at + start.len()..].split('"').next().map(str::to_owned)
}
