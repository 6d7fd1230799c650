//! Answers that never arrived: section 5 of the design, with clocks that stand still.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grantor::client::Registrar;
use grantor::store::{Filter, Page};
use grantor::{
    Client, ClientRegistry, EventKind, GrantType, MemoryRegistry, MemoryStore, Policy, Reason, Replacement,
    TokenStore,
};
use serde_json::Value;

use crate::support::faulty::{Fault, Faulty, Plan};
use crate::support::{Answer, CALLBACK, CountingEntropy, Fixture, SECRET, redemption, request};

const LEEWAY: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

impl Fixture {
    async fn refresh_asking(&self, token: &str, scope: &str) -> Answer {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token), ("scope", scope)];
        self.token("pub", &form).await
    }

    async fn assert_refused(&self, token: &str, reason: Reason) {
        assert_eq!(self.refresh("pub", token).await.error(), (400, "invalid_grant".to_owned()));
        assert_eq!(self.log.last_reason(), Some(reason));
    }

    /// The stored grants, as their JSON.
    async fn stored(&self) -> Vec<Value> {
        let listing = self.store.list(&Filter::default(), Page::first(100)).await.unwrap();
        listing.records.iter().map(|r| serde_json::from_str(&r.grant().encode()).unwrap()).collect()
    }

    async fn bridge(&self) -> Option<Value> {
        self.stored().await[0]["stage"]["live"]["family"].get("bridge").cloned()
    }
}

/// Access and refresh token, and the scope: all that an answer is.
fn tokens(answer: &Answer) -> (String, String, String) {
    (answer.access_token(), answer.refresh_token(), answer.text("scope"))
}

#[tokio::test]
async fn d_13_the_same_refresh_token_within_the_leeway_gets_the_very_same_tokens() {
    let fixture = Fixture::new();
    let first = fixture.tokens("pub", "read write").await;
    let lost = fixture.refresh("pub", &first.refresh_token()).await;
    let repeats = [EventKind::AnswerRepeated, EventKind::AnswerRepeatedAgain, EventKind::AnswerRepeatedAgain];
    for (wait, repeat) in [0, 1, 58].into_iter().zip(repeats) {
        fixture.clock.advance(SECOND * wait);
        let again = fixture.refresh("pub", &first.refresh_token()).await;
        assert_eq!(tokens(&again), tokens(&lost));
        assert_eq!(fixture.log.whats().last(), Some(&repeat));
    }
    let again = fixture.refresh("pub", &first.refresh_token()).await;
    assert_eq!(again.json()["expires_in"], 541, "the same token, almost a minute older");
    assert!(fixture.is_live(&lost.access_token()).await);
    assert_eq!(fixture.refresh("pub", &lost.refresh_token()).await.status(), 200);
}

#[tokio::test]
async fn a_repeated_answer_writes_nothing() {
    let fixture = Fixture::new();
    let first = fixture.tokens("pub", "read").await;
    fixture.refresh("pub", &first.refresh_token()).await;
    let before = fixture.stored().await;
    fixture.clock.advance(SECOND * 30);
    fixture.refresh("pub", &first.refresh_token()).await;
    assert_eq!(fixture.stored().await, before);
}

#[tokio::test]
async fn d_13_a_server_without_leeway_takes_the_first_late_retry_for_a_replay() {
    let mut policy = Policy::default();
    policy.leeway = Duration::ZERO;
    let fixture = Fixture::with(|b| b.policy(policy));
    let first = fixture.tokens("pub", "read").await;
    let next = fixture.refresh("pub", &first.refresh_token()).await;
    fixture.assert_refused(&first.refresh_token(), Reason::RefreshReplayed).await;
    assert!(!fixture.is_live(&next.access_token()).await);
}

#[tokio::test]
async fn a_retry_that_asks_for_something_else_is_refused_and_nothing_ends() {
    let fixture = Fixture::new();
    let first = fixture.tokens("pub", "read write").await;
    let lost = fixture.refresh_asking(&first.refresh_token(), "read").await;
    for other in ["write", "read write", ""] {
        let answer = fixture.refresh_asking(&first.refresh_token(), other).await;
        assert_eq!(answer.error(), (400, "invalid_grant".to_owned()), "{other:?}");
        assert_eq!(fixture.log.last_reason(), Some(Reason::RetryDiffers));
    }
    let right = fixture.refresh_asking(&first.refresh_token(), "read").await;
    assert_eq!(tokens(&right), tokens(&lost));
    assert!(fixture.is_live(&first.access_token()).await);
    assert_eq!(fixture.refresh("pub", &lost.refresh_token()).await.text("scope"), "read write");
}

#[tokio::test]
async fn an_answer_whose_access_token_was_revoked_is_not_repeated_and_nothing_ends() {
    let fixture = Fixture::new();
    let first = fixture.tokens("pub", "read").await;
    let next = fixture.refresh("pub", &first.refresh_token()).await;
    assert_eq!(fixture.revoke("pub", &next.access_token()).await.status(), 200);
    fixture.assert_refused(&first.refresh_token(), Reason::RetryRevoked).await;
    assert!(fixture.is_live(&first.access_token()).await);
    assert_eq!(fixture.refresh("pub", &next.refresh_token()).await.status(), 200);
}

#[tokio::test]
async fn after_the_successors_use_the_predecessor_is_refused_and_nothing_ends_for_a_while() {
    let fixture = Fixture::new();
    let first = fixture.tokens("pub", "read").await;
    let second = fixture.refresh("pub", &first.refresh_token()).await;
    let third = fixture.refresh("pub", &second.refresh_token()).await;
    fixture.clock.advance(LEEWAY - SECOND);
    fixture.assert_refused(&first.refresh_token(), Reason::RefreshSuperseded).await;
    assert!(fixture.is_live(&third.access_token()).await);
    assert_eq!(
        fixture.refresh("pub", &second.refresh_token()).await.text("access_token"),
        third.access_token()
    );

    fixture.clock.advance(SECOND);
    fixture.assert_refused(&first.refresh_token(), Reason::RefreshReplayed).await;
    assert!(!fixture.is_live(&third.access_token()).await);
    fixture.assert_refused(&third.refresh_token(), Reason::GrantEnded).await;
}

#[tokio::test]
async fn after_the_leeway_the_predecessor_ends_the_family_though_its_successor_is_unused() {
    let fixture = Fixture::new();
    let first = fixture.tokens("pub", "read").await;
    let second = fixture.refresh("pub", &first.refresh_token()).await;
    fixture.clock.advance(LEEWAY);
    fixture.assert_refused(&first.refresh_token(), Reason::RefreshReplayed).await;
    assert_eq!(fixture.log.whats().last(), Some(&EventKind::Refused(Reason::RefreshReplayed)));
    assert!(fixture.log.whats().contains(&EventKind::Ended(Reason::RefreshReplayed)));
    assert!(!fixture.is_live(&second.access_token()).await);
}

#[tokio::test]
async fn a_grandparent_never_gets_tokens_again() {
    let fixture = Fixture::new();
    let mut line = vec![fixture.tokens("pub", "read").await];
    for _ in 0..4 {
        fixture.clock.advance(SECOND * 10);
        line.push(fixture.refresh("pub", &line[line.len() - 1].refresh_token()).await);
    }
    for ancestor in &line[..3] {
        fixture.assert_refused(&ancestor.refresh_token(), Reason::RefreshSuperseded).await;
    }
    let parent = fixture.refresh("pub", &line[3].refresh_token()).await;
    assert_eq!(tokens(&parent), tokens(&line[4]));
    assert!(fixture.is_live(&line[4].access_token()).await);
}

#[tokio::test]
async fn a_use_that_replaces_nothing_ends_the_mercy_for_the_one_before() {
    let rotating = |rotates| {
        Client::builder("conf")
            .redirect_uri(CALLBACK)
            .grant_types([GrantType::AuthorizationCode, GrantType::RefreshToken])
            .secret(SECRET)
            .rotate_refresh(rotates)
            .build()
            .unwrap()
    };
    let registry = Arc::new(MemoryRegistry::new([rotating(true)]));
    let fixture = Fixture::with(|b| b.clients(registry.clone()));
    let first = fixture.tokens("conf", "read").await.refresh_token();
    let second = fixture.refresh("conf", &first).await.refresh_token();
    let current = registry.client(rotating(true).id()).await.unwrap().unwrap();
    registry.replace(Replacement::of(&current, rotating(false))).await.unwrap();
    assert_eq!(fixture.refresh("conf", &second).await.refresh_token(), second);
    assert_eq!(fixture.refresh("conf", &first).await.status(), 400);
    assert_eq!(fixture.log.last_reason(), Some(Reason::RefreshSuperseded));
}

#[tokio::test]
async fn narrowing_one_answer_does_not_narrow_the_next_even_if_it_was_lost() {
    let fixture = Fixture::new();
    let first = fixture.tokens("pub", "read write").await;
    fixture.refresh_asking(&first.refresh_token(), "read").await;
    let repeated = fixture.refresh_asking(&first.refresh_token(), "read").await;
    assert_eq!(repeated.text("scope"), "read");
    assert_eq!(fixture.refresh("pub", &repeated.refresh_token()).await.text("scope"), "read write");
}

#[tokio::test]
async fn the_bridge_to_a_successor_is_gone_when_the_successor_was_used() {
    let fixture = Fixture::new();
    let first = fixture.tokens("pub", "read").await;
    assert!(fixture.bridge().await.is_none());
    let second = fixture.refresh("pub", &first.refresh_token()).await;
    let to_second = fixture.bridge().await.unwrap();
    fixture.refresh("pub", &second.refresh_token()).await;
    let to_third = fixture.bridge().await.unwrap();
    let stored = fixture.stored().await[0].to_string();
    for name in ["access", "refresh"] {
        assert_ne!(to_second[name], to_third[name]);
        assert!(!stored.contains(to_second[name].as_str().unwrap()));
    }
}

#[tokio::test]
async fn the_bridge_of_a_code_is_gone_when_its_refresh_token_was_used() {
    for client in ["pub", "conf"] {
        let fixture = Fixture::new();
        let first = fixture.tokens(client, "read").await;
        assert!(fixture.stored().await[0]["stage"]["live"]["code"].get("bridge").is_some());
        fixture.refresh(client, &first.refresh_token()).await;
        assert!(fixture.stored().await[0]["stage"]["live"]["code"].get("bridge").is_none());
    }
}

/// The half of a handle that only its holder knows.
fn secret(handle: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(&handle[4..]).unwrap()[16..].to_vec()
}

fn bytes(value: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(value.as_str().unwrap()).unwrap()
}

fn xor(a: &[u8], b: &[u8]) -> Vec<u8> {
    a.iter().zip(b).map(|(a, b)| a ^ b).collect()
}

#[tokio::test]
async fn nothing_that_is_stored_reveals_a_token() {
    let fixture = Fixture::new();
    let code = fixture.code("pub", "read").await;
    let mut stored = fixture.stored().await[0].to_string();
    let first = fixture.redeem("pub", &code).await;
    stored += &fixture.stored().await[0].to_string();
    let second = fixture.refresh("pub", &first.refresh_token()).await;
    stored += &fixture.stored().await[0].to_string();
    let handles =
        [code, first.access_token(), first.refresh_token(), second.access_token(), second.refresh_token()];
    for handle in handles {
        assert!(!stored.contains(&handle[4..]), "{handle}");
        let secret = secret(&handle);
        let hex: String = secret.iter().map(|b| format!("{b:02x}")).collect();
        for spelling in [URL_SAFE_NO_PAD.encode(&secret), hex, format!("{secret:?}")] {
            assert!(!stored.contains(&spelling), "{handle} as {spelling}");
        }
    }
}

#[tokio::test]
async fn whoever_reads_the_bridge_without_the_old_token_learns_nothing() {
    let fixture = Fixture::new();
    let first = fixture.tokens("pub", "read").await;
    let second = fixture.refresh("pub", &first.refresh_token()).await;
    let stored = fixture.stored().await[0].clone();
    let bridge = fixture.bridge().await.unwrap();
    let (access, refresh) = (secret(&second.access_token()), secret(&second.refresh_token()));
    let pads = [xor(&bytes(&bridge["access"]), &access), xor(&bytes(&bridge["refresh"]), &refresh)];
    assert_ne!(pads[0], pads[1], "each pad is used once");
    // No pad is something that the store has, or that follows from it without the old token.
    let old = secret(&first.refresh_token());
    let family = &stored["stage"]["live"]["family"];
    let known = [vec![0; 32], old, bytes(&family["current"]), bytes(&family["spent"][0]["digest"])];
    for pad in pads {
        assert!(known.iter().all(|known| *known != pad));
    }
}

/// What an undisturbed redemption of the same code would have got.
async fn undisturbed(client: &str) -> (String, String, String) {
    let fixture = Fixture::with(|b| b.entropy(CountingEntropy::default()));
    tokens(&fixture.tokens(client, "read").await)
}

/// A call that hangs is given up after `deadline`.
fn disturbed(plan: &Plan, deadline: Duration) -> Fixture {
    let store = Arc::new(MemoryStore::new());
    let mut policy = Policy::default();
    policy.store_deadline = deadline;
    Fixture::on(store.clone(), Faulty::new(store, plan), |b| {
        b.entropy(CountingEntropy::default()).policy(policy)
    })
}

#[tokio::test]
async fn a_code_whose_outcome_is_unknown_gets_the_very_same_tokens_again() {
    for client in ["pub", "conf"] {
        for fault in [Fault::UnknownAfter, Fault::HangAfter] {
            let plan = Plan::default();
            let fixture = disturbed(&plan, Duration::from_millis(5));
            let code = fixture.code(client, "read").await;
            plan.arm(1, fault);
            assert_eq!(fixture.redeem(client, &code).await.status(), 503);
            assert!(plan.recover());
            let retry = fixture.redeem(client, &code).await;
            assert_eq!(tokens(&retry), undisturbed(client).await);
            assert_eq!(fixture.log.whats().last(), Some(&EventKind::AnswerRepeated));
            assert!(fixture.is_live(&retry.access_token()).await);
        }
    }
}

#[tokio::test]
async fn a_code_whose_request_was_dropped_gets_the_very_same_tokens_again() {
    let plan = Plan::default();
    let fixture = disturbed(&plan, LEEWAY);
    let code = fixture.code("pub", "read").await;
    drop_after_the_write(&fixture, &plan, &code).await;
    let retry = fixture.redeem("pub", &code).await;
    assert_eq!(tokens(&retry), undisturbed("pub").await);
}

/// Redeems a code up to the moment when it is written and not yet answered.
async fn drop_after_the_write(fixture: &Fixture, plan: &Plan, code: &str) {
    let redemption = request("pub", &redemption(code));
    plan.arm(1, Fault::HangAfter);
    {
        let mut future = pin!(fixture.server.token(&redemption));
        assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    assert!(plan.recover());
    assert!(fixture.stored().await[0]["stage"].get("live").is_some());
}

#[tokio::test]
async fn a_replay_after_an_answered_redemption_ends_the_grant() {
    let plan = Plan::default();
    let fixture = disturbed(&plan, LEEWAY);
    let code = fixture.code("pub", "read").await;
    drop_after_the_write(&fixture, &plan, &code).await;
    let answered = fixture.redeem("pub", &code).await;
    assert_eq!(fixture.redeem("pub", &code).await.error().1, "invalid_grant");
    assert_eq!(fixture.log.last_reason(), Some(Reason::CodeReplayed));
    assert!(!fixture.is_live(&answered.access_token()).await);
}

#[tokio::test]
async fn the_lost_answer_to_a_code_is_for_its_client_and_its_verifier() {
    let plan = Plan::default();
    let fixture = disturbed(&plan, LEEWAY);
    let code = fixture.code("pub", "read").await;
    drop_after_the_write(&fixture, &plan, &code).await;
    let mut guess = redemption(&code);
    guess.retain(|(name, _)| *name != "code_verifier");
    assert_eq!(fixture.token("pub", &guess).await.error().1, "invalid_grant");
    guess.push(("code_verifier", "aBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
    assert_eq!(fixture.token("pub", &guess).await.error().1, "invalid_grant");
    assert_eq!(fixture.redeem("other", &code).await.error().1, "invalid_grant");
    // A thief who saw the code could not take the answer away from its client, either.
    assert_eq!(tokens(&fixture.redeem("pub", &code).await), undisturbed("pub").await);
}

#[tokio::test]
async fn the_lost_answer_to_a_code_can_be_asked_for_within_the_leeway_only() {
    for (wait, status) in [(LEEWAY - SECOND, 200), (LEEWAY, 400)] {
        let plan = Plan::default();
        let fixture = disturbed(&plan, LEEWAY);
        let code = fixture.code("pub", "read").await;
        drop_after_the_write(&fixture, &plan, &code).await;
        fixture.clock.advance(wait);
        assert_eq!(fixture.redeem("pub", &code).await.status(), status);
    }
}

#[tokio::test]
async fn the_lost_answer_to_a_code_is_not_given_after_its_refresh_token_was_used() {
    let plan = Plan::default();
    let fixture = disturbed(&plan, LEEWAY);
    let code = fixture.code("pub", "read").await;
    drop_after_the_write(&fixture, &plan, &code).await;
    let (access, refresh, _) = undisturbed("pub").await;
    assert_eq!(fixture.refresh("pub", &refresh).await.status(), 200);
    assert_eq!(fixture.redeem("pub", &code).await.error().1, "invalid_grant");
    assert!(!fixture.is_live(&access).await);
}

#[tokio::test]
async fn a_retry_of_a_code_that_asks_for_something_else_is_refused_and_ends_nothing() {
    let plan = Plan::default();
    let fixture = disturbed(&plan, LEEWAY);
    let code = fixture.code("pub", "read write").await;
    drop_after_the_write(&fixture, &plan, &code).await;
    let mut other = redemption(&code);
    other.push(("scope", "read"));
    assert_eq!(fixture.token("pub", &other).await.error().1, "invalid_grant");
    assert_eq!(fixture.log.last_reason(), Some(Reason::RetryDiffers));
    assert_eq!(fixture.redeem("pub", &code).await.status(), 200);
}

#[tokio::test]
async fn a_replay_whose_end_may_not_have_been_written_is_still_a_replay() {
    let plan = Plan::default();
    let fixture = disturbed(&plan, LEEWAY);
    let code = fixture.code("pub", "read").await;
    let answered = fixture.redeem("pub", &code).await;
    plan.arm(1, Fault::UnknownBefore);
    assert_eq!(fixture.redeem("pub", &code).await.status(), 503);
    assert!(plan.recover());
    assert_eq!(fixture.redeem("pub", &code).await.error().1, "invalid_grant");
    assert!(!fixture.is_live(&answered.access_token()).await);
}

#[tokio::test]
async fn what_a_user_said_to_a_device_counts_though_the_store_does_not_say_so() {
    for (fault, is_written) in [
        (Fault::UnknownAfter, true),
        (Fault::HangAfter, true),
        (Fault::UnknownBefore, false),
        (Fault::Hang, false),
    ] {
        for says_yes in [true, false] {
            let plan = Plan::default();
            let store = Arc::new(MemoryStore::new());
            let fixture = Fixture::failing(store.clone(), store, &plan, Duration::from_millis(5));
            let codes = fixture.waits().await;
            let answer = async || {
                let consent = fixture.enter(&codes.user, "one").await.unwrap();
                plan.arm(1, fault);
                let said = if says_yes { consent.approve().await } else { consent.deny().await };
                (said.map_err(|page| page.status()), plan.recover())
            };
            let (said, went_wrong) = answer().await;
            assert!(went_wrong);
            assert_eq!(said, if is_written { Ok(()) } else { Err(503) }, "{fault:?}");
            if !is_written {
                let again = fixture.enter(&codes.user, "one").await.expect("the device still waits");
                let said = if says_yes { again.approve().await } else { again.deny().await };
                assert!(said.is_ok());
            }
            let poll = fixture.poll("tv", &codes.device).await;
            assert_eq!(poll.status() == 200, says_yes, "{fault:?}: {}", poll.json());
            assert!(says_yes || poll.error().1 == "access_denied");
        }
    }
}
