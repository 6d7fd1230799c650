//! Grants that wait for their user, and their user codes.

use chrono::{DateTime, TimeDelta, Utc};

use super::Contract;
use super::fixture::Pair;
use super::grant_races::{Outcomes, Racer};
use super::listing::Written;
use super::map::{same, shown};
use super::report::{Clause, Stop};
use super::task::race;
use crate::grant::{BrowserSession, Grant, Subject, UserCode};
use crate::store::{Filter, Page, Record, UserCodeDigest, Write};

/// More calls than it takes to remove what expired long ago.
const MOST_PURGES: usize = 1000;

pub(super) async fn user_code(contract: &Contract) -> Result<(), Stop> {
    let fixture = &contract.fixture;
    let nobodys = UserCodeDigest::of(&fixture.text("user code"));
    contract.expect_found("nothing under a code that was never given out", &nobodys, None).await?;

    let (pair, drawn) = (fixture.pair(), fixture.fresh_secrets().second);
    let wait = fixture.waiting_under(drawn.duplicate(), &pair, fixture.now)?;
    let other = fixture.waiting(&pair)?;
    let waiting = contract.insert(wait.grant.clone()).await?;
    let beside = contract.insert(other.grant.clone()).await?;
    contract.expect_found("the grant that waits", &wait.user_code.digest(), Some(&waiting)).await?;
    contract.expect_found("another one under its own code", &other.user_code.digest(), Some(&beside)).await?;

    let second = fixture.waiting_under(drawn.duplicate(), &fixture.pair(), fixture.now)?;
    contract.expect_conflict(Clause::UserCode, Write::insert(second.grant.clone(), fixture.now)).await?;
    contract.expect_stored(Clause::UserCode, "no second grant under a code", second.grant.id(), None).await?;
    contract.expect_found("the first to keep its code", &wait.user_code.digest(), Some(&waiting)).await?;

    let claimant = BrowserSession::session("one");
    let claimed = contract.replace(&waiting, fixture.claimed(&wait, &claimant)?).await?;
    contract.expect_found("its latest version", &wait.user_code.digest(), Some(&claimed)).await?;
    let approved = fixture.approve(claimed.grant().clone(), &pair, &claimant)?;
    let approved = contract.reindex(&claimed, approved).await?;
    contract.expect_found("nothing after an approval", &wait.user_code.digest(), None).await?;
    expect_moved(contract, &pair, &approved).await?;

    let third = contract.insert(second.grant).await?;
    contract
        .expect_found("a code to be free after an approval", &wait.user_code.digest(), Some(&third))
        .await?;
    answers_free_the_code(contract).await?;
    a_purge_frees_the_code(contract).await
}

/// Checks that an approved grant is listed under its user, and no longer under the client itself.
async fn expect_moved(contract: &Contract, pair: &Pair, approved: &Record) -> Result<(), Stop> {
    let (id, client) = (approved.grant().id(), pair.client.id().clone());
    let written = Written::from([(id, approved.clone())]);
    for (subject, there) in [(pair.subject.clone(), true), (Subject::Client(client), false)] {
        let found = contract.pages(&Filter::subject(subject), Page::first(10), &written).await?;
        let found = found.iter().find(|record| record.grant().id() == id);
        let right = found.is_some_and(|found| same(found, approved)) || (found.is_none() && !there);
        let expected = if there { "an approved grant to be its user's" } else { "it to be no one else's" };
        contract.expect(Clause::UserCode, right, expected, || shown(found));
    }
    Ok(())
}

async fn answers_free_the_code(contract: &Contract) -> Result<(), Stop> {
    let fixture = &contract.fixture;
    let (pair, claimant) = (fixture.pair(), BrowserSession::session("one"));
    for denied in [true, false] {
        let wait = fixture.waiting(&pair)?;
        let claimed = contract.insert(fixture.claimed(&wait, &claimant)?).await?;
        let next = match denied {
            true => claimed.grant().clone().deny(&claimant, fixture.now)?,
            false => claimed.grant().clone().revoke(fixture.now),
        };
        contract.reindex(&claimed, next).await?;
        let expected = if denied { "nothing after a denial" } else { "nothing after the end" };
        contract.expect_found(expected, &wait.user_code.digest(), None).await?;
    }
    Ok(())
}

async fn a_purge_frees_the_code(contract: &Contract) -> Result<(), Stop> {
    let fixture = &contract.fixture;
    let (pair, drawn) = (fixture.pair(), fixture.fresh_secrets().second);
    let long_ago = DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(365);
    let wait = fixture.waiting_under(drawn.duplicate(), &pair, long_ago)?;
    contract.write(Write::insert(wait.grant, long_ago)).await?;
    for _ in 0..MOST_PURGES {
        if contract.store.purge(long_ago + TimeDelta::hours(3), 100).await? == 0 {
            break;
        }
    }
    contract.expect_found("nothing after a purge", &wait.user_code.digest(), None).await?;
    let again = contract.insert(fixture.waiting_under(drawn, &pair, fixture.now)?.grant).await?;
    contract.expect_found("a code to be free after a purge", &wait.user_code.digest(), Some(&again)).await
}

pub(super) async fn user_code_race(contract: &Contract) -> Result<(), Stop> {
    let (clause, fixture) = (Clause::UserCodeRace, &contract.fixture);
    for _ in 0..contract.rounds {
        let drawn = fixture.fresh_secrets().second;
        let code = UserCode::of(&drawn).digest();
        let mut inserts = Vec::with_capacity(contract.tasks);
        for _ in 0..contract.tasks {
            let wait = fixture.waiting_under(drawn.duplicate(), &fixture.pair(), fixture.now)?;
            let (contract, write) = (contract.clone(), Write::insert(wait.grant, fixture.now));
            inserts.push(async move {
                let won = contract.commit(&write).await?;
                Ok::<_, Stop>(won.then(|| write.next().clone()))
            });
        }
        let mut winners = Vec::new();
        for outcome in race(&contract.spawn, inserts).await {
            winners.extend(outcome.ok_or(Stop::LostTask)??);
        }
        contract.expect(clause, winners.len() == 1, "one grant under a user code", || {
            format!("{} of them", winners.len())
        });
        let found = contract.store.find_by_user_code(&code).await?;
        let right = found.as_ref().is_some_and(|found| winners.iter().any(|winner| same(winner, found)));
        contract.expect(clause, right, "the winner under the user code", || shown(found.as_ref()));
    }
    Ok(())
}

/// Races the answers on the page, and then the polls of the device.
pub(super) async fn device_race(contract: &Contract) -> Result<(), Stop> {
    for _ in 0..contract.rounds {
        answers(contract).await?;
        polls(contract).await?;
    }
    Ok(())
}

async fn answers(contract: &Contract) -> Result<(), Stop> {
    let (pair, claimant) = (contract.fixture.pair(), BrowserSession::session("one"));
    let wait = contract.fixture.waiting(&pair)?;
    let record = contract.insert(contract.fixture.claimed(&wait, &claimant)?).await?;
    let tasks = (0..contract.tasks).map(|n| {
        let (contract, pair, record) = (contract.clone(), pair.clone(), record.clone());
        async move { contract.answer(n % 2 == 0, &pair, &claimant, record).await }
    });
    let mut answers = Vec::new();
    for outcome in race(&contract.spawn, tasks).await {
        answers.extend(outcome.ok_or(Stop::LostTask)??);
    }
    let stored = contract.stored(record.grant().id()).await?;
    let right =
        matches!(answers.as_slice(), [approved] if *approved == stored.grant().is_live(contract.fixture.now));
    contract.expect(Clause::DeviceRace, right, "one answer, which sticks", || {
        format!("{} of them and {}", answers.len(), shown(Some(&stored)))
    });
    Ok(())
}

async fn polls(contract: &Contract) -> Result<(), Stop> {
    let clause = Clause::DeviceRace;
    let pair = contract.fixture.pair();
    let (grant, code) = contract.fixture.approved(&pair)?;
    let record = contract.insert(grant).await?;
    let tasks = (0..contract.tasks).map(|_| {
        let racer = Racer::new(contract, &pair, &record);
        let code = code.duplicate();
        async move {
            let poll =
                |grant: Grant, racer: &Racer| racer.contract.fixture.poll(grant, &code, &racer.pair.client);
            racer.go(poll).await
        }
    });
    let outcomes = Outcomes::of(race(&contract.spawn, tasks).await)?;
    let issued = outcomes.issued.len();
    contract.expect(clause, issued == 1, "one poll that yields tokens", || issued.to_string());
    let stored = contract.stored(record.grant().id()).await?;
    let live = stored.grant().is_redeemed(contract.fixture.now);
    contract.expect(clause, live, "the other polls to end nothing", || shown(Some(&stored)));
    outcomes.expect_all_written(contract, clause, &record, &stored);
    Ok(())
}

impl Contract {
    /// Replaces the current record by one with another subject or user code.
    async fn reindex(&self, record: &Record, next: Grant) -> Result<Record, Stop> {
        self.write(Write::reindex(record.version(), next, self.fixture.now)).await
    }

    async fn expect_found(
        &self,
        expected: &str,
        code: &UserCodeDigest,
        record: Option<&Record>,
    ) -> Result<(), Stop> {
        let found = self.store.find_by_user_code(code).await?;
        let right = match (&found, record) {
            (Some(found), Some(record)) => same(found, record),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        self.expect(Clause::UserCode, right, expected, || shown(found.as_ref()));
        Ok(())
    }

    /// Approves or denies. Returns which of the two, unless another task was first.
    async fn answer(
        &self,
        approves: bool,
        pair: &Pair,
        claimant: &BrowserSession,
        mut record: Record,
    ) -> Result<Option<bool>, Stop> {
        let (id, now) = (record.grant().id(), self.fixture.now);
        for _ in 0..2 * self.tasks + 2 {
            let version = record.version();
            let next = match approves {
                true => self.fixture.approve(record.into_grant(), pair, claimant),
                false => record.into_grant().deny(claimant, now),
            };
            let Ok(next) = next else { return Ok(None) };
            if self.commit(&Write::reindex(version, next, now)).await? {
                return Ok(Some(approves));
            }
            record = self.stored(id).await?;
        }
        Err(Stop::Conflict)
    }
}
