//! The end of a grant: a write that always wins, and that no other write reverts.

use super::listing::Written;
use super::map::shown;
use super::report::{Clause, Stop};
use super::task::{race, yield_now};
use super::{Context, Contract};
use crate::grant::{Grant, GrantId};
use crate::store::{BackendError, Filter, Page, Record, TokenStore, Tombstone, Write};

/// More grants than a store is likely to put into one statement.
const MANY: usize = 300;

/// How often each writer of the race writes, unless it finds that the grant has ended.
const WRITES: usize = 8;

/// How often a transient failure is retried.
const PATIENCE: usize = 32;

pub(super) async fn end(contract: &Contract) -> Result<(), Stop> {
    let (clause, now) = (Clause::End, contract.fixture.now);
    let pair = contract.fixture.pair();
    for (stage, grant) in contract.fixture.every_stage(&pair)? {
        let first = contract.insert(grant.clone()).await?;
        let second = contract.replace(&first, grant.clone()).await?;
        // From the first version, which is out of date.
        contract.end(&Tombstone::of(first.grant().clone(), now)).await?;
        let ended = contract.expect_ended(clause, stage, &second).await?;
        for stale in [&first, &second] {
            contract.expect_conflict(clause, Write::replace(stale.version(), grant.clone(), now)).await?;
        }
        contract.expect_record(clause, "a write that was decided before to change nothing", &ended).await?;
        if let Some(code) = second.index().user_code {
            let found = contract.store.find_by_user_code(&code).await?;
            contract.expect(clause, found.is_none(), "its user code to be free", || shown(found.as_ref()));
        }
        contract.end(&Tombstone::of(first.grant().clone(), now)).await?;
        contract.expect_ended(clause, "ended once more", &second).await?;
    }
    let filter = Filter::client(pair.client.id().clone());
    let listed = contract.pages(&filter, Page::first(1000), &Written::new()).await?;
    let right = !listed.is_empty() && listed.iter().all(|record| record.grant().is_ended());
    contract.expect(clause, right, "what has ended to be listed", || listed.len().to_string());

    let vacant = contract.fixture.live(&pair)?.0;
    contract.end(&Tombstone::of(vacant.clone(), now)).await?;
    contract.expect_stored(clause, "the end of nothing to write nothing", vacant.id(), None).await
}

pub(super) async fn end_all(contract: &Contract) -> Result<(), Stop> {
    let (clause, now) = (Clause::EndAll, contract.fixture.now);
    let mut records = Vec::new();
    let mut tombstones = Vec::new();
    for n in 0..MANY {
        let (grant, _) = contract.fixture.live(&contract.fixture.pair())?;
        tombstones.push(Tombstone::of(grant.clone(), now));
        // Some grants do not exist, and some have changed since.
        match n % 3 {
            0 => {}
            1 => records.push(contract.insert(grant).await?),
            _ => {
                let first = contract.insert(grant.clone()).await?;
                records.push(contract.replace(&first, grant).await?);
            }
        }
    }
    let outcomes = contract.store.end_all(&tombstones).await;
    let right = outcomes.len() == tombstones.len();
    contract.expect(clause, right, "an outcome for each", || format!("{} of them", outcomes.len()));
    for (tombstone, outcome) in tombstones.iter().zip(outcomes) {
        match outcome {
            Ok(_) => {}
            Err(error) if error.is_permanent() => return Err(error.into()),
            Err(_) => contract.end(tombstone).await?,
        }
    }
    for record in &records {
        contract.expect_ended(clause, "one of many", record).await?;
    }
    Ok(())
}

/// One end against a stream of writes, each based on the current version.
pub(super) async fn race_of_one(contract: &Contract) -> Result<(), Stop> {
    let clause = Clause::EndRace;
    for _ in 0..contract.rounds {
        let (grant, _) = contract.fixture.live(&contract.fixture.pair())?;
        let record = contract.insert(grant.clone()).await?;
        let tasks = (0..=contract.tasks).map(|n| {
            let (contract, record) = (contract.clone(), record.clone());
            async move {
                match n {
                    0 => {
                        contract.end(&Tombstone::of(record.into_grant(), contract.fixture.now)).await?;
                        Ok(0)
                    }
                    _ => contract.keep_writing(record.into_grant()).await,
                }
            }
        });
        let mut latest = 0;
        for outcome in race(&contract.spawn, tasks).await {
            latest = latest.max(outcome.ok_or(Stop::LostTask)??);
        }
        let ended = contract.expect_ended(clause, "written by others", &record).await?;
        let right = ended.version() > latest;
        contract.expect(clause, right, "a later version than that of any write", || {
            format!("version {} after version {latest}", ended.version())
        });
        contract.expect_conflict(clause, Write::replace(latest, grant, contract.fixture.now)).await?;
    }
    Ok(())
}

impl Context<dyn TokenStore> {
    /// Ends a grant, and retries transient failures and unknown outcomes.
    pub(super) async fn end(&self, tombstone: &Tombstone) -> Result<(), Stop> {
        let mut failures = 0;
        loop {
            match self.store.end(tombstone).await {
                Ok(_) => return Ok(()),
                Err(error) if error.is_permanent() || failures == PATIENCE => return Err(error.into()),
                Err(BackendError { .. }) => failures += 1,
            }
            yield_now().await;
        }
    }

    /// Rewrites the grant until another task has ended it. Returns the last confirmed version.
    async fn keep_writing(&self, grant: Grant) -> Result<u64, Stop> {
        let mut latest = 0;
        for _ in 0..WRITES {
            let found = self.stored(grant.id()).await?;
            if found.grant().is_ended() {
                break;
            }
            let write = Write::replace(found.version(), grant.clone(), self.fixture.now);
            if self.commit(&write).await? {
                latest = write.next().version();
            }
        }
        Ok(latest)
    }

    /// The record, which must have ended since `before`.
    async fn expect_ended(&self, clause: Clause, stage: &str, before: &Record) -> Result<Record, Stop> {
        let id: GrantId = before.grant().id();
        let found = self.stored(id).await?;
        let expected = format!("a grant that was {stage} to have ended, in a later version");
        let right = found.grant().is_ended() && found.version() > before.version();
        self.expect(clause, right, &expected, || shown(Some(&found)));
        Ok(found)
    }
}
