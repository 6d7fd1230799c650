//! Many tasks, one id: exactly one wins, and its write is stored.

use super::Contract;
use super::map::shown;
use super::report::{Clause, Stop};
use super::task::race;
use crate::store::{Record, Write};

const ONE_WINNER: &str = "exactly one write that is confirmed";

pub(super) async fn insert(contract: &Contract) -> Result<(), Stop> {
    for _ in 0..contract.rounds {
        let id = contract.fixture.id();
        let mut writes = Vec::with_capacity(contract.tasks);
        for _ in 0..contract.tasks {
            let (grant, _) =
                contract.fixture.offered_as(id, &contract.fixture.pair(), contract.fixture.now)?;
            writes.push(Write::insert(grant, contract.fixture.now));
        }
        expect_one_winner(contract, Clause::InsertRace, writes).await?;
    }
    Ok(())
}

pub(super) async fn replace(contract: &Contract) -> Result<(), Stop> {
    let pair = contract.fixture.pair();
    for _ in 0..contract.rounds {
        let (grant, _) = contract.fixture.offered(&pair)?;
        let id = grant.id();
        let record = contract.insert(grant).await?;
        let mut writes = Vec::with_capacity(contract.tasks);
        for _ in 0..contract.tasks {
            let (next, _) = contract.fixture.offered_as(id, &pair, contract.fixture.now)?;
            writes.push(Write::replace(record.version(), next, contract.fixture.now));
        }
        expect_one_winner(contract, Clause::ReplaceRace, writes).await?;
    }
    Ok(())
}

async fn expect_one_winner(contract: &Contract, clause: Clause, writes: Vec<Write>) -> Result<(), Stop> {
    let id = writes.first().map(Write::id);
    let tasks = writes.into_iter().map(|write| {
        let contract = contract.clone();
        async move {
            let won = contract.commit(&write).await?;
            Ok::<_, Stop>(won.then(|| write.next().clone()))
        }
    });
    let mut winners: Vec<Record> = Vec::new();
    for outcome in race(&contract.spawn, tasks).await {
        winners.extend(outcome.ok_or(Stop::LostTask)??);
    }
    contract.expect(clause, winners.len() == 1, ONE_WINNER, || format!("{} of them", winners.len()));
    match (winners.as_slice(), id) {
        ([winner], _) => contract.expect_record(clause, "what the winner wrote", winner).await,
        ([], Some(id)) => {
            let stored = contract.load(id).await?;
            contract.expect(clause, false, "somebody to win", || shown(stored.as_ref()));
            Ok(())
        }
        _ => Ok(()),
    }
}
