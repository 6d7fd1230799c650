//! Clients that registered themselves and that no one uses.

use std::time::Duration;

use grantor::client::Registrar;
use grantor::{Client, ClientId, ClientState, EventKind, Registration, Replacement};

use crate::support::registering::{Own, Registering, app};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Registering {
    async fn swept(&self) -> u64 {
        self.fixture.server.sweep_clients().await.unwrap()
    }

    async fn is_there(&self, own: &Own) -> bool {
        self.stored(own.id()).await.is_some()
    }
}

#[tokio::test]
async fn a_client_that_nobody_connects_goes_and_one_that_is_connected_stays() {
    let server = Registering::on(Registration::open().unused_after(DAY));
    let hosts_own = server.registry.all().len();
    let (unused, used) = (server.registered(&app()).await, server.registered(&app()).await);
    server.tokens(&used, "read").await;
    server.fixture.clock.advance(DAY - Duration::from_secs(1));
    let is_sweep = |event: &EventKind| matches!(event, EventKind::ClientsSwept(_));
    let sweeps = || server.fixture.log.whats().into_iter().filter(is_sweep).collect::<Vec<_>>();
    assert_eq!((server.swept().await, sweeps()), (0, vec![]), "it is not time yet");
    server.fixture.clock.advance(Duration::from_secs(1));
    assert_eq!((server.swept().await, sweeps()), (1, vec![EventKind::ClientsSwept(1)]));
    assert!(!server.is_there(&unused).await && server.is_there(&used).await);

    server.fixture.clock.advance(DAY * 365);
    server.fixture.server.sweep().await.unwrap();
    assert_eq!(server.swept().await, 1, "what it had is over and purged");
    assert_eq!(server.registry.all().len(), hosts_own, "clients of the host stay, used or not");
}

#[tokio::test]
async fn by_default_no_client_goes() {
    let server = Registering::on(Registration::open());
    let own = server.registered(&app()).await;
    server.fixture.clock.advance(DAY * 3650);
    assert_eq!(server.swept().await, 0);
    assert!(server.is_there(&own).await);
}

#[tokio::test]
async fn a_deletion_that_broke_off_is_finished_and_a_disabled_client_stays_on_record() {
    let server = Registering::on(Registration::open().unused_after(DAY));
    let (ending, disabled) = (server.registered(&app()).await, server.registered(&app()).await);
    let tokens = server.tokens(&ending, "read").await;
    for (own, state) in [(&ending, ClientState::Ending), (&disabled, ClientState::Disabled)] {
        let current = server.stored(own.id()).await.unwrap();
        let next = Client::clone(&current).in_state(state);
        server.registry.replace(Replacement::of(&current, next)).await.unwrap();
    }
    let conf = ClientId::new("conf");
    server.fixture.server.set_client_state(&conf, ClientState::Disabled).await.unwrap();
    server.fixture.clock.advance(DAY * 2);
    assert_eq!(server.swept().await, 1);
    assert!(!server.is_there(&ending).await && server.is_there(&disabled).await);
    assert!(!server.fixture.is_live(&tokens.access_token()).await);
    assert!(server.stored("conf").await.is_some());
}
