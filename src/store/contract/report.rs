//! What the suite found.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::Reason;
use crate::store::{BackendError, CommitError};

/// The clauses of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Clause {
    /// An id that nothing was written under is vacant.
    Vacant,
    /// What was inserted is loaded, whole.
    Insert,
    /// An insert under an occupied id conflicts and changes nothing.
    InsertOccupied,
    /// A replacement of the version that is there takes effect.
    Replace,
    /// A replacement of another version conflicts and changes nothing.
    ReplaceStale,
    /// A replacement under a vacant id conflicts and changes nothing.
    ReplaceVacant,
    /// A grant of every stage, with every text that people choose, is loaded as it was written.
    RoundTrip,
    /// `try_load` says what `load` says.
    LoadNow,
    /// `end` ends a grant of every stage, whatever its version, and no write that was decided before takes
    /// that back.
    End,
    /// `end_all` ends each of many grants, those that have changed since included.
    EndAll,
    /// A user code finds the grant that waits under it, as long as it waits, and no second one can wait under
    /// it.
    UserCode,
    /// A listing has all records that match, in the order of their ids, each once, and no other.
    List,
    /// So has a listing in pages of any size.
    ListPages,
    /// So has a listing while others write.
    ListWhileWriting,
    /// A listing by session has the grants that began in it and did not leave it, and no other; and none goes
    /// while a logout has to find it.
    Sessions,
    /// Purging removes what expired before the given moment, at most the given number, and counts right.
    Purge,
    /// Of many inserts under one id, one takes effect.
    InsertRace,
    /// Of many replacements of one version, one takes effect.
    ReplaceRace,
    /// Of many redemptions of one code, one yields tokens.
    CodeRace,
    /// Of many grants that would wait under one user code, one does.
    UserCodeRace,
    /// Of many redemptions of one device code, one yields tokens, and of approvals and denials one sticks.
    DeviceRace,
    /// Of many uses of one refresh token, one yields a successor, and all answers have that one.
    RefreshRace,
    /// A grant that was revoked while it was refreshed is over.
    RevocationRace,
    /// One `end` wins over a stream of writes.
    EndRace,
    /// A commit whose future is dropped has happened, or has not, and may be tried again.
    Cancellation,
    /// The first use of a key is one, and the second is not.
    FirstUse,
    /// A key may be used again after its time.
    ReuseAfterExpiry,
    /// The same identifier in another space is another key.
    SpacesApart,
    /// Of many uses of one key at a time, one is the first.
    FirstUseRace,
    /// A client is found as it was registered, and its id is taken.
    Register,
    /// A client of the expected revision is replaced as a whole, and no other.
    ReplaceClient,
    /// A client that was removed is gone at once.
    RemoveClient,
    /// A listing in pages has all clients, or all of an owner, in the order of their ids.
    ListClients,
    /// Of many registrations of one id, one takes effect.
    RegisterRace,
    /// Of many changes of one revision of a client, one takes effect.
    ChangeRace,
    /// The cell takes a write of the version that it holds, and no other.
    KeyCell,
    /// Of many writes of one version of the cell, one takes effect.
    KeyRace,
}

/// One way in which a clause was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    clause: Clause,
    expected: String,
    found: String,
    times: usize,
}

impl Violation {
    /// Which clause.
    #[must_use]
    pub fn clause(&self) -> Clause {
        self.clause
    }

    /// What the contract wants.
    #[must_use]
    pub fn expected(&self) -> &str {
        &self.expected
    }

    /// What the store did, the first time.
    #[must_use]
    pub fn found(&self) -> &str {
        &self.found
    }

    /// How often: a race is run for many rounds.
    #[must_use]
    pub fn times(&self) -> usize {
        self.times
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: expected {}; found {}", self.clause, self.expected, self.found)?;
        if self.times > 1 { write!(f, " ({} times)", self.times) } else { Ok(()) }
    }
}

/// Everything that a store did wrong. Its `Debug` is its `Display`, so that an `unwrap` in a test can be
/// read.
#[derive(Clone, PartialEq, Eq)]
pub struct Violations {
    seed: u64,
    found: Vec<Violation>,
}

impl Violations {
    /// All of them, at least one, in the order of their clauses.
    #[must_use]
    pub fn all(&self) -> &[Violation] {
        &self.found
    }

    /// The first one of a clause.
    #[must_use]
    pub fn of(&self, clause: Clause) -> Option<&Violation> {
        self.found.iter().find(|violation| violation.clause == clause)
    }

    /// The clauses that were broken, each once.
    #[must_use]
    pub fn clauses(&self) -> Vec<Clause> {
        let mut clauses: Vec<Clause> = self.found.iter().map(Violation::clause).collect();
        clauses.dedup();
        clauses
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store breaks its contract (seed {}):", self.seed)?;
        self.found.iter().try_for_each(|violation| write!(f, "\n  {violation}"))
    }
}

impl fmt::Debug for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Violations {}

/// What a store was held to, and kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    seed: u64,
    checks: BTreeMap<Clause, usize>,
}

impl Report {
    /// The seed of this run.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The clauses, each with the number of its checks.
    pub fn clauses(&self) -> impl Iterator<Item = (Clause, usize)> {
        self.checks.iter().map(|(clause, checks)| (*clause, *checks))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store keeps its contract (seed {}):", self.seed)?;
        self.clauses().try_for_each(|(clause, checks)| write!(f, "\n  {clause:?}: {checks} checks"))
    }
}

/// Why a clause could not be followed to its end.
#[derive(Debug)]
pub(super) enum Stop {
    Store(BackendError),
    Conflict,
    LostTask,
    /// The rules refuse what the store gave back.
    Refused(Reason),
    /// The rules found that the answer was given before.
    Repeated,
    Vanished,
    Endless,
    TooLong(Duration),
}

impl From<Reason> for Stop {
    fn from(reason: Reason) -> Self {
        Self::Refused(reason)
    }
}

impl From<BackendError> for Stop {
    fn from(error: BackendError) -> Self {
        Self::Store(error)
    }
}

impl From<CommitError> for Stop {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Conflict => Self::Conflict,
            CommitError::Store(error) => Self::Store(error),
        }
    }
}

/// Collects what is found, and counts what is not.
#[derive(Debug, Default)]
pub(super) struct Findings(Mutex<Found>);

#[derive(Debug, Default)]
struct Found {
    checks: BTreeMap<Clause, usize>,
    violations: BTreeMap<(Clause, String), Violation>,
}

impl Findings {
    pub(super) fn begin(&self, clause: Clause) {
        self.lock().checks.insert(clause, 0);
    }

    /// One check: whether the store did what is expected, and what it did if not.
    pub(super) fn expect(&self, clause: Clause, right: bool, expected: &str, found: impl FnOnce() -> String) {
        let mut all = self.lock();
        *all.checks.entry(clause).or_default() += 1;
        if right {
            return;
        }
        let known = all.violations.entry((clause, expected.to_owned()));
        let violation = known.or_insert_with(|| Violation {
            clause,
            expected: expected.to_owned(),
            found: found(),
            times: 0,
        });
        violation.times += 1;
    }

    pub(super) fn stopped(&self, clause: Clause, stop: Stop) {
        let (expected, found) = match stop {
            Stop::Store(error) => ("an answer", error.to_string()),
            Stop::Conflict => ("a write whose condition holds to take effect", "a conflict".to_owned()),
            Stop::LostTask => {
                ("every task to come to its end", "one that panicked or was dropped".to_owned())
            }
            Stop::Refused(reason) => ("a grant that the rules accept", format!("{reason:?}")),
            Stop::Repeated => ("a grant that was not used before", "one that was".to_owned()),
            Stop::Vanished => ("the record that was written", "nothing".to_owned()),
            Stop::Endless => ("a listing to end", "page after page".to_owned()),
            Stop::TooLong(limit) => ("an end", format!("nothing after {} s", limit.as_secs())),
        };
        self.expect(clause, false, expected, || found);
    }

    pub(super) fn close(&self, seed: u64) -> Result<Report, Violations> {
        let Found { checks, violations } = std::mem::take(&mut *self.lock());
        match violations.is_empty() {
            true => Ok(Report { seed, checks }),
            false => Err(Violations { seed, found: violations.into_values().collect() }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Found> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
