//! What is decided before the first request: the server's and the clients' builders, and the registries.

use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use grantor::client::{ClientError, ClientListing, ClientPage, FileRegistryError, RegistryError};
use grantor::server::ConfigError;
use grantor::store::contract::{Clause, Suite};
use grantor::{
    ApplicationType, AuthMethod, AuthorizationServer, BackendError, Client, ClientId, ClientMetadata,
    ClientRegistry, FileRegistry, GrantType, HostError, MemoryRegistry, Policy, Registrar, Replacement,
    Request, ResponseType, async_trait,
};

use crate::support::folder::Folder;
use crate::support::{
    Answer, CALLBACK, Fixture, SECRET, TestClock, basic, clients, code_query, encode, redemption,
};

#[test]
fn a_server_reports_every_mistake_at_once() {
    let mut policy = Policy::default();
    policy.access_token_lifetime = Duration::ZERO;
    policy.code_lifetime = Duration::from_secs(601);
    policy.prefixes.access = policy.prefixes.code.clone();
    let errors = AuthorizationServer::builder("http://as.example")
        .clients(MemoryRegistry::default())
        .store(grantor::MemoryStore::new())
        .scopes(["read", "wri\"te"])
        .token_endpoint("/oauth")
        .revocation_endpoint("/oauth")
        .introspection_endpoint("introspect")
        .policy(policy)
        .build()
        .unwrap_err();
    let expected = [
        ConfigError::IssuerNotHttps,
        ConfigError::Scopes,
        ConfigError::EndpointTwice("/oauth".to_owned()),
        ConfigError::EndpointPath("introspect".to_owned()),
        ConfigError::Zero("access_token_lifetime"),
        ConfigError::CodeLifetime,
        ConfigError::Prefixes,
    ];
    assert_eq!(errors.all(), expected);
    assert_eq!(errors.to_string().split("; ").count(), expected.len(), "{errors}");
}

#[test]
fn every_lifetime_of_nothing_is_named() {
    let build = |change: fn(&mut Policy)| {
        let mut policy = Policy::default();
        change(&mut policy);
        let server = AuthorizationServer::builder("https://as.example");
        let server = server.clients(MemoryRegistry::default()).store(grantor::MemoryStore::new());
        server.policy(policy).build().map_err(|errors| errors.all().to_vec())
    };
    type Change = fn(&mut Policy);
    let changes: [(&str, Change); 5] = [
        ("code_lifetime", |p| p.code_lifetime = Duration::ZERO),
        ("access_token_lifetime", |p| p.access_token_lifetime = Duration::ZERO),
        ("refresh_token_idle", |p| p.refresh_token_idle = Duration::ZERO),
        ("grant_lifetime", |p| p.grant_lifetime = Duration::ZERO),
        ("store_deadline", |p| p.store_deadline = Duration::ZERO),
    ];
    for (name, change) in changes {
        assert_eq!(build(change).unwrap_err(), [ConfigError::Zero(name)]);
    }
    assert!(build(|p| p.leeway = Duration::ZERO).is_ok(), "no second chance is a policy");
    assert!(build(|p| p.code_lifetime = Duration::from_secs(600)).is_ok());
    assert!(build(|p| p.grant_lifetime = Duration::MAX).is_ok());
}

#[tokio::test]
async fn a_lifetime_without_end_is_no_overflow() {
    let mut policy = Policy::default();
    policy.grant_lifetime = Duration::MAX;
    policy.refresh_token_idle = Duration::MAX;
    policy.leeway = Duration::MAX;
    let fixture = Fixture::with(|builder| builder.policy(policy));
    let tokens = fixture.tokens("pub", "read").await;
    assert_eq!(fixture.refresh("pub", &tokens.refresh_token()).await.status(), 200);
    assert_eq!(fixture.server.sweep().await.unwrap(), 0);
}

#[test]
fn a_client_reports_every_mistake_at_once() {
    let errors = Client::builder("é")
        .scope("read \"")
        .redirect_uri("http://app.example/cb")
        .redirect_uri("https://app.example/cb#f")
        .grant_types([GrantType::ClientCredentials])
        .response_types([ResponseType::Code, ResponseType::Token])
        .auth_method(AuthMethod::None)
        .secret(SECRET)
        .require_pkce(false)
        .rotate_refresh(false)
        .build()
        .unwrap_err();
    assert_eq!(errors.all().len(), 10, "{errors}");
    assert_eq!(errors.to_string().matches("; ").count(), 9);
    for expected in [
        ClientError::Id,
        ClientError::Scope,
        ClientError::ResponseTypeWithoutGrant(ResponseType::Code),
        ClientError::ResponseTypeWithoutGrant(ResponseType::Token),
        ClientError::PublicWithSecret,
        ClientError::PublicClientCredentials,
        ClientError::PublicWithoutPkce,
        ClientError::PublicWithoutRotation,
    ] {
        assert!(errors.all().contains(&expected), "{expected}");
    }
    assert!(!errors.to_string().contains(SECRET));
}

#[test]
fn a_client_that_could_never_do_anything_is_refused() {
    let confidential = |id: &str| Client::builder(id).redirect_uri(CALLBACK).secret(SECRET);
    assert!(confidential("app").build().is_ok());
    for id in ["", "a\u{7F}", "a\nb", "ключ"] {
        assert_eq!(confidential(id).build().unwrap_err().all(), [ClientError::Id], "{id:?}");
    }
    let secretless = Client::builder("app").redirect_uri(CALLBACK);
    assert_eq!(secretless.build().unwrap_err().all(), [ClientError::SecretMissing]);
    let addressless = Client::builder("app").secret(SECRET).grant_types([GrantType::Implicit]);
    assert_eq!(addressless.build().unwrap_err().all(), [ClientError::RedirectUriMissing]);
    let nameless = Client::application().redirect_uri(CALLBACK).secret(SECRET);
    assert_eq!(nameless.build().unwrap_err().all(), [ClientError::Id]);
}

#[test]
fn the_defaults_of_a_client_are_those_of_rfc_7591() {
    let client = Client::builder("app").redirect_uri(CALLBACK).secret(SECRET).build().unwrap();
    assert_eq!(client.grant_types(), [GrantType::AuthorizationCode]);
    assert_eq!(client.response_types(), [ResponseType::Code]);
    assert_eq!(client.auth_method(), AuthMethod::ClientSecretBasic);
    assert_eq!(client.application_type(), ApplicationType::Web);
    assert!(client.is_confidential() && !client.rotates_refresh());
    for (grant_types, response_types) in [
        (
            &[GrantType::Implicit, GrantType::AuthorizationCode][..],
            &[ResponseType::Code, ResponseType::Token][..],
        ),
        (&[GrantType::Implicit], &[ResponseType::Token]),
        (&[GrantType::ClientCredentials], &[]),
    ] {
        let client = Client::builder("app").redirect_uri(CALLBACK).secret(SECRET);
        let client = client.grant_types(grant_types.iter().cloned()).build().unwrap();
        assert_eq!((client.grant_types(), client.response_types()), (grant_types, response_types));
    }
}

#[tokio::test]
async fn of_two_clients_with_one_id_the_registry_keeps_the_later_one() {
    let named = |name: &str| Client::builder("app").name(name).redirect_uri(CALLBACK).secret(SECRET);
    let registry = MemoryRegistry::new(["first", "second"].map(|name| named(name).build().unwrap()));
    assert_eq!(registry.all().len(), 1);
    let kept = registry.client(registry.all()[0].id()).await.unwrap().unwrap();
    assert_eq!(kept.name(), Some("second"));
}

#[test]
fn metadata_that_nobody_knows_is_a_mistake() {
    for bad in [
        r#"{"redirect_uri": ["https://app.example/cb"]}"#,
        r#"{"grant_types": ["authorisation_code"]}"#,
        r#"{"token_endpoint_auth_method": "client_secret_hmac"}"#,
        r#"{"scope": "read\\write"}"#,
        r#"{"response_modes": ["web_message"]}"#,
        r#"{"redirect_uris": "https://app.example/cb"}"#,
    ] {
        assert!(serde_json::from_str::<ClientMetadata>(bad).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn registries_keep_their_contract() {
    let suite = Suite::new(MemoryRegistry::new(clients())).tasks(8).rounds(5);
    let report = suite.check_registrar().await.unwrap();
    assert!(report.clauses().count() == 6 && report.clauses().all(|(_, checks)| checks > 0), "{report}");
    let folder = Folder::new();
    let registry = FileRegistry::open(folder.file("clients.json")).unwrap();
    Suite::new(registry).tasks(4).rounds(2).check_registrar().await.unwrap();
    assert_eq!(std::fs::read_to_string(folder.file("clients.json")).unwrap(), "[]");
}

/// What a careless registry does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Slip {
    KeepsTheOwner,
    TrimsIds,
}

/// A registry that keeps its contract but for one slip.
struct Careless(MemoryRegistry, Slip);

#[async_trait]
impl ClientRegistry for Careless {
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, BackendError> {
        match self.1 {
            Slip::TrimsIds => self.0.client(&ClientId::new(id.as_str().trim())).await,
            Slip::KeepsTheOwner => self.0.client(id).await,
        }
    }
}

#[async_trait]
impl Registrar for Careless {
    async fn insert(&self, client: Client) -> Result<(), RegistryError> {
        self.0.insert(client).await
    }

    async fn replace(&self, change: Replacement) -> Result<(), RegistryError> {
        self.0.replace(change).await
    }

    async fn remove(&self, id: &ClientId) -> Result<(), RegistryError> {
        self.0.remove(id).await
    }

    async fn clients(&self, page: &ClientPage) -> Result<ClientListing, BackendError> {
        // Where the column of the owner is never changed, no replaced client is found by its new owner.
        let mut listing = self.0.clients(page).await?;
        if self.1 == Slip::KeepsTheOwner && page.owner.is_some() {
            listing.clients.retain(|client| client.revision() == 0);
        }
        Ok(listing)
    }
}

#[tokio::test]
async fn careless_registries_are_caught() {
    for (slip, clause) in [(Slip::KeepsTheOwner, Clause::ReplaceClient), (Slip::TrimsIds, Clause::Register)] {
        let suite = Suite::new(Careless(MemoryRegistry::default(), slip)).tasks(4).rounds(2);
        let violations = suite.check_registrar().await.unwrap_err();
        assert_eq!(violations.clauses(), [clause], "{slip:?}: {violations}");
    }
}

#[tokio::test]
async fn a_file_registry_survives_being_reopened() {
    let folder = Folder::new();
    let registry = FileRegistry::open(folder.file("clients.json")).unwrap();
    assert!(
        registry.all().is_empty() && !folder.file("clients.json").exists(),
        "a file that is not there is an empty registry"
    );
    let until = DateTime::from_timestamp(TestClock::START + 60, 0).unwrap();
    let rich = Client::builder("rich")
        .name("Rich \u{1F511}")
        .redirect_uri(CALLBACK)
        .scope("read write")
        .secret(SECRET)
        .secret_until("old", until)
        .secret_phc("$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$AAAA")
        .require_pkce(false)
        .build();
    for client in clients().into_iter().chain(rich) {
        registry.insert(client).await.unwrap();
    }
    let reopened = FileRegistry::open(folder.file("clients.json")).unwrap();
    assert_eq!(reopened.all(), registry.all());
    assert_eq!(folder.names(), ["clients.json"], "no scratch file stays behind");
    let text = std::fs::read_to_string(folder.file("clients.json")).unwrap();
    assert!(!text.contains(SECRET) && !text.contains("\"old\""), "digests only");

    let fixture = Fixture::with(|builder| builder.clients(reopened));
    assert_eq!(fixture.token("robot", &[("grant_type", "client_credentials")]).await.status(), 200);
}

#[test]
fn a_file_that_is_damaged_or_of_the_future_is_not_opened() {
    let folder = Folder::new();
    let client = Client::builder("app").redirect_uri(CALLBACK).secret(SECRET).build().unwrap();
    let good = client.encode().to_string();
    for (text, says) in [
        ("".to_owned(), "not a JSON array"),
        ("{}".to_owned(), "not a JSON array"),
        (format!("[{good}"), "not a JSON array"),
        (format!("[{good}, {{}}]"), "client number 2"),
        (format!("[{}]", good.replace("\"v\":1", "\"v\":2")), "upgrade grantor"),
        (format!("[{}]", good.replace("\"v\":1", "\"v\":1,\"locked\":true")), "locked"),
        (format!("[{}]", good.replace("\"v\":1", "\"v\":1,\"state\":\"asleep\"")), "asleep"),
        (format!("[{}]", good.replace("https://app", "http://app")), "plain http"),
        (format!("[{}]", good.replace("\"secrets\"", "\"secret\"")), "secret"),
    ] {
        std::fs::write(folder.file("clients.json"), &text).unwrap();
        let error = FileRegistry::open(folder.file("clients.json")).expect_err(&text);
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(
            std::fs::read_to_string(folder.file("clients.json")).unwrap(),
            text,
            "and it stays as it is"
        );
    }
    assert!(
        matches!(FileRegistry::open(folder.path()), Err(FileRegistryError::Io(_))),
        "a folder is no file"
    );
}

#[tokio::test]
async fn a_reader_of_the_file_sees_the_old_state_or_the_new_one() {
    let folder = Folder::new();
    let registry = Arc::new(FileRegistry::open(folder.file("clients.json")).unwrap());
    let app = |n: usize| {
        Client::builder(format!("app-{n:02}")).redirect_uri(CALLBACK).secret(SECRET).build().unwrap()
    };
    registry.insert(app(0)).await.unwrap();
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let reader = std::thread::spawn({
        let (file, done) = (folder.file("clients.json"), Arc::clone(&done));
        move || {
            let mut counts = Vec::new();
            while !done.load(std::sync::atomic::Ordering::SeqCst) {
                counts.push(FileRegistry::open(&file).expect("a whole file").all().len());
            }
            counts
        }
    });
    let writers = (1..25).map(|n| {
        let registry = Arc::clone(&registry);
        tokio::spawn(async move { registry.insert(app(n)).await.unwrap() })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    done.store(true, std::sync::atomic::Ordering::SeqCst);
    let counts = reader.join().unwrap();
    assert!(counts.is_sorted(), "nothing that was there goes away: {counts:?}");
    assert_eq!(FileRegistry::open(folder.file("clients.json")).unwrap().all().len(), 25, "no write is lost");
}

#[tokio::test]
async fn a_write_that_fails_shows_nothing() {
    let folder = Folder::new();
    let registry = FileRegistry::open(folder.file("missing/clients.json")).unwrap();
    let app = Client::builder("app").redirect_uri(CALLBACK).secret(SECRET).build().unwrap();
    assert!(matches!(registry.insert(app.clone()).await, Err(RegistryError::Store(_))));
    assert_eq!(registry.client(app.id()).await.unwrap(), None);
    std::fs::create_dir(folder.file("missing")).unwrap();
    registry.insert(app.clone()).await.unwrap();
    assert!(registry.client(app.id()).await.unwrap().is_some(), "another try succeeds");
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_reads_the_file_of_a_registry() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let folder = Folder::new();
    let (file, fresh) = (folder.file("clients.json"), folder.file("clients.json.new"));
    let app = |id: &str| Client::builder(id).redirect_uri(CALLBACK).secret(SECRET).build().unwrap();
    let mode = || std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    let registry = FileRegistry::open(&file).unwrap();
    // What a crash has left.
    std::fs::write(&fresh, "half").unwrap();
    registry.insert(app("a")).await.unwrap();
    assert_eq!(mode(), 0o600, "a new file");
    for (set, kept) in [(0o644, 0o600), (0o600, 0o600), (0o400, 0o400)] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(set)).unwrap();
        registry.insert(app(&format!("mode-{set:o}"))).await.unwrap();
        assert_eq!(mode(), kept, "a file of mode {set:o}");
    }
    std::fs::write(folder.file("elsewhere"), "as it was").unwrap();
    symlink(folder.file("elsewhere"), &fresh).unwrap();
    registry.insert(app("b")).await.unwrap();
    assert_eq!(std::fs::read_to_string(folder.file("elsewhere")).unwrap(), "as it was");
    assert_eq!(FileRegistry::open(&file).unwrap().all(), registry.all());
}

#[cfg(unix)]
#[tokio::test]
async fn a_write_that_may_not_last_shows_what_the_file_has() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    let registry = FileRegistry::open(folder.file("clients.json")).unwrap();
    let app = Client::builder("app").redirect_uri(CALLBACK).secret(SECRET).build().unwrap();
    // Files can be written, but the directory cannot be opened to sync it. Root may do that, too.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o300)).unwrap();
    let can_sync = std::fs::File::open(folder.path()).is_ok();
    let outcome = registry.insert(app.clone()).await;
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    match outcome {
        Ok(()) => assert!(can_sync, "the directory cannot be synced"),
        Err(RegistryError::Store(error)) => assert!(!can_sync && error.is_unknown_outcome(), "{error}"),
        Err(error) => panic!("{error}"),
    }
    assert_eq!(registry.client(app.id()).await.unwrap().as_deref(), Some(&app));
    assert_eq!(FileRegistry::open(folder.file("clients.json")).unwrap().all(), registry.all());
}

/// A server on this registry, which also registers.
fn registering(registry: impl Registrar + 'static) -> Fixture {
    let registry = Arc::new(registry);
    Fixture::with(|builder| builder.clients(Arc::clone(&registry)).registrar(registry))
}

#[tokio::test]
async fn a_registration_shows_its_secret_once() {
    let folder = Folder::new();
    let fixture = registering(FileRegistry::open(folder.file("clients.json")).unwrap());
    let application = || {
        let types = [GrantType::AuthorizationCode, GrantType::ClientCredentials];
        Client::application().name("My app").redirect_uri(CALLBACK).grant_types(types)
    };
    let first = fixture.server.register(application()).await.unwrap();
    let second = fixture.server.register(application()).await.unwrap();
    assert_ne!(first.client.id(), second.client.id());
    let (id, secret) = (first.client.id().as_str(), first.secret.as_ref().unwrap().reveal());
    let base64url = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    assert!(base64url(id) && id.len() == 22, "{id}");
    assert!(base64url(secret) && secret.len() == 43);
    assert_ne!(secret, second.secret.as_ref().unwrap().reveal());
    assert!(!format!("{first:?}").contains(secret));
    assert!(!std::fs::read_to_string(folder.file("clients.json")).unwrap().contains(secret));
    assert!(fixture.log.texts().iter().all(|text| !text.contains(secret)));
    assert_eq!(first.client.issued().map(|at| at.timestamp()), Some(TestClock::START));

    let code = fixture.code(id, "read").await;
    let request = Request::post_form(encode(&redemption(&code))).header("authorization", basic(id, secret));
    assert_eq!(Answer(fixture.server.token(&request).await).status(), 200);
    let wrong = Request::post_form(encode(&redemption(&code)));
    let wrong = wrong.header("authorization", basic(id, second.secret.as_ref().unwrap().reveal()));
    assert_eq!(fixture.server.token(&wrong).await.status, 401);

    let restarted = registering(FileRegistry::open(folder.file("clients.json")).unwrap());
    let form = Request::post_form("grant_type=client_credentials").header("authorization", basic(id, secret));
    assert_eq!(restarted.server.token(&form).await.status, 200);
}

#[tokio::test]
async fn a_public_registration_has_no_secret() {
    let fixture = registering(MemoryRegistry::default());
    let application = Client::application().redirect_uri("http://127.0.0.1/cb").auth_method(AuthMethod::None);
    let registered = fixture.server.register(application).await.unwrap();
    assert!(registered.secret.is_none());
    let mut query = code_query(registered.client.id().as_str(), "read");
    query[2].1 = "http://127.0.0.1:4711/cb";
    assert!(fixture.approve(&query).await.location_parameter("code").is_some());
}

#[tokio::test]
async fn a_registration_that_is_mistaken_registers_nothing() {
    let registry = Arc::new(MemoryRegistry::default());
    let fixture = registering(Arc::clone(&registry));
    let application = Client::application().redirect_uri("http://app.example/cb").scope("\"");
    match fixture.server.register(application).await {
        Err(HostError::Client(errors)) => assert_eq!(errors.all().len(), 2, "{errors}"),
        other => panic!("{other:?}"),
    }
    assert!(registry.all().is_empty());
    let closed = Fixture::new().server.register(Client::application().redirect_uri(CALLBACK)).await;
    assert!(matches!(closed, Err(HostError::NoRegistrar)));
}

/// A host may share each of its parts.
#[test]
fn a_shared_part_is_a_part() {
    use grantor::registration::{RegistrationPolicy, StatementVerifier};
    macro_rules! is_one {
        ($($part:path),* $(,)?) => {
            $({
                fn takes<T: $part + ?Sized>() {}
                takes::<Arc<dyn $part>>();
            })*
        };
    }
    is_one!(
        grantor::AccessTokenClaims,
        grantor::DetailType,
        grantor::client::SlowHash,
        grantor::resource::TokenVerifier,
        RegistrationPolicy,
        StatementVerifier,
        grantor::dpop::ProofVerifier,
        grantor::Entropy,
    );
}

#[test]
fn metadata_replace_whatever_was_set_before() {
    let mut metadata = grantor::ClientMetadata::default();
    metadata.redirect_uris = vec!["https://app.example/cb".to_owned()];
    metadata.scope = Some(grantor::Scope::parse("write").unwrap());
    let client = Client::builder("app").scope("read").name("App").secret("s").metadata(metadata);
    let client = client.build().unwrap();
    assert_eq!((client.scope().map(ToString::to_string).as_deref(), client.name()), (Some("write"), None));
}
