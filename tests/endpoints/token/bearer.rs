//! JWT bearer assertions as a grant (RFC 7523 section 2.1), and ID-JAGs: whom they are about, and how often.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use grantor::assertions::{AssertionIssuer, JwtBearer};
use grantor::error::{AssertionFlaw as Flaw, ExtensionRefusal};
use grantor::jose::{Signer as _, SigningKey};
use grantor::outbound::{OutboundError, OutboundResponse};
use grantor::resource::{FetchedKeys, StaticKeys};
use grantor::server::{AuthorizationServerBuilder, ConfigError};
use grantor::store::ReplayKey;
use grantor::{
    AuthorizationServer, BackendError, MemoryRegistry, MemoryStore, Reason, ReplayGuard, Request, async_trait,
};
use serde_json::{Value, json};

use crate::support::extending::{API, OTHER_API};
use crate::support::faulty::{Fault, Faulty, Plan};
use crate::support::guarded::{forged, jwks_json, key, set};
use crate::support::scripted::Scripted;
use crate::support::vouching::{Accounts, IDP, JWT_BEARER, PARTNER, Vouching};
use crate::support::{Answer, ISSUER, TestClock, basic, encode};

const REPLAYED: Reason = Reason::Extension(ExtensionRefusal::Replayed);

#[tokio::test]
async fn jb_01_who_is_vouched_for_gets_a_token() {
    let bench = Vouching::new();
    let answer = bench.bring(&bench.jag(json!({}))).await;
    assert_eq!(bench.subject(&answer).await, "alice");
    assert_eq!((answer.text("scope"), answer.text("token_type")), ("read write".into(), "Bearer".into()));
    assert_eq!(answer.json()["refresh_token"], Value::Null);
    assert_eq!(answer.json()["expires_in"], 600);
    let answer = bench.bring(&bench.plain(json!({}))).await;
    assert_eq!(bench.subject(&answer).await, "carol");
}

#[tokio::test]
async fn jb_01_a_subject_is_its_issuers_own() {
    let bench = Vouching::new();
    let idps = bench.bring(&bench.jag(json!({ "sub": "7" }))).await;
    assert_eq!(bench.subject(&idps).await, "bob");
    let partners = bench.bring(&bench.plain(json!({ "sub": "7" }))).await;
    assert_eq!(bench.subject(&partners).await, "carol");
    let unknown = bench.bring(&bench.plain(json!({ "sub": "u-1" }))).await;
    assert_eq!(unknown.error(), (400, "invalid_grant".into()));
    assert_eq!(bench.fixture.log.last_reason(), Some(Reason::Extension(ExtensionRefusal::GrantInvalid)));
}

#[tokio::test]
async fn an_assertion_is_for_the_client_that_it_was_given_to() {
    let bench = Vouching::new();
    let assertion = bench.jag(json!({}));
    let stolen = bench.bring_as("desk", &assertion, &[]).await;
    assert_eq!(stolen.error(), (400, "invalid_grant".into()));
    assert_eq!(bench.fixture.log.last_reason(), Some(Reason::Assertion(Flaw::ForAnotherClient)));
    assert_eq!(bench.bring(&assertion).await.status(), 200, "the thief spent nothing");
}

#[tokio::test]
async fn jb_02_credentials_that_come_along_are_checked() {
    let bench = Vouching::new();
    let assertion = bench.jag(json!({}));
    let form = encode(&[("grant_type", JWT_BEARER), ("assertion", &assertion)]);
    let wrong = Request::post_form(form.clone()).header("authorization", basic("wiki", "wrong"));
    assert_eq!(Answer(bench.fixture.server.token(&wrong).await).error(), (401, "invalid_client".into()));
    let none = Request::post_form(form.clone());
    assert_eq!(Answer(bench.fixture.server.token(&none).await).error(), (401, "invalid_client".into()));
    let named = Request::post_form(format!("{form}&client_id=wiki"));
    assert_eq!(Answer(bench.fixture.server.token(&named).await).error(), (401, "invalid_client".into()));
    let unregistered = bench.bring_as("conf", &assertion, &[]).await;
    assert_eq!(unregistered.error(), (400, "unauthorized_client".into()));
    assert_eq!(bench.accounts.asked(), 0);
    assert_eq!(bench.bring(&assertion).await.status(), 200);
}

#[tokio::test]
async fn jb_02_without_authentication_only_where_the_host_says_so() {
    let bring = async |bench: &Vouching| {
        let assertion = bench.jag(json!({ "client_id": "app" }));
        let form = [("grant_type", JWT_BEARER), ("assertion", &assertion), ("client_id", "app")];
        Answer(bench.fixture.server.token(&Request::post_form(encode(&form))).await)
    };
    let strict = Vouching::new();
    assert_eq!(bring(&strict).await.error(), (400, "unauthorized_client".into()));
    assert_eq!(strict.fixture.log.last_reason(), Some(Reason::ClientNotConfidential));
    let open = Vouching::with(JwtBearer::public_clients, |builder| builder);
    assert_eq!(open.subject(&bring(&open).await).await, "alice");
}

#[tokio::test]
async fn jb_02_a_bad_assertion_is_an_invalid_grant_and_a_missing_one_an_invalid_request() {
    let bench = Vouching::new();
    let missing = bench.fixture.token("wiki", &[("grant_type", JWT_BEARER)]).await;
    assert_eq!(missing.error(), (400, "invalid_request".into()));
    assert_eq!(bench.fixture.log.last_reason(), Some(Reason::ParameterMissing));
    let twice = bench.bring_as("wiki", "a", &[("assertion", "b")]).await;
    assert_eq!(twice.error(), (400, "invalid_request".into()));
    let bad = bench.bring("x.y.z").await;
    assert_eq!(bad.error(), (400, "invalid_grant".into()));
    assert_eq!(bad.0.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn jb_03_an_assertion_works_once() {
    let bench = Vouching::new();
    let assertion = bench.jag(json!({}));
    assert_eq!(bench.bring(&assertion).await.status(), 200);
    let answer = bench.bring(&assertion).await;
    assert_eq!(answer.error(), (400, "invalid_grant".into()));
    assert_eq!(bench.fixture.log.last_reason(), Some(REPLAYED));
    // A name is spent, whatever else the assertion says; and only with its issuer.
    assert_eq!(bench.bring(&bench.jag(json!({ "sub": "7" }))).await.status(), 400);
    assert_eq!(bench.bring(&bench.jag(json!({ "jti": "2" }))).await.status(), 200);
    assert_eq!(bench.bring(&bench.plain(json!({ "jti": "1" }))).await.status(), 200);
    // Until its very end, the leeway included.
    bench.fixture.clock.advance(Duration::from_secs(309));
    assert_eq!(bench.bring(&assertion).await.status(), 400);
    assert_eq!(bench.fixture.log.last_reason(), Some(REPLAYED));
    bench.fixture.clock.advance(Duration::from_secs(1));
    assert_eq!(bench.bring(&assertion).await.status(), 400);
    assert_eq!(bench.fixture.log.last_reason(), Some(Reason::Assertion(Flaw::Expired)));
}

#[tokio::test]
async fn jb_03_one_without_a_name_is_known_by_what_was_signed() {
    let bench = Vouching::new();
    let assertion = bench.plain(json!({}));
    assert_eq!(bench.bring(&assertion).await.status(), 200);
    assert_eq!(bench.bring(&assertion).await.status(), 400);
    assert_eq!(bench.fixture.log.last_reason(), Some(REPLAYED));
    assert_eq!(bench.bring(&bench.plain(json!({ "exp": TestClock::START + 301 }))).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn jb_03_of_64_replays_at_once_one_wins() {
    let memory = Arc::new(MemoryStore::new());
    let plan = Plan::default();
    let used = Faulty::new(memory.clone(), &plan);
    let bench = Arc::new(Vouching::on(memory, used, |grant| grant, |builder| builder));
    plan.pause();
    let assertion = bench.jag(json!({}));
    let replays = (0..64).map(|_| {
        let (bench, assertion) = (Arc::clone(&bench), assertion.clone());
        tokio::spawn(async move { bench.bring(&assertion).await.status() })
    });
    let statuses: Vec<u16> =
        futures_util::future::join_all(replays).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1);
    assert!(statuses.iter().all(|status| matches!(status, 200 | 400)), "{statuses:?}");
    assert_eq!(bench.fixture.count().await, 1);
}

#[tokio::test]
async fn jb_03_a_write_that_fails_does_not_spend_the_assertion() {
    for fault in [Fault::Transient, Fault::UnknownAfter] {
        let memory = Arc::new(MemoryStore::new());
        let plan = Plan::default();
        let used = Faulty::new(memory.clone(), &plan);
        let bench = Vouching::on(memory, used, |grant| grant, |builder| builder);
        let assertion = bench.jag(json!({}));
        plan.arm(0, fault);
        let answer = bench.bring(&assertion).await;
        assert_eq!(answer.error(), (503, "temporarily_unavailable".into()), "{fault:?}");
        plan.recover();
        assert_eq!(bench.bring(&assertion).await.status(), 200, "{fault:?}");
        assert_eq!(bench.bring(&assertion).await.status(), 400, "{fault:?}");
    }
}

#[tokio::test]
async fn jb_04_a_disabled_user_and_a_missing_consent_are_refused_and_spend_nothing() {
    let bench = Vouching::new();
    let assertion = bench.jag(json!({}));
    bench.fixture.users.blocked.lock().unwrap().push("alice".into());
    let answer = bench.bring(&assertion).await;
    assert_eq!(answer.error(), (400, "invalid_grant".into()));
    assert_eq!(bench.fixture.log.last_reason(), Some(Reason::SubjectBlocked));
    bench.fixture.users.blocked.lock().unwrap().clear();
    assert_eq!(bench.bring(&assertion).await.status(), 200);

    bench.accounts.miss_consent();
    let answer = bench.bring(&bench.jag(json!({ "jti": "2" }))).await;
    assert_eq!(answer.error(), (400, "invalid_grant".into()));
    assert_eq!(bench.fixture.log.last_reason(), Some(Reason::Extension(ExtensionRefusal::ConsentMissing)));
}

#[tokio::test]
async fn the_scope_is_what_issuer_host_client_and_request_have_in_common() {
    let bench = Vouching::new();
    let asked =
        [(json!("read admin"), None, Some("read")), (json!("read write"), Some("write"), Some("write"))];
    let beyond =
        [(json!("read"), Some("write"), None), (json!("admin"), None, None), (json!("unknown"), None, None)];
    for (n, (claimed, asked, granted)) in asked.into_iter().chain(beyond).enumerate() {
        let assertion = bench.jag(json!({ "scope": claimed, "jti": n.to_string() }));
        let more: Vec<_> = asked.map(|asked| ("scope", asked)).into_iter().collect();
        let answer = bench.bring_as("wiki", &assertion, &more).await;
        match granted {
            Some(granted) => assert_eq!(answer.text("scope"), granted, "{claimed}"),
            None => assert_eq!(answer.error(), (400, "invalid_scope".into()), "{claimed}"),
        }
    }
}

#[tokio::test]
async fn the_token_is_for_a_resource_that_the_assertion_names() {
    let bench = Vouching::new();
    let jag = |resource: Value, jti: &str| bench.jag(json!({ "resource": resource, "jti": jti }));
    let one = bench.bring(&jag(json!(API), "1")).await;
    let access = bench.fixture.server.check(&one.access_token()).await.unwrap();
    assert_eq!(access.audience().map(grantor::ResourceId::as_str), Some(API));
    let both = json!([API, OTHER_API]);
    let more = [("resource", OTHER_API)];
    assert_eq!(bench.bring_as("wiki", &jag(both.clone(), "2"), &more).await.status(), 200);
    for (n, (resource, more)) in [
        (json!(API), &more[..]),
        (both, &[]),
        (json!("https://unknown.example"), &[]),
        (json!("not a URI"), &[]),
        (json!([]), &[]),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = bench.bring_as("wiki", &jag(resource.clone(), &format!("n{n}")), more).await;
        assert_eq!(answer.error(), (400, "invalid_target".into()), "{resource}");
    }
}

#[tokio::test]
async fn a_refresh_token_comes_only_where_the_host_says_so_twice() {
    let refresh = async |bench: &Vouching| {
        bench.accounts.want_refresh_tokens();
        let assertion = bench.jag(json!({ "client_id": "desk" }));
        bench.bring_as("desk", &assertion, &[]).await.json()["refresh_token"].is_string()
    };
    assert!(!refresh(&Vouching::new()).await);
    assert!(refresh(&Vouching::with(JwtBearer::refresh_tokens, |builder| builder)).await);
}

#[tokio::test]
async fn how_the_user_signed_in_elsewhere_is_known_here() {
    let bench = Vouching::new();
    let at = TestClock::START - 40;
    let answer = bench.bring(&bench.jag(json!({ "auth_time": at, "acr": "gold" }))).await;
    let access = bench.fixture.server.check(&answer.access_token()).await.unwrap();
    assert_eq!((access.auth_time(), access.acr()), (Some(at), Some("gold")));
    let ahead = json!({ "auth_time": TestClock::START + 4_000, "jti": "2" });
    let answer = bench.bring(&bench.jag(ahead)).await;
    let access = bench.fixture.server.check(&answer.access_token()).await.unwrap();
    assert_eq!(access.auth_time(), Some(TestClock::START), "nobody has signed in yet who is going to");
}

#[tokio::test]
async fn keys_are_fetched_and_an_issuer_that_is_away_is_503() {
    let (signer, next) = (key(), key());
    let publishes = |keys: &[&SigningKey]| OutboundResponse::new(200, jwks_json(&set(keys.iter().copied())));
    let outbound = Scripted::by(|_| Err(OutboundError::Unreachable));
    outbound.says(publishes(&[&signer]));
    let keys = FetchedKeys::new("https://remote.example/jwks", outbound.clone());
    let remote = AssertionIssuer::new("https://remote.example", keys);
    let bench = Vouching::with(|grant| grant.issuer(remote), |builder| builder);
    let assertion = |by: &SigningKey, jti: &str| {
        let header = json!({ "alg": "EdDSA", "kid": by.key().kid() }).to_string();
        let now = bench.fixture.clock_seconds();
        let claims = json!({ "iss": "https://remote.example", "sub": "x", "aud": ISSUER, "exp": now + 60, "jti": jti });
        forged(by, &header, &claims.to_string())
    };
    // The signature is right; no one here knows the subject.
    assert_eq!(bench.bring(&assertion(&signer, "1")).await.status(), 400);
    assert_eq!(bench.accounts.asked(), 1);
    // A new key is fetched.
    outbound.says(publishes(&[&signer, &next]));
    bench.fixture.clock.advance(Duration::from_secs(31));
    bench.bring(&assertion(&next, "2")).await;
    assert_eq!(bench.accounts.asked(), 2);
    outbound.does(|_| Err(OutboundError::Unreachable));
    bench.fixture.clock.advance(Duration::from_secs(2 * 60 * 60 + 60));
    let answer = bench.bring(&assertion(&next, "3")).await;
    assert_eq!(answer.error(), (503, "temporarily_unavailable".into()));
    assert_eq!(bench.fixture.log.last_reason(), Some(Reason::IssuerUnavailable));
}

#[test]
fn what_cannot_work_is_said_at_the_start() {
    let build = |grant: JwtBearer, guarded: bool| {
        let builder = AuthorizationServer::builder(ISSUER).jwt_bearer(grant);
        let builder = builder.clients(MemoryRegistry::default()).store(MemoryStore::new());
        let builder = if guarded { builder.replay_guard(MemoryStore::new()) } else { builder };
        builder.build().map(drop).map_err(|errors| errors.all().to_vec())
    };
    let keys = StaticKeys::new(&set([&key()]));
    let trusting = |names: &[&str]| {
        let grant = JwtBearer::new(Accounts::default());
        names.iter().fold(grant, |grant, name| grant.issuer(AssertionIssuer::new(*name, keys.clone())))
    };
    let mistake = |text: &str| Err(vec![ConfigError::GrantType(JWT_BEARER.into(), text.into())]);
    assert_eq!(build(trusting(&[IDP, PARTNER]), true), Ok(()));
    assert_eq!(build(trusting(&[IDP]), false), Err(vec![ConfigError::ReplayGuardMissing(JWT_BEARER.into())]));
    assert_eq!(build(trusting(&[]), true), mistake("it trusts no issuer"));
    assert_eq!(build(trusting(&[ISSUER]), true), mistake("it trusts the server itself"));
    assert_eq!(
        build(trusting(&[IDP, IDP]), true),
        mistake("it trusts the issuer \"https://idp.example\" twice")
    );
}

#[test]
fn the_metadata_name_the_grant_and_its_profile_and_no_issuer() {
    let json = Answer(Vouching::new().fixture.server.metadata()).json();
    let names = json["grant_types_supported"].as_array().unwrap();
    assert!(names.contains(&json!(JWT_BEARER)), "{json}");
    assert_eq!(
        json["authorization_grant_profiles_supported"],
        json!(["urn:ietf:params:oauth:grant-profile:id-jag"])
    );
    assert!(!json.to_string().contains(IDP));
}

#[tokio::test]
async fn no_assertion_stands_in_an_event_or_a_debug_text() {
    let bench = Vouching::new();
    let assertion = bench.jag(json!({}));
    bench.bring(&assertion).await;
    bench.bring(&assertion).await;
    let signature = assertion.rsplit('.').next().unwrap();
    assert!(!bench.fixture.log.texts().join("\n").contains(signature));
    let request = Request::post_form(encode(&[
        ("grant_type", JWT_BEARER),
        ("assertion", &assertion),
        ("client_id", "app"),
    ]));
    let facts =
        grantor::flow::Facts::new(grantor::Clock::now(&bench.fixture.clock), bench.fixture.server.rules());
    let flow = grantor::flow::token::AwaitClient::parse(&request, &facts).unwrap();
    assert!(!format!("{flow:?}").contains(signature));
}

/// A replay guard that forgets what has expired as soon as it is asked, by the clock of whichever node asks.
#[derive(Default)]
struct Forgetful(Mutex<HashMap<ReplayKey, DateTime<Utc>>>);

#[async_trait]
impl ReplayGuard for Forgetful {
    async fn first_use(
        &self,
        key: &ReplayKey,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<bool, BackendError> {
        let mut seen = self.0.lock().unwrap();
        seen.retain(|_, until| now < *until);
        Ok(seen.insert(*key, until).is_none())
    }
}

#[tokio::test]
async fn ft_11_an_assertion_works_once_where_clocks_differ_as_far_as_they_may() {
    let store = Arc::new(MemoryStore::new());
    let guard = Arc::new(Forgetful::default());
    let configure = |builder: AuthorizationServerBuilder| builder.replay_guard(guard);
    let vouching = Vouching::on(store.clone(), store, |grant| grant, configure);
    let at =
        |second| vouching.fixture.clock.set(DateTime::from_timestamp(TestClock::START + second, 0).unwrap());
    let first = vouching.jag(json!({}));
    assert_eq!(vouching.bring(&first).await.status(), 200);
    // It expires at 300 and is taken until 310. For each second of that, on a node whose clock is behind,
    // another node's clock is ahead, and that one is asked before.
    for second in 280..312 {
        at(second + 60);
        let exp = TestClock::START + second + 300;
        let other = json!({ "jti": second.to_string(), "iat": TestClock::START + second + 60, "exp": exp });
        assert_eq!(vouching.bring(&vouching.jag(other)).await.status(), 200);
        at(second);
        assert_eq!(vouching.bring(&first).await.error(), (400, "invalid_grant".into()), "at {second}");
    }
}
