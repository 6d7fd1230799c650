//! For a host's own tests (feature `testing`): a server with users and clients, tokens in one line, a clock
//! to set, and a guard that accepts the tokens. Only for tests: the secrets of its clients are public.
//!
//! ```
//! use std::time::Duration;
//!
//! use grantor::resource::Requirement;
//! use grantor::testing::TestServer;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let server = TestServer::new();
//! let tokens = server.token("alice", "app", "read").await;
//!
//! let guard = server.guard();
//! let access = guard.check(&tokens.request(), &Requirement::scopes(["read"])).await.unwrap();
//! assert_eq!(access.user(), Some("alice"));
//!
//! server.clock().advance(Duration::from_secs(3600));
//! assert_eq!(guard.check(&tokens.request(), &Requirement::any()).await.unwrap_err().status, 401);
//! # }
//! ```
//!
//! It takes every step that a real client takes; no token is made by a shortcut. An error is a mistake in the
//! test, so the methods panic, with a message that says what is wrong.
#![allow(clippy::panic, clippy::expect_used)] // a mistake in a test ends the test

mod builder;
mod clock;
#[cfg(feature = "openid")]
mod openid;
mod outbound;
mod tokens;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub use builder::TestServerBuilder;
pub use clock::TestClock;
#[cfg(feature = "openid")]
pub use openid::UserClaims;
pub use tokens::Tokens;

use crate::base::system::Clock as _;
use crate::grant::Login;
use crate::http::{Request, Response};
use crate::openid::OPENID;
use crate::resource::Guard;
use crate::server::{AuthorizationServer, SignedIn};

/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// An authorization server in memory, with users, clients, one resource and a clock that you set. Cheap to
/// clone.
///
/// It is also an [`Outbound`](crate::outbound::Outbound), which answers requests without a socket: for
/// example those of a guard that trusts it as an issuer.
#[derive(Clone)]
pub struct TestServer {
    parts: Arc<Parts>,
}

struct Parts {
    server: AuthorizationServer,
    clock: TestClock,
    users: Vec<String>,
    clients: HashMap<String, KnownClient>,
    resource: String,
}

/// A client with its secret.
struct KnownClient {
    secret: Option<String>,
    redirect_uri: Option<String>,
}

impl TestServer {
    /// The issuer, unless the builder names another.
    pub const ISSUER: &'static str = "https://as.test";

    /// The resource that tokens are for, unless the builder names another.
    pub const RESOURCE: &'static str = "https://api.test";

    /// The secret of each client that the builder makes and that has one.
    pub const SECRET: &'static str = "b2YtZXZlcnktdGVzdC1jbGllbnQ";

    /// A server with the users `alice` and `bob`, the scopes `read` and `write`, the public client `app`, the
    /// confidential client `web` and the program `robot`.
    ///
    /// # Panics
    /// Never: the configuration is valid.
    #[must_use]
    pub fn new() -> Self {
        Self::builder()
            .users(["alice", "bob"])
            .scopes(["read", "write"])
            .public_client("app", "https://app.test/callback")
            .confidential_client("web", "https://web.test/callback")
            .program("robot")
            .build()
    }

    /// Builds a server with your own users, scopes and clients.
    pub fn builder() -> TestServerBuilder {
        TestServerBuilder::new()
    }

    /// The server itself, for your router and for all of its API.
    #[must_use]
    pub fn server(&self) -> &AuthorizationServer {
        &self.parts.server
    }

    /// The clock of the server and of [`guard`](Self::guard). It starts on 15 January 2027, or
    /// [now](TestServerBuilder::starts_now).
    #[must_use]
    pub fn clock(&self) -> &TestClock {
        &self.parts.clock
    }

    /// Its issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.server().rules().issuer
    }

    /// The resource that its tokens are for.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.parts.resource
    }

    /// A guard of [`resource`](Self::resource) that accepts the tokens of this server.
    ///
    /// # Panics
    /// The resource is not an https URL.
    #[must_use]
    pub fn guard(&self) -> Guard {
        let guard = Guard::builder(self.resource()).local(self.server().clone()).clock(self.clock().clone());
        guard.build().unwrap_or_else(|errors| panic!("the guard of {}: {errors}", self.resource()))
    }

    /// This user, who signed in just now.
    ///
    /// # Panics
    /// There is no such user.
    #[must_use]
    pub fn login(&self, user: &str) -> Login {
        assert!(
            self.parts.users.iter().any(|own| own == user),
            "there is no user {user:?}: add it with users"
        );
        Login::new(user, self.clock().now())
    }

    /// Gets tokens for this client and a user who approves, by a code with PKCE. `scope` is a list separated
    /// by spaces.
    ///
    /// # Panics
    /// There is no such user or client, or the server refuses.
    pub async fn token(&self, user: &str, client: &str, scope: &str) -> Tokens {
        self.token_for(user, client, scope, Some(self.resource())).await
    }

    /// Without a resource, the token is for the server itself.
    async fn token_for(&self, user: &str, client: &str, scope: &str, resource: Option<&str>) -> Tokens {
        let redirect_uri = self.redirect_uri(client).to_owned();
        let mut query = vec![
            ("response_type", "code"),
            ("client_id", client),
            ("redirect_uri", &redirect_uri),
            ("scope", scope),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        query.extend(resource.map(|resource| ("resource", resource)));
        let answer = self.approve(user, &encode(&query)).await;
        let code = parameter(&answer, "code");
        let code = code.unwrap_or_else(|| {
            panic!("{client} got no code: {}{}", told(&answer), self.remedy(&answer, scope))
        });
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", &redirect_uri),
            ("code_verifier", VERIFIER),
        ];
        self.tokens(client, &form).await
    }

    /// Gets a token for this client itself, by `client_credentials`.
    ///
    /// # Panics
    /// There is no such client, or the server refuses.
    pub async fn client_token(&self, client: &str, scope: &str) -> Tokens {
        let form = [("grant_type", "client_credentials"), ("scope", scope), ("resource", self.resource())];
        self.tokens(client, &form).await
    }

    /// Refreshes these tokens.
    ///
    /// # Panics
    /// They have no refresh token, or the server refuses.
    pub async fn refresh(&self, client: &str, tokens: &Tokens) -> Tokens {
        let refresh_token = tokens.refresh_token().expect("there is no refresh token");
        self.tokens(client, &[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]).await
    }

    /// Revokes a token at the revocation endpoint.
    ///
    /// # Panics
    /// There is no such client, or the server refuses.
    pub async fn revoke(&self, client: &str, token: &str) {
        let answer = self.server().revoke(&self.request_of(client, &[("token", token)])).await;
        assert_eq!(answer.status, 200, "{client} may not revoke: {}", told(&answer));
    }

    /// The response of the authorization endpoint to this query, if the user is signed in and approves.
    ///
    /// # Panics
    /// There is no such user, or the response has no valid redirect URI.
    pub async fn approve(&self, user: &str, query: &str) -> Response {
        let ask = self.server().authorize(&Request::get(query)).await;
        let ask = ask.unwrap_or_else(|page| panic!("{}: {}", page.code(), page.description()));
        match ask.signed_in(self.login(user)).await {
            SignedIn::Consent(consent) => consent.approve().await,
            SignedIn::Reauthenticate(login) => login.cannot().await,
            SignedIn::Answered(answer) => answer,
        }
    }

    /// A form that this client posts, with the authentication that it registered.
    ///
    /// # Panics
    /// There is no such client.
    #[must_use]
    pub fn request_of(&self, client: &str, form: &[(&str, &str)]) -> Request {
        let mut form = form.to_vec();
        match &self.client(client).secret {
            None => {
                form.push(("client_id", client));
                Request::post_form(encode(&form))
            }
            Some(secret) => {
                let part = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                let credentials = STANDARD.encode(format!("{}:{}", part(client), part(secret)));
                Request::post_form(encode(&form)).header("authorization", format!("Basic {credentials}"))
            }
        }
    }

    async fn tokens(&self, client: &str, form: &[(&str, &str)]) -> Tokens {
        let answer = self.server().token(&self.request_of(client, form)).await;
        let scope = form.iter().find(|(name, _)| *name == "scope").map_or("", |(_, scope)| *scope);
        let remedy = self.remedy(&answer, scope);
        assert_eq!(answer.status, 200, "{client} got no token: {}{remedy}", told(&answer));
        Tokens::of(&answer)
    }

    /// What to call on the builder if a scope was refused because the server does not know it.
    fn remedy(&self, answer: &Response, scope: &str) -> String {
        let known = &self.server().rules().scope;
        let unknown = scope.split_ascii_whitespace().find(|token| !known.contains(token));
        match unknown.filter(|_| told(answer).contains("invalid_scope")) {
            Some(OPENID) => "; call `openid` on the builder, with the feature `openid`".to_owned(),
            Some(unknown) => format!("; add {unknown:?} to the builder with `scopes`"),
            None => String::new(),
        }
    }

    fn client(&self, client: &str) -> &KnownClient {
        let known = self.parts.clients.get(client);
        known.unwrap_or_else(|| panic!("there is no client {client:?}: add it to the builder"))
    }

    fn redirect_uri(&self, client: &str) -> &str {
        let own = self.client(client).redirect_uri.as_deref();
        own.unwrap_or_else(|| panic!("the client {client:?} has no redirect URI"))
    }
}

impl Default for TestServer {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for TestServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestServer").field("resource", &self.resource()).finish_non_exhaustive()
    }
}

fn encode(pairs: &[(&str, &str)]) -> String {
    serde_urlencoded::to_string(pairs).expect("pairs of strings")
}

/// A parameter of the URL that a response redirects to.
fn parameter(answer: &Response, name: &str) -> Option<String> {
    let (_, query) = answer.header("location")?.split_once('?')?;
    form_urlencoded::parse(query.as_bytes()).find(|(own, _)| own == name).map(|(_, value)| value.into_owned())
}

/// Describes an unexpected response.
fn told(answer: &Response) -> String {
    let place = answer.header("location").unwrap_or_default();
    format!("{} {place} {}", answer.status, String::from_utf8_lossy(&answer.body))
}
