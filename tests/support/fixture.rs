//! A server with a clock that the test controls.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grantor::jose::{JwkSet, Jws};
use grantor::resource::Guard;
use grantor::server::AuthorizationServerBuilder;
use grantor::store::{Filter, TokenStore};
use grantor::{
    AuthorizationServer, Clock, Login, MemoryRegistry, MemoryStore, Policy, Profile, Reason, Request,
};
use serde_json::Value;

use super::answer::Answer;
use super::bodies::Decoding;
use super::clients::clients;
use super::faulty::{Faulty, Plan};
use super::log::Log;
use super::requests::{code_query, encode, redemption, request};
use super::system::TestClock;
use super::users::Users;

pub const ISSUER: &str = "https://as.example";

/// A server, and handles to control and inspect it.
#[derive(Clone)]
pub struct Fixture {
    pub server: AuthorizationServer,
    pub clock: TestClock,
    pub log: Log,
    pub users: Users,
    pub store: Arc<MemoryStore>,
}

impl Fixture {
    /// OAuth 2.1, the memory store, all clients.
    pub fn new() -> Self {
        Self::with(|builder| builder)
    }

    /// With the implicit and the password grant.
    pub fn legacy() -> Self {
        Self::with(|builder| builder.profile(Profile::Rfc6749))
    }

    /// A server that was configured further.
    pub fn with(configure: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder) -> Self {
        let store = Arc::new(MemoryStore::new());
        Self::on(store.clone(), store, configure)
    }

    /// A server on the store `used`; `store` is only there for inspection.
    pub fn on(
        store: Arc<MemoryStore>,
        used: impl TokenStore + 'static,
        configure: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
    ) -> Self {
        let (clock, log, users) = (TestClock::default(), Log::default(), Users::default());
        let builder = AuthorizationServer::builder(ISSUER)
            .clients(MemoryRegistry::new(clients()))
            .store(Decoding(used))
            .scopes(["read", "write", "admin"])
            .authorization_endpoint("/authorize")
            .resource_owner(users.clone())
            .audit(log.clone())
            .clock(clock.clone());
        let server = configure(builder).build().unwrap();
        Self { server, clock, log, users, store }
    }

    /// A server where every part of the host fails as this plan says.
    pub fn failing(
        store: Arc<MemoryStore>,
        used: impl TokenStore + 'static,
        plan: &Plan,
        deadline: Duration,
    ) -> Self {
        let mut policy = Policy::default();
        policy.store_deadline = deadline;
        Self::on(store, Faulty::new(used, plan), |builder| {
            builder
                .clients(Faulty::new(MemoryRegistry::new(clients()), plan))
                .resource_owner(Faulty::new(Users::default(), plan))
                .profile(Profile::Rfc6749)
                .device_verification("/device")
                .policy(policy)
        })
    }

    /// How many grants its store keeps.
    pub async fn count(&self) -> usize {
        let (filter, mut count, mut from) = (Filter::default(), 0, None);
        loop {
            let page = self.server.grants(&filter, from.as_ref(), 1000).await.unwrap();
            count += page.records.len();
            from = page.next;
            if from.is_none() {
                return count;
            }
        }
    }

    /// The time of the clock in seconds since 1970.
    pub fn clock_seconds(&self) -> i64 {
        self.clock.now().timestamp()
    }

    /// alice, who signed in just now.
    pub fn alice(&self) -> Login {
        Login::new("alice", self.clock.now())
    }

    /// `POST /token` with these parameters. The client authenticates with Basic; a public client sends
    /// `client_id` in the form.
    pub async fn token(&self, client: &str, form: &[(&str, &str)]) -> Answer {
        Answer(self.server.token(&request(client, form)).await)
    }

    pub async fn revoke(&self, client: &str, token: &str) -> Answer {
        Answer(self.server.revoke(&request(client, &[("token", token)])).await)
    }

    pub async fn introspect(&self, client: &str, token: &str) -> Answer {
        Answer(self.server.introspect(&request(client, &[("token", token)])).await)
    }

    /// Whether the access token is live.
    pub async fn is_live(&self, access_token: &str) -> bool {
        self.says_live(access_token).await.expect("the store says whether it is live")
    }

    /// `None` if the store could not say: it asks a server that has just frozen, or this machine is too busy
    /// for its time limit.
    pub async fn says_live(&self, access_token: &str) -> Option<bool> {
        match self.server.check(access_token).await {
            Ok(_) => Some(true),
            Err(refusal) if refusal.reason() == Reason::TokenInactive => Some(false),
            Err(_) => None,
        }
    }

    /// A guard of this resource in the server's process, with the server's clock and log.
    pub fn guard(&self, resource: &str) -> Guard {
        let guard = Guard::builder(resource).local(self.server.clone());
        guard.clock(self.clock.clone()).audit(self.log.clone()).build().unwrap()
    }

    /// The header and the claims of a JWT of this server, read with the published keys alone.
    pub async fn opened(&self, jwt: &str) -> (Value, Value) {
        let jwks = self.server.jwks().await;
        let set = JwkSet::parse(std::str::from_utf8(&jwks.body).unwrap()).unwrap();
        let claims = Jws::parse(jwt).unwrap().verify(&set.verifying_keys()).unwrap().claims().unwrap();
        let header = URL_SAFE_NO_PAD.decode(jwt.split('.').next().unwrap()).unwrap();
        (serde_json::from_slice(&header).unwrap(), claims)
    }

    /// The response to an authorization request that alice approves.
    pub async fn approve(&self, query: &[(&str, &str)]) -> Answer {
        let request = Request::get(encode(query));
        let ask = self.server.authorize(&request).await.expect("the address is proven");
        match ask.signed_in(self.alice()).await {
            grantor::SignedIn::Consent(consent) => Answer(consent.approve().await),
            grantor::SignedIn::Answered(response) => Answer(response),
            grantor::SignedIn::Reauthenticate(again) => Answer(again.cannot().await),
        }
    }

    /// A code for this client and scope, with the challenge of [`VERIFIER`].
    pub async fn code(&self, client: &str, scope: &str) -> String {
        let answer = self.approve(&code_query(client, scope)).await;
        answer.location_parameter("code").expect("a code")
    }

    /// The response to the redemption of a code, with all parameters that belong to it.
    pub async fn redeem(&self, client: &str, code: &str) -> Answer {
        self.token(client, &redemption(code)).await
    }

    /// Tokens for this client and scope.
    pub async fn tokens(&self, client: &str, scope: &str) -> Answer {
        let code = self.code(client, scope).await;
        let answer = self.redeem(client, &code).await;
        assert_eq!(answer.status(), 200, "{:?}", answer.json());
        answer
    }

    pub async fn refresh(&self, client: &str, refresh_token: &str) -> Answer {
        self.token(client, &[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]).await
    }
}
