//! The keys of clients that authenticate by one: which count, where they come from, and what may be
//! registered.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use grantor::client::{ClientError, ClientJwts, ClientKeysError};
use grantor::error::AssertionFlaw;
use grantor::jose::{Algorithm, Signer as _, SigningKey};
use grantor::outbound::{ChosenBy, Outbound, OutboundError, OutboundRequest, OutboundResponse};
use grantor::{
    AuthMethod, Client, ClientMetadata, MemoryRegistry, MemoryStore, Reason, Registration, Request,
};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::support::asserting::{Asserting, KEYS_AT, by_assertion, claims, jwks, set_of, signing};
use crate::support::guarded::forged;
use crate::support::registering::{Registering, app_with};
use crate::support::{Answer, CALLBACK, Fixture, SECRET, code_query, encode, redemption};

fn refused() -> (u16, String) {
    (401, "invalid_client".to_owned())
}

fn flaw(server: &Asserting) -> Option<Reason> {
    server.fixture.log.last_reason()
}

#[tokio::test]
async fn each_algorithm_authenticates_and_both_names_of_ed25519_do() {
    for algorithm in Algorithm::ALL.iter().copied() {
        let key = SigningKey::generate(algorithm).unwrap();
        let client = signing("own").jwks(set_of(&key));
        let server = Asserting::with(|_| vec![client], |builder| builder);
        for (n, name) in algorithm.names().iter().enumerate() {
            let header = json!({ "alg": name, "kid": key.key().kid() }).to_string();
            let assertion =
                forged(&key, &header, &claims("own", json!({ "jti": n.to_string() })).to_string());
            assert_eq!(server.asks(&assertion).await.status(), 200, "{name}");
        }
    }
}

#[tokio::test]
async fn ca_38_a_registered_algorithm_is_the_only_one() {
    let [ec, rsa] = [Algorithm::Es256, Algorithm::Ps256].map(|a| SigningKey::generate(a).unwrap());
    let client = signing("own").jwks(jwks([ec.key(), rsa.key()])).auth_signing_alg("PS256");
    let server = Asserting::with(|_| vec![client], |builder| builder);
    let by = |key: &SigningKey, alg: &str| {
        forged(key, &json!({ "alg": alg }).to_string(), &claims("own", json!({})).to_string())
    };
    assert_eq!(server.asks(&by(&ec, "ES256")).await.error(), refused());
    assert_eq!(flaw(&server), Some(Reason::ClientAssertion(AssertionFlaw::AlgorithmRefused)));
    assert_eq!(server.asks(&by(&rsa, "PS256")).await.status(), 200);
}

#[tokio::test]
async fn ca_22_of_two_keys_of_one_name_the_one_of_the_algorithm_counts() {
    let [ec, ed] =
        [Algorithm::Es256, Algorithm::EdDsa].map(|a| SigningKey::generate(a).unwrap().with_kid("same"));
    let client = signing("own").jwks(jwks([ed.key(), ec.key()]));
    let server = Asserting::with(|_| vec![client], |builder| builder);
    for (n, (key, alg)) in [(&ec, "ES256"), (&ed, "EdDSA")].into_iter().enumerate() {
        let header = json!({ "alg": alg, "kid": "same" }).to_string();
        let assertion = forged(key, &header, &claims("own", json!({ "jti": n.to_string() })).to_string());
        assert_eq!(server.asks(&assertion).await.status(), 200, "{alg}");
    }
}

#[tokio::test]
async fn ca_34_without_a_kid_every_fitting_key_is_tried_and_no_other() {
    let keys: Vec<SigningKey> = (0..3).map(|_| SigningKey::generate(Algorithm::Es256).unwrap()).collect();
    let spoilt = |member: &str, value: Value| {
        let mut set = set_of(&keys[0]);
        set["keys"][0][member] = value;
        set
    };
    let clients = vec![
        signing("three").jwks(jwks(keys.iter().map(|key| key.key()))),
        signing("enc").jwks(spoilt("use", json!("enc"))),
        signing("alg").jwks(spoilt("alg", json!("ES384"))),
        signing("ops").jwks(spoilt("key_ops", json!(["encrypt"]))),
    ];
    let server = Asserting::with(|_| clients, |builder| builder);
    for (client, key, status) in [("three", 2, 200), ("enc", 0, 401), ("alg", 0, 401), ("ops", 0, 401)] {
        let assertion = forged(&keys[key], r#"{"alg":"ES256"}"#, &claims(client, json!({})).to_string());
        assert_eq!(server.asks(&assertion).await.status(), status, "{client}");
    }
}

#[tokio::test]
async fn ca_32_keys_at_an_address_are_fetched_once_and_an_unknown_kid_asks_again_at_most_twice_a_minute() {
    let server = Asserting::new();
    let by = |key: &SigningKey, jti: &str| {
        let header = json!({ "alg": "ES256", "kid": key.key().kid() }).to_string();
        let changes = json!({ "jti": jti, "iat": server.fixture.clock_seconds(), "exp": server.fixture.clock_seconds() + 60 });
        forged(key, &header, &claims("far", changes).to_string())
    };
    for n in 0..5 {
        assert_eq!(server.asks(&by(&server.key, &n.to_string())).await.status(), 200);
    }
    assert_eq!(server.remote.asked(), 1);
    let new = SigningKey::generate(Algorithm::Es256).unwrap();
    for n in 0..1_000 {
        assert_eq!(server.asks(&by(&new, &format!("u{n}"))).await.error(), refused());
    }
    assert!(server.remote.asked() <= 2, "{}", server.remote.asked());
    server.remote.publish(&set_of(&new));
    server.fixture.clock.advance(Duration::from_secs(60));
    assert_eq!(server.asks(&by(&new, "rotated")).await.status(), 200);
}

#[tokio::test]
async fn ca_33_an_address_that_does_not_answer_is_no_verdict_on_the_client() {
    let server = Asserting::new();
    let by = |jti: &str| {
        let now = server.fixture.clock_seconds();
        let changes = json!({ "jti": jti, "iat": now, "exp": now + 60 });
        forged(&server.key, r#"{"alg":"ES256"}"#, &claims("far", changes).to_string())
    };
    server.remote.go_down();
    let away = server.asks(&by("1")).await;
    assert_eq!(away.error(), (503, "temporarily_unavailable".to_owned()));
    assert!(away.0.header("retry-after").is_some());
    assert_eq!(flaw(&server), Some(Reason::ClientKeysUnavailable));
    server.remote.publish(&set_of(&server.key));
    server.fixture.clock.advance(Duration::from_secs(6));
    assert_eq!(server.asks(&by("1")).await.status(), 200, "and it was not spent");
    server.remote.go_down();
    server.fixture.clock.advance(Duration::from_secs(30 * 60));
    assert_eq!(server.asks(&by("2")).await.status(), 200, "what was fetched serves on");
}

#[tokio::test]
async fn ca_21_a_weak_key_is_neither_registered_nor_used() {
    let weak = json!({ "keys": [{ "kty": "RSA", "e": "AQAB", "n": "w8PD".repeat(42) + "w8M" }] });
    let built = signing("weak").jwks(weak.clone()).build().unwrap_err();
    assert_eq!(built.all(), [ClientError::Keys(ClientKeysError::Weak)]);
    let server = Asserting::new();
    server.remote.publish(&weak);
    let header = r#"{"alg":"RS256"}"#;
    let key = SigningKey::generate(Algorithm::Rs256).unwrap();
    let assertion = forged(&key, header, &claims("far", json!({})).to_string());
    assert_eq!(server.asks(&assertion).await.error(), refused());
}

#[tokio::test]
async fn ca_35_private_and_symmetric_keys_are_refused_and_a_published_one_is_skipped() {
    let mut private = set_of(&SigningKey::generate(Algorithm::Es256).unwrap());
    private["keys"][0]["d"] = json!("AAAA");
    for set in [private.clone(), json!({ "keys": [{ "kty": "oct", "k": "AAAA" }] })] {
        let built = signing("x").jwks(set).build().unwrap_err();
        assert_eq!(built.all(), [ClientError::Keys(ClientKeysError::Private)]);
    }
    let server = Asserting::new();
    let mut published = set_of(&server.key);
    published["keys"][0]["d"] = json!("AAAA");
    server.remote.publish(&published);
    let assertion = forged(&server.key, r#"{"alg":"ES256"}"#, &claims("far", json!({})).to_string());
    assert_eq!(server.asks(&assertion).await.error(), refused());
}

#[test]
fn what_a_client_with_keys_registers_fits_together() {
    let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let errors = |client: grantor::ClientBuilder| client.build().unwrap_err().all().to_vec();
    assert_eq!(errors(signing("x")), [ClientError::KeysMissing]);
    assert_eq!(errors(signing("x").jwks(set_of(&key)).secret(SECRET)), [ClientError::KeysAndSecret]);
    let twice = signing("x").jwks(set_of(&key)).jwks_uri(KEYS_AT);
    assert_eq!(errors(twice), [ClientError::Keys(ClientKeysError::Twice)]);
    for uri in ["http://a.example/k", "https://u@a.example/k", "https://a.example/k#x", "/k", "file:///k"] {
        assert_eq!(errors(signing("x").jwks_uri(uri)), [ClientError::Keys(ClientKeysError::Uri)], "{uri}");
    }
    for set in [json!({}), json!({ "keys": [] }), json!({ "keys": ["x"] }), json!([])] {
        assert_eq!(errors(signing("x").jwks(set)), [ClientError::Keys(ClientKeysError::Malformed)]);
    }
    for alg in ["none", "HS256", "ES384", ""] {
        assert_eq!(
            errors(signing("x").jwks(set_of(&key)).auth_signing_alg(alg)),
            [ClientError::SigningAlgorithm]
        );
    }
    let client = signing("x").jwks(set_of(&key)).auth_signing_alg("Ed25519").build().unwrap();
    assert!(client.is_confidential());
    let again = Client::decode(&client.encode()).unwrap();
    assert_eq!((&again, again.keys()), (&client, client.keys()));
    let metadata: ClientMetadata = serde_json::from_value(json!({
        "redirect_uris": ["https://app.example/cb"], "token_endpoint_auth_method": "private_key_jwt", "jwks": set_of(&key),
    }))
    .unwrap();
    let client = Client::builder("y").metadata(metadata).build().unwrap();
    assert_eq!(client.auth_method(), AuthMethod::PrivateKeyJwt);
}

#[tokio::test]
async fn a_jwks_uri_that_no_fetch_reaches_is_not_registered() {
    let server = Registering::configured(Registration::open(), |builder| {
        let remote = Pages(Arc::new(Vec::new()));
        builder.client_signatures(ClientJwts::over(remote)).replay_guard(Arc::new(MemoryStore::new()))
    });
    let keys_at = |uri: &str| json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": uri });
    for uri in ["https://127.1/k", "https://0x7f.1/k", "https://a..example/k", "https://a.example:70000/k"] {
        let refused = server.refusal(keys_at(uri)).await;
        assert_eq!(refused, (400, "invalid_client_metadata".to_owned()), "{uri}");
    }
    for uri in [KEYS_AT, "https://[2001:db8::1]:8443/k", "https://192.0.2.1/k"] {
        assert_eq!(server.post(&app_with(keys_at(uri))).await.status(), 201, "{uri}");
    }
}

#[tokio::test]
async fn d_29_both_names_of_ed25519_stand_in_the_metadata_and_either_may_be_registered() {
    let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let client = signing("own").jwks(set_of(&key)).auth_signing_alg("Ed25519");
    let server = Asserting::with(
        |_| vec![client, signing("more").jwks(set_of(&key)).auth_signing_alg("EdDSA")],
        |b| b,
    );
    let metadata: Value = serde_json::from_slice(&server.fixture.server.metadata().body).unwrap();
    let listed = metadata["token_endpoint_auth_signing_alg_values_supported"].as_array().unwrap();
    for client in ["own", "more"] {
        for name in ["EdDSA", "Ed25519"] {
            assert!(listed.contains(&json!(name)));
            let header = json!({ "alg": name }).to_string();
            let changes = json!({ "jti": format!("{client} {name}") });
            let assertion = forged(&key, &header, &claims(client, changes).to_string());
            assert_eq!(server.asks(&assertion).await.status(), 200, "{client} {name}");
        }
    }
}

/// What is published at https URLs.
#[derive(Clone)]
struct Pages(Arc<Vec<(&'static str, Value)>>);

#[grantor::async_trait]
impl Outbound for Pages {
    async fn send(&self, request: &OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        let page = self.0.iter().find(|(url, _)| *url == request.url()).ok_or(OutboundError::Unreachable)?;
        Ok(OutboundResponse::new(200, page.1.to_string()).header("content-type", "application/json"))
    }
}

/// The document of a client with this id, with these further members.
fn keyed_document(id: &str, more: Value) -> Value {
    let mut document = json!({
        "client_id": id, "client_name": "App", "redirect_uris": [CALLBACK],
        "token_endpoint_auth_method": "private_key_jwt",
    });
    document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    document
}

#[tokio::test]
async fn ca_42_a_document_with_keys_makes_a_confidential_client() {
    const BY_VALUE: &str = "https://value.example/client.json";
    const BY_ADDRESS: &str = "https://address.example/client.json";
    const SHARED: &str = "https://shared.example/client.json";
    const NO_KEYS: &str = "https://none.example/client.json";
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let pages = Pages(Arc::new(vec![
        (BY_VALUE, keyed_document(BY_VALUE, json!({ "jwks": set_of(&key) }))),
        (BY_ADDRESS, keyed_document(BY_ADDRESS, json!({ "jwks_uri": KEYS_AT }))),
        (SHARED, keyed_document(SHARED, json!({ "token_endpoint_auth_method": "client_secret_jwt" }))),
        (NO_KEYS, keyed_document(NO_KEYS, json!({}))),
        (KEYS_AT, set_of(&key)),
    ]));
    let store = Arc::new(MemoryStore::new());
    let fixture = Fixture::on(store.clone(), store.clone(), |builder| {
        let builder = builder.client_id_metadata_documents(pages.clone());
        builder.replay_guard(store).client_signatures(ClientJwts::over(pages.clone()))
    });
    for id in [BY_VALUE, BY_ADDRESS] {
        let code = fixture.code(id, "read").await;
        let named = Request::post_form(encode(&[&redemption(&code)[..], &[("client_id", id)]].concat()));
        assert_eq!(
            Answer(fixture.server.token(&named).await).error(),
            refused(),
            "{id} without an assertion"
        );
        let assertion = forged(&key, r#"{"alg":"ES256"}"#, &claims(id, json!({})).to_string());
        let answer = Answer(fixture.server.token(&by_assertion(&assertion, &redemption(&code))).await);
        assert_eq!(answer.status(), 200, "{id}: {}", answer.json());
    }
    for id in [SHARED, NO_KEYS] {
        let asked = fixture.server.authorize(&Request::get(encode(&code_query(id, "read")))).await;
        assert_eq!(asked.err().map(|page| page.code()), Some("invalid_client"), "{id}");
    }
}

/// Any number of hosts, each with a client document `/id` and the key set `/keys`. Those of the hosts `slow…`
/// wait until they are let go.
#[derive(Clone)]
struct Hosts {
    keys: Value,
    held: Arc<AtomicUsize>,
    gate: Arc<Semaphore>,
    /// Who chose the key sets that were fetched.
    chosen_by: Arc<Mutex<BTreeMap<String, ChosenBy>>>,
}

#[grantor::async_trait]
impl Outbound for Hosts {
    async fn send(&self, request: &OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        let url = request.url();
        let body = match url.strip_suffix("/id") {
            Some(host) => keyed_document(url, json!({ "jwks_uri": format!("{host}/keys") })),
            None => {
                self.chosen_by.lock().unwrap().insert(url.to_owned(), request.chosen_by());
                self.keys.clone()
            }
        };
        if url.starts_with("https://slow") && url.ends_with("/keys") {
            self.held.fetch_add(1, Ordering::SeqCst);
            let _turn = self.gate.acquire().await.unwrap();
        }
        Ok(OutboundResponse::new(200, body.to_string()).header("content-type", "application/json"))
    }
}

#[tokio::test]
async fn ca_33_slow_keys_of_strangers_stop_no_client_that_the_host_knows() {
    const STRANGER: &str = "https://app.example/id";
    const OWNED_KEYS: &str = "https://owned.example/keys";
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let gate = Arc::new(Semaphore::new(0));
    let hosts = Hosts {
        keys: set_of(&key),
        held: Arc::default(),
        gate: Arc::clone(&gate),
        chosen_by: Arc::default(),
    };
    let store = Arc::new(MemoryStore::new());
    let registry = MemoryRegistry::new([
        signing("far").jwks_uri(KEYS_AT).build().unwrap(),
        signing("owned").jwks_uri(OWNED_KEYS).owner("a developer").build().unwrap(),
    ]);
    let fixture = Fixture::on(store.clone(), store.clone(), |builder| {
        let builder = builder.clients(registry).client_id_metadata_documents(hosts.clone());
        let builder = builder.replay_guard(store).client_signatures(ClientJwts::over(hosts.clone()));
        builder.device_verification("/device")
    });
    let asks = |id: &str| {
        let assertion = forged(&key, r#"{"alg":"ES256"}"#, &claims(id, json!({})).to_string());
        let request = by_assertion(&assertion, &[("grant_type", "client_credentials")]);
        let server = fixture.server.clone();
        async move { Answer(server.token(&request).await) }
    };
    let slow = (0..16).map(|n| asks(&format!("https://slow{n}.example/id")));
    let slow = tokio::spawn(join_all(slow.collect::<Vec<_>>()));
    while hosts.held.load(Ordering::SeqCst) < 16 {
        tokio::task::yield_now().await;
    }
    assert_eq!(asks(STRANGER).await.error(), (503, "temporarily_unavailable".to_owned()));
    for known in ["far", "owned"] {
        assert_eq!(asks(known).await.status(), 200, "the keys of {known} have their own turns");
    }
    gate.add_permits(16);
    slow.await.unwrap();
    let answer = asks(STRANGER).await;
    assert_eq!(
        answer.error(),
        (400, "unauthorized_client".to_owned()),
        "no pause follows what was not fetched"
    );
    let chosen_by = hosts.chosen_by.lock().unwrap();
    let of = |url: &str| chosen_by[url];
    assert_eq!([of(KEYS_AT), of(OWNED_KEYS)], [ChosenBy::Host, ChosenBy::Developer]);
    assert_eq!(of("https://slow0.example/keys"), ChosenBy::Client);
}
