//! What a proven key is bound to: access tokens, refresh tokens of public clients, and codes (RFC 9449
//! sections 5, 6 and 10).

use std::sync::Arc;
use std::time::Duration;

use grantor::dpop::ProofFlaw;
use grantor::jose::Algorithm;
use grantor::keys::{JwtSigner, KeySchedule, Keys, MemoryKeyStore};
use grantor::server::ConfigError;
use grantor::{
    AccessTokens, AuthorizationServer, Client, GrantType, MemoryRegistry, MemoryStore, Profile, Reason,
};
use serde_json::json;

use crate::support::faulty::{Fault, Plan};
use crate::support::proving::{PAR, Prover, configured, dpop, fixture};
use crate::support::{Answer, CALLBACK, Fixture, SECRET, clients, code_query, redemption};

fn no_proof() -> (u16, String) {
    (400, "invalid_dpop_proof".to_owned())
}

fn wrong_key() -> (u16, String) {
    (400, "invalid_grant".to_owned())
}

/// A code of this client that is bound to a key.
async fn bound_code(fixture: &Fixture, client: &str, jkt: &str) -> String {
    let mut query = code_query(client, "read");
    query.push(("dpop_jkt", jkt));
    fixture.approve(&query).await.location_parameter("code").expect("a code")
}

#[tokio::test]
async fn tk_14_a_token_says_the_key_that_it_is_bound_to() {
    let (fixture, prover) = (fixture(), Prover::new());
    for client in ["pub", "conf"] {
        let answer = fixture.tokens_by(client, "read", &prover).await;
        assert_eq!(answer.text("token_type"), "DPoP");
        let seen = fixture.introspect("conf", &answer.access_token()).await.json();
        if client == "conf" {
            assert_eq!(
                (&seen["token_type"], &seen["cnf"]),
                (&json!("DPoP"), &json!({ "jkt": prover.thumbprint() }))
            );
        }
        let access = fixture.server.check(&answer.access_token()).await.unwrap();
        assert_eq!(access.confirmation().unwrap().jkt().unwrap().to_string(), prover.thumbprint());
    }
    let free = fixture.tokens("conf", "read").await;
    assert_eq!(free.text("token_type"), "Bearer");
    let seen = fixture.introspect("conf", &free.access_token()).await.json();
    assert_eq!((&seen["token_type"], seen.get("cnf")), (&json!("Bearer"), None));
}

#[tokio::test]
async fn dp_13_a_signed_token_and_its_introspection_agree_on_the_key() {
    let keys = Keys::rotating(MemoryKeyStore::new(), KeySchedule::default(), &[Algorithm::EdDsa]).unwrap();
    let fixture = configured(|builder| {
        builder.token_signer(JwtSigner::new(keys).unwrap()).access_tokens(AccessTokens::Jwt)
    });
    let prover = Prover::new();
    let answer = fixture.tokens_by("conf", "read", &prover).await;
    let token = answer.access_token();
    let (_, claims) = fixture.opened(&token).await;
    assert_eq!(claims["cnf"], json!({ "jkt": prover.thumbprint() }));
    let seen = fixture.introspect("conf", &token).await.json();
    assert_eq!((&seen["token_type"], &seen["cnf"]), (&json!("DPoP"), &claims["cnf"]));
    // The example of RFC 7638 section 3.1.
    let key = grantor::jose::Jwk::parse(
        r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#,
    );
    assert_eq!(key.unwrap().thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

#[tokio::test]
async fn tk_15_a_client_that_is_registered_for_it_gets_no_token_without_a_proof() {
    let strict = Client::builder("strict").redirect_uri(CALLBACK).secret(SECRET).grant_types([
        GrantType::AuthorizationCode,
        GrantType::RefreshToken,
        GrantType::ClientCredentials,
    ]);
    let strict = strict.dpop_bound_access_tokens(true).build().unwrap();
    let registry = MemoryRegistry::new(clients().into_iter().chain([strict]));
    let (fixture, prover) = (configured(|builder| builder.clients(registry)), Prover::new());
    let robot = [("grant_type", "client_credentials")];
    assert_eq!(fixture.token("strict", &robot).await.error(), no_proof());
    assert_eq!(fixture.log.last_reason(), Some(Reason::Proof(ProofFlaw::Missing)));
    let code = fixture.code("strict", "read").await;
    assert_eq!(fixture.redeem("strict", &code).await.error(), no_proof());
    let answer = fixture.token_by("strict", &redemption(&code), &prover.for_token()).await;
    assert_eq!(
        (answer.status(), answer.text("token_type").as_str()),
        (200, "DPoP"),
        "the code is still good"
    );
    assert_eq!(fixture.refresh("strict", &answer.refresh_token()).await.error(), no_proof());
    assert_eq!(
        fixture.refresh_by("strict", &answer.refresh_token(), &prover.for_token()).await.status(),
        200
    );
    assert_eq!(fixture.token("conf", &robot).await.text("token_type"), "Bearer", "others are free");
}

#[tokio::test]
async fn dp_18_where_every_token_has_to_be_bound_none_is_issued_without_a_key() {
    let fixture = configured(|builder| builder.require_bound_tokens().profile(Profile::Rfc6749));
    let prover = Prover::new();
    let password = [("grant_type", "password"), ("username", "alice"), ("password", "wonderland")];
    let robot = [("grant_type", "client_credentials")];
    for (client, form) in [("legacy", &password[..]), ("robot", &robot[..])] {
        assert_eq!(fixture.token(client, form).await.error(), no_proof(), "{client}");
        let answer = fixture.token_by(client, form, &prover.for_token()).await;
        assert_eq!((answer.status(), answer.text("token_type").as_str()), (200, "DPoP"), "{client}");
    }
    let code = fixture.code("pub", "read").await;
    assert_eq!(fixture.redeem("pub", &code).await.error(), no_proof());
    let jkt = prover.thumbprint();
    let implicit = [
        ("response_type", "token"),
        ("client_id", "legacy"),
        ("redirect_uri", CALLBACK),
        ("scope", "read"),
        ("dpop_jkt", jkt.as_str()),
    ];
    let answer = fixture.approve(&implicit).await;
    assert_eq!(answer.location_parameter("error").as_deref(), Some("unauthorized_client"));
    assert_eq!(answer.location_parameter("access_token"), None);
    let builder = || AuthorizationServer::builder("https://as.example").clients(MemoryRegistry::default());
    let unprovable = builder().store(MemoryStore::new()).require_bound_tokens().build();
    assert_eq!(unprovable.unwrap_err().all(), [ConfigError::BindingMissing]);
}

#[tokio::test]
async fn tk_16_a_code_that_is_bound_to_a_key_is_redeemed_by_its_holder_alone() {
    for client in ["pub", "conf"] {
        let (fixture, prover) = (fixture(), Prover::new());
        let code = bound_code(&fixture, client, &prover.thumbprint()).await;
        let form = redemption(&code);
        assert_eq!(fixture.redeem(client, &code).await.error(), no_proof(), "{client}");
        let thief = Prover::new().for_token();
        assert_eq!(fixture.token_by(client, &form, &thief).await.error(), wrong_key(), "{client}");
        assert_eq!(fixture.log.last_reason(), Some(Reason::Proof(ProofFlaw::OtherKey)));
        let answer = fixture.token_by(client, &form, &prover.for_token()).await;
        assert_eq!((answer.status(), answer.text("token_type").as_str()), (200, "DPoP"), "{client}");
    }
}

#[tokio::test]
async fn dp_16_dpop_jkt_is_a_thumbprint_and_is_ignored_where_no_proofs_are_taken() {
    let jkt = Prover::new().thumbprint();
    for bad in ["short", "", &jkt[1..], &format!("{jkt}A"), &format!("{}=", &jkt[1..]), &"!".repeat(43)] {
        let mut query = code_query("conf", "read");
        query.push(("dpop_jkt", bad));
        let answer = fixture().approve(&query).await;
        let error = (!bad.is_empty()).then_some("invalid_request");
        assert_eq!(answer.location_parameter("error").as_deref(), error, "{bad:?}");
        assert!(Fixture::new().approve(&query).await.location_parameter("code").is_some(), "{bad:?}");
    }
    let plain = Fixture::new();
    let code = bound_code(&plain, "conf", &jkt).await;
    assert_eq!(plain.redeem("conf", &code).await.status(), 200);
}

#[tokio::test]
async fn pr_13_a_pushed_request_binds_its_code_by_dpop_jkt_or_by_a_proof_and_both_have_to_agree() {
    let (fixture, prover) = (fixture(), Prover::new());
    let jkt = prover.thumbprint();
    let mut named = code_query("conf", "read");
    named.push(("dpop_jkt", &jkt));
    let plain = code_query("conf", "read");
    let proof = || prover.proof("POST", PAR, json!({}));
    let pushes = [
        fixture.push_by("conf", &plain, &proof()).await,
        fixture.push_by("conf", &named, &proof()).await,
        Answer(fixture.server.pushed_authorization_request(&crate::support::request("conf", &named)).await),
    ];
    for pushed in pushes {
        assert_eq!(pushed.status(), 201, "{}", pushed.json());
        let uri = pushed.text("request_uri");
        let visit = [("client_id", "conf"), ("request_uri", uri.as_str())];
        let code = fixture.approve(&visit).await.location_parameter("code").expect("a code");
        let thief = Prover::new().for_token();
        assert_eq!(fixture.token_by("conf", &redemption(&code), &thief).await.error(), wrong_key());
        assert_eq!(fixture.token_by("conf", &redemption(&code), &prover.for_token()).await.status(), 200);
    }
    let other = Prover::new().proof("POST", PAR, json!({}));
    assert_eq!(fixture.push_by("conf", &named, &other).await.error(), no_proof());
    assert_eq!(fixture.log.last_reason(), Some(Reason::Proof(ProofFlaw::PushedOtherKey)));
    let mut malformed = code_query("conf", "read");
    malformed.push(("dpop_jkt", "short"));
    let refused = Answer(
        fixture.server.pushed_authorization_request(&crate::support::request("conf", &malformed)).await,
    );
    assert_eq!(refused.error(), (400, "invalid_request".to_owned()));
}

#[tokio::test]
async fn rt_08_a_refresh_token_of_a_public_client_is_bound_to_its_key_and_one_of_another_client_is_not() {
    let (fixture, prover) = (fixture(), Prover::new());
    let public = fixture.tokens_by("pub", "read", &prover).await.refresh_token();
    let thief = Prover::new();
    assert_eq!(fixture.refresh_by("pub", &public, &thief.for_token()).await.error(), wrong_key());
    let own = fixture.tokens_by("conf", "read", &prover).await.refresh_token();
    let answer = fixture.refresh_by("conf", &own, &thief.for_token()).await;
    assert_eq!(answer.status(), 200, "its authentication protects it");
}

#[tokio::test]
async fn dp_14_a_public_clients_tokens_keep_their_key_over_every_rotation_and_a_wrong_one_ends_nothing() {
    let (fixture, prover) = (fixture(), Prover::new());
    let mut token = fixture.tokens_by("pub", "read", &prover).await.refresh_token();
    for _ in 0..3 {
        assert_eq!(fixture.refresh("pub", &token).await.error(), no_proof());
        assert_eq!(fixture.refresh_by("pub", &token, &Prover::new().for_token()).await.error(), wrong_key());
        let answer = fixture.refresh_by("pub", &token, &prover.for_token()).await;
        assert_eq!((answer.status(), answer.text("token_type").as_str()), (200, "DPoP"));
        // The answer was lost: the same tokens come again, to a proof by the same key alone.
        assert_eq!(fixture.refresh("pub", &token).await.error(), no_proof());
        assert_eq!(fixture.refresh_by("pub", &token, &Prover::new().for_token()).await.error(), wrong_key());
        let again = fixture.refresh_by("pub", &token, &prover.for_token()).await;
        assert_eq!(again.json(), answer.json());
        let access = fixture.server.check(&again.access_token()).await.unwrap();
        assert_eq!(access.confirmation().unwrap().jkt().unwrap().to_string(), prover.thumbprint());
        token = answer.refresh_token();
        fixture.clock.advance(Duration::from_secs(1));
    }
    let free = fixture.tokens("pub", "read").await;
    let bound = fixture.refresh_by("pub", &free.refresh_token(), &prover.for_token()).await;
    assert_eq!(bound.text("token_type"), "DPoP");
    let first = fixture.server.check(&free.access_token()).await.unwrap();
    assert_eq!(first.confirmation(), None, "it was issued without a key");
    let token = bound.refresh_token();
    assert_eq!(fixture.refresh("pub", &token).await.error(), no_proof(), "from now on the key is needed");
    assert_eq!(fixture.refresh_by("pub", &token, &Prover::new().for_token()).await.error(), wrong_key());
    assert_eq!(fixture.refresh_by("pub", &token, &prover.for_token()).await.status(), 200);
}

#[tokio::test]
async fn dp_15_a_confidential_client_may_refresh_with_a_new_key() {
    let (fixture, first) = (fixture(), Prover::new());
    let tokens = fixture.tokens_by("conf", "read", &first).await;
    let second = Prover::with(Algorithm::EdDsa);
    let answer = fixture.refresh_by("conf", &tokens.refresh_token(), &second.for_token()).await;
    for (token, prover) in [(tokens.access_token(), &first), (answer.access_token(), &second)] {
        let seen = fixture.introspect("conf", &token).await.json();
        assert_eq!(seen["cnf"]["jkt"], json!(prover.thumbprint()));
    }
}

#[tokio::test]
async fn a_lost_answer_to_a_code_is_given_again_to_the_key_of_the_first_request_alone() {
    for client in ["pub", "conf"] {
        let plan = Plan::default();
        let store = Arc::new(MemoryStore::new());
        let used = crate::support::faulty::Faulty::new(store.clone(), &plan);
        let fixture = Fixture::on(store.clone(), used, |builder| builder.replay_guard(store).dpop(dpop()));
        let prover = Prover::new();
        let code = fixture.code(client, "read").await;
        let form = redemption(&code);
        plan.arm(1, Fault::UnknownAfter);
        assert_eq!(fixture.token_by(client, &form, &prover.for_token()).await.status(), 503);
        assert!(plan.recover());
        assert_eq!(fixture.redeem(client, &code).await.error(), no_proof(), "{client}");
        let thief = Prover::new().for_token();
        assert_eq!(fixture.token_by(client, &form, &thief).await.error(), wrong_key(), "{client}");
        let answer = fixture.token_by(client, &form, &prover.for_token()).await;
        assert_eq!((answer.status(), answer.text("token_type").as_str()), (200, "DPoP"), "{client}");
    }
}

#[tokio::test]
async fn a_stored_grant_keeps_the_thumbprint_and_never_a_key() {
    use grantor::store::{Filter, Page, TokenStore as _};
    let (fixture, prover) = (fixture(), Prover::new());
    fixture.tokens_by("pub", "read", &prover).await;
    let listing = fixture.store.list(&Filter::default(), Page::first(2)).await.unwrap();
    let body = listing.records[0].grant().encode();
    assert!(body.contains(&format!(r#""cnf":{{"jkt":"{}"}}"#, prover.thumbprint())), "{body}");
    for part in ["x", "y"] {
        assert!(!body.contains(prover.jwk()[part].as_str().unwrap()));
    }
}
