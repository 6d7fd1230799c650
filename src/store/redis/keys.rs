//! [`KeyStore`] on Redis: the ring, with its private keys, is one Redis key.

use async_trait::async_trait;
use redis::Value;

use super::RedisStore;
use super::answer::record;
use super::scripts::{Call, PUT, command};
use crate::keys::{KeyRecord, KeyStore};
use crate::store::{BackendError, CommitError};

#[async_trait]
impl KeyStore for RedisStore {
    async fn load(&self) -> Result<Option<KeyRecord>, BackendError> {
        let answer = self.server.read(command("GET", self.names.keys())).await?;
        if answer == Value::Nil {
            return Ok(None);
        }
        let (version, body) = record(&answer)?;
        Ok(Some(KeyRecord::new(version, body)))
    }

    async fn commit(&self, expect: Option<u64>, body: &str) -> Result<u64, CommitError> {
        let next = expect.map_or(1, |version| version.saturating_add(1));
        let expect = expect.map(|version| version.to_string()).unwrap_or_default();
        // A record like that of a grant, without a user code or an expiry.
        let value = format!("{next} 0 \n{body}");
        let arguments = [expect.as_bytes(), value.as_bytes(), b""];
        match self.server.write(Call::script(&PUT, &[&self.names.keys()], &arguments)).await? {
            Value::Nil => Err(CommitError::Conflict),
            _ => Ok(next),
        }
    }
}
