//! An OpenID Provider: who its users are, and what its clients read.

use std::sync::{Arc, Mutex, OnceLock};

use grantor::jose::{Algorithm, Signer, SigningKey};
use grantor::keys::{JwtSigner, Keys};
use grantor::openid::{ClaimsAsked, ClaimsSource, ClaimsTo};
use grantor::server::AuthorizationServerBuilder;
use grantor::{BackendError, Client, ClientMetadata, GrantType, Login, MemoryRegistry, Request, async_trait};
use serde_json::{Map, Value, json};

use super::{Answer, CALLBACK, Fixture, SECRET, clients, code_query, encode};

/// The claims of alice, the requests for them so far, and whether the source is down.
#[derive(Clone, Default)]
pub struct People(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    alice: Map<String, Value>,
    asked: Vec<(ClaimsTo, Vec<String>)>,
    is_down: bool,
}

impl People {
    pub fn set(&self, claims: Value) {
        self.0.lock().unwrap().alice.extend(claims.as_object().unwrap().clone());
    }

    pub fn forget(&self, name: &str) {
        self.0.lock().unwrap().alice.remove(name);
    }

    pub fn goes_down(&self, is_down: bool) {
        self.0.lock().unwrap().is_down = is_down;
    }

    /// For every request so far: where the claims were for, and which ones.
    pub fn asked(&self) -> Vec<(ClaimsTo, Vec<String>)> {
        self.0.lock().unwrap().asked.clone()
    }
}

#[async_trait]
impl ClaimsSource for People {
    async fn claims(&self, asked: &ClaimsAsked<'_>) -> Result<Map<String, Value>, BackendError> {
        let mut state = self.0.lock().unwrap();
        state.asked.push((asked.to(), asked.names().map(str::to_owned).collect()));
        match (state.is_down, asked.user()) {
            (true, _) => Err(BackendError::transient("the users cannot be asked")),
            (false, "alice") => Ok(state.alice.clone()),
            (false, _) => Ok(Map::new()),
        }
    }
}

/// Every standard claim of OpenID Connect, and one more.
pub fn alice() -> Value {
    json!({
        "name": "Alice Liddell", "family_name": "Liddell", "given_name": "Alice", "middle_name": "P", "nickname": "Al",
        "preferred_username": "alice", "profile": "https://alice.example", "picture": "https://alice.example/me.png",
        "website": "https://alice.example", "gender": "female", "birthdate": "1852-05-04", "zoneinfo": "Europe/London",
        "locale": "en-GB", "updated_at": 1_700_000_000, "email": "alice@example.com", "email_verified": true,
        "address": { "country": "GB" }, "phone_number": "+44 1", "phone_number_verified": false, "shoe_size": 36,
    })
}

pub const SCOPES: [&str; 7] = ["openid", "profile", "email", "address", "phone", "read", "write"];

/// The signature algorithms that its clients can use.
pub const ALGORITHMS: [Algorithm; 4] =
    [Algorithm::Rs256, Algorithm::Es256, Algorithm::Ps256, Algorithm::EdDsa];

/// One key for each algorithm, shared by all tests because RSA keys take long to generate.
pub fn keys() -> Keys {
    static SIGNERS: OnceLock<Vec<Arc<dyn Signer>>> = OnceLock::new();
    let make = |algorithm| Arc::new(SigningKey::generate(algorithm).unwrap()) as Arc<dyn Signer>;
    Keys::from_signers(SIGNERS.get_or_init(|| ALGORITHMS.into_iter().map(make).collect()).clone()).unwrap()
}

/// A provider, and its users.
pub struct Provider {
    pub fixture: Fixture,
    pub people: People,
}

/// A confidential client like `conf`, with more metadata.
pub fn client(id: &str, more: Value) -> Client {
    let metadata: ClientMetadata = serde_json::from_value(more).unwrap();
    let grants = [GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::ClientCredentials];
    let built =
        Client::builder(id).metadata(metadata).redirect_uri(CALLBACK).grant_types(grants).secret(SECRET);
    built.build().unwrap()
}

impl Provider {
    pub fn new() -> Self {
        Self::with(Vec::new(), |builder| builder)
    }

    /// With these additional clients and settings.
    pub fn with(
        more: Vec<Client>,
        configure: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
    ) -> Self {
        let people = People::default();
        people.set(alice());
        let all: Vec<Client> = clients().into_iter().chain(more).collect();
        let fixture = Fixture::with(|builder| {
            let builder = builder
                .clients(MemoryRegistry::new(all))
                .scopes(SCOPES)
                .device_verification("/device")
                .token_signer(JwtSigner::new(keys()).unwrap())
                .openid(people.clone());
            configure(builder)
        });
        Self { fixture, people }
    }

    /// The response to an authorization request that this user approves. `conf` cannot request `openid`,
    /// `other` can.
    pub async fn ask(&self, client: &str, scope: &str, more: &[(&str, &str)], login: Login) -> Answer {
        let mut query = code_query(client, scope);
        query.extend(more);
        let ask =
            self.fixture.server.authorize(&Request::get(encode(&query))).await.expect("a proven address");
        match ask.signed_in(login).await {
            grantor::SignedIn::Consent(consent) => Answer(consent.approve().await),
            grantor::SignedIn::Answered(response) => Answer(response),
            grantor::SignedIn::Reauthenticate(again) => Answer(again.cannot().await),
        }
    }

    /// The code after alice approves such a request.
    pub async fn code(&self, client: &str, scope: &str, more: &[(&str, &str)]) -> String {
        let answer = self.ask(client, scope, more, self.fixture.alice()).await;
        answer.location_parameter("code").unwrap_or_else(|| panic!("no code: {}", answer.location()))
    }

    /// The tokens for that code.
    pub async fn tokens(&self, client: &str, scope: &str, more: &[(&str, &str)]) -> Answer {
        let code = self.code(client, scope, more).await;
        let answer = self.fixture.redeem(client, &code).await;
        assert_eq!(answer.status(), 200, "{}", answer.json());
        answer
    }

    /// The claims of the `id_token` in a response, verified with only the published keys.
    pub async fn id_token(&self, answer: &Answer) -> Value {
        self.fixture.opened(&answer.text("id_token")).await.1
    }

    /// The UserInfo response for an access token in the header.
    pub async fn userinfo(&self, token: &str) -> Answer {
        let request = Request::get("").header("authorization", format!("Bearer {token}"));
        Answer(self.fixture.server.userinfo(&request).await)
    }

    /// The claims of that response without `sub`, which has to be alice's.
    pub async fn claims(&self, token: &str) -> Value {
        let answer = self.userinfo(token).await;
        assert_eq!(answer.status(), 200, "{}", answer.json());
        let mut claims = answer.json();
        assert_eq!(claims.as_object_mut().unwrap().remove("sub"), Some(json!("alice")));
        claims
    }
}
