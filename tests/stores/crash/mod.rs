//! Crashes at random moments under a mixed load over HTTP. Whatever was answered with success holds
//! afterwards; whatever was not can be asked for again. And crashes between the flush of a batch and its
//! answers.

mod answers;
mod fail_over;
mod serving;
mod user;
mod wire;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::places::Place;
use crate::scale::rounds;
use serving::{Serving, until};
use user::{Account, Dice, Finding, Load, User};
use wire::Wire;

#[test]
fn on_sqlite_a_killed_server_loses_nothing() {
    let mut place = Place::sqlite();
    survives(&mut place, Blow::Server, rounds(60, 1_000));
    let Place::Sqlite(folder) = &place else { unreachable!() };
    assert_eq!(integrity_of(&folder.file("grants.db")), ["ok"]);
}

#[test]
fn on_postgres_a_killed_server_loses_nothing() {
    survives(&mut Place::postgres(), Blow::Server, rounds(60, 1_000));
}

#[test]
fn on_redis_a_killed_server_loses_nothing() {
    survives(&mut Place::redis(), Blow::Server, rounds(60, 1_000));
}

#[test]
fn on_a_redis_cluster_a_killed_server_loses_nothing() {
    survives(&mut Place::cluster(), Blow::Server, rounds(60, 1_000));
}

#[test]
fn a_server_outlives_its_redis() {
    survives(&mut Place::redis(), Blow::Database, rounds(20, 500));
}

#[test]
fn a_server_outlives_its_postgres_and_the_loss_of_its_connections() {
    let mut place = Place::postgres();
    survives(&mut place, Blow::Database, rounds(10, 200));
    survives(&mut place, Blow::Connections, rounds(30, 1_000));
}

/// Each failover takes seconds: the others have to see that the master is gone.
#[test]
fn a_cluster_that_waits_for_a_replica_loses_nothing_with_a_master() {
    let mut place = Place::cluster();
    let url = format!("{}?wait_replicas=1", place.url());
    let run = Run {
        name: "redis-cluster, a replica waited for",
        store: &url,
        restarts: false,
        times: rounds(20, 100),
    };
    run.all(|_| kill_a_master(&mut place)).unwrap_or_else(|found| panic!("{found}"));
}

/// What a cluster loses that does not wait for its replicas. Nothing is promised, so losses are only counted.
#[test]
fn a_cluster_that_does_not_wait_survives_its_masters() {
    let mut place = Place::cluster();
    let url = place.url();
    let run = Run { name: "redis-cluster", store: &url, restarts: false, times: rounds(5, 100) };
    let lost = run.counted(|_| kill_a_master(&mut place));
    println!("redis-cluster: with its masters went {lost:?}");
}

/// The negative control: what would not survive is found.
#[test]
fn on_memory_a_killed_server_is_found_to_lose_everything() {
    let run = Run { name: "memory", store: "memory", restarts: true, times: 3 };
    let strike = |serving: &mut Serving| {
        serving.kill();
        serving.start_again();
    };
    let found = run.all(strike).err().expect("the runs above could not fail");
    assert!(found.contains("Lost"), "{found}");
}

/// What crashes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Blow {
    /// The process that serves, by `kill -9`.
    Server,
    /// The database, without a warning.
    Database,
    /// Every connection to the database.
    Connections,
}

const USERS: u64 = 4;

/// This many blows at random moments, each followed by a look at everything that had changed.
fn survives(place: &mut Place, blow: Blow, times: usize) {
    let (name, url) = (place.name(), place.url());
    let run = Run { name, store: &url, restarts: blow == Blow::Server, times };
    let all = run.all(|serving| strike(place, serving, blow)).unwrap_or_else(|found| panic!("{found}"));
    assert!(all.answered >= 10 * times && all.unanswered > 0, "the load was no load");
}

struct Run<'a> {
    name: &'a str,
    store: &'a str,
    /// Whether the server forgets what it has in memory.
    restarts: bool,
    times: usize,
}

impl Run<'_> {
    /// What was asked and looked at, or what was found.
    fn all(&self, strike: impl FnMut(&mut Serving)) -> Result<Account, String> {
        self.run(strike, |found| if found.is_empty() { Ok(()) } else { Err(format!("{found:?}")) })
    }

    /// How often something was found, of each kind.
    fn counted(&self, strike: impl FnMut(&mut Serving)) -> BTreeMap<Finding, usize> {
        let mut counts = BTreeMap::new();
        let count = |found: Vec<(Finding, String)>| {
            found.into_iter().for_each(|(kind, _)| *counts.entry(kind).or_default() += 1);
            Ok(())
        };
        self.run(strike, count).unwrap();
        counts
    }

    fn run(
        &self,
        mut strike: impl FnMut(&mut Serving),
        mut judge: impl FnMut(Vec<(Finding, String)>) -> Result<(), String>,
    ) -> Result<Account, String> {
        let Self { name, times, restarts, .. } = self;
        let seed = seed();
        println!("{name}: GRANTOR_SEED={seed}");
        let mut serving = Serving::start(self.store);
        let mut users: Vec<User> = (0..USERS).map(|n| User::new(&serving.base, seed ^ (n << 32))).collect();
        let mut dice = Dice(seed);
        let mut slowest = Duration::ZERO;
        for round in 0..*times {
            let moment = 10 + dice.roll(50);
            let recovery = under_load(&mut users, *restarts, moment, || {
                strike(&mut serving);
                first_token(&serving)
            });
            slowest = slowest.max(recovery);
            at_once(&mut users, |user| user.check(round + 1 == *times, *restarts));
            let found = users.iter_mut().flat_map(|user| std::mem::take(&mut user.findings)).collect();
            judge(found).map_err(|found| format!("{name}, seed {seed}, round {round}: {found}"))?;
        }
        let all = users.iter().fold(Account::default(), |sum, user| sum.and(user.account));
        let Account { answered, unanswered, checked } = all;
        println!(
            "{name}: {times} times under {answered} answers and {unanswered} without one, {checked} looks afterwards; \
             the first token at most {slowest:?} after"
        );
        Ok(all)
    }
}

/// Lets the users work, and strikes at this answer. Returns how long the first success took from then on.
fn under_load(
    users: &mut [User],
    restarts: bool,
    moment: usize,
    strike: impl FnOnce() -> Duration,
) -> Duration {
    let load = &Load::default();
    std::thread::scope(|threads| {
        for user in users {
            threads.spawn(move || user.work(load, restarts));
        }
        until(|| load.answers.load(Ordering::Relaxed) >= moment);
        let recovery = strike();
        load.over.store(true, Ordering::Relaxed);
        recovery
    })
}

/// Strikes, and waits until everything that crashed runs again.
fn strike(place: &mut Place, serving: &mut Serving, blow: Blow) {
    match (blow, place) {
        (Blow::Server, _) => {
            serving.kill();
            serving.start_again();
        }
        (Blow::Database, Place::Postgres(server)) => {
            server.stop_at_once();
            server.start_again();
        }
        (Blow::Connections, Place::Postgres(server)) => {
            server.kill_backends();
        }
        (Blow::Database, Place::Redis(server)) => {
            server.kill();
            server.restart();
        }
        (blow, place) => panic!("{blow:?} on {}", place.name()),
    }
}

/// Its replica takes over, and it comes back as the replica of that one.
fn kill_a_master(place: &mut Place) {
    let Place::Cluster(cluster) = place else { unreachable!() };
    let masters = cluster.masters();
    cluster.fail_over(masters[0]);
    cluster.come_back(masters[0]);
}

/// How long it takes until a token is issued.
fn first_token(serving: &Serving) -> Duration {
    let wire = Wire::new(&serving.base);
    let form = [("grant_type", "client_credentials")];
    until(|| matches!(wire.token("conf", &form), Some((200, _))))
}

fn at_once(users: &mut [User], work: impl Fn(&mut User) + Sync) {
    std::thread::scope(|threads| {
        for user in users {
            threads.spawn(|| work(user));
        }
    });
}

/// What `PRAGMA integrity_check` finds.
fn integrity_of(path: &str) -> Vec<String> {
    use sqlx::ConnectOptions as _;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
        let mut connection = options.connect().await.unwrap();
        sqlx::query_scalar("PRAGMA integrity_check").fetch_all(&mut connection).await.unwrap()
    })
}

/// That of `GRANTOR_SEED`, to repeat a run, or of the clock.
fn seed() -> u64 {
    let given = std::env::var("GRANTOR_SEED").ok().map(|seed| seed.parse().unwrap());
    given.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs())
}
