//! Sessions of the host: a logout finds the grants that began in one.

use chrono::{DateTime, TimeDelta, Utc};

use super::Contract;
use super::listing::{Written, expect_listing};
use super::report::{Clause, Stop};
use crate::grant::SessionId;
use crate::openid::Session;
use crate::store::{Filter, Page, Record, Tombstone, Write};

/// How many grants begin in each session.
const GRANTS: usize = 11;

/// A year in which no other record has expired.
const LONG_AGO: i64 = 1972;

pub(super) async fn sessions(contract: &Contract) -> Result<(), Stop> {
    let (fixture, now) = (&contract.fixture, contract.fixture.now);
    let [ours, theirs] = ["ours", "theirs"].map(|name| SessionId::new(&fixture.text(name)));
    let pair = fixture.pair();
    let mut written = Written::new();
    for _ in 0..GRANTS {
        for id in [ours, theirs] {
            let (grant, code) = fixture.offered_in(&pair, now, Session { id, kept_until: None })?;
            let offered = contract.insert(grant.clone()).await?;
            let live = super::fixture::issued(fixture.redeem(grant, &code, &pair.client))?.0;
            let record = contract.replace(&offered, live).await?;
            written.insert(record.grant().id(), record);
        }
    }
    let plain = contract.insert(fixture.offered(&pair)?.0).await?;
    written.insert(plain.grant().id(), plain);
    expect_sessions(contract, &[ours, theirs], &written).await?;

    // Of the grants of one session, some end, some leave it, and some do both.
    let records: Vec<_> =
        written.values().filter(|record| record.grant().session() == Some(ours)).cloned().collect();
    for (n, record) in records.into_iter().enumerate() {
        let grant = record.grant().clone();
        let record = match n % 4 {
            0 => record,
            1 => contract.write(Write::reindex(record.version(), grant.without_session(), now)).await?,
            2 => contract.ended(&Tombstone::of(grant, now)).await?,
            _ => contract.ended(&Tombstone::of_session(grant, now)).await?,
        };
        written.insert(record.grant().id(), record);
    }
    expect_sessions(contract, &[ours, theirs], &written).await?;
    keeps_what_a_logout_needs(contract).await
}

async fn expect_sessions(contract: &Contract, sessions: &[SessionId], written: &Written) -> Result<(), Stop> {
    for filter in sessions.iter().copied().map(Filter::session) {
        for limit in [1, 3, 1000] {
            let found = contract.pages(&filter, Page::first(limit), written).await?;
            expect_listing(contract, Clause::Sessions, &filter, written, &found);
        }
    }
    Ok(())
}

/// A grant with expired tokens is not purged while its client has to be notified of a logout.
async fn keeps_what_a_logout_needs(contract: &Contract) -> Result<(), Stop> {
    let then = DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days((LONG_AGO - 1970) * 365);
    let (pair, kept_until) = (contract.fixture.pair(), then + TimeDelta::hours(5));
    let session =
        Session { id: SessionId::new(&contract.fixture.text("kept")), kept_until: Some(kept_until) };
    let grant = contract.fixture.offered_in(&pair, then, session)?.0.revoke(then);
    let id = contract.write(Write::insert(grant, then)).await?.grant().id();
    // A store may remove expired records at any time, and by the real clock this one has expired.
    let there = contract.load(id).await?.is_some();
    contract.store.purge(kept_until, 1000).await?;
    let left = contract.load(id).await?.is_some();
    contract.expect(Clause::Sessions, left == there, "what a logout has to find to stay", || {
        "nothing".to_owned()
    });
    contract.store.purge(kept_until + TimeDelta::seconds(1), 1000).await?;
    contract.expect_stored(Clause::Sessions, "it to go in the end", id, None).await
}

impl Contract {
    /// Ends a grant, and returns its record.
    async fn ended(&self, tombstone: &Tombstone) -> Result<Record, Stop> {
        self.end(tombstone).await?;
        self.stored(tombstone.id()).await
    }
}
