//! Two processes with 32 tasks each on one store: of all that can be won once, one wins. And the negative
//! control: a store that reads first and writes afterwards, in the same database, fails the same run.

mod game;
mod naive;
mod worker;

use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;

use crate::places::{AnyStore, Place, open};
use crate::scale::rounds;
use game::Race;
use naive::Naive;
use worker::{Round, SecondProcess, TASKS, Worker};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite_two_processes_find_one_winner() {
    of_two_processes_one_wins(&Place::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres_two_processes_find_one_winner() {
    of_two_processes_one_wins(&Place::postgres()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_pgbouncer_two_processes_find_one_winner() {
    of_two_processes_one_wins(&Place::pooled()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_redis_two_processes_find_one_winner() {
    of_two_processes_one_wins(&Place::redis()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_redis_cluster_two_processes_find_one_winner() {
    of_two_processes_one_wins(&Place::cluster()).await;
}

async fn of_two_processes_one_wins(place: &Place) {
    let url = place.url();
    let here = Worker::new(open(&url).await).await;
    let mut there = SecondProcess::start(&url, false);
    for race in Race::ALL {
        let begun = Instant::now();
        let rounds = match place {
            // Four round trips in place of one.
            Place::Pooled(..) => rounds(20, 10_000),
            _ => rounds(50, 10_000),
        };
        for round in 0..rounds {
            if let Err(what) = played(race, &here, &mut there).await {
                panic!("{}, {race:?}, round {round}: {what}", place.name());
            }
        }
        println!(
            "{}: {race:?}: {rounds} rounds of {} tasks in {:?}",
            place.name(),
            2 * TASKS,
            begun.elapsed()
        );
    }
    drop(there);

    let here = Worker::new(naive(open(&url).await)).await;
    let mut there = SecondProcess::start(&url, true);
    for race in Race::ALL {
        let mut caught = None;
        for round in 0..200 {
            if let Err(what) = played(race, &here, &mut there).await {
                caught = Some((round, what));
                break;
            }
        }
        let (round, what) = caught.unwrap_or_else(|| panic!("{race:?} on {} could not fail", place.name()));
        println!("{}: {race:?}: the naive store fails in round {round}: {what}", place.name());
    }
}

/// One round in both processes, and what is wrong with its end.
async fn played(race: Race, here: &Worker, there: &mut SecondProcess) -> Result<(), String> {
    let prize = race.prepare(&here.node).await;
    let round = Round::soon(race, prize);
    there.send(&round);
    let mut outcomes: Vec<Value> = here.play(&round, 0).await;
    outcomes.extend(there.outcomes());
    assert_eq!(outcomes.len(), 2 * TASKS);
    race.judge(&here.node, &round.prize, &outcomes).await
}

fn naive(store: AnyStore) -> AnyStore {
    Arc::new(Naive::new(store))
}
