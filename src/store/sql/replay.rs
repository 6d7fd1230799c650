//! The table `grantor_replays`: the single-use identifiers that were used.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::super::{BackendError, CommitError, ReplayGuard, ReplayKey};
use super::grants::up;
use super::{Engine, Lane, SqlStore, Value};

/// An expired row that was not purged yet is reused.
pub(in crate::store) const FIRST_USE: &str = "INSERT INTO grantor_replays (space, id, until) VALUES ($1, $2, $3) \
     ON CONFLICT (space, id) DO UPDATE SET until = excluded.until WHERE grantor_replays.until <= $4";

#[async_trait]
impl<E: Engine> ReplayGuard for SqlStore<E> {
    async fn first_use(
        &self,
        key: &ReplayKey,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<bool, BackendError> {
        // Rounded so that the identifier is remembered slightly longer, never shorter.
        let values = [
            Value::Text(&self.space),
            Value::Bytes(key.as_bytes()),
            Value::Integer(up(until)),
            Value::Integer(now.timestamp()),
        ];
        match self.engine.change(Lane::Request, FIRST_USE, &values).await {
            Ok(changed) => Ok(changed > 0),
            Err(CommitError::Conflict) => Ok(false),
            Err(CommitError::Store(error)) => Err(error),
        }
    }
}
