//! Purging removes only expired records, and never more than the limit.

use chrono::{DateTime, TimeDelta, Utc};

use super::Contract;
use super::report::{Clause, Stop};
use crate::store::{Record, Write};

/// A year in which no other record has expired.
const LONG_AGO: i64 = 1971;
const LIMIT: u32 = 3;
const EXPIRED: usize = 8;

pub(super) async fn purge(contract: &Contract) -> Result<(), Stop> {
    let clause = Clause::Purge;
    let long_ago = DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days((LONG_AGO - 1970) * 365);
    let mut expired = Vec::new();
    for second in 0..EXPIRED as i64 {
        expired.push(contract.insert_at(long_ago + TimeDelta::seconds(second)).await?);
    }
    let before = long_ago + TimeDelta::hours(2);
    // Expires exactly at `before`, so it has not expired before that.
    let border = contract.insert_at(before - TimeDelta::hours(1)).await?;
    let live = contract.insert_at(contract.fixture.now).await?;

    // A store may remove expired records at any time.
    let there = contract.count(&expired).await?;
    let border_there = contract.count(std::slice::from_ref(&border)).await?;

    let none = contract.store.purge(before, 0).await?;
    let left = contract.count(&expired).await?;
    contract.expect(clause, none == 0 && left == there, "nothing to go where the limit is 0", || {
        format!("{} gone, {none} counted", there - left)
    });

    let mut counted = 0;
    for _ in 0..there + 2 {
        let gone = contract.store.purge(before, LIMIT).await?;
        contract
            .expect(clause, gone <= u64::from(LIMIT), "at most as many as the limit", || gone.to_string());
        let left = contract.count(&expired).await?;
        counted += gone;
        contract.expect(clause, counted == (there - left) as u64, "as many to go as are counted", || {
            format!("{} gone, {counted} counted", there - left)
        });
        if gone == 0 {
            break;
        }
    }

    for record in &expired {
        let id = record.grant().id();
        contract.expect_stored(clause, "what had expired to be gone", id, None).await?;
    }
    let border_left = contract.count(std::slice::from_ref(&border)).await?;
    contract.expect(clause, border_left == border_there, "what expires at that moment to stay", || {
        "nothing".to_owned()
    });
    contract.expect_record(clause, "what lives to stay", &live).await?;

    if let Some(purged) = expired.first() {
        let pair = contract.fixture.pair();
        let (next, _) = contract.fixture.offered_as(purged.grant().id(), &pair, contract.fixture.now)?;
        let again = contract.insert(next).await?;
        contract.expect_record(clause, "a purged id to be vacant again", &again).await?;
    }
    contract.store.purge(before + TimeDelta::seconds(1), LIMIT).await?;
    Ok(())
}

impl Contract {
    /// Inserts a grant from this time; it expires an hour later.
    async fn insert_at(&self, then: DateTime<Utc>) -> Result<Record, Stop> {
        let (grant, _) = self.fixture.offered_as(self.fixture.id(), &self.fixture.pair(), then)?;
        self.write(Write::insert(grant, then)).await
    }

    /// How many of these records exist.
    async fn count(&self, records: &[Record]) -> Result<usize, Stop> {
        let mut there = 0;
        for record in records {
            there += usize::from(self.load(record.grant().id()).await?.is_some());
        }
        Ok(there)
    }
}
