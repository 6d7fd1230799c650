//! The table `grantor_keys`: one versioned cell for each space. It holds private keys.

use async_trait::async_trait;

use super::super::{BackendError, CommitError};
use super::grants::{number, version};
use super::{Columns, Engine, Lane, SqlStore, Value};
use crate::keys::{KeyRecord, KeyStore};

pub(in crate::store) const LOAD: &str = "SELECT version, body FROM grantor_keys WHERE space = $1";

pub(in crate::store) const INSERT: &str =
    "INSERT INTO grantor_keys (space, version, body) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";

pub(in crate::store) const REPLACE: &str =
    "UPDATE grantor_keys SET version = $2, body = $3 WHERE space = $1 AND version = $4";

#[async_trait]
impl<E: Engine> KeyStore for SqlStore<E> {
    async fn load(&self) -> Result<Option<KeyRecord>, BackendError> {
        let rows = self.engine.rows(LOAD, &[Value::Text(&self.space)]).await?;
        rows.first().map(|row| Ok(KeyRecord::new(version(row.integer(0)?), row.text(1)?))).transpose()
    }

    async fn commit(&self, expect: Option<u64>, body: &str) -> Result<u64, CommitError> {
        let next = expect.map_or(1, |version| version.saturating_add(1));
        let cell = [Value::Text(&self.space), Value::Integer(number(next)), Value::Text(body)];
        let changed = match expect {
            None => self.engine.change(Lane::Request, INSERT, &cell).await?,
            Some(expect) => {
                let values = [&cell[..], &[Value::Integer(number(expect))]].concat();
                self.engine.change(Lane::Request, REPLACE, &values).await?
            }
        };
        match changed {
            0 => Err(CommitError::Conflict),
            _ => Ok(next),
        }
    }
}
