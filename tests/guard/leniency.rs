//! The access tokens of other servers: refused as they are, and taken by name. The shapes are those that the
//! servers' documentation gives for their defaults.

use grantor::jose::{self, SigningKey};
use grantor::resource::{JwtVerifier, Leniency, Requirement, StaticKeys};
use grantor::{Reason, Subject};
use serde_json::{Value, json};

use crate::support::guarded::{API, Api, changed, forged, key, set, token};
use crate::support::{ISSUER, TestClock};

const EXPIRES: i64 = TestClock::START + 600;

fn lenient(key: &SigningKey, with: &[Leniency]) -> Api {
    let verifier = JwtVerifier::new(ISSUER, StaticKeys::new(&set([key]))).allow(with);
    Api::with(|builder| builder.verifier(verifier))
}

fn keycloak() -> Value {
    json!({
        "exp": EXPIRES, "iat": TestClock::START, "jti": "onrtac:5c1f", "iss": ISSUER, "aud": [API, "account"],
        "sub": "f1b8", "typ": "Bearer", "azp": "conf", "sid": "6d0e", "acr": "1",
        "realm_access": { "roles": ["offline_access"] }, "scope": "read email", "email_verified": false,
    })
}

fn auth0() -> Value {
    json!({
        "iss": ISSUER, "sub": "auth0|5f7c", "aud": [API, "https://tenant.example/userinfo"],
        "iat": TestClock::START, "exp": EXPIRES, "azp": "conf", "scope": "openid read", "permissions": ["read"],
    })
}

fn entra() -> Value {
    json!({
        "aud": API, "iss": ISSUER, "iat": TestClock::START, "nbf": TestClock::START, "exp": EXPIRES,
        "azp": "conf", "azpacr": "1", "oid": "00aa", "sub": "pairwise", "scp": "read write", "tid": "9188",
        "uti": "x", "ver": "2.0",
    })
}

fn plain(key: &SigningKey, claims: &Value) -> String {
    jose::encode_now("JWT", claims, key).unwrap().unwrap()
}

#[tokio::test]
async fn ft_32_tokens_of_other_servers_need_a_leniency_by_name() {
    let key = key();
    let strict = Api::trusting(&key);
    for (claims, with, user, scope) in [
        (keycloak(), Leniency::KEYCLOAK, "f1b8", "read email"),
        (auth0(), Leniency::AUTH0, "auth0|5f7c", "openid read"),
        (entra(), Leniency::ENTRA, "pairwise", "read write"),
    ] {
        let token = plain(&key, &claims);
        assert_eq!(strict.outcome(&token).await, (401, Some(Reason::TokenUnreadable)));
        let api = lenient(&key, with);
        let access = api.check(&token, &Requirement::scopes(["read"])).await.expect("it passes");
        assert_eq!(access.subject(), &Subject::user(user));
        assert_eq!((access.client().as_str(), access.scope().as_str()), ("conf", scope));
        // Each difference is needed: without any one of them the token is refused.
        for left_out in with {
            let rest: Vec<Leniency> = with.iter().copied().filter(|own| own != left_out).collect();
            let outcome = lenient(&key, &rest).check(&token, &Requirement::scopes(["read"])).await;
            assert!(outcome.is_err(), "without {left_out:?}");
        }
    }
}

#[tokio::test]
async fn ft_32_a_leniency_gives_up_nothing_else() {
    let (key, stranger) = (key(), key());
    let api = lenient(&key, Leniency::ENTRA);
    assert_eq!(api.outcome(&plain(&key, &entra())).await, (200, None));
    for (what, changes, reason) in [
        ("another audience", json!({ "aud": "https://other.example" }), Reason::TokenAudienceWrong),
        ("another issuer", json!({ "iss": "https://other.example" }), Reason::TokenIssuerWrong),
        ("expired", json!({ "exp": TestClock::START - 60 }), Reason::TokenExpired),
        ("bound to a key", json!({ "cnf": { "jkt": "x" } }), Reason::TokenBound),
        ("nobody's", json!({ "sub": null }), Reason::TokenUnreadable),
        ("no client's", json!({ "azp": null }), Reason::TokenUnreadable),
        ("a client of another type", json!({ "azp": 5 }), Reason::TokenUnreadable),
        ("a scope of another type", json!({ "scp": 5 }), Reason::TokenUnreadable),
        ("two scopes in one", json!({ "scp": ["read write"] }), Reason::TokenUnreadable),
        ("an ID token by its nonce", json!({ "nonce": "n" }), Reason::TokenUnreadable),
        ("an ID token by its hash", json!({ "at_hash": "h" }), Reason::TokenUnreadable),
        ("a logout token", json!({ "events": {} }), Reason::TokenUnreadable),
        ("an ID token of Keycloak", json!({ "typ": "ID" }), Reason::TokenUnreadable),
        ("a refresh token of Keycloak", json!({ "typ": "Refresh" }), Reason::TokenUnreadable),
    ] {
        let outcome = api.outcome(&plain(&key, &changed(entra(), changes))).await;
        assert_eq!(outcome, (401, Some(reason)), "{what}");
    }
    assert_eq!(api.outcome(&plain(&stranger, &entra())).await, (401, Some(Reason::TokenSignatureWrong)));
    let other = jose::encode_now("dpop+jwt", &entra(), &key).unwrap().unwrap();
    assert_eq!(api.outcome(&other).await, (401, Some(Reason::TokenUnreadable)));
    // What is typed as an access token may have any claim.
    let typed =
        jose::encode_now("at+jwt", &changed(entra(), json!({ "nonce": "n" })), &key).unwrap().unwrap();
    assert_eq!(api.outcome(&typed).await, (200, None));
}

#[tokio::test]
async fn ft_32_a_scope_may_be_a_list_where_that_is_allowed() {
    let key = key();
    let list = token(&key, json!({ "scope": ["read", "write"] }));
    assert_eq!(Api::trusting(&key).outcome(&list).await, (401, Some(Reason::TokenUnreadable)));
    let api = lenient(&key, &[Leniency::ScopeList]);
    assert_eq!(api.check(&list, &Requirement::any()).await.unwrap().scope().as_str(), "read write");
    let listed = token(&key, json!({ "scope": null, "scp": ["read", "write"] }));
    assert!(
        api.check(&listed, &Requirement::any()).await.unwrap().scope().is_empty(),
        "scp is not looked at"
    );
    let api = lenient(&key, &[Leniency::Scp]);
    assert_eq!(api.check(&listed, &Requirement::any()).await.unwrap().scope().as_str(), "read write");
    let both = token(&key, json!({ "scope": "read", "scp": "read write" }));
    assert_eq!(api.check(&both, &Requirement::any()).await.unwrap().scope().as_str(), "read");
}

#[tokio::test]
async fn ft_32_an_issuer_may_call_the_resource_by_another_name() {
    let key = key();
    let verifier = JwtVerifier::new(ISSUER, StaticKeys::new(&set([&key]))).audience("6e74172b");
    let api = Api::with(|builder| builder.verifier(verifier));
    assert_eq!(api.outcome(&token(&key, json!({ "aud": "6e74172b" }))).await, (200, None));
    assert_eq!(api.outcome(&token(&key, json!({}))).await, (401, Some(Reason::TokenAudienceWrong)));
}

#[tokio::test]
async fn ft_31_the_guard_takes_dates_with_a_fraction() {
    let key = key();
    let api = Api::trusting(&key);
    let (start, end) = (TestClock::START as f64, EXPIRES as f64);
    let good = token(
        &key,
        json!({ "iat": start + 0.25, "nbf": start + 0.25, "exp": end + 0.75, "auth_time": start - 0.5 }),
    );
    let access = api.check(&good, &Requirement::any()).await.expect("it passes");
    assert_eq!(access.expires().timestamp(), EXPIRES);
    assert_eq!(access.auth_time(), Some(TestClock::START - 1));
    assert_eq!(api.outcome(&token(&key, json!({ "exp": start - 60.5 }))).await.1, Some(Reason::TokenExpired));
    for odd in [json!("1"), json!(-1), json!(1e300), json!([1]), json!(true)] {
        let outcome = api.outcome(&token(&key, json!({ "exp": odd }))).await;
        assert_eq!(outcome, (401, Some(Reason::TokenUnreadable)), "{odd}");
    }
    let raw = format!(
        r#"{{"iss":"{ISSUER}","sub":"alice","sub_type":"user","aud":"{API}","client_id":"conf","jti":"a","iat":1.7e9,"exp":{EXPIRES}.5}}"#
    );
    assert_eq!(api.outcome(&forged(&key, r#"{"alg":"EdDSA","typ":"at+jwt"}"#, &raw)).await, (200, None));
}
