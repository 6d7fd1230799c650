//! A client that is deleted while it asks for tokens.

use std::sync::Arc;

use grantor::store::{Filter, Page};
use grantor::{ClientId, EventKind, MemoryStore, Registration, TokenStore as _};
use serde_json::json;

use crate::support::gate::Gate;
use crate::support::registering::{Registering, app_with};
use crate::support::{code_query, redemption};

#[tokio::test]
async fn a_client_that_is_deleted_during_a_token_request_leaves_no_live_token() {
    let inner = Arc::new(MemoryStore::new());
    let gate = Gate::before(inner.clone());
    let terms = Registration::open().grant_types([
        grantor::GrantType::AuthorizationCode,
        grantor::GrantType::RefreshToken,
        grantor::GrantType::ClientCredentials,
    ]);
    let server = Arc::new(Registering::with_store(terms, inner.clone(), gate.clone()));
    let all = json!({ "grant_types": ["authorization_code", "refresh_token", "client_credentials"] });
    for way in ["approval", "authorization_code", "refresh_token", "client_credentials"] {
        let own = server.registered(&app_with(all.clone())).await;
        let refresh_token = server.tokens(&own, "read").await.refresh_token();
        let code = server.code(&own, "read").await;
        let form: Vec<(&str, &str)> = match way {
            "authorization_code" => redemption(&code),
            "refresh_token" => vec![("grant_type", way), ("refresh_token", &refresh_token)],
            _ => vec![("grant_type", way)],
        };
        gate.close();
        let delete = async {
            gate.reached().await;
            let deleted = server.delete(&own).await;
            gate.open();
            deleted
        };
        let before = server.fixture.log.whats().len();
        let ask = async {
            match way {
                "approval" => server.fixture.approve(&code_query(own.id(), "read")).await,
                _ => server.token(&own, &form).await,
            }
        };
        let (answer, deleted) = tokio::join!(ask, delete);
        assert_eq!(deleted.status(), 204, "{way}");
        assert!(answer.status() >= 400 && answer.0.header("location").is_none(), "{way}");
        let whats = server.fixture.log.whats().split_off(before);
        for issued in [EventKind::CodeIssued, EventKind::TokensIssued, EventKind::Refreshed] {
            assert!(!whats.contains(&issued), "{way}: {whats:?}");
        }
        let filter = Filter::client(ClientId::new(own.id()));
        let left = inner.list(&filter, Page::first(100)).await.unwrap().records;
        assert!(!left.is_empty() && left.iter().all(|record| record.grant().is_ended()), "{way}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_interleaving_of_a_deletion_and_token_requests_leaves_a_live_token() {
    let server = Arc::new(Registering::on(
        Registration::open().per_minute(0).grant_types([grantor::GrantType::ClientCredentials]),
    ));
    for round in 0..300 {
        let metadata = json!({ "grant_types": ["client_credentials"] });
        let own = Arc::new(server.registered(&metadata).await);
        let requests: Vec<_> = (0..8)
            .map(|_| {
                let (server, own) = (server.clone(), own.clone());
                tokio::spawn(async move { server.token(&own, &[("grant_type", "client_credentials")]).await })
            })
            .collect();
        assert_eq!(server.delete(&own).await.status(), 204);
        for request in requests {
            let answer = request.await.unwrap();
            if answer.status() == 200 {
                assert!(!server.fixture.is_live(&answer.access_token()).await, "round {round}");
            }
        }
        let filter = Filter::client(ClientId::new(own.id()));
        let left = server.fixture.store.list(&filter, Page::first(100)).await.unwrap().records;
        assert!(left.iter().all(|record| record.grant().is_ended()), "round {round}");
    }
}
