//! A fault of every call in every flow, as `tests/lifecycle/faults.rs` has them in memory, on the stores that
//! come with the crate.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use grantor::MemoryStore;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::places::{AnyStore, Place, open};
use crate::support::Fixture;
use crate::support::faulty::{Fault, Plan};
use crate::support::flows::{FLOWS, Flow, fails_honestly, survives_twice};

/// How long what hangs does so; nothing else takes as long.
const DEADLINE: Duration = Duration::from_secs(2);
/// How many cases wait at a time.
const AT_A_TIME: usize = 24;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite_every_fault_of_every_call_is_survived() {
    let turns = Arc::new(Semaphore::new(AT_A_TIME));
    let mut cases = JoinSet::new();
    for flow in FLOWS {
        for fault in Fault::ALL {
            let turns = Arc::clone(&turns);
            cases.spawn(async move {
                let _turn = turns.acquire().await;
                let place = Place::sqlite();
                let store = open(&place.url()).await;
                every_call_fails(&store, flow, fault).await;
                for call in 0..3 {
                    let plan = Plan::default();
                    let faults = [fault, Fault::UnknownAfter];
                    survives_twice(&fixture(&store, &plan), &plan, flow, call, faults).await;
                }
            });
        }
    }
    cases.join_all().await;
}

#[tokio::test]
async fn on_postgres_faults_are_survived() {
    sample(&Place::postgres()).await;
}

#[tokio::test]
async fn on_redis_faults_are_survived() {
    sample(&Place::redis()).await;
}

#[tokio::test]
async fn on_a_redis_cluster_faults_are_survived() {
    sample(&Place::cluster()).await;
}

/// Every call of every flow, by the faults that do not hang.
async fn sample(place: &Place) {
    let store = open(&place.url()).await;
    for flow in FLOWS {
        for fault in [Fault::Transient, Fault::UnknownBefore, Fault::UnknownAfter] {
            every_call_fails(&store, flow, fault).await;
        }
    }
}

/// One call after the other, until there is no further one.
async fn every_call_fails(store: &AnyStore, flow: Flow, fault: Fault) {
    let mut call = 0;
    loop {
        let plan = Plan::default();
        match fails_honestly(&fixture(store, &plan), &plan, flow, (call, fault)).await {
            true => call += 1,
            false => break,
        }
    }
    assert!(call >= flow.least_calls(), "{flow:?}");
}

fn fixture(store: &AnyStore, plan: &Plan) -> Fixture {
    let fixture = Fixture::failing(Arc::new(MemoryStore::new()), store.clone(), plan, DEADLINE);
    fixture.clock.set(Utc::now());
    fixture
}
