//! The contract suites, run on a store as its user would.

use std::sync::Arc;
use std::time::Duration;

use grantor::keys::KeyStore;
use grantor::store::contract::{Clause, Suite};
use grantor::{Registrar, ReplayGuard, TokenStore};

use crate::behaviour;
use crate::scale::rounds;
use crate::support::key_care::nodes_change_keys_by_hand;

/// How many tasks race.
const TASKS: usize = 32;

/// How many tasks write to a grant that one task ends.
const WRITERS: usize = 64;

/// Holds a store to everything that it promises. Its cell of keys must be vacant.
pub async fn keeps_every_contract<S>(store: S)
where
    S: TokenStore + ReplayGuard + Registrar + KeyStore + Clone + 'static,
{
    keeps_every_contract_in(store, rounds(200, 10_000)).await;
}

/// The same, with this many rounds of the race of one end against many writes.
pub async fn keeps_every_contract_in<S>(store: S, ends: usize)
where
    S: TokenStore + ReplayGuard + Registrar + KeyStore + Clone + 'static,
{
    nodes_change_keys_by_hand(Arc::new(store.clone()), behaviour::now()).await;
    let suite = || {
        let suite = Suite::new(store.clone()).tasks(TASKS).rounds(rounds(20, 200));
        suite.spawn(|task| drop(tokio::spawn(task)))
    };
    let ends = Suite::new(store.clone()).only([Clause::EndRace]).tasks(WRITERS).rounds(ends);
    let ends = ends.limit(Duration::from_secs(60 * 60)).spawn(|task| drop(tokio::spawn(task)));
    let reports = [
        ends.run().await.unwrap(),
        suite().run().await.unwrap(),
        suite().check_replay_guard().await.unwrap(),
        suite().check_registrar().await.unwrap(),
        suite().check_key_store().await.unwrap(),
    ];
    for (clause, checks) in reports.iter().flat_map(|report| report.clauses()) {
        // A database answers nothing at once.
        assert!(checks > 0 || clause == Clause::LoadNow, "{clause:?}");
    }
}
