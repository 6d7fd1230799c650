//! Signed access tokens: RFC 9068.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use grantor::jose::{Algorithm, JwkSet, Jws};
use grantor::keys::{JwtSigner, KeySchedule, Keys, MemoryKeyStore};
use grantor::server::{AuthorizationServerBuilder, ConfigError};
use grantor::signing::Claims;
use grantor::{
    AccessTokenClaims, AccessTokens, AuthorizationServer, EventKind, MemoryRegistry, MemoryStore, Policy,
    Reason, Request, Resource,
};
use serde_json::{Map, Value, json};

use crate::support::http::{bare, send};
use crate::support::moody::Moody;
use crate::support::{Answer, Fixture, ISSUER, code_query};

const API: &str = "https://api.example";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn keys(algorithms: &[Algorithm]) -> Keys {
    Keys::rotating(MemoryKeyStore::new(), KeySchedule::default(), algorithms).unwrap()
}

/// Everything signed with EdDSA.
fn signed(configure: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder) -> Fixture {
    let signer = JwtSigner::new(keys(&[Algorithm::EdDsa])).unwrap();
    Fixture::with(|b| configure(b.token_signer(signer).access_tokens(AccessTokens::Jwt)))
}

async fn jwks(fixture: &Fixture) -> JwkSet {
    let response = fixture.server.jwks().await;
    assert_eq!(response.status, 200);
    JwkSet::parse(std::str::from_utf8(&response.body).unwrap()).unwrap()
}

/// What a resource server makes of a token, with the published keys alone.
async fn read(fixture: &Fixture, token: &str) -> Value {
    let set = jwks(fixture).await;
    let jws = Jws::parse(token).unwrap();
    assert!(jws.has_typ("at+jwt"));
    let trusted = set.verifying_keys();
    jws.verify(&trusted).unwrap().claims().unwrap()
}

fn robot() -> [(&'static str, &'static str); 1] {
    [("grant_type", "client_credentials")]
}

#[tokio::test]
async fn tk_18_a_signed_access_token_says_what_rfc_9068_asks_for() {
    let fixture = signed(|b| b);
    let token = fixture.tokens("conf", "read write").await.access_token();
    let claims = read(&fixture, &token).await;
    assert_eq!(claims["iss"], ISSUER);
    assert_eq!(claims["aud"], ISSUER);
    assert_eq!(claims["sub"], "alice");
    assert_eq!(claims["sub_type"], "user");
    assert_eq!(claims["client_id"], "conf");
    assert_eq!(claims["scope"], "read write");
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 600);
    assert_eq!(claims["auth_time"], claims["iat"]);
    assert!(claims["jti"].as_str().unwrap().len() >= 22);
}

#[tokio::test]
async fn tk_18_each_algorithm_signs_and_its_header_says_so() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Ps256, Algorithm::Rs256] {
        let signer = JwtSigner::new(keys(&[algorithm])).unwrap();
        let fixture = Fixture::with(|b| b.token_signer(signer).access_tokens(AccessTokens::Jwt));
        let token = fixture.token("robot", &robot()).await.access_token();
        assert_eq!(Jws::parse(&token).unwrap().algorithm(), algorithm);
        assert_eq!(read(&fixture, &token).await["client_id"], "robot");
    }
}

#[tokio::test]
async fn one_signer_has_keys_of_several_algorithms_and_a_resource_names_the_one_it_wants() {
    let signer = JwtSigner::new(keys(&[Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256])).unwrap();
    let old = Resource::new("https://old.example").signing_algorithm(Algorithm::Rs256);
    let mut patient = Policy::default();
    patient.store_deadline = Duration::from_secs(60); // on a busy machine, an RSA key takes seconds to make
    let fixture = Fixture::with(|b| {
        b.policy(patient)
            .token_signer(signer)
            .access_tokens(AccessTokens::Jwt)
            .resource(old)
            .resource(Resource::new(API))
    });
    for (resource, algorithm) in [(API, Algorithm::EdDsa), ("https://old.example", Algorithm::Rs256)] {
        let form = [("grant_type", "client_credentials"), ("resource", resource)];
        let token = fixture.token("robot", &form).await.access_token();
        assert_eq!(Jws::parse(&token).unwrap().algorithm(), algorithm);
        assert_eq!(read(&fixture, &token).await["aud"], resource);
        assert!(fixture.server.check(&token).await.is_ok());
    }
    assert_eq!(jwks(&fixture).await.keys().len(), 3);
}

#[test]
fn an_algorithm_that_nothing_signs_with_is_found_at_start() {
    let signer = JwtSigner::new(keys(&[Algorithm::EdDsa])).unwrap();
    let old = Resource::new("https://old.example").signing_algorithm(Algorithm::Rs256);
    let builder = AuthorizationServer::builder(ISSUER).clients(MemoryRegistry::default());
    let built = builder.store(MemoryStore::new()).token_signer(signer).resource(old).build();
    assert_eq!(built.unwrap_err().all(), [ConfigError::AlgorithmMissing(Algorithm::Rs256)]);
}

#[tokio::test]
async fn a_clients_own_token_is_marked_as_one() {
    let fixture = signed(|b| b);
    let token = fixture.token("robot", &robot()).await.access_token();
    let claims = read(&fixture, &token).await;
    assert_eq!((&claims["sub"], &claims["sub_type"]), (&json!("robot"), &json!("client")));
    let access = fixture.server.check(&token).await.unwrap();
    assert_eq!(access.user(), None);
    assert_eq!(access.client().as_str(), "robot");
}

#[tokio::test]
async fn it_is_introspected_and_revoked_like_any_other() {
    let fixture = signed(|b| b);
    let tokens = fixture.tokens("conf", "read").await;
    let token = tokens.access_token();
    let seen = fixture.introspect("conf", &token).await.json();
    assert_eq!(seen["active"], true);
    assert_eq!((&seen["sub"], &seen["scope"]), (&json!("alice"), &json!("read")));
    assert_eq!(fixture.introspect("other", &token).await.json(), json!({ "active": false }));
    assert_eq!(fixture.revoke("other", &token).await.status(), 200);
    assert!(fixture.is_live(&token).await, "another client revokes nothing");
    assert_eq!(fixture.revoke("conf", &token).await.status(), 200);
    assert!(!fixture.is_live(&token).await);
    assert_eq!(fixture.introspect("conf", &token).await.json(), json!({ "active": false }));
    assert_eq!(fixture.refresh("conf", &tokens.refresh_token()).await.status(), 200);
}

#[tokio::test]
async fn it_ends_with_its_grant_and_with_its_time() {
    let fixture = signed(|b| b);
    let tokens = fixture.tokens("conf", "read").await;
    assert_eq!(fixture.revoke("conf", &tokens.refresh_token()).await.status(), 200);
    assert!(!fixture.is_live(&tokens.access_token()).await);
    let token = fixture.tokens("conf", "read").await.access_token();
    fixture.clock.advance(Duration::from_secs(599));
    assert!(fixture.is_live(&token).await);
    fixture.clock.advance(Duration::from_secs(1));
    assert!(!fixture.is_live(&token).await);
}

#[tokio::test]
async fn its_name_opens_nothing() {
    let fixture = signed(|b| b);
    let token = fixture.token("robot", &robot()).await.access_token();
    let jti = read(&fixture, &token).await["jti"].as_str().unwrap().to_owned();
    for guess in [jti.clone(), format!("gat_{jti}"), format!("gat_{jti}{}", "A".repeat(21))] {
        assert!(!fixture.is_live(&guess).await, "{guess}");
    }
}

#[tokio::test]
async fn a_lost_answer_signs_the_same_claims_again() {
    let fixture = signed(|b| b);
    let refresh = fixture.tokens("pub", "read").await.refresh_token();
    let first = fixture.refresh("pub", &refresh).await;
    fixture.clock.advance(Duration::from_secs(30));
    let again = fixture.refresh("pub", &refresh).await;
    assert_eq!(again.refresh_token(), first.refresh_token());
    let [one, two] = [first.access_token(), again.access_token()];
    assert_eq!(read(&fixture, &one).await, read(&fixture, &two).await);
}

#[tokio::test]
async fn a_lost_answer_is_signed_again_as_its_resource_wants() {
    let signer = JwtSigner::new(keys(&[Algorithm::EdDsa, Algorithm::Es256])).unwrap();
    let resource = Resource::new(API).access_tokens(AccessTokens::Jwt).signing_algorithm(Algorithm::Es256);
    let fixture = Fixture::with(|b| b.token_signer(signer).resource(resource.scopes(["read"])));
    let form = [code_query("pub", "read"), vec![("resource", API)]].concat();
    let code = fixture.approve(&form).await.location_parameter("code").unwrap();
    let refresh = fixture.redeem("pub", &code).await.refresh_token();
    for _ in 0..2 {
        let answer = fixture.refresh("pub", &refresh).await;
        assert_eq!(Jws::parse(&answer.access_token()).unwrap().algorithm(), Algorithm::Es256);
    }
    assert_eq!(fixture.log.whats().last(), Some(&EventKind::AnswerRepeated));
}

#[tokio::test]
async fn a_token_of_which_nothing_is_recorded_costs_no_write_and_cannot_be_revoked() {
    let mut policy = Policy::default();
    policy.record_client_jwts = false;
    let fixture = signed(|b| b.policy(policy).resource(Resource::new(API).introspection_clients(["conf"])));
    let token = fixture.token("robot", &robot()).await.access_token();
    assert!(fixture.store.is_empty());
    assert!(fixture.is_live(&token).await);
    assert_eq!(fixture.introspect("conf", &token).await.json()["active"], true);
    assert_eq!(fixture.revoke("robot", &token).await.error(), (400, "unsupported_token_type".into()));
    assert_eq!(fixture.revoke("other", &token).await.status(), 200);
    fixture.clock.advance(Duration::from_secs(600));
    assert_eq!(fixture.introspect("conf", &token).await.json(), json!({ "active": false }));
    // A user's token is recorded all the same.
    let token = fixture.tokens("conf", "read").await.access_token();
    assert!(fixture.server.check(&token).await.unwrap().grant_id().is_some());
}

#[tokio::test]
async fn the_format_is_the_resources_choice_then_the_clients_then_the_servers() {
    let signer = JwtSigner::new(keys(&[Algorithm::EdDsa])).unwrap();
    let fixture = Fixture::with(|b| {
        b.token_signer(signer)
            .resource(Resource::new(API).access_tokens(AccessTokens::Jwt))
            .resource(Resource::new("https://plain.example").access_tokens(AccessTokens::Opaque))
            .resource(Resource::new("https://any.example"))
    });
    for (resource, is_signed) in
        [(API, true), ("https://plain.example", false), ("https://any.example", false)]
    {
        let form = [("grant_type", "client_credentials"), ("resource", resource)];
        let token = fixture.token("conf", &form).await.access_token();
        assert_eq!(Jws::parse(&token).is_ok(), is_signed, "{resource}");
        assert_eq!(fixture.introspect("conf", &token).await.json()["aud"], resource);
    }
}

#[tokio::test]
async fn an_implicit_answer_carries_a_signed_token() {
    let signer = JwtSigner::new(keys(&[Algorithm::Es256])).unwrap();
    let fixture = Fixture::with(|b| {
        b.profile(grantor::Profile::Rfc6749).token_signer(signer).access_tokens(AccessTokens::Jwt)
    });
    let mut query = code_query("legacy", "read");
    query[0] = ("response_type", "token");
    query.truncate(5);
    let answer = fixture.approve(&query).await;
    let token = answer.location_parameter("access_token").unwrap();
    assert_eq!(read(&fixture, &token).await["sub"], "alice");
}

#[tokio::test]
async fn a_host_adds_claims_of_its_own_and_changes_none_of_ours() {
    struct Tenant;
    impl AccessTokenClaims for Tenant {
        fn claims(&self, token: &Claims) -> Map<String, Value> {
            let claims =
                json!({ "tenant": format!("of {}", token.sub), "sub": "mallory", "exp": 0, "cnf": {} });
            claims.as_object().unwrap().clone()
        }
    }
    let fixture = signed(|b| b.access_token_claims(Tenant));
    let token = fixture.tokens("conf", "read").await.access_token();
    let claims = read(&fixture, &token).await;
    assert_eq!((&claims["tenant"], &claims["sub"]), (&json!("of alice"), &json!("alice")));
    assert!(claims["exp"].as_i64() > claims["iat"].as_i64());
    assert_eq!(claims.get("cnf"), None);
    assert!(fixture.is_live(&token).await);
    let dropped: Vec<String> =
        fixture.log.texts().into_iter().filter(|text| text.contains("ClaimsDropped")).collect();
    assert_eq!(dropped.len(), 1);
    assert!(dropped[0].contains("AccessTokenClaims: the host may not set cnf, exp, sub"), "{}", dropped[0]);
}

/// Fills its tokens up to this many bytes of claims, filler included.
#[derive(Clone, Default)]
struct Filler(Arc<AtomicUsize>);

impl AccessTokenClaims for Filler {
    fn claims(&self, token: &Claims) -> Map<String, Value> {
        let own = serde_json::to_vec(token).unwrap().len() + r#","fill":"""#.len();
        let fill = "x".repeat(self.0.load(Ordering::SeqCst).saturating_sub(own));
        json!({ "fill": fill }).as_object().unwrap().clone()
    }
}

#[tokio::test]
async fn claims_that_make_a_token_too_long_are_refused_before_anything_is_used_up() {
    let filler = Filler::default();
    let fixture = signed(|b| b.access_token_claims(filler.clone()).profile(grantor::Profile::Rfc6749));
    let code = fixture.code("conf", "read").await;
    let grants = fixture.count().await;
    filler.0.store(Claims::MAX_BYTES + 1, Ordering::SeqCst);
    let mut implicit = code_query("legacy", "read");
    implicit[0] = ("response_type", "token");
    implicit.truncate(5);
    for answer in [
        fixture.redeem("conf", &code).await,
        fixture.token("conf", &[("grant_type", "client_credentials")]).await,
        fixture.approve(&implicit).await,
    ] {
        assert_eq!(answer.status(), 500);
        assert_eq!(fixture.log.last_reason(), Some(Reason::AccessTokenTooLong));
    }
    assert_eq!(fixture.count().await, grants, "nothing was written");

    filler.0.store(Claims::MAX_BYTES, Ordering::SeqCst);
    let answer = fixture.redeem("conf", &code).await;
    let token = answer.access_token();
    assert!((6000..=8 * 1024).contains(&token.len()), "{}", token.len());
    assert!(fixture.is_live(&token).await);
    assert_eq!(fixture.introspect("conf", &token).await.json()["active"], true);
    assert_eq!(fixture.revoke("conf", &token).await.status(), 200);
    assert!(!fixture.is_live(&token).await);
    filler.0.store(Claims::MAX_BYTES + 1, Ordering::SeqCst);
    assert_eq!(fixture.refresh("conf", &answer.refresh_token()).await.status(), 500);
    filler.0.store(0, Ordering::SeqCst);
    assert_eq!(fixture.refresh("conf", &answer.refresh_token()).await.status(), 200);
}

#[tokio::test]
async fn jk_01_the_keys_are_published_where_the_metadata_say_and_may_be_cached() {
    let fixture = signed(|b| b);
    let metadata = Answer(fixture.server.metadata()).json();
    assert_eq!(metadata["jwks_uri"], format!("{ISSUER}/jwks"));
    let found = send(&fixture.server, bare("GET", "/jwks")).await;
    assert_eq!(found.status, 200);
    assert_eq!(found.header("cache-control"), Some("public, max-age=300"));
    assert_eq!(found.header("access-control-allow-origin"), Some("*"));
    for key in found.json()["keys"].as_array().unwrap() {
        for private in ["d", "p", "q", "dp", "dq", "qi", "k", "x5u", "jku"] {
            assert_eq!(key.get(private), None);
        }
    }
    let opaque = Fixture::new();
    assert_eq!(Answer(opaque.server.metadata()).json().get("jwks_uri"), None);
    assert_eq!(send(&opaque.server, bare("GET", "/jwks")).await.status, 404);
}

#[tokio::test]
async fn jk_02_keys_rotate_through_two_years_and_a_daily_verifier_never_meets_an_unknown_one() {
    let fixture = signed(|b| b);
    let mut kids = std::collections::BTreeSet::new();
    for _ in 0..730 {
        let yesterday = jwks(&fixture).await;
        fixture.clock.advance(DAY);
        let token = fixture.token("robot", &robot()).await.access_token();
        let jws = Jws::parse(&token).unwrap();
        kids.insert(jws.kid().unwrap().to_owned());
        assert!(jws.verify(&yesterday.verifying_keys()).is_ok());
        assert!(fixture.is_live(&token).await);
        fixture.server.sweep().await.unwrap();
    }
    assert!((8..=10).contains(&kids.len()), "{} keys in two years", kids.len());
}

#[tokio::test]
async fn a_token_that_others_signed_is_nothing_here() {
    let (here, there) = (signed(|b| b), signed(|b| b));
    let token = there.token("robot", &robot()).await.access_token();
    assert!(!here.is_live(&token).await);
    assert_eq!(here.introspect("conf", &token).await.json(), json!({ "active": false }));
    assert_eq!(here.revoke("robot", &token).await.status(), 200);
    let own = here.token("robot", &robot()).await.access_token();
    for bad in
        [own[..own.len() - 2].to_owned(), format!("{own}A"), own.replace('.', ".."), own.to_lowercase()]
    {
        assert!(!here.is_live(&bad).await, "{bad}");
    }
}

#[tokio::test]
async fn a_signer_that_fails_after_the_write_loses_no_code_and_no_refresh_token() {
    let (moody, away) = Moody::new(JwtSigner::new(keys(&[Algorithm::EdDsa])).unwrap());
    let fixture = Fixture::with(|b| b.token_signer(moody).access_tokens(AccessTokens::Jwt));
    let set = |value| away.store(value, std::sync::atomic::Ordering::SeqCst);

    let code = fixture.code("pub", "read").await;
    set(true);
    assert_eq!(fixture.redeem("pub", &code).await.error(), (503, "temporarily_unavailable".into()));
    set(false);
    let tokens = fixture.redeem("pub", &code).await;
    assert_eq!(tokens.status(), 200);
    assert_eq!(fixture.log.whats().last(), Some(&EventKind::AnswerRepeated));

    set(true);
    assert_eq!(fixture.refresh("pub", &tokens.refresh_token()).await.status(), 503);
    set(false);
    let again = fixture.refresh("pub", &tokens.refresh_token()).await;
    assert!(fixture.is_live(&again.access_token()).await);
}

#[test]
fn a_configuration_that_cannot_sign_is_refused_at_start() {
    let builder =
        || AuthorizationServer::builder(ISSUER).clients(MemoryRegistry::default()).store(MemoryStore::new());
    let errors = builder().access_tokens(AccessTokens::Jwt).build().unwrap_err();
    assert_eq!(errors.all(), [ConfigError::SignerMissing]);
    let resource = Resource::new(API).access_tokens(AccessTokens::Jwt);
    assert_eq!(builder().resource(resource).build().unwrap_err().all(), [ConfigError::SignerMissing]);
    let mut policy = Policy::default();
    policy.access_token_lifetime = 15 * DAY;
    let signer = JwtSigner::new(keys(&[Algorithm::EdDsa])).unwrap();
    let errors = builder().token_signer(signer).policy(policy).build().unwrap_err();
    assert_eq!(errors.all(), [ConfigError::KeysRetireEarly]);
}

#[tokio::test]
async fn a_protected_resource_takes_a_signed_token_for_itself_only() {
    let fixture =
        signed(|b| b.resource(Resource::new(API)).resource(Resource::new("https://b.example")).audience(API));
    for (resource, expected) in [(API, None), ("https://b.example", Some(401))] {
        let form = [("grant_type", "client_credentials"), ("resource", resource)];
        let token = fixture.token("conf", &form).await.access_token();
        let call = Request::get("").header("authorization", format!("Bearer {token}"));
        let refused = fixture.server.protect(&call, &["read"]).await.err().map(|response| response.status);
        assert_eq!(refused, expected, "{resource}");
    }
    assert_eq!(fixture.server.check("a.b.c").await.unwrap_err().reason(), Reason::TokenInactive);
}
