//! The end of a session in which a thousand grants began.

use std::time::Instant;

use chrono::Utc;
use grantor::GrantId;
use grantor::grant::Grant;
use grantor::server::Sessions;
use grantor::store::{Filter, Page, TokenStore, Write};

use crate::places::{Place, open};
use crate::support::provider::Provider;

const GRANTS: u64 = 1000;
const BODY: &str = include_str!("../golden/v1/in_a_session.json");

/// As in `tests/golden`, in times of our own.
fn body(now: i64) -> String {
    BODY.replace("1800000", &now.to_string()[..7])
}

async fn a_thousand_grants_end(place: Place) {
    let store = open(&place.url()).await;
    let now = Utc::now();
    let mut session = None;
    for number in 0..GRANTS {
        let mut id = [7; 16];
        id[..8].copy_from_slice(&number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
        let grant = Grant::decode(GrantId::new(id), &body(now.timestamp())).unwrap();
        session = grant.session();
        drop(store.commit(&Write::insert(grant, now)).await.unwrap());
    }
    let session = session.unwrap();
    let used = store.clone();
    let provider = Provider::with(Vec::new(), |builder| builder.store(used).sessions(Sessions::new([7; 32])));
    let begun = Instant::now();
    let ended = provider.fixture.server.end_session(&session).await.unwrap();
    println!("{GRANTS} grants of a session ended in {:?}", begun.elapsed());
    assert_eq!(ended.grants, GRANTS);
    let left = store.list(&Filter::session(session), Page::first(10)).await.unwrap();
    assert!(left.records.is_empty());
}

#[tokio::test]
async fn a_session_of_a_thousand_grants_ends_on_sqlite() {
    a_thousand_grants_end(Place::sqlite()).await;
}

#[tokio::test]
async fn a_session_of_a_thousand_grants_ends_on_postgres() {
    a_thousand_grants_end(Place::postgres()).await;
}
