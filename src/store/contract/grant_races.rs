//! Many tasks, one grant: each loads, decides and writes, and starts again after a lost race.

use std::sync::Arc;

use super::Contract;
use super::fixture::Pair;
use super::map::shown;
use super::report::{Clause, Stop};
use super::task::race;
use crate::base::Secret;
use crate::grant::{Grant, GrantId, Issued, Verdict};
use crate::store::{Record, Write};

pub(super) async fn code(contract: &Contract) -> Result<(), Stop> {
    let clause = Clause::CodeRace;
    for _ in 0..contract.rounds {
        let pair = contract.fixture.pair();
        let (grant, code) = contract.fixture.offered(&pair)?;
        let record = contract.insert(grant).await?;
        let code = Arc::new(code);
        let tasks = (0..contract.tasks).map(|_| {
            let racer = Racer::new(contract, &pair, &record);
            let code = Arc::clone(&code);
            async move { racer.go(|grant, racer| racer.redeem(grant, &code)).await }
        });
        let outcomes = Outcomes::of(race(&contract.spawn, tasks).await)?;
        let issued = outcomes.issued.len();
        contract.expect(clause, issued == 1, "one redemption that yields tokens", || issued.to_string());
        let stored = contract.stored(record.grant().id()).await?;
        let ended = stored.grant().is_ended();
        contract.expect(clause, ended, "the replays to end the grant", || shown(Some(&stored)));
        outcomes.expect_all_written(contract, clause, &record, &stored);
    }
    Ok(())
}

pub(super) async fn refresh(contract: &Contract) -> Result<(), Stop> {
    let clause = Clause::RefreshRace;
    for _ in 0..contract.rounds {
        let pair = contract.fixture.pair();
        let (record, token) = contract.insert_live(&pair).await?;
        let tasks = (0..contract.tasks).map(|_| {
            let racer = Racer::new(contract, &pair, &record);
            let token = Arc::clone(&token);
            async move { racer.go(|grant, racer| racer.refresh(grant, &token)).await }
        });
        let outcomes = Outcomes::of(race(&contract.spawn, tasks).await)?;
        let successors = outcomes.issued.len();
        contract.expect(clause, successors == 1, "one successor", || successors.to_string());
        let refused = outcomes.refused;
        contract.expect(clause, refused == 0, "every task to be answered", || format!("{refused} refused"));

        let stored = contract.stored(record.grant().id()).await?;
        let answers = outcomes.issued.iter().chain(&outcomes.repeated);
        let dead = answers.filter(|tokens| !are_current(tokens, stored.grant(), contract)).count();
        let expected = "every answer to be the successor's tokens";
        contract.expect(clause, dead == 0, expected, || format!("{dead} answers with others"));
        outcomes.expect_all_written(contract, clause, &record, &stored);
    }
    Ok(())
}

pub(super) async fn revocation(contract: &Contract) -> Result<(), Stop> {
    let clause = Clause::RevocationRace;
    for _ in 0..contract.rounds {
        let pair = contract.fixture.pair();
        let (record, token) = contract.insert_live(&pair).await?;
        let tasks = (0..contract.tasks).map(|n| {
            let racer = Racer::new(contract, &pair, &record);
            let token = Arc::clone(&token);
            async move {
                match n % 2 {
                    0 => racer.go(|grant, racer| racer.refresh(grant, &token)).await,
                    _ => racer.go(|grant, racer| racer.revoke(grant)).await,
                }
            }
        });
        let outcomes = Outcomes::of(race(&contract.spawn, tasks).await)?;
        let stored = contract.stored(record.grant().id()).await?;
        let ended = stored.grant().is_ended();
        contract.expect(clause, ended, "a revoked grant to be over", || shown(Some(&stored)));
        outcomes.expect_all_written(contract, clause, &record, &stored);
    }
    Ok(())
}

impl Contract {
    async fn insert_live(&self, pair: &Pair) -> Result<(Record, Arc<Secret>), Stop> {
        let (grant, tokens) = self.fixture.live(pair)?;
        let record = self.insert(grant).await?;
        Ok((record, Arc::new(tokens.refresh.ok_or(Stop::Vanished)?)))
    }

    pub(super) async fn stored(&self, id: GrantId) -> Result<Record, Stop> {
        self.load(id).await?.ok_or(Stop::Vanished)
    }
}

/// Whether these tokens are valid, with the current refresh token.
fn are_current(tokens: &Issued, grant: &Grant, contract: &Contract) -> bool {
    let now = contract.fixture.now;
    let refresh = tokens.refresh.as_ref().and_then(|token| grant.refresh_expires(token, now));
    refresh.is_some() && grant.access(&tokens.access, now).is_some()
}

/// One task of a race. All tasks start with the same record.
pub(super) struct Racer {
    pub(super) contract: Contract,
    pub(super) pair: Pair,
    record: Record,
}

pub(super) enum Outcome {
    Issued(Issued),
    Repeated(Issued),
    Refused,
    Ended,
}

impl Racer {
    pub(super) fn new(contract: &Contract, pair: &Pair, record: &Record) -> Self {
        Self { contract: contract.clone(), pair: pair.clone(), record: record.clone() }
    }

    fn redeem(&self, grant: Grant, code: &Secret) -> Verdict {
        self.contract.fixture.redeem(grant, code, &self.pair.client)
    }

    fn refresh(&self, grant: Grant, token: &Secret) -> Verdict {
        self.contract.fixture.refresh(grant, token, &self.pair.client)
    }

    fn revoke(&self, grant: Grant) -> Verdict {
        let reason = crate::error::Reason::GrantEnded;
        match grant.is_ended() {
            true => Verdict::Refuse { refusal: reason.into() },
            false => Verdict::RefuseAndEnd { next: grant.revoke(self.contract.fixture.now), reason },
        }
    }

    pub(super) async fn go(
        self,
        decide: impl Fn(Grant, &Self) -> Verdict + Send + Sync,
    ) -> Result<Outcome, Stop> {
        let Self { contract, record, .. } = &self;
        let (id, now) = (record.grant().id(), contract.fixture.now);
        let mut record = record.clone();
        // Each conflict is another task's write, and no task writes more than twice.
        for _ in 0..2 * contract.tasks + 2 {
            let version = record.version();
            let (next, outcome) = match decide(record.into_grant(), &self) {
                Verdict::Issue { next, tokens } => (next, Outcome::Issued(tokens)),
                Verdict::RefuseAndEnd { next, .. } | Verdict::RefuseAndNote { next, .. } => {
                    (next, Outcome::Ended)
                }
                Verdict::Repeat { tokens, .. } => return Ok(Outcome::Repeated(tokens)),
                Verdict::Refuse { .. } => return Ok(Outcome::Refused),
            };
            if contract.commit(&Write::replace(version, next, now)).await? {
                return Ok(outcome);
            }
            record = contract.stored(id).await?;
        }
        Err(Stop::Conflict)
    }
}

#[derive(Default)]
pub(super) struct Outcomes {
    pub(super) issued: Vec<Issued>,
    repeated: Vec<Issued>,
    refused: usize,
    ended: usize,
}

impl Outcomes {
    pub(super) fn of(outcomes: Vec<Option<Result<Outcome, Stop>>>) -> Result<Self, Stop> {
        let mut all = Self::default();
        for outcome in outcomes {
            match outcome.ok_or(Stop::LostTask)?? {
                Outcome::Issued(tokens) => all.issued.push(tokens),
                Outcome::Repeated(tokens) => all.repeated.push(tokens),
                Outcome::Refused => all.refused += 1,
                Outcome::Ended => all.ended += 1,
            }
        }
        Ok(all)
    }

    /// Checks that no write was lost: the version counts the writes since the insert.
    pub(super) fn expect_all_written(
        &self,
        contract: &Contract,
        clause: Clause,
        before: &Record,
        after: &Record,
    ) {
        let confirmed = (self.issued.len() + self.ended) as u64;
        let written = after.version() - before.version();
        contract.expect(clause, confirmed == written, "a version for each confirmed write", || {
            format!("{written} versions for {confirmed} writes")
        });
    }
}
