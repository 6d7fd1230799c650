//! A client that is disabled or being deleted.

use std::sync::Arc;

use grantor::client::Registrar;
use grantor::{Client, ClientId, ClientRegistry, ClientState, MemoryRegistry, Replacement, Request};

use crate::support::{CALLBACK, Fixture, clients, code_query, encode};

/// Puts a client in another state, with all else as it was.
async fn put(registry: &MemoryRegistry, client: &str, state: ClientState) {
    let current = registry.client(&ClientId::new(client)).await.unwrap().unwrap();
    let next = Client::clone(&current).in_state(state);
    registry.replace(Replacement::of(&current, next)).await.unwrap();
}

#[tokio::test]
async fn a_client_that_is_not_served_is_unknown_at_every_endpoint() {
    for state in [ClientState::Disabled, ClientState::Ending] {
        let registry = Arc::new(MemoryRegistry::new(clients()));
        let fixture = Fixture::with(|b| b.clients(registry.clone()));
        for client in ["conf", "pub"] {
            let code = fixture.code(client, "read").await;
            let tokens = fixture.tokens(client, "read").await;
            put(&registry, client, state).await;

            let unknown = (401, "invalid_client".to_owned());
            assert_eq!(fixture.redeem(client, &code).await.error(), unknown);
            assert_eq!(fixture.refresh(client, &tokens.refresh_token()).await.error(), unknown);
            assert_eq!(fixture.revoke(client, &tokens.access_token()).await.error(), unknown);
            assert_eq!(fixture.introspect(client, &tokens.access_token()).await.error(), unknown);
            let page = fixture
                .server
                .authorize(&Request::get(encode(&code_query(client, "read"))))
                .await
                .unwrap_err();
            assert_eq!(page.code(), "invalid_client");

            put(&registry, client, ClientState::Active).await;
            assert_eq!(
                fixture.refresh(client, &tokens.refresh_token()).await.status(),
                200,
                "nothing was lost"
            );
        }
    }
}

#[test]
fn a_state_is_stored_with_the_client() {
    let app = || Client::builder("app").redirect_uri(CALLBACK).secret("s");
    let active = app().build().unwrap();
    assert_eq!(active.encode().get("state"), None, "a client of an earlier version is an active one");
    let disabled = app().state(ClientState::Disabled).build().unwrap();
    assert_eq!(Client::decode(&disabled.encode()).unwrap().state(), ClientState::Disabled);
    assert_eq!(Client::decode(&active.encode()).unwrap().state(), ClientState::Active);
}
