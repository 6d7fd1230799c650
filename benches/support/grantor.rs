//! The same jobs by this crate: a `Request` in, a `Response` out, over a `MemoryStore`.

use std::iter::repeat_n;
use std::sync::Arc;
use std::time::Duration;

use grantor::jose::{Algorithm, Signer, SigningKey};
use grantor::keys::{JwtSigner, KeySchedule, Keys, MemoryKeyStore};
use grantor::openid::{ClaimsAsked, ClaimsSource};
use grantor::server::AuthorizationServerBuilder;
use grantor::{
    AccessTokens, AuthMethod, AuthorizationServer, BackendError, Client, ClientBuilder, ClientMetadata,
    Clock, GrantType, Login, MemoryRegistry, MemoryStore, Policy, Request, Response, SystemClock, TokenStore,
    async_trait,
};
use serde_json::{Map, Value};

use super::{Contender, Job, Population, ready};

const REFRESHES_OF_ONE_GRANT: usize = 15;

pub struct Contestant {
    server: AuthorizationServer,
    login: Login,
    refresh_tokens: Vec<String>,
    /// How often each of them has been rotated already.
    refreshed: usize,
    population: Population,
}

impl Contestant {
    pub fn new() -> Self {
        Self::over(MemoryStore::new())
    }

    pub fn over(store: impl TokenStore + 'static) -> Self {
        Self::with(store, SystemClock::default())
    }

    pub fn with(store: impl TokenStore + 'static, clock: impl Clock + 'static) -> Self {
        Self {
            server: server(store, clock),
            login: Login::new(super::SUBJECT, std::time::SystemTime::now().into()),
            refresh_tokens: Vec::new(),
            refreshed: 0,
            population: Population::default(),
        }
    }

    pub fn server(&self) -> &AuthorizationServer {
        &self.server
    }

    /// Issues the tokens that are live before anything is measured.
    pub fn populate(&mut self) {
        self.population = Population::issued_by(|| self.access_token());
    }

    pub fn sample(&self, times: usize) -> Vec<String> {
        self.population.sample(times)
    }

    fn token(&self, request: &Request) -> Response {
        succeeded(ready(self.server.token(request)), 200)
    }

    fn authorize(&self, request: &Request) -> Response {
        let authorization = ready(self.server.authorize(request)).unwrap();
        let consent = ready(authorization.signed_in(self.login.clone())).consent().unwrap();
        succeeded(ready(consent.approve()), 303)
    }

    fn introspect(&self, request: &Request) -> Response {
        succeeded(ready(self.server.introspect(request)), 200)
    }

    fn code(&self) -> String {
        code(&self.authorize(&Request::get(super::AUTHORIZE)))
    }

    fn access_token(&self) -> String {
        let response = self.token(&Request::post_form(super::CLIENT_CREDENTIALS));
        super::member(&response.body, "access_token")
    }
}

pub fn router() -> axum::Router {
    grantor::adapter::axum::router(server(MemoryStore::new(), SystemClock::default()))
}

/// The same server with signed access tokens, under keys that rotate by themselves.
pub fn signing_server(
    store: impl TokenStore + 'static,
    algorithm: Algorithm,
    record_client_jwts: bool,
) -> AuthorizationServer {
    let keys = Keys::rotating(MemoryKeyStore::new(), KeySchedule::default(), &[algorithm]).unwrap();
    // The first key is made on another thread; after that, nothing has to wait.
    tokio::runtime::Runtime::new().unwrap().block_on(keys.current(SystemClock::default().now())).unwrap();
    let mut policy = Policy::default();
    policy.record_client_jwts = record_client_jwts;
    builder(store, SystemClock::default())
        .policy(policy)
        .token_signer(JwtSigner::new(keys).unwrap())
        .access_tokens(AccessTokens::Jwt)
        .build()
        .unwrap()
}

/// Whether an authorization request uses OpenID Connect.
#[derive(Clone, Copy, Debug)]
pub enum OpenId {
    Plain,
    Asked,
}

impl OpenId {
    pub fn query(self) -> String {
        let scope = match self {
            Self::Plain => "scope=read+write",
            Self::Asked => "nonce=n-0S6_WzA2Mj-n-0S6_WzA2Mj-n-0S6_&scope=openid+email",
        };
        super::AUTHORIZE.replace("scope=read+write", scope)
    }
}

/// Knows one user.
struct People;

#[async_trait]
impl ClaimsSource for People {
    async fn claims(&self, _: &ClaimsAsked<'_>) -> Result<Map<String, Value>, BackendError> {
        Ok(claims_of_alice())
    }
}

/// What the host knows of the user.
pub fn claims_of_alice() -> Map<String, Value> {
    let claims = [("email", Value::from("alice@example.com")), ("email_verified", true.into())];
    claims.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// An OpenID Provider whose client wants its `id_token`s signed with this algorithm.
pub fn openid_server(algorithm: Algorithm) -> AuthorizationServer {
    let algorithms =
        if algorithm == Algorithm::Rs256 { vec![algorithm] } else { vec![algorithm, Algorithm::Rs256] };
    let signers =
        algorithms.into_iter().map(|own| Arc::new(SigningKey::generate(own).unwrap()) as Arc<dyn Signer>);
    let signer = JwtSigner::new(Keys::from_signers(signers.collect()).unwrap()).unwrap();
    let mut metadata = ClientMetadata::default();
    metadata.id_token_signed_response_alg = Some(algorithm.into());
    let client = client(metadata).scope(format!("openid email {}", super::SCOPE));
    AuthorizationServer::builder(super::ISSUER)
        .clients(MemoryRegistry::new([client.build().unwrap()]))
        .store(MemoryStore::new())
        .scopes(super::SCOPE.split(' ').chain(["openid", "email"]))
        .authorization_endpoint("/authorize")
        .token_signer(signer)
        .openid(People)
        .build()
        .unwrap()
}

/// The code for a request that the user approves.
pub fn code_of_request(server: &AuthorizationServer, query: String) -> String {
    let authorization = ready(server.authorize(&Request::get(query))).unwrap();
    let login = Login::new(super::SUBJECT, std::time::SystemTime::now().into());
    let consent = ready(authorization.signed_in(login)).consent().unwrap();
    code(&succeeded(ready(consent.approve()), 303))
}

/// A server on this store that uses the system's clock.
pub fn server_over(store: impl TokenStore + 'static) -> AuthorizationServer {
    server(store, SystemClock::default())
}

fn server(store: impl TokenStore + 'static, clock: impl Clock + 'static) -> AuthorizationServer {
    builder(store, clock).build().unwrap()
}

fn builder(store: impl TokenStore + 'static, clock: impl Clock + 'static) -> AuthorizationServerBuilder {
    AuthorizationServer::builder(super::ISSUER)
        .clients(MemoryRegistry::new([client(ClientMetadata::default()).build().unwrap()]))
        .store(store)
        .clock(clock)
        .scopes(super::SCOPE.split(' '))
        .authorization_endpoint("/authorize")
}

pub fn client(metadata: ClientMetadata) -> ClientBuilder {
    Client::builder(super::CLIENT_ID)
        .metadata(metadata)
        .secret(super::CLIENT_SECRET)
        .auth_method(AuthMethod::ClientSecretPost)
        .redirect_uri(super::REDIRECT_URI)
        .scope(super::SCOPE)
        .grant_types([GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::ClientCredentials])
        .rotate_refresh(true)
}

fn succeeded(response: Response, status: u16) -> Response {
    assert_eq!(response.status, status);
    response
}

fn code(response: &Response) -> String {
    super::code_of(response.header("location").unwrap())
}

impl Contender for Contestant {
    fn name(&self) -> &'static str {
        "grantor"
    }

    fn has(&self, _: Job) -> bool {
        true
    }

    fn reset(&mut self) {
        *self = Self::new();
        self.populate();
    }

    fn chunk(&mut self, job: Job, times: usize) -> Duration {
        match job {
            Job::ClientCredentials => {
                let request = Request::post_form(super::CLIENT_CREDENTIALS);
                super::timed(repeat_n(&request, times), |request| self.token(request)).0
            }
            Job::Authorize => {
                let request = Request::get(super::AUTHORIZE);
                let (spent, answer) =
                    super::timed(repeat_n(&request, times), |request| self.authorize(request));
                code(&answer);
                spent
            }
            Job::Redeem => {
                let bodies = (0..times).map(|_| super::redeem_body(&self.code()));
                let requests: Vec<_> = bodies.map(Request::post_form).collect();
                let (spent, answer) = super::timed(&requests, |request| self.token(request));
                super::member(&answer.body, "refresh_token");
                spent
            }
            Job::Refresh => {
                // No client refreshes hundreds of times within the life of one access token.
                if self.refreshed == REFRESHES_OF_ONE_GRANT {
                    self.refresh_tokens.clear();
                    self.refreshed = 0;
                }
                self.refreshed += 1;
                while self.refresh_tokens.len() < times {
                    let response = self.token(&Request::post_form(super::redeem_body(&self.code())));
                    self.refresh_tokens.push(super::member(&response.body, "refresh_token"));
                }
                let tokens = self.refresh_tokens.drain(..times);
                let bodies = tokens.map(|token| super::refresh_body(&token));
                let requests: Vec<_> = bodies.map(Request::post_form).collect();
                let (spent, answers) = super::timed_keeping(&requests, |request| self.token(request));
                let rotated = answers.iter().map(|answer| super::member(&answer.body, "refresh_token"));
                self.refresh_tokens.extend(rotated);
                spent
            }
            Job::Introspect => {
                let tokens = self.population.sample(times);
                let bodies = tokens.iter().map(|token| super::introspect_body(token));
                let requests: Vec<_> = bodies.map(Request::post_form).collect();
                let (spent, answer) = super::timed(&requests, |request| self.introspect(request));
                super::member(&answer.body, "client_id");
                spent
            }
            Job::Bearer => {
                let tokens = self.population.sample(times);
                super::timed(&tokens, |token| ready(self.server.check(token)).unwrap()).0
            }
        }
    }
}
