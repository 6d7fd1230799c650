//! Introspection: RFC 7662.

use std::time::Duration;

use grantor::{Client, Endpoint, GrantType, Login, MemoryRegistry, Policy, Request};
use serde_json::json;

use crate::support::{
    Answer, CALLBACK, Fixture, ISSUER, SECRET, TestClock, basic, code_query, encode, request,
};

fn inactive() -> serde_json::Value {
    json!({ "active": false })
}

#[tokio::test]
async fn in_01_nobody_learns_anything_without_proving_who_they_are() {
    let fixture = Fixture::new();
    let token = fixture.tokens("pub", "read").await.access_token();
    for (what, request) in [
        ("nobody", Request::post_form(encode(&[("token", &token)]))),
        ("a public client", request("pub", &[("token", &token)])),
        ("a native client", request("native", &[("token", &token)])),
        ("an id alone", Request::post_form(encode(&[("token", token.as_str()), ("client_id", "conf")]))),
        (
            "a wrong secret",
            Request::post_form(encode(&[("token", &token)])).header("authorization", basic("conf", "x")),
        ),
        (
            "the token itself",
            Request::post_form(encode(&[("token", &token)]))
                .header("authorization", format!("Bearer {token}")),
        ),
    ] {
        let answer = Answer(fixture.server.introspect(&request).await);
        assert_eq!(answer.error(), (401, "invalid_client".to_owned()), "{what}");
    }
}

#[tokio::test]
async fn in_02_an_active_token_tells_what_it_is() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens("conf", "read").await;
    let answer = fixture.introspect("conf", &tokens.access_token()).await;
    let (now, expires) = (TestClock::START, TestClock::START + 600);
    let expected = json!({
        "active": true, "scope": "read", "client_id": "conf", "token_type": "Bearer", "exp": expires, "iat": now,
        "sub": "alice", "sub_type": "user", "aud": ISSUER, "iss": ISSUER, "auth_time": now,
    });
    assert_eq!((answer.status(), answer.json()), (200, expected));
    assert_eq!(answer.0.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn in_02_of_what_is_not_active_the_answer_has_one_member() {
    let fixture = Fixture::new();
    let expired = fixture.tokens("conf", "read").await;
    fixture.clock.advance(Duration::from_secs(600));
    let revoked = fixture.tokens("conf", "read").await;
    fixture.revoke("conf", &revoked.refresh_token()).await;
    let alone = fixture.tokens("conf", "read").await;
    fixture.revoke("conf", &alone.access_token()).await;
    let foreign = fixture.tokens("other", "read").await;
    let code = fixture.code("conf", "read").await;
    for (what, token) in [
        ("garbage", "garbage".to_owned()),
        ("a handle of nothing", format!("gat_{}", "A".repeat(64))),
        ("expired", expired.access_token()),
        ("revoked", revoked.access_token()),
        ("a revoked refresh token", revoked.refresh_token()),
        ("revoked alone", alone.access_token()),
        ("another client's", foreign.access_token()),
        ("another client's refresh token", foreign.refresh_token()),
        ("a code", code.clone()),
        ("a code dressed as a token", code.replacen("gac_", "gat_", 1)),
        ("a refresh token dressed as a token", alone.refresh_token().replacen("grt_", "gat_", 1)),
    ] {
        let answer = fixture.introspect("conf", &token).await;
        assert_eq!((answer.status(), answer.json()), (200, inactive()), "{what}");
    }
}

#[tokio::test]
async fn in_03_a_client_sees_its_own_tokens_and_a_resource_server_those_it_may() {
    let fixture = Fixture::with(|b| b.introspect_all(["robot"]));
    let token = fixture.tokens("conf", "read").await.access_token();
    for (who, sees) in [("conf", true), ("robot", true), ("other", false), ("post", false)] {
        let answer = fixture.introspect(who, &token).await;
        assert_eq!(answer.json()["active"], sees, "{who}");
        assert!(sees || answer.json() == inactive(), "{who}");
    }
}

#[tokio::test]
async fn in_03_expiry_and_revocation_are_seen_at_once() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens("conf", "read").await;
    fixture.clock.advance(Duration::from_secs(599));
    assert_eq!(fixture.introspect("conf", &tokens.access_token()).await.json()["active"], true);
    fixture.clock.advance(Duration::from_secs(1));
    assert_eq!(fixture.introspect("conf", &tokens.access_token()).await.json(), inactive());
    let fresh = fixture.refresh("conf", &tokens.refresh_token()).await;
    assert_eq!(fixture.introspect("conf", &fresh.access_token()).await.json()["active"], true);
    fixture.revoke("conf", &tokens.refresh_token()).await;
    assert_eq!(fixture.introspect("conf", &fresh.access_token()).await.json(), inactive());
}

#[tokio::test]
async fn in_04_a_hint_that_is_wrong_or_unknown_changes_nothing() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens("conf", "read").await;
    for token in [tokens.access_token(), tokens.refresh_token()] {
        for hint in ["access_token", "refresh_token", "foo", ""] {
            let form = [("token", token.as_str()), ("token_type_hint", hint)];
            let answer = Answer(fixture.server.introspect(&request("conf", &form)).await);
            assert_eq!(answer.json()["active"], true, "{hint}");
        }
    }
}

#[tokio::test]
async fn in_05_how_the_user_signed_in_travels_with_the_token() {
    let fixture = Fixture::new();
    let request = Request::get(encode(&code_query("conf", "read")));
    let long_ago = fixture.alice().authentication().auth_time - Duration::from_secs(3600);
    let login = Login::new("alice", long_ago).with_acr("urn:example:gold");
    let consent = fixture.server.authorize(&request).await.unwrap().signed_in(login).await.consent().unwrap();
    let code = Answer(consent.approve().await).location_parameter("code").unwrap();
    let tokens = fixture.redeem("conf", &code).await;
    for token in
        [tokens.access_token(), fixture.refresh("conf", &tokens.refresh_token()).await.access_token()]
    {
        let seen = fixture.introspect("conf", &token).await;
        assert_eq!(seen.text("acr"), "urn:example:gold");
        assert_eq!(seen.json()["auth_time"], TestClock::START - 3600);
        assert_eq!(seen.text("token_type"), "Bearer");
    }
}

#[tokio::test]
async fn in_05_a_clients_own_token_speaks_of_no_login() {
    let fixture = Fixture::new();
    let answer = fixture.token("conf", &[("grant_type", "client_credentials")]).await;
    let seen = fixture.introspect("conf", &answer.access_token()).await.json();
    assert_eq!((&seen["sub"], &seen["sub_type"]), (&json!("conf"), &json!("client")));
    assert!(seen.get("auth_time").is_none() && seen.get("acr").is_none() && seen.get("cnf").is_none());
}

#[tokio::test]
async fn in_06_a_refresh_token_is_shown_to_its_client_alone_and_never_as_an_access_token() {
    let fixture = Fixture::with(|b| b.introspect_all(["robot"]));
    for client in ["conf", "post"] {
        let token = fixture.tokens(client, "read").await.refresh_token();
        let mine = fixture.introspect(client, &token).await.json();
        assert_eq!(mine["active"], true);
        assert!(mine.get("token_type").is_none(), "{mine}");
        assert_eq!(fixture.introspect("robot", &token).await.json(), inactive());
        assert_eq!(fixture.introspect("other", &token).await.json(), inactive());
    }
}

#[tokio::test]
async fn in_06_a_spent_refresh_token_and_a_guessed_one_are_inactive() {
    let rotating = Client::builder("rotating").redirect_uri(CALLBACK).secret(SECRET).rotate_refresh(true);
    let rotating = rotating.grant_types([GrantType::AuthorizationCode, GrantType::RefreshToken]).build();
    let fixture = Fixture::with(|b| b.clients(MemoryRegistry::new([rotating.unwrap()])));
    let spent = fixture.tokens("rotating", "read").await.refresh_token();
    let current = fixture.refresh("rotating", &spent).await.refresh_token();
    let last = if current.ends_with('A') { 'Q' } else { 'A' };
    let guessed = format!("{}{last}", &current[..current.len() - 1]);
    for (token, is_active) in [(&spent, false), (&guessed, false), (&current, true)] {
        assert_eq!(fixture.introspect("rotating", token).await.json()["active"], is_active, "{token}");
    }
    fixture.clock.advance(Policy::default().refresh_token_idle);
    assert_eq!(fixture.introspect("rotating", &current).await.json(), inactive());
}

#[tokio::test]
async fn in_07_it_is_post_only_and_no_cache_keeps_the_answer() {
    let fixture = Fixture::new();
    let token = fixture.tokens("conf", "read").await.access_token();
    let get = Request::get(encode(&[("token", &token)])).header("authorization", basic("conf", SECRET));
    let answer = Answer(fixture.server.handle(Endpoint::Introspection, &get).await);
    assert_eq!((answer.status(), answer.0.header("allow")), (405, Some("POST")));
    for token in [token.as_str(), "garbage"] {
        let post = request("conf", &[("token", token)]);
        let answer = fixture.server.handle(Endpoint::Introspection, &post).await;
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
}
