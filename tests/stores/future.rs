//! A body that a later version has written is refused, in words that say so, and is left as it is.

use grantor::grant::Grant;
use grantor::store::Write;
use grantor::{BackendError, GrantId, TokenStore};

use crate::places::{Place, open};

const BODY: &str = include_str!("../golden/v1/refreshed.json");

#[tokio::test]
async fn sqlite_refuses_a_body_from_the_future() {
    let place = Place::sqlite();
    let Place::Sqlite(folder) = &place else { unreachable!() };
    let error = later(&place, async || {
        use sqlx::ConnectOptions as _;
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(folder.file("grants.db"));
        let mut connection = options.connect().await.unwrap();
        sqlx::query(LATER).execute(&mut connection).await.unwrap();
    });
    says_so(&error.await);
}

#[tokio::test]
async fn postgres_refuses_a_body_from_the_future() {
    let place = Place::postgres();
    let Place::Postgres(server) = &place else { unreachable!() };
    says_so(&later(&place, async || drop(server.sql(LATER))).await);
}

#[tokio::test]
async fn redis_refuses_a_body_from_the_future() {
    let place = Place::redis();
    let Place::Redis(server) = &place else { unreachable!() };
    let error = later(&place, async || {
        let script = "local value = redis.call('GET', KEYS[1]) \
             return redis.call('SET', KEYS[1], (string.gsub(value, '\"v\":1', '\"v\":2')))";
        let keys = server.cli(&["KEYS", "grantor:*:g:*"]);
        assert_eq!(server.cli(&["EVAL", script, "1", &keys]), "OK");
    });
    says_so(&error.await);
}

const LATER: &str = "UPDATE grantor_grants SET body = replace(body, '\"v\":1', '\"v\":2')";

/// The error of every way to read a grant after its body was changed.
async fn later(place: &Place, change: impl AsyncFnOnce()) -> BackendError {
    let store = open(&place.url()).await;
    let grant = Grant::decode(GrantId::new([7; 16]), BODY).unwrap();
    let id = grant.id();
    drop(store.commit(&Write::insert(grant, chrono::Utc::now())).await.unwrap());
    assert!(store.load(id).await.unwrap().is_some());
    change().await;
    store.load(id).await.unwrap_err()
}

fn says_so(error: &BackendError) {
    assert!(error.is_permanent());
    let text = error.to_string();
    assert!(text.contains("written in format 2") && text.contains("upgrade grantor"), "{text}");
}
