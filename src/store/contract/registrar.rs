//! The clauses of a [`Registrar`].

use std::sync::Arc;

use super::fixture::client_named;
use super::full_clients::{bare_clients, full_clients};
use super::lost_members::differences;
use super::report::{Clause, Report, Stop, Violations};
use super::task::race;
use super::{Context, Suite};
use crate::client::{Client, ClientId, ClientPage, ClientState, Registrar, RegistryError, Replacement};
use crate::store::BackendError;

type Clients = Context<dyn Registrar>;

impl<S: Registrar + 'static> Suite<S> {
    /// Checks the registry against every clause of [`Registrar`]. It may contain other clients, but no server
    /// may [sweep](crate::AuthorizationServer::sweep_clients) them meanwhile: some clients of the suite are
    /// in the state [`Ending`](ClientState::Ending).
    ///
    /// Some have every member that a client can have, so that a registry with columns of its own cannot lose
    /// one: keep the whole [`Client::encode`]. A violation names each member that was lost.
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
    for client in full_clients(&clients.fixture)? {
        clients.expect_done(clause, clients.store.insert(client.clone()).await)?;
        clients.expect_found(clause, client.id(), Some(&client)).await?;
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
    clients.clear(client.id()).await?;
    replace_members(clients).await
}

/// Each member appears, stays while the state changes, and disappears.
async fn replace_members(clients: &Clients) -> Result<(), Stop> {
    use ClientState::{Active, Disabled, Ending};
    let clause = Clause::ReplaceClient;
    for full in full_clients(&clients.fixture)? {
        let bare = clients.named("bare");
        clients.expect_done(clause, clients.store.insert(bare.clone()).await)?;
        let states = [Active, Disabled, Active, Ending, full.state];
        let steps = states.into_iter().map(|state| full.clone().in_state(state));
        let [without_uris, without_grant_types] = bare_clients()?;
        let mut current = bare.clone();
        for next in steps.chain([without_uris, full.clone(), without_grant_types]) {
            let change = Replacement::of(&current, next);
            current = change.client().clone();
            clients.expect_done(clause, clients.store.replace(change).await)?;
            clients.expect_found(clause, bare.id(), Some(&current)).await?;
        }
        clients.clear(bare.id()).await?;
    }
    Ok(())
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
    let mut full = full_clients(&clients.fixture)?;
    for client in &mut full {
        client.owner = Some(owner.clone());
        clients.expect_done(clause, clients.store.insert(client.clone()).await)?;
        owned.push(client.id().clone());
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
    for page in [ClientPage::first(100).owned_by(&owner), ClientPage::first(100)] {
        let listed = clients.listed(page).await?;
        for client in &full {
            // Another check says whether it is on a page at all.
            let found = listed.iter().find(|found| found.id() == client.id());
            found.iter().for_each(|found| clients.expect_same(clause, client, found));
        }
    }
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

    async fn ids(&self, page: ClientPage) -> Result<Vec<ClientId>, Stop> {
        Ok(self.listed(page).await?.iter().map(|client| client.id().clone()).collect())
    }

    async fn listed(&self, mut page: ClientPage) -> Result<Vec<Arc<Client>>, Stop> {
        let mut listed = Vec::new();
        for _ in 0..MOST_PAGES {
            let listing = self.store.clients(&page).await?;
            let full = listing.clients.len() <= page.limit as usize;
            self.expect(Clause::ListClients, full, "at most as many as the limit", || "more".to_owned());
            listed.extend(listing.clients);
            match listing.next {
                Some(next) => page = page.after(next),
                None => return Ok(listed),
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
        match (client, found) {
            (Some(client), Some(found)) => self.expect_same(clause, client, &found),
            (client, found) => {
                let expected = if client.is_some() { "the client that was written" } else { "no client" };
                self.expect(clause, client.is_none() && found.is_none(), expected, || match found {
                    Some(found) => format!("{}", found.encode()),
                    None => "none".to_owned(),
                });
            }
        }
        Ok(())
    }

    /// One violation for each member that differs.
    fn expect_same(&self, clause: Clause, client: &Client, found: &Client) {
        let expected = "the client as it was written";
        let differing = differences(client, found);
        self.expect(clause, !differing.is_empty() || client == found, expected, || "another".to_owned());
        for (member, value) in differing {
            self.expect(clause, false, &format!("the member {member} as it was written"), || value);
        }
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
