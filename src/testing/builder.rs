//! [`TestServerBuilder`]: which users, clients and scopes a [`TestServer`] has.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::{KnownClient, Parts, TestClock, TestServer};
use crate::client::{AuthMethod, Client, GrantType, MemoryRegistry};
use crate::issuance::Resource;
use crate::jose::Algorithm;
use crate::keys::{JwtSigner, KeySchedule, Keys, MemoryKeyStore};
use crate::server::{AuthorizationServer, AuthorizationServerBuilder};
use crate::signing::AccessTokens;
use crate::store::MemoryStore;

/// The secret of every client that the builder makes.
const SECRET: &str = "b2YtZXZlcnktdGVzdC1jbGllbnQ";

/// Builds a [`TestServer`].
///
/// ```
/// use grantor::Policy;
/// use grantor::testing::TestServer;
///
/// let server = TestServer::builder()
///     .users(["carol"])
///     .scopes(["notes"])
///     .public_client("app", "https://app.test/callback")
///     .resource("https://notes.test")
///     .signed() // access tokens are JWTs
///     .configure(|server| server.policy(Policy::default()))
///     .build();
/// assert_eq!(server.resource(), "https://notes.test");
/// ```
#[must_use]
pub struct TestServerBuilder {
    users: Vec<String>,
    scopes: Vec<String>,
    clients: Vec<(Client, Option<String>)>,
    resource: String,
    format: AccessTokens,
    pub(super) algorithms: Vec<Algorithm>,
    configure: Vec<Configure>,
}

type Configure = Box<dyn FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder>;

impl TestServerBuilder {
    pub(super) fn new() -> Self {
        Self {
            users: Vec::new(),
            scopes: Vec::new(),
            clients: Vec::new(),
            resource: TestServer::RESOURCE.to_owned(),
            format: AccessTokens::Opaque,
            algorithms: vec![Algorithm::EdDsa],
            configure: Vec::new(),
        }
    }

    /// Adds users.
    pub fn users<S: Into<String>>(mut self, users: impl IntoIterator<Item = S>) -> Self {
        self.users.extend(users.into_iter().map(Into::into));
        self
    }

    /// Adds scopes that the server knows.
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// Adds a public client, for codes and refresh tokens.
    ///
    /// # Panics
    /// The redirect URI is not valid.
    pub fn public_client(self, id: &str, redirect_uri: &str) -> Self {
        let client = Client::builder(id).redirect_uri(redirect_uri).auth_method(AuthMethod::None);
        self.client(built(
            id,
            client.grant_types([GrantType::AuthorizationCode, GrantType::RefreshToken]).build(),
        ))
    }

    /// Adds a confidential client, for codes, refresh tokens and `client_credentials`.
    ///
    /// # Panics
    /// The redirect URI is not valid.
    pub fn confidential_client(self, id: &str, redirect_uri: &str) -> Self {
        let grants = [GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::ClientCredentials];
        let client = Client::builder(id).redirect_uri(redirect_uri).secret(SECRET).grant_types(grants);
        self.client_with_secret(built(id, client.build()), SECRET)
    }

    /// Adds a confidential client that uses only `client_credentials`.
    ///
    /// # Panics
    /// The id is not valid.
    pub fn program(self, id: &str) -> Self {
        let client = Client::builder(id).secret(SECRET).grant_types([GrantType::ClientCredentials]);
        self.client_with_secret(built(id, client.build()), SECRET)
    }

    /// Adds a client of your own that has no secret.
    pub fn client(mut self, client: Client) -> Self {
        self.clients.push((client, None));
        self
    }

    /// Adds a client of your own, and its secret for `client_secret_basic`.
    pub fn client_with_secret(mut self, client: Client, secret: impl Into<String>) -> Self {
        self.clients.push((client, Some(secret.into())));
        self
    }

    /// The resource that tokens are for.
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.resource = resource.into();
        self
    }

    /// Access tokens are signed JWTs (RFC 9068), for guards in other processes.
    pub fn signed(mut self) -> Self {
        self.format = AccessTokens::Jwt;
        self
    }

    /// Configures the server further, after everything else.
    pub fn configure(
        mut self,
        configure: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder + 'static,
    ) -> Self {
        self.configure.push(Box::new(configure));
        self
    }

    /// Builds the server.
    ///
    /// # Panics
    /// The configuration has a mistake.
    #[must_use]
    pub fn build(self) -> TestServer {
        let clock = TestClock::default();
        let keys = Keys::rotating(MemoryKeyStore::new(), KeySchedule::default(), &self.algorithms);
        let signer = JwtSigner::new(keys.expect("an algorithm")).expect("keys");
        let builder = AuthorizationServer::builder(TestServer::ISSUER)
            .clients(MemoryRegistry::new(self.clients.iter().map(|(client, _)| client.clone())))
            .store(MemoryStore::new())
            .scopes(self.scopes)
            .resource(Resource::new(&self.resource))
            .authorization_endpoint("/authorize")
            .token_signer(signer)
            .access_tokens(self.format)
            .clock(clock.clone());
        let builder = self.configure.into_iter().fold(builder, |builder, configure| configure(builder));
        let server = builder.build().unwrap_or_else(|errors| panic!("the test server: {errors}"));
        let known = |(client, secret): (Client, Option<String>)| {
            let redirect_uri = client.redirect_uris().first().map(|uri| uri.as_str().to_owned());
            (client.id().to_string(), KnownClient { secret, redirect_uri })
        };
        let clients: HashMap<_, _> = self.clients.into_iter().map(known).collect();
        let (users, resource) = (self.users, self.resource);
        TestServer { parts: Arc::new(Parts { server, clock, users, clients, resource }) }
    }
}

fn built<E: fmt::Display>(id: &str, client: Result<Client, E>) -> Client {
    client.unwrap_or_else(|errors| panic!("the client {id}: {errors}"))
}

impl fmt::Debug for TestServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestServerBuilder").field("users", &self.users).finish_non_exhaustive()
    }
}
