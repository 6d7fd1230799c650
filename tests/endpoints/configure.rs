//! Clients that manage their own registration: RFC 7592.

use std::sync::Arc;
use std::time::Duration;

use grantor::audit::Endpoint;
use grantor::client::ClientJwts;
use grantor::http::Method;
use grantor::jose::{Algorithm, SigningKey};
use grantor::{
    Client, ClientId, ClientState, MemoryRegistry, MemoryStore, Profile, Reason, Registrar, Registration,
    Replacement, Request,
};
use serde_json::{Value, json};

use crate::support::asserting::set_of;
use crate::support::faulty::{Fault, Faulty, Plan};
use crate::support::proving::dpop;
use crate::support::registering::{Own, Registering, app, app_with};
use crate::support::{Answer, CALLBACK, Fixture, clients, redemption};

const ELSEWHERE: &str = "https://elsewhere.example/cb";

fn unauthorized() -> (u16, String) {
    (401, "invalid_token".to_owned())
}

fn unknown_client() -> (u16, String) {
    (401, "invalid_client".to_owned())
}

fn open() -> Registering {
    Registering::on(Registration::open())
}

/// The client after a change: its new token.
fn after(own: &Own, answer: &Value) -> Own {
    let mut next = own.0.clone();
    for (name, value) in answer.as_object().unwrap() {
        next[name] = value.clone();
    }
    Own(next)
}

#[tokio::test]
async fn rg_08_a_client_reads_itself() {
    let server = open();
    let own = server.registered(&app()).await;
    let answer = server.get(&own).await;
    assert_eq!((answer.status(), answer.0.header("cache-control")), (200, Some("no-store")));
    let told = answer.json();
    for (name, value) in own.0.as_object().unwrap() {
        assert_eq!(&told[name], value, "{name}");
    }
    assert_eq!(server.get(&own).await.json(), told, "reading changes nothing");
    let head = server.send(own.asks(Request::new(Method::Head))).await;
    assert_eq!((head.status(), head.0.header("cache-control")), (200, Some("no-store")));
}

#[tokio::test]
async fn rg_08_a_change_replaces_everything() {
    let server = open();
    let own = server.registered(&app_with(json!({ "client_uri": "https://app.example" }))).await;
    let tokens = server.tokens(&own, "read write").await;
    let changed = json!({
        "client_id": own.id(), "client_secret": own.text("client_secret"), "client_name": null,
        "redirect_uris": [ELSEWHERE], "grant_types": ["authorization_code", "refresh_token"], "scope": "read",
    });
    let answer = server.put(&own, &changed).await;
    assert_eq!(answer.status(), 200, "{}", answer.json());
    let told = answer.json();
    assert_eq!(told["redirect_uris"], json!([ELSEWHERE]));
    for gone in ["client_name", "client_uri"] {
        assert_eq!(told.get(gone), None, "{gone}");
    }
    assert_eq!(told["client_id_issued_at"], own.0["client_id_issued_at"]);
    let stored = server.stored(own.id()).await.unwrap();
    assert_eq!(stored.redirect_uris()[0].as_str(), ELSEWHERE);
    assert!(stored.is_self_registered());
    let narrower = server.refresh(&own, &tokens.refresh_token()).await;
    assert_eq!(
        narrower.text("scope"),
        "read",
        "what is stored is what is enforced, and the secret still works"
    );
}

#[tokio::test]
async fn rg_08_a_change_names_its_own_client_and_nothing_that_the_server_says() {
    let server = open();
    let (own, other) = (server.registered(&app()).await, server.registered(&app()).await);
    for violation in [
        json!({ "client_id": other.id() }),
        json!({ "client_id": "" }),
        json!({ "client_id": null }),
        json!({ "client_secret": other.text("client_secret") }),
        json!({ "client_secret": "" }),
        json!({ "registration_access_token": own.text("registration_access_token") }),
        json!({ "registration_client_uri": own.text("registration_client_uri") }),
        json!({ "client_secret_expires_at": 0 }),
        json!({ "client_id_issued_at": own.0["client_id_issued_at"] }),
    ] {
        let before = server.stored(own.id()).await;
        let answer = server.put(&own, &app_with(violation.clone())).await;
        assert_eq!(answer.error(), (400, "invalid_client_metadata".to_owned()), "{violation}");
        assert_eq!(server.stored(own.id()).await, before);
    }
    assert_eq!(server.get(&own).await.status(), 200, "a change that is refused rotates nothing");
}

#[tokio::test]
async fn rg_08_a_token_is_bound_to_one_client() {
    let server = open();
    let (own, other) = (server.registered(&app()).await, server.registered(&app()).await);
    let stolen = other.text("registration_access_token");
    for method in [Method::Get, Method::Put, Method::Delete] {
        let request = own.asks_with(Request::json(method, app().to_string()), stolen);
        assert_eq!(server.send(request).await.error(), unauthorized(), "{method:?}");
    }
    assert!(server.stored(own.id()).await.is_some());
}

#[tokio::test]
async fn rg_08_the_authentication_method_may_change_and_brings_its_secret() {
    let server = open();
    let own = server.registered(&app()).await;
    let public = server.put(&own, &app_with(json!({ "token_endpoint_auth_method": "none" }))).await;
    assert_eq!(public.json().get("client_secret"), None);
    assert_eq!(public.json().get("client_secret_expires_at"), None);
    let own = after(&own, &public.json());
    assert_eq!(server.tokens(&own, "read").await.status(), 200);
    let secret =
        server.put(&own, &app_with(json!({ "token_endpoint_auth_method": "client_secret_basic" }))).await;
    let own = after(&own, &secret.json());
    assert_eq!(own.text("client_secret"), secret.text("client_secret"));
    assert_eq!(server.tokens(&own, "read").await.status(), 200);
}

#[tokio::test]
async fn rg_08_an_expired_secret_is_replaced_by_the_next_change() {
    let server = Registering::on(Registration::open().secret_lifetime(Duration::from_secs(60)));
    let own = server.registered(&app()).await;
    let kept = server.put(&own, &app()).await.json();
    assert_eq!(kept["client_secret"], own.0["client_secret"], "it is still good");
    let own = server.registered(&app()).await;
    server.fixture.clock.advance(Duration::from_secs(61));
    let answer = server.put(&own, &app()).await.json();
    assert_ne!(answer["client_secret"], own.0["client_secret"]);
    assert_eq!(answer["client_secret_expires_at"], server.fixture.clock_seconds() + 60);
    assert_eq!(server.tokens(&after(&own, &answer), "read").await.status(), 200);
}

#[tokio::test]
async fn rg_09_a_wrong_token_and_an_unknown_client_are_answered_alike() {
    let server = open();
    let own = server.registered(&app()).await;
    let token = own.text("registration_access_token").to_owned();
    let mut answers = Vec::new();
    for (id, token) in [
        (own.id(), "grg_AAAA"),
        (own.id(), ""),
        (own.id(), &token[..token.len() - 1]),
        (own.id(), &format!("{token}A")),
        (own.id(), &token.replace("grg_", "gat_")),
        ("nobody", &token),
        ("conf", &token),
        ("", &token),
    ] {
        for method in [Method::Get, Method::Put, Method::Delete] {
            let mut request = Request::json(method, app().to_string());
            request.query = Some(format!("client_id={id}"));
            answers.push(server.send(request.header("authorization", format!("Bearer {token}"))).await);
        }
    }
    assert!(answers.iter().all(|answer| answer.error() == unauthorized()));
    let challenge = |answer: &crate::support::Answer| answer.0.header("www-authenticate").map(str::to_owned);
    let invalid = Some("Bearer realm=\"oauth\", error=\"invalid_token\"".to_owned());
    assert!(answers.iter().all(|answer| challenge(answer) == invalid));
    assert!(answers.iter().all(|answer| answer.0.body == answers[0].0.body));
    for query in [None, Some(format!("client_id={}", own.id()))] {
        for method in [Method::Get, Method::Put, Method::Delete] {
            let mut bare = Request::new(method);
            bare.query.clone_from(&query);
            let answer = server.send(bare).await;
            assert_eq!(answer.error(), unauthorized());
            assert_eq!(challenge(&answer).as_deref(), Some("Bearer realm=\"oauth\""), "RFC 6750 section 3.1");
        }
    }
    assert_eq!(server.get(&own).await.status(), 200);
}

#[tokio::test]
async fn rg_09_a_client_that_deletes_itself_is_gone_with_all_that_it_had() {
    let server = open();
    let own = server.registered(&app()).await;
    let (first, second) = (server.tokens(&own, "read").await, server.tokens(&own, "read").await);
    let code = server.code(&own, "read").await;
    let answer = server.delete(&own).await;
    assert_eq!((answer.status(), answer.0.body.len()), (204, 0));
    for tokens in [&first, &second] {
        assert!(!server.fixture.is_live(&tokens.access_token()).await);
        assert_eq!(server.refresh(&own, &tokens.refresh_token()).await.error(), unknown_client());
    }
    assert_eq!(server.token(&own, &redemption(&code)).await.error(), unknown_client());
    assert_eq!(server.get(&own).await.error(), unauthorized());
    assert_eq!(server.put(&own, &app()).await.error(), unauthorized());
    assert_eq!(server.delete(&own).await.error(), unauthorized());
    assert_eq!(server.stored(own.id()).await, None);
}

/// A registration whose parts fail as planned.
fn faulty() -> (Fixture, Arc<MemoryRegistry>, Plan) {
    let (plan, registry) = (Plan::default(), Arc::new(MemoryRegistry::new(clients())));
    let store = Arc::new(MemoryStore::new());
    let parts = (Faulty::new(store.clone(), &plan), Faulty::new(registry.clone(), &plan));
    let fixture = Fixture::on(store, parts.0, |builder| {
        let mut policy = grantor::Policy::default();
        policy.store_deadline = Duration::from_millis(20);
        builder.clients(registry.clone()).registrar(parts.1).registration(Registration::open()).policy(policy)
    });
    (fixture, registry, plan)
}

#[tokio::test]
async fn rg_09_a_deletion_that_breaks_off_goes_on_and_never_turns_back() {
    for fault in Fault::ALL {
        for at in 0.. {
            let (fixture, registry, plan) = faulty();
            let server = Registering { fixture, registry };
            let own = server.registered(&app()).await;
            let tokens = server.tokens(&own, "read").await;
            plan.arm(at, fault);
            let broken = server.delete(&own).await;
            if !plan.recover() {
                assert!(at >= 4, "state, list, revoke and remove can all fail");
                break;
            }
            let status = broken.status();
            assert!([204, 500, 503].contains(&status), "{fault:?} {at}: {status}");
            let stored = server.stored(own.id()).await;
            if stored.is_some_and(|client| client.state() != ClientState::Active) {
                assert_eq!(server.refresh(&own, &tokens.refresh_token()).await.error(), unknown_client());
                assert_eq!(server.put(&own, &app()).await.error(), unauthorized(), "it does not come back");
            }
            if server.delete(&own).await.status() != 204 {
                assert_eq!(server.stored(own.id()).await, None, "{fault:?} {at}: it was gone already");
            }
            assert_eq!(server.stored(own.id()).await, None, "{fault:?} {at}");
            assert!(!server.fixture.is_live(&tokens.access_token()).await, "{fault:?} {at}");
        }
    }
}

#[tokio::test]
async fn a_registration_whose_write_fails_is_not_answered_as_done() {
    for fault in Fault::ALL {
        let (fixture, registry, plan) = faulty();
        let server = Registering { fixture, registry };
        plan.arm(0, fault);
        let status = server.post(&app()).await.status();
        assert!([500, 503].contains(&status), "{fault:?}: {status}");
    }
}

#[tokio::test]
async fn rg_10_a_token_is_256_bits_and_stays_the_clients() {
    let server = open();
    let own = server.registered(&app()).await;
    let token = own.text("registration_access_token");
    assert_eq!((token.len(), &token[..4]), (4 + 43, "grg_"), "256 bits");
    let answer = server.put(&own, &app()).await;
    assert_eq!(answer.text("registration_access_token"), token);
    let kept = server.stored(own.id()).await.unwrap().encode().to_string();
    for secret in [token, own.text("client_secret")] {
        assert!(!kept.contains(secret) && !kept.contains(&secret[4..]), "nothing is kept that can be used");
    }
}

/// The write was done, and no one heard of it.
#[tokio::test]
async fn ft_24_a_lost_answer_to_a_change_does_not_lock_the_client_out() {
    let server = open();
    let own = server.registered(&app()).await;
    let lost = server.put(&own, &app_with(json!({ "client_name": "New" }))).await;
    assert_eq!(lost.status(), 200);
    let read = server.get(&own).await;
    assert_eq!((read.status(), read.text("client_name")), (200, "New".to_owned()));
    let again = server.put(&own, &app_with(json!({ "client_name": "New" }))).await;
    assert_eq!((again.status(), again.json()), (200, lost.json()));
    assert_eq!(server.delete(&own).await.status(), 204);
}

#[tokio::test]
async fn ft_24_a_new_secret_whose_answer_was_lost_is_told_again() {
    let server = Registering::on(Registration::open().secret_lifetime(Duration::from_secs(60)));
    let public = app_with(json!({ "token_endpoint_auth_method": "none" }));
    let own = server.registered(&public).await;
    let lost = server.put(&own, &app()).await.json();
    for answer in [server.put(&own, &app()).await, server.get(&own).await] {
        assert_eq!(answer.json()["client_secret"], lost["client_secret"]);
        assert_eq!(answer.json()["client_secret_expires_at"], lost["client_secret_expires_at"]);
        assert_eq!(server.tokens(&after(&own, &answer.json()), "read").await.status(), 200);
    }
    server.fixture.clock.advance(Duration::from_secs(60));
    assert_eq!(server.get(&own).await.json().get("client_secret"), None, "it has expired");
    let lost = server.put(&own, &app()).await.json();
    let again = server.put(&own, &app()).await;
    assert_eq!(again.json()["client_secret"], lost["client_secret"]);
    assert_eq!(server.tokens(&after(&own, &again.json()), "read").await.status(), 200);

    let turned_public = server.put(&own, &public).await;
    assert_eq!(turned_public.json().get("client_secret"), None);
    let anew = server.put(&own, &app()).await.json();
    assert_ne!(anew["client_secret"], lost["client_secret"], "what was given up does not come back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_changes_at_once_come_one_after_another() {
    let server = Arc::new(Registering::on(Registration::open().per_minute(0)));
    for round in 0..200 {
        let own = Arc::new(server.registered(&app()).await);
        let changes = (0..8).map(|n| {
            let (server, own) = (server.clone(), own.clone());
            let name = json!({ "client_name": format!("App {n}") });
            tokio::spawn(async move { server.put(&own, &app_with(name)).await })
        });
        let mut names = Vec::new();
        for change in changes.collect::<Vec<_>>() {
            let answer = change.await.unwrap();
            assert_eq!(answer.status(), 200, "round {round}");
            names.push(answer.text("client_name"));
        }
        let stored = server.stored(own.id()).await.unwrap();
        assert_eq!(stored.revision(), 8, "round {round}: no change was lost");
        assert!(names.iter().any(|name| stored.name() == Some(name)));
        assert_eq!(server.get(&own).await.status(), 200);
    }
}

#[tokio::test]
async fn rg_11_a_change_is_checked_like_a_registration() {
    let server = Registering::on(Registration::open().scopes(["read"]));
    let own = server.registered(&app_with(json!({ "scope": "read" }))).await;
    for (changes, error) in [
        (json!({ "redirect_uris": ["javascript:alert(1)"] }), "invalid_redirect_uri"),
        (json!({ "redirect_uris": ["https://app.example/#x"] }), "invalid_redirect_uri"),
        (json!({ "redirect_uris": null }), "invalid_redirect_uri"),
        (json!({ "client_name": "App\u{202e}" }), "invalid_client_metadata"),
        (json!({ "client_name": 7 }), "invalid_client_metadata"),
        (json!({ "grant_types": ["password"] }), "invalid_client_metadata"),
        (json!({ "grant_types": ["client_credentials"] }), "invalid_client_metadata"),
        (json!({ "token_endpoint_auth_method": "private_key_jwt" }), "invalid_client_metadata"),
        (json!({ "scope": "admin" }), "invalid_client_metadata"),
        (json!({ "jwks": {}, "jwks_uri": "https://app.example" }), "invalid_client_metadata"),
        (json!({ "software_statement": "a.b.c" }), "unapproved_software_statement"),
    ] {
        let answer = server.put(&own, &app_with(changes.clone())).await;
        assert_eq!(answer.error(), (400, error.to_owned()), "{changes}");
    }
    let wider = json!({ "scope": "read write admin", "require_pkce": false, "localhost_any_port": true });
    let own = after(&own, &server.put(&own, &app_with(wider)).await.json());
    assert_eq!(own.text("scope"), "read", "a change gets no more than a registration does");
    let stored = server.stored(own.id()).await.unwrap();
    assert_eq!((stored.metadata().require_pkce, stored.metadata().localhost_any_port), (None, None));
}

#[tokio::test]
async fn rg_11_a_client_that_the_host_disabled_stays_disabled() {
    let server = open();
    let own = server.registered(&app()).await;
    let id = ClientId::new(own.id());
    let authorization_server = &server.fixture.server;
    assert!(authorization_server.set_client_state(&id, ClientState::Disabled).await.unwrap());
    let refused = (403, "access_denied".to_owned());
    assert_eq!(server.get(&own).await.error(), refused);
    assert_eq!(server.put(&own, &app()).await.error(), refused);
    assert_eq!(server.delete(&own).await.error(), refused, "nor is the host's decision deleted");
    assert_eq!(server.stored(own.id()).await.unwrap().state(), ClientState::Disabled);

    assert!(authorization_server.set_client_state(&id, ClientState::Active).await.unwrap());
    assert_eq!(server.put(&own, &app()).await.status(), 200);
    assert_eq!(server.stored(own.id()).await.unwrap().state(), ClientState::Active);
    let nobody = ClientId::new("nobody");
    assert!(!authorization_server.set_client_state(&nobody, ClientState::Disabled).await.unwrap());
    assert!(!authorization_server.delete_client(&nobody).await.unwrap());
    assert!(authorization_server.delete_client(&id).await.unwrap());
    assert_eq!(server.get(&own).await.error(), unauthorized());
}

#[tokio::test]
async fn rg_11_a_change_that_meets_the_hosts_decision_does_not_undo_it() {
    let server = open();
    let own = server.registered(&app()).await;
    let stale = server.stored(own.id()).await.unwrap();
    let id = ClientId::new(own.id());
    server.fixture.server.set_client_state(&id, ClientState::Disabled).await.unwrap();
    let late = grantor::Replacement::of(&stale, grantor::Client::clone(&stale));
    assert!(server.registry.replace(late).await.is_err(), "the write is conditional");
    assert_eq!(server.stored(own.id()).await.unwrap().state(), ClientState::Disabled);
}

#[tokio::test]
async fn without_management_there_is_no_configuration_endpoint() {
    let managed = open();
    let own = managed.registered(&app()).await;
    let server = Registering::on(Registration::open().without_management());
    for method in [Method::Get, Method::Put, Method::Delete] {
        let request = own.asks(Request::json(method, app().to_string()));
        let answer = Answer(server.fixture.server.handle(Endpoint::Registration, &request).await);
        assert_eq!((answer.status(), answer.0.header("allow")), (405, Some("POST")), "{method:?}");
        assert_eq!(server.send(request).await.status(), 405, "{method:?}");
    }
    let preflight =
        server.fixture.server.handle(Endpoint::Registration, &Request::new(Method::Options)).await;
    assert_eq!(preflight.header("access-control-allow-methods"), Some("POST"));
    let document = server.fixture.server.openapi();
    let documented: Vec<_> = document["paths"]["/register"].as_object().unwrap().keys().collect();
    assert_eq!(documented, ["post"]);
}

#[tokio::test]
async fn a_redirect_uri_that_is_registered_later_is_no_way_around_the_user() {
    let server = open();
    let own = server.registered(&app()).await;
    let code = server.code(&own, "read").await;
    let own = after(&own, &server.put(&own, &app_with(json!({ "redirect_uris": [ELSEWHERE] }))).await.json());
    let mut form = redemption(&code);
    form.retain(|(name, _)| *name != "redirect_uri");
    form.push(("redirect_uri", ELSEWHERE));
    assert_eq!(server.token(&own, &form).await.error(), (400, "invalid_grant".to_owned()));
    assert_ne!(CALLBACK, ELSEWHERE);
}

#[tokio::test]
async fn fp_28_a_change_keeps_the_profile_that_the_host_set() {
    let server = Registering::configured(Registration::open(), |builder| {
        let store = Arc::new(MemoryStore::new());
        builder.client_signatures(ClientJwts::new()).replay_guard(store).dpop(dpop())
    });
    let keys = set_of(&SigningKey::generate(Algorithm::Es256).unwrap());
    let keyed = |name: &str| {
        json!({
            "client_name": name, "redirect_uris": [CALLBACK], "jwks": keys,
            "token_endpoint_auth_method": "private_key_jwt",
        })
    };
    let own = server.registered(&keyed("App")).await;
    let current = server.stored(own.id()).await.unwrap();
    let mut held = current.encode();
    held["metadata"]["profile"] = json!("fapi2");
    let held = Client::decode(&held).unwrap();
    server.registry.replace(Replacement::of(&current, held)).await.unwrap();

    let answer = server.put(&own, &keyed("Another name")).await;
    assert_eq!(answer.status(), 200, "{}", answer.json());
    let changed = server.stored(own.id()).await.unwrap();
    assert_eq!((changed.name(), changed.profile()), (Some("Another name"), Some(Profile::Fapi2Security)));
    let mut local = keyed("App");
    local["redirect_uris"] = json!(["http://localhost/cb"]);
    assert_eq!(server.put(&own, &local).await.error(), (400, "invalid_redirect_uri".to_owned()));
    for method in ["none", "client_secret_basic"] {
        let unfit = json!({ "redirect_uris": [CALLBACK], "token_endpoint_auth_method": method });
        let answer = server.put(&own, &unfit).await;
        assert_eq!(answer.error(), (400, "invalid_client_metadata".to_owned()), "{method}");
        assert_eq!(server.fixture.log.last_reason(), Some(Reason::RegistrationProfile), "{method}");
        assert_eq!(server.stored(own.id()).await.unwrap(), changed, "{method}");
    }
}
