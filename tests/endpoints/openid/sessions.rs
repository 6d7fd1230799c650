//! Sessions of the host: what clients know of them, and what ends with them.

use std::sync::Arc;
use std::time::Duration;

use grantor::audit::EventKind;
use grantor::openid::{LogoutNotice, LogoutQueue};
use grantor::outbound::OutboundResponse;
use grantor::server::{ConfigError, Sessions};
use grantor::store::{Filter, Page, TokenStore as _};
use grantor::{
    AuthorizationServer, BackendError, Client, Consent, GrantType, HostError, MemoryRegistry, MemoryStore,
    Policy, Reason, Request, Scope, SessionId, Unasked, async_trait,
};
use serde_json::{Value, json};

use crate::support::bodies::Bodies;
use crate::support::faulty::{Fault, Faulty, Plan};
use crate::support::provider::Provider;
use crate::support::scripted::Scripted;
use crate::support::signing_out::{Queue, SigningOut, hearers, hearing, sessions, unreachable};
use crate::support::{Answer, CALLBACK, SECRET, code_query, encode};

async fn sid(host: &SigningOut, client: &str, session: &str) -> String {
    let answer = host.tokens(client, "openid", session).await;
    host.provider.id_token(&answer).await["sid"].as_str().expect("a sid").to_owned()
}

#[tokio::test]
async fn lo_14_a_sid_is_another_for_each_session_and_each_client_and_shows_nothing_of_the_hosts_own() {
    let host = SigningOut::new();
    let first = sid(&host, "rp", "session-1").await;
    assert_eq!(first.len(), 22, "128 bits");
    assert_eq!(sid(&host, "rp", "session-1").await, first);
    assert_ne!(sid(&host, "rp", "session-2").await, first);
    assert_ne!(sid(&host, "rp2", "session-1").await, first);
    let answer = host.tokens("rp", "openid", "session-1").await;
    let refreshed = host.provider.fixture.refresh("rp", &answer.refresh_token()).await;
    assert_eq!(host.provider.id_token(&refreshed).await["sid"], json!(first));
    let bodies = host.provider.fixture.store.list(&Filter::default(), Page::first(100)).await.unwrap();
    assert!(bodies.records.iter().all(|record| !record.grant().encode().contains("session-1")));
}

#[tokio::test]
async fn lo_14_another_secret_makes_other_sids_and_a_short_one_is_refused() {
    let host = SigningOut::new();
    let other = SigningOut::with(|builder| builder.sessions(Sessions::new([7; 32])));
    assert_ne!(sid(&host, "rp", "s").await, sid(&other, "rp", "s").await);
    let short = AuthorizationServer::builder("https://as.example")
        .clients(MemoryRegistry::default())
        .store(MemoryStore::new())
        .sessions(Sessions::new([7; 31]))
        .build();
    assert!(short.unwrap_err().all().contains(&ConfigError::SessionSecret));
}

#[test]
fn a_queue_whose_notices_cannot_be_delivered_is_a_mistake() {
    let built = AuthorizationServer::builder("https://as.example")
        .clients(MemoryRegistry::default())
        .store(MemoryStore::new())
        .sessions(Sessions::new([7; 32]).queue(Queue::default()))
        .build();
    assert!(built.unwrap_err().all().contains(&ConfigError::LogoutQueue));
}

#[tokio::test]
async fn a_host_that_does_not_name_its_sessions_has_no_sid() {
    let provider = Provider::with(hearers(), |builder| builder);
    let claims = provider.id_token(&provider.tokens("rp", "openid", &[]).await).await;
    assert_eq!(claims.get("sid"), None);
    let host = SigningOut::new();
    let claims = host.provider.id_token(&host.provider.tokens("rp", "openid", &[]).await).await;
    assert_eq!(claims.get("sid"), None);
}

#[tokio::test]
async fn lo_19_the_end_of_a_session_ends_its_grants_but_those_for_offline_access() {
    let host = SigningOut::new();
    let fixture = &host.provider.fixture;
    let ends = host.tokens("rp", "openid", "s").await;
    let offline = host.tokens("rp2", "openid offline_access", "s").await;
    let elsewhere = host.tokens("rp", "openid", "t").await;
    let plain = host.tokens("rp", "read", "s").await;
    assert_eq!(host.end("s").await, 1);
    assert!(!fixture.is_live(&ends.access_token()).await);
    assert_eq!(fixture.refresh("rp", &ends.refresh_token()).await.error(), (400, "invalid_grant".to_owned()));
    for (client, lives) in [("rp2", &offline), ("rp", &elsewhere), ("rp", &plain)] {
        assert!(fixture.is_live(&lives.access_token()).await);
        assert_eq!(fixture.refresh(client, &lives.refresh_token()).await.status(), 200, "{client}");
    }
    assert!(fixture.log.whats().contains(&EventKind::SessionEnded));
}

#[tokio::test]
async fn oi_86_what_was_granted_offline_outlives_the_logout_and_the_rest_does_not() {
    let host = SigningOut::new();
    let (rest, offline) =
        (host.tokens("rp", "openid", "s").await, host.tokens("rp", "openid offline_access", "s").await);
    host.yes(&[("client_id", "rp")], &host.alice("s")).await;
    let fixture = &host.provider.fixture;
    assert_eq!(fixture.refresh("rp", &rest.refresh_token()).await.error(), (400, "invalid_grant".to_owned()));
    assert_eq!(fixture.refresh("rp", &offline.refresh_token()).await.status(), 200);
}

#[tokio::test]
async fn what_lives_on_is_no_longer_of_the_session() {
    let host = SigningOut::new();
    let offline = host.tokens("rp2", "openid offline_access", "s").await;
    host.end("s").await;
    assert_eq!(host.told(), ["rp2.example"]);
    let refreshed = host.provider.fixture.refresh("rp2", &offline.refresh_token()).await;
    assert_eq!(host.provider.id_token(&refreshed).await.get("sid"), None);
    assert_eq!(host.end("s").await, 0);
    assert_eq!(host.told(), ["rp2.example"], "told once");
}

#[tokio::test]
async fn lo_24_a_code_from_before_the_logout_is_worth_nothing() {
    let host = SigningOut::new();
    let answer = host.provider.ask("rp", "openid", &[], host.alice("s")).await;
    let code = answer.location_parameter("code").unwrap();
    host.end("s").await;
    let answer = host.provider.fixture.redeem("rp", &code).await;
    assert_eq!(answer.error(), (400, "invalid_grant".to_owned()));
    assert_eq!(host.told(), ["rp.example"], "its redemption may have been under way");
}

#[tokio::test]
async fn lo_20_told_are_the_clients_of_the_session_that_want_to_hear_even_after_their_tokens() {
    let host = SigningOut::new();
    let fixture = &host.provider.fixture;
    host.tokens("rp", "openid", "s").await;
    let revoked = host.tokens("rp2", "openid", "s").await;
    host.tokens("deaf", "openid", "s").await;
    fixture.revoke("rp2", &revoked.refresh_token()).await;
    fixture.clock.advance(Duration::from_secs(29 * 24 * 60 * 60));
    fixture.server.sweep().await.unwrap();
    assert_eq!(fixture.count().await, 2, "that of `deaf` is gone");
    assert_eq!(host.end("other").await, 0);
    assert_eq!(host.told(), [""; 0]);
    host.end("s").await;
    assert_eq!(host.told(), ["rp.example", "rp2.example"]);
    fixture.clock.advance(Duration::from_secs(2 * 24 * 60 * 60));
    fixture.server.sweep().await.unwrap();
    assert_eq!(fixture.count().await, 0);
}

#[tokio::test]
async fn a_record_that_is_kept_for_a_logout_goes_when_no_session_can_last_any_more() {
    let host = SigningOut::with(|builder| {
        let web = crate::support::signing_out::unreachable();
        builder.sessions(sessions(&web).longest(Duration::from_secs(24 * 60 * 60)))
    });
    let fixture = &host.provider.fixture;
    host.provider.ask("rp", "openid", &[], host.alice("s")).await;
    fixture.clock.advance(Duration::from_secs(60 * 60));
    fixture.server.sweep().await.unwrap();
    assert_eq!(fixture.count().await, 0, "a code that nobody redeemed");
    let answer = host.tokens("rp", "openid", "s").await;
    fixture.revoke("rp", &answer.refresh_token()).await;
    fixture.clock.advance(Duration::from_secs(23 * 60 * 60));
    fixture.server.sweep().await.unwrap();
    assert_eq!(fixture.count().await, 1);
    fixture.clock.advance(Duration::from_secs(2 * 60 * 60));
    fixture.server.sweep().await.unwrap();
    assert_eq!(fixture.count().await, 0);
}

#[tokio::test]
async fn a_client_that_renews_silently_leaves_few_records_and_is_told_of_the_logout() {
    renews(async |consent| consent.approve_remembered().await).await;
    renews(async |consent| consent.approve_first_party().await).await;
    let known = Scope::parse("openid").unwrap();
    renews(async |consent| consent.granted_before(&known, &[]).approve_remembered().await).await;
}

/// A session in which the client renews its tokens every five minutes, without a page.
async fn renews(approve: impl AsyncFn(Consent) -> Unasked) {
    let (provider, web) = with_spa();
    let fixture = &provider.fixture;
    let alice = || fixture.alice().with_session(SessionId::new("s"));
    let answer = provider.ask("spa", "openid", &[], alice()).await;
    fixture.redeem("spa", &answer.location_parameter("code").unwrap()).await;
    let query = [code_query("spa", "openid"), vec![("prompt", "none")]].concat();
    // Six hours: a session that the host prolongs for as long as its user comes back.
    for _ in 0..72 {
        fixture.clock.advance(Duration::from_secs(5 * 60));
        let ask = fixture.server.authorize(&Request::get(encode(&query))).await.unwrap();
        let consent = ask.signed_in(alice()).await.consent().unwrap();
        let Unasked::Answered(response) = approve(consent).await else { panic!("a page") };
        let code = Answer(response).location_parameter("code").expect("a code");
        assert_eq!(fixture.redeem("spa", &code).await.status(), 200);
        fixture.server.sweep().await.unwrap();
        assert!(fixture.count().await <= 6, "{}", fixture.count().await);
    }
    fixture.clock.advance(Duration::from_secs(50 * 60));
    fixture.server.sweep().await.unwrap();
    fixture.server.end_session(&SessionId::new("s")).await.unwrap();
    assert_eq!(web.asked().len(), 1, "its tokens have expired, and it is told");
}

#[tokio::test]
async fn a_client_that_renews_silently_is_told_of_the_logout_of_each_session() {
    let (provider, web) = with_spa();
    let fixture = &provider.fixture;
    for session in ["s", "t"] {
        let query = encode(&code_query("spa", "openid"));
        let ask = fixture.server.authorize(&Request::get(query)).await.unwrap();
        let login = fixture.alice().with_session(SessionId::new(session));
        let consent = ask.signed_in(login).await.consent().unwrap();
        let Unasked::Answered(response) = consent.approve_first_party().await else { panic!("a page") };
        let code = Answer(response).location_parameter("code").expect("a code");
        assert_eq!(fixture.redeem("spa", &code).await.status(), 200);
    }
    fixture.clock.advance(Duration::from_secs(50 * 60));
    fixture.server.sweep().await.unwrap();
    fixture.server.end_session(&SessionId::new("t")).await.unwrap();
    assert_eq!(web.asked().len(), 1, "the record of another session is not one of this");
}

/// A provider with a client that is told of logouts, in sessions of two hours.
fn with_spa() -> (Provider, Scripted) {
    let spa = Client::builder("spa").metadata(serde_json::from_value(hearing("spa")).unwrap());
    let spa = spa.redirect_uri(CALLBACK).grant_types([GrantType::AuthorizationCode]).secret(SECRET);
    let web = Scripted::by(|_| Ok(OutboundResponse::new(200, "")));
    let own = sessions(&web).longest(Duration::from_secs(2 * 60 * 60));
    (Provider::with(vec![spa.build().unwrap()], |builder| builder.sessions(own)), web)
}

#[tokio::test]
async fn lo_23_one_call_of_the_host_signs_a_user_out_everywhere() {
    let host = SigningOut::new();
    let fixture = &host.provider.fixture;
    let first = host.tokens("rp", "openid", "s").await;
    host.tokens("rp2", "openid", "t").await;
    let bob = host.tokens_of("rp", "openid", host.bob("b")).await;
    let ended = fixture.server.end_user("alice").await.unwrap();
    assert_eq!(ended.grants, 2);
    assert_eq!(host.told(), ["rp.example", "rp2.example"]);
    assert!(!fixture.is_live(&first.access_token()).await);
    assert!(fixture.is_live(&bob.access_token()).await);
    let tokens: Vec<Value> = crate::endpoints::openid::back_channel::logout_tokens(&host);
    assert!(tokens.iter().all(|token| token["sub"] == "alice" && token.get("sid").is_none()));
}

#[tokio::test]
async fn a_grant_is_found_by_the_session_that_it_began_in() {
    let host = SigningOut::new();
    let id = SessionId::new("s");
    host.tokens("rp", "openid", "s").await;
    let listing = host.provider.fixture.store.list(&Filter::session(id), Page::first(9)).await.unwrap();
    assert_eq!(listing.records.len(), 1);
    assert_eq!(listing.records[0].grant().session(), Some(id));
}

#[tokio::test]
async fn a_store_that_fails_ends_a_session_in_part_and_the_next_call_ends_the_rest() {
    for fault in Fault::ALL {
        // The listing, the end of the grants, the removal of their session, and the write of the one that
        // lives on.
        for call in 0..4 {
            let plan = Plan::default();
            let store = Arc::new(MemoryStore::new());
            let mut policy = Policy::default();
            policy.store_deadline = Duration::from_millis(20);
            let host =
                SigningOut::with(|builder| builder.store(Faulty::new(store.clone(), &plan)).policy(policy));
            let fixture = &host.provider.fixture;
            let plain = host.tokens("rp", "openid", "s").await;
            let more = [("prompt", "consent")];
            let offline = host.provider.ask("rp2", "openid offline_access", &more, host.alice("s")).await;
            let offline = fixture.redeem("rp2", &offline.location_parameter("code").unwrap()).await;
            let id = SessionId::new("s");
            plan.arm(call, fault);
            let ended = fixture.server.end_session(&id).await;
            assert!(plan.recover(), "{fault:?} at {call}");
            let is_audited = fixture.log.whats().contains(&EventKind::SessionEnded);
            assert_eq!(is_audited, ended.is_ok() || call > 1, "{fault:?} at {call}");
            if let Err(error) = ended {
                assert!(matches!(error, HostError::Backend(_) | HostError::Deadline | HostError::Contended));
            }
            fixture.server.end_session(&id).await.unwrap();
            assert!(!fixture.is_live(&plain.access_token()).await, "{fault:?} at {call}");
            let refreshed = fixture.refresh("rp2", &offline.refresh_token()).await;
            assert_eq!(refreshed.status(), 200, "{fault:?} at {call}: what was granted offline lives on");
            let left = fixture.server.grants(&Filter::session(id), None, 10).await.unwrap();
            assert!(
                left.records.iter().all(|record| record.grant().session().is_none()),
                "{fault:?} at {call}"
            );
            assert!(host.told().contains(&"rp.example".to_owned()), "{fault:?} at {call}");
        }
    }
}

/// A host with a queue, whose registry, store and queue do what the plan says.
fn planned(plan: &Plan, queue: &Queue) -> SigningOut {
    let mut policy = Policy::default();
    policy.store_deadline = Duration::from_millis(20);
    let own = sessions(&unreachable()).queue(FaultyQueue(queue.clone(), plan.clone()));
    let registry = Faulty::new(MemoryRegistry::new(hearers()), plan);
    let store = Faulty::new(Arc::new(MemoryStore::new()), plan);
    SigningOut::with(|builder| builder.clients(registry).store(store).sessions(own).policy(policy))
}

/// A queue that fails as planned.
struct FaultyQueue(Queue, Plan);

#[async_trait]
impl LogoutQueue for FaultyQueue {
    async fn push(&self, notice: LogoutNotice) -> Result<(), BackendError> {
        self.1.call(self.0.push(notice)).await
    }
}

#[tokio::test]
async fn a_registry_or_a_queue_that_fails_for_a_moment_loses_no_notice() {
    for fault in [Fault::Transient, Fault::Hang, Fault::HangAfter, Fault::UnknownAfter] {
        // After the listing and the ends of two grants: the lookups of two clients, and their notices.
        for call in 3..7 {
            let (plan, queue) = (Plan::default(), Queue::default());
            let host = planned(&plan, &queue);
            let fixture = &host.provider.fixture;
            let tokens = [host.tokens("rp", "openid", "s").await, host.tokens("rp2", "openid", "s").await];
            plan.arm(call, fault);
            let ended = fixture.server.end_session(&SessionId::new("s")).await;
            assert!(plan.recover(), "{fault:?} at {call}");
            assert!(matches!(ended, Err(HostError::Backend(_) | HostError::Deadline)), "{fault:?} at {call}");
            for answer in tokens {
                assert!(!fixture.is_live(&answer.access_token()).await, "{fault:?} at {call}");
            }
            assert_eq!(host.end("s").await, 0, "all had ended");
            assert_eq!(queue.clients(), ["rp", "rp2"], "{fault:?} at {call}");
            assert_eq!(host.end("s").await, 0);
            assert_eq!(queue.clients().len(), 2, "the session is forgotten");
        }
    }
}

#[tokio::test]
async fn a_client_that_cannot_be_read_is_noted_and_keeps_no_session_alive() {
    let (plan, queue) = (Plan::default(), Queue::default());
    let host = planned(&plan, &queue);
    host.tokens("rp", "openid", "s").await;
    plan.arm(2, Fault::Permanent);
    assert_eq!(host.end("s").await, 1);
    assert!(plan.recover());
    let whats = host.provider.fixture.log.whats();
    assert!(whats.contains(&EventKind::Failed(Reason::LogoutUndelivered)));
}

#[tokio::test]
async fn a_logout_whose_future_is_dropped_is_repeated_in_full() {
    for polls in 0.. {
        let (plan, queue) = (Plan::default(), Queue::default());
        let host = planned(&plan, &queue);
        let fixture = &host.provider.fixture;
        let token = host.tokens("rp", "openid", "s").await.access_token();
        host.tokens("rp2", "openid offline_access", "s").await;
        plan.pause();
        let id = SessionId::new("s");
        let mut ending = Box::pin(fixture.server.end_session(&id));
        let mut is_over = false;
        for _ in 0..polls {
            is_over = futures_util::poll!(ending.as_mut()).is_ready();
        }
        drop(ending);
        plan.recover();
        fixture.server.end_session(&id).await.unwrap();
        assert_eq!(queue.clients(), ["rp", "rp2"], "dropped after {polls} polls");
        assert!(!fixture.is_live(&token).await);
        if is_over {
            assert!(polls > 6, "it waited for the store, the registry and the queue");
            return;
        }
    }
}

/// Bodies of a later version, during a rolling upgrade.
#[tokio::test]
async fn a_record_that_cannot_be_read_ends_with_its_session_and_no_other_does() {
    for all in [true, false] {
        let bodies = Bodies::default();
        let host = SigningOut::with(|builder| builder.store(bodies.clone()));
        let fixture = &host.provider.fixture;
        host.tokens("rp", "openid", "s").await;
        host.tokens("rp", "read", "s").await;
        host.tokens_of("rp", "openid", host.bob("b")).await;
        let before = bodies.rows().clone();
        bodies.damage(|_| true);
        let ended = match all {
            true => fixture.server.end_user("alice").await.unwrap().grants,
            false => host.end("s").await,
        };
        assert_eq!(ended, 1);
        assert_eq!(host.told(), ["rp.example"]);
        for (id, row) in before {
            let now = &bodies.rows()[&id];
            let is_of_it = row.session == Some(SessionId::new("s"));
            assert_eq!(now.body != "{\"v\":1,", is_of_it, "all: {all}");
            assert_eq!(now.session.is_some(), row.session.is_some() && !is_of_it);
        }
    }
}

#[tokio::test]
async fn a_record_that_cannot_be_read_and_is_ended_alone_stays_in_its_session() {
    let bodies = Bodies::default();
    let host = SigningOut::with(|builder| builder.store(bodies.clone()));
    host.tokens("rp", "openid", "s").await;
    let id = *bodies.rows().keys().next().unwrap();
    bodies.damage(|_| true);
    assert!(host.provider.fixture.server.revoke_grant(id).await.unwrap());
    assert_eq!(bodies.rows()[&id].session, Some(SessionId::new("s")));
}
