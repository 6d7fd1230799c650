//! The clauses of a [`KeyStore`].

use std::sync::Arc;

use super::report::{Clause, Report, Stop, Violations};
use super::task::race;
use super::{Context, Suite};
use crate::keys::KeyStore;
use crate::store::CommitError;

type Cell = Context<dyn KeyStore>;

impl<S: KeyStore + 'static> Suite<S> {
    /// Checks the store against every clause of [`KeyStore`]. It overwrites the cell, so **never run it on
    /// the keys of a server**.
    ///
    /// # Errors
    /// Every clause that the store violated.
    pub async fn check_key_store(self) -> Result<Report, Violations> {
        let cell = self.context(self.subject.clone() as Arc<dyn KeyStore>);
        clauses! {
            self, cell,
            KeyCell: versions,
            KeyRace: races,
        }
        cell.findings.close(cell.fixture.seed())
    }
}

async fn versions(cell: &Cell) -> Result<(), Stop> {
    let clause = Clause::KeyCell;
    let mut version = cell.version().await?;
    for round in 0..3 {
        let body = format!("{{\"round\":{round},\"text\":\"it's 🐢 \\\\ line\\nbreak\"}}");
        let others = match version {
            None => [Some(0), Some(1)],
            Some(version) => [Some(version + 1), None],
        };
        for stale in others {
            let refused = cell.store.commit(stale, "stale").await;
            let right = matches!(refused, Err(CommitError::Conflict));
            cell.expect(clause, right, "another version to conflict", || format!("{refused:?}"));
        }
        let next = cell.store.commit(version, &body).await?;
        let found = cell.store.load().await?.ok_or(Stop::Vanished)?;
        let right = found.version() == next && found.body().reveal() == body && version < Some(next);
        cell.expect(clause, right, "what was committed, under a greater version", || {
            format!("version {} after {version:?}, committed as {next}", found.version())
        });
        version = Some(next);
    }
    Ok(())
}

async fn races(cell: &Cell) -> Result<(), Stop> {
    for _ in 0..cell.rounds {
        let version = cell.version().await?;
        let tasks = (0..cell.tasks).map(|number| {
            let cell = cell.clone();
            async move { cell.store.commit(version, &number.to_string()).await }
        });
        let mut winners = Vec::new();
        for (number, outcome) in race(&cell.spawn, tasks).await.into_iter().enumerate() {
            match outcome.ok_or(Stop::LostTask)? {
                Ok(_) => winners.push(number.to_string()),
                Err(CommitError::Conflict) => {}
                Err(CommitError::Store(error)) => return Err(error.into()),
            }
        }
        let found = cell.store.load().await?.ok_or(Stop::Vanished)?;
        let right = winners.len() == 1 && winners[0] == found.body().reveal();
        cell.expect(Clause::KeyRace, right, "exactly one write, and its body", || {
            format!("{} of them", winners.len())
        });
    }
    Ok(())
}

impl Cell {
    async fn version(&self) -> Result<Option<u64>, Stop> {
        Ok(self.store.load().await?.map(|record| record.version()))
    }
}
