//! The end of a grant wins, however many requests write to it meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use grantor::grant::Grant;
use grantor::store::contract::{Clause, Suite};
use grantor::store::{
    CommitError, Committed, Filter, Listing, Page, Record, Tombstone, UserCodeDigest, Write,
};
use grantor::{
    BackendError, BrowserSession, GrantId, MemoryStore, Policy, Reason, Subject, TokenStore, async_trait,
};

use crate::support::pushing::pushed;
use crate::support::{Fixture, SECRET, basic, code_query, encode};

/// A store on which, once it is told so, somebody else is always faster: no conditional write takes effect.
#[derive(Clone, Default)]
struct Rivalled {
    inner: Arc<MemoryStore>,
    loses: Arc<AtomicBool>,
}

#[async_trait]
impl TokenStore for Rivalled {
    async fn load(&self, id: GrantId) -> Result<Option<Record>, BackendError> {
        self.inner.load(id).await
    }
    async fn commit(&self, write: &Write) -> Result<Committed, CommitError> {
        match self.loses.load(Ordering::SeqCst) {
            true => Err(CommitError::Conflict),
            false => self.inner.commit(write).await,
        }
    }
    async fn end(&self, tombstone: &Tombstone) -> Result<Committed, BackendError> {
        self.inner.end(tombstone).await
    }
    async fn find_by_user_code(&self, code: &UserCodeDigest) -> Result<Option<Record>, BackendError> {
        self.inner.find_by_user_code(code).await
    }
    async fn list(&self, filter: &Filter, page: Page) -> Result<Listing, BackendError> {
        self.inner.list(filter, page).await
    }
    async fn purge(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, BackendError> {
        self.inner.purge(before, limit).await
    }
}

impl Rivalled {
    fn fixture(&self) -> Fixture {
        Fixture::on(self.inner.clone(), self.clone(), |builder| builder.device_verification("/device"))
    }

    fn lose(&self) {
        self.loses.store(true, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn ft_06_a_revocation_of_either_token_never_loses() {
    for of_refresh in [true, false] {
        let store = Rivalled::default();
        let fixture = store.fixture();
        let tokens = fixture.tokens("conf", "read").await;
        store.lose();
        let token = if of_refresh { tokens.refresh_token() } else { tokens.access_token() };
        assert_eq!(fixture.revoke("conf", &token).await.status(), 200);
        assert!(!fixture.is_live(&tokens.access_token()).await);
        let refused = fixture.refresh("conf", &tokens.refresh_token()).await;
        assert_eq!(refused.error(), (400, "invalid_grant".to_owned()), "the grant went with its token");
    }
}

#[tokio::test]
async fn ft_06_a_replay_ends_the_grant_in_one_write() {
    let store = Rivalled::default();
    let fixture = store.fixture();
    let code = fixture.code("conf", "read").await;
    let tokens = fixture.redeem("conf", &code).await;
    store.lose();
    assert_eq!(fixture.redeem("conf", &code).await.error(), (400, "invalid_grant".to_owned()));
    assert_eq!(fixture.log.last_reason(), Some(Reason::CodeReplayed));
    assert!(!fixture.is_live(&tokens.access_token()).await);
}

#[tokio::test]
async fn an_approval_that_always_loses_does_not_say_that_a_pushed_request_is_spent() {
    let store = Rivalled::default();
    let fixture = store.fixture();
    store.lose();
    assert_eq!(fixture.approve(&code_query("conf", "read")).await.status(), 503);
    assert_eq!(fixture.log.last_reason(), Some(Reason::Contended));
}

#[tokio::test]
async fn ft_06_the_host_ends_all_of_a_user_or_client_or_one() {
    let store = Rivalled::default();
    let fixture = store.fixture();
    let mut tokens = Vec::new();
    for _ in 0..3 {
        tokens.push(fixture.tokens("conf", "read").await.access_token());
    }
    let one = fixture.server.check(&tokens[0]).await.unwrap().grant_id().unwrap();
    store.lose();
    assert!(fixture.server.revoke_grant(one).await.unwrap());
    assert!(!fixture.server.revoke_grant(one).await.unwrap(), "it had ended");
    assert_eq!(fixture.server.revoke_subject(&Subject::user("alice")).await.unwrap(), 2);
    for token in &tokens {
        assert!(!fixture.is_live(token).await);
    }
}

#[tokio::test]
async fn ft_06_a_denial_never_loses_to_the_polls_of_its_device() {
    let store = Rivalled::default();
    let fixture = store.fixture();
    let claimant = BrowserSession::session("a browser");
    let form = grantor::Request::post_form(encode(&[("scope", "read")]))
        .header("authorization", basic("conf", SECRET));
    let answer = crate::support::Answer(fixture.server.device_authorization(&form).await);
    let (user_code, device_code) = (answer.text("user_code"), answer.text("device_code"));
    let request = fixture.server.device(&user_code, &claimant, None).await.unwrap();
    store.lose();
    request.signed_in(fixture.alice()).deny().await.unwrap();
    let kind = "urn:ietf:params:oauth:grant-type:device_code";
    let polled = fixture.token("conf", &[("grant_type", kind), ("device_code", &device_code)]).await;
    assert_eq!(polled.error(), (400, "access_denied".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ft_06_one_end_wins_over_64_writers() {
    let rounds = if std::env::var_os("GRANTOR_LONG").is_some() { 10_000 } else { 200 };
    let suite = Suite::new(MemoryStore::new()).only([Clause::EndRace]).tasks(64).rounds(rounds);
    let report = suite.spawn(|task| drop(tokio::spawn(task))).run().await.unwrap();
    assert_eq!(report.clauses().count(), 1);
}

#[tokio::test]
async fn ft_06_what_has_ended_stays_ended_whatever_was_read_before() {
    let store = Arc::new(MemoryStore::new());
    let fixture = Fixture::on(store.clone(), store.clone(), |builder| builder);
    let tokens = fixture.tokens("conf", "read").await;
    let id = fixture.server.check(&tokens.access_token()).await.unwrap().grant_id().unwrap();
    let before = store.load(id).await.unwrap().unwrap();
    assert!(fixture.server.revoke_grant(id).await.unwrap());
    let late = Write::replace(before.version(), before.grant().clone(), before.grant().created());
    assert!(matches!(store.commit(&late).await, Err(CommitError::Conflict)));
    assert!(!fixture.is_live(&tokens.access_token()).await);
}

#[tokio::test]
async fn a_grant_is_live_until_the_last_of_what_it_issued_expires() {
    let second = Duration::from_secs(1);
    let fixture = || Fixture::with(|builder| builder.device_verification("/device"));
    let only = async |fixture: &Fixture| {
        let grants = fixture.server.grants(&Filter::default(), None, 2).await.unwrap().records;
        assert_eq!(grants.len(), 1);
        grants[0].grant().clone()
    };
    let ends = |what: &str, grant: &Grant, end: DateTime<Utc>| {
        assert!(grant.is_live(end - second), "{what}");
        assert!(!grant.is_live(end), "{what}");
    };

    let (push, code, live, waiting) = (fixture(), fixture(), fixture(), fixture());
    pushed(&push, "conf").await;
    code.code("conf", "read").await;
    live.tokens("conf", "read").await;
    for (what, fixture) in [("a pushed request", push), ("a code", code), ("tokens", live)] {
        let grant = only(&fixture).await;
        ends(what, &grant, grant.expires());
    }
    waiting.waits().await;
    let grant = only(&waiting).await;
    let expired = grant.created() + Policy::default().device_code_lifetime;
    ends("a device code", &grant, expired);
    assert_eq!(grant.expires(), expired + Duration::from_secs(120), "its device learns that it expired");
}
