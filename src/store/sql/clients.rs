//! The table `grantor_clients`.

use std::sync::Arc;

use async_trait::async_trait;

use super::super::{BackendError, CommitError};
use super::grants::number;
use super::{Columns, Engine, Lane, SqlStore, Value};
use crate::client::{
    Client, ClientId, ClientListing, ClientPage, ClientRegistry, Registrar, RegistryError, Replacement,
};

pub(in crate::store) const FIND: &str = "SELECT body FROM grantor_clients WHERE space = $1 AND id = $2";

pub(in crate::store) const INSERT: &str = "INSERT INTO grantor_clients (space, id, revision, owner, body) VALUES ($1, $2, $3, $4, $5) \
     ON CONFLICT DO NOTHING";

pub(in crate::store) const REPLACE: &str = "UPDATE grantor_clients SET revision = $3, owner = $4, body = $5 \
     WHERE space = $1 AND id = $2 AND revision = $6";

pub(in crate::store) const REMOVE: &str = "DELETE FROM grantor_clients WHERE space = $1 AND id = $2";

pub(in crate::store) const LIST: &str =
    "SELECT body, id FROM grantor_clients WHERE space = $1 AND id > $2 ORDER BY id LIMIT $3";

pub(in crate::store) const LIST_OF_OWNER: &str =
    "SELECT body, id FROM grantor_clients WHERE space = $1 AND id > $2 AND owner = $4 ORDER BY id LIMIT $3";

#[async_trait]
impl<E: Engine> ClientRegistry for SqlStore<E> {
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, BackendError> {
        // No client has such an id, and PostgreSQL would refuse the query.
        if id.as_str().contains('\0') {
            return Ok(None);
        }
        let values = [Value::Text(&self.space), Value::Text(id.as_str())];
        let rows = self.engine.rows(FIND, &values).await?;
        rows.first().map(client).transpose()
    }
}

#[async_trait]
impl<E: Engine> Registrar for SqlStore<E> {
    async fn insert(&self, client: Client) -> Result<(), RegistryError> {
        match self.write(INSERT, &client, None).await? {
            0 => Err(RegistryError::Exists),
            _ => Ok(()),
        }
    }

    async fn replace(&self, change: Replacement) -> Result<(), RegistryError> {
        match self.write(REPLACE, change.client(), Some(change.expect())).await? {
            0 if self.client(change.client().id()).await?.is_none() => Err(RegistryError::Missing),
            0 => Err(RegistryError::Changed),
            _ => Ok(()),
        }
    }

    async fn remove(&self, id: &ClientId) -> Result<(), RegistryError> {
        if id.as_str().contains('\0') {
            return Err(RegistryError::Missing);
        }
        let values = [Value::Text(&self.space), Value::Text(id.as_str())];
        match self.engine.change(Lane::Request, REMOVE, &values).await.map_err(registry_error)? {
            0 => Err(RegistryError::Missing),
            _ => Ok(()),
        }
    }

    async fn clients(&self, page: &ClientPage) -> Result<ClientListing, BackendError> {
        let mut values = vec![
            Value::Text(&self.space),
            Value::Text(page.after.as_ref().map_or("", ClientId::as_str)),
            // One more row shows whether another page follows.
            Value::Integer(i64::from(page.limit) + 1),
        ];
        values.extend(page.owner.as_deref().map(Value::Text));
        let statement = if page.owner.is_some() { LIST_OF_OWNER } else { LIST };
        let rows = self.engine.rows(statement, &values).await?;
        let listed = |row: &E::Row| match client(row) {
            Ok(client) => Ok(Ok(client)),
            Err(_) => row.text(1).map(|id| Err(ClientId::new(id))),
        };
        let rows = rows.iter().map(listed).collect::<Result<Vec<_>, BackendError>>()?;
        Ok(ClientListing::of_rows(rows, page))
    }
}

impl<E: Engine> SqlStore<E> {
    async fn write(
        &self,
        statement: &'static str,
        client: &Client,
        expect: Option<u64>,
    ) -> Result<u64, RegistryError> {
        let body = client.encode().to_string();
        let mut values = vec![
            Value::Text(&self.space),
            Value::Text(client.id().as_str()),
            Value::Integer(number(client.revision())),
            Value::MaybeText(client.owner()),
            Value::Text(&body),
        ];
        values.extend(expect.map(|revision| Value::Integer(number(revision))));
        self.engine.change(Lane::Request, statement, &values).await.map_err(registry_error)
    }
}

fn client(row: &impl Columns) -> Result<Arc<Client>, BackendError> {
    let body = serde_json::from_str(&row.text(0)?).map_err(BackendError::permanent)?;
    Ok(Arc::new(Client::decode(&body).map_err(BackendError::permanent)?))
}

fn registry_error(error: CommitError) -> RegistryError {
    match error {
        CommitError::Conflict => RegistryError::Exists,
        CommitError::Store(error) => RegistryError::Store(error),
    }
}
