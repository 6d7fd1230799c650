//! The negative control of the suite for a registry: a registry that loses one member.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::fixture::Fixture;
use super::full_clients::full_clients;
use super::lost_members::members;
use super::{Clause, Suite, Violations};
use crate::base::Digest;
use crate::client::{AuthMethod, Client, ClientId, ClientListing, ClientPage, ClientRegistry, ClientState};
use crate::client::{Registrar, RegistryError, Replacement, SecretHash};
use crate::error::BackendError;
use crate::store::contract::task::block_on;

/// Where the member is lost.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Insert,
    Replace,
    Client,
    Clients,
    /// A change keeps the old member, if the new client has none: `COALESCE(new.x, x)`.
    Merge,
}

struct Lossy {
    rows: Mutex<BTreeMap<ClientId, Client>>,
    member: String,
    step: Step,
}

impl Lossy {
    fn at(&self, step: Step, client: &Client) -> Client {
        if self.step == step { without(client, &self.member) } else { client.clone() }
    }

    fn rows<T>(&self, run: impl FnOnce(&mut BTreeMap<ClientId, Client>) -> T) -> T {
        run(&mut self.rows.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The client without this member, without the checks of the builder.
fn without(client: &Client, member: &str) -> Client {
    let client = client.clone();
    match member.split_once('.') {
        Some(("metadata", name)) => Client { metadata: cut(&client.metadata, name), ..client },
        Some(("self_registration", name)) => {
            let own = client.self_registration.map(|own| Box::new(cut(&*own, name)));
            Client { self_registration: own, ..client }
        }
        Some((secret, part)) => {
            let at = if secret == "secrets[0]" { 0 } else { 1 };
            let mut secrets = client.secrets.clone();
            if let Some(secret) = secrets.get_mut(at) {
                match part {
                    "sealed" => secret.sealed = None,
                    "expires" => secret.expires = None,
                    _ => secret.hash = SecretHash::Sha256(Digest::of("grantor:contract", b"another")),
                }
            }
            Client { secrets, ..client }
        }
        None => match member {
            "client_id_issued_at" => Client { issued: None, ..client },
            "owner" => Client { owner: None, ..client },
            "revision" => Client { revision: 0, ..client },
            "state" => client.in_state(ClientState::Active),
            "redirect_uris()" => Client { redirect_uris: Box::default(), ..client },
            "auth_method()" => Client { auth_method: AuthMethod::ClientSecretBasic, ..client },
            "keys()" => Client { keys: None, ..client },
            "sector()" => Client { sector: None, ..client },
            "document_host()" => client.of_document(),
            other => panic!("lose {other} here, too"),
        },
    }
}

fn cut<T: serde::Serialize + DeserializeOwned>(whole: &T, name: &str) -> T {
    let mut members: Map<String, Value> =
        serde_json::from_value(serde_json::to_value(whole).unwrap()).unwrap();
    members.remove(name);
    serde_json::from_value(Value::Object(members)).unwrap()
}

/// `next`, but with the member of `current` if it has none.
fn merged(current: &Client, next: Client, member: &str) -> Client {
    let lacks = !members(&next.encode()).contains_key(member);
    match member.split_once('.') {
        Some(("metadata", name)) if lacks => {
            let mut all = serde_json::to_value(&next.metadata).unwrap();
            let old = serde_json::to_value(&current.metadata).unwrap();
            if let Some(value) = old.get(name) {
                all[name] = value.clone();
            }
            Client { metadata: serde_json::from_value(all).unwrap(), ..next }
        }
        Some(("self_registration", _)) if lacks => {
            Client { self_registration: current.self_registration.clone(), ..next }
        }
        None if lacks && member == "client_id_issued_at" => Client { issued: current.issued, ..next },
        None if lacks && member == "state" => next.in_state(current.state),
        _ => next,
    }
}

#[async_trait]
impl ClientRegistry for Lossy {
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, BackendError> {
        Ok(self.rows(|rows| rows.get(id).map(|client| Arc::new(self.at(Step::Client, client)))))
    }
}

#[async_trait]
impl Registrar for Lossy {
    async fn insert(&self, client: Client) -> Result<(), RegistryError> {
        self.rows(|rows| match rows.contains_key(client.id()) {
            true => Err(RegistryError::Exists),
            false => {
                rows.insert(client.id().clone(), self.at(Step::Insert, &client));
                Ok(())
            }
        })
    }

    async fn replace(&self, change: Replacement) -> Result<(), RegistryError> {
        self.rows(|rows| {
            let current = rows.get_mut(change.client().id()).ok_or(RegistryError::Missing)?;
            // A column of its own, in which this registry does not lose the revision.
            if current.revision != change.expect() && self.member != "revision" {
                return Err(RegistryError::Changed);
            }
            let next = self.at(Step::Replace, change.client());
            *current = if self.step == Step::Merge { merged(current, next, &self.member) } else { next };
            Ok(())
        })
    }

    async fn remove(&self, id: &ClientId) -> Result<(), RegistryError> {
        self.rows(|rows| rows.remove(id).map(|_| ()).ok_or(RegistryError::Missing))
    }

    async fn clients(&self, page: &ClientPage) -> Result<ClientListing, BackendError> {
        let found = self.rows(|rows| {
            let wanted = rows.values().filter(|client| page.wants(client));
            let wanted = wanted.map(|client| Arc::new(self.at(Step::Clients, client)));
            wanted.take(page.limit as usize + 1).collect()
        });
        Ok(ClientListing::of(found, page))
    }
}

fn violations(member: &str, step: Step) -> Violations {
    let registry = Lossy { rows: Mutex::default(), member: member.to_owned(), step };
    let suite = Suite::new(registry).only([Clause::Register, Clause::ReplaceClient, Clause::ListClients]);
    let outcome = block_on(suite.check_registrar());
    outcome.expect_err(&format!("{member} was lost at {step:?}, and the suite did not notice"))
}

/// Every member that a registry could lose.
fn every_member() -> BTreeSet<String> {
    let clients = full_clients(&Fixture::new(1)).unwrap();
    let bodies: Vec<Value> = clients.iter().map(Client::encode).collect();
    let all = bodies.iter().flat_map(|body| members(body).into_keys());
    all.filter(|member| !["v", "client_id"].contains(&member.as_str())).collect()
}

#[test]
fn a_registry_that_loses_any_member_is_caught_and_the_member_is_named() {
    let computed = ["redirect_uris()", "auth_method()", "keys()", "sector()", "document_host()"];
    for member in every_member().into_iter().chain(computed.map(str::to_owned)) {
        for (step, clause) in [
            (Step::Insert, Clause::Register),
            (Step::Replace, Clause::ReplaceClient),
            (Step::Client, Clause::Register),
            (Step::Client, Clause::ReplaceClient),
            (Step::Clients, Clause::ListClients),
        ] {
            let found = violations(&member, step);
            let named = format!("the member {member} as it was written");
            let is_named = |v: &&super::Violation| v.clause() == clause && v.expected() == named;
            assert!(found.all().iter().any(|v| is_named(&v)), "{member} at {step:?}: {found}");
        }
    }
}

#[test]
fn a_registry_that_loses_the_revision_is_caught() {
    for step in [Step::Replace, Step::Client] {
        let found = violations("revision", step).to_string();
        assert!(found.contains("ReplaceClient: expected the member revision as it was written"), "{found}");
    }
}

#[test]
fn a_registry_that_keeps_a_member_that_a_change_removes_is_caught() {
    let kept = every_member();
    let kept = kept.iter().filter(|member| !member.starts_with("secrets") && *member != "owner");
    for member in kept {
        let found = violations(member, Step::Merge).to_string();
        assert!(found.contains(&format!("the member {member} as it was written")), "{member}: {found}");
    }
}
