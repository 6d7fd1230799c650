//! [`ReplayGuard`] on Redis.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use redis::Value;

use super::answer::unexpected;
use super::scripts::{Call, FIRST_USE};
use super::{RedisStore, time_to_live};
use crate::store::{BackendError, ReplayGuard, ReplayKey};

#[async_trait]
impl ReplayGuard for RedisStore {
    async fn first_use(
        &self,
        key: &ReplayKey,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<bool, BackendError> {
        let life = time_to_live(until, now);
        let [now, until] = [now, until].map(|at| at.timestamp_millis().to_string());
        let arguments = [now.as_bytes(), until.as_bytes(), life.as_bytes()];
        let call = Call::script(&FIRST_USE, &[&self.names.replay(key)], &arguments);
        match self.server.write(call).await? {
            Value::Int(new) => Ok(new == 1),
            answer => Err(unexpected(&answer)),
        }
    }
}
