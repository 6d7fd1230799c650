//! Refreshing: RFC 6749 section 6, OAuth 2.1 section 4.3, RFC 9700 section 4.14.

use std::sync::Arc;
use std::time::Duration;

use grantor::client::{ClientError, ClientErrors, Registrar};
use grantor::{
    AuthMethod, Client, ClientBuilder, ClientId, ClientRegistry, EventKind, GrantType, MemoryRegistry,
    Reason, Replacement, Subject,
};

use crate::support::{Answer, CALLBACK, Fixture, clients, redemption};

const LEEWAY: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Fixture {
    /// A refresh that asks for a scope.
    async fn refresh_to(&self, client: &str, token: &str, scope: &str) -> Answer {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token), ("scope", scope)];
        self.token(client, &form).await
    }
}

fn invalid_grant() -> (u16, String) {
    (400, "invalid_grant".to_owned())
}

#[tokio::test]
async fn rt_01_a_refresh_token_of_another_client_stays_good() {
    let fixture = Fixture::new();
    for owner in ["conf", "pub"] {
        let tokens = fixture.tokens(owner, "read").await;
        for thief in ["other", "post", "native"] {
            assert_eq!(fixture.refresh(thief, &tokens.refresh_token()).await.error(), invalid_grant());
            assert_eq!(fixture.log.last_reason(), Some(Reason::RefreshForAnotherClient));
        }
        assert!(fixture.is_live(&tokens.access_token()).await);
        assert_eq!(fixture.refresh(owner, &tokens.refresh_token()).await.status(), 200);
    }
}

#[tokio::test]
async fn rt_01_a_spent_refresh_token_in_foreign_hands_ends_nothing() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens("pub", "read").await;
    let next = fixture.refresh("pub", &tokens.refresh_token()).await;
    fixture.clock.advance(LEEWAY * 2);
    assert_eq!(fixture.refresh("other", &tokens.refresh_token()).await.error(), invalid_grant());
    assert!(fixture.is_live(&next.access_token()).await);
    assert_eq!(fixture.refresh("pub", &next.refresh_token()).await.status(), 200);
}

#[tokio::test]
async fn rt_02_a_wider_scope_is_refused_and_spends_nothing() {
    let fixture = Fixture::new();
    for client in ["conf", "pub"] {
        let tokens = fixture.tokens(client, "read").await;
        for wider in ["read write", "write", "read fly"] {
            let error = fixture.refresh_to(client, &tokens.refresh_token(), wider).await.error();
            assert_eq!(error, (400, "invalid_scope".to_owned()), "{client} {wider}");
        }
        assert_eq!(fixture.refresh(client, &tokens.refresh_token()).await.text("scope"), "read");
    }
}

#[tokio::test]
async fn rt_02_a_refresh_without_scope_has_the_scope_that_was_granted() {
    let fixture = Fixture::new();
    for client in ["conf", "pub"] {
        let tokens = fixture.tokens(client, "read write").await;
        let narrow = fixture.refresh_to(client, &tokens.refresh_token(), "read").await;
        assert_eq!(narrow.text("scope"), "read");
        let access = fixture.server.check(&narrow.access_token()).await.unwrap();
        assert_eq!(access.scope().as_str(), "read");
        let full = fixture.refresh(client, &narrow.refresh_token()).await;
        assert_eq!(full.text("scope"), "read write");
        // What was narrowed stays narrow, and what was not stays wide.
        let access = fixture.server.check(&narrow.access_token()).await.unwrap();
        assert_eq!(access.scope().as_str(), "read");
        let access = fixture.server.check(&tokens.access_token()).await.unwrap();
        assert_eq!(access.scope().as_str(), "read write");
    }
}

#[tokio::test]
async fn rt_03_narrowing_one_refresh_does_not_narrow_the_next_refresh_token() {
    let fixture = Fixture::new();
    let mut token = fixture.tokens("pub", "read write").await.refresh_token();
    for scope in ["read", "write", "read write", "read"] {
        let answer = fixture.refresh_to("pub", &token, scope).await;
        assert_eq!(answer.text("scope"), scope);
        token = answer.refresh_token();
    }
}

#[test]
fn rt_04_a_public_client_without_rotation_cannot_be_built() {
    let public = Client::builder("app").redirect_uri(CALLBACK).auth_method(AuthMethod::None);
    let built = public.grant_types([GrantType::AuthorizationCode, GrantType::RefreshToken]);
    let error: ClientErrors = built.rotate_refresh(false).build().unwrap_err();
    assert_eq!(error.all(), [ClientError::PublicWithoutRotation]);
}

#[tokio::test]
async fn rt_04_the_refresh_tokens_of_public_and_native_clients_rotate() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens("pub", "read").await;
    let next = fixture.refresh("pub", &tokens.refresh_token()).await;
    assert_ne!(next.refresh_token(), tokens.refresh_token());

    let code = fixture.code("native", "read").await;
    let form = redemption(&code).into_iter();
    let form = form.map(|(n, v)| (n, if n == "redirect_uri" { "com.example.app:/cb" } else { v }));
    let tokens = fixture.token("native", &form.collect::<Vec<_>>()).await;
    let next = fixture.refresh("native", &tokens.refresh_token()).await;
    assert_ne!(next.refresh_token(), tokens.refresh_token());
}

#[tokio::test]
async fn d_01_the_refresh_token_of_a_confidential_client_stays_the_same() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens("conf", "read").await;
    for _ in 0..3 {
        let next = fixture.refresh("conf", &tokens.refresh_token()).await;
        assert_eq!(next.refresh_token(), tokens.refresh_token());
        assert_ne!(next.access_token(), tokens.access_token());
        assert_eq!(fixture.log.whats().last(), Some(&EventKind::Refreshed));
        fixture.clock.advance(DAY);
    }
}

#[tokio::test]
async fn d_01_a_confidential_client_rotates_where_it_is_told_to() {
    let rotating = Client::builder("conf")
        .redirect_uri(CALLBACK)
        .grant_types([GrantType::AuthorizationCode, GrantType::RefreshToken])
        .secret(crate::support::SECRET)
        .rotate_refresh(true)
        .build();
    let fixture = Fixture::with(|b| b.clients(MemoryRegistry::new(rotating)));
    let tokens = fixture.tokens("conf", "read").await;
    let next = fixture.refresh("conf", &tokens.refresh_token()).await;
    assert_ne!(next.refresh_token(), tokens.refresh_token());
    fixture.clock.advance(LEEWAY * 2);
    assert_eq!(fixture.refresh("conf", &tokens.refresh_token()).await.error(), invalid_grant());
    assert!(!fixture.is_live(&next.access_token()).await);
}

#[tokio::test]
async fn rt_05_a_late_replay_of_a_rotated_token_ends_the_family() {
    let fixture = Fixture::new();
    let first = fixture.tokens("pub", "read").await;
    let second = fixture.refresh("pub", &first.refresh_token()).await;
    fixture.clock.advance(LEEWAY + Duration::from_secs(1));
    assert_eq!(fixture.refresh("pub", &first.refresh_token()).await.error(), invalid_grant());
    assert_eq!(fixture.log.last_reason(), Some(Reason::RefreshReplayed));
    for token in [first.access_token(), second.access_token()] {
        assert!(!fixture.is_live(&token).await);
    }
    assert_eq!(fixture.refresh("pub", &second.refresh_token()).await.error(), invalid_grant());
    assert_eq!(fixture.log.last_reason(), Some(Reason::GrantEnded));
}

#[tokio::test]
async fn rt_06_a_refresh_token_that_is_not_used_dies() {
    let fixture = Fixture::new();
    for client in ["conf", "pub"] {
        let mut token = fixture.tokens(client, "read").await.refresh_token();
        for _ in 0..3 {
            fixture.clock.advance(DAY * 14 - Duration::from_secs(1));
            let answer = fixture.refresh(client, &token).await;
            assert_eq!(answer.status(), 200, "{client}");
            token = answer.refresh_token();
        }
        fixture.clock.advance(DAY * 14);
        assert_eq!(fixture.refresh(client, &token).await.error(), invalid_grant());
        assert_eq!(fixture.log.last_reason(), Some(Reason::RefreshExpired));
    }
}

#[tokio::test]
async fn rt_06_no_rotation_moves_the_end_of_the_family() {
    let fixture = Fixture::new();
    for client in ["conf", "pub"] {
        let mut token = fixture.tokens(client, "read").await.refresh_token();
        for _ in 0..89 {
            fixture.clock.advance(DAY);
            token = fixture.refresh(client, &token).await.refresh_token();
        }
        fixture.clock.advance(DAY - Duration::from_secs(100));
        let last = fixture.refresh(client, &token).await;
        assert_eq!(last.json()["expires_in"], 100, "no access token outlives its family");
        fixture.clock.advance(Duration::from_secs(100));
        assert!(!fixture.is_live(&last.access_token()).await);
        assert_eq!(fixture.refresh(client, &last.refresh_token()).await.error(), invalid_grant());
        assert_eq!(fixture.log.last_reason(), Some(Reason::RefreshExpired));
    }
}

#[tokio::test]
async fn rt_07_any_other_spelling_of_a_refresh_token_is_none_and_ends_nothing() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens("pub", "read").await;
    let good = tokens.refresh_token();
    let flipped = (0..good.len()).map(|at| {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).unwrap()
    });
    let cut = (1..good.len()).map(|at| good[..at].to_owned());
    let others = [
        format!("{good}A"),
        format!("{good}="),
        format!(" {good}"),
        format!("{good} "),
        good.to_uppercase(),
        good.replacen("grt_", "gat_", 1),
        good.replacen("grt_", "gac_", 1),
        good.replacen("grt_", "", 1),
        tokens.access_token(),
        tokens.access_token().replacen("gat_", "grt_", 1),
    ];
    for bad in flipped.chain(cut).chain(others) {
        assert_eq!(fixture.refresh("pub", &bad).await.error(), invalid_grant(), "{bad}");
    }
    assert!(fixture.is_live(&tokens.access_token()).await);
    assert_eq!(fixture.refresh("pub", &good).await.status(), 200);
}

#[tokio::test]
async fn rt_11_nothing_is_issued_for_a_user_who_is_blocked() {
    let fixture = Fixture::new();
    for client in ["conf", "pub"] {
        let code = fixture.code(client, "read").await;
        let tokens = fixture.tokens(client, "read").await;
        fixture.users.blocked.lock().unwrap().push("alice".to_owned());
        assert_eq!(fixture.redeem(client, &code).await.error(), invalid_grant());
        assert_eq!(fixture.log.last_reason(), Some(Reason::SubjectBlocked));
        assert_eq!(fixture.refresh(client, &tokens.refresh_token()).await.error(), invalid_grant());
        assert_eq!(fixture.log.last_reason(), Some(Reason::SubjectBlocked));
        // Nothing was spent: the user comes back, and so do the applications.
        fixture.users.blocked.lock().unwrap().clear();
        assert_eq!(fixture.redeem(client, &code).await.status(), 200);
        assert_eq!(fixture.refresh(client, &tokens.refresh_token()).await.status(), 200);
    }
}

#[tokio::test]
async fn rt_11_a_lost_answer_is_not_repeated_for_a_user_who_is_blocked_meanwhile() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens("pub", "read").await;
    assert_eq!(fixture.refresh("pub", &tokens.refresh_token()).await.status(), 200);
    fixture.users.blocked.lock().unwrap().push("alice".to_owned());
    assert_eq!(fixture.refresh("pub", &tokens.refresh_token()).await.error(), invalid_grant());
    assert_eq!(fixture.log.last_reason(), Some(Reason::SubjectBlocked));
}

#[tokio::test]
async fn rt_11_a_client_that_was_removed_gets_nothing_more() {
    let registry = Arc::new(MemoryRegistry::new(clients()));
    let fixture = Fixture::with(|b| b.clients(registry.clone()));
    for client in ["conf", "pub"] {
        let code = fixture.code(client, "read").await;
        let tokens = fixture.tokens(client, "read").await;
        registry.remove(&ClientId::new(client)).await.unwrap();
        let gone = (401, "invalid_client".to_owned());
        assert_eq!(fixture.redeem(client, &code).await.error(), gone);
        assert_eq!(fixture.refresh(client, &tokens.refresh_token()).await.error(), gone);
    }
}

#[tokio::test]
async fn rt_11_a_client_that_lost_a_grant_type_or_a_scope_gets_no_more_than_is_left() {
    let registry = Arc::new(MemoryRegistry::new(clients()));
    let fixture = Fixture::with(|b| b.clients(registry.clone()));
    let tokens = fixture.tokens("conf", "read write").await;
    let conf = || Client::builder("conf").redirect_uri(CALLBACK).secret(crate::support::SECRET);
    let code = [GrantType::AuthorizationCode, GrantType::RefreshToken];
    change(&registry, conf().grant_types(code).scope("read")).await;
    let narrower = fixture.refresh("conf", &tokens.refresh_token()).await;
    assert_eq!(narrower.text("scope"), "read");
    change(&registry, conf()).await;
    let error = fixture.refresh("conf", &tokens.refresh_token()).await.error();
    assert_eq!(error, (400, "unauthorized_client".to_owned()));
}

#[tokio::test]
async fn rt_11_a_consent_that_is_withdrawn_stops_every_refresh() {
    let fixture = Fixture::new();
    let (one, two) = (fixture.tokens("conf", "read").await, fixture.tokens("pub", "read").await);
    let access = fixture.server.check(&one.access_token()).await.unwrap();
    assert!(fixture.server.revoke_grant(access.grant_id().unwrap()).await.unwrap());
    assert_eq!(fixture.refresh("conf", &one.refresh_token()).await.error(), invalid_grant());
    assert_eq!(fixture.refresh("pub", &two.refresh_token()).await.status(), 200);
    assert_eq!(fixture.server.revoke_subject(&Subject::user("alice")).await.unwrap(), 1);
    assert_eq!(fixture.refresh("pub", &two.refresh_token()).await.error(), invalid_grant());
}

async fn change(registry: &MemoryRegistry, next: ClientBuilder) {
    let next = next.build().unwrap();
    let current = registry.client(next.id()).await.unwrap().unwrap();
    registry.replace(Replacement::of(&current, next)).await.unwrap();
}
