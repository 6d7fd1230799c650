//! Purging removes only expired records, and never more than the limit.

use chrono::{DateTime, TimeDelta, Utc};

use super::Contract;
use super::fixture::issued;
use super::report::{Clause, Stop};
use crate::grant::SessionId;
use crate::openid::Session;
use crate::store::{Record, Tombstone, Write};

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
    for ends in [false, true] {
        expires_as_the_last_write_says(contract, long_ago + TimeDelta::days(1), ends).await?;
    }
    Ok(())
}

/// A redemption and the end of a grant can move its expiry, although no other column changes.
async fn expires_as_the_last_write_says(
    contract: &Contract,
    then: DateTime<Utc>,
    ends: bool,
) -> Result<(), Stop> {
    let (clause, fixture, pair) = (Clause::Purge, &contract.fixture, contract.fixture.pair());
    // The code expires after an hour. Once it is redeemed, a logout has to find the grant for longer.
    let kept_until = then + TimeDelta::hours(5);
    let session = Session { id: SessionId::new(&fixture.text("kept")), kept_until: Some(kept_until) };
    let (grant, code) = fixture.offered_in(&pair, then, session)?;
    let offered = contract.write(Write::insert(grant, then)).await?;
    let (id, grant) = (offered.grant().id(), offered.grant().clone());
    if ends {
        contract.end(&Tombstone::of(grant, then)).await?;
    } else {
        let (live, _) = issued(fixture.redeem_at(grant, &code, &pair.client, then))?;
        // By the real clock the grant has expired, and a store may have removed it.
        if !contract.commit(&Write::replace(offered.version(), live, then)).await? {
            return Ok(());
        }
    }
    let there = contract.load(id).await?.is_some();
    contract.store.purge(then + TimeDelta::hours(3), 1000).await?;
    let left = contract.load(id).await?.is_some();
    let expected = match ends {
        true => "what an end keeps for longer to stay",
        false => "what a replacement keeps for longer to stay",
    };
    contract.expect(clause, left == there, expected, || "nothing".to_owned());
    contract.store.purge(kept_until + TimeDelta::seconds(1), 1000).await?;
    contract.expect_stored(clause, "it to go in the end", id, None).await
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
