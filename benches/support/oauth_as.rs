//! The same jobs by `oauth-as`, through its own HTTP service and in-memory store.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use grantor::jose::Algorithm;
use http::{Method, StatusCode, Uri};
use oauth_as::Ed25519Signer;
use oauth_as::client::{Client, ClientAuth, ClientId, SecretHash};
use oauth_as::grant::GrantType;
use oauth_as::http::{ApprovalDecision, AuthorizationService, Body, ServiceBuilder};
use oauth_as::jwt::{AccessTokenFormat, EcdsaP256Key, JwtConfig};
use oauth_as::scope::ScopeSet;
use oauth_as::server::{AuthorizationServer, ServerConfig, SystemClock};
use oauth_as::store::MemoryStorage;

use super::{Contender, Job, Population, ready};

type Request = http::Request<Body>;

pub struct Contestant {
    server: Arc<AuthorizationServer<MemoryStorage, SystemClock>>,
    service: AuthorizationService<MemoryStorage, SystemClock>,
    refresh_tokens: Cell<Vec<String>>,
    population: Population,
}

impl Contestant {
    pub fn new() -> Self {
        Self::with(AccessTokenFormat::Opaque)
    }

    /// With signed access tokens, using the fast tables of its own backend. Its RSA uses the `rsa` crate,
    /// whose timing leaks the key (RUSTSEC-2023-0071), so it is not built here.
    pub fn signing(algorithm: Algorithm) -> Option<Self> {
        let secret: [u8; 32] = rand::random();
        let config = match algorithm {
            Algorithm::EdDsa => {
                JwtConfig::new(Ed25519Signer::from_seed_bytes("k", &secret).unwrap(), super::ISSUER)
            }
            Algorithm::Es256 => {
                JwtConfig::new(EcdsaP256Key::from_scalar_bytes("k", &secret).unwrap(), super::ISSUER)
            }
            _ => return None,
        };
        Some(Self::with(AccessTokenFormat::Jwt(Box::new(config))))
    }

    fn with(access_token_format: AccessTokenFormat) -> Self {
        let mut config = ServerConfig::new(super::ISSUER, format!("{}/device", super::ISSUER));
        config.access_token_format = access_token_format;
        let server = Arc::new(AuthorizationServer::new(config, MemoryStorage::new()));
        ready(server.register_client(client())).unwrap();
        let service = ServiceBuilder::new(Arc::clone(&server))
            .with_subject_resolver(|_| Some(super::SUBJECT.to_owned()))
            .with_approval_resolver(|_| ApprovalDecision::Approve)
            .dangerously_disable_verification_protections()
            .build()
            .unwrap();
        Self { server, service, refresh_tokens: Cell::default(), population: Population::default() }
    }

    /// Issues this many live tokens.
    pub fn populate(&mut self, size: usize) {
        self.population = Population::of(std::iter::repeat_with(|| self.access_token()).take(size).collect());
    }

    fn answer(&self, request: Request, expected: StatusCode) -> oauth_as::http::Response {
        let response = ready(self.service.handle(request));
        assert_eq!(response.status(), expected);
        response
    }

    fn posted(&self, path: &'static str, body: impl Into<Bytes>) -> Vec<u8> {
        bytes(self.answer(post(path, &body.into()), StatusCode::OK))
    }

    fn code(&self) -> String {
        code(&self.answer(authorize(), StatusCode::FOUND))
    }

    fn access_token(&self) -> String {
        super::member(&self.posted("/token", super::CLIENT_CREDENTIALS), "access_token")
    }
}

/// Its service on axum.
pub fn router() -> axum::Router {
    let service = Arc::new(Contestant::new().service);
    axum::Router::new().fallback(move |request: axum::extract::Request| {
        let service = Arc::clone(&service);
        async move { service.handle(request).await }
    })
}

fn client() -> Client {
    let scopes = ScopeSet::parse(super::SCOPE).unwrap();
    Client {
        client_id: ClientId::new(super::CLIENT_ID),
        auth: ClientAuth::ConfidentialSecretHash { hash: SecretHash::sha256(super::CLIENT_SECRET) },
        grant_types: vec![
            GrantType::AuthorizationCode,
            GrantType::RefreshToken,
            GrantType::ClientCredentials,
        ],
        redirect_uris: vec![super::REDIRECT_URI.to_owned()],
        allowed_scopes: scopes.clone(),
        default_scopes: scopes,
        name: None,
        registration: None,
    }
}

/// Without a header map, and with a body that is freed elsewhere: the service takes its request by value, and
/// should not be charged for dropping what the bench made.
fn post(path: &'static str, body: &Bytes) -> Request {
    let mut request = http::Request::new(Body::from(body.clone()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from_static(path);
    request
}

fn posts(path: &'static str, bodies: &[Bytes]) -> Vec<Request> {
    bodies.iter().map(|body| post(path, body)).collect()
}

fn authorize() -> Request {
    let mut request = http::Request::new(Body::empty());
    *request.uri_mut() = format!("/authorize?{}", super::AUTHORIZE).parse().unwrap();
    request
}

fn code(response: &oauth_as::http::Response) -> String {
    super::code_of(response.headers()["location"].to_str().unwrap())
}

fn bytes(response: oauth_as::http::Response) -> Vec<u8> {
    response.into_body().into_bytes().to_vec()
}

impl Contender for Contestant {
    fn name(&self) -> &'static str {
        "oauth-as"
    }

    fn has(&self, _: Job) -> bool {
        true
    }

    fn reset(&mut self) {
        *self = Self::new();
        self.population = Population::issued_by(|| self.access_token());
    }

    fn chunk(&mut self, job: Job, times: usize) -> Duration {
        let ok = |request| self.answer(request, StatusCode::OK);
        match job {
            Job::ClientCredentials => {
                let body = Bytes::from_static(super::CLIENT_CREDENTIALS.as_bytes());
                super::timed(posts("/token", &vec![body; times]), ok).0
            }
            Job::Authorize => {
                let requests: Vec<_> = (0..times).map(|_| authorize()).collect();
                let found = |request| self.answer(request, StatusCode::FOUND);
                let (spent, answer) = super::timed(requests, found);
                code(&answer);
                spent
            }
            Job::Redeem => {
                let bodies: Vec<_> = (0..times).map(|_| super::redeem_body(&self.code()).into()).collect();
                super::timed(posts("/token", &bodies), ok).0
            }
            Job::Refresh => {
                let mut tokens = self.refresh_tokens.take();
                while tokens.len() < times {
                    let body = self.posted("/token", super::redeem_body(&self.code()));
                    tokens.push(super::member(&body, "refresh_token"));
                }
                let bodies: Vec<_> =
                    tokens.drain(..times).map(|token| super::refresh_body(&token).into()).collect();
                let (spent, answers) = super::timed_keeping(posts("/token", &bodies), ok);
                let rotated = answers.into_iter().map(bytes);
                tokens.extend(rotated.map(|body| super::member(&body, "refresh_token")));
                self.refresh_tokens.set(tokens);
                spent
            }
            Job::Introspect => {
                let tokens = self.population.sample(times);
                let bodies: Vec<_> =
                    tokens.iter().map(|token| super::introspect_body(token).into()).collect();
                let (spent, answer) = super::timed(posts("/introspect", &bodies), ok);
                super::member(&bytes(answer), "client_id");
                spent
            }
            Job::Bearer => {
                let tokens = self.population.sample(times);
                let check = |token| ready(self.server.introspect(token)).unwrap().unwrap();
                super::timed(tokens.iter().map(String::as_str), check).0
            }
        }
    }
}
