//! [`PostgresStore`] behind a PgBouncer that gives each transaction another connection.

use grantor::Registrar as _;
use grantor::store::{PostgresOptions, PostgresStore};

use crate::behaviour;
use crate::contract::keeps_every_contract_in;
use crate::scale::rounds;
use crate::servers::pgbouncer::PgBouncer;
use crate::servers::postgres::Postgres;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_pgbouncer_a_store_keeps_every_contract() {
    let server = Postgres::start();
    let pooler = PgBouncer::before(&server);
    let url = pooler.url_of(&server.url());
    // Without the switch it says so at the start, and not at some later statement.
    let refused = PostgresStore::connect(&url).await.unwrap_err().to_string();
    assert!(refused.contains("startup parameter") && !refused.contains('\n'), "{refused}");
    // More than the pooler has itself.
    let options = PostgresOptions::new(&url).connections(12).transaction_pooling(true);
    let store = options.connect().await.unwrap();
    // Four round trips in place of one; and a statement with a name would fail here.
    keeps_every_contract_in(store.clone(), rounds(10, 1_000)).await;
    behaviour::asks_everything(&store).await;
    store.close().await;
    assert!(store.insert(behaviour::client("late")).await.is_err());
}
