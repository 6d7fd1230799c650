//! What the stores on a database have in common.

use std::pin::pin;
use std::task::{Context, Waker};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::{join, join_all};
use grantor::client::ClientPage;
use grantor::grant::Grant;
use grantor::keys::KeyStore;
use grantor::store::{BackendError, CommitError, Filter, Page, ReplayKey, SqlStore, Tombstone};
use grantor::store::{UserCodeDigest, Write};
use grantor::{
    Client, ClientId, ClientRegistry as _, GrantId, GrantType, Registrar, Replacement, ReplayGuard,
    SessionId, Subject, TokenStore,
};

pub fn client(id: &str) -> Client {
    let service = Client::builder(id).secret("c2VjcmV0").grant_types([GrantType::ClientCredentials]);
    service.owner("user-alice").build().unwrap()
}

/// A change of a client that was not changed before.
pub fn change(id: &str) -> Replacement {
    Replacement::of(&client(id), client(id))
}

const BODY: &str = include_str!("../golden/v1/refreshed.json");
const IN_A_SESSION: &str = include_str!("../golden/v1/in_a_session.json");

/// A grant that is in use, under the id of this number.
pub fn grant(number: u8) -> Grant {
    grant_under(GrantId::new([number; 16]))
}

/// The same under any id.
pub fn grant_under(id: GrantId) -> Grant {
    Grant::decode(id, BODY).unwrap()
}

/// The same of any user.
pub fn grant_of(id: GrantId, user: &str) -> Grant {
    let mut body: serde_json::Value = serde_json::from_str(BODY).unwrap();
    body["subject"]["user"] = user.into();
    Grant::decode(id, &body.to_string()).unwrap()
}

pub fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

pub async fn spaces_know_nothing_of_each_other<E: Send + Sync + 'static>(store: SqlStore<E>)
where
    SqlStore<E>: TokenStore + Registrar + ReplayGuard + KeyStore,
{
    let (here, there) = (store.space("tenant-a"), store.space("tenant-b"));
    let (id, page, seen) = (ClientId::new("app"), ClientPage::first(9), ReplayKey::new("jti", "1"));
    let soon = now() + TimeDelta::minutes(5);

    // The same names on both sides.
    let _ = TokenStore::commit(&here, &Write::insert(grant(1), now())).await.unwrap();
    here.insert(client("app")).await.unwrap();
    assert!(here.first_use(&seen, soon, now()).await.unwrap());
    KeyStore::commit(&here, None, "keys of a").await.unwrap();
    for other in [&there, &store] {
        assert!(TokenStore::load(other, grant(1).id()).await.unwrap().is_none());
        let filter = Filter::subject(grant(1).subject().clone());
        assert!(other.list(&filter, Page::first(9)).await.unwrap().records.is_empty());
        assert!(other.list(&Filter::default(), Page::first(9)).await.unwrap().records.is_empty());
        let replace = Write::replace(0, grant(1), now());
        TokenStore::commit(other, &replace).await.unwrap_err();
        assert!(other.client(&id).await.unwrap().is_none());
        assert!(other.clients(&page).await.unwrap().clients.is_empty());
        other.remove(&id).await.unwrap_err();
        assert!(KeyStore::load(other).await.unwrap().is_none());
        assert_eq!(other.purge(DateTime::<Utc>::MAX_UTC, 100).await.unwrap(), 0);
    }
    let _ = TokenStore::commit(&there, &Write::insert(grant(1), now())).await.unwrap();
    there.insert(client("app")).await.unwrap();
    assert!(there.first_use(&seen, soon, now()).await.unwrap());
    assert!(!here.first_use(&seen, soon, now()).await.unwrap());
    KeyStore::commit(&there, None, "keys of b").await.unwrap();
    assert_eq!(KeyStore::load(&here).await.unwrap().unwrap().body().reveal(), "keys of a");
    // The grant and the one-time identifier.
    assert_eq!(there.purge(DateTime::<Utc>::MAX_UTC, 100).await.unwrap(), 2);
    assert!(TokenStore::load(&here, grant(1).id()).await.unwrap().is_some());
}

/// `again` is another handle of the database of `store`, opened on its own.
pub fn identities_are_those_of_database_and_space<E>(store: &SqlStore<E>, again: &SqlStore<E>)
where
    SqlStore<E>: TokenStore,
{
    assert!(store.identity().is_some());
    assert_eq!(store.identity(), again.identity());
    assert_eq!(store.space("a").identity(), again.space("a").identity());
    assert_eq!(store.space("a").identity(), store.space("b").space("a").clone().identity());
    assert_ne!(store.identity(), store.space("a").identity());
    assert_ne!(store.space("b").identity(), store.space("a").identity());
}

/// For a store with one connection, which the next call needs.
pub async fn a_dropped_future_leaves_nothing_behind<E: Send + Sync + 'static>(store: SqlStore<E>)
where
    SqlStore<E>: TokenStore,
{
    let mut cx = Context::from_waker(Waker::noop());
    for number in 0..100 {
        // Dropped after this many polls, at whatever await it is then.
        let write = Write::insert(grant(number), now());
        {
            let mut commit = pin!(store.commit(&write));
            for _ in 0..number % 7 {
                if commit.as_mut().poll(&mut cx).is_ready() {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_micros(u64::from(number) * 10)).await;
            }
        }
        // It has happened or it has not, and the store goes on.
        let found = store.load(grant(number).id()).await.unwrap();
        assert!(found.is_none_or(|record| *record.grant() == grant(number)));
    }
    store.list(&Filter::default(), Page::first(100)).await.unwrap();
}

/// Calls that begin before the store is closed are answered; one that begins later fails, and has not
/// happened.
pub async fn a_closed_store_takes_no_more<S: TokenStore>(store: &S, close: impl Future<Output = ()>) {
    // Fewer than there may be connections, and each of the second ten has one.
    let writes: Vec<Write> = (0..20).map(|number| Write::insert(grant(number), now())).collect();
    join_all(writes[..10].iter().map(|write| store.commit(write))).await;
    let begun = join_all(writes[10..].iter().map(|write| store.commit(write)));
    let (outcomes, ()) = join(begun, close).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let late = store.commit(&Write::insert(grant(99), now())).await;
    let nothing = |error: &BackendError| !error.is_permanent() && !error.is_unknown_outcome();
    let says_why = |error: &BackendError| nothing(error) && error.to_string().contains("closed");
    assert!(matches!(&late, Err(CommitError::Store(error)) if says_why(error)), "{late:?}");
}

/// Makes the grant of the id 2 and the client `b` unreadable, in whatever way, and lets nothing else
/// suffer from it.
pub async fn what_cannot_be_read_stops_nothing<S: TokenStore + Registrar>(
    store: &S,
    damage: impl AsyncFnOnce(),
) {
    let grant = |number| Grant::decode(GrantId::new([number; 16]), IN_A_SESSION).unwrap();
    for number in 1..=3 {
        let _ = TokenStore::commit(store, &Write::insert(grant(number), now())).await.unwrap();
    }
    for id in ["a", "b", "c"] {
        store.insert(client(id)).await.unwrap();
    }
    let session = grant(2).session().unwrap();
    damage().await;
    assert!(TokenStore::load(store, grant(2).id()).await.unwrap_err().is_permanent());
    let (subject, of) = (grant(2).subject().clone(), grant(2).client().clone());
    for filter in [
        Filter::subject(subject.clone()),
        Filter::client(of.clone()),
        Filter::pair(subject, of),
        Filter::session(session),
    ] {
        let listing = store.list(&filter, Page::first(9)).await.unwrap();
        let ids: Vec<_> = listing.records.iter().map(|record| record.grant().id()).collect();
        assert_eq!(ids, [grant(1).id(), grant(3).id()]);
        let [damaged] = &listing.damaged[..] else { panic!("{:?}", listing.damaged) };
        assert_eq!(damaged.id, grant(2).id());
        // A store whose columns are in the record itself may not know it.
        assert!(damaged.client == *grant(2).client() || damaged.client.as_str().is_empty(), "{damaged:?}");
        let knows_session = damaged.client == *grant(2).client() && filter.client.is_none();
        assert!(damaged.session == Some(session) || !knows_session, "{damaged:?}");
    }
    let all = store.list(&Filter::default(), Page::first(9)).await.unwrap();
    let ends: Vec<_> = all.damaged.iter().map(|damaged| Tombstone::of_damaged(damaged, now())).collect();
    assert!(store.end_all(&ends).await.iter().all(Result::is_ok));
    let ended = TokenStore::load(store, grant(2).id()).await.unwrap().unwrap();
    assert!(ended.grant().is_ended());

    let listing = store.clients(&ClientPage::first(9)).await.unwrap();
    let ids: Vec<_> = listing.clients.iter().map(|client| client.id().as_str()).collect();
    assert_eq!((ids, listing.damaged), (vec!["a", "c"], vec![ClientId::new("b")]));
    store.remove(&ClientId::new("b")).await.unwrap();
}

/// Inserts [`grant(number)`](grant).
pub async fn insert<E: Send + Sync + 'static>(store: &SqlStore<E>, number: u8)
where
    SqlStore<E>: TokenStore,
{
    drop(store.commit(&Write::insert(grant(number), now())).await.unwrap());
}

/// A grant of a session is found by it, beside one that was there before.
pub async fn finds_by_session<E: Send + Sync + 'static>(store: &SqlStore<E>)
where
    SqlStore<E>: TokenStore,
{
    let in_session = Grant::decode(GrantId::new([9; 16]), IN_A_SESSION).unwrap();
    let session = in_session.session().unwrap();
    drop(store.commit(&Write::insert(in_session, now())).await.unwrap());
    let found = store.list(&Filter::session(session), Page::first(9)).await.unwrap().records;
    assert_eq!(found.iter().map(|record| record.grant().id()).collect::<Vec<_>>(), [GrantId::new([9; 16])]);
    assert!(store.load(grant(1).id()).await.unwrap().is_some());
}

pub async fn asks_everything<E: Send + Sync + 'static>(store: &SqlStore<E>)
where
    SqlStore<E>: TokenStore + Registrar + ReplayGuard + KeyStore,
{
    let (id, owner) = (ClientId::new("client-1"), "user-2");
    let (subject, client_id) = (Subject::user("7"), ClientId::new("client-7"));
    let filters = [
        Filter::default(),
        Filter::subject(subject.clone()),
        Filter::client(client_id.clone()),
        Filter::pair(subject, client_id),
        Filter::session(SessionId::new("7")),
    ];
    for filter in &filters {
        let _ = store.list(filter, Page::first(20).after(GrantId::new([7; 16]))).await;
    }
    let _ = TokenStore::load(store, grant(1).id()).await;
    let _ = store.find_by_user_code(&UserCodeDigest::of("ABCD")).await;
    let _ = TokenStore::commit(store, &Write::insert(grant(1), now())).await;
    let _ = TokenStore::commit(store, &Write::replace(0, grant(1), now())).await;
    let _ = TokenStore::commit(store, &Write::reindex(1, grant(1), now())).await;
    let _ = store.end(&Tombstone::of(grant(1), now())).await;
    let _ = store.end_all(&[Tombstone::of(grant(1), now()), Tombstone::of(grant(2), now())]).await;
    let _ = store.first_use(&ReplayKey::new("a", "b"), now() + TimeDelta::days(400), now()).await;
    let _ = store.client(&id).await;
    let _ = store.clients(&ClientPage::first(20).after(id.clone())).await;
    let _ = store.clients(&ClientPage::first(20).owned_by(owner).after(id.clone())).await;
    let _ = store.insert(client("app")).await;
    let _ = store.replace(change("app")).await;
    let _ = store.remove(&ClientId::new("app")).await;
    let _ = KeyStore::load(store).await;
    let _ = KeyStore::commit(store, None, "{}").await;
    let _ = store.purge(now() + TimeDelta::seconds(100), 20).await;
}
