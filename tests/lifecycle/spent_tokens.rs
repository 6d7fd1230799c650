//! What becomes of tokens that were spent: replays by thieves and strangers, and honest retries at the edges.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grantor::base::Secret;
use grantor::client::Registrar;
use grantor::client::argon2::Argon2Secrets;
use grantor::grant::{Handle, Kind, MAX_SPENT_REFRESH_TOKENS, Prefixes};
use grantor::server::AuthorizationServerBuilder;
use grantor::store::{Filter, Page};
use grantor::{
    AuthMethod, Client, ClientBuilder, ClientRegistry, EventKind, GrantType, MemoryRegistry, MemoryStore,
    Policy, Reason, Replacement, Response, TokenStore,
};
use serde_json::Value;

use crate::support::faulty::{Fault, Faulty, Plan};
use crate::support::{Answer, CALLBACK, Fixture, SECRET, phc, redemption, request};

const LEEWAY: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

impl Fixture {
    /// The refresh tokens of a family that was used this many times, with a pause before each; the current
    /// one last.
    async fn line(&self, uses: usize, pause: Duration) -> Vec<String> {
        let mut line = vec![self.tokens("pub", "read").await.refresh_token()];
        for _ in 0..uses {
            self.clock.advance(pause);
            let next = self.refresh("pub", &line[line.len() - 1]).await;
            assert_eq!(next.status(), 200, "{}", next.json());
            line.push(next.refresh_token());
        }
        line
    }

    async fn assert_told(&self, token: &str, reason: Reason) {
        assert_eq!(self.refresh("pub", token).await.error(), (400, "invalid_grant".to_owned()));
        assert_eq!(self.log.last_reason(), Some(reason));
    }

    async fn refresh_from(&self, token: &str, peer: &str) -> Answer {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        let peer: IpAddr = peer.parse().unwrap();
        Answer(self.server.token(&request("pub", &form).from_peer(peer)).await)
    }

    async fn body(&self) -> Value {
        let listing = self.store.list(&Filter::default(), Page::first(1)).await.unwrap();
        serde_json::from_str(&listing.records[0].grant().encode()).unwrap()
    }

    /// The bridges of the only grant: the code's, and the refresh token's.
    async fn bridges(&self) -> [Option<Value>; 2] {
        let live = &self.body().await["stage"]["live"];
        [live["code"].get("bridge").cloned(), live["family"].get("bridge").cloned()]
    }
}

fn policy(change: impl FnOnce(&mut Policy)) -> Policy {
    let mut policy = Policy::default();
    change(&mut policy);
    policy
}

fn handle(token: &str, kind: Kind) -> Handle {
    Handle::parse(token, kind, &Prefixes::default()).unwrap()
}

fn secret_of(token: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(&token[4..]).unwrap()[16..].to_vec()
}

#[tokio::test]
async fn ft_01_every_token_that_a_family_issued_ends_it_when_it_is_replayed_late() {
    for at in [0, 1, 7, 39, 68, 69] {
        let fixture = Fixture::new();
        let line = fixture.line(70, LEEWAY).await;
        fixture.clock.advance(LEEWAY);
        fixture.assert_told(&line[at], Reason::RefreshReplayed).await;
        fixture.assert_told(&line[70], Reason::GrantEnded).await;
    }
}

#[tokio::test]
async fn ft_01_a_thief_who_uses_it_quickly_does_not_flush_the_owner() {
    let fixture = Fixture::new();
    let line = fixture.line(40, Duration::ZERO).await;
    fixture.clock.advance(LEEWAY);
    fixture.assert_told(&line[0], Reason::RefreshReplayed).await;
    fixture.assert_told(&line[40], Reason::GrantEnded).await;
}

#[tokio::test]
async fn ft_01_more_uses_within_the_leeway_than_a_grant_remembers_cost_the_oldest_its_mercy() {
    for (uses, reason) in [
        (MAX_SPENT_REFRESH_TOKENS, Reason::RefreshSuperseded),
        (MAX_SPENT_REFRESH_TOKENS + 1, Reason::RefreshReplayed),
    ] {
        let fixture = Fixture::new();
        let line = fixture.line(uses, Duration::ZERO).await;
        fixture.assert_told(&line[0], reason).await;
    }
}

#[tokio::test]
async fn ft_01_a_family_takes_no_more_room_after_many_uses_than_after_a_few() {
    let lengths = async |uses| {
        let fixture = Fixture::new();
        fixture.line(uses, LEEWAY * 10).await;
        fixture.body().await.to_string().len()
    };
    assert_eq!(lengths(3).await, lengths(100).await);
}

#[tokio::test]
async fn ft_01_the_holder_of_a_token_does_not_know_160_bits_of_any_later_one() {
    let fixture = Fixture::new();
    let secrets: Vec<_> = fixture.line(20, SECOND).await.iter().map(|token| secret_of(token)).collect();
    for (n, one) in secrets.iter().enumerate() {
        assert_eq!(one.len(), 32);
        assert_eq!(one[..12], secrets[0][..12], "what makes them a family");
        for other in &secrets[..n] {
            let same = one[12..].iter().zip(&other[12..]).filter(|(a, b)| a == b).count();
            assert!(same < 4, "drawn anew, all 20 bytes of it");
        }
    }
    let other = Fixture::new().tokens("pub", "read").await.refresh_token();
    assert_ne!(secret_of(&other)[..12], secrets[0][..12]);
}

#[tokio::test]
async fn ft_01_who_knows_the_grant_alone_ends_nothing() {
    let fixture = Fixture::new();
    let line = fixture.line(3, LEEWAY * 2).await;
    let grant = handle(&line[0], Kind::Refresh).grant;
    for n in 0..50 {
        let guess = Handle::new(grant, Secret::new([n; 32])).into_text(Kind::Refresh, &Prefixes::default());
        fixture.assert_told(&guess, Reason::RefreshUnknown).await;
        assert_eq!(fixture.revoke("pub", &guess).await.status(), 200);
    }
    for cut in 1..line[3].len() {
        fixture.assert_told(&line[3][..cut], Reason::RefreshUnknown).await;
    }
    // Nor does a token of the family in the hands of another client.
    assert_eq!(fixture.refresh("other", &line[0]).await.status(), 400);
    assert_eq!(fixture.log.last_reason(), Some(Reason::RefreshForAnotherClient));
    assert_eq!(fixture.refresh("pub", &line[3]).await.status(), 200);
}

#[tokio::test]
async fn ft_01_any_token_of_a_family_revokes_it() {
    for at in [0, 20, 39] {
        let fixture = Fixture::new();
        let line = fixture.line(40, LEEWAY).await;
        assert_eq!(fixture.revoke("pub", &line[at]).await.status(), 200);
        fixture.assert_told(&line[40], Reason::GrantEnded).await;
    }
}

#[tokio::test]
async fn ft_02_the_mercy_for_a_spent_token_runs_from_its_own_use_and_not_its_successors() {
    let fixture = Fixture::with(|b| b.policy(policy(|p| p.access_token_lifetime = LEEWAY * 60)));
    let first = fixture.tokens("pub", "read").await.refresh_token();
    let second = fixture.refresh("pub", &first).await.refresh_token();
    fixture.clock.advance(SECOND * 540);
    let thief = fixture.refresh("pub", &second).await;
    fixture.clock.advance(SECOND * 30);
    fixture.assert_told(&first, Reason::RefreshReplayed).await;
    assert!(!fixture.is_live(&thief.access_token()).await);
}

#[tokio::test]
async fn ft_02_within_its_own_leeway_a_spent_token_ends_nothing() {
    let fixture = Fixture::new();
    let first = fixture.tokens("pub", "read").await.refresh_token();
    let second = fixture.refresh("pub", &first).await.refresh_token();
    fixture.clock.advance(SECOND * 58);
    let third = fixture.refresh("pub", &second).await.refresh_token();
    fixture.clock.advance(SECOND);
    fixture.assert_told(&first, Reason::RefreshSuperseded).await;
    fixture.clock.advance(SECOND);
    // A minute after its own use, two seconds after its successor's.
    fixture.assert_told(&first, Reason::RefreshReplayed).await;
    fixture.assert_told(&third, Reason::GrantEnded).await;
}

#[tokio::test]
async fn ft_03_a_leeway_of_nothing_repeats_nothing_and_forgives_nothing() {
    for uses in [1, 2] {
        let fixture = Fixture::with(|b| b.policy(policy(|p| p.leeway = Duration::ZERO)));
        let line = fixture.line(uses, Duration::ZERO).await;
        assert!(fixture.bridges().await[1].is_none());
        fixture.assert_told(&line[0], Reason::RefreshReplayed).await;
        fixture.assert_told(&line[uses], Reason::GrantEnded).await;
    }
}

#[tokio::test]
async fn ft_03_the_leeway_is_an_exclusive_bound() {
    for (wait, status) in [(LEEWAY - SECOND, 200), (LEEWAY, 400)] {
        let fixture = Fixture::new();
        let first = fixture.tokens("pub", "read").await.refresh_token();
        fixture.refresh("pub", &first).await;
        fixture.clock.advance(wait);
        assert_eq!(fixture.refresh("pub", &first).await.status(), status);
    }
}

#[tokio::test]
async fn ft_04_a_repeat_says_who_had_the_answer_first_and_whether_it_is_the_first_repeat() {
    let fixture = Fixture::new();
    let mut token = fixture.tokens("pub", "read").await.refresh_token();
    for _ in 0..3 {
        let next = fixture.refresh_from(&token, "198.51.100.7").await.refresh_token();
        let expected =
            [EventKind::AnswerRepeated, EventKind::AnswerRepeatedAgain, EventKind::AnswerRepeatedAgain];
        for what in expected {
            assert_eq!(fixture.refresh_from(&token, "2001:db8::bad").await.refresh_token(), next);
            assert_eq!(fixture.log.whats().last(), Some(&what));
            let text = fixture.log.texts().pop().unwrap();
            assert!(text.ends_with(" peer=2001:db8::bad first_peer=198.51.100.7"), "{text}");
        }
        token = next;
        fixture.clock.advance(LEEWAY / 2);
    }
}

#[tokio::test]
async fn a_refresh_token_that_stays_leaves_no_answer_and_no_mark_behind() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens("conf", "read").await;
    for _ in 0..3 {
        assert_eq!(
            fixture.refresh("conf", &tokens.refresh_token()).await.refresh_token(),
            tokens.refresh_token()
        );
        assert_eq!(fixture.bridges().await, [None, None]);
        assert_eq!(fixture.body().await["stage"]["live"]["family"].get("spent"), None);
    }
}

/// What opens with a code alone: the pad of a bridge that nothing else is mixed into.
fn under(bridge: &Value, name: &str, code: &str) -> Secret {
    let tag = if name == "access" { "grantor:bridge-access:v1" } else { "grantor:bridge-refresh:v1" };
    let pad = serde_json::to_value(handle(code, Kind::Code).secret.digest(tag)).unwrap();
    let [masked, pad] = [&bridge[name], &pad].map(|v| URL_SAFE_NO_PAD.decode(v.as_str().unwrap()).unwrap());
    let bytes: Vec<u8> = masked.iter().zip(pad).map(|(masked, pad)| masked ^ pad).collect();
    Secret::new(bytes.try_into().unwrap())
}

#[tokio::test]
async fn ft_05_a_code_and_a_row_of_the_store_do_not_make_a_refresh_token() {
    let fixture = Fixture::new();
    let code = fixture.code("pub", "read").await;
    let tokens = fixture.redeem("pub", &code).await;
    let [bridge, _] = fixture.bridges().await;
    let (bridge, grant) = (bridge.unwrap(), handle(&code, Kind::Code).grant);
    let made = |name| under(&bridge, name, &code);
    let prefixes = Prefixes::default();
    let refresh = Handle::new(grant, made("refresh")).into_text(Kind::Refresh, &prefixes);
    assert_ne!(refresh, tokens.refresh_token());
    fixture.assert_told(&refresh, Reason::RefreshUnknown).await;
    let access = Handle::new(grant, made("access")).into_text(Kind::Access, &prefixes);
    assert!(!fixture.is_live(&access).await);
    assert_eq!(fixture.refresh("pub", &tokens.refresh_token()).await.status(), 200);
}

/// A client that uses no PKCE.
fn without_pkce(client: ClientBuilder) -> Client {
    let client = client.redirect_uri(CALLBACK).require_pkce(false);
    client.grant_types([GrantType::AuthorizationCode, GrantType::RefreshToken]).build().unwrap()
}

fn query(client: &str) -> [(&str, &str); 4] {
    [("response_type", "code"), ("client_id", client), ("redirect_uri", CALLBACK), ("scope", "read")]
}

fn redemption_without_pkce(code: &str) -> [(&str, &str); 3] {
    [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", CALLBACK)]
}

/// Redeems a code up to the moment when it is written and not yet answered.
async fn drop_after_the_write(fixture: &Fixture, plan: &Plan, request: &grantor::Request) {
    plan.arm(1, Fault::HangAfter);
    {
        let mut first = pin!(fixture.server.token(request));
        assert!(poll(first.as_mut()).is_none());
    }
    assert!(plan.recover());
}

fn poll(future: std::pin::Pin<&mut impl Future<Output = Response>>) -> Option<Answer> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(response) => Some(Answer(response)),
        Poll::Pending => None,
    }
}

fn disturbed(
    plan: &Plan,
    configure: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
) -> Fixture {
    let store = Arc::new(MemoryStore::new());
    let patient = policy(|p| p.store_deadline = LEEWAY);
    Fixture::on(store.clone(), Faulty::new(store, plan), |b| configure(b.policy(patient)))
}

#[tokio::test]
async fn ft_05_without_pkce_the_clients_generated_secret_opens_the_lost_answer_and_a_chosen_one_does_not() {
    let basic = || Client::builder("conf").auth_method(AuthMethod::ClientSecretBasic);
    let generated = without_pkce(basic().secret(SECRET));
    let chosen = without_pkce(basic().secret_phc(phc(SECRET)));
    for (client, has_bridge) in [(generated, true), (chosen, false)] {
        let plan = Plan::default();
        let fixture = disturbed(&plan, |b| {
            b.clients(MemoryRegistry::new([client])).slow_hash(Argon2Secrets::default())
        });
        let code = fixture.approve(&query("conf")).await.location_parameter("code").unwrap();
        let form = redemption_without_pkce(&code);
        if !has_bridge {
            assert_eq!(fixture.token("conf", &form).await.status(), 200);
            assert!(fixture.bridges().await[0].is_none());
            continue;
        }
        drop_after_the_write(&fixture, &plan, &request("conf", &form)).await;
        let bridge = fixture.bridges().await[0].clone().unwrap();
        let retry = fixture.token("conf", &form).await;
        assert_eq!(retry.status(), 200, "{}", retry.json());
        assert!(fixture.is_live(&retry.access_token()).await);
        let by_code_alone = Handle::new(handle(&code, Kind::Code).grant, under(&bridge, "access", &code));
        let by_code_alone = by_code_alone.into_text(Kind::Access, &Prefixes::default());
        assert_ne!(by_code_alone, retry.access_token());
    }
}

#[tokio::test]
async fn ft_05_a_sweep_erases_answers_that_nobody_can_ask_for_again() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens("pub", "read").await;
    assert!(fixture.bridges().await[0].is_some());
    fixture.clock.advance(LEEWAY - SECOND);
    fixture.server.sweep().await.unwrap();
    assert!(fixture.bridges().await[0].is_some(), "the leeway still runs");
    fixture.clock.advance(SECOND);
    fixture.server.sweep().await.unwrap();
    assert_eq!(fixture.bridges().await, [None, None]);

    let first = tokens.refresh_token();
    fixture.refresh("pub", &first).await;
    fixture.clock.advance(LEEWAY);
    assert!(fixture.bridges().await[1].is_some());
    fixture.server.sweep().await.unwrap();
    assert_eq!(fixture.bridges().await, [None, None]);
    fixture.assert_told(&first, Reason::RefreshReplayed).await;
}

#[tokio::test]
async fn ft_12_a_client_that_turns_public_has_refresh_tokens_that_rotate() {
    let confidential = || Client::builder("pub").secret(SECRET).auth_method(AuthMethod::ClientSecretPost);
    let public = || Client::builder("pub").auth_method(AuthMethod::None);
    let build = |client: ClientBuilder| {
        let client = client.redirect_uri(CALLBACK);
        client.grant_types([GrantType::AuthorizationCode, GrantType::RefreshToken]).build().unwrap()
    };
    let registry = Arc::new(MemoryRegistry::new([build(confidential())]));
    let fixture = Fixture::with(|b| b.clients(registry.clone()));
    let code = fixture.code("pub", "read").await;
    let mut form = redemption(&code);
    form.push(("client_secret", SECRET));
    let first = fixture.token("pub", &form).await.refresh_token();
    let form = [("grant_type", "refresh_token"), ("refresh_token", &first), ("client_secret", SECRET)];
    assert_eq!(fixture.token("pub", &form).await.refresh_token(), first);

    let found = registry.client(build(public()).id()).await.unwrap().unwrap();
    registry.replace(Replacement::of(&found, build(public()))).await.unwrap();
    let second = fixture.refresh("pub", &first).await.refresh_token();
    assert_ne!(second, first);
    fixture.clock.advance(LEEWAY);
    fixture.assert_told(&first, Reason::RefreshReplayed).await;
    fixture.assert_told(&second, Reason::GrantEnded).await;
}

#[tokio::test]
async fn ft_14_what_has_ended_and_what_is_unknown_are_told_in_the_same_words() {
    let fixture = Fixture::with(|b| b.device_verification("/device"));
    let tokens = fixture.tokens("pub", "read").await;
    let live = handle(&tokens.refresh_token(), Kind::Refresh).grant;
    let ended = fixture.tokens("pub", "read").await;
    fixture.revoke("pub", &ended.refresh_token()).await;
    let ended = handle(&ended.refresh_token(), Kind::Refresh).grant;
    let nowhere = grantor::GrantId::new([9; 16]);
    let mut texts = Vec::new();
    for grant in [live, ended, nowhere] {
        let text = |kind| Handle::new(grant, Secret::new([1; 32])).into_text(kind, &Prefixes::default());
        texts.push(fixture.refresh("pub", &text(Kind::Refresh)).await);
        texts.push(fixture.redeem("pub", &text(Kind::Code)).await);
        let device = text(Kind::Device);
        let grant_type = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
        texts.push(fixture.token("tv", &[grant_type, ("device_code", &device)]).await);
    }
    for answer in &texts {
        assert_eq!((answer.status(), answer.json()), (400, texts[0].json()));
        assert_eq!(answer.0.headers, texts[0].0.headers);
    }
}

#[tokio::test]
async fn ft_23_a_retry_that_comes_before_the_first_request_is_gone_waits_for_it() {
    let plan = Plan::default();
    let fixture = disturbed(&plan, |b| b);
    let code = fixture.code("pub", "read").await;
    let form = request("pub", &redemption(&code));
    plan.arm(1, Fault::HangAfter);
    let retry = {
        let mut first = pin!(fixture.server.token(&form));
        assert!(poll(first.as_mut()).is_none());
        assert!(plan.recover(), "it is written, and not answered");
        let mut retry = Box::pin(fixture.server.token(&form));
        assert!(poll(retry.as_mut()).is_none(), "nobody knows yet what becomes of the first");
        retry
    };
    let retry = Answer(retry.await);
    assert_eq!(retry.status(), 200, "{}", retry.json());
    assert!(fixture.is_live(&retry.access_token()).await);
    assert_eq!(fixture.refresh("pub", &retry.refresh_token()).await.status(), 200);
}

#[tokio::test]
async fn ft_23_a_request_that_never_ends_holds_up_the_retry_until_the_deadline_only() {
    let plan = Plan::default();
    let fixture = disturbed(&plan, |b| b.policy(policy(|p| p.store_deadline = Duration::from_millis(20))));
    let code = fixture.code("pub", "read").await;
    let form = request("pub", &redemption(&code));
    plan.arm(1, Fault::HangAfter);
    let mut first = pin!(fixture.server.token(&form));
    assert!(poll(first.as_mut()).is_none());
    assert!(plan.recover());
    // The first is neither polled nor dropped.
    assert_eq!(fixture.redeem("pub", &code).await.status(), 503);
    assert_eq!(Answer(first.await).status(), 503);
    assert_eq!(fixture.redeem("pub", &code).await.status(), 200);
}

#[tokio::test]
async fn ft_33_every_access_token_that_was_handed_out_is_live() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens("conf", "read").await;
    let mut live = vec![tokens.access_token()];
    for _ in 0..63 {
        let next = fixture.refresh("conf", &tokens.refresh_token()).await;
        assert_eq!(next.json()["expires_in"], 600);
        live.push(next.access_token());
    }
    let before = fixture.body().await;
    let refused = fixture.refresh("conf", &tokens.refresh_token()).await;
    assert_eq!(refused.error(), (429, "temporarily_unavailable".to_owned()));
    assert_eq!(refused.0.header("retry-after"), Some("600"));
    assert_eq!(fixture.log.last_reason(), Some(Reason::AccessTokensTooMany));
    assert_eq!(fixture.body().await, before);
    for token in &live {
        assert!(fixture.is_live(token).await);
    }
    // One that is not needed makes room at once, and time does.
    fixture.revoke("conf", &live[0]).await;
    assert_eq!(fixture.refresh("conf", &tokens.refresh_token()).await.status(), 200);
    fixture.clock.advance(Duration::from_secs(600));
    assert_eq!(fixture.refresh("conf", &tokens.refresh_token()).await.status(), 200);
}

#[tokio::test]
async fn ft_33_a_refresh_that_is_refused_spends_no_token() {
    let fixture = Fixture::with(|b| b.policy(policy(|p| p.live_access_tokens = 3)));
    let line = fixture.line(2, SECOND).await;
    assert_eq!(fixture.refresh("pub", &line[2]).await.status(), 429);
    fixture.clock.advance(Duration::from_secs(600));
    assert_eq!(fixture.refresh("pub", &line[2]).await.status(), 200);
}
