//! Clients that are refused: the answer and the work are the same, whatever the reason, and the same rules
//! hold at every endpoint.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use grantor::client::{ClaimsMissing, ClientJwts, ClientSignatures, SignedText, SlowHash, X509Certificates};
use grantor::http::Certificate;
use grantor::jose::{Algorithm, SigningKey};
use grantor::registration::{Allowance, Applicant, RegistrationPolicy, Review};
use grantor::server::AuthorizationServerBuilder;
use grantor::{
    AuthMethod, BackendError, ClientId, ClientState, Clock, GrantType, MemoryStore, Profile, Registration,
    Request, SecretText, async_trait,
};
use serde_json::{Map, Value, json};

use crate::support::asserting::{Asserting, by_assertion, claims, set_of, signing};
use crate::support::certificates::{Authority, Identity, named};
use crate::support::guarded::forged;
use crate::support::proving::dpop;
use crate::support::pushing::asking;
use crate::support::registering::{Registering, app_with};
use crate::support::{Answer, ISSUER, TestClock, VERIFIER, basic, encode, request};

const ROBOT: [(&str, &str); 1] = [("grant_type", "client_credentials")];
const HOUR: i64 = 60 * 60;

/// Counts the signatures and the slow hashes that a server asks for.
#[derive(Clone, Debug, Default)]
struct Work {
    jwts: Arc<ClientJwts>,
    questions: Arc<AtomicUsize>,
}

#[async_trait]
impl ClientSignatures for Work {
    async fn verify(
        &self,
        signed: &SignedText<'_>,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Result<Map<String, Value>, ClaimsMissing> {
        self.questions.fetch_add(1, Ordering::SeqCst);
        self.jwts.verify(signed, now).await
    }

    fn algorithms(&self) -> Vec<&'static str> {
        ClientSignatures::algorithms(&*self.jwts)
    }

    fn fetches(&self) -> bool {
        self.jwts.fetches()
    }
}

#[async_trait]
impl SlowHash for Work {
    async fn verify(&self, _phc: &str, _presented: &SecretText) -> Option<bool> {
        self.questions.fetch_add(1, Ordering::SeqCst);
        Some(false)
    }
}

/// Registrations run out after an hour.
struct ForAnHour;

#[async_trait]
impl RegistrationPolicy for ForAnHour {
    async fn review(&self, _: &Applicant<'_>) -> Result<Review, BackendError> {
        let end = chrono::DateTime::from_timestamp(TestClock::START + HOUR, 0).unwrap();
        Ok(Review::Allow(Allowance::all().expires(end)))
    }
}

/// All that a client is sent, and what was asked about its evidence.
type Seen = (u16, Vec<(&'static str, String)>, Vec<u8>, usize);

/// The answers to a disabled, a deleted, an unknown and an expired client with good evidence, and to a client
/// with bad evidence.
async fn refusals(metadata: Value, request: impl Fn(&str, &Value, bool, i64) -> Request) -> [Seen; 5] {
    let work = Work::default();
    let terms = Registration::by_policy(ForAnHour).grant_types([GrantType::ClientCredentials]);
    let server = Registering::configured(terms, |builder| {
        let builder = builder.client_signatures(work.clone()).slow_hash(work.clone());
        builder.replay_guard(MemoryStore::new())
    });
    let [disabled, deleted, live] = [
        server.registered(&metadata).await,
        server.registered(&metadata).await,
        server.registered(&metadata).await,
    ];
    let host = &server.fixture.server;
    assert!(host.set_client_state(&ClientId::new(disabled.id()), ClientState::Disabled).await.unwrap());
    host.delete_client(&ClientId::new(deleted.id())).await.unwrap();
    let ask = async |id: &str, own: &Value, is_good: bool| {
        let now = server.fixture.clock.now().timestamp();
        let before = work.questions.load(Ordering::SeqCst);
        let answer = host.token(&request(id, own, is_good, now)).await;
        let headers = answer.headers.iter().map(|(name, value)| (*name, value.to_string())).collect();
        (answer.status, headers, answer.body, work.questions.load(Ordering::SeqCst) - before)
    };
    assert_eq!(ask(live.id(), &live.0, true).await.0, 200, "the evidence is good");
    let [bad, disabled, deleted, unknown] = [
        ask(live.id(), &live.0, false).await,
        ask(disabled.id(), &disabled.0, true).await,
        ask(deleted.id(), &deleted.0, true).await,
        ask("nobody", &live.0, true).await,
    ];
    server.fixture.clock.advance(Duration::from_secs(HOUR.unsigned_abs()));
    let expired = ask(live.id(), &live.0, true).await;
    [bad, disabled, deleted, unknown, expired]
}

#[tokio::test]
async fn ca_41_who_cannot_be_the_client_is_told_the_same_and_costs_the_same() {
    let [key, other] = [(); 2].map(|()| SigningKey::generate(Algorithm::Es256).unwrap());
    let signing = app_with(json!({
        "grant_types": ["client_credentials"], "redirect_uris": [],
        "token_endpoint_auth_method": "private_key_jwt", "jwks": set_of(&key),
    }));
    let signed = refusals(signing, |id, _, is_good, now| {
        let times = json!({ "jti": format!("{id}, {now}"), "iat": now, "exp": now + 60 });
        let by = if is_good { &key } else { &other };
        by_assertion(&forged(by, r#"{"alg":"ES256"}"#, &claims(id, times).to_string()), &ROBOT)
    });
    let shared = app_with(json!({ "grant_types": ["client_credentials"], "redirect_uris": [] }));
    let secret = refusals(shared, |id, own, is_good, _| {
        let own = own["client_secret"].as_str().unwrap();
        let secret = if is_good { own } else { VERIFIER };
        Request::post_form("grant_type=client_credentials").header("authorization", basic(id, secret))
    });
    for (what, questions, refusals) in [("a signature", 1, signed.await), ("a secret", 0, secret.await)] {
        let [first, others @ ..] = refusals;
        assert_eq!((first.0, first.3), (401, questions), "{what}");
        assert!(String::from_utf8_lossy(&first.2).contains("\"invalid_client\""), "{what}");
        for (other, why) in others.into_iter().zip(["disabled", "deleted", "unknown", "expired"]) {
            assert_eq!(other, first, "{what}, {why}");
        }
    }
}

#[tokio::test]
async fn ca_31_an_assertion_is_for_the_issuer_at_every_endpoint_and_used_at_one() {
    let server = Asserting::new();
    let own = &server.fixture.server;
    let push = asking("pkj");
    let asks = async |endpoint: &str, assertion: &str| {
        let form = |form: &[(&str, &str)]| by_assertion(assertion, form);
        Answer(match endpoint {
            "/token" => own.token(&form(&ROBOT)).await,
            "/par" => own.pushed_authorization_request(&form(&push)).await,
            "/revoke" => own.revoke(&form(&[("token", "nothing")])).await,
            "/introspect" => own.introspect(&form(&[("token", "nothing")])).await,
            "/device_authorization" => own.device_authorization(&form(&[])).await,
            other => panic!("{other} is no endpoint"),
        })
    };
    let endpoints = ["/token", "/par", "/revoke", "/introspect", "/device_authorization"];
    for endpoint in endpoints {
        let mine = format!("{ISSUER}{endpoint}");
        let for_endpoint = server.assertion(json!({ "jti": endpoint, "aud": mine }));
        let refused = asks(endpoint, &for_endpoint).await;
        assert_eq!(refused.error(), (401, "invalid_client".to_owned()), "{endpoint} is no audience");
        let assertion = server.assertion(json!({ "jti": endpoint }));
        let first = asks(endpoint, &assertion).await;
        assert!([200, 201].contains(&first.status()), "{endpoint}: {}", first.status());
        for other in endpoints {
            let again = asks(other, &assertion).await;
            assert_eq!(again.error(), (401, "invalid_client".to_owned()), "{endpoint}, then {other}");
            assert_eq!(again.0.body, refused.0.body, "{endpoint}, then {other}");
        }
    }
}

#[tokio::test]
async fn ca_28_the_metadata_list_exactly_the_methods_by_which_a_client_can_succeed() {
    let (issued, own) = (Authority::new("clients").issue(&named("pki")), Identity::self_signed("own"));
    let certified = |_: &SigningKey| {
        let pki = signing("pki").auth_method(AuthMethod::TlsClientAuth);
        let own = signing("own").auth_method(AuthMethod::SelfSignedTlsClientAuth).jwks(own.x5c());
        vec![pki.certificate_subject_dn("CN=pki,O=Example,C=DE"), own]
    };
    let reads = |builder: AuthorizationServerBuilder| builder.client_certificates(X509Certificates::new());
    let servers = [
        (Asserting::with(certified, |builder| builder), 4),
        (Asserting::with(certified, reads), 6),
        (Asserting::with(certified, |own| reads(own).dpop(dpop()).profile(Profile::Fapi2Security)), 3),
    ];
    let asked = [("token", "any")];
    let showing = |id: &str, certificate: Certificate| {
        Request::post_form(encode(&[("client_id", id), asked[0]])).with_certificate(certificate)
    };
    for (server, count) in servers {
        let requests = [
            ("none", request("pub", &asked)),
            ("client_secret_basic", request("conf", &asked)),
            ("client_secret_post", request("post", &asked)),
            ("private_key_jwt", by_assertion(&server.assertion(json!({})), &asked)),
            ("tls_client_auth", showing("pki", issued.verified())),
            ("self_signed_tls_client_auth", showing("own", own.shown())),
        ];
        let server = &server.fixture.server;
        let mut working = Vec::new();
        for (method, request) in requests {
            if server.revoke(&request).await.status == 200 {
                working.push(json!(method));
            }
        }
        assert_eq!(working.len(), count, "{working:?}");
        let metadata = Answer(server.metadata()).json();
        for endpoint in ["token", "revocation"] {
            let listed = metadata[format!("{endpoint}_endpoint_auth_methods_supported")].as_array().unwrap();
            assert!(listed.len() == count && working.iter().all(|own| listed.contains(own)), "{listed:?}");
        }
    }
}
