//! On what terms a server takes pushed requests, and what a client registers of its own: RFC 9126.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use grantor::flow::pushed::MAX_PUBLIC_PUSH;
use grantor::server::ConfigError;
use grantor::{Client, MemoryRegistry, MemoryStore, Policy, Reason, Request};
use serde_json::Value;

use crate::support::pushing::{asking, page, push, pushed, visit, with_clients};
use crate::support::{Answer, CALLBACK, Fixture, SECRET, clients, code_query, encode, redemption, request};

#[tokio::test]
async fn pr_08_a_redirect_uri_has_to_be_registered() {
    let fixture = Fixture::new();
    for client in ["pub", "conf"] {
        let mut form = asking(client);
        form.retain(|(name, _)| *name != "redirect_uri");
        form.push(("redirect_uri", "https://evil.example/cb"));
        assert_eq!(push(&fixture, client, &form).await.error(), (400, "invalid_request".into()), "{client}");
        assert_eq!(fixture.log.last_reason(), Some(Reason::RedirectUriUnregistered));
    }
}

#[tokio::test]
async fn pr_10_a_server_and_a_client_can_require_that_requests_are_pushed() {
    let strict = Fixture::with(|builder| builder.require_pushed_authorization_requests());
    let careful = Client::builder("careful").redirect_uri(CALLBACK).secret(SECRET);
    let careful = careful.require_pushed_authorization_requests(true).build().unwrap();
    let all = clients().into_iter().chain([careful]);
    let lax = Fixture::with(|builder| builder.clients(MemoryRegistry::new(all)));
    for (fixture, client) in [(&strict, "conf"), (&strict, "pub"), (&lax, "careful")] {
        let direct = fixture.approve(&code_query(client, "read")).await;
        assert_eq!(direct.location_parameter("error").as_deref(), Some("invalid_request"), "{client}");
        assert_eq!(fixture.log.last_reason(), Some(Reason::RequestNotPushed));
        let uri = pushed(fixture, client).await;
        let answered = fixture.approve(&visit(client, &uri)).await;
        assert!(answered.location_parameter("code").is_some(), "{client}");
    }
    assert!(lax.approve(&code_query("conf", "read")).await.location_parameter("code").is_some());
}

#[tokio::test]
async fn pr_12_a_request_uri_is_short_lived() {
    let fixture = Fixture::new();
    assert_eq!(push(&fixture, "conf", &asking("conf")).await.json()["expires_in"], 60);
    for (seconds, is_allowed) in [(599, true), (600, false), (0, false)] {
        let mut policy = Policy::default();
        policy.request_uri_lifetime = Duration::from_secs(seconds);
        let built = grantor::AuthorizationServer::builder("https://as.example")
            .clients(MemoryRegistry::new(clients()))
            .store(MemoryStore::new())
            .policy(policy)
            .build();
        assert_eq!(built.is_ok(), is_allowed, "{seconds}");
        let mistake = match seconds {
            600 => ConfigError::RequestUriLifetime,
            _ => ConfigError::Zero("request_uri_lifetime"),
        };
        assert!(built.is_ok() || built.unwrap_err().all() == [mistake], "{seconds}");
    }
}

#[tokio::test]
async fn pr_15_public_clients_push_with_their_name_alone_within_a_limit() {
    let mut policy = Policy::default();
    policy.pushed_requests_per_minute = 2;
    let fixture = Fixture::with(|builder| builder.policy(policy));
    let from = async |client: &str, host: u8| {
        let peer = IpAddr::from([192, 0, 2, host]);
        let pushed = request(client, &asking(client)).from_peer(peer);
        Answer(fixture.server.pushed_authorization_request(&pushed).await)
    };
    assert_eq!([from("pub", 1).await.status(), from("pub", 1).await.status()], [201, 201]);
    let stopped = from("pub", 1).await;
    assert_eq!(stopped.error(), (429, "temporarily_unavailable".into()));
    assert!(stopped.0.header("retry-after").is_some());
    assert_eq!(fixture.log.last_reason(), Some(Reason::PushThrottled));
    assert_eq!(from("pub", 2).await.status(), 201, "another address");
    for _ in 0..10 {
        assert_eq!(from("conf", 1).await.status(), 201, "a client that proves who it is");
    }
}

#[tokio::test]
async fn pr_15_a_public_client_pushes_at_most_8_kib() {
    let fixture = Fixture::new();
    let room = MAX_PUBLIC_PUSH - encode(&asking("pub")).len() - "&x1=&x2=".len();
    let padding = "x".repeat(room / 2 + 1);
    for (client, length, is_kept) in [("pub", room, true), ("pub", room + 1, false), ("conf", room + 1, true)]
    {
        let mut form = asking(client);
        form.extend([("x1", &padding[..length / 2]), ("x2", &padding[..length - length / 2])]);
        let answer = push(&fixture, client, &form).await;
        match is_kept {
            true => assert_eq!(answer.status(), 201, "{client}, {length}"),
            false => assert_eq!(answer.error(), (400, "invalid_request".into()), "{client}, {length}"),
        }
    }
    assert_eq!(fixture.log.last_reason(), Some(Reason::PushTooLarge));
}

#[tokio::test]
async fn pr_17_the_metadata_say_where_it_is_and_whether_it_is_required() {
    let metadata = |fixture: &Fixture| Answer(fixture.server.metadata()).json();
    let plain = metadata(&Fixture::new());
    assert_eq!(plain["pushed_authorization_request_endpoint"], "https://as.example/par");
    assert_eq!(plain.get("require_pushed_authorization_requests"), None, "false is the default");
    let strict = metadata(&Fixture::with(|builder| {
        builder.require_pushed_authorization_requests().pushed_authorization_request_endpoint("/as/par")
    }));
    assert_eq!(strict["pushed_authorization_request_endpoint"], "https://as.example/as/par");
    assert_eq!(strict["require_pushed_authorization_requests"], true);
    let server = grantor::AuthorizationServer::builder("https://as.example")
        .clients(MemoryRegistry::new(clients()))
        .store(MemoryStore::new())
        .require_pushed_authorization_requests()
        .build()
        .unwrap();
    let without_users = Answer(server.metadata()).json();
    for member in ["pushed_authorization_request_endpoint", "require_pushed_authorization_requests"] {
        assert_eq!(without_users.get(member), None, "{member}");
    }
    let refused = Answer(server.pushed_authorization_request(&request("conf", &asking("conf"))).await);
    assert_eq!(refused.status(), 500, "there is no such endpoint");
}

#[tokio::test]
async fn a_registration_may_require_that_its_requests_are_pushed() {
    let registry = Arc::new(MemoryRegistry::new(clients()));
    let fixture = Fixture::with(|builder| {
        let open = grantor::Registration::open();
        builder.clients(registry.clone()).registrar(registry).registration(open)
    });
    let register = async |value: Value| {
        let body = serde_json::json!({
            "redirect_uris": [CALLBACK],
            "token_endpoint_auth_method": "none",
            "require_pushed_authorization_requests": value,
        });
        let request = Request::json(grantor::http::Method::Post, body.to_string());
        Answer(fixture.server.registration(&request).await)
    };
    let strict = register(true.into()).await;
    assert_eq!(strict.json()["require_pushed_authorization_requests"], true);
    let id = strict.text("client_id");
    fixture.approve(&code_query(&id, "read")).await;
    assert_eq!(fixture.log.last_reason(), Some(Reason::RequestNotPushed));
    assert_eq!(register("yes".into()).await.error(), (400, "invalid_client_metadata".into()));
    assert_eq!(register(false.into()).await.status(), 201);
}

#[tokio::test]
async fn pr_21_an_unregistered_redirect_uri_is_for_clients_with_the_switch_that_proved_themselves() {
    let other = "https://tenant.app.example/cb";
    let named = |uri| {
        let mut form = asking("conf");
        form.retain(|(name, _)| *name != "redirect_uri");
        form.push(("redirect_uri", uri));
        form
    };
    let off = Fixture::new();
    assert_eq!(push(&off, "conf", &named(other)).await.error(), (400, "invalid_request".into()));

    let confidential = |id: &str| {
        let built =
            Client::builder(id).redirect_uri(CALLBACK).secret(SECRET).unregistered_redirect_uris(true);
        built.build().unwrap()
    };
    let on = with_clients(&off, |client| match client.id().as_str() {
        "conf" => Some(confidential("conf")),
        _ => Some(client),
    });
    let answer = push(&on, "conf", &named(other)).await;
    assert_eq!(answer.status(), 201, "{}", answer.json());
    let uri = answer.text("request_uri");
    let answered = on.approve(&visit("conf", &uri)).await;
    assert!(answered.location().starts_with(&format!("{other}?")), "{}", answered.location());
    let code = answered.location_parameter("code").expect("a code");
    let mut redeemed = redemption(&code);
    redeemed.iter_mut().filter(|(name, _)| *name == "redirect_uri").for_each(|(_, value)| *value = other);
    assert_eq!(on.token("conf", &redeemed).await.status(), 200);

    for bad in [
        "http://tenant.app.example/cb",
        "http://127.0.0.1/cb",
        "com.example.app:/cb",
        "https://a#b",
        "javascript:1",
    ] {
        assert_eq!(push(&on, "conf", &named(bad)).await.error(), (400, "invalid_request".into()), "{bad}");
    }
    let mut direct = named(other);
    direct.push(("client_id", "conf"));
    assert_eq!(page(&on, &direct).await.reason(), Reason::RedirectUriUnregistered, "nobody proved who it is");

    let waiting = push(&on, "conf", &named(other)).await.text("request_uri");
    let again = with_clients(&on, Some);
    assert_eq!(
        page(&again, &visit("conf", &waiting)).await.reason(),
        Reason::RedirectUriUnregistered,
        "switched off"
    );
    let public = Client::builder("pub")
        .redirect_uri(CALLBACK)
        .auth_method(grantor::AuthMethod::None)
        .unregistered_redirect_uris(true);
    assert!(public.build().is_err());
}
