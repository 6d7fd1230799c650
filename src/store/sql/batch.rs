//! Many grants at once: one flush to the disk in place of many.

use std::error::Error as _;

use super::super::{BackendError, CommitError, Committed, TokenStore, Tombstone};
use super::{Engine, SqlStore, Value};

/// A grant to end, whatever its version.
pub struct Ending<'a> {
    pub(in crate::store) space: &'a str,
    pub(in crate::store) id: [u8; 16],
    pub(in crate::store) subject: String,
    pub(in crate::store) body: String,
    /// In seconds since 1970.
    pub(in crate::store) expires: i64,
}

impl std::fmt::Debug for Ending<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ending(..)")
    }
}

impl Ending<'_> {
    /// The parameters of the statement `END`.
    pub(in crate::store) fn values(&self) -> [Value<'_>; 5] {
        [
            Value::Text(self.space),
            Value::Bytes(&self.id),
            Value::Text(&self.body),
            Value::Integer(self.expires),
            Value::Text(&self.subject),
        ]
    }
}

impl<E: Engine> SqlStore<E> {
    pub(super) async fn end_batch(&self, tombstones: &[Tombstone]) -> Vec<Result<Committed, BackendError>> {
        if let [one] = tombstones {
            return vec![self.end(one).await];
        }
        let rows: Vec<_> = tombstones.iter().map(|tombstone| self.ending(tombstone)).collect();
        let outcomes = self.engine.end_all(&rows).await;
        let each = |(tombstone, outcome): (&Tombstone, Result<(), CommitError>)| match outcome {
            Ok(()) => Ok(tombstone.committed()),
            Err(error) => Err(ending_error(error)),
        };
        tombstones.iter().zip(outcomes).map(each).collect()
    }

    pub(super) fn ending(&self, tombstone: &Tombstone) -> Ending<'_> {
        let index = tombstone.index();
        Ending {
            space: &self.space,
            id: *tombstone.id().as_bytes(),
            subject: index.subject_key(),
            body: tombstone.body(),
            expires: index.expires.timestamp(),
        }
    }
}

/// The error of an end, which has no condition and so cannot conflict.
pub(in crate::store) fn ending_error(error: CommitError) -> BackendError {
    match error {
        CommitError::Store(error) => error,
        CommitError::Conflict => BackendError::transient("a row was not changed, because of a conflict"),
    }
}

/// A copy of the error for another write of the batch.
pub(in crate::store) fn again(error: &BackendError) -> BackendError {
    let why = error.source().map(ToString::to_string).unwrap_or_default();
    match (error.is_permanent(), error.is_unknown_outcome()) {
        (true, _) => BackendError::permanent(why),
        (false, true) => BackendError::unknown_outcome(why),
        (false, false) => BackendError::transient(why),
    }
}
