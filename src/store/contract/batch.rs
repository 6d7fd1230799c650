//! Several writes at once: each has its own condition and its own outcome.

use super::Contract;
use super::report::{Clause, Stop};
use super::task::yield_now;
use crate::store::{CommitError, Record, Write};

/// More than a store is likely to put into one statement.
const MANY: usize = 300;

/// Every third meets a conflict, of one kind or the other.
pub(super) async fn commit_all(contract: &Contract) -> Result<(), Stop> {
    let mut writes = Vec::new();
    let mut stored = Vec::new();
    for n in 0..MANY {
        let (write, before) = contract.case(n % 6).await?;
        let wins = n % 3 != 2;
        stored.push((write.id(), if wins { Some(write.next().clone()) } else { before }, wins));
        writes.push(write);
    }
    let outcomes = contract.outcomes(&writes).await?;
    contract.expect(Clause::CommitAll, outcomes.len() == writes.len(), "an outcome for each write", || {
        format!("{} for {}", outcomes.len(), writes.len())
    });
    for (n, ((id, record, wins), won)) in stored.into_iter().zip(outcomes).enumerate() {
        let expected = if wins { "a write whose condition holds to take effect" } else { "a conflict" };
        contract.expect(Clause::CommitAll, won == wins, expected, || format!("the contrary of write {n}"));
        contract.expect_stored(Clause::CommitAll, expected, id, record.as_ref()).await?;
    }
    Ok(())
}

impl Contract {
    /// A write, and the record under its id before.
    async fn case(&self, kind: usize) -> Result<(Write, Option<Record>), Stop> {
        let now = self.fixture.now;
        let (grant, _) = self.fixture.offered(&self.fixture.pair())?;
        if matches!(kind, 0 | 3) {
            return Ok((Write::insert(grant, now), None));
        }
        let record = self.insert(grant).await?;
        let next = record.grant().clone().revoke(now);
        let write = match kind {
            1 | 4 => Write::replace(record.version(), next, now),
            2 => Write::replace(record.version() + 1, next, now),
            _ => Write::insert(next, now),
        };
        Ok((write, Some(record)))
    }

    /// Which writes took effect; what failed for now is tried again, alone.
    async fn outcomes(&self, writes: &[Write]) -> Result<Vec<bool>, Stop> {
        let mut outcomes = Vec::new();
        for (write, outcome) in writes.iter().zip(self.store.commit_all(writes).await) {
            outcomes.push(match outcome {
                Ok(_) => true,
                Err(CommitError::Conflict) => false,
                Err(CommitError::Store(error)) if error.is_permanent() => return Err(error.into()),
                Err(CommitError::Store(_)) => {
                    yield_now().await;
                    self.commit(write).await?
                }
            });
        }
        Ok(outcomes)
    }
}
