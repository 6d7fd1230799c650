//! `id_token_hint` of an authorization request (OpenID Connect Core sections 3.1.2.1 and 3.1.2.2).

use std::time::Duration;

use grantor::{Login, LoginReason, Reason, Request, SignedIn};

use crate::support::provider::Provider;
use crate::support::pushing;
use crate::support::signing_out::SigningOut;
use crate::support::{code_query, encode};

async fn asked(host: &SigningOut, hint: &str, more: &[(&str, &str)], login: Login) -> SignedIn {
    let mut query = code_query("rp", "openid");
    query.push(("id_token_hint", hint));
    query.extend(more);
    let ask = host.provider.fixture.server.authorize(&Request::get(encode(&query))).await.unwrap();
    ask.signed_in(login).await
}

async fn refused(host: &SigningOut, hint: &str, more: &[(&str, &str)], login: Login) -> String {
    match asked(host, hint, more, login).await {
        SignedIn::Answered(response) => {
            let answer = crate::support::Answer(response);
            assert_eq!(answer.location_parameter("code"), None);
            answer.location_parameter("error").expect("an error")
        }
        SignedIn::Consent(_) => panic!("it passes"),
        SignedIn::Reauthenticate(_) => panic!("asks for a login"),
    }
}

#[tokio::test]
async fn oi_32_an_old_hint_counts_and_one_that_is_not_of_this_client_is_an_error() {
    let host = SigningOut::new();
    let good = host.tokens("rp", "openid", "s").await.text("id_token");
    let other = host.tokens("rp2", "openid", "s").await.text("id_token");
    let access = host.tokens("rp", "openid", "s").await.access_token();
    host.provider.fixture.clock.advance(Duration::from_secs(30 * 24 * 60 * 60));
    assert!(matches!(asked(&host, &good, &[], host.alice("s")).await, SignedIn::Consent(_)));

    let (head, signature) = good.rsplit_once('.').unwrap();
    let (header, payload) = head.split_once('.').unwrap();
    let flipped = format!("{head}.{}", signature.chars().rev().collect::<String>());
    let unsigned = format!("eyJhbGciOiJub25lIn0.{payload}.");
    for bad in [flipped.as_str(), &unsigned, &format!("{header}.{payload}."), &access, "garbage"] {
        assert_eq!(refused(&host, bad, &[], host.alice("s")).await, "invalid_request", "{bad}");
        assert_eq!(host.provider.fixture.log.last_reason(), Some(Reason::IdTokenHintInvalid));
    }
    assert_eq!(refused(&host, &other, &[], host.alice("s")).await, "invalid_request");
    assert_eq!(host.provider.fixture.log.last_reason(), Some(Reason::IdTokenHintOfAnother));
}

#[tokio::test]
async fn oi_32_a_hint_may_come_from_a_node_whose_clock_is_ahead() {
    for (ahead, passes) in [(60, true), (61, false)] {
        let (node, host) = (SigningOut::new(), SigningOut::new());
        node.provider.fixture.clock.advance(Duration::from_secs(ahead));
        let hint = node.tokens("rp", "openid", "s").await.text("id_token");
        let answer = asked(&host, &hint, &[], host.alice("s")).await;
        assert_eq!(matches!(answer, SignedIn::Consent(_)), passes, "{ahead} seconds");
    }
}

#[tokio::test]
async fn oi_32_a_logout_token_is_no_hint() {
    let host = SigningOut::new();
    host.tokens("rp", "openid", "s").await;
    host.end("s").await;
    let form = host.web.asked().remove(0).form.unwrap();
    let token = form.strip_prefix("logout_token=").unwrap();
    assert_eq!(refused(&host, token, &[], host.alice("s")).await, "invalid_request");
}

#[tokio::test]
async fn oi_33_no_answer_is_for_another_user_than_the_hints() {
    let host = SigningOut::new();
    let of_alice = host.tokens("rp", "openid", "s").await.text("id_token");
    let bob = host.bob("b");
    host.provider.fixture.clock.advance(Duration::from_secs(60));
    assert_eq!(refused(&host, &of_alice, &[("prompt", "none")], bob.clone()).await, "login_required");
    let SignedIn::Reauthenticate(login) = asked(&host, &of_alice, &[], bob).await else { panic!("no login") };
    assert_eq!(login.because(), LoginReason::OtherUser);
    let answer = crate::support::Answer(login.cannot().await);
    assert_eq!(answer.location_parameter("error").as_deref(), Some("login_required"));
    let again = host.bob("c");
    assert_eq!(refused(&host, &of_alice, &[], again).await, "login_required", "the same user came back");
    assert!(matches!(asked(&host, &of_alice, &[], host.alice("t")).await, SignedIn::Consent(_)));
}

#[tokio::test]
async fn oi_34_a_hint_and_claims_name_the_same_user() {
    let host = SigningOut::new();
    let of_alice = host.tokens("rp", "openid", "s").await.text("id_token");
    let bob = ("claims", r#"{"id_token":{"sub":{"value":"bob"}}}"#);
    for login in [host.alice("s"), host.bob("b")] {
        assert_eq!(refused(&host, &of_alice, &[bob], login).await, "invalid_request");
        assert_eq!(host.provider.fixture.log.last_reason(), Some(Reason::IdTokenHintAgainstClaims));
    }
    let alice = ("claims", r#"{"id_token":{"sub":{"value":"alice"}}}"#);
    assert!(matches!(asked(&host, &of_alice, &[alice], host.alice("s")).await, SignedIn::Consent(_)));
}

#[tokio::test]
async fn a_hint_of_plain_oauth_is_ignored() {
    let host = SigningOut::new();
    let mut query = code_query("rp", "read");
    query.push(("id_token_hint", "garbage"));
    let ask = host.provider.fixture.server.authorize(&Request::get(encode(&query))).await.unwrap();
    assert!(matches!(ask.signed_in(host.alice("s")).await, SignedIn::Consent(_)));
}

#[tokio::test]
async fn pr_03_a_hint_is_verified_when_the_request_is_pushed() {
    let provider = Provider::new();
    let own = provider.tokens("other", "openid", &[]).await.text("id_token");
    let foreign = provider.tokens("post", "openid", &[]).await.text("id_token");
    let bob = r#"{"id_token":{"sub":{"value":"bob"}}}"#;
    let push = async |hint: &str, more: &[(&str, &str)]| {
        let mut form = code_query("other", "openid");
        form.retain(|(name, _)| *name != "client_id");
        form.push(("id_token_hint", hint));
        form.extend(more);
        pushing::push(&provider.fixture, "other", &form).await
    };
    for (hint, more) in [("garbage", &[][..]), (&foreign, &[]), (&own, &[("claims", bob)])] {
        let refused = push(hint, more).await;
        assert_eq!(refused.error(), (400, "invalid_request".to_owned()), "{hint} {more:?}");
    }
    let good = push(&own, &[]).await;
    assert_eq!(good.status(), 201);
    let query = [("client_id", "other".to_owned()), ("request_uri", good.text("request_uri"))];
    let query: Vec<(&str, &str)> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert!(provider.fixture.approve(&query).await.location_parameter("code").is_some());
}
