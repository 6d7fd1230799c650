//! The same jobs by `oxide-auth`, with its in-memory primitives and its simple frontend.
//!
//! Its refresh flow reads credentials from the `Authorization` header only, so there the body has no
//! `client_secret`. It has no introspection.

use std::collections::HashMap;
use std::iter::repeat_n;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oxide_auth::endpoint::{
    AccessTokenFlow, AuthorizationFlow, ClientCredentialsFlow, OwnerConsent, RefreshFlow, Solicitation,
};
use oxide_auth::frontends::simple::endpoint::{FnSolicitor, Generic, Vacant};
use oxide_auth::frontends::simple::extensions::{AddonList, Extended, Pkce};
use oxide_auth::frontends::simple::request::{Request, Response, Status};
use oxide_auth::primitives::authorizer::AuthMap;
use oxide_auth::primitives::generator::RandomGenerator;
use oxide_auth::primitives::issuer::{Issuer, TokenMap};
use oxide_auth::primitives::registrar::{Client, ClientMap, ExactUrl, PasswordPolicy, RegistrarError};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{Contender, Job, Population};

type Solicitor = FnSolicitor<fn(&mut Request, Solicitation<'_>) -> OwnerConsent<Response>>;
type Primitives = Generic<ClientMap, AuthMap<RandomGenerator>, TokenMap<RandomGenerator>, Solicitor, Vacant>;

pub struct Contestant {
    endpoint: Extended<Primitives, AddonList>,
    refresh_tokens: Vec<String>,
    population: Population,
}

impl Contestant {
    pub fn new() -> Self {
        let mut registrar = ClientMap::new();
        registrar.set_password_policy(CheapSecret);
        registrar.register_client(Client::confidential(
            super::CLIENT_ID,
            ExactUrl::new(super::REDIRECT_URI.to_owned()).unwrap().into(),
            super::SCOPE.parse().unwrap(),
            super::CLIENT_SECRET.as_bytes(),
        ));
        let mut extensions = AddonList::new();
        extensions.push_code(Pkce::required());
        let primitives = Generic {
            registrar,
            authorizer: AuthMap::new(RandomGenerator::new(32)),
            issuer: TokenMap::new(RandomGenerator::new(32)),
            solicitor: FnSolicitor(approve as fn(&mut Request, Solicitation<'_>) -> _),
            scopes: Vacant,
            response: Vacant,
        };
        let endpoint = Extended::extend_with(primitives, extensions);
        Self { endpoint, refresh_tokens: Vec::new(), population: Population::default() }
    }

    fn client_credentials(&mut self, body: &str) -> Response {
        let mut flow = ClientCredentialsFlow::prepare(&mut self.endpoint).ok().unwrap();
        flow.allow_credentials_in_body(true);
        succeeded(flow.execute(form(body)).unwrap(), Status::Ok)
    }

    fn authorize(&mut self, query: &str) -> Response {
        let mut flow = AuthorizationFlow::prepare(&mut self.endpoint).ok().unwrap();
        let request = Request { query: pairs(query), ..Request::default() };
        succeeded(flow.execute(request).unwrap(), Status::Redirect)
    }

    fn redeem(&mut self, body: &str) -> Response {
        let mut flow = AccessTokenFlow::prepare(&mut self.endpoint).ok().unwrap();
        flow.allow_credentials_in_body(true);
        succeeded(flow.execute(form(body)).unwrap(), Status::Ok)
    }

    fn refresh(&mut self, body: &str, basic: &str) -> Response {
        let mut flow = RefreshFlow::prepare(&mut self.endpoint).ok().unwrap();
        let request = Request { auth: Some(basic.to_owned()), ..form(body) };
        succeeded(flow.execute(request).unwrap(), Status::Ok)
    }

    fn code(&mut self) -> String {
        code(&self.authorize(super::AUTHORIZE))
    }
}

/// Its flows behind one bare axum handler, which takes a lock for each request.
pub fn router() -> axum::Router {
    let contestant = Arc::new(Mutex::new(Contestant::new()));
    axum::Router::new().fallback(async move |uri: Uri, headers: HeaderMap, body: String| {
        let mut contestant = contestant.lock().unwrap();
        let response = match body.split('&').next().unwrap() {
            "" => contestant.authorize(uri.query().unwrap()),
            "grant_type=client_credentials" => contestant.client_credentials(&body),
            "grant_type=authorization_code" => contestant.redeem(&body),
            _ => contestant.refresh(&body, headers[AUTHORIZATION].to_str().unwrap()),
        };
        match (response.location, response.body) {
            (Some(place), _) => (StatusCode::FOUND, [(LOCATION, place.to_string())]).into_response(),
            (None, body) => {
                ([(CONTENT_TYPE, "application/json")], body.unwrap().as_str().to_owned()).into_response()
            }
        }
    })
}

/// What its refresh flow reads credentials from.
pub fn basic() -> String {
    let credentials = format!("{}:{}", super::CLIENT_ID, super::CLIENT_SECRET);
    format!("Basic {}", STANDARD.encode(credentials))
}

/// The form of a refresh, without them.
pub fn refresh_form(refresh_token: &str) -> String {
    form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "refresh_token")
        .append_pair("refresh_token", refresh_token)
        .finish()
}

/// A generated secret needs one SHA-256; oxide-auth's default is Argon2.
struct CheapSecret;

impl PasswordPolicy for CheapSecret {
    fn store(&self, _: &str, passphrase: &[u8]) -> Vec<u8> {
        Sha256::digest(passphrase).to_vec()
    }

    fn check(&self, _: &str, passphrase: &[u8], stored: &[u8]) -> Result<(), RegistrarError> {
        let same: bool = Sha256::digest(passphrase).as_slice().ct_eq(stored).into();
        same.then_some(()).ok_or(RegistrarError::Unspecified)
    }
}

fn approve(_: &mut Request, _: Solicitation<'_>) -> OwnerConsent<Response> {
    OwnerConsent::Authorized(super::SUBJECT.to_owned())
}

fn form(body: &str) -> Request {
    Request { urlbody: pairs(body), ..Request::default() }
}

fn pairs(text: &str) -> HashMap<String, String> {
    form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

fn succeeded(response: Response, status: Status) -> Response {
    assert_eq!(response.status, status);
    response
}

fn code(response: &Response) -> String {
    super::code_of(response.location.as_ref().unwrap().as_str())
}

fn member(response: &Response, name: &str) -> String {
    super::member(response.body.as_ref().unwrap().as_str().as_bytes(), name)
}

impl Contender for Contestant {
    fn name(&self) -> &'static str {
        "oxide-auth"
    }

    fn has(&self, job: Job) -> bool {
        job != Job::Introspect
    }

    fn reset(&mut self) {
        *self = Self::new();
        self.population = Population::issued_by(|| {
            member(&self.client_credentials(super::CLIENT_CREDENTIALS), "access_token")
        });
    }

    fn chunk(&mut self, job: Job, times: usize) -> Duration {
        match job {
            Job::ClientCredentials => {
                let bodies = repeat_n(super::CLIENT_CREDENTIALS, times);
                super::timed(bodies, |body| self.client_credentials(body)).0
            }
            Job::Authorize => {
                let queries = repeat_n(super::AUTHORIZE, times);
                let (spent, answer) = super::timed(queries, |query| self.authorize(query));
                code(&answer);
                spent
            }
            Job::Redeem => {
                let bodies: Vec<_> = (0..times).map(|_| super::redeem_body(&self.code())).collect();
                super::timed(&bodies, |body| self.redeem(body)).0
            }
            Job::Refresh => {
                while self.refresh_tokens.len() < times {
                    let body = super::redeem_body(&self.code());
                    let response = self.redeem(&body);
                    self.refresh_tokens.push(member(&response, "refresh_token"));
                }
                let basic = basic();
                let tokens = self.refresh_tokens.drain(..times);
                let bodies: Vec<_> = tokens.map(|token| refresh_form(&token)).collect();
                let (spent, answers) = super::timed_keeping(&bodies, |body| self.refresh(body, &basic));
                let rotated = answers.iter().map(|response| member(response, "refresh_token"));
                self.refresh_tokens.extend(rotated);
                spent
            }
            Job::Introspect => unreachable!("oxide-auth has no introspection"),
            Job::Bearer => {
                let tokens = self.population.sample(times);
                let issuer = &self.endpoint.inner.issuer;
                let check = |token: &String| {
                    let grant = issuer.recover_token(token).unwrap().unwrap();
                    assert!(chrono::Utc::now() < grant.until);
                    grant
                };
                super::timed(&tokens, check).0
            }
        }
    }
}
