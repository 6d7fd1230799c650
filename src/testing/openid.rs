//! A test server that is an OpenID Provider.

use std::collections::HashMap;

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::{TestServer, TestServerBuilder, told};
use crate::jose::Algorithm;
use crate::openid::{ClaimsAsked, ClaimsSource, scopes_of_user};
use crate::store::BackendError;

/// A [`ClaimsSource`] that is a table of users.
#[derive(Clone, Debug, Default)]
pub struct UserClaims(HashMap<String, Map<String, Value>>);

impl UserClaims {
    /// A table without users.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives a user these claims, such as `json!({ "email": "alice@example.com" })`.
    ///
    /// # Panics
    /// The claims are not a JSON object.
    #[must_use]
    pub fn with(mut self, user: &str, claims: Value) -> Self {
        let Value::Object(claims) = claims else { panic!("the claims of {user} are not a JSON object") };
        self.0.insert(user.to_owned(), claims);
        self
    }
}

#[async_trait]
impl ClaimsSource for UserClaims {
    async fn claims(&self, asked: &ClaimsAsked<'_>) -> Result<Map<String, Value>, BackendError> {
        Ok(self.0.get(asked.user()).cloned().unwrap_or_default())
    }
}

impl TestServerBuilder {
    /// Makes the server an OpenID Provider with your own source of claims, or with [`UserClaims`]. Tokens
    /// with the scope `openid` come with an `id_token`, and the server knows the scopes of the standard
    /// claims.
    ///
    /// ```
    /// use grantor::testing::{TestServer, UserClaims};
    /// use serde_json::json;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let server = TestServer::builder()
    ///     .users(["alice"])
    ///     .public_client("app", "https://app.test/callback")
    ///     .openid(UserClaims::new().with("alice", json!({ "email": "alice@example.com" })))
    ///     .build();
    /// assert!(server.token("alice", "app", "openid").await.id_token().is_some());
    ///
    /// let claims = server.userinfo("alice", "app", "openid email").await;
    /// assert_eq!(claims, json!({ "sub": "alice", "email": "alice@example.com" }));
    /// # }
    /// ```
    pub fn openid(mut self, claims: impl ClaimsSource + 'static) -> Self {
        // Every OpenID Provider needs a key for RS256. It takes a while to make, so no other server has one.
        self.algorithms.push(Algorithm::Rs256);
        self.scopes(scopes_of_user()).configure(|server| server.openid(claims))
    }
}

impl TestServer {
    /// The claims that this client reads at UserInfo, with a token of its own for a user who approves.
    ///
    /// # Panics
    /// There is no such user or client, the scope lacks `openid`, or the server refuses.
    pub async fn userinfo(&self, user: &str, client: &str, scope: &str) -> Value {
        let tokens = self.token_for(user, client, scope, None).await;
        let answer = self.server().userinfo(&tokens.request()).await;
        assert_eq!(answer.status, 200, "{client} gets no claims of {user}: {}", told(&answer));
        serde_json::from_slice(&answer.body).expect("UserInfo is JSON")
    }
}
