//! The clauses of a [`ReplayGuard`].

use chrono::{DateTime, TimeDelta, Utc};

use super::Context;
use super::report::{Clause, Stop};
use super::task::race;
use crate::store::{ReplayGuard, ReplayKey};

type Guard = Context<dyn ReplayGuard>;

const FIRST: &str = "the first use to be one";
const AGAIN: &str = "a second use not to be the first";

pub(super) async fn first_use(guard: &Guard) -> Result<(), Stop> {
    for _ in 0..16 {
        let key = guard.key();
        guard.expect_use(Clause::FirstUse, &key, 0, true, FIRST).await?;
        for later in [0, 1, LIFETIME - 1] {
            guard.expect_use(Clause::FirstUse, &key, later, false, AGAIN).await?;
        }
    }
    Ok(())
}

pub(super) async fn reuse_after_expiry(guard: &Guard) -> Result<(), Stop> {
    let clause = Clause::ReuseAfterExpiry;
    let key = guard.key();
    guard.expect_use(clause, &key, 0, true, FIRST).await?;
    guard.expect_use(clause, &key, LIFETIME + 1, true, "a use after its time to be a first one").await?;
    guard.expect_use(clause, &key, LIFETIME + 2, false, AGAIN).await
}

pub(super) async fn spaces_apart(guard: &Guard) -> Result<(), Stop> {
    let clause = Clause::SpacesApart;
    let id = guard.fixture.text("id");
    for space in ["a", "b", "a ", ""] {
        let key = ReplayKey::new(space, &id);
        guard.expect_use(clause, &key, 0, true, "each space to have ids of its own").await?;
    }
    guard.expect_use(clause, &ReplayKey::new("a", &id), 0, false, AGAIN).await
}

pub(super) async fn first_use_race(guard: &Guard) -> Result<(), Stop> {
    for _ in 0..guard.rounds {
        let key = guard.key();
        // Once while the key is new, and again after it has expired.
        for later in [0, LIFETIME + 1] {
            let tasks = (0..guard.tasks).map(|_| {
                let guard = guard.clone();
                async move { guard.first_use(&key, later).await }
            });
            let mut first = 0;
            for outcome in race(&guard.spawn, tasks).await {
                first += usize::from(outcome.ok_or(Stop::LostTask)??);
            }
            let expected = "exactly one use that is the first";
            guard.expect(Clause::FirstUseRace, first == 1, expected, || format!("{first} of them"));
        }
    }
    Ok(())
}

/// How long a key is valid, in seconds.
const LIFETIME: i64 = 300;

impl Guard {
    fn key(&self) -> ReplayKey {
        ReplayKey::new("contract", &self.fixture.text("id"))
    }

    /// Uses a key, valid for [`LIFETIME`], this many seconds later.
    async fn first_use(&self, key: &ReplayKey, later: i64) -> Result<bool, Stop> {
        let now: DateTime<Utc> = self.fixture.now + TimeDelta::seconds(later);
        Ok(self.store.first_use(key, now + TimeDelta::seconds(LIFETIME), now).await?)
    }

    async fn expect_use(
        &self,
        clause: Clause,
        key: &ReplayKey,
        later: i64,
        first: bool,
        expected: &str,
    ) -> Result<(), Stop> {
        let found = self.first_use(key, later).await?;
        self.expect(clause, found == first, expected, || format!("{found} after {later} s"));
        Ok(())
    }
}
