//! A new secret for a client, by the host.

use std::sync::Arc;
use std::time::Duration;

use grantor::server::HostError;
use grantor::{AuthMethod, Client, ClientId, EventKind, GrantType, MemoryRegistry, Request};

use crate::support::{Fixture, basic};

fn fixture() -> Fixture {
    let robot = Client::builder("robot")
        .secret("the first secret of this robot")
        .grant_types([GrantType::ClientCredentials]);
    let public = Client::builder("app").auth_method(AuthMethod::None).redirect_uri("https://app.example/cb");
    let registry = Arc::new(MemoryRegistry::new([robot.build().unwrap(), public.build().unwrap()]));
    Fixture::with(|builder| builder.clients(registry.clone()).registrar(registry))
}

async fn status(fixture: &Fixture, secret: &str) -> u16 {
    let request =
        Request::post_form("grant_type=client_credentials").header("authorization", basic("robot", secret));
    fixture.server.token(&request).await.status
}

#[tokio::test]
async fn the_former_secret_works_for_a_while() {
    let fixture = fixture();
    let (robot, former) = (ClientId::new("robot"), "the first secret of this robot");
    let hour = Duration::from_secs(60 * 60);
    let second = fixture.server.rotate_client_secret(&robot, hour).await.unwrap().unwrap();
    assert_eq!(fixture.log.whats().pop(), Some(EventKind::ClientChanged));
    assert_eq!((status(&fixture, former).await, status(&fixture, second.reveal()).await), (200, 200));
    fixture.clock.advance(hour);
    assert_eq!((status(&fixture, former).await, status(&fixture, second.reveal()).await), (401, 200));
    let third = fixture.server.rotate_client_secret(&robot, Duration::ZERO).await.unwrap().unwrap();
    assert_eq!((status(&fixture, second.reveal()).await, status(&fixture, third.reveal()).await), (401, 200));
}

#[tokio::test]
async fn a_client_without_a_secret_gets_none() {
    let fixture = fixture();
    let rotate =
        async |id: &str| fixture.server.rotate_client_secret(&ClientId::new(id), Duration::ZERO).await;
    assert!(matches!(rotate("app").await, Err(HostError::NoSecret)));
    assert!(rotate("nobody").await.unwrap().is_none());
}
