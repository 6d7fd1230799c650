//! Logout by a client's request (OpenID Connect RP-Initiated Logout 1.0).

use std::time::Duration;

use grantor::server::{ConfigError, ConfigErrors, LogoutStep, Sessions};
use grantor::{AuthorizationServer, EventKind, MemoryRegistry, MemoryStore, Reason, Request, SessionId};
use serde_json::Value;

use crate::support::faulty::{Fault, Faulty, Plan};
use crate::support::http::{bare, send};
use crate::support::provider::Provider;
use crate::support::signing_out::{AFTER, SECRET_OF_SESSIONS, SigningOut, hearers, is_page};
use crate::support::{Answer, ISSUER, encode};

/// The `id_token` that a client got in a session.
async fn hint(host: &SigningOut, client: &str, session: &str) -> String {
    host.tokens(client, "openid", session).await.text("id_token")
}

#[tokio::test]
async fn lo_01_get_and_post_are_answered_alike_and_the_metadata_say_where() {
    let host = SigningOut::new();
    let document = Answer(host.provider.fixture.server.metadata()).json();
    assert_eq!(document["end_session_endpoint"], format!("{ISSUER}/logout"));
    let plain = Provider::new();
    let path = "/.well-known/openid-configuration";
    let document = send(&plain.fixture.server, bare("GET", path)).await.json();
    assert_eq!(document.get("end_session_endpoint"), None);
    assert!(plain.fixture.server.logout(&Request::get("")).await.is_err());
    for post in [false, true] {
        let hint = hint(&host, "rp", "s").await;
        let query = encode(&[("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", AFTER)]);
        let request = if post { Request::post_form(query) } else { Request::get(query) };
        let login = host.alice("s");
        let Ok(LogoutStep::Go(end)) = host.send(request, Some(&login)).await else { panic!("a question") };
        let answer = Answer(end.finish().await);
        assert_eq!((answer.status(), answer.location()), (303, AFTER));
    }
}

#[tokio::test]
async fn lo_02_an_expired_hint_is_fine_and_one_that_is_none_of_ours_is_a_page() {
    let host = SigningOut::new();
    let good = hint(&host, "rp", "s").await;
    host.provider.fixture.clock.advance(Duration::from_secs(10 * 24 * 60 * 60));
    let login = host.alice("s");
    let answer =
        host.goes(&[("id_token_hint", &good), ("post_logout_redirect_uri", AFTER)], Some(&login)).await;
    assert_eq!(answer.location(), AFTER);

    let (head, signature) = good.rsplit_once('.').unwrap();
    let (header, payload) = head.split_once('.').unwrap();
    let flipped = format!("{head}.{}", signature.chars().rev().collect::<String>());
    let unsigned = format!("eyJhbGciOiJub25lIn0.{payload}.");
    let stripped = format!("{header}.{payload}.");
    let access = host.tokens("rp", "openid", "s").await.access_token();
    for bad in [flipped.as_str(), &unsigned, &stripped, &access, "garbage"] {
        let query = [("id_token_hint", bad), ("post_logout_redirect_uri", AFTER)];
        let Err(page) = host.ask(&query, Some(&login)).await else { panic!("{bad}") };
        assert!(page.status() == 400 && is_page(&page.0), "{bad}");
        assert_eq!(host.provider.fixture.log.last_reason(), Some(Reason::IdTokenHintInvalid));
    }
}

#[tokio::test]
async fn lo_02_a_logout_token_is_no_hint() {
    let host = SigningOut::new();
    host.tokens("rp", "openid", "s").await;
    host.end("s").await;
    let form = host.web.asked().remove(0).form.unwrap();
    let token = form.strip_prefix("logout_token=").unwrap();
    assert!(host.ask(&[("id_token_hint", token)], None).await.is_err());
}

#[tokio::test]
async fn lo_03_a_client_that_the_hint_is_not_for_gets_a_page_and_ends_nothing() {
    let host = SigningOut::new();
    let answer = host.tokens("rp", "openid", "s").await;
    let hint = answer.text("id_token");
    let query = [("id_token_hint", hint.as_str()), ("client_id", "rp2")];
    assert!(host.ask(&query, Some(&host.alice("s"))).await.is_err());
    assert_eq!(host.provider.fixture.log.last_reason(), Some(Reason::IdTokenHintOfAnother));
    assert!(host.provider.fixture.is_live(&answer.access_token()).await);
    let query = [("id_token_hint", hint.as_str()), ("client_id", "rp"), ("post_logout_redirect_uri", AFTER)];
    assert_eq!(host.goes(&query, Some(&host.alice("s"))).await.location(), AFTER);
}

#[tokio::test]
async fn lo_04_the_user_is_asked_unless_the_hint_is_of_this_session_and_this_user() {
    let host = SigningOut::new();
    let of_alice = hint(&host, "rp", "s").await;
    let login = host.alice("s");
    assert!(!host.asks(&[("id_token_hint", &of_alice)], Some(&login)).await);
    assert!(host.asks(&[("id_token_hint", &of_alice)], Some(&host.alice("t"))).await, "an old session");
    assert!(host.asks(&[("id_token_hint", &of_alice)], Some(&host.bob("s"))).await, "another user");
    assert!(host.asks(&[("client_id", "rp")], Some(&login)).await);
    assert!(host.asks(&[], Some(&login)).await);
    let unnamed = host.provider.fixture.alice();
    assert!(host.asks(&[("id_token_hint", &of_alice)], Some(&unnamed)).await, "a session without a name");
}

#[tokio::test]
async fn lo_05_the_yes_counts_for_one_session_and_one_request_and_not_for_long() {
    let host = SigningOut::new();
    let (login, elsewhere) = (host.alice("s"), host.alice("t"));
    let asked = [("client_id", "rp"), ("post_logout_redirect_uri", AFTER), ("state", "x")];
    let Ok(LogoutStep::Ask(question)) = host.ask(&asked, Some(&login)).await else { panic!("no question") };
    let token = question.token().to_owned();
    assert_eq!(question.client_name(), Some("rp"));
    let with = |more: &[(&'static str, &'static str)], token: &str| {
        let mut query: Vec<(&str, String)> =
            more.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        query.push(("logout_confirmation", token.to_owned()));
        query
    };
    let asks = async |query: Vec<(&str, String)>, login| {
        let query: Vec<(&str, &str)> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
        host.asks(&query, Some(login)).await
    };
    for forged in ["true", "yes", "1", "", &"A".repeat(54)] {
        assert!(asks(with(&asked, forged), &login).await, "{forged}");
    }
    assert!(asks(with(&asked, &token), &elsewhere).await, "another session");
    assert!(asks(with(&[("client_id", "rp")], &token), &login).await, "another address");
    assert!(asks(with(&[("client_id", "rp2"), asked[1], asked[2]], &token), &login).await, "another client");
    host.provider.fixture.clock.advance(Duration::from_secs(599));
    assert!(!asks(with(&asked, &token), &login).await);
    host.provider.fixture.clock.advance(Duration::from_secs(1));
    assert!(asks(with(&asked, &token), &login).await, "too late");
}

#[tokio::test]
async fn lo_06_only_a_registered_address_is_gone_to() {
    let host = SigningOut::new();
    let hint = hint(&host, "rp", "s").await;
    for bad in [
        "https://app.example/signed-out?foo=bar",
        "https://app.example/signed-out/",
        "https://app.example/Signed-out",
        "https://APP.example/signed-out",
        "https://app.example:8443/signed-out",
        "https://app.example/signed-out#x",
        "https://app.example/q",
        "https://app.example/q?a=2",
        "http://app.example/signed-out",
        "https://evil.example/signed-out",
        "https://app.example/cb",
        "//app.example/signed-out",
        "javascript:alert(1)",
    ] {
        let query = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", bad)];
        let Err(page) = host.ask(&query, Some(&host.alice("s"))).await else { panic!("{bad}") };
        assert!(page.status() == 400 && is_page(&page.0), "{bad}");
    }
    let any_port = "http://127.0.0.1:53123/out";
    let query = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", any_port)];
    assert_eq!(host.goes(&query, Some(&host.alice("s"))).await.location(), any_port);
}

#[tokio::test]
async fn lo_07_without_a_hint_and_a_client_there_is_no_redirect() {
    let host = SigningOut::new();
    let login = host.alice("s");
    let answer = host.yes(&[("post_logout_redirect_uri", AFTER), ("state", "x")], &login).await;
    assert!(answer.status() == 200 && is_page(&answer.0));
    let answer = host.goes(&[("post_logout_redirect_uri", AFTER)], None).await;
    assert!(answer.status() == 200 && is_page(&answer.0));
}

#[tokio::test]
async fn d_27_with_a_client_and_the_users_yes_there_is_one_and_with_the_client_alone_there_is_none() {
    let host = SigningOut::new();
    let query = [("client_id", "rp"), ("post_logout_redirect_uri", AFTER)];
    assert_eq!(host.yes(&query, &host.alice("s")).await.location(), AFTER);
    assert!(is_page(&host.goes(&query, None).await.0), "nobody said yes");
}

#[tokio::test]
async fn lo_08_state_comes_back_exactly_when_it_was_sent_and_nothing_else_does() {
    let host = SigningOut::new();
    let hint = hint(&host, "rp", "s").await;
    let base = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", AFTER)];
    let with =
        |uri, state| [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", uri), ("state", state)];
    assert_eq!(host.goes(&base, None).await.location(), AFTER);
    let answer = host.goes(&with(AFTER, "a b&c=ü"), None).await;
    assert_eq!(answer.location(), format!("{AFTER}?state=a+b%26c%3D%C3%BC"));
    let answer = host.goes(&with("https://app.example/q?a=1", "x"), None).await;
    assert_eq!(answer.location(), "https://app.example/q?a=1&state=x");
    assert!(is_page(&host.goes(&[("state", "x")], None).await.0), "state alone");
    let longest = "x".repeat(2048);
    assert_eq!(host.goes(&with(AFTER, &longest), None).await.location(), format!("{AFTER}?state={longest}"));
    assert!(host.ask(&with(AFTER, &format!("{longest}x")), None).await.is_err());
}

#[tokio::test]
async fn lo_09_a_second_logout_gets_the_same_answer() {
    let host = SigningOut::new();
    let hint = hint(&host, "rp", "s").await;
    let query = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", AFTER)];
    for login in [Some(host.alice("s")), None, None] {
        assert_eq!(host.goes(&query, login.as_ref()).await.location(), AFTER);
    }
    assert_eq!(host.told(), ["rp.example"], "told once");
}

#[tokio::test]
async fn lo_12_hints_for_the_page_are_told_to_the_host() {
    let host = SigningOut::new();
    let query = [("logout_hint", "alice@example.com"), ("ui_locales", "de fr")];
    let Ok(LogoutStep::Ask(question)) = host.ask(&query, Some(&host.alice("s"))).await else { panic!() };
    assert_eq!((question.logout_hint(), question.ui_locales()), (Some("alice@example.com"), Some("de fr")));
    for (query, client) in [("client_id=rp", Some("rp")), ("", None)] {
        let asked = host.provider.fixture.server.logout(&Request::get(query)).await.unwrap();
        assert_eq!(asked.client().map(|client| client.id().as_str()), client);
    }
}

#[tokio::test]
async fn lo_13_the_hint_of_a_client_that_is_gone_signs_out_and_leads_nowhere() {
    let host = SigningOut::new();
    let hint = hint(&host, "rp", "s").await;
    let others = Provider::with(Vec::new(), |builder| {
        builder.sessions(Sessions::new(SECRET_OF_SESSIONS)).logout_endpoint("/logout")
    });
    let web = crate::support::signing_out::unreachable();
    let gone = SigningOut { provider: others, web };
    let query = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", AFTER)];
    let answer = gone.yes(&query, &gone.alice("s")).await;
    assert!(answer.status() == 200 && is_page(&answer.0));
    assert!(is_page(&gone.goes(&query, None).await.0));
}

#[tokio::test]
async fn d_28_the_metadata_name_no_frame_that_checks_a_session() {
    let document = Answer(SigningOut::new().provider.fixture.server.metadata()).json();
    assert!(!document.as_object().unwrap().keys().any(|name| name.starts_with("check_session")));
}

#[tokio::test]
async fn lo_27_there_is_no_session_management() {
    let host = SigningOut::new();
    let document = Answer(host.provider.fixture.server.metadata()).json();
    assert_eq!(document.get("check_session_iframe"), None);
    let answer = host.provider.ask("rp", "openid", &[], host.alice("s")).await;
    assert_eq!(answer.location_parameter("session_state"), None);
}

#[tokio::test]
async fn a_store_that_fails_gives_a_page_and_no_redirect_and_tells_whom_it_found() {
    let plan = Plan::default();
    let store = std::sync::Arc::new(MemoryStore::new());
    let host = SigningOut::with(|builder| builder.store(Faulty::new(store.clone(), &plan)));
    let hint = hint(&host, "rp", "s").await;
    let query = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", AFTER)];
    // The listing fails, and then the write of the end.
    for (call, told) in [(0, 0), (1, 1)] {
        let Ok(LogoutStep::Go(end)) = host.ask(&query, Some(&host.alice("s"))).await else { panic!() };
        plan.arm(call, Fault::Transient);
        let answer = Answer(end.finish().await);
        assert!(plan.recover(), "it went wrong");
        assert!(answer.status() == 503 && is_page(&answer.0));
        assert_eq!(host.web.calls(), told);
    }
    assert_eq!(host.goes(&query, Some(&host.alice("s"))).await.location(), AFTER);
    assert_eq!(host.told(), ["rp.example"; 2]);
}

#[tokio::test]
async fn a_client_that_cannot_be_looked_up_is_a_page_and_not_an_unknown_client() {
    let plan = Plan::default();
    let clients = Faulty::new(MemoryRegistry::new(hearers()), &plan);
    let host = SigningOut::with(|builder| builder.clients(clients));
    let hint = hint(&host, "rp", "s").await;
    let query = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", AFTER)];
    for (fault, status, reason) in
        [(Fault::Transient, 503, Reason::StoreUnavailable), (Fault::Permanent, 500, Reason::StoreBroken)]
    {
        plan.arm(0, fault);
        let Err(page) = host.ask(&query, Some(&host.alice("s"))).await else { panic!("{fault:?}") };
        assert!(plan.recover(), "it went wrong");
        assert!(page.status() == status && is_page(&page.0), "{fault:?}");
        assert_eq!(page.0.header("retry-after").is_some(), status == 503, "{fault:?}");
        let last = host.provider.fixture.log.whats().pop();
        assert_eq!(last, Some(EventKind::Failed(reason)), "{fault:?}");
    }
    assert_eq!(host.goes(&query, Some(&host.alice("s"))).await.location(), AFTER);
}

#[tokio::test]
async fn a_repeated_parameter_is_a_page() {
    let host = SigningOut::new();
    let answer = host.ask(&[("client_id", "rp"), ("client_id", "rp2")], None).await;
    assert_eq!(answer.err().map(|page| page.status()), Some(400));
}

#[test]
fn half_a_logout_is_found_at_start() {
    let builder =
        || AuthorizationServer::builder(ISSUER).clients(MemoryRegistry::default()).store(MemoryStore::new());
    let mistakes = |built: Result<AuthorizationServer, ConfigErrors>| built.unwrap_err().all().to_vec();
    assert_eq!(mistakes(builder().logout_endpoint("/logout").build()), [ConfigError::SessionsMissing]);
    assert_eq!(
        mistakes(builder().sessions(Sessions::new(SECRET_OF_SESSIONS)).build()),
        [ConfigError::OpenIdMissing("sessions")]
    );
    let pairwise = builder().pairwise_secret([7; 32]).build();
    assert_eq!(mistakes(pairwise), [ConfigError::OpenIdMissing("pairwise_secret")]);
}

#[tokio::test]
async fn a_server_without_sessions_has_no_logout() {
    let server = AuthorizationServer::builder(ISSUER)
        .clients(MemoryRegistry::default())
        .store(MemoryStore::new())
        .build()
        .unwrap();
    assert_eq!(server.end_session(&SessionId::new("s")).await.unwrap().grants, 0);
    let document: Value = Answer(server.metadata()).json();
    assert_eq!(document.get("end_session_endpoint"), None);
    assert!(server.logout(&Request::get("")).await.is_err());
}
