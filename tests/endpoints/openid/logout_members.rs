//! What clients register for a logout, and the frames of front-channel logout (OpenID Connect Front-Channel
//! Logout 1.0).

use grantor::keys::JwtSigner;
use grantor::outbound::OutboundResponse;
use grantor::server::{LogoutStep, Sessions};
use grantor::{Client, Registration};
use serde_json::{Value, json};

use crate::support::provider::{People, Provider, SCOPES, client, keys};
use crate::support::registering::{Registering, app_with};
use crate::support::scripted::Scripted;
use crate::support::signing_out::{AFTER, SECRET_OF_SESSIONS, SigningOut, sessions};
use crate::support::{Answer, CALLBACK, SECRET};

fn registering(own: Sessions) -> Registering {
    Registering::configured(Registration::open(), |builder| {
        let signer = JwtSigner::new(keys()).unwrap();
        builder.scopes(SCOPES).token_signer(signer).openid(People::default()).sessions(own)
    })
}

fn web() -> Scripted {
    Scripted::by(|_| Ok(OutboundResponse::new(200, "")))
}

#[tokio::test]
async fn lo_11_addresses_after_a_logout_follow_the_rules_of_redirect_uris_at_each_change() {
    let server = registering(sessions(&web()));
    let with = |uri: &str| json!({ "post_logout_redirect_uris": [AFTER, uri] });
    for bad in [
        "https://app.example/x#fragment",
        "http://app.example/x",
        "https://user@app.example/x",
        "https://*.example/x",
        "javascript:alert(1)",
        "data:text/html,x",
        "/relative",
    ] {
        let answer = server.refusal(with(bad)).await;
        assert_eq!(answer, (400, "invalid_client_metadata".to_owned()), "{bad}");
        let built =
            Client::builder("c").redirect_uri(CALLBACK).secret(SECRET).post_logout_redirect_uri(bad).build();
        assert!(built.is_err(), "{bad}");
    }
    let own = server.registered(&app_with(with("http://127.0.0.1/x"))).await;
    assert_eq!(own.0["post_logout_redirect_uris"], json!([AFTER, "http://127.0.0.1/x"]));
    assert_eq!(
        server.get(&own).await.json()["post_logout_redirect_uris"],
        own.0["post_logout_redirect_uris"]
    );
    let mut change = app_with(with("https://evil.example/x#y"));
    change["client_id"] = own.0["client_id"].clone();
    assert_eq!(server.put(&own, &change).await.error(), (400, "invalid_client_metadata".to_owned()));
    assert_eq!(
        server.get(&own).await.json()["post_logout_redirect_uris"],
        own.0["post_logout_redirect_uris"]
    );
}

#[tokio::test]
async fn lo_21_an_address_that_is_told_is_https_without_fragment_and_its_query_is_kept() {
    let server = registering(sessions(&web()).front_channel());
    for bad in [
        "http://app.example/out",
        "http://127.0.0.1/out",
        "https://app.example/out#x",
        "https://u:p@app.example/out",
        "ftp://app.example/out",
        "out",
    ] {
        for name in ["backchannel_logout_uri", "frontchannel_logout_uri"] {
            let answer = server.refusal(json!({ name: bad })).await;
            assert_eq!(answer, (400, "invalid_client_metadata".to_owned()), "{name} {bad}");
        }
    }
    let uri = "https://app.example/out?a=1";
    let own = server.registered(&app_with(json!({ "backchannel_logout_uri": uri }))).await;
    assert_eq!(own.0["backchannel_logout_uri"], uri);
    for wrong in [json!(7), json!(["https://app.example"])] {
        assert_eq!(server.refusal(json!({ "backchannel_logout_uri": wrong })).await.0, 400);
    }
    for wrong in [json!(AFTER), json!([7]), json!([AFTER, 7])] {
        let answer = server.refusal(json!({ "post_logout_redirect_uris": wrong })).await;
        assert_eq!(answer, (400, "invalid_client_metadata".to_owned()), "{wrong}: none is dropped silently");
    }
}

#[tokio::test]
async fn lo_20_a_client_that_needs_what_the_server_has_not_is_not_registered() {
    let none = registering(Sessions::new(SECRET_OF_SESSIONS));
    let needs = json!({ "backchannel_logout_uri": "https://app.example/out", "backchannel_logout_session_required": true });
    assert_eq!(none.refusal(needs.clone()).await, (400, "invalid_client_metadata".to_owned()));
    let own =
        none.registered(&app_with(json!({ "backchannel_logout_uri": "https://app.example/out" }))).await;
    assert_eq!(own.0.get("backchannel_logout_uri"), None, "ignored, as a member that is not known");
    let both = registering(sessions(&web()));
    let own = both.registered(&app_with(needs)).await;
    assert_eq!(own.0["backchannel_logout_session_required"], true);
}

fn with_frames() -> SigningOut {
    let web = web();
    let own = sessions(&web).front_channel();
    let frame = |host: &str, uri: &str| {
        let metadata = json!({ "frontchannel_logout_uri": uri, "post_logout_redirect_uris": [AFTER] });
        client(host, metadata)
    };
    let clients =
        vec![frame("rp", "https://app.example/front?a=1"), frame("rp2", "https://app.example/front")];
    let provider = Provider::with(clients, |builder| builder.sessions(own).logout_endpoint("/logout"));
    SigningOut { provider, web }
}

#[tokio::test]
async fn lo_25_the_page_gets_a_frame_for_each_client_and_a_policy_for_just_them() {
    let host = with_frames();
    let answer = host.tokens("rp", "openid", "s").await;
    let id_token = host.provider.id_token(&answer).await;
    host.tokens("rp2", "openid", "s").await;
    let hint = answer.text("id_token");
    let login = host.alice("s");
    let query = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", AFTER)];
    let Ok(LogoutStep::Go(end)) = host.ask(&query, Some(&login)).await else { panic!("a question") };
    let left = end.end().await.unwrap();
    let sid = id_token["sid"].as_str().unwrap();
    let expected = format!("https://app.example/front?a=1&iss=https%3A%2F%2Fas.example&sid={sid}");
    assert_eq!(left.frames()[0], expected);
    assert!(left.frames()[1].starts_with("https://app.example/front?iss="));
    let policy = left.content_security_policy();
    assert!(policy.contains("frame-src https://app.example;") && policy.contains("default-src 'none'"));
    let page = Answer(left.clone().into_response());
    assert_eq!(page.0.header("content-security-policy"), Some(policy.as_str()));
    let html = String::from_utf8(page.0.body.clone()).unwrap();
    assert_eq!(html.matches("<iframe").count(), 2);
    let document: Value = Answer(host.provider.fixture.server.metadata()).json();
    assert_eq!(document["frontchannel_logout_supported"], true);
    assert_eq!(document["frontchannel_logout_session_supported"], true);
}

#[tokio::test]
async fn lo_25_a_frame_is_at_the_origin_of_a_redirect_uri() {
    for (uri, is_good) in [
        ("https://app.example/out", true),
        ("https://app.example:443/out", true),
        ("https://app.example:8443/out", false),
        ("https://www.app.example/out", false),
        ("http://app.example/out", false),
    ] {
        let built =
            Client::builder("c").redirect_uri(CALLBACK).secret(SECRET).frontchannel_logout_uri(uri).build();
        assert_eq!(built.is_ok(), is_good, "{uri}");
    }
}

#[tokio::test]
async fn lo_26_the_page_moves_on_after_three_seconds_whatever_the_frames_do() {
    let host = with_frames();
    let hint = host.tokens("rp", "openid", "s").await.text("id_token");
    let query = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", AFTER)];
    let page = host.goes(&query, Some(&host.alice("s"))).await;
    assert_eq!(page.status(), 200);
    let html = String::from_utf8(page.0.body.clone()).unwrap();
    assert!(html.contains(&format!("http-equiv=\"refresh\" content=\"3; url={AFTER}\"")));
    assert!(html.contains(&format!("href=\"{AFTER}\"")), "and a link");
}
