//! What a proof has to be: RFC 9449 section 4.3.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::Request as HttpRequest;
use grantor::dpop::{Dpop, DpopProofs, Proof, ProofFlaw, ProofVerifier};
use grantor::jose::Algorithm;
use grantor::server::ConfigError;
use grantor::store::ReplayKey;
use grantor::{
    AuthorizationServer, BackendError, MemoryRegistry, MemoryStore, Profile, Reason, ReplayGuard, async_trait,
};
use serde_json::json;

use crate::support::device::DEVICE_CODE;
use crate::support::guarded::{changed, forged};
use crate::support::http::send;
use crate::support::proving::{Prover, TOKEN, claims, configured, fixture};
use crate::support::racing::at_once_on;
use crate::support::{Fixture, SECRET, TestClock, basic, encode, redemption};

const CREDENTIALS: [(&str, &str); 1] = [("grant_type", "client_credentials")];

fn bad() -> (u16, String) {
    (400, "invalid_dpop_proof".to_owned())
}

#[tokio::test]
async fn dp_02_there_is_one_field_with_one_proof() {
    let (fixture, prover) = (fixture(), Prover::new());
    let proof = prover.for_token();
    for field in
        [format!("{proof},{proof}"), format!("{proof} {proof}"), format!("DPoP {proof}"), String::new()]
    {
        assert_eq!(fixture.token_by("robot", &CREDENTIALS, &field).await.error(), bad(), "{field}");
    }
    assert_eq!(fixture.token_by("robot", &CREDENTIALS, &proof).await.status(), 200);
}

#[tokio::test]
async fn dp_03_the_metadata_list_the_algorithms_that_verify_and_no_other_does() {
    let names = |fixture: &Fixture| {
        let json: serde_json::Value = serde_json::from_slice(&fixture.server.metadata().body).unwrap();
        json["dpop_signing_alg_values_supported"].clone()
    };
    let all = fixture();
    assert_eq!(names(&all), json!(["EdDSA", "Ed25519", "ES256", "PS256", "RS256"]));
    for algorithm in Algorithm::ALL {
        let prover = Prover::with(*algorithm);
        for name in algorithm.names() {
            let header = prover.header(json!({ "alg": name }));
            let proof = prover.signed(&header, &claims("POST", TOKEN, json!({})));
            assert_eq!(all.token_by("robot", &CREDENTIALS, &proof).await.status(), 200, "{name}");
        }
    }
    let only = DpopProofs::new().algorithms([Algorithm::Ps256, Algorithm::Es256]);
    let few = configured(|builder| builder.dpop(Dpop::new(only)));
    assert_eq!(names(&few), json!(["PS256", "ES256"]));
    for (algorithm, status) in [(Algorithm::Es256, 200), (Algorithm::Rs256, 400), (Algorithm::EdDsa, 400)] {
        let proof = Prover::with(algorithm).for_token();
        assert_eq!(few.token_by("robot", &CREDENTIALS, &proof).await.status(), status, "{algorithm}");
    }
    assert_eq!(names(&Fixture::new()), serde_json::Value::Null);
}

#[tokio::test]
async fn dp_04_a_key_may_have_more_members_and_no_private_ones() {
    let (fixture, prover) = (fixture(), Prover::new());
    let by = |changes| {
        let jwk = changed(prover.jwk(), changes);
        let header = prover.header(json!({ "jwk": jwk })).to_string();
        forged(&prover.key, &header, &claims("POST", TOKEN, json!({})).to_string())
    };
    for more in [
        json!({ "kid": "1" }),
        json!({ "use": "sig" }),
        json!({ "alg": "ES256" }),
        json!({ "key_ops": ["verify"] }),
        json!({ "ext": true, "x5t": "AAAA" }),
    ] {
        let answer = fixture.token_by("robot", &CREDENTIALS, &by(more.clone())).await;
        assert_eq!(answer.status(), 200, "{more}");
        let seen = fixture.introspect("robot", &answer.access_token()).await.json();
        assert_eq!(
            seen["cnf"]["jkt"],
            json!(prover.thumbprint()),
            "the thumbprint is of the required members"
        );
    }
    for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        for value in [json!("AAAA"), json!(""), json!(1)] {
            let answer = fixture.token_by("robot", &CREDENTIALS, &by(json!({ private: value }))).await;
            assert_eq!(answer.error(), bad(), "{private}: {value}");
        }
    }
}

#[tokio::test]
async fn dp_05_the_url_is_that_of_the_configuration_in_any_spelling_of_scheme_host_and_port() {
    let (fixture, prover) = (fixture(), Prover::new());
    for (url, status) in [
        (TOKEN, 200),
        ("HTTPS://AS.Example/token", 200),
        ("https://as.example:443/token", 200),
        ("https://as.example/token?x=1", 200),
        ("https://as.example/token#y", 200),
        ("https://as.example/token/", 400),
        ("https://as.example/Token", 400),
        ("https://as.example/", 400),
        ("https://as.example:8443/token", 400),
        ("https://mtls.as.example/token", 400),
        ("/token", 400),
    ] {
        let proof = prover.proof("POST", url, json!({}));
        assert_eq!(fixture.token_by("robot", &CREDENTIALS, &proof).await.status(), status, "{url}");
    }
    for (url, status) in [(TOKEN, 200), ("https://evil.example/token", 400)] {
        let request = HttpRequest::post("/token")
            .header("host", "evil.example")
            .header("x-forwarded-host", "evil.example")
            .header("authorization", basic("robot", SECRET))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("dpop", prover.proof("POST", url, json!({})))
            .body(Body::from(encode(&CREDENTIALS)))
            .unwrap();
        assert_eq!(
            send(&fixture.server, request).await.status,
            status,
            "{url}, whatever the host field says"
        );
    }
}

#[tokio::test]
async fn dp_06_a_proof_was_made_within_the_last_minute_or_a_few_seconds_ahead() {
    let (fixture, prover) = (fixture(), Prover::new());
    for (seconds, status) in
        [(0, 200), (10, 200), (-10, 200), (-60, 200), (-61, 400), (-3600, 400), (31, 400), (61, 400)]
    {
        let proof = prover.proof("POST", TOKEN, json!({ "iat": TestClock::START + seconds }));
        assert_eq!(fixture.token_by("robot", &CREDENTIALS, &proof).await.status(), status, "{seconds}");
    }
    for (name, seconds, status) in [
        ("exp", 60, 200),
        ("exp", -9, 200),
        ("exp", -10, 400),
        ("nbf", -60, 200),
        ("nbf", 30, 200),
        ("nbf", 31, 400),
    ] {
        let proof = prover.proof("POST", TOKEN, json!({ name: TestClock::START + seconds }));
        assert_eq!(
            fixture.token_by("robot", &CREDENTIALS, &proof).await.status(),
            status,
            "{name}: {seconds}"
        );
    }
    let proof = prover.proof("POST", TOKEN, json!({ "iat": 1e300 }));
    assert_eq!(fixture.token_by("robot", &CREDENTIALS, &proof).await.error(), bad());
}

#[tokio::test]
async fn dp_07_a_proof_counts_once_for_its_key_and_its_place() {
    let (fixture, prover) = (fixture(), Prover::new());
    let same = json!({ "jti": "same" });
    let proof = prover.proof("POST", TOKEN, same.clone());
    assert_eq!(fixture.token_by("robot", &CREDENTIALS, &proof).await.status(), 200);
    assert_eq!(fixture.token_by("robot", &CREDENTIALS, &proof).await.error(), bad());
    assert_eq!(fixture.log.last_reason(), Some(Reason::Proof(ProofFlaw::Replayed)));
    let again = prover.proof("POST", TOKEN, same.clone());
    assert_eq!(fixture.token_by("robot", &CREDENTIALS, &again).await.error(), bad(), "the jti alone counts");
    let others = Prover::new().proof("POST", TOKEN, same);
    assert_eq!(fixture.token_by("robot", &CREDENTIALS, &others).await.status(), 200, "another key");
    // As long as it counts, it is remembered.
    fixture.clock.advance(Duration::from_secs(59));
    assert_eq!(fixture.token_by("robot", &CREDENTIALS, &proof).await.error(), bad());
    assert_eq!(fixture.log.last_reason(), Some(Reason::Proof(ProofFlaw::Replayed)));
    fixture.clock.advance(Duration::from_secs(2));
    assert_eq!(fixture.token_by("robot", &CREDENTIALS, &proof).await.error(), bad());
    assert_eq!(fixture.log.last_reason(), Some(Reason::Proof(ProofFlaw::TimeWrong)));
}

#[tokio::test]
async fn dp_07_of_64_uses_at_once_on_several_nodes_one_counts() {
    let store = Arc::new(MemoryStore::new());
    let node = |_| {
        let (store, replays) = (store.clone(), store.clone());
        Fixture::on(store.clone(), store, |builder| {
            builder.replay_guard(replays).dpop(crate::support::proving::dpop())
        })
    };
    let nodes: Vec<Fixture> = (0..4).map(node).collect();
    let proof = Arc::new(Prover::new().for_token());
    let statuses = at_once_on(&nodes, 64, |fixture, _| {
        let proof = proof.clone();
        async move { fixture.token_by("robot", &CREDENTIALS, &proof).await.status() }
    })
    .await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1);
    assert_eq!(statuses.iter().filter(|status| **status == 400).count(), 63);
}

/// Cannot say.
struct Down;

#[async_trait]
impl ReplayGuard for Down {
    async fn first_use(
        &self,
        _: &ReplayKey,
        _: chrono::DateTime<chrono::Utc>,
        _: chrono::DateTime<chrono::Utc>,
    ) -> Result<bool, BackendError> {
        Err(BackendError::transient("down"))
    }
}

#[tokio::test]
async fn dp_07_what_cannot_be_remembered_does_not_count() {
    let fixture = configured(|builder| builder.replay_guard(Down));
    let answer = fixture.token_by("robot", &CREDENTIALS, &Prover::new().for_token()).await;
    assert_eq!(answer.error(), (503, "temporarily_unavailable".to_owned()));
    assert!(answer.0.header("retry-after").is_some());
    assert_eq!(fixture.token("robot", &CREDENTIALS).await.status(), 200, "without a proof nothing is asked");
    let forgetful = AuthorizationServer::builder("https://as.example")
        .clients(MemoryRegistry::default())
        .store(MemoryStore::new())
        .dpop(crate::support::proving::dpop())
        .build();
    assert_eq!(forgetful.unwrap_err().all(), [ConfigError::ProofsUnremembered]);
}

/// Counts what it is asked to remember.
struct Remembering(MemoryStore, Arc<AtomicUsize>);

#[async_trait]
impl ReplayGuard for Remembering {
    async fn first_use(
        &self,
        key: &ReplayKey,
        until: chrono::DateTime<chrono::Utc>,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Result<bool, BackendError> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.first_use(key, until, now).await
    }
}

#[tokio::test]
async fn dp_22_proofs_with_made_up_codes_and_tokens_are_not_remembered() {
    let (prover, remembered) = (Prover::new(), Arc::new(AtomicUsize::new(0)));
    let guard = Remembering(MemoryStore::new(), Arc::clone(&remembered));
    let fixture = configured(|builder| builder.profile(Profile::Rfc6749).replay_guard(guard));
    let code = fixture.code("pub", "read").await;
    let waiting = fixture.waits().await.device;
    let made_up = |text: &str| format!("{}{}", &text[..text.len() - 8], "AAAAAAAA");
    let (guessed, guessed_device) = (made_up(&code), made_up(&waiting));
    let refused = [
        ("pub", redemption(&guessed).to_vec()),
        ("tv", vec![("grant_type", DEVICE_CODE), ("device_code", &guessed_device)]),
        ("legacy", vec![("grant_type", "password"), ("username", "alice"), ("password", "guess")]),
    ];
    for (client, form) in refused {
        let answer = fixture.token_by(client, &form, &prover.for_token()).await;
        assert_eq!(answer.error(), (400, "invalid_grant".to_owned()), "{form:?}");
        assert_eq!(remembered.load(Ordering::SeqCst), 0, "{form:?}");
    }
    let proof = prover.for_token();
    let tokens = fixture.token_by("pub", &redemption(&code), &proof).await;
    assert_eq!((tokens.status(), remembered.load(Ordering::SeqCst)), (200, 1));
    let refresh = made_up(&tokens.refresh_token());
    let refused = fixture.refresh_by("pub", &refresh, &prover.for_token()).await;
    assert_eq!((refused.status(), remembered.load(Ordering::SeqCst)), (400, 1));
    let replayed = fixture.refresh_by("pub", &tokens.refresh_token(), &proof).await;
    assert_eq!(replayed.error(), bad());
    let next = fixture.refresh_by("pub", &tokens.refresh_token(), &prover.for_token()).await;
    assert_eq!(next.status(), 200, "the refused replay used up nothing");
}

#[tokio::test]
async fn dp_22_what_is_too_long_is_not_read() {
    let fixture = fixture();
    for length in [8 * 1024 + 1, 64 * 1024, 1024 * 1024] {
        let answer = fixture.token_by("robot", &CREDENTIALS, &"a.".repeat(length / 2 + 1)).await;
        assert_eq!(answer.error(), bad());
        assert_eq!(fixture.log.last_reason(), Some(Reason::Proof(ProofFlaw::TooLong)));
    }
}

#[tokio::test]
async fn a_server_without_dpop_ignores_proofs() {
    let fixture = Fixture::new();
    let answer = fixture.token_by("robot", &CREDENTIALS, "no proof at all").await;
    assert_eq!((answer.status(), answer.text("token_type").as_str()), (200, "Bearer"));
    assert_eq!(fixture.introspect("robot", &answer.access_token()).await.json().get("cnf"), None);
}

/// Counts the proofs that it verifies.
struct Counting(DpopProofs, Arc<AtomicUsize>);

impl ProofVerifier for Counting {
    fn verify(&self, proof: &str) -> Result<Proof, ProofFlaw> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.verify(proof)
    }

    fn algorithms(&self) -> Vec<&'static str> {
        ProofVerifier::algorithms(&self.0)
    }
}

#[tokio::test]
async fn a_proof_for_either_url_of_an_endpoint_is_verified_once() {
    let (prover, verified) = (Prover::new(), Arc::new(AtomicUsize::new(0)));
    let counting = Counting(DpopProofs::new(), Arc::clone(&verified));
    let fixture = configured(|builder| {
        builder.dpop(Dpop::new(counting)).mtls_endpoint_aliases("https://mtls.as.example")
    });
    let (alias, other) = ("https://mtls.as.example/token", "https://other.example/token");
    for (at, (url, status)) in [(TOKEN, 200), (alias, 200), (other, 400)].into_iter().enumerate() {
        let proof = prover.proof("POST", url, json!({}));
        assert_eq!(fixture.token_by("robot", &CREDENTIALS, &proof).await.status(), status, "{url}");
        assert_eq!(verified.load(Ordering::SeqCst), at + 1, "{url}");
    }
}
