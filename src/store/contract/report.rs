//! The results of the suite.

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
    /// An id without a write is vacant.
    Vacant,
    /// An inserted record is loaded completely.
    Insert,
    /// An insert under an occupied id conflicts and changes nothing.
    InsertOccupied,
    /// A replacement of the current version takes effect.
    Replace,
    /// A replacement of another version conflicts and changes nothing.
    ReplaceStale,
    /// A replacement under a vacant id conflicts and changes nothing.
    ReplaceVacant,
    /// A grant of every stage, with every text that people may choose, is loaded as it was written.
    RoundTrip,
    /// `try_load` returns the same as `load`.
    LoadNow,
    /// `end` ends a grant of every stage, whatever its version, and no write that was decided before reverts
    /// that.
    End,
    /// `end_all` ends each of many grants, including those that have changed since.
    EndAll,
    /// A user code finds its grant while that waits, and no second grant can wait under the same code.
    UserCode,
    /// A listing has all records that match, in the order of their ids, each once, and no other.
    List,
    /// The same holds for a listing in pages of any size.
    ListPages,
    /// The same holds for a listing during concurrent writes.
    ListWhileWriting,
    /// A listing by session has exactly the grants that began in it and did not leave it. None is purged
    /// while a logout has to find it.
    Sessions,
    /// Purging removes records that expired before the given time, at most the given number, and counts them
    /// correctly.
    Purge,
    /// Of many inserts under one id, one takes effect.
    InsertRace,
    /// Of many replacements of one version, one takes effect.
    ReplaceRace,
    /// Of many redemptions of one code, one yields tokens.
    CodeRace,
    /// Of many grants that would wait under one user code, one does.
    UserCodeRace,
    /// Of many redemptions of one device code, one yields tokens; of many approvals and denials, one takes
    /// effect.
    DeviceRace,
    /// Of many uses of one refresh token, one yields a successor, and all responses have the same successor.
    RefreshRace,
    /// A grant that was revoked during refreshes has ended.
    RevocationRace,
    /// One `end` wins over a stream of writes.
    EndRace,
    /// A commit whose future is dropped has either taken effect or not, and can be retried.
    Cancellation,
    /// Only the first use of a key counts as the first.
    FirstUse,
    /// A key may be used again after it has expired.
    ReuseAfterExpiry,
    /// The same identifier in another namespace is a different key.
    SpacesApart,
    /// Of many concurrent uses of one key, one is the first.
    FirstUseRace,
    /// A client is found as it was registered, with every member, and its id is taken.
    Register,
    /// Only a client with the expected revision is replaced, and as a whole.
    ReplaceClient,
    /// A removed client is no longer found.
    RemoveClient,
    /// A listing in pages has all clients, or all of an owner, in the order of their ids, each with every
    /// member.
    ListClients,
    /// Of many registrations of one id, one takes effect.
    RegisterRace,
    /// Of many changes of one revision of a client, one takes effect.
    ChangeRace,
    /// The cell only accepts a write of the version that it holds.
    KeyCell,
    /// Of many writes of one version of the cell, one takes effect.
    KeyRace,
}

/// One violation of a clause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    clause: Clause,
    expected: String,
    found: String,
    times: usize,
}

impl Violation {
    /// The violated clause.
    #[must_use]
    pub fn clause(&self) -> Clause {
        self.clause
    }

    /// What the contract requires.
    #[must_use]
    pub fn expected(&self) -> &str {
        &self.expected
    }

    /// What the store did, the first time.
    #[must_use]
    pub fn found(&self) -> &str {
        &self.found
    }

    /// How often it happened: a race is run for many rounds.
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

/// All violations of a store. `Debug` prints the same as `Display`, so that an `unwrap` in a test is
/// readable.
#[derive(Clone, PartialEq, Eq)]
pub struct Violations {
    seed: u64,
    found: Vec<Violation>,
}

impl Violations {
    /// All violations, at least one, in the order of their clauses.
    #[must_use]
    pub fn all(&self) -> &[Violation] {
        &self.found
    }

    /// The first violation of a clause.
    #[must_use]
    pub fn of(&self, clause: Clause) -> Option<&Violation> {
        self.found.iter().find(|violation| violation.clause == clause)
    }

    /// The violated clauses, each once.
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

/// The clauses that a store was checked against and satisfied.
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

/// Why the check of a clause could not be completed.
#[derive(Debug)]
pub(super) enum Stop {
    Store(BackendError),
    Conflict,
    LostTask,
    /// The rules refuse a record that the store returned.
    Refused(Reason),
    /// The rules repeated a response instead of issuing new tokens.
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

/// Collects the violations, and counts the checks.
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

    /// Records one check: whether the store did what is expected, and otherwise what it did.
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
