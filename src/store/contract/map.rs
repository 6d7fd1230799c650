//! A single task reads what it wrote.

use super::fixture::hostile_texts;
use super::report::{Clause, Stop};
use super::task::yield_now;
use super::{Context, Contract};
use crate::grant::{Grant, GrantId, Subject};
use crate::store::{BackendError, CommitError, Record, TokenStore, Write};

/// How often a transient failure is retried.
const PATIENCE: usize = 32;

pub(super) async fn vacant(contract: &Contract) -> Result<(), Stop> {
    for _ in 0..8 {
        contract.expect_stored(Clause::Vacant, "nothing", contract.fixture.id(), None).await?;
    }
    Ok(())
}

pub(super) async fn insert(contract: &Contract) -> Result<(), Stop> {
    let (grant, _) = contract.fixture.offered(&contract.fixture.pair())?;
    let record = contract.insert(grant).await?;
    contract.expect_record(Clause::Insert, "what was inserted", &record).await
}

pub(super) async fn insert_occupied(contract: &Contract) -> Result<(), Stop> {
    let clause = Clause::InsertOccupied;
    let (first, _) = contract.fixture.offered(&contract.fixture.pair())?;
    let record = contract.insert(first).await?;
    let (second, _) =
        contract.fixture.offered_as(record.grant().id(), &contract.fixture.pair(), contract.fixture.now)?;
    contract.expect_conflict(clause, Write::insert(second, contract.fixture.now)).await?;
    contract.expect_record(clause, "the first, as it was", &record).await?;

    let ended = contract.replace(&record, record.grant().clone().revoke(contract.fixture.now)).await?;
    let (third, _) =
        contract.fixture.offered_as(record.grant().id(), &contract.fixture.pair(), contract.fixture.now)?;
    contract.expect_conflict(clause, Write::insert(third, contract.fixture.now)).await?;
    contract.expect_record(clause, "a grant that has ended to keep its id", &ended).await
}

pub(super) async fn replace(contract: &Contract) -> Result<(), Stop> {
    let pair = contract.fixture.pair();
    let (grant, code) = contract.fixture.offered(&pair)?;
    let offered = contract.insert(grant).await?;
    let next = contract.fixture.redeem(offered.grant().clone(), &code, &pair.client);
    let live = contract.replace(&offered, super::fixture::issued(next)?.0).await?;
    contract.expect_record(Clause::Replace, "the replacement", &live).await?;
    let ended = contract.replace(&live, live.grant().clone().revoke(contract.fixture.now)).await?;
    contract.expect_record(Clause::Replace, "the second replacement", &ended).await
}

pub(super) async fn replace_stale(contract: &Contract) -> Result<(), Stop> {
    let clause = Clause::ReplaceStale;
    let pair = contract.fixture.pair();
    let (grant, _) = contract.fixture.offered(&pair)?;
    let first = contract.insert(grant).await?;
    let (other, _) = contract.fixture.offered_as(first.grant().id(), &pair, contract.fixture.now)?;
    let second = contract.replace(&first, other).await?;

    for version in [first.version(), second.version() + 1, second.version() + 1000] {
        let next = first.grant().clone().revoke(contract.fixture.now);
        contract.expect_conflict(clause, Write::replace(version, next, contract.fixture.now)).await?;
        contract.expect_record(clause, "the record as it was", &second).await?;
    }
    Ok(())
}

pub(super) async fn replace_vacant(contract: &Contract) -> Result<(), Stop> {
    let clause = Clause::ReplaceVacant;
    for version in [0, 1] {
        let (grant, _) = contract.fixture.offered(&contract.fixture.pair())?;
        let id = grant.id();
        contract.expect_conflict(clause, Write::replace(version, grant, contract.fixture.now)).await?;
        contract.expect_stored(clause, "the id to stay vacant", id, None).await?;
    }
    Ok(())
}

pub(super) async fn round_trip(contract: &Contract) -> Result<(), Stop> {
    for text in hostile_texts() {
        let subject = Subject::user(contract.fixture.text(&text));
        let pair = contract.fixture.named(&contract.fixture.text(&text), subject);
        for (stage, grant) in contract.fixture.every_stage(&pair)? {
            let record = contract.insert(grant).await?;
            let expected = format!("a grant that is {stage} to come back as it was");
            contract.expect_record(Clause::RoundTrip, &expected, &record).await?;
        }
    }
    Ok(())
}

pub(super) async fn try_load(contract: &Contract) -> Result<(), Stop> {
    let (grant, _) = contract.fixture.offered(&contract.fixture.pair())?;
    let id = grant.id();
    contract.expect_load_now(id).await?;
    let record = contract.insert(grant).await?;
    contract.expect_load_now(id).await?;
    contract.replace(&record, record.grant().clone().revoke(contract.fixture.now)).await?;
    contract.expect_load_now(id).await
}

impl<S: ?Sized> Context<S> {
    pub(super) fn expect(&self, clause: Clause, right: bool, expected: &str, found: impl FnOnce() -> String) {
        self.findings.expect(clause, right, expected, found);
    }
}

impl Context<dyn TokenStore> {
    /// Loads a record, and retries transient failures.
    pub(super) async fn load(&self, id: GrantId) -> Result<Option<Record>, Stop> {
        let mut failures = 0;
        loop {
            match self.store.load(id).await {
                Ok(found) => return Ok(found),
                Err(error) if error.is_permanent() || failures == PATIENCE => return Err(error.into()),
                Err(_) => failures += 1,
            }
            yield_now().await;
        }
    }

    /// Commits a write, and retries transient failures. Returns whether it took effect.
    pub(super) async fn commit(&self, write: &Write) -> Result<bool, Stop> {
        let mut failures = 0;
        loop {
            match self.store.commit(write).await {
                Ok(_) => return Ok(true),
                Err(CommitError::Conflict) => return Ok(false),
                Err(CommitError::Store(error)) if error.is_unknown_outcome() => {
                    let stored = self.load(write.id()).await?;
                    return Ok(stored.is_some_and(|record| same(&record, write.next())));
                }
                Err(CommitError::Store(error)) if !may_retry(&error) || failures == PATIENCE => {
                    return Err(error.into());
                }
                Err(CommitError::Store(_)) => failures += 1,
            }
            yield_now().await;
        }
    }

    /// Inserts under a vacant id.
    pub(super) async fn insert(&self, grant: Grant) -> Result<Record, Stop> {
        self.write(Write::insert(grant, self.fixture.now)).await
    }

    /// Replaces the current record.
    pub(super) async fn replace(&self, record: &Record, next: Grant) -> Result<Record, Stop> {
        self.write(Write::replace(record.version(), next, self.fixture.now)).await
    }

    /// A write whose condition holds.
    pub(super) async fn write(&self, write: Write) -> Result<Record, Stop> {
        match self.commit(&write).await? {
            true => Ok(write.next().clone()),
            false => Err(Stop::Conflict),
        }
    }

    pub(super) async fn expect_conflict(&self, clause: Clause, write: Write) -> Result<(), Stop> {
        let won = self.commit(&write).await?;
        self.expect(clause, !won, "a conflict", || "a write that was confirmed".to_owned());
        Ok(())
    }

    pub(super) async fn expect_record(
        &self,
        clause: Clause,
        expected: &str,
        record: &Record,
    ) -> Result<(), Stop> {
        self.expect_stored(clause, expected, record.grant().id(), Some(record)).await
    }

    pub(super) async fn expect_stored(
        &self,
        clause: Clause,
        expected: &str,
        id: GrantId,
        record: Option<&Record>,
    ) -> Result<(), Stop> {
        let found = self.load(id).await?;
        let right = match (&found, record) {
            (Some(found), Some(record)) => same(found, record),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        self.expect(clause, right, expected, || match record {
            Some(record) => format!("{} instead of {}", shown(found.as_ref()), shown(Some(record))),
            None => shown(found.as_ref()),
        });
        Ok(())
    }

    async fn expect_load_now(&self, id: GrantId) -> Result<(), Stop> {
        let Some(at_once) = self.store.try_load(id) else { return Ok(()) };
        let expected = "what `load` says";
        let stored = self.load(id).await?;
        let right = match (&at_once, &stored) {
            (Some(now), Some(later)) => same(now, later),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        self.expect(Clause::LoadNow, right, expected, || {
            format!("{} instead of {}", shown(at_once.as_ref()), shown(stored.as_ref()))
        });
        Ok(())
    }
}

fn may_retry(error: &BackendError) -> bool {
    !error.is_permanent() && !error.is_unknown_outcome()
}

/// Whether two records have the same grant and version.
pub(super) fn same(left: &Record, right: &Record) -> bool {
    left.version() == right.version() && left.grant() == right.grant()
}

/// A record for a report: only digests and texts of this suite, and no usable secrets.
pub(super) fn shown(record: Option<&Record>) -> String {
    match record {
        Some(record) => format!(
            "{} in version {}: {}",
            record.grant().id(),
            record.version(),
            record.grant().encode().chars().take(400).collect::<String>()
        ),
        None => "nothing".to_owned(),
    }
}
