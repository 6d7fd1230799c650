//! The contract of [`TokenStore`] and [`ReplayGuard`], as a suite that you run on your own store. There are
//! also suites for a registry and for a key store.
//!
//! ```
//! use grantor::MemoryStore;
//! use grantor::store::contract::{Clause, NaiveStore, Suite};
//!
//! let report = Suite::new(MemoryStore::new()).tasks(8).rounds(20).run_blocking();
//! println!("{}", report.unwrap());
//!
//! // A store that looks at the version first and writes afterwards lets two tasks win.
//! let violations = Suite::new(NaiveStore::new()).tasks(8).rounds(20).run_blocking().unwrap_err();
//! assert!(violations.of(Clause::ReplaceRace).is_some());
//! ```
//!
//! The store may hold other records, even those of a running server: the suite uses its own random names, and
//! leaves other records alone. Its unexpired records stay, and expire within an hour.
//!
//! It cannot check whether a confirmed write survives a crash, or what a store returns when its connection is
//! lost. An uncertain outcome must be [`BackendError::unknown_outcome`].
//!
//! [`TokenStore`]: super::TokenStore
//! [`ReplayGuard`]: super::ReplayGuard
//! [`BackendError::unknown_outcome`]: super::BackendError::unknown_outcome

/// Runs the clauses in the given order.
macro_rules! clauses {
    ($suite:ident, $context:ident, $($clause:ident: $run:path,)*) => {
        $($suite.check(&$context.findings, Clause::$clause, $run(&$context)).await;)*
    };
}

mod cancellation;
mod ending;
mod fixture;
mod full_clients;
mod grant_races;
#[cfg(feature = "jwt")]
mod key_store;
mod listing;
#[cfg(test)]
mod lossy_registry;
mod lost_members;
mod map;
mod map_races;
mod naive;
mod purging;
mod registrar;
mod replay;
mod report;
mod sessions;
mod task;
mod waiting;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use super::{ReplayGuard, TokenStore};
use crate::base::{Entropy, SystemEntropy};
use fixture::Fixture;
pub use naive::NaiveStore;
pub use report::{Clause, Report, Violation, Violations};
use report::{Findings, Stop};
pub use task::Task;
use task::{Spawn, block_on, in_time, on_threads};

/// The suite: the subject of the test, and how thorough it is.
#[must_use]
pub struct Suite<S> {
    subject: Arc<S>,
    tasks: usize,
    rounds: usize,
    seed: Option<u64>,
    only: Option<Vec<Clause>>,
    limit: Duration,
    spawn: Spawn,
}

impl<S> std::fmt::Debug for Suite<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { tasks, rounds, seed, limit, only, .. } = self;
        let mut out = f.debug_struct("Suite");
        out.field("tasks", tasks)
            .field("rounds", rounds)
            .field("seed", seed)
            .field("only", only)
            .field("limit", limit);
        out.finish_non_exhaustive()
    }
}

/// The context of the clauses.
struct Context<S: ?Sized> {
    store: Arc<S>,
    fixture: Arc<Fixture>,
    findings: Arc<Findings>,
    spawn: Spawn,
    tasks: usize,
    rounds: usize,
}

impl<S: ?Sized> Clone for Context<S> {
    fn clone(&self) -> Self {
        Self {
            store: Arc::clone(&self.store),
            fixture: Arc::clone(&self.fixture),
            findings: Arc::clone(&self.findings),
            spawn: Arc::clone(&self.spawn),
            ..*self
        }
    }
}

/// The context of the clauses of a store.
type Contract = Context<dyn TokenStore>;

impl<S> Suite<S> {
    /// A suite for a store or a replay guard, with 64 tasks and 200 rounds for each race.
    pub fn new(subject: S) -> Self {
        Self {
            subject: Arc::new(subject),
            tasks: 64,
            rounds: 200,
            seed: None,
            only: None,
            limit: Duration::from_secs(120),
            spawn: on_threads(),
        }
    }

    /// How many tasks compete in a race; at least two.
    pub fn tasks(mut self, tasks: usize) -> Self {
        self.tasks = tasks.max(2);
        self
    }

    /// How often each race is run; at least once. A store that checks and writes in two steps passes most
    /// single rounds.
    pub fn rounds(mut self, rounds: usize) -> Self {
        self.rounds = rounds.max(1);
        self
    }

    /// Runs only these clauses, for example one race with many rounds; by default all.
    pub fn only(mut self, clauses: impl IntoIterator<Item = Clause>) -> Self {
        self.only = Some(clauses.into_iter().collect());
        self
    }

    /// Uses the same names and secrets as the run with this seed. The store must not hold that run's records.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// How long one clause may take; two minutes. A clause that takes longer counts as violated.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Spawns the racing tasks on your runtime: `|task| { tokio::spawn(task); }`. It must return before the
    /// task ends. Without it, each task gets a thread.
    pub fn spawn(mut self, spawn: impl Fn(Task) + Send + Sync + 'static) -> Self {
        self.spawn = Arc::new(spawn);
        self
    }

    fn context<D: ?Sized>(&self, store: Arc<D>) -> Context<D> {
        let seed = self.seed.unwrap_or_else(|| {
            let mut bytes = [0; 8];
            SystemEntropy.fill(&mut bytes);
            u64::from_le_bytes(bytes)
        });
        Context {
            store,
            fixture: Arc::new(Fixture::new(seed)),
            findings: Arc::default(),
            spawn: Arc::clone(&self.spawn),
            tasks: self.tasks,
            rounds: self.rounds,
        }
    }

    async fn check<F: Future<Output = Result<(), Stop>>>(&self, findings: &Findings, clause: Clause, run: F) {
        if self.only.as_ref().is_some_and(|only| !only.contains(&clause)) {
            return;
        }
        findings.begin(clause);
        match in_time(pin!(run), self.limit).await {
            Some(Ok(())) => {}
            Some(Err(stop)) => findings.stopped(clause, stop),
            None => findings.stopped(clause, Stop::TooLong(self.limit)),
        }
    }
}

impl<S: TokenStore + 'static> Suite<S> {
    /// Checks the store against every clause of [`TokenStore`].
    ///
    /// # Errors
    /// Every clause that it violated.
    pub async fn run(self) -> Result<Report, Violations> {
        let contract: Contract = self.context(self.subject.clone() as Arc<dyn TokenStore>);
        clauses! {
            self, contract,
            Vacant: map::vacant,
            Insert: map::insert,
            InsertOccupied: map::insert_occupied,
            Replace: map::replace,
            ReplaceStale: map::replace_stale,
            ReplaceVacant: map::replace_vacant,
            RoundTrip: map::round_trip,
            LoadNow: map::try_load,
            End: ending::end,
            EndAll: ending::end_all,
            UserCode: waiting::user_code,
            List: listing::list,
            ListPages: listing::pages,
            ListWhileWriting: listing::while_writing,
            Sessions: sessions::sessions,
            Purge: purging::purge,
            InsertRace: map_races::insert,
            ReplaceRace: map_races::replace,
            CodeRace: grant_races::code,
            UserCodeRace: waiting::user_code_race,
            DeviceRace: waiting::device_race,
            RefreshRace: grant_races::refresh,
            RevocationRace: grant_races::revocation,
            EndRace: ending::race_of_one,
            Cancellation: cancellation::cancellation,
        }
        contract.findings.close(contract.fixture.seed())
    }

    /// Like [`run`](Self::run), on this thread, for programs without an async runtime.
    ///
    /// # Errors
    /// Every clause that it violated.
    pub fn run_blocking(self) -> Result<Report, Violations> {
        block_on(self.run())
    }
}

impl<S: ReplayGuard + 'static> Suite<S> {
    /// Checks the guard against every clause of [`ReplayGuard`].
    ///
    /// # Errors
    /// Every clause that it violated.
    pub async fn check_replay_guard(self) -> Result<Report, Violations> {
        let guard = self.context(self.subject.clone() as Arc<dyn ReplayGuard>);
        clauses! {
            self, guard,
            FirstUse: replay::first_use,
            ReuseAfterExpiry: replay::reuse_after_expiry,
            SpacesApart: replay::spaces_apart,
            FirstUseRace: replay::first_use_race,
        }
        guard.findings.close(guard.fixture.seed())
    }
}
