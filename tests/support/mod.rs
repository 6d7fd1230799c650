//! A server with a clock that stands still, and the fixtures that the requirements speak of.

pub mod browser;
pub mod device;
pub mod extending;
pub mod faulty;
pub mod flows;
pub mod folder;
pub mod guarded;
pub mod http;
pub mod programs;
pub mod racing;
pub mod registering;
pub mod remote;
pub mod scripted;
pub mod site;
pub mod vouching;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use argon2::password_hash::PasswordHasher as _;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use grantor::server::Builder;
use grantor::store::{Filter, TokenStore};
use grantor::{
    ApplicationType, Audit, AuthMethod, AuthorizationServer, Client, Clock, Entropy, Event, GrantType, Login,
    MemoryRegistry, MemoryStore, Policy, Profile, Reason, Request, ResourceOwner, Response, SecretText,
    Standing, StoreError, Subject, What, async_trait,
};
use serde_json::Value;

use faulty::{Faulty, Plan};

/// RFC 7636 appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub const ISSUER: &str = "https://as.example";
pub const CALLBACK: &str = "https://app.example/cb";
pub const SECRET: &str = "c2VjcmV0LW9mLXRoZS1maXh0dXJl";

/// A clock that moves when it is told to.
#[derive(Clone, Default)]
pub struct TestClock(Arc<AtomicI64>);

impl TestClock {
    pub const START: i64 = 1_800_000_000;

    #[allow(dead_code)] // for the stores, which have clocks of their own
    pub fn set(&self, now: DateTime<Utc>) {
        self.0.store(now.timestamp() - Self::START, Ordering::SeqCst);
    }

    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_secs() as i64, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(Self::START + self.0.load(Ordering::SeqCst), 0).unwrap()
    }
}

/// Randomness that is the same in every run, and never twice the same in one.
#[derive(Clone, Default)]
pub struct CountingEntropy(Arc<AtomicI64>);

impl Entropy for CountingEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let count = self.0.fetch_add(1, Ordering::SeqCst);
            let digest = SecretText::new(format!("entropy {count}")).digest();
            let text = serde_json::to_string(&digest).unwrap();
            let noise = URL_SAFE_NO_PAD.decode(text.trim_matches('"')).unwrap();
            chunk.copy_from_slice(&noise[..chunk.len()]);
        }
    }
}

/// Remembers what happened, as texts and as reasons.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<(What, String)>>>);

impl Log {
    pub fn texts(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|(_, text)| text.clone()).collect()
    }

    pub fn whats(&self) -> Vec<What> {
        self.0.lock().unwrap().iter().map(|(what, _)| *what).collect()
    }

    /// The reason of the latest refusal, fault or end.
    pub fn last_reason(&self) -> Option<Reason> {
        self.whats().into_iter().rev().find_map(|what| match what {
            What::Refused(reason) | What::Ended(reason) | What::Failed(reason) => Some(reason),
            _ => None,
        })
    }
}

impl Audit for Log {
    fn record(&self, event: &Event<'_>) {
        self.0.lock().unwrap().push((event.what, event.to_string()));
    }
}

/// alice's password is wonderland; bob's is builder; whoever is in `blocked` may not go on.
#[derive(Clone, Default)]
pub struct Users {
    pub blocked: Arc<Mutex<Vec<String>>>,
}

#[async_trait]
impl ResourceOwner for Users {
    async fn authenticate(
        &self,
        username: &str,
        password: &SecretText,
        _client: &Client,
    ) -> Result<Option<Subject>, StoreError> {
        let right = matches!((username, password.reveal()), ("alice", "wonderland") | ("bob", "builder"));
        Ok(right.then(|| Subject::user(username)))
    }

    async fn standing(&self, subject: &Subject) -> Result<Standing, StoreError> {
        let blocked = self.blocked.lock().unwrap();
        Ok(if blocked.iter().any(|b| b == subject.id()) { Standing::Blocked } else { Standing::Active })
    }
}

/// The fixtures: `pub` (public, PKCE, rotating), `conf` and `other` (client_secret_basic), `post`
/// (client_secret_post), `native` (native with a secret), `robot` (client credentials only), `legacy`
/// (implicit and password, no PKCE), `bare` (a code and no refresh token), `tv` (a public device). Secrets are all [`SECRET`].
pub fn clients() -> Vec<Client> {
    use GrantType::{AuthorizationCode, ClientCredentials, DeviceCode, Implicit, Password, RefreshToken};
    let code = [AuthorizationCode, RefreshToken];
    let all = [AuthorizationCode, DeviceCode, RefreshToken, ClientCredentials];
    let conf = |id| {
        Client::builder(id)
            .name("Confidential")
            .redirect_uri(CALLBACK)
            .grant_types(all.clone())
            .secret(SECRET)
    };
    let public = |id| {
        Client::builder(id).redirect_uri(CALLBACK).grant_types(code.clone()).auth_method(AuthMethod::None)
    };
    let built = [
        public("pub").redirect_uri("http://127.0.0.1/cb").build(),
        conf("conf").scope("read write").build(),
        conf("other").build(),
        conf("post").auth_method(AuthMethod::ClientSecretPost).build(),
        Client::builder("native")
            .redirect_uri("com.example.app:/cb")
            .grant_types(code.clone())
            .application_type(ApplicationType::Native)
            .secret(SECRET)
            .build(),
        Client::builder("robot").grant_types([ClientCredentials]).secret(SECRET).scope("read").build(),
        Client::builder("legacy")
            .redirect_uri(CALLBACK)
            .grant_types([AuthorizationCode, Implicit, Password, RefreshToken])
            .secret(SECRET)
            .require_pkce(false)
            .build(),
        Client::builder("tv")
            .name("Television")
            .grant_types([DeviceCode, RefreshToken])
            .auth_method(AuthMethod::None)
            .build(),
        Client::builder("bare").redirect_uri(CALLBACK).secret(SECRET).build(),
    ];
    built.into_iter().map(Result::unwrap).collect()
}

/// A server and the strings to pull.
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
    pub fn with(configure: impl FnOnce(Builder) -> Builder) -> Self {
        let store = Arc::new(MemoryStore::new());
        Self::on(store.clone(), store, configure)
    }

    /// A server on a store of your own; `store` is only there to be looked into.
    pub fn on(
        store: Arc<MemoryStore>,
        used: impl TokenStore + 'static,
        configure: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        let (clock, log, users) = (TestClock::default(), Log::default(), Users::default());
        let builder = AuthorizationServer::builder(ISSUER)
            .clients(MemoryRegistry::new(clients()))
            .store(used)
            .scopes(["read", "write", "admin"])
            .authorization_endpoint("/authorize")
            .resource_owner(users.clone())
            .audit(log.clone())
            .clock(clock.clone());
        let server = configure(builder).build().unwrap();
        Self { server, clock, log, users, store }
    }

    /// A server all of whose parts go wrong by this plan.
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

    /// The time by the clock, as in JSON.
    pub fn clock_seconds(&self) -> i64 {
        self.clock.now().timestamp()
    }

    /// alice, who signed in just now.
    pub fn alice(&self) -> Login {
        Login::new("alice", self.clock.now())
    }

    /// `POST /token` of these parameters, as this client by Basic; a public client names itself in the form.
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
        self.server.check(access_token).await.is_ok()
    }

    /// The answer to an authorization request by alice, who says yes.
    pub async fn approve(&self, query: &[(&str, &str)]) -> Answer {
        let request = Request::get(encode(query));
        let ask = self.server.authorize(&request).await.expect("the address is proven");
        match ask.signed_in(self.alice()) {
            Ok(consent) => Answer(consent.approve().await),
            Err(grantor::Detour::Answer(response)) => Answer(response),
            Err(detour) => panic!("{detour:?}"),
        }
    }

    /// A code for this client and scope, by the challenge of [`VERIFIER`].
    pub async fn code(&self, client: &str, scope: &str) -> String {
        let answer = self.approve(&code_query(client, scope)).await;
        answer.location_parameter("code").expect("a code")
    }

    /// The answer to the redemption of a code, with all that belongs to it.
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

/// The parameters of an authorization request that is in order.
pub fn code_query<'a>(client: &'a str, scope: &'a str) -> Vec<(&'a str, &'a str)> {
    let redirect_uri = if client == "native" { "com.example.app:/cb" } else { CALLBACK };
    vec![
        ("response_type", "code"),
        ("client_id", client),
        ("redirect_uri", redirect_uri),
        ("scope", scope),
        ("state", "the state"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]
}

/// The parameters of the redemption of a code from [`code_query`].
pub fn redemption(code: &str) -> Vec<(&str, &str)> {
    vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ]
}

pub fn encode(pairs: &[(&str, &str)]) -> String {
    serde_urlencoded::to_string(pairs).unwrap()
}

pub fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

/// A form from a client, authenticated as it is registered.
pub fn request(client: &str, form: &[(&str, &str)]) -> Request {
    let mut form = form.to_vec();
    match client {
        "pub" | "tv" => form.push(("client_id", client)),
        "post" => form.extend([("client_id", "post"), ("client_secret", SECRET)]),
        id => return Request::post_form(encode(&form)).header("authorization", basic(id, SECRET)),
    }
    Request::post_form(encode(&form))
}

/// A response, taken apart.
pub struct Answer(pub Response);

impl Answer {
    pub fn status(&self) -> u16 {
        self.0.status
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.0.body).unwrap_or(Value::Null)
    }

    /// A text member of the JSON body.
    pub fn text(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.json())).to_owned()
    }

    pub fn access_token(&self) -> String {
        self.text("access_token")
    }

    pub fn refresh_token(&self) -> String {
        self.text("refresh_token")
    }

    pub fn error(&self) -> (u16, String) {
        (self.status(), self.text("error"))
    }

    pub fn location(&self) -> &str {
        self.0.header("location").expect("a redirect")
    }

    /// A parameter in the query or the fragment of the redirect.
    pub fn location_parameter(&self, name: &str) -> Option<String> {
        let (_, parameters) = self.location().split_once(['?', '#'])?;
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(parameters).unwrap();
        pairs.into_iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }
}

/// The PHC string of a secret that a person chose, of little cost.
pub fn phc(secret: &str) -> String {
    let parameters = argon2::Params::new(8, 1, 1, None).unwrap();
    let argon = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, parameters);
    argon.hash_password_with_salt(secret.as_bytes(), b"some salt of ours").unwrap().to_string()
}
