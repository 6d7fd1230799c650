//! Several issuers on one server.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use grantor::client::ClientPage;
use grantor::grant::Grant;
use grantor::keys::KeyStore;
use grantor::store::{CommitError, Filter, Page, RedisStore, ReplayKey, Write};
use grantor::{
    Client, ClientId, ClientRegistry, GrantId, GrantType, MemoryStore, Registrar, ReplayGuard, TokenStore,
};

use crate::behaviour;
use crate::servers::redis::RedisServer;
use crate::support::Fixture;

#[tokio::test]
async fn nothing_of_one_space_exists_in_another() {
    let server = RedisServer::start();
    let first = RedisStore::connect(&server.url()).await.unwrap();
    // None of these names may be taken for another, or for a part of a key.
    let others = ["a", "a:b", "{a}", "A", "%61", "*", "ż"].map(|name| first.space(name));

    let fixture = Fixture::on(MemoryStore::new().into(), first.clone(), |builder| builder);
    let access = fixture.tokens("conf", "read").await.access_token();
    assert!(fixture.is_live(&access).await);
    let app = Client::builder("app").grant_types([GrantType::ClientCredentials]).secret("s").build().unwrap();
    first.insert(app.clone()).await.unwrap();
    let (key, now) = (ReplayKey::new("space", "jti"), chrono::Utc::now());
    assert!(first.first_use(&key, now + Duration::from_secs(60), now).await.unwrap());
    assert_eq!(KeyStore::commit(&first, None, "ring").await.unwrap(), 1);

    for (n, other) in others.iter().enumerate() {
        let elsewhere = Fixture::on(MemoryStore::new().into(), other.clone(), |builder| builder);
        assert!(!elsewhere.is_live(&access).await, "space {n}");
        assert!(
            other.list(&Filter::default(), Page::first(10)).await.unwrap().records.is_empty(),
            "space {n}"
        );
        assert!(other.client(&ClientId::new("app")).await.unwrap().is_none(), "space {n}");
        other.insert(app.clone()).await.unwrap();
        assert!(other.first_use(&key, now + Duration::from_secs(60), now).await.unwrap(), "space {n}");
        assert!(KeyStore::load(other).await.unwrap().is_none(), "space {n}");
        assert!(
            matches!(KeyStore::commit(other, Some(1), "ring").await, Err(CommitError::Conflict)),
            "space {n}"
        );
        other.purge(now + Duration::from_secs(1 << 30), 100).await.unwrap();
    }
    assert!(fixture.is_live(&access).await, "a purge elsewhere removes nothing here");
}

#[tokio::test]
async fn a_store_is_the_same_by_server_database_prefix_and_space() {
    let server = RedisServer::start();
    let store = RedisStore::connect(&server.url()).await.unwrap();
    let again = RedisStore::connect(&server.url()).await.unwrap();
    assert!(store.identity().is_some());
    assert_eq!(store.identity(), again.identity());
    assert_eq!(store.space("a").identity(), again.space("a").identity());
    assert_ne!(store.space("a").identity(), store.space("b").identity());
    let in_database = RedisStore::connect(&format!("{}/1", server.url())).await.unwrap();
    let with_prefix = RedisStore::options().prefix("other").connect(&server.url()).await.unwrap();
    for other in [store.space("a"), in_database, with_prefix] {
        assert_ne!(store.identity(), other.identity(), "{other:?}");
    }
}

#[tokio::test]
async fn ft_07_what_cannot_be_read_stops_nothing() {
    let server = RedisServer::start();
    for head in ["0 1800000000000 \n", ""] {
        server.cli(&["FLUSHALL"]);
        let store = RedisStore::connect(&server.url()).await.unwrap();
        behaviour::what_cannot_be_read_stops_nothing(&store, async || {
            let id = behaviour::grant(2).id().to_string();
            for key in server.cli(&["--scan"]).lines() {
                if key.contains(&format!("g:{{{id}}}")) {
                    server.cli(&["SET", key, &format!("{head}{{")]);
                }
                if key.contains("k:{k") && key.ends_with(":b") {
                    server.cli(&["SET", key, "0 \n{"]);
                }
            }
        })
        .await;
    }
}

#[tokio::test]
async fn ft_07_the_owner_of_a_damaged_record_is_read_where_that_is_possible() {
    let server = RedisServer::start();
    let store = RedisStore::connect(&server.url()).await.unwrap();
    let body = include_str!("../../golden/v1/in_a_session.json");
    let grant = Grant::decode(GrantId::new([1; 16]), body).unwrap();
    let write = Write::insert(grant.clone(), behaviour::now());
    let _ = TokenStore::commit(&store, &write).await.unwrap();
    let key = format!("grantor::g:{{{}}}", grant.id());
    let record = server.cli(&["GET", &key]);
    server.cli(&["SET", &key, &record.replace(r#""v":1"#, r#""v":2"#)]);

    let (subject, client) = (grant.subject().clone(), grant.client().clone());
    let expires = store.list(&Filter::default(), Page::first(9)).await.unwrap().damaged[0].expires;
    assert_eq!(expires, grant.expires());
    for filter in [
        Filter::default(),
        Filter::client(client.clone()),
        Filter::subject(subject.clone()),
        Filter::pair(subject.clone(), client.clone()),
    ] {
        let listing = store.list(&filter, Page::first(9)).await.unwrap();
        let [damaged] = &listing.damaged[..] else { panic!("{listing:?}") };
        assert_eq!((&damaged.client, &damaged.subject), (&client, &subject));
        assert_eq!(damaged.session, grant.session());
    }
    // It is in the index of its user, and not of this client.
    let other = Filter::pair(subject, ClientId::new("other"));
    assert!(store.list(&other, Page::first(9)).await.unwrap().is_empty());
}

#[tokio::test]
async fn of_two_clients_in_the_same_slot_the_second_is_on_the_next_page() {
    let server = RedisServer::start();
    let store = RedisStore::connect(&server.url()).await.unwrap();
    // One more than there are slots.
    let ids: Vec<String> = (0..17).map(|number| format!("client-{number}")).collect();
    let mut slots: HashMap<String, Vec<&String>> = HashMap::new();
    for id in &ids {
        store.insert(behaviour::client(id)).await.unwrap();
        let key = server.cli(&["--scan", "--pattern", &format!("grantor::k:*:{id}")]);
        slots.entry(key.replace(id, "")).or_default().push(id);
    }
    let together = slots.into_values().find(|ids| ids.len() > 1).unwrap();
    for id in ids.iter().filter(|id| !together.contains(id)) {
        store.remove(&ClientId::new(id.as_str())).await.unwrap();
    }
    let (mut page, mut found) = (ClientPage::first(1), Vec::new());
    loop {
        let listing = store.clients(&page).await.unwrap();
        found.extend(listing.clients.iter().map(|client| client.id().as_str().to_owned()));
        let Some(last) = listing.next else { break };
        page = page.after(last);
    }
    assert_eq!(found.iter().collect::<HashSet<_>>(), together.into_iter().collect());
}
