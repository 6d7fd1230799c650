//! The contract suite: what keeps the contract passes, and each single lie is caught under its own clause.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use grantor::store::contract::{Clause, NaiveStore, Suite, Violations};
use grantor::store::{
    CommitError, Committed, Filter, Listing, Page, Record, ReplayKey, Tombstone, UserCodeDigest, Write,
};
use grantor::{BackendError, GrantId, MemoryStore, ReplayGuard, TokenStore, async_trait};

#[test]
fn the_memory_store_keeps_the_contract_on_threads() {
    let report = Suite::new(MemoryStore::new()).tasks(8).rounds(20).run_blocking().unwrap();
    assert_eq!(report.clauses().count(), 25);
    assert!(report.clauses().all(|(_, checks)| checks > 0), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memory_store_keeps_the_contract_on_a_runtime() {
    let suite = Suite::new(MemoryStore::new()).spawn(|task| drop(tokio::spawn(task)));
    suite.rounds(20).run().await.unwrap();
}

#[tokio::test]
async fn the_memory_store_is_an_honest_replay_guard() {
    let suite = Suite::new(MemoryStore::new()).tasks(8).rounds(50);
    assert_eq!(suite.check_replay_guard().await.unwrap().clauses().count(), 4);
}

#[tokio::test]
async fn a_store_that_many_runs_share_passes_each() {
    let store = std::sync::Arc::new(MemoryStore::new());
    for _ in 0..2 {
        let suite = Suite::new(store.clone()).tasks(4).rounds(2);
        suite.run().await.unwrap();
    }
}

const RACES: [Clause; 8] = [
    Clause::InsertRace,
    Clause::ReplaceRace,
    Clause::CodeRace,
    Clause::UserCodeRace,
    Clause::DeviceRace,
    Clause::RefreshRace,
    Clause::RevocationRace,
    Clause::EndRace,
];

#[test]
fn the_naive_store_fails_every_race_on_threads_and_nothing_else() {
    let violations = Suite::new(NaiveStore::new()).tasks(16).rounds(100).run_blocking().unwrap_err();
    assert_eq!(violations.clauses(), RACES, "{violations}");
}

#[tokio::test]
async fn the_naive_store_fails_every_race_on_a_runtime_and_nothing_else() {
    let suite = Suite::new(NaiveStore::new()).spawn(|task| drop(tokio::spawn(task)));
    let violations = suite.tasks(16).rounds(3).run().await.unwrap_err();
    assert_eq!(violations.clauses(), RACES, "{violations}");
    assert_eq!(violations.of(Clause::InsertRace).unwrap().found(), "16 of them");
}

#[tokio::test]
async fn the_naive_replay_guard_fails_its_race() {
    let suite = Suite::new(NaiveStore::new()).spawn(|task| drop(tokio::spawn(task)));
    let violations = suite.tasks(8).rounds(3).check_replay_guard().await.unwrap_err();
    assert_eq!(violations.clauses(), [Clause::FirstUseRace]);
}

#[tokio::test]
async fn each_lie_is_caught_under_its_own_clause() {
    use Clause as C;
    let table = [
        (Lie::FindsWhatNobodyWrote, C::Vacant),
        (Lie::ForgetsInserts, C::Insert),
        (Lie::OverwritesOnInsert, C::InsertOccupied),
        (Lie::OverwritesOnInsert, C::InsertRace),
        (Lie::ForgetsReplacements, C::Replace),
        (Lie::LoadsTheFirstVersion, C::Replace),
        (Lie::IgnoresTheVersion, C::ReplaceStale),
        (Lie::IgnoresTheVersion, C::ReplaceRace),
        (Lie::IgnoresTheVersion, C::CodeRace),
        (Lie::IgnoresTheVersion, C::RefreshRace),
        (Lie::ReplacesTheVacant, C::ReplaceVacant),
        (Lie::WritesLatin1, C::RoundTrip),
        (Lie::CutsBodies, C::RoundTrip),
        (Lie::IsStaleAtOnce, C::LoadNow),
        (Lie::EndsOnlyWhatItWasTold, C::End),
        (Lie::EndsUnderTheSameVersion, C::End),
        (Lie::EndsWhatIsNotThere, C::End),
        (Lie::KeepsUserCodes, C::End),
        (Lie::ForgetsEnds, C::End),
        (Lie::EndsTheFirstOfMany, C::EndAll),
        (Lie::EndsInTwoSteps, C::EndRace),
        (Lie::FindsAnyUserCode, C::UserCode),
        (Lie::ForgetsUserCodes, C::UserCode),
        (Lie::KeepsUserCodes, C::UserCode),
        (Lie::FindsTheFirstVersion, C::UserCode),
        (Lie::SharesUserCodes, C::UserCode),
        (Lie::SharesUserCodes, C::UserCodeRace),
        (Lie::IgnoresTheVersion, C::DeviceRace),
        (Lie::ListsNotTheLast, C::List),
        (Lie::ListsTheEndedNot, C::List),
        (Lie::ListsWithoutCase, C::List),
        (Lie::ListsOtherClients, C::List),
        (Lie::ListsUsersAndClientsAlike, C::List),
        (Lie::ListsBackwards, C::List),
        (Lie::PagesOverlap, C::ListPages),
        (Lie::PagesAreTooLong, C::ListPages),
        (Lie::PagesStopEarly, C::ListPages),
        (Lie::DeletesThenInserts, C::ListWhileWriting),
        (Lie::DeletesThenInserts, C::Cancellation),
        (Lie::ListsEverySession, C::Sessions),
        (Lie::ListsNoSession, C::Sessions),
        (Lie::PurgesTheLiving, C::Purge),
        (Lie::PurgesTooMany, C::Purge),
        (Lie::PurgesTheBorder, C::Purge),
        (Lie::PurgesNothing, C::Purge),
        (Lie::CountsOneMore, C::Purge),
        (Lie::CountsWithoutEnd, C::Purge),
        (Lie::ReplacesWithoutExpiry, C::Purge),
        (Lie::EndsWithoutExpiry, C::Purge),
        (Lie::WritesInTwoSteps, C::Cancellation),
        (Lie::PanicsInRaces, C::InsertRace),
        (Lie::Fails, C::Vacant),
    ];
    for (lie, clause) in table {
        let violations = caught(lie).await;
        assert!(violations.of(clause).is_some(), "{lie:?} should break {clause:?}: {violations}");
    }
}

#[tokio::test]
async fn the_liar_that_tells_no_lie_passes() {
    suite_of(Lie::None).run().await.unwrap();
}

#[tokio::test]
async fn a_store_that_never_answers_is_caught() {
    let suite = suite_of(Lie::Hangs).limit(Duration::from_millis(5));
    let violations = suite.run().await.unwrap_err();
    assert_eq!(violations.of(Clause::Vacant).unwrap().expected(), "an end");
}

#[tokio::test]
async fn lies_of_a_replay_guard_are_caught() {
    let table = [
        (Lie::AlwaysFirst, Clause::FirstUse),
        (Lie::OneKeyForAll, Clause::SpacesApart),
        (Lie::NeverForgets, Clause::ReuseAfterExpiry),
    ];
    for (lie, clause) in table {
        let violations = suite_of(lie).check_replay_guard().await.unwrap_err();
        assert!(violations.of(clause).is_some(), "{lie:?} should break {clause:?}: {violations}");
    }
}

#[tokio::test]
async fn a_run_can_be_repeated_by_its_seed() {
    let found = async |seed| suite_of(Lie::FindsWhatNobodyWrote).seed(seed).run().await.unwrap_err();
    assert_eq!(found(7).await.of(Clause::Vacant), found(7).await.of(Clause::Vacant));
    assert!(found(7).await.to_string().contains("seed 7"));
}

fn suite_of(lie: Lie) -> Suite<Liar> {
    let suite = Suite::new(Liar { lie, ..Liar::default() });
    suite.tasks(8).rounds(4).spawn(|task| drop(tokio::spawn(task)))
}

async fn caught(lie: Lie) -> Violations {
    match suite_of(lie).run().await {
        Ok(_) => panic!("{lie:?} was not caught"),
        Err(violations) => violations,
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Lie {
    #[default]
    None,
    FindsWhatNobodyWrote,
    ForgetsInserts,
    OverwritesOnInsert,
    ForgetsReplacements,
    LoadsTheFirstVersion,
    IgnoresTheVersion,
    ReplacesTheVacant,
    WritesLatin1,
    CutsBodies,
    IsStaleAtOnce,
    EndsOnlyWhatItWasTold,
    EndsUnderTheSameVersion,
    EndsWhatIsNotThere,
    ForgetsEnds,
    EndsTheFirstOfMany,
    EndsInTwoSteps,
    FindsAnyUserCode,
    ForgetsUserCodes,
    KeepsUserCodes,
    FindsTheFirstVersion,
    SharesUserCodes,
    ListsNotTheLast,
    ListsTheEndedNot,
    ListsWithoutCase,
    ListsOtherClients,
    ListsUsersAndClientsAlike,
    ListsBackwards,
    PagesOverlap,
    PagesAreTooLong,
    PagesStopEarly,
    DeletesThenInserts,
    ListsEverySession,
    ListsNoSession,
    PurgesTheLiving,
    PurgesTooMany,
    PurgesTheBorder,
    PurgesNothing,
    CountsOneMore,
    CountsWithoutEnd,
    ReplacesWithoutExpiry,
    EndsWithoutExpiry,
    WritesInTwoSteps,
    PanicsInRaces,
    Fails,
    Hangs,
    AlwaysFirst,
    OneKeyForAll,
    NeverForgets,
}

/// Keeps the contract but for one lie.
#[derive(Default)]
struct Liar {
    lie: Lie,
    rows: Mutex<BTreeMap<GrantId, Record>>,
    first: Mutex<BTreeMap<GrantId, Record>>,
    expires: Mutex<BTreeMap<GrantId, DateTime<Utc>>>,
    seen: Mutex<BTreeMap<ReplayKey, DateTime<Utc>>>,
}

impl Liar {
    fn rows(&self) -> MutexGuard<'_, BTreeMap<GrantId, Record>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The record as a database gives it back.
    fn stored(&self, write: &Write) -> Option<Record> {
        let body = match self.lie {
            Lie::WritesLatin1 => write.body().replace(|c: char| c > '\u{ff}', "?"),
            Lie::CutsBodies if write.body().len() > 4000 => return None,
            _ => write.body(),
        };
        Some(Record::decode(write.id(), write.next().version(), &body).unwrap())
    }

    fn write_half(&self, write: &Write) -> Result<(), CommitError> {
        let mut rows = self.rows();
        let id = write.id();
        if rows.get(&id).map(Record::version) != write.expect() || self.has_a_rival(write, &rows) {
            return Err(CommitError::Conflict);
        }
        rows.remove(&id);
        if self.lie == Lie::WritesInTwoSteps {
            let half = write.next().grant().clone().revoke(write.at() - Duration::from_secs(1));
            rows.insert(id, Record::new(half, write.next().version()));
        }
        Ok(())
    }

    fn has_a_rival(&self, write: &Write, rows: &BTreeMap<GrantId, Record>) -> bool {
        let code = write.next().index().user_code;
        let mut rivals =
            rows.iter().filter(|(id, record)| **id != write.id() && record.index().user_code == code);
        code.is_some() && self.lie != Lie::SharesUserCodes && rivals.next().is_some()
    }

    fn condition_holds(&self, write: &Write, found: Option<u64>) -> bool {
        match (self.lie, write.expect(), found) {
            (Lie::OverwritesOnInsert, None, _)
            | (Lie::IgnoresTheVersion, Some(_), Some(_))
            | (Lie::ReplacesTheVacant, Some(_), None) => true,
            (_, expect, found) => expect == found,
        }
    }

    fn matches(&self, filter: &Filter, record: &Record) -> bool {
        let grant = record.grant();
        let (subject, client) = (filter.subject.as_ref(), filter.client.as_ref());
        match self.lie {
            Lie::ListsEverySession => {
                subject.is_none_or(|s| s == grant.subject()) && client.is_none_or(|c| c == grant.client())
            }
            Lie::ListsNoSession => filter.session.is_none() && filter.matches(grant),
            Lie::ListsTheEndedNot => filter.matches(grant) && !grant.is_ended(),
            Lie::ListsOtherClients => subject.is_none_or(|s| s == grant.subject()),
            Lie::ListsUsersAndClientsAlike => {
                subject.is_none_or(|s| s.id() == grant.subject().id())
                    && client.is_none_or(|c| c == grant.client())
            }
            Lie::ListsWithoutCase => {
                subject.is_none_or(|s| s.id().to_lowercase() == grant.subject().id().to_lowercase())
                    && client.is_none_or(|c| c == grant.client())
            }
            _ => filter.matches(grant),
        }
    }
}

#[async_trait]
impl TokenStore for Liar {
    async fn load(&self, id: GrantId) -> Result<Option<Record>, BackendError> {
        match self.lie {
            Lie::Fails => Err(BackendError::permanent("no such table")),
            Lie::Hangs => std::future::pending().await,
            Lie::LoadsTheFirstVersion => Ok(self.first.lock().unwrap().get(&id).cloned()),
            Lie::FindsWhatNobodyWrote => {
                let body = r#"{"v":1,"client":"c","subject":{"user":"u"},"created":0,"ends":1,
                    "stage":{"ended":{"at":0,"until":0}}}"#;
                Ok(Some(self.rows().get(&id).cloned().unwrap_or(Record::decode(id, 0, body)?)))
            }
            _ => Ok(self.rows().get(&id).cloned()),
        }
    }

    async fn commit(&self, write: &Write) -> Result<Committed, CommitError> {
        let id = write.id();
        if matches!(self.lie, Lie::WritesInTwoSteps | Lie::DeletesThenInserts) {
            self.write_half(write)?;
            tokio::task::yield_now().await;
            self.rows().insert(id, write.next().clone());
            return Ok(write.committed());
        }
        let mut rows = self.rows();
        let found = rows.get(&id).map(Record::version);
        if !self.condition_holds(write, found) || self.has_a_rival(write, &rows) {
            let in_a_race = tokio::task::try_id().is_some();
            assert!(self.lie != Lie::PanicsInRaces || !in_a_race, "a conflict brings it down");
            return Err(CommitError::Conflict);
        }
        let forgets = match write.expect() {
            None => self.lie == Lie::ForgetsInserts,
            Some(_) => self.lie == Lie::ForgetsReplacements,
        };
        if write.reindexes() || self.lie != Lie::ReplacesWithoutExpiry {
            self.expires.lock().unwrap().insert(id, write.next().index().expires);
        }
        if !forgets {
            rows.extend(self.stored(write).map(|record| (id, record)));
            self.first.lock().unwrap().entry(id).or_insert_with(|| write.next().clone());
        }
        Ok(write.committed())
    }

    async fn end(&self, tombstone: &Tombstone) -> Result<Committed, BackendError> {
        let id = tombstone.id();
        let found = self.rows().get(&id).map(Record::version);
        if self.lie == Lie::EndsInTwoSteps {
            tokio::task::yield_now().await;
        }
        let (first, before) = (self.first.lock().unwrap().get(&id).map(Record::version), found.unwrap_or(0));
        let ended = match (self.lie, found) {
            (Lie::ForgetsEnds, _) => None,
            (Lie::EndsOnlyWhatItWasTold, _) if first != found => None,
            (Lie::EndsUnderTheSameVersion, Some(_)) => Some(tombstone.record(before.saturating_sub(1))),
            (Lie::EndsWhatIsNotThere, None) => Some(tombstone.record(0)),
            (_, None) => None,
            (_, Some(_)) => Some(tombstone.record(before)),
        };
        self.rows().extend(ended.map(|record| (id, record)));
        if self.lie != Lie::EndsWithoutExpiry {
            self.expires.lock().unwrap().insert(id, tombstone.index().expires);
        }
        Ok(tombstone.committed())
    }

    async fn end_all(&self, tombstones: &[Tombstone]) -> Vec<Result<Committed, BackendError>> {
        for tombstone in tombstones {
            let _ended = self.end(tombstone).await.unwrap();
            if self.lie == Lie::EndsTheFirstOfMany {
                break;
            }
        }
        tombstones.iter().map(|tombstone| Ok(tombstone.committed())).collect()
    }

    async fn find_by_user_code(&self, code: &UserCodeDigest) -> Result<Option<Record>, BackendError> {
        let (rows, first) = (self.rows(), self.first.lock().unwrap());
        let waits = |record: &&Record| record.index().user_code.as_ref() == Some(code);
        let found = match self.lie {
            Lie::FindsAnyUserCode => rows.values().next(),
            Lie::ForgetsUserCodes => None,
            Lie::FindsTheFirstVersion => {
                rows.values().find(waits).and_then(|record| first.get(&record.grant().id()))
            }
            Lie::KeepsUserCodes => {
                first.values().find(waits).and_then(|record| rows.get(&record.grant().id()))
            }
            _ => rows.values().find(waits),
        };
        Ok(found.cloned())
    }

    async fn list(&self, filter: &Filter, page: Page) -> Result<Listing, BackendError> {
        let rows = self.rows();
        let behind = |id: &GrantId| match self.lie {
            Lie::PagesOverlap => page.after.is_none_or(|after| after <= *id),
            _ => page.after.is_none_or(|after| after < *id),
        };
        let found = rows.iter().filter(|(id, r)| behind(id) && self.matches(filter, r));
        let mut records: Vec<Record> = found.map(|(_, r)| r.clone()).take(page.limit as usize + 1).collect();
        match self.lie {
            Lie::ListsNotTheLast if records.len() <= page.limit as usize => {
                records.pop();
            }
            Lie::ListsBackwards if records.len() <= page.limit as usize => records.reverse(),
            _ => {}
        }
        let mut listing = Listing::of(records.clone(), page);
        match self.lie {
            Lie::PagesAreTooLong => listing.records = records,
            Lie::PagesStopEarly if page.after.is_some() => listing.next = None,
            _ => {}
        }
        Ok(listing)
    }

    async fn purge(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, BackendError> {
        let mut gone = 0;
        self.rows().retain(|_, record| {
            let column = self.expires.lock().unwrap().get(&record.grant().id()).copied();
            let expires = match self.lie {
                Lie::ReplacesWithoutExpiry | Lie::EndsWithoutExpiry => column.unwrap(),
                _ => record.grant().expires(),
            };
            let over = match self.lie {
                Lie::PurgesTheLiving => true,
                Lie::PurgesTheBorder => expires <= before,
                Lie::PurgesNothing => false,
                _ => expires < before,
            };
            let goes = over && (gone < u64::from(limit) || self.lie == Lie::PurgesTooMany);
            gone += u64::from(goes);
            !goes
        });
        let more = match self.lie {
            Lie::CountsWithoutEnd => true,
            Lie::CountsOneMore => gone > 0,
            _ => false,
        };
        Ok(gone + u64::from(more))
    }

    fn try_load(&self, id: GrantId) -> Option<Option<Record>> {
        (self.lie == Lie::IsStaleAtOnce).then(|| self.first.lock().unwrap().get(&id).cloned())
    }
}

#[async_trait]
impl ReplayGuard for Liar {
    async fn first_use(
        &self,
        key: &ReplayKey,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<bool, BackendError> {
        let key = if self.lie == Lie::OneKeyForAll { ReplayKey::new("", "") } else { *key };
        let mut seen = self.seen.lock().unwrap();
        let known = seen.get(&key).is_some_and(|until| now < *until || self.lie == Lie::NeverForgets);
        if known && self.lie != Lie::AlwaysFirst {
            return Ok(false);
        }
        seen.insert(key, until);
        Ok(true)
    }
}
