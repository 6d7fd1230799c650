//! The implicit and the hybrid flow (OpenID Connect Core sections 3.2 and 3.3): the answers, and what becomes
//! of what they have.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grantor::jose::{Algorithm, Jws};
use grantor::openid::ClaimsTo;
use grantor::store::Filter;
use grantor::{
    AccessTokens, EventKind, MemoryRegistry, MemoryStore, Policy, Profile, ResponseType, Scope, Subject,
};
use serde_json::json;
use sha2::{Digest as _, Sha256, Sha512};

use crate::support::hybrid::{NONCE, error, field, hybrid, legacy, names, query};
use crate::support::provider::{ALGORITHMS, Provider, client};
use crate::support::proving::{Prover, call_with, dpop, hash};
use crate::support::signing_out::{SigningOut, hearing};
use crate::support::{Answer, ISSUER, redemption};

/// The left half of the hash that goes with an algorithm.
fn half(algorithm: Algorithm, text: &str) -> String {
    match algorithm {
        Algorithm::EdDsa => URL_SAFE_NO_PAD.encode(&Sha512::digest(text)[..32]),
        _ => URL_SAFE_NO_PAD.encode(&Sha256::digest(text)[..16]),
    }
}

const TOKEN: &[&str] = &["access_token", "expires_in", "scope", "token_type"];

#[tokio::test]
async fn oi_41_each_response_type_has_its_words_in_the_answer_in_whatever_order_they_are_asked_for() {
    let provider = legacy();
    for (response_type, words) in [
        ("id_token", &["id_token"][..]),
        ("id_token token", &["id_token", "token"]),
        ("token id_token", &["id_token", "token"]),
        ("code id_token", &["code", "id_token"]),
        ("id_token code", &["code", "id_token"]),
        ("code token", &["code", "token"]),
        ("token code", &["code", "token"]),
        ("token id_token code", &["code", "id_token", "token"]),
    ] {
        let before = provider.fixture.log.whats().len();
        let answer = provider.answer("app", response_type, "openid read", &[NONCE]).await;
        let events = provider.fixture.log.whats().split_off(before);
        assert!(events.contains(&EventKind::TokensIssued), "{response_type}");
        let has_token = words.contains(&"token");
        let mut expected: Vec<&str> = words.iter().copied().filter(|word| *word != "token").collect();
        expected.extend(TOKEN.iter().filter(|_| has_token));
        expected.extend(["iss", "state"]);
        expected.sort_unstable();
        assert_eq!(names(&answer), expected, "{response_type}");
        assert_eq!((field(&answer, "iss").as_str(), field(&answer, "state").as_str()), (ISSUER, "the state"));
        if has_token {
            assert!(provider.fixture.is_live(&field(&answer, "access_token")).await, "{response_type}");
            assert_eq!(field(&answer, "expires_in"), "600");
        }
        if words.contains(&"code") {
            let redeemed = provider.fixture.redeem("app", &field(&answer, "code")).await;
            assert_eq!(redeemed.status(), 200, "{response_type}");
            assert_eq!(provider.id_token(&redeemed).await["sub"], "alice");
        }
    }
}

#[tokio::test]
async fn oi_42_a_signed_response_has_the_tokens_inside() {
    let provider = Provider::with(vec![hybrid("app", json!({}))], |builder| {
        builder.profile(Profile::Rfc6749).sign_authorization_responses().access_tokens(AccessTokens::Jwt)
    });
    let more = [NONCE, ("response_mode", "jwt")];
    let answer = provider.answer("app", "code id_token token", "openid", &more).await;
    assert_eq!(names(&answer), ["response"]);
    let inside = provider.says(&field(&answer, "response")).await;
    let text = |name: &str| inside[name].as_str().unwrap_or_else(|| panic!("no {name}"));
    assert_eq!((&inside["expires_in"], &inside["state"]), (&json!(600), &json!("the state")));
    let claims = provider.says(text("id_token")).await;
    assert_eq!(claims["at_hash"], half(Algorithm::Rs256, text("access_token")));
    assert_eq!(claims["c_hash"], half(Algorithm::Rs256, text("code")));
    assert_eq!(provider.fixture.redeem("app", text("code")).await.status(), 200);
}

#[tokio::test]
async fn oi_44_it_is_bound_to_all_that_goes_with_it() {
    let of_each =
        ALGORITHMS.map(|own| hybrid(own.as_str(), json!({ "id_token_signed_response_alg": own.as_str() })));
    for format in [AccessTokens::Opaque, AccessTokens::Jwt] {
        let provider = Provider::with(of_each.to_vec(), |builder| {
            builder.profile(Profile::Rfc6749).access_tokens(format)
        });
        for algorithm in ALGORITHMS {
            for response_type in ResponseType::ALL.iter().filter(|known| known.has_id_token()) {
                let name = response_type.as_str();
                let answer = provider.answer(algorithm.as_str(), name, "openid", &[NONCE]).await;
                let id_token = field(&answer, "id_token");
                assert_eq!(Jws::parse(&id_token).unwrap().algorithm(), algorithm);
                let claims = provider.says(&id_token).await;
                let hash =
                    |name: &str| answer.location_parameter(name).map(|text| json!(half(algorithm, &text)));
                assert_eq!(claims.get("at_hash"), hash("access_token").as_ref(), "{name}");
                assert_eq!(claims.get("c_hash"), hash("code").as_ref(), "{name}");
                assert_eq!(claims.get("s_hash"), hash("state").as_ref(), "{name}");
                assert_eq!(claims["nonce"], NONCE.1);
            }
        }
    }
    let provider = legacy();
    let answer = provider.answer("app", "id_token", "openid", &[NONCE, ("state", "")]).await;
    assert_eq!(provider.says(&field(&answer, "id_token")).await.get("s_hash"), None, "no state");
}

#[tokio::test]
async fn oi_45_both_id_tokens_tell_of_the_same_login() {
    let provider = legacy();
    let login = provider.fixture.alice().with_acr("silver").with_amr(["pwd"]);
    for response_type in ["code id_token", "code id_token token"] {
        let query = query("app", response_type, "openid", &[NONCE]);
        let answer = Answer(provider.consent_to(&query, login.clone()).await.approve().await);
        let first = provider.says(&field(&answer, "id_token")).await;
        provider.fixture.clock.advance(Duration::from_secs(20));
        let redeemed = provider.fixture.redeem("app", &field(&answer, "code")).await;
        let second = provider.id_token(&redeemed).await;
        for same in ["iss", "sub", "aud", "nonce", "auth_time", "acr", "amr"] {
            assert!(first.get(same).is_some() && first[same] == second[same], "{same}");
        }
        assert_eq!(second["at_hash"], half(Algorithm::Rs256, &redeemed.access_token()));
        assert_eq!((second.get("c_hash"), second.get("s_hash")), (None, None));
    }
}

#[tokio::test]
async fn oi_46_an_id_token_alone_has_the_claims_of_the_scope() {
    let provider = legacy();
    let answer = provider.answer("app", "id_token", "openid email", &[NONCE]).await;
    let claims = provider.says(&field(&answer, "id_token")).await;
    assert_eq!((&claims["email"], claims.get("name")), (&json!("alice@example.com"), None));
    let asked = provider.people.asked();
    assert_eq!(asked.last().unwrap().0, ClaimsTo::IdToken);
    for response_type in ["id_token token", "code id_token"] {
        let answer = provider.answer("app", response_type, "openid email", &[NONCE]).await;
        assert_eq!(provider.says(&field(&answer, "id_token")).await.get("email"), None, "{response_type}");
    }
    for (claims, refused) in [
        (r#"{"userinfo":{"email":null}}"#, true),
        (r#"{"userinfo":{}}"#, false),
        (r#"{"id_token":{"nickname":null}}"#, false),
    ] {
        let answer = provider.answer("app", "id_token", "openid", &[NONCE, ("claims", claims)]).await;
        assert_eq!(error(&answer).as_deref() == Some("invalid_request"), refused, "{claims}");
    }
    let more = [NONCE, ("claims", r#"{"userinfo":{"nickname":null}}"#)];
    let answer = provider.answer("app", "id_token token", "openid", &more).await;
    assert_eq!(provider.claims(&field(&answer, "access_token")).await["nickname"], "Al");
}

#[tokio::test]
async fn oi_48_the_browser_gets_no_refresh_token_and_no_offline_access() {
    let provider = Provider::with(vec![hybrid("app", json!({}))], |builder| {
        builder.profile(Profile::Rfc6749).scopes(["openid", "read", "offline_access"])
    });
    for response_type in ResponseType::ALL.iter().filter(|known| **known != ResponseType::Code) {
        let name = response_type.as_str();
        let more = [NONCE, ("prompt", "consent")];
        let answer = provider.answer("app", name, "openid read offline_access", &more).await;
        assert_eq!(answer.location_parameter("refresh_token"), None, "{name}");
        if response_type.has_token() {
            assert_eq!(field(&answer, "scope"), "openid read", "{name}");
        }
        if response_type.has_code() {
            let redeemed = provider.fixture.redeem("app", &field(&answer, "code")).await;
            assert_eq!(redeemed.text("scope"), "openid read offline_access", "{name}");
            assert_eq!(provider.fixture.refresh("app", &redeemed.refresh_token()).await.status(), 200);
        }
    }
}

#[tokio::test]
async fn a_token_beside_a_code_is_of_the_same_grant() {
    let provider = legacy();
    let fixture = &provider.fixture;
    for response_type in ["code token", "code id_token token"] {
        let answer = provider.answer("app", response_type, "openid read", &[NONCE]).await;
        let (code, token) = (field(&answer, "code"), field(&answer, "access_token"));
        let early = fixture.server.check(&token).await.unwrap();
        let redeemed = fixture.redeem("app", &code).await;
        let late = fixture.server.check(&redeemed.access_token()).await.unwrap();
        assert_eq!(early.grant_id(), late.grant_id());
        assert!(fixture.is_live(&token).await, "it lives on");
        assert_eq!(fixture.introspect("app", &token).await.json()["active"], true);
        // A second use of the code ends all of it.
        assert_eq!(fixture.redeem("app", &code).await.error(), (400, "invalid_grant".to_owned()));
        assert!(!fixture.is_live(&token).await && !fixture.is_live(&redeemed.access_token()).await);

        let answer = provider.answer("app", response_type, "openid read", &[NONCE]).await;
        let (code, token) = (field(&answer, "code"), field(&answer, "access_token"));
        assert_eq!(fixture.revoke("app", &token).await.status(), 200);
        assert!(!fixture.is_live(&token).await);
        let redeemed = fixture.redeem("app", &code).await;
        assert_eq!(redeemed.status(), 200, "a revoked token leaves the code");
        assert!(!fixture.is_live(&token).await);

        let answer = provider.answer("app", response_type, "openid read", &[NONCE]).await;
        let (code, token) = (field(&answer, "code"), field(&answer, "access_token"));
        assert_eq!(fixture.revoke("app", &code).await.status(), 200);
        assert!(!fixture.is_live(&token).await, "a revoked code takes the token along");
    }
}

#[tokio::test]
async fn a_token_beside_a_code_outlives_it_and_then_goes() {
    let provider = legacy();
    let fixture = &provider.fixture;
    let answer = provider.answer("app", "code token", "openid read", &[]).await;
    let (code, token) = (field(&answer, "code"), field(&answer, "access_token"));
    fixture.clock.advance(Policy::default().code_lifetime + Duration::from_secs(120));
    fixture.server.sweep().await.unwrap();
    assert!(fixture.is_live(&token).await);
    assert_eq!(fixture.redeem("app", &code).await.error(), (400, "invalid_grant".to_owned()));
    assert_eq!(fixture.server.grants_of(&Subject::user("alice")).await.unwrap().len(), 1, "it is listed");
    let grants = fixture.server.grants(&Filter::default(), None, 1).await.unwrap();
    let (grant, end) = (grants.records[0].grant(), fixture.server.check(&token).await.unwrap().expires());
    assert!(grant.is_redeemed(end - Duration::from_secs(1)) && !grant.is_redeemed(end));
    fixture.clock.advance(Duration::from_secs(600));
    assert!(!fixture.is_live(&token).await);
    fixture.server.sweep().await.unwrap();
    assert_eq!(fixture.count().await, 0);
}

#[tokio::test]
async fn a_token_beside_a_code_has_what_is_left_of_the_consent() {
    let provider = legacy();
    let query = query("app", "code token", "openid read write", &[]);
    let consent = provider.consent_to(&query, provider.fixture.alice()).await;
    let answer = Answer(consent.approve_scope(&Scope::parse("openid read").unwrap()).await);
    assert_eq!(field(&answer, "scope"), "openid read");
    let access = provider.fixture.server.check(&field(&answer, "access_token")).await.unwrap();
    assert_eq!(access.scope(), &Scope::parse("openid read").unwrap());
    let redeemed = provider.fixture.redeem("app", &field(&answer, "code")).await;
    assert_eq!(redeemed.text("scope"), "openid read");
}

#[tokio::test]
async fn a_logout_tells_a_client_that_got_an_id_token_from_the_browser() {
    let host = SigningOut::with(|builder| {
        let clients = [hybrid("rp", hearing("rp")), hybrid("rp2", hearing("rp2")), hybrid("deaf", json!({}))];
        builder.profile(Profile::Rfc6749).clients(MemoryRegistry::new(clients))
    });
    let fixture = &host.provider.fixture;
    for (client, response_type) in [("rp", "id_token"), ("rp2", "code id_token"), ("deaf", "id_token")] {
        let query = query(client, response_type, "openid", &[NONCE]);
        let answer = Answer(host.provider.consent_to(&query, host.alice("s")).await.approve().await);
        assert!(host.provider.says(&field(&answer, "id_token")).await["sid"].is_string());
    }
    fixture.clock.advance(Duration::from_secs(60 * 60));
    fixture.server.sweep().await.unwrap();
    assert_eq!(fixture.count().await, 2, "that of `deaf` is gone");
    assert_eq!(host.end("s").await, 1, "a code that ran out");
    assert_eq!(host.told(), ["rp.example", "rp2.example"]);
}

#[tokio::test]
async fn an_access_token_alone_reads_userinfo_until_its_session_ends() {
    let host = SigningOut::with(|builder| {
        builder.profile(Profile::Rfc6749).clients(MemoryRegistry::new([hybrid("rp", hearing("rp"))]))
    });
    let provider = &host.provider;
    let claims = [("claims", r#"{"userinfo":{"name":null}}"#)];
    let query = query("rp", "token", "openid email", &claims);
    let answer = Answer(provider.consent_to(&query, host.alice("s")).await.approve().await);
    let token = field(&answer, "access_token");
    let said = provider.claims(&token).await;
    assert_eq!((&said["name"], &said["email"]), (&json!("Alice Liddell"), &json!("alice@example.com")));
    assert_eq!(host.end("s").await, 1);
    assert_eq!(provider.userinfo(&token).await.status(), 401);
    assert_eq!(host.told(), ["rp.example"]);
}

#[tokio::test]
async fn default_acr_values_are_a_wish_in_each_response_type() {
    let own = hybrid("app", json!({ "default_acr_values": ["2"] }));
    let provider = Provider::with(vec![own], |builder| builder.profile(Profile::Rfc6749));
    for response_type in ResponseType::ALL {
        let answer = provider.answer("app", response_type.as_str(), "openid", &[NONCE]).await;
        assert!(!answer.location().contains("error"), "{response_type:?}: {}", answer.location());
    }
}

#[tokio::test]
async fn the_grant_of_an_id_token_alone_holds_nothing() {
    let provider = legacy();
    let fixture = &provider.fixture;
    provider.answer("app", "id_token", "openid email", &[NONCE]).await;
    let grants = fixture.server.grants(&Filter::default(), None, 10).await.unwrap();
    assert_eq!(grants.records.len(), 1);
    assert!(!grants.records[0].grant().is_live(fixture.alice().authentication().auth_time));
    assert!(fixture.server.grants_of(&Subject::user("alice")).await.unwrap().is_empty());
    fixture.clock.advance(Duration::from_secs(120));
    fixture.server.sweep().await.unwrap();
    assert_eq!(fixture.count().await, 0);
}

#[tokio::test]
async fn a_pairwise_client_gets_its_own_sub_from_the_browser_too() {
    let own = hybrid("rppw", json!({ "subject_type": "pairwise" }));
    let provider = Provider::with(vec![own, client("plain", json!({}))], |builder| {
        let builder = builder.profile(Profile::Rfc6749).access_tokens(AccessTokens::Jwt);
        builder.pairwise_secret([7; 32])
    });
    let answer = provider.answer("rppw", "code id_token token", "openid", &[NONCE]).await;
    let first = provider.says(&field(&answer, "id_token")).await;
    let second = provider.id_token(&provider.fixture.redeem("rppw", &field(&answer, "code")).await).await;
    assert_eq!(first["sub"], second["sub"]);
    assert_ne!(first["sub"], "alice");
    let userinfo = provider.userinfo(&field(&answer, "access_token")).await.json();
    assert_eq!(userinfo["sub"], first["sub"]);
    assert!(!answer.location().contains("alice"));
}

#[tokio::test]
async fn a_token_beside_a_code_is_bound_to_the_key_that_the_request_names() {
    const USERINFO: &str = "https://as.example/userinfo";
    let (prover, thief) = (Prover::new(), Prover::new());
    let provider = Provider::with(vec![hybrid("app", json!({}))], |builder| {
        builder.profile(Profile::Rfc6749).replay_guard(MemoryStore::new()).dpop(dpop())
    });
    let server = &provider.fixture.server;
    let asks = async |prover: &Prover, token: &str| {
        let proof = prover.proof("GET", USERINFO, json!({ "ath": hash(token) }));
        server.userinfo(&call_with(token, &proof)).await.status
    };
    let jkt = prover.thumbprint();
    let answer = provider.answer("app", "code token", "openid read", &[("dpop_jkt", &jkt)]).await;
    assert_eq!(field(&answer, "token_type"), "DPoP");
    let (code, token) = (field(&answer, "code"), field(&answer, "access_token"));
    for is_redeemed in [false, true] {
        if is_redeemed {
            // A confidential client's grant has no key of its own from then on.
            let form = redemption(&code);
            assert_eq!(provider.fixture.token_by("app", &form, &prover.for_token()).await.status(), 200);
        }
        assert_eq!(provider.userinfo(&token).await.status(), 401, "as a bearer token");
        assert_eq!((asks(&prover, &token).await, asks(&thief, &token).await), (200, 401));
    }
}
