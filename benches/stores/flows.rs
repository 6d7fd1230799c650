//! The requests that are measured, and the statements that each needs at least.

use std::sync::Arc;

use grantor::{AuthorizationServer, Login, Request, TokenStore};

use crate::support::{
    self, AUTHORIZE, CLIENT_CREDENTIALS, code_of, introspect_body, member, redeem_body, refresh_body,
};

pub struct Server {
    pub store: Arc<dyn TokenStore>,
    pub server: AuthorizationServer,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Flow {
    /// One INSERT; in Redis, one key.
    ClientCredentials,
    /// The same, and in Redis its entries in three sorted sets; SQL has indexes of the table for these.
    Indexed,
    /// One SELECT by primary key and one conditional UPDATE.
    Redeem,
    /// The same.
    Refresh,
    /// One SELECT by primary key.
    Introspect,
}

impl Server {
    /// Clients are in memory: only the store of grants is measured.
    pub fn on(store: Arc<dyn TokenStore>) -> Self {
        Self { server: support::grantor::server_over(store.clone()), store }
    }

    pub async fn token(&self, form: &str) -> String {
        let response = self.server.token(&Request::post_form(form)).await;
        assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
        String::from_utf8(response.body).unwrap()
    }

    async fn code(&self) -> String {
        let asked = self.server.authorize(&Request::get(AUTHORIZE)).await.unwrap();
        let alice = Login::new(support::SUBJECT, std::time::SystemTime::now().into());
        let response = asked.signed_in(alice).await.consent().unwrap().approve().await;
        code_of(response.header("location").unwrap())
    }
}

impl Flow {
    pub const ALL: [Self; 5] =
        [Self::ClientCredentials, Self::Indexed, Self::Redeem, Self::Refresh, Self::Introspect];

    pub fn name(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::Indexed => " + bare indexes",
            Self::Redeem => "code exchange",
            Self::Refresh => "refresh, rotating",
            Self::Introspect => "introspection",
        }
    }

    /// The form of the measured request.
    pub async fn prepare(self, server: &Server) -> String {
        match self {
            Self::ClientCredentials | Self::Indexed => CLIENT_CREDENTIALS.to_owned(),
            Self::Redeem => redeem_body(&server.code().await),
            Self::Refresh => {
                let tokens = server.token(&redeem_body(&server.code().await)).await;
                refresh_body(&member(tokens.as_bytes(), "refresh_token"))
            }
            Self::Introspect => {
                let tokens = server.token(CLIENT_CREDENTIALS).await;
                introspect_body(&member(tokens.as_bytes(), "access_token"))
            }
        }
    }

    pub async fn run(self, server: &Server, form: &str) {
        match self {
            Self::ClientCredentials | Self::Indexed | Self::Redeem | Self::Refresh => {
                drop(server.token(form).await);
            }
            Self::Introspect => {
                let response = server.server.introspect(&Request::post_form(form)).await;
                assert!(response.status == 200 && response.body.starts_with(b"{\"active\":true"));
            }
        }
    }
}
