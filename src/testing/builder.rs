//! [`TestServerBuilder`]: which users, clients and scopes a [`TestServer`] has.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::{KnownClient, Parts, TestClock, TestServer};
use crate::base::system::{Clock as _, SystemClock};
use crate::client::{AuthMethod, Client, GrantType, MemoryRegistry};
use crate::issuance::Resource;
use crate::jose::Algorithm;
use crate::keys::{JwtSigner, KeySchedule, Keys, MemoryKeyStore};
use crate::server::{AuthorizationServer, AuthorizationServerBuilder};
use crate::signing::AccessTokens;
use crate::store::MemoryStore;

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
    issuer: String,
    resource: Resource,
    clock: TestClock,
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
            issuer: TestServer::ISSUER.to_owned(),
            resource: Resource::new(TestServer::RESOURCE),
            clock: TestClock::default(),
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
        let client =
            Client::builder(id).redirect_uri(redirect_uri).secret(TestServer::SECRET).grant_types(grants);
        self.client_with_secret(built(id, client.build()), TestServer::SECRET)
    }

    /// Adds a confidential client that uses only `client_credentials`.
    ///
    /// # Panics
    /// The id is not valid.
    pub fn program(self, id: &str) -> Self {
        let client =
            Client::builder(id).secret(TestServer::SECRET).grant_types([GrantType::ClientCredentials]);
        self.client_with_secret(built(id, client.build()), TestServer::SECRET)
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

    /// The issuer, by default [`TestServer::ISSUER`]: for a test with several issuers. It may have a path.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = issuer.into();
        self
    }

    /// The resource that tokens are for, as a URL or as a [`Resource`] with settings of its own.
    pub fn resource(mut self, resource: impl Into<Resource>) -> Self {
        self.resource = resource.into();
        self
    }

    /// The clock starts at the time of this machine, and not on 15 January 2027: for a guard with its own
    /// clock. It moves only when you set it, as always.
    pub fn starts_now(self) -> Self {
        self.clock.set(SystemClock.now());
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
        let (clock, resource) = (self.clock, self.resource.identifier.clone());
        let keys = Keys::rotating(MemoryKeyStore::new(), KeySchedule::default(), &self.algorithms);
        let signer = JwtSigner::new(keys.expect("an algorithm")).expect("keys");
        let builder = AuthorizationServer::builder(self.issuer)
            .clients(MemoryRegistry::new(self.clients.iter().map(|(client, _)| client.clone())))
            .store(MemoryStore::new())
            .scopes(self.scopes)
            .resource(self.resource)
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
        TestServer { parts: Arc::new(Parts { server, clock, users: self.users, clients, resource }) }
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
