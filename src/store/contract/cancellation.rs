//! A commit whose future is dropped, as happens when a client hangs up.

use super::Contract;
use super::map::{same, shown};
use super::report::{Clause, Stop};
use super::task::for_polls;
use crate::store::{Record, Write};

/// The future is dropped after 0, 1, 2 and so on polls, up to this number.
const POLLS: usize = 12;

pub(super) async fn cancellation(contract: &Contract) -> Result<(), Stop> {
    let now = contract.fixture.now;
    for polls in 0..=POLLS {
        let (grant, _) = contract.fixture.offered(&contract.fixture.pair())?;
        let offered = dropped(contract, polls, None, Write::insert(grant, now)).await?;
        let ended = offered.grant().clone().revoke(now);
        let write = Write::replace(offered.version(), ended, now);
        dropped(contract, polls, Some(&offered), write).await?;
    }
    Ok(())
}

/// Drops the commit after this many polls, checks the record, and repeats the commit.
async fn dropped(
    contract: &Contract,
    polls: usize,
    old: Option<&Record>,
    write: Write,
) -> Result<Record, Stop> {
    let clause = Clause::Cancellation;
    let confirmed = matches!(for_polls(contract.store.commit(&write), polls).await, Some(Ok(_)));
    let there = contract.load(write.id()).await?;
    let is_new = there.as_ref().is_some_and(|record| same(record, write.next()));
    let is_old = match (&there, old) {
        (Some(there), Some(old)) => same(there, old),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    contract.expect(clause, is_new || is_old, "the old state or the new one, whole", || {
        format!("{} after {polls} polls", shown(there.as_ref()))
    });
    contract.expect(clause, is_new || !confirmed, "a confirmed write to be there", || shown(there.as_ref()));

    // The outcome is the same whether the retry or the dropped write wins.
    if !is_new {
        contract.commit(&write).await?;
    }
    contract.expect_record(clause, "a retry to take effect, once", write.next()).await?;
    Ok(write.next().clone())
}
