//! Every artefact of one tenant at every other one is answered exactly like one that no one handed out, and
//! changes nothing: with stores of their own, and in the spaces of one SQLite file.

use std::sync::Arc;

use grantor::client::ClientPage;
use grantor::http::Method;
use grantor::jose::Algorithm;
use grantor::keys::{JwtSigner, KeySchedule, KeyStore, Keys, MemoryKeyStore};
use grantor::store::{Filter, SqliteStore};
use grantor::{
    AccessTokens, AuthorizationServer, BrowserSession, ClientId, Clock as _, Login, MemoryRegistry,
    MemoryStore, Registrar, Registration, Request, Resource, Response, Subject, SystemClock, TokenStore,
};
use serde_json::{Value, json};

use crate::support::device::DEVICE_CODE;
use crate::support::folder::Folder;
use crate::support::registering::{Own, app, app_with};
use crate::support::{Answer, SECRET, basic, clients, code_query, encode, redemption, request};

const NAMES: [&str; 3] = ["acme", "globex", "initech"];
const SIGNED_API: &str = "https://api.example";

struct Tenant {
    server: AuthorizationServer,
    registrar: Arc<dyn Registrar>,
}

impl Tenant {
    /// The same clients, secrets, users and scopes at each; what differs is the issuer, and what is given
    /// here.
    fn new<S, R, K>(name: &str, store: S, registrar: Arc<R>, keys: K) -> Self
    where
        S: TokenStore + 'static,
        R: Registrar + 'static,
        K: KeyStore + 'static,
    {
        let keys = Keys::rotating(keys, KeySchedule::default(), &[Algorithm::EdDsa]).unwrap();
        let server = AuthorizationServer::builder(format!("https://as.example/{name}"))
            .clients(registrar.clone())
            .registrar(registrar.clone())
            .registration(Registration::open())
            .store(store)
            .scopes(["read", "write", "admin"])
            .resource(Resource::new(SIGNED_API).access_tokens(AccessTokens::Jwt))
            .audience("https://opaque.example")
            .authorization_endpoint("/authorize")
            .device_verification("/device")
            .token_signer(JwtSigner::new(keys).unwrap())
            .build()
            .unwrap();
        Self { server, registrar }
    }

    async fn token(&self, client: &str, form: &[(&str, &str)]) -> Answer {
        Answer(self.server.token(&request(client, form)).await)
    }

    async fn code(&self) -> String {
        let asked = self.server.authorize(&Request::get(encode(&code_query("conf", "read")))).await.unwrap();
        let consent = asked.signed_in(alice()).await.consent().unwrap();
        Answer(consent.approve().await).location_parameter("code").unwrap()
    }

    /// Everything that it keeps.
    async fn kept(&self) -> Vec<String> {
        let grants = self.server.grants(&Filter::default(), None, 1000).await.unwrap().records;
        let clients = self.registrar.clients(&ClientPage::first(1000)).await.unwrap().clients;
        let grants = grants.iter().map(|record| format!("{} {}", record.version(), record.grant().encode()));
        grants.chain(clients.iter().map(|client| client.encode().to_string())).collect()
    }
}

fn alice() -> Login {
    Login::new("alice", SystemClock::default().now())
}

fn alices() -> Filter {
    Filter::subject(Subject::user("alice"))
}

fn poll(device_code: &str) -> [(&str, &str); 2] {
    [("grant_type", DEVICE_CODE), ("device_code", device_code)]
}

fn refresh(token: &str) -> [(&str, &str); 2] {
    [("grant_type", "refresh_token"), ("refresh_token", token)]
}

/// One of everything that a tenant hands out.
struct Artefacts {
    code: String,
    access: String,
    refresh: String,
    signed: String,
    device_code: String,
    user_code: String,
    cursor: String,
    /// A client that registered itself.
    own: Own,
}

impl Artefacts {
    async fn of(tenant: &Tenant) -> Self {
        let tokens = tenant.token("conf", &redemption(&tenant.code().await)).await;
        tenant.token("conf", &redemption(&tenant.code().await)).await;
        let robot = [("grant_type", "client_credentials"), ("resource", SIGNED_API)];
        let begin =
            async || Answer(tenant.server.device_authorization(&request("tv", &[("scope", "read")])).await);
        let (approved, waits) = (begin().await, begin().await);
        let session = BrowserSession::session("alice's browser");
        let entered = tenant.server.device(&approved.text("user_code"), &session, None).await.unwrap();
        entered.signed_in(alice()).approve().await.unwrap();
        let metadata = Request::json(Method::Post, app().to_string());
        Self {
            code: tenant.code().await,
            access: tokens.access_token(),
            refresh: tokens.refresh_token(),
            signed: tenant.token("robot", &robot).await.access_token(),
            device_code: approved.text("device_code"),
            user_code: waits.text("user_code"),
            cursor: tenant.server.grants(&alices(), None, 1).await.unwrap().next.unwrap().to_string(),
            own: Own(Answer(tenant.server.registration(&metadata).await).json()),
        }
    }

    /// The same of no tenant.
    fn of_nobody(&self) -> Self {
        let handle = |text: &str| format!("{}{}", &text[..4], "A".repeat(text.len() - 4));
        let id = "A".repeat(self.own.id().len());
        let mut own = self.own.0.clone();
        for (name, text) in [
            ("registration_client_uri", format!("https://as.example/register?client_id={id}")),
            ("registration_access_token", handle(self.own.text("registration_access_token"))),
            ("client_secret", "A".repeat(self.own.text("client_secret").len())),
            ("client_id", id),
        ] {
            own[name] = Value::from(text);
        }
        Self {
            code: handle(&self.code),
            access: handle(&self.access),
            refresh: handle(&self.refresh),
            signed: handle(&self.access),
            device_code: handle(&self.device_code),
            user_code: "BCDF-GHJK".to_owned(),
            cursor: "A".repeat(self.cursor.len()),
            own: Own(own),
        }
    }

    /// What a tenant answers to each of them.
    async fn presented_to(&self, tenant: &Tenant, its_own: &Own) -> Vec<(String, String)> {
        let server = &tenant.server;
        let mut answers = Vec::new();
        let mut note = |name: String, answer: String| answers.push((name, answer));
        let tokens = [
            ("code", "conf", &self.code),
            ("access token", "conf", &self.access),
            ("refresh token", "conf", &self.refresh),
            ("signed token", "robot", &self.signed),
            ("device code", "tv", &self.device_code),
        ];
        for (name, client, token) in tokens {
            let bearer = Request::get("").header("authorization", format!("Bearer {token}"));
            let protected = server.protect(&bearer, &["read"]).await;
            note(format!("a resource and {name}"), protected.map_or_else(shown, |_| "let in".to_owned()));
            let form = [("token", token.as_str())];
            let asked = Request::post_form(encode(&form)).header("authorization", basic("conf", SECRET));
            note(format!("introspection of {name}"), shown(server.introspect(&asked).await));
            note(format!("revocation of {name}"), shown(server.revoke(&request(client, &form)).await));
        }
        note("a code".into(), shown(tenant.token("conf", &redemption(&self.code)).await.0));
        note("a refresh".into(), shown(tenant.token("conf", &refresh(&self.refresh)).await.0));
        note("a poll".into(), shown(tenant.token("tv", &poll(&self.device_code)).await.0));
        let entered = server.device(&self.user_code, &BrowserSession::session(&self.user_code), None).await;
        let entered = entered.map_or_else(|page| shown(page.into_response()), |_| "claimed".to_owned());
        note("a user code".into(), entered);
        note("a cursor".into(), format!("{:?}", server.cursor(&alices(), &self.cursor)));

        let page = server.authorize(&Request::get(encode(&code_query(self.own.id(), "read")))).await;
        let page = page.map_or_else(|page| shown(page.into_response()), |_| "asks the user".to_owned());
        note("a client at authorize".into(), page);
        let signed = self.own.signs(&refresh(&self.refresh));
        note("a client and its secret".into(), shown(server.token(&signed).await));
        for method in [Method::Get, Method::Delete] {
            let managed = server.registration(&self.own.asks(Request::new(method))).await;
            note(format!("{method:?} of a registration"), shown(managed));
        }
        let body = app_with(json!({ "client_id": self.own.id() }));
        let change = self.own.asks(Request::json(Method::Put, body.to_string()));
        note("Put of a registration".into(), shown(server.registration(&change).await));
        let token = self.own.text("registration_access_token");
        let crossed = its_own.asks_with(Request::new(Method::Get), token);
        note("a registration access token".into(), shown(server.registration(&crossed).await));
        answers
    }

    /// At home all of it is good.
    async fn are_good_at(&self, tenant: &Tenant) {
        let server = &tenant.server;
        for token in [&self.access, &self.signed] {
            assert!(server.check(token).await.is_ok());
        }
        assert!(server.cursor(&alices(), &self.cursor).is_some());
        let entered = server.device(&self.user_code, &BrowserSession::session("one"), None).await;
        assert!(entered.is_ok());
        for (client, form) in [("conf", refresh(&self.refresh)), ("tv", poll(&self.device_code))] {
            assert_eq!(tenant.token(client, &form).await.status(), 200, "{form:?}");
        }
        assert_eq!(tenant.token("conf", &redemption(&self.code)).await.status(), 200);
        assert!(server.authorize(&Request::get(encode(&code_query(self.own.id(), "read")))).await.is_ok());
        let wrong_token = Answer(server.token(&self.own.signs(&refresh("grt_none"))).await);
        assert_eq!(wrong_token.error().1, "invalid_grant", "the client is who it says");
        assert_eq!(server.registration(&self.own.asks(Request::new(Method::Get))).await.status, 200);
    }
}

/// All of a response.
fn shown(response: Response) -> String {
    format!("{} {:?} {}", response.status, response.headers, String::from_utf8_lossy(&response.body))
}

async fn assert_apart(tenants: &[Tenant]) {
    let mut artefacts = Vec::new();
    for tenant in tenants {
        artefacts.push(Artefacts::of(tenant).await);
    }
    let mut before = Vec::new();
    for tenant in tenants {
        before.push(tenant.kept().await);
    }
    for at in 0..tenants.len() {
        let its_own = &artefacts[at].own;
        let strange = artefacts[at].of_nobody().presented_to(&tenants[at], its_own).await;
        let good = |answer: &&(String, String)| answer.1.starts_with("20");
        let refused = strange.len() - strange.iter().filter(good).count();
        assert_eq!(refused, strange.len() - 10, "but for introspection and revocation: {strange:#?}");
        for of in (0..tenants.len()).filter(|of| *of != at) {
            let answers = artefacts[of].presented_to(&tenants[at], its_own).await;
            assert_eq!(answers, strange, "{} at {}", NAMES[of], NAMES[at]);
        }
    }
    for (tenant, before) in tenants.iter().zip(before) {
        assert_eq!(tenant.kept().await, before, "nothing changed");
    }
    // What a host ends at one ends at no other.
    assert!(tenants[0].server.revoke_subject(&Subject::user("alice")).await.unwrap() > 0);
    assert!(tenants[0].server.revoke_client(&ClientId::new("tv")).await.unwrap() > 0);
    assert!(tenants[0].server.check(&artefacts[0].access).await.is_err());
    for (tenant, artefacts) in tenants.iter().zip(&artefacts).skip(1) {
        artefacts.are_good_at(tenant).await;
    }
}

#[tokio::test]
async fn no_tenant_knows_anything_of_another_with_a_store_of_its_own() {
    let tenants = NAMES.map(|name| {
        let registrar = Arc::new(MemoryRegistry::new(clients()));
        Tenant::new(name, MemoryStore::small(), registrar, MemoryKeyStore::new())
    });
    assert_apart(&tenants).await;
}

#[tokio::test]
async fn no_tenant_knows_anything_of_another_in_the_spaces_of_one_file() {
    let folder = Folder::new();
    let file = SqliteStore::open(folder.file("tenants.db").to_str().unwrap()).await.unwrap();
    let mut tenants = Vec::new();
    for name in NAMES {
        let space = file.space(name);
        for client in clients() {
            space.insert(client).await.unwrap();
        }
        tenants.push(Tenant::new(name, space.clone(), Arc::new(space.clone()), space));
    }
    assert_apart(&tenants).await;
}
