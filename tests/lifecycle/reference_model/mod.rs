//! Random lives of grants against a model that is small enough to be believed.
//!
//! `PROPTEST_CASES` says how many lives; the default is proptest's, 256.

mod lives;
mod model;

use std::time::Duration;

use grantor::grant::{Handle, Kind, Prefixes};
use grantor::{Policy, TokenStore};
use proptest::prelude::*;
use serde_json::Value;

use crate::support::{Answer, CALLBACK, Fixture, VERIFIER, redemption};
use model::{Client, Expect, Life};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_server_does_what_the_model_says(steps in lives::life()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new();
            for (n, step) in steps.iter().enumerate() {
                world.take(step).await;
                world.check(&format!("after step {n}, {step:?}")).await;
            }
        });
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// alice approves this scope for this client.
    Authorize(Client, u8),
    /// A code is redeemed.
    Redeem { grant: usize, by: By },
    /// A refresh token is used: the one that is this many behind the current one.
    Refresh { grant: usize, behind: usize, ask: Option<u8>, by: By },
    /// An access token is revoked: the one that is this many behind the latest.
    RevokeAccess { grant: usize, behind: usize, by: By },
    /// A refresh token is revoked.
    RevokeRefresh { grant: usize, behind: usize, by: By },
    /// This many seconds pass.
    Wait(u64),
}

/// Who presents something.
#[derive(Clone, Copy, Debug, PartialEq)]
enum By {
    Owner,
    /// Another client, which has stolen it.
    Thief,
    /// The client itself, without the right code verifier.
    OwnerWithoutVerifier,
}

/// A server, and what became of its grants.
struct World {
    fixture: Fixture,
    now: i64,
    grants: Vec<Tracked>,
}

/// A grant as the model has it, and the texts that the server gave out for it.
struct Tracked {
    life: Life,
    code: String,
    access: Vec<String>,
    refresh: Vec<String>,
}

impl World {
    fn new() -> Self {
        let mut policy = Policy::default();
        policy.live_access_tokens = model::MOST_LIVE as u32;
        Self { fixture: Fixture::with(|b| b.policy(policy)), now: 0, grants: Vec::new() }
    }

    async fn take(&mut self, step: &Step) {
        match *step {
            Step::Authorize(client, scope) => self.authorize(client, scope).await,
            Step::Redeem { grant, by } => self.redeem(grant, by).await,
            Step::Refresh { grant, behind, ask, by } => self.refresh(grant, behind, ask, by).await,
            Step::RevokeAccess { grant, behind, by } => self.revoke(grant, Kind::Access, behind, by).await,
            Step::RevokeRefresh { grant, behind, by } => self.revoke(grant, Kind::Refresh, behind, by).await,
            Step::Wait(seconds) => {
                self.fixture.clock.advance(Duration::from_secs(seconds));
                self.now += seconds as i64;
            }
        }
    }

    /// The grant of this number, counted from the latest.
    fn tracked(&self, number: usize) -> Option<usize> {
        self.grants.len().checked_sub(number + 1)
    }

    async fn authorize(&mut self, client: Client, scope: u8) {
        let scope = scope & client.registered();
        if scope != 0 {
            let code = self.fixture.code(client.id(), &text_of(scope)).await;
            let life = Life::offered(client, scope, self.now);
            self.grants.push(Tracked { life, code, access: Vec::new(), refresh: Vec::new() });
        }
    }

    async fn redeem(&mut self, number: usize, by: By) {
        let Some(grant) = self.tracked(number) else { return };
        let grant = &mut self.grants[grant];
        let mut form = redemption(&grant.code);
        if by == By::OwnerWithoutVerifier {
            form = vec![("grant_type", "authorization_code"), ("code", &grant.code)];
            form.extend([("redirect_uri", CALLBACK), ("code_verifier", WRONG_VERIFIER)]);
        }
        let answer = self.fixture.token(presenter(&grant.life, by), &form).await;
        let expected = match by {
            By::Owner => grant.life.redeem(self.now),
            By::Thief | By::OwnerWithoutVerifier => Expect::Refused("invalid_grant"),
        };
        grant.settle(expected, &answer);
    }

    async fn refresh(&mut self, number: usize, behind: usize, ask: Option<u8>, by: By) {
        let Some(grant) = self.tracked(number) else { return };
        let grant = &mut self.grants[grant];
        let Some(at) = grant.refresh.len().checked_sub(behind + 1) else { return };
        let scope = ask.map(text_of);
        let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", &grant.refresh[at])];
        form.extend(scope.as_deref().map(|scope| ("scope", scope)));
        let answer = self.fixture.token(presenter(&grant.life, by), &form).await;
        let expected = match by {
            By::Owner | By::OwnerWithoutVerifier => grant.life.refresh(at, ask, self.now),
            By::Thief => Expect::Refused("invalid_grant"),
        };
        grant.settle(expected, &answer);
    }

    async fn revoke(&mut self, number: usize, kind: Kind, behind: usize, by: By) {
        let Some(grant) = self.tracked(number) else { return };
        let grant = &mut self.grants[grant];
        let tokens = if kind == Kind::Access { &grant.access } else { &grant.refresh };
        let Some(at) = tokens.len().checked_sub(behind + 1) else { return };
        let answer = self.fixture.revoke(presenter(&grant.life, by), &tokens[at]).await;
        assert_eq!(answer.status(), 200, "whoever asks, of whatever token");
        match (by, kind) {
            (By::Thief, _) => {}
            (_, Kind::Access) => grant.life.revoke_access(at, self.now),
            (_, _) => grant.life.revoke_refresh(),
        }
    }

    /// What the server takes for live is what the model takes for live, and never too much.
    async fn check(&self, when: &str) {
        for grant in &self.grants {
            let life = &grant.life;
            let mut live = 0;
            for (at, token) in grant.access.iter().enumerate() {
                let found = self.fixture.server.check(token).await.ok();
                let found = found.map(|access| (bits_of(access.scope().as_str()), access.expires()));
                let expected = life.access(at, self.now).map(|token| (token.scope, self.time(token.until)));
                assert_eq!(found, expected, "access token {at} {when}");
                live += usize::from(found.is_some());
                if let Some((scope, expires)) = found {
                    assert_eq!(scope & !life.approved, 0, "a child exceeds its parent {when}");
                    assert!(expires <= self.time(life.born + model::GRANT), "a child outlives it {when}");
                }
            }
            assert!(live <= model::MOST_LIVE, "{live} live access tokens {when}");
            assert!(live == 0 || !life.is_over(), "life after the end {when}");

            let mut successors = 0;
            for (at, token) in grant.refresh.iter().enumerate() {
                let handle = Handle::parse(token, Kind::Refresh, &Prefixes::default()).unwrap();
                let record = self.fixture.store.try_load(handle.grant).flatten().unwrap();
                let now = self.time(self.now);
                let usable = record.grant().refresh_expires(&handle.secret, now).is_some();
                assert_eq!(usable, life.is_current(at, self.now), "refresh token {at} {when}");
                successors += usize::from(usable);
            }
            assert!(successors <= 1, "{successors} live successors {when}");
        }
    }

    fn time(&self, seconds: i64) -> chrono::DateTime<chrono::Utc> {
        use grantor::Clock;
        self.fixture.clock.now() + chrono::TimeDelta::seconds(seconds - self.now)
    }
}

impl Tracked {
    /// The answer is what the model expects; new tokens are remembered.
    fn settle(&mut self, expected: Expect, answer: &Answer) {
        let found = answer.json();
        match expected {
            Expect::Refused(error) => {
                let status = if error == "temporarily_unavailable" { 429 } else { 400 };
                assert_eq!(answer.error(), (status, error.to_owned()));
            }
            Expect::Issued { scope, refresh } => {
                assert_eq!(answer.status(), 200, "{found}");
                assert_eq!(bits_of(found["scope"].as_str().unwrap_or_default()), scope);
                assert!(
                    !self.access.contains(&answer.access_token()),
                    "an access token that was used before"
                );
                self.access.push(answer.access_token());
                match refresh {
                    model::Refresh::None => assert_eq!(found["refresh_token"], Value::Null),
                    model::Refresh::Same => assert_eq!(Some(&answer.refresh_token()), self.refresh.last()),
                    model::Refresh::New => {
                        assert!(!self.refresh.contains(&answer.refresh_token()));
                        self.refresh.push(answer.refresh_token());
                    }
                }
            }
            Expect::Repeated { access, refresh } => {
                assert_eq!(answer.status(), 200, "{found}");
                assert_eq!(answer.access_token(), self.access[access], "not the very same tokens");
                assert_eq!(answer.refresh_token(), self.refresh[refresh], "not the very same tokens");
            }
        }
    }
}

/// As good as the right one, but for its first character.
const WRONG_VERIFIER: &str = "eBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const _: () = assert!(WRONG_VERIFIER.len() == VERIFIER.len());

fn presenter(life: &Life, by: By) -> &'static str {
    match by {
        By::Thief => "other",
        By::Owner | By::OwnerWithoutVerifier => life.client.id(),
    }
}

const SCOPES: [&str; 3] = ["read", "write", "admin"];

fn text_of(bits: u8) -> String {
    let chosen = (0..3).filter(|n| bits >> n & 1 == 1).map(|n| SCOPES[n]);
    chosen.collect::<Vec<_>>().join(" ")
}

fn bits_of(text: &str) -> u8 {
    let bit = |token| 1 << SCOPES.iter().position(|scope| *scope == token).unwrap();
    text.split_whitespace().map(bit).sum()
}
