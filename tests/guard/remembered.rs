//! A guard remembers tokens that passed. All but the signature is looked at again whenever one comes back.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use grantor::jose::{Jwk, JwkSet, Signer as _, SigningKey};
use grantor::resource::{JwtVerifier, KeySource, Requirement, StaticKeys, TokenVerifier as _, TrustedKeys};
use grantor::{BackendError, Clock as _, Reason, ResourceId, async_trait};
use serde_json::json;

use crate::support::guarded::{API, Api, key, set, token};
use crate::support::{ISSUER, TestClock};

/// An issuer that may change its mind about its keys; without any, it cannot be reached.
#[derive(Clone)]
struct Issuer(Arc<Mutex<Option<TrustedKeys>>>);

impl Issuer {
    fn publishing(keys: &JwkSet) -> Self {
        Self(Arc::new(Mutex::new(Some(TrustedKeys::of(keys)))))
    }

    fn publishes(&self, keys: &JwkSet) {
        *self.0.lock().unwrap() = Some(TrustedKeys::of(keys));
    }

    fn vanishes(&self) {
        *self.0.lock().unwrap() = None;
    }
}

#[async_trait]
impl KeySource for Issuer {
    async fn keys(&self, _: bool, _: DateTime<Utc>) -> Result<TrustedKeys, BackendError> {
        self.0.lock().unwrap().clone().ok_or_else(|| BackendError::transient("unreachable"))
    }
}

/// An API that has let this token pass twice.
async fn remembering(issuer: &Issuer, token: &str) -> Api {
    let api = Api::by(issuer.clone());
    for _ in 0..2 {
        assert_eq!(api.outcome(token).await, (200, None));
    }
    api
}

const WRONG: (u16, Option<Reason>) = (401, Some(Reason::TokenSignatureWrong));

#[tokio::test]
async fn a_remembered_token_ends_when_it_expires() {
    let key = key();
    let token = token(&key, json!({ "exp": TestClock::START + 600 }));
    let api = remembering(&Issuer::publishing(&set([&key])), &token).await;
    api.clock.advance(Duration::from_secs(609));
    assert_eq!(api.outcome(&token).await, (200, None));
    api.clock.advance(Duration::from_secs(1));
    assert_eq!(api.outcome(&token).await, (401, Some(Reason::TokenExpired)));
}

#[tokio::test]
async fn a_remembered_token_is_too_early_for_a_clock_that_was_set_back() {
    let key = key();
    let keys = StaticKeys::new(&set([&key]));
    let (verifier, resource) = (JwtVerifier::new(ISSUER, keys), ResourceId::parse(API).unwrap());
    let token = token(&key, json!({ "iat": TestClock::START, "nbf": TestClock::START + 100 }));
    let start = TestClock::default().now();
    for (at, outcome) in [(100, Ok(())), (69, Err(Reason::TokenTooEarly)), (70, Ok(()))] {
        let checked = verifier.verify(&token, &resource, start + TimeDelta::seconds(at)).await;
        assert_eq!(checked.map(drop).map_err(|refusal| refusal.reason()), outcome, "after {at} s");
    }
}

#[tokio::test]
async fn a_key_that_is_withdrawn_stops_its_remembered_tokens_at_once() {
    let (old, new) = (key(), key());
    let issuer = Issuer::publishing(&set([&old]));
    let token = token(&old, json!({}));
    let api = remembering(&issuer, &token).await;
    issuer.publishes(&set([&old, &new]));
    assert_eq!(api.outcome(&token).await, (200, None), "another key beside it does no harm");
    issuer.publishes(&set([&new]));
    assert_eq!(api.outcome(&token).await, WRONG);
    issuer.publishes(&set([]));
    assert_eq!(api.outcome(&token).await, WRONG);
    issuer.publishes(&set([&old]));
    assert_eq!(api.outcome(&token).await, (200, None));
}

#[tokio::test]
async fn a_key_under_the_old_name_or_an_old_key_under_a_new_name_is_another_key() {
    let (old, new) = (key(), key());
    let issuer = Issuer::publishing(&set([&old]));
    let token = token(&old, json!({}));
    let api = remembering(&issuer, &token).await;
    let kid = old.key().kid().unwrap().to_owned();
    let impostor: Jwk = new.key().clone().with_kid(kid);
    issuer.publishes(&JwkSet::new([impostor]).unwrap());
    assert_eq!(api.outcome(&token).await, WRONG);
    issuer.publishes(&JwkSet::new([old.key().clone().with_kid("renamed")]).unwrap());
    assert_eq!(api.outcome(&token).await, WRONG, "the token names its key");
}

#[tokio::test]
async fn keys_that_cannot_be_had_are_503_for_a_remembered_token_too() {
    let key = key();
    let issuer = Issuer::publishing(&set([&key]));
    let token = token(&key, json!({}));
    let api = remembering(&issuer, &token).await;
    issuer.vanishes();
    assert_eq!(api.outcome(&token).await, (503, Some(Reason::IssuerUnavailable)));
}

#[tokio::test]
async fn what_passed_at_one_resource_has_not_passed_at_another() {
    let key = key();
    let verifier = JwtVerifier::new(ISSUER, StaticKeys::new(&set([&key])));
    let [api, other, stranger] =
        [API, "https://other.example", "https://stranger.example"].map(|id| ResourceId::parse(id).unwrap());
    let token = token(&key, json!({ "aud": [API, "https://other.example"] }));
    let now = TestClock::default().now();
    for _ in 0..2 {
        for resource in [&api, &other] {
            let access = verifier.verify(&token, resource, now).await.unwrap();
            assert_eq!(access.audience(), Some(resource));
        }
        let refused = verifier.verify(&token, &stranger, now).await.unwrap_err();
        assert_eq!(refused.reason(), Reason::TokenAudienceWrong);
    }
}

#[tokio::test]
async fn what_a_request_needs_is_asked_of_a_remembered_token_too() {
    let key = key();
    let token = token(&key, json!({ "scope": "read" }));
    let api = remembering(&Issuer::publishing(&set([&key])), &token).await;
    assert_eq!(api.check(&token, &Requirement::scopes(["read"])).await.unwrap().user(), Some("alice"));
    assert_eq!(api.check(&token, &Requirement::scopes(["write"])).await.unwrap_err().status, 403);
    assert_eq!(api.check(&token, &Requirement::any().max_age(60)).await.unwrap_err().status, 401);
}

#[tokio::test]
async fn every_character_of_a_token_counts() {
    let key = key();
    let token = token(&key, json!({}));
    let api = remembering(&Issuer::publishing(&set([&key])), &token).await;
    for at in (0..token.len()).step_by(7) {
        let mut bytes = token.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert_eq!(api.outcome(&changed).await.0, 401, "at {at}");
    }
    for changed in [&token[..token.len() - 1], &format!("{token}A"), &format!("{token}=")] {
        assert_eq!(api.outcome(changed).await.0, 401, "{changed}");
    }
}

#[tokio::test]
async fn more_tokens_than_are_remembered_pass_all_the_same() {
    let key = key();
    let trusting = |limit| {
        let verifier = JwtVerifier::new(ISSUER, StaticKeys::new(&set([&key]))).remember(limit);
        Api::with(|guard| guard.verifier(verifier))
    };
    let tokens: Vec<String> = (0..40).map(|n| token(&key, json!({ "sub": format!("user-{n}") }))).collect();
    for limit in [0, 1, 3, 10_000] {
        let api = trusting(limit);
        for _ in 0..2 {
            for (n, token) in tokens.iter().enumerate() {
                let access = api.check(token, &Requirement::any()).await.unwrap();
                assert_eq!(access.user(), Some(format!("user-{n}").as_str()));
            }
        }
    }
}

#[tokio::test]
async fn a_forged_token_gets_no_place() {
    let (own, evil): (SigningKey, SigningKey) = (key(), key());
    let api = Api::trusting(&own);
    let forged = token(&evil, json!({}));
    for _ in 0..3 {
        assert_eq!(api.outcome(&forged).await, WRONG);
    }
}
