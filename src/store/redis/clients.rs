//! [`ClientRegistry`] and [`Registrar`] on Redis. A client and its entries in the indexes are in one slot, so that they
//! change in one step; sixteen slots share the clients among a cluster's nodes.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::join_all;
use redis::Value;

use super::RedisStore;
use super::answer::{list, record, text, unexpected};
use super::scripts::{Call, REMOVE_CLIENT, SET_CLIENT, command};
use crate::client::{Client, ClientId, ClientListing, ClientPage, ClientRegistry};
use crate::client::{Registrar, RegistryError, Replacement};
use crate::secret::Digest;
use crate::store::StoreError;

const PARTS: u8 = 16;

#[async_trait]
impl ClientRegistry for RedisStore {
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, StoreError> {
        let answer = self.server.read(command("GET", self.names.client(part_of(id), id))).await?;
        if answer == Value::Nil {
            return Ok(None);
        }
        let (_, body) = record(&answer)?;
        let body = serde_json::from_str(body).map_err(StoreError::permanent)?;
        Ok(Some(Arc::new(Client::decode(&body).map_err(StoreError::permanent)?)))
    }
}

#[async_trait]
impl Registrar for RedisStore {
    async fn insert(&self, client: Client) -> Result<(), RegistryError> {
        self.set(&client, "").await
    }

    async fn replace(&self, change: Replacement) -> Result<(), RegistryError> {
        self.set(change.client(), &change.expect().to_string()).await
    }

    async fn remove(&self, id: &ClientId) -> Result<(), RegistryError> {
        let part = part_of(id);
        let keys = [self.names.client(part, id), self.names.clients(part)];
        let call = Call::script(&REMOVE_CLIENT, &[&keys[0], &keys[1]], &[id.as_str().as_bytes()]);
        outcome(&self.server.write(call).await?)
    }

    /// The first ids of every part, merged; one that was removed meanwhile is left out.
    async fn clients(&self, page: &ClientPage) -> Result<ClientListing, StoreError> {
        let wanted = page.limit as usize + 1;
        let parts = join_all((0..PARTS).map(|part| self.ids(part, page, wanted))).await;
        let mut ids = parts.into_iter().collect::<Result<Vec<_>, _>>()?.concat();
        ids.sort();
        ids.truncate(wanted);
        let next = ids.get(page.limit as usize - 1).filter(|_| ids.len() == wanted).cloned();
        ids.truncate(page.limit as usize);
        let found = join_all(ids.iter().map(|id| self.client(id))).await;
        let clients = found.into_iter().filter_map(Result::transpose).collect::<Result<Vec<_>, _>>()?;
        let mut listing = ClientListing::of(clients, page);
        listing.next = next;
        Ok(listing)
    }
}

impl RedisStore {
    async fn ids(&self, part: u8, page: &ClientPage, limit: usize) -> Result<Vec<ClientId>, StoreError> {
        let key = match &page.owner {
            Some(owner) => self.names.clients_of(part, owner),
            None => self.names.clients(part),
        };
        let from = page.after.as_ref().map_or_else(|| "-".to_owned(), |after| format!("({after}"));
        let range = command("ZRANGEBYLEX", (key, from, "+", "LIMIT", 0, limit));
        let ids = list(self.server.read(range).await?)?;
        let damaged = |_| StoreError::permanent("an index of clients is damaged");
        ids.into_iter().map(|id| Ok(ClientId::new(String::from_utf8(id).map_err(damaged)?))).collect()
    }

    /// Writes a client over the one of this revision; if it is empty, there must be none.
    async fn set(&self, client: &Client, expect: &str) -> Result<(), RegistryError> {
        let (id, part) = (client.id(), part_of(client.id()));
        let owner = client.owner().map(|owner| self.names.clients_of(part, owner));
        let owners = owner.as_deref().unwrap_or_default();
        let value = format!("{} {owners}\n{}", client.revision(), client.encode());
        let (key, all) = (self.names.client(part, id), self.names.clients(part));
        let keys: Vec<&str> = [&*key, &*all].into_iter().chain(owner.as_deref()).collect();
        let arguments = [expect.as_bytes(), value.as_bytes(), id.as_str().as_bytes()];
        outcome(&self.server.write(Call::script(&SET_CLIENT, &keys, &arguments)).await?)
    }
}

fn part_of(id: &ClientId) -> u8 {
    Digest::of("grantor:redis:v1", id.as_str().as_bytes()).expose()[0] % PARTS
}

/// What a script says of a change.
fn outcome(answer: &Value) -> Result<(), RegistryError> {
    match text(answer)? {
        "done" => Ok(()),
        "exists" => Err(RegistryError::Exists),
        "missing" => Err(RegistryError::Missing),
        "changed" => Err(RegistryError::Changed),
        _ => Err(unexpected(answer).into()),
    }
}
