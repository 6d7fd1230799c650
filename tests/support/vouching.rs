//! A server that accepts the assertions of two issuers: `IDP`, an identity provider (ID-JAG), and `PARTNER`
//! (plain RFC 7523).

use std::sync::{Arc, Mutex};

use grantor::assertions::{Assertion, AssertionIssuer, AssertionPolicy, JwtBearer};
use grantor::error::AssertionFlaw;
use grantor::flow::token::{Denial, Entitlement};
use grantor::jose::SigningKey;
use grantor::resource::StaticKeys;
use grantor::server::AuthorizationServerBuilder;
use grantor::{
    AuthMethod, Client, GrantType, MemoryRegistry, MemoryStore, Resource, TokenStore, async_trait,
};
use serde_json::{Value, json};

use super::extending::{API, OTHER_API, scope};
use super::guarded::{changed, forged, key, set};
use super::{Answer, Fixture, ISSUER, SECRET, TestClock, clients};

pub const IDP: &str = "https://idp.example";
pub const PARTNER: &str = "partner@example.com";
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Maps subjects to users: `u-1` of the identity provider is alice and `7` is bob; `7` of the partner is
/// carol.
#[derive(Clone, Default)]
pub struct Accounts(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    asked: usize,
    consent_is_missing: bool,
    refreshes: bool,
}

impl Accounts {
    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.0.lock().unwrap().asked
    }

    pub fn miss_consent(&self) {
        self.0.lock().unwrap().consent_is_missing = true;
    }

    pub fn want_refresh_tokens(&self) {
        self.0.lock().unwrap().refreshes = true;
    }
}

#[async_trait]
impl AssertionPolicy for Accounts {
    async fn accept(&self, assertion: &Assertion<'_>) -> Result<Entitlement, Denial> {
        let mut state = self.0.lock().unwrap();
        state.asked += 1;
        if state.consent_is_missing {
            return Err(Denial::consent_missing());
        }
        let user = match (assertion.issuer, assertion.subject) {
            (IDP, "u-1") => "alice",
            (IDP, "7") => "bob",
            (PARTNER, "7") => "carol",
            _ => return Err(Denial::invalid_grant()),
        };
        let entitlement = Entitlement::user(user, scope("read write"));
        Ok(if state.refreshes { entitlement.with_refresh_token() } else { entitlement })
    }
}

pub struct Vouching {
    pub fixture: Fixture,
    pub accounts: Accounts,
    pub idp: Arc<SigningKey>,
    pub partner: Arc<SigningKey>,
}

impl Vouching {
    pub fn new() -> Self {
        Self::with(|grant| grant, |builder| builder)
    }

    pub fn with(
        grant: impl FnOnce(JwtBearer) -> JwtBearer,
        configure: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
    ) -> Self {
        let store = Arc::new(MemoryStore::new());
        Self::on(store.clone(), store, grant, configure)
    }

    /// In addition to the usual clients: `wiki` and `desk` (confidential, the latter with refresh tokens),
    /// `app` (public).
    pub fn on(
        store: Arc<MemoryStore>,
        used: impl TokenStore + 'static,
        grant: impl FnOnce(JwtBearer) -> JwtBearer,
        configure: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
    ) -> Self {
        let (accounts, idp, partner) = (Accounts::default(), Arc::new(key()), Arc::new(key()));
        let both = JwtBearer::new(accounts.clone())
            .issuer(AssertionIssuer::id_jag(IDP, StaticKeys::new(&set([&*idp]))))
            .issuer(AssertionIssuer::new(PARTNER, StaticKeys::new(&set([&*partner]))));
        let bearer = GrantType::jwt_bearer;
        let wiki = Client::builder("wiki").grant_types([bearer()]).secret(SECRET);
        let desk = Client::builder("desk").grant_types([bearer(), GrantType::RefreshToken]).secret(SECRET);
        let app = Client::builder("app").grant_types([bearer()]).auth_method(AuthMethod::None);
        let own = [wiki, desk, app].map(|client| client.build().unwrap());
        let registry = MemoryRegistry::new(clients().into_iter().chain(own));
        let fixture = Fixture::on(store.clone(), used, |builder| {
            let builder = builder
                .clients(registry)
                .resource(Resource::new(API))
                .resource(Resource::new(OTHER_API))
                .replay_guard(store)
                .jwt_bearer(grant(both));
            configure(builder)
        });
        Self { fixture, accounts, idp, partner }
    }

    /// An ID-JAG about alice for `wiki`, with these changes of its claims; `null` removes one.
    pub fn jag(&self, changes: Value) -> String {
        self.jag_under(r#"{"alg":"EdDSA","typ":"oauth-id-jag+jwt"}"#, changes)
    }

    /// The same with this header.
    pub fn jag_under(&self, header: &str, changes: Value) -> String {
        let claims = json!({
            "iss": IDP, "sub": "u-1", "aud": ISSUER, "client_id": "wiki", "jti": "1",
            "iat": TestClock::START, "exp": TestClock::START + 300,
        });
        forged(&self.idp, header, &changed(claims, changes).to_string())
    }

    /// A plain assertion of the partner about carol, with these changes of its claims.
    pub fn plain(&self, changes: Value) -> String {
        self.plain_under(r#"{"alg":"EdDSA"}"#, changes)
    }

    pub fn plain_under(&self, header: &str, changes: Value) -> String {
        let claims = json!({ "iss": PARTNER, "sub": "7", "aud": ISSUER, "exp": TestClock::START + 300 });
        forged(&self.partner, header, &changed(claims, changes).to_string())
    }

    /// The response to a token request of `wiki` with this assertion.
    pub async fn bring(&self, assertion: &str) -> Answer {
        self.bring_as("wiki", assertion, &[]).await
    }

    pub async fn bring_as(&self, client: &str, assertion: &str, more: &[(&str, &str)]) -> Answer {
        let form = [&[("grant_type", JWT_BEARER), ("assertion", assertion)], more].concat();
        self.fixture.token(client, &form).await
    }

    /// The subject of the tokens.
    pub async fn subject(&self, answer: &Answer) -> String {
        assert_eq!(answer.status(), 200, "{}", answer.json());
        let access = self.fixture.server.check(&answer.access_token()).await.unwrap();
        access.user().unwrap().to_owned()
    }

    /// Asserts that the assertion is refused for this reason before the host is asked, and that nothing is
    /// written.
    pub async fn assert_refused(&self, assertion: &str, flaw: AssertionFlaw, what: &str) {
        let before = self.accounts.asked();
        let answer = self.bring(assertion).await;
        assert_eq!(answer.error(), (400, "invalid_grant".into()), "{what}");
        assert_eq!(self.fixture.log.last_reason(), Some(grantor::Reason::Assertion(flaw)), "{what}");
        assert_eq!(self.accounts.asked(), before, "{what}: nobody is asked about what is not believed");
        assert_eq!(self.fixture.count().await, 0, "{what}");
    }
}
