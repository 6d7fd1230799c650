//! Revocation: RFC 7009.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use grantor::ForeignToken;
use grantor::base::Secret;
use grantor::grant::{Handle, Kind, Prefixes};
use grantor::store::{Filter, Page, TokenStore as _};
use grantor::{EventKind, Policy, Reason, Request};

use crate::support::faulty::{Fault, Faulty, Plan};
use crate::support::{Answer, Fixture, SECRET, basic, encode, request};

impl Fixture {
    async fn revoke_with_hint(&self, client: &str, token: &str, hint: &str) -> Answer {
        let form = [("token", token), ("token_type_hint", hint)];
        Answer(self.server.revoke(&request(client, &form)).await)
    }
}

#[tokio::test]
async fn rv_01_a_refresh_token_is_revoked() {
    let fixture = Fixture::new();
    for client in ["conf", "pub"] {
        let tokens = fixture.tokens(client, "read").await;
        assert_eq!(fixture.revoke(client, &tokens.refresh_token()).await.status(), 200);
        assert_eq!(fixture.log.whats().last(), Some(&EventKind::Revoked));
        assert_eq!(fixture.refresh(client, &tokens.refresh_token()).await.error().1, "invalid_grant");
    }
}

#[tokio::test]
async fn rv_01_an_access_token_is_revoked_and_only_it() {
    let fixture = Fixture::new();
    let first = fixture.tokens("conf", "read").await;
    let second = fixture.refresh("conf", &first.refresh_token()).await;
    assert_eq!(fixture.revoke("conf", &first.access_token()).await.status(), 200);
    assert!(!fixture.is_live(&first.access_token()).await);
    assert!(fixture.is_live(&second.access_token()).await);
    assert_eq!(fixture.refresh("conf", &first.refresh_token()).await.status(), 200);
}

#[tokio::test]
async fn rv_01_the_only_token_takes_its_grant_along() {
    let fixture = Fixture::new();
    let answer = fixture.token("robot", &[("grant_type", "client_credentials")]).await;
    fixture.revoke("robot", &answer.access_token()).await;
    assert!(!fixture.is_live(&answer.access_token()).await);
    let grants = fixture.server.grants(&Filter::default(), None, 1).await.unwrap();
    assert!(grants.records[0].grant().is_ended());
    fixture.clock.advance(Duration::from_secs(62));
    assert_eq!(fixture.server.sweep().await.unwrap(), 1);
}

#[tokio::test]
async fn rv_01_what_has_ended_is_not_revoked_again() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens("conf", "read").await;
    for _ in 0..2 {
        assert_eq!(fixture.revoke("conf", &tokens.refresh_token()).await.status(), 200);
        assert_eq!(fixture.log.whats().iter().filter(|what| **what == EventKind::Revoked).count(), 1);
    }
}

#[tokio::test]
async fn rv_02_who_knows_the_grant_of_a_device_and_not_its_secret_revokes_nothing() {
    let fixture = Fixture::with(|builder| builder.device_verification("/device"));
    let codes = fixture.waits().await;
    let grant = Handle::parse(&codes.device, Kind::Device, &Prefixes::default()).unwrap().grant;
    let guess = Handle::new(grant, Secret::new([7; 32])).into_text(Kind::Device, &Prefixes::default());
    assert_eq!(fixture.revoke("tv", &guess).await.status(), 200);
    assert_eq!(fixture.poll("tv", &codes.device).await.error().1, "authorization_pending");
}

#[tokio::test]
async fn rv_02_the_client_must_prove_who_it_is() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens("conf", "read").await;
    let (token, form) = (tokens.access_token(), |id| vec![("client_id", id)]);
    for (what, request) in [
        (
            "a wrong secret",
            Request::post_form(encode(&[("token", &token)])).header("authorization", basic("conf", "x")),
        ),
        ("an id alone", Request::post_form(encode(&[form("conf"), vec![("token", &token)]].concat()))),
        ("nobody", Request::post_form(encode(&[("token", &token)]))),
    ] {
        let answer = Answer(fixture.server.revoke(&request).await);
        assert_eq!(answer.error(), (401, "invalid_client".to_owned()), "{what}");
    }
    assert!(fixture.is_live(&token).await);
}

#[tokio::test]
async fn rv_02_the_token_of_another_client_stays_good() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens("conf", "read").await;
    for thief in ["other", "pub"] {
        fixture.revoke(thief, &tokens.access_token()).await;
        fixture.revoke(thief, &tokens.refresh_token()).await;
    }
    assert!(fixture.is_live(&tokens.access_token()).await);
    assert_eq!(fixture.refresh("conf", &tokens.refresh_token()).await.status(), 200);
}

#[tokio::test]
async fn d_11_another_clients_token_looks_like_one_that_nobody_knows() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens("conf", "read").await;
    let unknown = fixture.revoke("other", "gat_unknown").await;
    for token in [tokens.access_token(), tokens.refresh_token()] {
        let foreign = fixture.revoke("other", &token).await;
        assert_eq!((foreign.status(), &foreign.0.body), (200, &unknown.0.body));
        assert_eq!(foreign.0.headers, unknown.0.headers);
        assert!(fixture.is_live(&tokens.access_token()).await);
    }
}

#[tokio::test]
async fn d_11_a_strict_server_says_that_the_token_is_anothers_and_keeps_it() {
    let mut policy = Policy::default();
    policy.foreign_token = ForeignToken::Refused;
    let fixture = Fixture::with(|b| b.policy(policy));
    let tokens = fixture.tokens("conf", "read").await;
    for token in [tokens.access_token(), tokens.refresh_token()] {
        let error = fixture.revoke("other", &token).await.error();
        assert_eq!(error, (400, "unauthorized_client".to_owned()));
        assert_eq!(fixture.log.last_reason(), Some(Reason::TokenForAnotherClient));
    }
    assert_eq!(fixture.revoke("other", "gat_unknown").await.status(), 200);
    assert!(fixture.is_live(&tokens.access_token()).await);
    assert_eq!(fixture.revoke("conf", &tokens.refresh_token()).await.status(), 200);
    assert!(!fixture.is_live(&tokens.access_token()).await);
}

#[tokio::test]
async fn rv_03_a_public_client_revokes_by_its_id_alone() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens("pub", "read").await;
    let form = [("client_id", "pub"), ("token", &tokens.access_token())];
    let answer = Answer(fixture.server.revoke(&Request::post_form(encode(&form))).await);
    assert_eq!(answer.status(), 200);
    assert!(!fixture.is_live(&tokens.access_token()).await);
}

#[tokio::test]
async fn rv_04_a_hint_that_is_wrong_or_unknown_changes_nothing() {
    let fixture = Fixture::new();
    for hint in ["access_token", "refresh_token", "foo", ""] {
        let tokens = fixture.tokens("conf", "read").await;
        assert_eq!(fixture.revoke_with_hint("conf", &tokens.access_token(), hint).await.status(), 200);
        assert!(!fixture.is_live(&tokens.access_token()).await, "{hint}");
        assert_eq!(fixture.revoke_with_hint("conf", &tokens.refresh_token(), hint).await.status(), 200);
        assert_eq!(fixture.refresh("conf", &tokens.refresh_token()).await.status(), 400, "{hint}");
    }
}

#[tokio::test]
async fn rv_05_a_refresh_token_takes_its_access_tokens_along() {
    let fixture = Fixture::new();
    let first = fixture.tokens("pub", "read").await;
    let second = fixture.refresh("pub", &first.refresh_token()).await;
    let third = fixture.refresh("pub", &second.refresh_token()).await;
    // A spent one does as well: it belongs to the same authorization.
    fixture.revoke("pub", &second.refresh_token()).await;
    for answer in [first, second, third] {
        assert!(!fixture.is_live(&answer.access_token()).await);
        assert_eq!(fixture.refresh("pub", &answer.refresh_token()).await.error().1, "invalid_grant");
    }
}

#[tokio::test]
async fn rv_06_what_is_no_live_token_is_revoked_already() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens("conf", "read").await;
    fixture.clock.advance(Duration::from_secs(601));
    let gone = tokens.access_token();
    let altered = format!("{}A", &gone[..gone.len() - 1]);
    for token in ["garbage", "gat_", "grt_x", "é", "eyJhbGciOiJub25lIn0.e30.", &gone, &altered] {
        let answer = fixture.revoke("conf", token).await;
        assert_eq!((answer.status(), answer.json()), (200, serde_json::json!({})), "{token}");
    }
    fixture.revoke("conf", &tokens.refresh_token()).await;
    assert_eq!(fixture.revoke("conf", &tokens.refresh_token()).await.status(), 200);
}

#[tokio::test]
async fn rv_06_a_request_without_a_token_is_no_request() {
    let fixture = Fixture::new();
    let answer = Answer(fixture.server.revoke(&request("conf", &[("token_type_hint", "foo")])).await);
    assert_eq!(answer.error(), (400, "invalid_request".to_owned()));
}

#[tokio::test]
async fn rv_07_a_store_that_fails_is_503_and_never_200() {
    let store = Arc::new(grantor::MemoryStore::new());
    let plan = Plan::default();
    let fixture = Fixture::on(store.clone(), Faulty::new(store, &plan), |b| b);
    let tokens = fixture.tokens("conf", "read").await;
    for token in [tokens.access_token(), tokens.refresh_token()] {
        for call in [0, 1] {
            plan.arm(call, Fault::Transient);
            let answer = fixture.revoke("conf", &token).await;
            assert_eq!(answer.error(), (503, "temporarily_unavailable".to_owned()));
            assert!(answer.0.header("retry-after").is_some());
        }
        plan.recover();
        assert_eq!(fixture.revoke("conf", &token).await.status(), 200);
    }
    assert!(!fixture.is_live(&tokens.access_token()).await);
}

#[tokio::test]
async fn rv_08_guessing_secrets_at_this_endpoint_is_throttled() {
    let fixture = Fixture::new();
    let peer = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    let guess = |secret: &str| {
        let form = Request::post_form("token=gat_x").from_peer(peer);
        form.header("authorization", basic("conf", secret))
    };
    for _ in 0..120 {
        assert_eq!(fixture.server.revoke(&guess("wrong")).await.status, 401);
    }
    let throttled = fixture.server.revoke(&guess("wrong")).await;
    assert_eq!((throttled.status, throttled.header("retry-after").is_some()), (429, true));
    assert_eq!(fixture.server.revoke(&guess(SECRET)).await.status, 200, "a right secret is no guess");
}

#[tokio::test]
async fn rv_08_guessing_tokens_writes_nothing() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens("conf", "read").await;
    let access = fixture.server.check(&tokens.access_token()).await.unwrap();
    let before = fixture.server.grants_of(access.subject()).await.unwrap()[0].version();
    let good = tokens.refresh_token();
    for last in ["A", "B", "C", "D"].into_iter().filter(|last| !good.ends_with(last)) {
        fixture.revoke("conf", &format!("{}{last}", &good[..good.len() - 1])).await;
    }
    let after = fixture.server.grants_of(access.subject()).await.unwrap()[0].version();
    assert_eq!(before, after);
}

#[tokio::test]
async fn rv_08_only_the_code_itself_ends_a_grant_that_waits_for_it() {
    let fixture = Fixture::new();
    let code = fixture.code("conf", "read").await;
    let last = if code.ends_with('A') { 'Q' } else { 'A' };
    let guessed = format!("{}{last}", &code[..code.len() - 1]);
    let as_refresh_token = code.replacen("gac_", "grt_", 1);
    assert_ne!(as_refresh_token, code);
    let version =
        async || fixture.store.list(&Filter::default(), Page::first(1)).await.unwrap().records[0].version();
    let before = version().await;
    for wrong in [guessed, as_refresh_token] {
        assert_eq!(fixture.revoke("conf", &wrong).await.status(), 200);
        assert_eq!(version().await, before, "{wrong}");
    }
    assert_eq!(fixture.revoke("conf", &code).await.status(), 200);
    assert_eq!(fixture.redeem("conf", &code).await.error(), (400, "invalid_grant".to_owned()));
    assert_eq!(fixture.log.last_reason(), Some(Reason::GrantEnded));
}
