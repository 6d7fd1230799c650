//! [`ClientRegistry`] and [`Registrar`] on Redis. A client and its index entries are in the same hash slot,
//! so that they change in one step; sixteen slots spread the clients over the nodes of a cluster.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::{join_all, try_join_all};
use redis::Value;

use super::answer::{list, record, text, unexpected};
use super::index::PARTS;
use super::scripts::{Call, REMOVE_CLIENT, SET_CLIENT, command};
use super::{LONGEST_PAGE, RedisStore};
use crate::base::Digest;
use crate::client::{
    Client, ClientId, ClientListing, ClientPage, ClientRegistry, Registrar, RegistryError, Replacement,
};
use crate::store::BackendError;

#[async_trait]
impl ClientRegistry for RedisStore {
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, BackendError> {
        let answer = self.server.read(command("GET", self.names.client(part_of(id), id))).await?;
        if answer == Value::Nil {
            return Ok(None);
        }
        let (_, body) = record(&answer)?;
        let body = serde_json::from_str(body).map_err(BackendError::permanent)?;
        Ok(Some(Arc::new(Client::decode(&body).map_err(BackendError::permanent)?)))
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

    async fn clients(&self, page: &ClientPage) -> Result<ClientListing, BackendError> {
        let limit = page.limit.clamp(1, LONGEST_PAGE) as usize;
        let parts = (0..PARTS).map(|part| self.ids(part, page, limit + 1));
        let mut ids = try_join_all(parts).await?.concat();
        ids.sort_unstable();
        ids.truncate(limit + 1);
        // A client that was removed in the meantime is missing from the page, which is nevertheless not the
        // last one.
        let more = ids.len() > limit;
        let last = ids.get(limit - 1).filter(|_| more).cloned();
        ids.truncate(limit);
        let mut listing = ClientListing { next: last, ..ClientListing::default() };
        for (id, found) in ids.iter().zip(join_all(ids.iter().map(|id| self.client(id))).await) {
            match found {
                Ok(found) => listing.clients.extend(found),
                Err(error) if error.is_permanent() => listing.damaged.push(id.clone()),
                Err(error) => return Err(error),
            }
        }
        Ok(listing)
    }
}

impl RedisStore {
    /// Replaces the client with this revision; with an empty revision, the id must be vacant.
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

    /// The first ids of a part after the page's start.
    async fn ids(&self, part: u8, page: &ClientPage, limit: usize) -> Result<Vec<ClientId>, BackendError> {
        let index = match &page.owner {
            Some(owner) => self.names.clients_of(part, owner),
            None => self.names.clients(part),
        };
        let from = page.after.as_ref().map_or_else(|| "-".to_owned(), |id| format!("({}", id.as_str()));
        let ids =
            list(self.server.read(command("ZRANGEBYLEX", (index, from, "+", "LIMIT", 0, limit))).await?)?;
        let id = |bytes| String::from_utf8(bytes).map(ClientId::new).map_err(BackendError::permanent);
        ids.into_iter().map(id).collect()
    }
}

fn part_of(id: &ClientId) -> u8 {
    Digest::of("grantor:redis:v1", id.as_str().as_bytes()).expose()[0] % PARTS
}

/// The outcome of a change, from the reply of the script.
fn outcome(answer: &Value) -> Result<(), RegistryError> {
    match text(answer)? {
        "done" => Ok(()),
        "exists" => Err(RegistryError::Exists),
        "missing" => Err(RegistryError::Missing),
        "changed" => Err(RegistryError::Changed),
        _ => Err(unexpected(answer).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Else a later version would not find it.
    #[test]
    fn a_client_stays_in_its_part() {
        assert_eq!(["app", "robot", "api", ""].map(|id| part_of(&ClientId::new(id))), [4, 2, 3, 13]);
    }
}
