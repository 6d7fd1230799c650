//! Tokens that are bound to a key, at a guard that checks them in the process of the server, by keys, and by
//! questions (RFC 9449 section 7).

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request as HttpRequest;
use axum::routing::get;
use grantor::adapter::axum::GuardLayer;
use grantor::dpop::ProofFlaw;
use grantor::http::Response;
use grantor::jose::Algorithm;
use grantor::keys::{JwtSigner, KeySchedule, Keys, MemoryKeyStore};
use grantor::resource::{Credentials, Discovery, Guard, GuardBuilder, Introspection, Requirement};
use grantor::{AccessTokens, MemoryStore, Reason, Request, Resource};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::support::guarded::{API, call, key, parameter, set, token};
use crate::support::proving::{Prover, bad_proofs, call_with, configured, dpop, hash, with_nonces};
use crate::support::scripted::Behind;
use crate::support::{Answer, Fixture, ISSUER, SECRET, TestClock, code_query, redemption};

const ORIGIN: &str = "https://api.example";
const NOTES: &str = "/v1/notes";
const ALGORITHMS: &str = "EdDSA Ed25519 ES256 PS256 RS256";

/// A server with [`API`] as a resource, and three guards of it: each trusts the server in another way.
struct World {
    fixture: Fixture,
    guards: [(&'static str, Guard); 3],
    prover: Prover,
}

impl World {
    fn of(format: AccessTokens) -> Self {
        Self::with(format, |guard| guard.dpop(dpop(), MemoryStore::new()))
    }

    fn with(format: AccessTokens, configure: impl Fn(GuardBuilder) -> GuardBuilder) -> Self {
        let keys =
            Keys::rotating(MemoryKeyStore::new(), KeySchedule::default(), &[Algorithm::EdDsa]).unwrap();
        let fixture = configured(|builder| {
            let api = Resource::new(API).access_tokens(format).introspection_clients(["robot"]);
            builder.token_signer(JwtSigner::new(keys).unwrap()).resource(api)
        });
        let guard = || {
            let guard = Guard::builder(API).clock(fixture.clock.clone()).audit(fixture.log.clone());
            configure(guard)
        };
        let discovery = Discovery::new(ISSUER, Behind(fixture.server.clone()));
        let asking = Introspection::of(discovery, Credentials::secret("robot", SECRET));
        let guards = [
            ("local", guard().local(fixture.server.clone())),
            ("keys", guard().issuer(ISSUER, Behind(fixture.server.clone()))),
            ("questions", guard().verifier(asking)),
        ];
        let guards = guards.map(|(name, guard)| (name, guard.build().unwrap()));
        Self { fixture, guards, prover: Prover::new() }
    }

    /// A token for [`API`], bound if there is a proof.
    async fn token(&self, is_bound: bool) -> String {
        let mut query = code_query("conf", "read");
        query.push(("resource", API));
        let code = self.fixture.approve(&query).await.location_parameter("code").unwrap();
        let form = redemption(&code);
        let answer = match is_bound {
            true => self.fixture.token_by("conf", &form, &self.prover.for_token()).await,
            false => self.fixture.token("conf", &form).await,
        };
        answer.access_token()
    }

    /// The guards that can read tokens of this format.
    fn guards(&self, format: AccessTokens) -> impl Iterator<Item = (&'static str, &Guard)> {
        let can = move |name: &str| format == AccessTokens::Jwt || name != "keys";
        self.guards.iter().filter(move |(name, _)| can(name)).map(|(name, guard)| (*name, guard))
    }
}

const FORMATS: [AccessTokens; 2] = [AccessTokens::Opaque, AccessTokens::Jwt];

async fn refused(guard: &Guard, request: Request) -> Response {
    guard.check(&request, &Requirement::any()).await.expect_err("it does not pass")
}

/// The challenges of an answer, in their order.
fn challenges(response: &Response) -> Vec<String> {
    let fields = response.headers.iter().filter(|(name, _)| *name == "www-authenticate");
    fields.map(|(_, value)| value.to_string()).collect()
}

#[tokio::test]
async fn rs_08_a_bound_token_passes_with_a_proof_of_its_key_and_no_bad_one_counts() {
    for format in FORMATS {
        let world = World::of(format);
        let token = world.token(true).await;
        let url = format!("{ORIGIN}{NOTES}");
        for (name, guard) in world.guards(format) {
            for (what, fields, flaw) in bad_proofs(&world.prover, "GET", &url, Some(&token)) {
                let asked = Request::get("").header("authorization", format!("DPoP {token}")).at_path(NOTES);
                let asked = fields.iter().fold(asked, |asked, field| asked.header("dpop", field.as_str()));
                let answer = refused(guard, asked).await;
                assert_eq!(answer.status, 401, "{name}, {what}");
                assert_eq!(
                    parameter(&answer, "error").as_deref(),
                    Some("invalid_dpop_proof"),
                    "{name}, {what}"
                );
                assert_eq!(world.fixture.log.last_reason(), Some(Reason::Proof(flaw)), "{name}, {what}");
            }
            let access =
                guard.check(&world.prover.call(&token, ORIGIN, NOTES), &Requirement::scopes(["read"])).await;
            let access = access.unwrap_or_else(|answer| panic!("{name}: {}", Answer(answer).json()));
            assert_eq!(access.confirmation().unwrap().jkt().unwrap().to_string(), world.prover.thumbprint());
        }
    }
}

#[tokio::test]
async fn a_stolen_token_is_of_no_use_with_another_key() {
    for format in FORMATS {
        let world = World::of(format);
        let token = world.token(true).await;
        let thief = Prover::new();
        for (name, guard) in world.guards(format) {
            let answer = refused(guard, thief.call(&token, ORIGIN, NOTES)).await;
            assert_eq!(parameter(&answer, "error").as_deref(), Some("invalid_token"), "{name}");
            assert_eq!(
                world.fixture.log.last_reason(),
                Some(Reason::Proof(ProofFlaw::TokenOfOtherKey)),
                "{name}"
            );
            // Adapters leave out the path of a request without a proof.
            let without = || Request::get("").header("authorization", format!("DPoP {token}"));
            for without in [without().at_path(NOTES), without()] {
                let answer = refused(guard, without).await;
                assert_eq!(parameter(&answer, "error").as_deref(), Some("invalid_dpop_proof"), "{name}");
                assert_eq!(
                    world.fixture.log.last_reason(),
                    Some(Reason::Proof(ProofFlaw::Missing)),
                    "{name}"
                );
            }
        }
    }
}

#[tokio::test]
async fn rs_09_a_bound_token_is_no_bearer_token() {
    for format in FORMATS {
        let world = World::of(format);
        let token = world.token(true).await;
        for (name, guard) in world.guards(format) {
            for request in [call(&token), world.prover.call(&token, ORIGIN, NOTES).header("x", "y")] {
                let is_bearer = request.headers.all("dpop").next().is_none();
                let passed = guard.check(&request, &Requirement::any()).await;
                assert_eq!(passed.is_err(), is_bearer, "{name}");
            }
            let proof =
                world.prover.proof("GET", &format!("{ORIGIN}{NOTES}"), json!({ "ath": hash(&token) }));
            let answer = refused(guard, call(&token).header("dpop", proof).at_path(NOTES)).await;
            assert_eq!(
                parameter(&answer, "error").as_deref(),
                Some("invalid_token"),
                "{name}, even with a proof"
            );
            assert_eq!(world.fixture.log.last_reason(), Some(Reason::TokenBound));
        }
    }
}

#[tokio::test]
async fn rs_10_each_challenge_names_the_algorithms_and_the_one_that_was_used_the_error() {
    let world = World::of(AccessTokens::Opaque);
    let (_, guard) = &world.guards[0];
    let metadata = "resource_metadata=\"https://api.example/.well-known/oauth-protected-resource/v1\"";
    let bearer = format!("Bearer realm=\"api\", {metadata}");
    let proven = format!("DPoP realm=\"api\", algs=\"{ALGORITHMS}\", {metadata}");
    assert_eq!(challenges(&refused(guard, Request::get("")).await), [bearer.clone(), proven.clone()]);
    let unknown =
        "error=\"invalid_token\", error_description=\"the access token is unknown, expired or revoked\"";
    assert_eq!(
        challenges(&refused(guard, call("unknown")).await),
        [format!("Bearer realm=\"api\", {unknown}, {metadata}"), proven],
    );
    assert_eq!(
        challenges(&refused(guard, world.prover.call("unknown", ORIGIN, NOTES)).await),
        [format!("DPoP realm=\"api\", algs=\"{ALGORITHMS}\", {unknown}, {metadata}"), bearer],
    );
    let strict = World::with(AccessTokens::Opaque, |guard| {
        guard.dpop(dpop(), MemoryStore::new()).require_bound_tokens()
    });
    let (_, guard) = &strict.guards[0];
    let free = strict.token(false).await;
    for request in [Request::get(""), call("unknown"), call(&free)] {
        let only = challenges(&refused(guard, request).await);
        assert!(only.len() == 1 && only[0].starts_with("DPoP realm=\"api\", algs=\""), "{only:?}");
    }
    assert_eq!(strict.fixture.log.last_reason(), Some(Reason::TokenUnbound));
    let document: Value = serde_json::from_slice(&guard.metadata().body).unwrap();
    assert_eq!(document["dpop_bound_access_tokens_required"], json!(true));
    assert_eq!(
        document["dpop_signing_alg_values_supported"],
        json!(ALGORITHMS.split(' ').collect::<Vec<_>>())
    );
    // Without proofs, tokens that are bound to a certificate are the only ones that pass.
    let certificates = Guard::builder(API).jwks(ISSUER, own_keys()).require_bound_tokens().build();
    assert!(certificates.is_ok());
}

/// Keys that nothing here is signed with.
fn own_keys() -> grantor::resource::StaticKeys {
    grantor::resource::StaticKeys::new(&set([&key()]))
}

#[tokio::test]
async fn rs_11_a_guard_challenges_for_its_nonce_and_then_takes_no_proof_without_one() {
    let world = World::with(AccessTokens::Jwt, |guard| guard.dpop(with_nonces(), MemoryStore::new()));
    let token = world.token(true).await;
    for (name, guard) in world.guards(AccessTokens::Jwt) {
        let url = format!("{ORIGIN}{NOTES}");
        let of_server = world.fixture.server.dpop_nonce();
        assert_eq!(of_server, None, "the server of this world has no nonces");
        let mut told = String::new();
        for wrong in [json!({}), json!({ "nonce": "made up" }), json!({})] {
            let mut changes = json!({ "ath": hash(&token) });
            changes.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
            let proof = world.prover.proof("GET", &url, changes);
            let answer = refused(guard, call_with(&token, &proof).at_path(NOTES)).await;
            assert_eq!(answer.status, 401);
            assert_eq!(parameter(&answer, "error").as_deref(), Some("use_dpop_nonce"), "{name}");
            let nonces = answer.headers.iter().filter(|(field, _)| *field == "dpop-nonce");
            assert_eq!(nonces.count(), 1);
            told = answer.header("dpop-nonce").unwrap().to_owned();
            assert_eq!(guard.dpop_nonce().as_deref(), Some(told.as_str()));
        }
        let changes = json!({ "ath": hash(&token), "nonce": told, "iat": TestClock::START - 300 });
        let proof = world.prover.proof("GET", &url, changes);
        let passed = guard.check(&call_with(&token, &proof).at_path(NOTES), &Requirement::any()).await;
        assert!(passed.is_ok(), "{name}");
    }
}

#[tokio::test]
async fn rs_12_the_url_is_the_origin_of_the_resource_and_the_path_of_the_request() {
    let world = World::of(AccessTokens::Jwt);
    let token = world.token(true).await;
    let (_, guard) = &world.guards[1];
    for (url, passes) in [
        ("https://api.example/v1/notes", true),
        ("HTTPS://API.example:443/v1/notes?page=2#end", true),
        ("https://api.example/v1/%6eotes", true),
        ("https://api.example/v1/other", false),
        ("https://api.example/v1", false),
        ("https://api.example/v1/notes/", false),
        ("https://evil.example/v1/notes", false),
    ] {
        let proof = world.prover.proof("GET", url, json!({ "ath": hash(&token) }));
        let request = call_with(&token, &proof).at_path(NOTES);
        assert_eq!(guard.check(&request, &Requirement::any()).await.is_ok(), passes, "{url}");
    }
    let proof = world.prover.proof("GET", &format!("{ORIGIN}{NOTES}"), json!({ "ath": hash(&token) }));
    let pathless = refused(guard, call_with(&token, &proof)).await;
    assert_eq!(pathless.status, 500, "a host that hands over no path is told so");
}

#[tokio::test]
async fn dp_19_a_token_is_presented_by_the_scheme_of_its_kind() {
    for format in FORMATS {
        let world = World::of(format);
        let (bound, free) = (world.token(true).await, world.token(false).await);
        for (name, guard) in world.guards(format) {
            let proven = |token: &str| world.prover.call(token, ORIGIN, NOTES);
            for (request, reason) in [
                (call(&free), None),
                (proven(&bound), None),
                (call(&bound), Some(Reason::TokenBound)),
                (proven(&free), Some(Reason::TokenUnbound)),
            ] {
                let refused = guard.check(&request, &Requirement::any()).await.err();
                assert_eq!(
                    refused.as_ref().map(|answer| answer.status),
                    reason.map(|_| 401),
                    "{name}, {reason:?}"
                );
                if let Some(answer) = refused {
                    assert_eq!(parameter(&answer, "error").as_deref(), Some("invalid_token"));
                    assert_eq!(world.fixture.log.last_reason(), reason);
                }
            }
        }
    }
}

#[tokio::test]
async fn dp_21_ath_is_of_the_token_that_was_sent() {
    for format in FORMATS {
        let world = World::of(format);
        let (one, two) = (world.token(true).await, world.token(true).await);
        let url = format!("{ORIGIN}{NOTES}");
        for (_, guard) in world.guards(format) {
            let proof = world.prover.proof("GET", &url, json!({ "ath": hash(&two) }));
            let answer = refused(guard, call_with(&one, &proof).at_path(NOTES)).await;
            assert_eq!(parameter(&answer, "error").as_deref(), Some("invalid_dpop_proof"));
            assert_eq!(world.fixture.log.last_reason(), Some(Reason::Proof(ProofFlaw::TokenWrong)));
            assert!(guard.check(&call_with(&two, &proof).at_path(NOTES), &Requirement::any()).await.is_ok());
        }
    }
}

#[tokio::test]
async fn dp_07_a_proof_counts_once_at_a_resource_and_is_spent_by_nothing_that_is_refused() {
    let replays = Arc::new(MemoryStore::new());
    let world = World::with(AccessTokens::Jwt, |guard| guard.dpop(dpop(), replays.clone()));
    let token = world.token(true).await;
    let (_, guard) = &world.guards[1];
    let proof = world.prover.proof("GET", &format!("{ORIGIN}{NOTES}"), json!({ "ath": hash(&token) }));
    let asked = || call_with(&token, &proof).at_path(NOTES);
    let answer = guard.check(&asked(), &Requirement::scopes(["admin"])).await.unwrap_err();
    assert_eq!(answer.status, 403);
    assert!(guard.check(&asked(), &Requirement::any()).await.is_ok(), "it was not spent");
    for (name, other) in world.guards(AccessTokens::Jwt) {
        let answer = refused(other, asked()).await;
        assert_eq!(
            parameter(&answer, "error").as_deref(),
            Some("invalid_dpop_proof"),
            "{name}: on every node"
        );
        assert_eq!(world.fixture.log.last_reason(), Some(Reason::Proof(ProofFlaw::Replayed)));
    }
    world.fixture.clock.advance(Duration::from_secs(120));
    assert_eq!(refused(guard, asked()).await.status, 401);
    assert_eq!(world.fixture.log.last_reason(), Some(Reason::Proof(ProofFlaw::TimeWrong)));
}

#[tokio::test]
async fn a_guard_without_dpop_refuses_what_is_bound() {
    let world = World::with(AccessTokens::Jwt, |guard| guard);
    let (bound, free) = (world.token(true).await, world.token(false).await);
    let (_, guard) = &world.guards[1];
    assert!(guard.check(&call(&free), &Requirement::any()).await.is_ok());
    assert_eq!(refused(guard, call(&bound)).await.status, 401);
    assert_eq!(world.fixture.log.last_reason(), Some(Reason::TokenBound));
    let answer = refused(guard, world.prover.call(&bound, ORIGIN, NOTES)).await;
    assert_eq!(challenges(&answer).len(), 1, "it does not know the scheme");
    assert_eq!(world.fixture.log.last_reason(), Some(Reason::TokenMissing));
    let (_, local) = &world.guards[0];
    let passed = local.check(&world.prover.call(&bound, ORIGIN, NOTES), &Requirement::any()).await;
    assert!(passed.is_ok(), "a local server's guard takes proofs as the server does");
}

#[tokio::test]
async fn a_confirmation_that_cannot_be_checked_whole_lets_no_one_pass() {
    let signing = key();
    let guard = Guard::builder(API)
        .clock(TestClock::default())
        .jwks(ISSUER, grantor::resource::StaticKeys::new(&set([&signing])));
    let guard = guard.dpop(dpop(), MemoryStore::new()).build().unwrap();
    let prover = Prover::new();
    let jkt = prover.thumbprint();
    for (cnf, passes) in [
        (json!({ "jkt": jkt }), true),
        (json!({ "jkt": jkt, "x5t#S256": jkt }), false),
        (json!({ "x5t#S256": jkt }), false),
        (json!({ "jkt": jkt, "kid": "1" }), false),
        (json!({ "kid": "1" }), false),
        (json!({}), false),
        (json!("jkt"), false),
    ] {
        let bound = token(&signing, json!({ "cnf": cnf.clone() }));
        let proven = guard.check(&prover.call(&bound, ORIGIN, NOTES), &Requirement::any()).await;
        assert_eq!(proven.is_ok(), passes, "{cnf}");
        assert!(guard.check(&call(&bound), &Requirement::any()).await.is_err(), "{cnf}");
    }
}

#[tokio::test]
async fn dp_11_a_layer_sends_the_nonce_for_the_next_proof_with_every_answer() {
    let world = World::with(AccessTokens::Jwt, |guard| guard.dpop(with_nonces(), MemoryStore::new()));
    let token = world.token(true).await;
    let (_, guard) = &world.guards[1];
    let nonce = guard.dpop_nonce().unwrap();
    let app: Router = Router::new().nest(
        "/v1",
        Router::new()
            .route("/notes", get(async || "notes"))
            .layer(GuardLayer::new(guard.clone(), Requirement::any())),
    );
    let url = format!("{ORIGIN}{NOTES}");
    for (nonce_sent, status) in [(None, 401), (Some(nonce.as_str()), 200)] {
        let proof = world.prover.proof("GET", &url, json!({ "ath": hash(&token), "nonce": nonce_sent }));
        let request = HttpRequest::get("/v1/notes?page=1")
            .header("authorization", format!("DPoP {token}"))
            .header("dpop", proof)
            .body(Body::empty())
            .unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(response.headers().get_all("dpop-nonce").iter().collect::<Vec<_>>(), [nonce.as_str()]);
    }
}

#[tokio::test]
async fn the_server_guards_its_own_default_audience() {
    let fixture = configured(|builder| builder.dpop(with_nonces()));
    let prover = Prover::new();
    let nonce = fixture.server.dpop_nonce().unwrap();
    let proof = prover.proof("POST", crate::support::proving::TOKEN, json!({ "nonce": nonce }));
    let form = [("grant_type", "client_credentials")];
    let token = fixture.token_by("robot", &form, &proof).await.access_token();
    let call = |nonce: Value| {
        let changes = json!({ "ath": hash(&token), "nonce": nonce });
        let proof = prover.proof("GET", "https://as.example/api/me", changes);
        call_with(&token, &proof).at_path("/api/me")
    };
    let answer = fixture.server.protect(&call(Value::Null), &[]).await.unwrap_err();
    assert_eq!(parameter(&answer, "error").as_deref(), Some("use_dpop_nonce"));
    assert_eq!(answer.header("dpop-nonce"), Some(nonce.as_str()));
    assert!(fixture.server.protect(&call(json!(nonce)), &["read"]).await.is_ok());
    let bearer = Request::get("").header("authorization", format!("Bearer {token}"));
    assert_eq!(fixture.server.protect(&bearer, &[]).await.unwrap_err().status, 401);
}
