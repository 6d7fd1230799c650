//! Where a guard has its keys from: a set that rotates, that is not there, that is no set.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use grantor::jose::{Algorithm, JwkSet, Signer as _, SigningKey};
use grantor::keys::{JwtSigner, KeySchedule, Keys, MemoryKeyStore};
use grantor::outbound::{ChosenBy, Outbound, OutboundError, OutboundRequest, OutboundResponse};
use grantor::resource::{FetchedKeys, FileKeys, KeySource, TokenVerifier, TrustedKeys};
use grantor::{
    Access, AccessTokens, BackendError, Clock as _, Reason, Refusal, Resource, ResourceId, async_trait,
};
use serde_json::json;

use crate::support::guarded::{API, Api, jwks_json, key, set, token};
use crate::support::{Fixture, TestClock};

const JWKS: &str = "https://as.example/jwks";

/// An issuer whose answer can be changed.
#[derive(Clone, Default)]
struct Issuer {
    answer: Arc<Mutex<Option<OutboundResponse>>>,
    calls: Arc<AtomicUsize>,
    hangs: Arc<Mutex<bool>>,
}

impl Issuer {
    fn publishing(keys: &JwkSet) -> Self {
        let issuer = Self::default();
        issuer.answers(OutboundResponse::new(200, jwks_json(keys)));
        issuer
    }

    fn answers(&self, answer: OutboundResponse) {
        *self.answer.lock().unwrap() = Some(answer);
    }

    fn vanishes(&self) {
        *self.answer.lock().unwrap() = None;
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    fn hang(&self, hangs: bool) {
        *self.hangs.lock().unwrap() = hangs;
    }
}

#[async_trait]
impl Outbound for Issuer {
    async fn send(&self, request: &OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        assert_eq!((request.url(), request.form()), (JWKS, None));
        assert_eq!((request.chosen_by(), request.max_bytes()), (ChosenBy::Host, JwkSet::MAX_BYTES));
        self.calls.fetch_add(1, Ordering::SeqCst);
        let hangs = *self.hangs.lock().unwrap();
        tokio::task::yield_now().await;
        if hangs {
            std::future::pending::<()>().await;
        }
        self.answer.lock().unwrap().clone().ok_or(OutboundError::Unreachable)
    }
}

fn fetching(issuer: &Issuer) -> Api {
    Api::by(FetchedKeys::new(JWKS, issuer.clone()))
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A good token at the guard's own time.
fn now(api: &Api, key: &SigningKey) -> String {
    let at = api.clock.now().timestamp();
    token(key, json!({ "iat": at, "exp": at + 600 }))
}

#[tokio::test]
async fn a_set_is_fetched_once_for_as_long_as_it_says() {
    let key = key();
    let issuer = Issuer::publishing(&set([&key]));
    issuer
        .answers(OutboundResponse::new(200, jwks_json(&set([&key]))).header("cache-control", "max-age=120"));
    let api = fetching(&issuer);
    assert_eq!(issuer.calls(), 0);
    for (wait, calls) in [(0, 1), (119, 1), (1, 2), (119, 2)] {
        api.clock.advance(seconds(wait));
        assert_eq!(api.outcome(&now(&api, &key)).await, (200, None));
        assert_eq!(issuer.calls(), calls, "after {wait} more seconds");
    }
}

#[tokio::test]
async fn how_long_a_set_is_kept_has_bounds() {
    let key = key();
    for (says, shortest, longest) in [(Some(0), 29, 30), (Some(u64::MAX), 3599, 3600), (None, 299, 300)] {
        let mut answer = OutboundResponse::new(200, jwks_json(&set([&key])));
        if let Some(seconds) = says {
            answer = answer.header("cache-control", &format!("max-age={seconds}"));
        }
        let issuer = Issuer::default();
        issuer.answers(answer);
        let api = fetching(&issuer);
        assert_eq!(api.outcome(&now(&api, &key)).await.0, 200);
        api.clock.advance(seconds(shortest));
        assert_eq!((api.outcome(&now(&api, &key)).await.0, issuer.calls()), (200, 1), "{says:?}");
        api.clock.advance(seconds(longest - shortest));
        assert_eq!((api.outcome(&now(&api, &key)).await.0, issuer.calls()), (200, 2), "{says:?}");
    }
}

#[tokio::test]
async fn ft_17_made_up_keys_delay_a_new_one_by_five_seconds_at_most() {
    let (old, new, stranger) = (key(), key(), key());
    let issuer = Issuer::publishing(&set([&old]));
    let api = fetching(&issuer);
    assert_eq!(api.outcome(&now(&api, &old)).await.0, 200);
    for _ in 0..100 {
        assert_eq!(api.outcome(&now(&api, &stranger)).await.0, 401);
    }
    assert_eq!(issuer.calls(), 1, "it was fetched just now");
    api.clock.advance(seconds(5));
    issuer.answers(OutboundResponse::new(200, jwks_json(&set([&old, &new]))));
    assert_eq!(api.outcome(&now(&api, &new)).await, (200, None), "the new key is fetched");
    assert_eq!(issuer.calls(), 2);
    for _ in 0..100 {
        let outcome = api.outcome(&now(&api, &stranger)).await;
        assert_eq!(outcome, (401, Some(Reason::TokenSignatureWrong)));
    }
    api.clock.advance(seconds(4));
    assert_eq!(api.outcome(&now(&api, &stranger)).await.0, 401);
    assert_eq!(issuer.calls(), 2);
    api.clock.advance(seconds(1));
    assert_eq!(api.outcome(&now(&api, &stranger)).await.0, 401);
    assert_eq!(issuer.calls(), 3);
}

#[tokio::test]
async fn a_token_that_names_no_key_finds_a_new_one_too() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let (old, new) = (key(), key());
    let issuer = Issuer::publishing(&set([&old]));
    let api = fetching(&issuer);
    assert_eq!(api.outcome(&now(&api, &old)).await.0, 200);
    issuer.answers(OutboundResponse::new(200, jwks_json(&set([&new]))));
    api.clock.advance(seconds(30));
    let named = now(&api, &new);
    let payload = named.split('.').nth(1).unwrap();
    let message = format!("{}.{payload}", URL_SAFE_NO_PAD.encode(r#"{"alg":"EdDSA","typ":"at+jwt"}"#));
    let signature = new.sign_now(message.as_bytes()).unwrap().unwrap();
    let nameless = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
    assert_eq!(api.outcome(&nameless).await, (200, None));
}

#[tokio::test]
async fn an_unreachable_issuer_is_503_until_it_is_back() {
    let key = key();
    let issuer = Issuer::default();
    let api = fetching(&issuer);
    let refused = api.check(&now(&api, &key), &grantor::resource::Requirement::any()).await.unwrap_err();
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert_eq!(refused.header("www-authenticate"), None);
    issuer.answers(OutboundResponse::new(200, jwks_json(&set([&key]))));
    assert_eq!(api.outcome(&now(&api, &key)).await, (503, Some(Reason::IssuerUnavailable)), "not at once");
    assert_eq!(issuer.calls(), 1);
    api.clock.advance(seconds(5));
    assert_eq!(api.outcome(&now(&api, &key)).await, (200, None));
}

#[tokio::test]
async fn the_last_set_bridges_an_outage_but_not_for_ever() {
    let (key, stranger) = (key(), key());
    let issuer = Issuer::publishing(&set([&key]));
    let api = fetching(&issuer);
    assert_eq!(api.outcome(&now(&api, &key)).await.0, 200);
    issuer.vanishes();
    api.clock.advance(seconds(300 + 3599));
    assert_eq!(api.outcome(&now(&api, &key)).await, (200, None));
    let unknown = api.outcome(&now(&api, &stranger)).await;
    assert_eq!(unknown, (503, Some(Reason::IssuerUnavailable)), "it may be a new key");
    api.clock.advance(seconds(1));
    assert_eq!(api.outcome(&now(&api, &key)).await, (503, Some(Reason::IssuerUnavailable)));

    let issuer = Issuer::publishing(&set([&key]));
    let strict = Api::by(FetchedKeys::new(JWKS, issuer.clone()).stale_for(Duration::ZERO));
    assert_eq!(strict.outcome(&now(&strict, &key)).await.0, 200);
    issuer.vanishes();
    strict.clock.advance(seconds(300));
    assert_eq!(strict.outcome(&now(&strict, &key)).await.0, 503);
}

#[tokio::test]
async fn what_is_no_key_set_is_503_and_never_acceptance() {
    let key = key();
    let good = jwks_json(&set([&key]));
    let huge = [good.as_slice(), &vec![b' '; JwkSet::MAX_BYTES]].concat();
    let jwk = serde_json::to_value(key.key()).unwrap();
    let many = serde_json::to_vec(&json!({ "keys": vec![jwk; JwkSet::MAX_KEYS + 1] })).unwrap();
    for answer in [
        OutboundResponse::new(200, huge),
        OutboundResponse::new(200, many),
        OutboundResponse::new(200, b"<html>sign in to the network</html>".as_slice()),
        OutboundResponse::new(200, b"".as_slice()),
        OutboundResponse::new(200, b"{}".as_slice()),
        OutboundResponse::new(200, b"\xff\xfe".as_slice()),
        OutboundResponse::new(500, good.clone()),
        OutboundResponse::new(404, good.clone()),
        OutboundResponse::new(302, good.clone()),
    ] {
        let issuer = Issuer::default();
        issuer.answers(answer);
        let api = fetching(&issuer);
        assert_eq!(api.outcome(&now(&api, &key)).await, (503, Some(Reason::IssuerUnavailable)));
    }
}

#[tokio::test]
async fn an_empty_set_trusts_nobody_and_a_mixed_one_only_what_it_can() {
    let (good, weak) = (key(), key());
    let issuer = Issuer::default();
    issuer.answers(OutboundResponse::new(200, br#"{"keys":[]}"#.as_slice()));
    let api = fetching(&issuer);
    assert_eq!(api.outcome(&now(&api, &good)).await, (401, Some(Reason::TokenSignatureWrong)));

    let mut published = serde_json::to_value(weak.key()).unwrap();
    published["d"] = json!("c2VjcmV0");
    let mixed = json!({ "keys": [
        { "kty": "oct", "k": "c2VjcmV0", "alg": "HS256" }, { "kty": "EC", "crv": "P-521" }, 7, null,
        published, serde_json::to_value(good.key()).unwrap(),
    ] });
    issuer.answers(OutboundResponse::new(200, serde_json::to_vec(&mixed).unwrap()));
    api.clock.advance(seconds(300));
    assert_eq!(api.outcome(&now(&api, &good)).await, (200, None));
    assert_eq!(api.outcome(&now(&api, &weak)).await.0, 401, "its private part is out");
}

#[tokio::test]
async fn a_key_that_is_withdrawn_is_not_trusted_when_its_set_is_over() {
    let (old, new) = (key(), key());
    let issuer = Issuer::publishing(&set([&old]));
    let api = fetching(&issuer);
    assert_eq!(api.outcome(&now(&api, &old)).await.0, 200);
    issuer.answers(OutboundResponse::new(200, jwks_json(&set([&new]))));
    api.clock.advance(seconds(300));
    assert_eq!(api.outcome(&now(&api, &old)).await, (401, Some(Reason::TokenSignatureWrong)));
}

#[tokio::test]
async fn many_requests_at_once_fetch_once() {
    let key = key();
    let issuer = Issuer::publishing(&set([&key]));
    let api = Arc::new(fetching(&issuer));
    let checks = (0..64).map(|_| {
        let (api, token) = (api.clone(), now(&api, &key));
        tokio::spawn(async move { api.outcome(&token).await.0 })
    });
    for check in checks.collect::<Vec<_>>() {
        assert_eq!(check.await.unwrap(), 200);
    }
    assert_eq!(issuer.calls(), 1);
}

#[tokio::test]
async fn whoever_hangs_up_while_fetching_leaves_nobody_waiting() {
    let key = key();
    let issuer = Issuer::publishing(&set([&key]));
    let keys = Arc::new(FetchedKeys::new(JWKS, issuer.clone()));
    let at = TestClock::default().now();
    issuer.hang(true);
    let hung = tokio::spawn({
        let keys = keys.clone();
        async move { keys.keys(false, at).await.map(drop) }
    });
    while issuer.calls() == 0 {
        tokio::task::yield_now().await;
    }
    let waits = tokio::spawn({
        let keys = keys.clone();
        async move { keys.keys(false, at).await.map(|keys| keys.as_slice().len()) }
    });
    tokio::task::yield_now().await;
    issuer.hang(false);
    hung.abort();
    assert_eq!(waits.await.unwrap().unwrap(), 1);
    // Where there are keys already, a caller that goes away does not cause fetch after fetch.
    for _ in 0..10 {
        let asked = keys.keys(true, at + seconds(30));
        let _ = tokio::time::timeout(Duration::ZERO, asked).await;
    }
    assert_eq!(issuer.calls(), 3);
}

#[tokio::test]
async fn a_verifier_that_hangs_is_503() {
    struct Hangs;
    #[async_trait]
    impl TokenVerifier for Hangs {
        async fn verify(
            &self,
            _: &str,
            _: &ResourceId,
            _: chrono::DateTime<chrono::Utc>,
        ) -> Result<Access, Refusal> {
            std::future::pending().await
        }
    }
    let api = Api::with(|b| b.verifier(Hangs).deadline(Duration::from_millis(1)));
    assert_eq!(api.outcome("token").await, (503, Some(Reason::StoreUnavailable)));
    // One that knows the token makes up for one that hangs.
    let key = key();
    let keys = grantor::resource::StaticKeys::new(&set([&key]));
    let api = Api::with(|b| {
        b.verifier(Hangs).jwks(crate::support::ISSUER, keys).deadline(Duration::from_millis(1))
    });
    assert_eq!(api.outcome(&now(&api, &key)).await, (200, None));
    assert_eq!(api.outcome("a.b.c").await.0, 503, "it might be known to the one that hangs");
}

#[tokio::test]
async fn a_file_is_read_again_when_it_changes() {
    let (old, new) = (key(), key());
    let path = std::env::temp_dir().join(format!("grantor-guard-{}.jwks", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let api = Api::by(FileKeys::new(&path));
    assert_eq!(api.outcome(&now(&api, &old)).await, (503, Some(Reason::IssuerUnavailable)), "no file yet");
    std::fs::write(&path, jwks_json(&set([&old]))).unwrap();
    assert_eq!(api.outcome(&now(&api, &old)).await, (200, None));
    std::fs::write(&path, jwks_json(&set([&new]))).unwrap();
    assert_eq!(api.outcome(&now(&api, &new)).await.0, 401, "looked at once a second");
    api.clock.advance(seconds(1));
    assert_eq!(api.outcome(&now(&api, &new)).await, (200, None));
    assert_eq!(api.outcome(&now(&api, &old)).await.0, 401);
    for broken in [b"{".to_vec(), vec![b' '; JwkSet::MAX_BYTES + 1]] {
        std::fs::write(&path, broken).unwrap();
        api.clock.advance(seconds(1));
        assert_eq!(api.outcome(&now(&api, &new)).await, (503, Some(Reason::IssuerUnavailable)));
    }
    std::fs::write(&path, jwks_json(&set([&new]))).unwrap();
    assert_eq!(api.outcome(&now(&api, &new)).await, (200, None));
    std::fs::remove_file(&path).unwrap();
}

/// The server's own key set, as it was some time ago.
struct Yesterday {
    keys: Mutex<TrustedKeys>,
}

#[async_trait]
impl KeySource for Yesterday {
    async fn keys(
        &self,
        unknown: bool,
        _: chrono::DateTime<chrono::Utc>,
    ) -> Result<TrustedKeys, BackendError> {
        assert!(!unknown, "a verifier with yesterday's set met a key that it does not know");
        Ok(self.keys.lock().unwrap().clone())
    }
}

#[tokio::test]
async fn keys_rotate_under_a_guard_that_cached_yesterdays_set() {
    let keys = Keys::rotating(MemoryKeyStore::new(), KeySchedule::default(), &[Algorithm::EdDsa]).unwrap();
    let fixture = Fixture::with(|builder| {
        let signer = JwtSigner::new(keys.clone()).unwrap();
        builder.token_signer(signer).access_tokens(AccessTokens::Jwt).resource(Resource::new(API))
    });
    let cached = Arc::new(Yesterday { keys: Mutex::default() });
    let api = Api::by(cached.clone());
    let published = async || TrustedKeys::parse(&fixture.server.jwks().await.body).unwrap();
    let mut yesterday = published().await;
    let mut kids = std::collections::BTreeSet::new();
    for _day in 0..730 {
        let token = fixture.token("robot", &[("grant_type", "client_credentials")]).await.access_token();
        kids.insert(grantor::jose::Jws::parse(&token).unwrap().kid().unwrap().to_owned());
        *cached.keys.lock().unwrap() = yesterday;
        assert_eq!(api.outcome(&token).await, (200, None));
        yesterday = published().await;
        for clock in [&fixture.clock, &api.clock] {
            clock.advance(seconds(24 * 60 * 60));
        }
    }
    assert!(kids.len() >= 8, "two years saw {} keys", kids.len());
}
