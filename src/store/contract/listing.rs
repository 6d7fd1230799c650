//! Listings are complete and in order, and have each record once, and no others.

use std::collections::BTreeMap;

use super::Contract;
use super::map::{same, shown};
use super::report::{Clause, Stop};
use super::task::race;
use crate::client::ClientId;
use crate::grant::{GrantId, Subject};
use crate::store::{Filter, Page, Record};

/// The records that a listing can find.
pub(super) type Written = BTreeMap<GrantId, Record>;

/// More empty pages than a store has before a record that exists.
const MOST_EMPTY_PAGES: usize = 10_000;

pub(super) async fn list(contract: &Contract) -> Result<(), Stop> {
    let (written, filters) = neighbours(contract).await?;
    for filter in &filters {
        let found = contract.pages(filter, Page::first(1000), &written).await?;
        expect_listing(contract, Clause::List, filter, &written, &found);
    }
    expect_unfiltered(contract, &written).await?;
    let nobody = Filter::subject(Subject::user(contract.fixture.text("nobody")));
    let found = contract.pages(&nobody, Page::first(10), &written).await?;
    expect_listing(contract, Clause::List, &nobody, &written, &found);
    Ok(())
}

pub(super) async fn pages(contract: &Contract) -> Result<(), Stop> {
    let (written, filters) = neighbours(contract).await?;
    for filter in &filters {
        let matching = written.values().filter(|record| filter.matches(record.grant())).count() as u32;
        for limit in [1, 2, 7, matching.saturating_sub(1), matching, matching + 1] {
            let found = contract.pages(filter, Page::first(limit), &written).await?;
            expect_listing(contract, Clause::ListPages, filter, &written, &found);
        }
    }
    Ok(())
}

pub(super) async fn while_writing(contract: &Contract) -> Result<(), Stop> {
    let clause = Clause::ListWhileWriting;
    for _ in 0..contract.rounds.min(20) {
        let pair = contract.fixture.pair();
        let filter = Filter::pair(pair.subject.clone(), pair.client.id().clone());
        let mut written = Written::new();
        for _ in 0..24 {
            let record = contract.insert(contract.fixture.offered(&pair)?.0).await?;
            written.insert(record.grant().id(), record);
        }
        let tasks = (0..contract.tasks.min(16)).map(|n| {
            let (contract, pair, filter, written) =
                (contract.clone(), pair.clone(), filter.clone(), written.clone());
            async move {
                if n % 2 == 0 {
                    return contract.pages(&filter, Page::first(5), &written).await;
                }
                // Changes every eighth record, and adds new ones between them.
                let (now, mine) = (contract.fixture.now, written.values().skip(n / 2).step_by(8));
                for record in mine {
                    contract.replace(record, record.grant().clone().revoke(now)).await?;
                    contract.insert(contract.fixture.offered(&pair)?.0).await?;
                }
                Ok(Vec::new())
            }
        });
        for (n, outcome) in race(&contract.spawn, tasks).await.into_iter().enumerate() {
            let found = outcome.ok_or(Stop::LostTask)??;
            if n % 2 == 0 {
                expect_complete(contract, clause, &filter, &written, &found);
            }
        }
    }
    Ok(())
}

/// Records whose owners have names that a careless comparison confuses.
async fn neighbours(contract: &Contract) -> Result<(Written, Vec<Filter>), Stop> {
    let fixture = &contract.fixture;
    let (name, app) = (fixture.text("100%_Őke's"), fixture.text("App_1%"));
    let other = |text: &str, from, to| text.replacen(from, to, 1);
    let subjects = [
        Subject::user(name.clone()),
        Subject::Client(ClientId::new(name.clone())),
        Subject::user(name.to_lowercase()),
        Subject::user(other(&name, "%_", "%x")),
        Subject::user(other(&name, "%", "x")),
        Subject::user(other(&name, "Ő", "O\u{30b}")),
        Subject::user(format!("{name} ")),
        Subject::user(other(&name, "100", "10")),
    ];
    let clients = [app.clone(), app.to_lowercase(), other(&app, "_", "x"), format!("{app} ")];

    let mut written = Written::new();
    for (s, subject) in subjects.iter().enumerate() {
        for (c, client) in clients.iter().enumerate() {
            let pair = fixture.named(client, subject.clone());
            let many = if s == 0 && c == 0 { 11 } else { 1 };
            for n in 0..many {
                let grant = match subject {
                    Subject::User(_) => fixture.offered(&pair)?.0,
                    Subject::Client(_) => fixture.own(&pair)?,
                };
                let mut record = contract.insert(grant).await?;
                if n == 3 {
                    record = contract.replace(&record, record.grant().clone().revoke(fixture.now)).await?;
                }
                written.insert(record.grant().id(), record);
            }
        }
    }
    let mut filters: Vec<Filter> = subjects.iter().cloned().map(Filter::subject).collect();
    filters.extend(clients.iter().map(|client| Filter::client(ClientId::new(client.as_str()))));
    let [subject, ..] = subjects;
    filters.push(Filter::pair(subject, ClientId::new(app)));
    Ok((written, filters))
}

/// A listing without a filter cannot be read to its end, because the store may hold millions of records:
/// reads one page that starts at one of ours.
async fn expect_unfiltered(contract: &Contract, written: &Written) -> Result<(), Stop> {
    let Some((id, record)) = written.first_key_value() else { return Ok(()) };
    let before = u128::from_be_bytes(*id.as_bytes()).saturating_sub(1);
    let page = Page::first(1).after(GrantId::new(before.to_be_bytes()));
    let mut listing = contract.store.list(&Filter::default(), page).await?;
    // An empty page is not necessarily the last one.
    for _ in 0..MOST_EMPTY_PAGES {
        let (true, Some(next)) = (listing.is_empty(), listing.next) else { break };
        listing = contract.store.list(&Filter::default(), page.after(next)).await?;
    }
    let found = listing.records;
    let right = matches!(found.as_slice(), [one] if same(one, record));
    contract
        .expect(Clause::List, right, "without a filter, the record behind an id", || shown(found.first()));
    Ok(())
}

impl Contract {
    /// The records of all pages.
    pub(super) async fn pages(
        &self,
        filter: &Filter,
        first: Page,
        written: &Written,
    ) -> Result<Vec<Record>, Stop> {
        let mut page = first;
        let mut found = Vec::new();
        // Enough for concurrent writes, and for pages that are empty because of a filter.
        for _ in 0..written.len() * 4 + 100 {
            let listing = self.store.list(filter, page).await?;
            let (limit, length) = (page.limit as usize, listing.records.len());
            self.expect(Clause::ListPages, length <= limit, "at most `limit` records on a page", || {
                format!("{length} where the limit is {limit}")
            });
            found.extend(listing.records);
            match listing.next {
                Some(last) => page = page.after(last),
                None => return Ok(found),
            }
        }
        Err(Stop::Endless)
    }
}

pub(super) fn expect_listing(
    contract: &Contract,
    clause: Clause,
    filter: &Filter,
    written: &Written,
    found: &[Record],
) {
    expect_complete(contract, clause, filter, written, found);
    let stale = found.iter().find(|r| written.get(&r.grant().id()).is_none_or(|w| !same(w, r)));
    contract.expect(clause, stale.is_none(), "each record as it is stored", || shown(stale));
}

fn expect_complete(
    contract: &Contract,
    clause: Clause,
    filter: &Filter,
    written: &Written,
    found: &[Record],
) {
    let listed = |id: &GrantId| found.iter().any(|record| record.grant().id() == *id);
    let missing = written.values().filter(|r| filter.matches(r.grant()) && !listed(&r.grant().id())).count();
    contract.expect(clause, missing == 0, "every record that matches", || {
        format!("{missing} missing for {filter:?}")
    });
    let foreign = found.iter().find(|record| !filter.matches(record.grant()));
    contract.expect(clause, foreign.is_none(), "no record that does not match", || {
        format!("{} for {filter:?}", shown(foreign))
    });
    let ascending = found.is_sorted_by(|left, right| left.grant().id() < right.grant().id());
    contract.expect(clause, ascending, "each record once, in the order of the ids", || {
        format!("{:?}", found.iter().map(|record| record.grant().id()).collect::<Vec<_>>())
    });
}
