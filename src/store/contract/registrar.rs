//! The clauses of a [`Registrar`].

use std::sync::Arc;

use super::fixture::client_named;
use super::report::{Clause, Report, Stop, Violations};
use super::task::race;
use super::{Context, Suite};
use crate::client::{Client, ClientId, ClientPage, Registrar, RegistryError, Replacement};
use crate::store::BackendError;

type Clients = Context<dyn Registrar>;

impl<S: Registrar + 'static> Suite<S> {
    /// Checks the registry against every clause of [`Registrar`]. It may contain other clients.
    ///
    /// # Errors
    /// Every clause that the registry violated.
    pub async fn check_registrar(self) -> Result<Report, Violations> {
        let clients = self.context(self.subject.clone() as Arc<dyn Registrar>);
        clauses! {
            self, clients,
            Register: register,
            ReplaceClient: replace,
            RemoveClient: remove,
            ListClients: list,
            RegisterRace: register_race,
            ChangeRace: change_race,
        }
        clients.findings.close(clients.fixture.seed())
    }
}

async fn register(clients: &Clients) -> Result<(), Stop> {
    let clause = Clause::Register;
    for name in ["it's \"quoted\" \\", "żółw 🐢", ""] {
        let client = clients.named(name);
        clients.expect_found(clause, client.id(), None).await?;
        clients.expect_done(clause, clients.store.insert(client.clone()).await)?;
        clients.expect_found(clause, client.id(), Some(&client)).await?;

        let other = Client { owner: Some("somebody".to_owned()), ..client.clone() };
        let again = clients.store.insert(other).await;
        let right = matches!(again, Err(RegistryError::Exists));
        clients.expect(clause, right, "an id that is taken to be refused", || shown(&again));
        clients.expect_found(clause, client.id(), Some(&client)).await?;
        // Ids are case-sensitive, are never patterns, and keep their spaces.
        let id = client.id().as_str();
        let near = [id.to_uppercase(), id.replace('c', "_"), format!("{id} "), format!(" {id}")];
        for near in near {
            clients.expect_found(clause, &ClientId::new(near), None).await?;
        }
        for never in ["\0", "%", ""] {
            clients.expect_found(clause, &ClientId::new(never), None).await?;
        }
        clients.clear(client.id()).await?;
    }
    Ok(())
}

async fn replace(clients: &Clients) -> Result<(), Stop> {
    let clause = Clause::ReplaceClient;
    let [before, after] = ["owner", "another"].map(|owner| clients.fixture.text(owner));
    let client = Client { owner: Some(before.clone()), ..clients.named("first") };
    let change = Replacement::of(&client, Client { owner: Some(after.clone()), ..clients.named("second") });
    let late = Replacement::of(&client, clients.named("third"));
    let next = change.client().clone();
    let missing = clients.store.replace(change.clone()).await;
    let right = matches!(missing, Err(RegistryError::Missing));
    clients.expect(clause, right, "an id that is vacant to be refused", || shown(&missing));
    clients.expect_found(clause, client.id(), None).await?;
    clients.expect_done(clause, clients.store.insert(client.clone()).await)?;
    clients.expect_done(clause, clients.store.replace(change).await)?;
    clients.expect_found(clause, client.id(), Some(&next)).await?;
    for (owner, count) in [(&before, 0), (&after, 1)] {
        let owned = clients.ids(ClientPage::first(9).owned_by(owner)).await?;
        clients.expect(clause, owned.len() == count, "the client among those of its new owner only", || {
            format!("{} clients of {owner:?}", owned.len())
        });
    }

    let changed = clients.store.replace(late).await;
    let right = matches!(changed, Err(RegistryError::Changed));
    clients.expect(clause, right, "another revision to be refused", || shown(&changed));
    clients.expect_found(clause, client.id(), Some(&next)).await?;
    clients.clear(client.id()).await
}

async fn remove(clients: &Clients) -> Result<(), Stop> {
    let clause = Clause::RemoveClient;
    let client = clients.named("short-lived");
    for _ in 0..2 {
        let missing = clients.store.remove(client.id()).await;
        let right = matches!(missing, Err(RegistryError::Missing));
        clients.expect(clause, right, "an id that is vacant to be refused", || shown(&missing));
        clients.expect_done(clause, clients.store.insert(client.clone()).await)?;
        clients.expect_found(clause, client.id(), Some(&client)).await?;
        clients.expect_done(clause, clients.store.remove(client.id()).await)?;
        clients.expect_found(clause, client.id(), None).await?;
    }
    Ok(())
}

async fn list(clients: &Clients) -> Result<(), Stop> {
    let clause = Clause::ListClients;
    let owner = clients.fixture.text("o'wner");
    let mut owned = Vec::new();
    let mut others = Vec::new();
    for number in 0..7 {
        let client = clients.named("listed");
        let client = Client { owner: (number % 2 == 0).then(|| owner.clone()), ..client };
        clients.expect_done(clause, clients.store.insert(client.clone()).await)?;
        if client.owner.is_some() { &mut owned } else { &mut others }.push(client.id().clone());
    }
    owned.sort();
    for limit in 1..=owned.len() as u32 + 1 {
        let found = clients.ids(ClientPage::first(limit).owned_by(&owner)).await?;
        clients.expect(clause, found == owned, "an owner's clients in the order of their ids", || {
            format!("{found:?} instead of {owned:?} in pages of {limit}")
        });
    }
    let none = clients.ids(ClientPage::first(9).owned_by("")).await?;
    clients
        .expect(clause, none.is_empty(), "no client of an owner that there is not", || format!("{none:?}"));
    let all = clients.ids(ClientPage::first(100)).await?;
    let ascending = all.windows(2).all(|pair| pair[0] < pair[1]);
    clients.expect(clause, ascending, "every client once, in the order of the ids", || format!("{all:?}"));
    for id in owned.iter().chain(&others) {
        clients.expect(clause, all.contains(id), "every client on a page", || format!("no {id}"));
        clients.clear(id).await?;
    }
    Ok(())
}

async fn register_race(clients: &Clients) -> Result<(), Stop> {
    for _ in 0..clients.rounds {
        let client = clients.named("raced");
        let tasks = (0..clients.tasks).map(|number| {
            let (clients, owner) = (clients.clone(), Some(number.to_string()));
            let client = Client { owner, ..client.clone() };
            async move { clients.store.insert(client).await }
        });
        let mut registered = 0;
        for outcome in race(&clients.spawn, tasks).await {
            match outcome.ok_or(Stop::LostTask)? {
                Ok(()) => registered += 1,
                Err(RegistryError::Exists) => {}
                Err(error) => return Err(stop(error)),
            }
        }
        let expected = "exactly one registration";
        clients.expect(Clause::RegisterRace, registered == 1, expected, || format!("{registered} of them"));
        clients.clear(client.id()).await?;
    }
    Ok(())
}

async fn change_race(clients: &Clients) -> Result<(), Stop> {
    for _ in 0..clients.rounds {
        let client = clients.named("changed");
        clients.store.insert(client.clone()).await.map_err(stop)?;
        let tasks = (0..clients.tasks).map(|number| {
            let (clients, owner) = (clients.clone(), Some(number.to_string()));
            let change = Replacement::of(&client, Client { owner, ..client.clone() });
            async move { clients.store.replace(change).await }
        });
        let mut changes = 0;
        for outcome in race(&clients.spawn, tasks).await {
            match outcome.ok_or(Stop::LostTask)? {
                Ok(()) => changes += 1,
                Err(RegistryError::Changed) => {}
                Err(error) => return Err(stop(error)),
            }
        }
        clients
            .expect(Clause::ChangeRace, changes == 1, "exactly one change", || format!("{changes} of them"));
        clients.clear(client.id()).await?;
    }
    Ok(())
}

/// More pages than any listing of this suite has.
const MOST_PAGES: usize = 10_000;

impl Clients {
    fn named(&self, name: &str) -> Client {
        client_named(&format!("client-{}", self.fixture.id()), name)
    }

    async fn clear(&self, id: &ClientId) -> Result<(), Stop> {
        self.store.remove(id).await.map_err(stop)
    }

    async fn ids(&self, mut page: ClientPage) -> Result<Vec<ClientId>, Stop> {
        let mut ids = Vec::new();
        for _ in 0..MOST_PAGES {
            let listing = self.store.clients(&page).await?;
            let full = listing.clients.len() <= page.limit as usize;
            self.expect(Clause::ListClients, full, "at most as many as the limit", || "more".to_owned());
            ids.extend(listing.clients.iter().map(|client| client.id().clone()));
            match listing.next {
                Some(next) => page = page.after(next),
                None => return Ok(ids),
            }
        }
        Err(Stop::Endless)
    }

    fn expect_done(&self, clause: Clause, outcome: Result<(), RegistryError>) -> Result<(), Stop> {
        self.expect(clause, outcome.is_ok(), "a change whose condition holds", || shown(&outcome));
        outcome.map_err(stop)
    }

    async fn expect_found(&self, clause: Clause, id: &ClientId, client: Option<&Client>) -> Result<(), Stop> {
        let found = match self.store.try_client(id) {
            Some(found) => found,
            None => self.store.client(id).await?,
        };
        let expected = if client.is_some() { "the client as it was written" } else { "no client" };
        self.expect(clause, found.as_deref() == client, expected, || match found {
            Some(found) => format!("{}", found.encode()),
            None => "none".to_owned(),
        });
        Ok(())
    }
}

fn shown(outcome: &Result<(), RegistryError>) -> String {
    match outcome {
        Ok(()) => "a change".to_owned(),
        Err(error) => error.to_string(),
    }
}

fn stop(error: RegistryError) -> Stop {
    Stop::Store(match error {
        RegistryError::Store(error) => error,
        RegistryError::Exists | RegistryError::Missing | RegistryError::Changed => {
            BackendError::permanent(error)
        }
    })
}
