//! Many grants at once: one flush to the disk in place of many.

use std::collections::{HashMap, HashSet};
use std::error::Error as _;

use super::super::{CommitError, Committed, StoreError, TokenStore, Write};
use super::grants::number;
use super::{Engine, SqlStore};

/// A grant that is written under its old index columns.
pub struct Replacement<'a> {
    pub(in crate::store) space: &'a str,
    pub(in crate::store) id: [u8; 16],
    /// The version that has to be there.
    pub(in crate::store) expect: i64,
    pub(in crate::store) version: i64,
    pub(in crate::store) body: String,
    /// In seconds since 1970.
    pub(in crate::store) expires: i64,
}

impl std::fmt::Debug for Replacement<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Replacement(..)")
    }
}

impl<E: Engine> SqlStore<E> {
    /// The replacements together; one by one what else there is.
    pub(super) async fn commit_batch(&self, writes: &[Write]) -> Vec<Result<Committed, CommitError>> {
        let mut seen = HashSet::new();
        let mut together =
            |write: &Write| write.expect().is_some() && !write.reindexes() && seen.insert(write.id());
        let batch: Vec<usize> = (0..writes.len()).filter(|at| together(&writes[*at])).collect();
        let mut outcomes = HashMap::new();
        if batch.len() > 1 {
            let rows: Vec<_> = batch.iter().map(|at| self.replacement(&writes[*at])).collect();
            let answer = self.engine.replace_all(&rows).await;
            for (row, at) in batch.into_iter().enumerate() {
                outcomes.insert(at, outcome(&answer, row, &writes[at]));
            }
        }
        let mut all = Vec::with_capacity(writes.len());
        for (at, write) in writes.iter().enumerate() {
            all.push(match outcomes.remove(&at) {
                Some(outcome) => outcome,
                None => self.commit(write).await,
            });
        }
        all
    }

    fn replacement(&self, write: &Write) -> Replacement<'_> {
        Replacement {
            space: &self.space,
            id: *write.id().as_bytes(),
            expect: number(write.expect().unwrap_or_default()),
            version: number(write.next().version()),
            body: write.body(),
            expires: write.next().index().expires.timestamp(),
        }
    }
}

fn outcome(
    answer: &Result<Vec<bool>, CommitError>,
    row: usize,
    write: &Write,
) -> Result<Committed, CommitError> {
    match answer {
        Ok(done) if done.get(row) == Some(&true) => Ok(write.committed()),
        Ok(_) | Err(CommitError::Conflict) => Err(CommitError::Conflict),
        Err(CommitError::Store(error)) => Err(again(error).into()),
    }
}

/// The same error for one more write.
fn again(error: &StoreError) -> StoreError {
    let why = error.source().map(ToString::to_string).unwrap_or_default();
    match (error.is_permanent(), error.is_unknown_outcome()) {
        (true, _) => StoreError::permanent(why),
        (false, true) => StoreError::unknown_outcome(why),
        (false, false) => StoreError::transient(why),
    }
}
