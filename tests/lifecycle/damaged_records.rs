//! Nothing is stored that cannot be read, and what cannot be read stops nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use grantor::base::{MAX_DEPTH, MAX_DETAILS};
use grantor::client::{ClientListing, ClientPage, RegistryError};
use grantor::store::contract::Suite;
use grantor::store::{
    CommitError, Committed, Filter, Listing, Page, Record, Tombstone, UserCodeDigest, Write,
};
use grantor::{AuthorizationDetail, DetailType};
use grantor::{
    AuthorizationDetails, BackendError, Client, ClientId, ClientRegistry, EventKind, GrantId, HostError,
    MemoryRegistry, MemoryStore, Reason, Registrar, Registration, Replacement, Subject, TokenStore,
    ValueError, async_trait,
};
use serde_json::{Value, json};

use crate::support::bodies::Bodies;
use crate::support::registering::{Registering, app};
use crate::support::{Fixture, clients, code_query};

/// A type of details that takes everything.
struct Anything;

impl DetailType for Anything {
    fn accepts(&self, _: &AuthorizationDetail) -> bool {
        true
    }
}

/// A detail with this many levels, itself included.
fn nested(levels: usize) -> String {
    let inner = levels - 1;
    format!(r#"{{"type":"any","deep":{}1{}}}"#, "[".repeat(inner), "]".repeat(inner))
}

async fn asked(fixture: &Fixture, details: &str) -> crate::support::Answer {
    let mut query = code_query("conf", "read");
    query.push(("authorization_details", details));
    fixture.approve(&query).await
}

fn on_bodies() -> (Bodies, Fixture) {
    let bodies = Bodies::default();
    let fixture = Fixture::on(Arc::new(MemoryStore::new()), bodies.clone(), |builder| {
        builder.authorization_details_type("any", Anything)
    });
    (bodies, fixture)
}

#[tokio::test]
async fn ft_07_what_is_nested_too_deep_is_refused_at_the_door() {
    let (bodies, fixture) = on_bodies();
    for levels in [MAX_DEPTH + 1, 100, 121, 127] {
        let answer = asked(&fixture, &format!("[{}]", nested(levels))).await;
        let error = answer.location_parameter("error");
        assert_eq!(error.as_deref(), Some("invalid_authorization_details"), "{levels} levels");
        let members = serde_json::from_str(&nested(levels)).unwrap();
        assert_eq!(AuthorizationDetail::new(members).unwrap_err(), ValueError::Details);
    }
    assert!(bodies.rows().is_empty());

    let answer = asked(&fixture, &format!("[{}]", nested(MAX_DEPTH))).await;
    let tokens = fixture.redeem("conf", &answer.location_parameter("code").unwrap()).await;
    let refreshed = fixture.refresh("conf", &tokens.refresh_token()).await;
    assert_eq!(refreshed.status(), 200, "what is taken can be read back");
}

#[tokio::test]
async fn ft_07_a_host_sets_no_more_details_than_a_request_may_have() {
    let (_, fixture) = on_bodies();
    let mut query = code_query("conf", "read");
    query.push(("authorization_details", r#"[{"type":"any"}]"#));
    let request = grantor::Request::get(crate::support::encode(&query));
    let mut consent =
        fixture.server.authorize(&request).await.unwrap().signed_in(fixture.alice()).await.consent().unwrap();
    let one = AuthorizationDetail::new(json!({ "type": "any" }).as_object().unwrap().clone()).unwrap();
    let many: AuthorizationDetails = vec![one; MAX_DETAILS + 1].into_iter().collect();
    assert!(matches!(consent.set_details(many), Err(HostError::Details(Reason::DetailsMalformed))));
}

#[tokio::test]
async fn ft_07_a_body_that_cannot_be_read_stops_no_revocation_listing_or_sweep() {
    let (bodies, fixture) = on_bodies();
    let server = &fixture.server;
    let mut tokens = Vec::new();
    for _ in 0..5 {
        tokens.push(fixture.tokens("conf", "read").await);
    }
    let ids: Vec<GrantId> = bodies.rows().keys().copied().collect();
    let damaged = ids[1];
    bodies.rows().get_mut(&damaged).unwrap().body.truncate(40);

    let page = server.grants(&Filter::default(), None, 3).await.unwrap();
    assert_eq!((page.records.len(), page.damaged.len()), (2, 1));
    assert_eq!(page.damaged[0].id, damaged);
    assert!(fixture.log.whats().contains(&EventKind::Failed(Reason::StoreBroken)), "the host is told");
    let rest = server.grants(&Filter::default(), page.next.as_ref(), 3).await.unwrap();
    assert_eq!((rest.records.len(), rest.next.is_none()), (2, true));
    assert_eq!(server.grants_of(&Subject::user("alice")).await.unwrap().len(), 4);

    assert_eq!(server.revoke_subject(&Subject::user("alice")).await.unwrap(), 5);
    for token in &tokens {
        assert!(!fixture.is_live(&token.access_token()).await);
    }
    assert!(fixture.server.grants(&Filter::default(), None, 9).await.unwrap().damaged.is_empty());

    bodies.damage(|_| true);
    fixture.clock.advance(Duration::from_secs(90 * 24 * 60 * 60));
    assert_eq!(server.sweep().await.unwrap(), 5, "a purge looks at no body");
}

#[tokio::test]
async fn ft_07_one_damaged_grant_is_ended_by_its_id() {
    let (bodies, fixture) = on_bodies();
    fixture.tokens("conf", "read").await;
    let tokens = fixture.tokens("conf", "read").await;
    let id = fixture.server.check(&tokens.access_token()).await.unwrap().grant_id().unwrap();
    bodies.rows().get_mut(&id).unwrap().body = "not JSON".to_owned();
    assert!(fixture.server.check(&tokens.access_token()).await.is_err());
    assert!(fixture.server.revoke_grant(id).await.unwrap());
    assert!(!fixture.server.revoke_grant(id).await.unwrap(), "it has ended, and can be read");
    assert_eq!(bodies.rows()[&id].client.as_str(), "conf");
}

/// A registry in which one client cannot be read.
#[derive(Clone)]
struct Broken {
    inner: Arc<MemoryRegistry>,
    is_there: Arc<AtomicBool>,
}

const BROKEN: &str = "a broken one";

#[async_trait]
impl ClientRegistry for Broken {
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, BackendError> {
        match id.as_str() == BROKEN && self.is_there.load(Ordering::SeqCst) {
            true => Err(BackendError::permanent("damaged")),
            false => self.inner.client(id).await,
        }
    }
}

#[async_trait]
impl Registrar for Broken {
    async fn insert(&self, client: Client) -> Result<(), RegistryError> {
        self.inner.insert(client).await
    }
    async fn replace(&self, change: Replacement) -> Result<(), RegistryError> {
        self.inner.replace(change).await
    }
    async fn remove(&self, id: &ClientId) -> Result<(), RegistryError> {
        match id.as_str() == BROKEN && self.is_there.swap(false, Ordering::SeqCst) {
            true => Ok(()),
            false => self.inner.remove(id).await,
        }
    }
    async fn clients(&self, page: &ClientPage) -> Result<ClientListing, BackendError> {
        let mut listing = self.inner.clients(page).await?;
        let is_there = self.is_there.load(Ordering::SeqCst) && page.after.is_none();
        listing.damaged.extend(is_there.then(|| ClientId::new(BROKEN)));
        Ok(listing)
    }
}

#[tokio::test]
async fn ft_07_a_client_that_cannot_be_read_stops_no_sweep_and_can_be_deleted() {
    let registry =
        Broken { inner: Arc::new(MemoryRegistry::new(clients())), is_there: Arc::new(AtomicBool::new(true)) };
    let store = Arc::new(MemoryStore::new());
    let day = Duration::from_secs(24 * 60 * 60);
    let fixture = Fixture::on(store.clone(), store, |builder| {
        let terms = Registration::open().unused_after(day);
        builder.clients(registry.clone()).registrar(registry.clone()).registration(terms)
    });
    let body = app().to_string();
    let answer =
        fixture.server.registration(&grantor::Request::json(grantor::http::Method::Post, body)).await;
    assert_eq!(answer.status, 201);
    fixture.clock.advance(day * 2);
    assert_eq!(fixture.server.sweep_clients().await.unwrap(), 1, "the other one goes");
    assert!(fixture.log.whats().contains(&EventKind::Failed(Reason::StoreBroken)), "the host is told");
    assert!(registry.is_there.load(Ordering::SeqCst), "what cannot be judged stays");
    assert!(fixture.server.delete_client(&ClientId::new(BROKEN)).await.unwrap());
    assert!(!fixture.server.delete_client(&ClientId::new(BROKEN)).await.unwrap());
}

#[test]
fn ft_13_a_number_is_kept_to_its_last_digit_or_refused() {
    let reread = |text: &str| {
        AuthorizationDetails::parse(text).map(|details| serde_json::to_string(&details).unwrap())
    };
    for n in 0_u64..20_000 {
        let amount = format!("{}.{:03}", n.wrapping_mul(2_654_435_761) % 10_000_000_019, n % 1000 + 1);
        let asked = format!(r#"[{{"type":"payment","amount":{amount}}}]"#);
        let stored = reread(&asked).unwrap();
        let kept: Value = serde_json::from_str(&stored).unwrap();
        assert_eq!(kept[0]["amount"].as_f64().unwrap().to_bits(), amount.parse::<f64>().unwrap().to_bits());
        assert_eq!(reread(&stored).unwrap(), stored, "{amount}");
    }
    for lost in ["0.1000000000000000055", "18446744073709551616", "12345678901234567.5", "1e999"] {
        let asked = format!(r#"[{{"type":"payment","more":[{{"amount":{lost}}}]}}]"#);
        assert_eq!(reread(&asked), Err(ValueError::Details), "{lost}");
    }
}

/// A store in which every other page of a listing with a filter is empty and not the last.
#[derive(Clone, Default)]
struct Sparse {
    inner: Arc<MemoryStore>,
    is_empty: Arc<AtomicBool>,
}

#[async_trait]
impl TokenStore for Sparse {
    async fn load(&self, id: GrantId) -> Result<Option<Record>, BackendError> {
        self.inner.load(id).await
    }
    async fn commit(&self, write: &Write) -> Result<Committed, CommitError> {
        self.inner.commit(write).await
    }
    async fn end(&self, tombstone: &Tombstone) -> Result<Committed, BackendError> {
        self.inner.end(tombstone).await
    }
    async fn find_by_user_code(&self, code: &UserCodeDigest) -> Result<Option<Record>, BackendError> {
        self.inner.find_by_user_code(code).await
    }
    async fn list(&self, filter: &Filter, page: Page) -> Result<Listing, BackendError> {
        if *filter != Filter::default() && !self.is_empty.fetch_xor(true, Ordering::SeqCst) {
            let mut empty = Listing::default();
            // No grant has the very next id.
            let after = page.after.map_or(0, |after| u128::from_be_bytes(*after.as_bytes()) + 1);
            empty.next = Some(GrantId::new(after.to_be_bytes()));
            return Ok(empty);
        }
        self.inner.list(filter, page).await
    }
    async fn purge(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, BackendError> {
        self.inner.purge(before, limit).await
    }
}

#[tokio::test]
async fn ft_25_a_page_may_be_empty_and_not_the_last() {
    let suite = Suite::new(Sparse::default()).tasks(4).rounds(3);
    suite.spawn(|task| drop(tokio::spawn(task))).run().await.unwrap();

    let day = Duration::from_secs(24 * 60 * 60);
    let sparse = Sparse::default();
    let inner = sparse.inner.clone();
    let server = Registering::with_store(Registration::open().unused_after(day), inner, sparse);
    let used = server.registered(&app()).await;
    let tokens = server.tokens(&used, "read").await;
    server.fixture.clock.advance(day);
    assert_eq!(server.fixture.server.sweep_clients().await.unwrap(), 0, "it is in use");
    assert_eq!(server.fixture.server.revoke_client(&ClientId::new(used.id())).await.unwrap(), 1);
    let refused = server.fixture.server.check(&tokens.access_token()).await;
    assert!(refused.is_err());
}
