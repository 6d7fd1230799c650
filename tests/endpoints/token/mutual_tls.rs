//! Clients that authenticate by a certificate: RFC 8705 section 2.

use std::time::Duration;

use chrono::{DateTime, Utc};
use grantor::client::{ClientCertificates, ShownCertificate, X509Certificates};
use grantor::error::CertificateFlaw as Flaw;
use grantor::http::Certificate;
use grantor::server::{AuthorizationServerBuilder, ConfigError};
use grantor::{
    AuthMethod, AuthorizationServer, Client, ClientBuilder, ClientMetadata, GrantType, MemoryRegistry,
    MemoryStore, Policy, Reason, Registration, Request, async_trait,
};
use rcgen::SanType;
use serde_json::{Value, json};

use crate::support::asserting::{KEYS_AT, KeyServer};
use crate::support::certificates::{Authority, Identity, named};
use crate::support::registering::Registering;
use crate::support::{Answer, CALLBACK, Fixture, ISSUER, SECRET, basic, clients, encode, redemption};

const ROBOT: [(&str, &str); 1] = [("grant_type", "client_credentials")];

pub(super) fn refused() -> (u16, String) {
    (401, "invalid_client".to_owned())
}

/// A client of this id and method that may do everything.
pub(super) fn client(id: &str, method: AuthMethod) -> ClientBuilder {
    Client::builder(id).auth_method(method).redirect_uri(CALLBACK).grant_types([
        GrantType::AuthorizationCode,
        GrantType::DeviceCode,
        GrantType::RefreshToken,
        GrantType::ClientCredentials,
    ])
}

/// The metadata of a client of `tls_client_auth` with this one name.
pub(super) fn by_name(id: &str, member: &str, name: &str) -> Client {
    let metadata: ClientMetadata = serde_json::from_value(json!({
        "redirect_uris": [CALLBACK], "grant_types": ["client_credentials", "authorization_code"],
        "token_endpoint_auth_method": "tls_client_auth", member: name,
    }))
    .unwrap();
    Client::builder(id).metadata(metadata).build().unwrap()
}

/// A key set with nothing but the numbers of its P-256 key.
fn bare(identity: &Identity) -> Value {
    use base64::Engine as _;
    let text = |bytes: &[u8]| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    let (x, y) = identity.key.public_key_raw()[1..].split_at(32);
    json!({ "keys": [{ "kty": "EC", "crv": "P-256", "x": text(x), "y": text(y) }] })
}

pub(super) struct Bench {
    fixture: Fixture,
    pub(super) authority: Authority,
    keys: KeyServer,
}

impl Bench {
    /// `pki` is `C=DE, O=Example, CN=pki` of the authority, and what else is made with it.
    pub(super) fn with(more: impl FnOnce(&Authority) -> Vec<Client>) -> Self {
        Self::configured(more, |builder| builder)
    }

    fn configured(
        more: impl FnOnce(&Authority) -> Vec<Client>,
        configure: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
    ) -> Self {
        let (authority, keys) = (Authority::new("clients"), KeyServer::default());
        let own = client("pki", AuthMethod::TlsClientAuth).certificate_subject_dn("CN=pki,O=Example,C=DE");
        let own = more(&authority).into_iter().chain([own.build().unwrap()]);
        let registry = MemoryRegistry::new(clients().into_iter().chain(own));
        let reads = X509Certificates::over(keys.clone());
        let fixture = Fixture::with(|builder| {
            let builder = builder.clients(registry).client_certificates(reads);
            configure(builder.device_verification("/device"))
        });
        Self { fixture, authority, keys }
    }

    pub(super) async fn asks(&self, id: &str, shows: Option<Certificate>) -> Answer {
        Answer(self.fixture.server.token(&request(id, &ROBOT, shows)).await)
    }

    pub(super) fn reason(&self) -> Option<Reason> {
        self.fixture.log.last_reason()
    }
}

fn request(id: &str, form: &[(&str, &str)], shows: Option<Certificate>) -> Request {
    let request = Request::post_form(encode(&[form, &[("client_id", id)]].concat()));
    match shows {
        Some(certificate) => request.with_certificate(certificate),
        None => request,
    }
}

#[tokio::test]
async fn ca_23_a_client_is_bound_to_its_certificate_and_names_itself() {
    let bench = Bench::with(|_| Vec::new());
    let own = bench.authority.issue(&named("pki"));
    assert_eq!(bench.asks("pki", Some(own.verified())).await.status(), 200);
    let of_other = bench.authority.issue(&named("other")).verified();
    for (id, shows, reason) in [
        ("pki", Some(of_other), Reason::ClientCertificate(Flaw::SubjectWrong)),
        ("pki", None, Reason::ClientCertificate(Flaw::Missing)),
        ("pki", Some(own.shown()), Reason::ClientCertificate(Flaw::ChainUnverified)),
        ("conf", Some(own.verified()), Reason::ClientMethodNotRegistered),
        ("nobody", Some(own.verified()), Reason::ClientUnknown),
    ] {
        let answer = bench.asks(id, shows).await;
        assert_eq!((answer.error(), bench.reason()), (refused(), Some(reason)), "{id}");
        assert_eq!(answer.0.header("www-authenticate"), None, "nobody can type in a certificate");
    }
    let unnamed = Request::post_form(encode(&ROBOT)).with_certificate(own.verified());
    assert_eq!(
        Answer(bench.fixture.server.token(&unnamed).await).error(),
        (400, "invalid_request".to_owned())
    );
}

#[tokio::test]
async fn ca_23_a_certificate_counts_for_no_client_of_another_method() {
    let bench = Bench::with(|_| Vec::new());
    let shown = bench.authority.issue(&named("pki")).verified();
    let conf = Request::post_form(encode(&ROBOT)).header("authorization", basic("conf", SECRET));
    assert_eq!(bench.fixture.server.token(&conf.with_certificate(shown.clone())).await.status, 200);
    let code = bench.fixture.code("pub", "read").await;
    let public = request("pub", &redemption(&code), Some(shown));
    assert_eq!(bench.fixture.server.token(&public).await.status, 200);
}

#[tokio::test]
async fn ca_03_a_secret_beside_a_certificate_is_a_second_method() {
    let bench = Bench::with(|_| Vec::new());
    let shown = bench.authority.issue(&named("pki")).verified();
    let both = || Request::post_form(encode(&ROBOT)).header("authorization", basic("pki", SECRET));
    let answer = Answer(bench.fixture.server.token(&both().with_certificate(shown)).await);
    assert_eq!(answer.error(), (400, "invalid_request".to_owned()));
    assert_eq!(bench.reason(), Some(Reason::ClientMethodsMixed));
    assert_eq!(Answer(bench.fixture.server.token(&both()).await).error(), refused());
}

#[tokio::test]
async fn ca_25_a_self_signed_certificate_counts_by_its_key_alone() {
    let own = Identity::self_signed("self");
    let method = AuthMethod::SelfSignedTlsClientAuth;
    let sets = [client("certified", method).jwks(own.x5c()), client("bare", method).jwks(bare(&own))];
    let bench = Bench::with(|_| sets.into_iter().map(|client| client.build().unwrap()).collect());
    let twin = Identity::self_signed("self");
    let issued = bench.authority.issue(&named("self"));
    let renewed = Certificate::from_der(own.renewed("another name").der().as_ref());
    for id in ["certified", "bare"] {
        for right in [own.shown(), own.verified(), renewed.clone()] {
            assert_eq!(bench.asks(id, Some(right)).await.status(), 200, "{id}");
        }
        for wrong in [twin.shown(), issued.verified()] {
            assert_eq!(bench.asks(id, Some(wrong)).await.error(), refused(), "{id}");
            assert_eq!(bench.reason(), Some(Reason::ClientCertificate(Flaw::KeyWrong)));
        }
        assert_eq!(bench.asks(id, None).await.error(), refused());
    }
}

#[tokio::test]
async fn ca_25_a_name_beside_a_key_opens_nothing() {
    let own = Identity::self_signed("self");
    let both = client("both", AuthMethod::SelfSignedTlsClientAuth)
        .jwks(own.x5c())
        .certificate_subject_dn("CN=pki,O=Example,C=DE");
    let bench = Bench::with(|_| vec![both.build().unwrap()]);
    let named = Identity::self_signed("pki");
    for shown in [
        named.shown(),
        named.verified(),
        bench.authority.issue(&crate::support::certificates::named("pki")).verified(),
    ] {
        assert_eq!(bench.asks("both", Some(shown)).await.error(), refused());
    }
    assert_eq!(bench.asks("both", Some(own.shown())).await.status(), 200);
}

#[tokio::test]
async fn mt_04_dates_do_not_count_for_a_key_and_a_new_key_comes_by_jwks_uri() {
    let (old, new) = (
        Identity::signing_itself(&crate::support::certificates::expired("far")),
        Identity::self_signed("far"),
    );
    let far = client("far", AuthMethod::SelfSignedTlsClientAuth).jwks_uri(KEYS_AT).build().unwrap();
    let bench = Bench::with(|_| vec![far]);
    bench.keys.publish(&old.x5c());
    assert_eq!(bench.asks("far", Some(old.shown())).await.status(), 200, "out of date, and its key is right");
    bench.keys.publish(&bare(&new));
    bench.fixture.clock.advance(Duration::from_secs(31));
    assert_eq!(bench.asks("far", Some(new.shown())).await.status(), 200);
    assert_eq!(bench.asks("far", Some(old.shown())).await.error(), refused());
    let asked = bench.keys.asked();
    for _ in 0..100 {
        assert_eq!(bench.asks("far", Some(Identity::self_signed("far").shown())).await.error(), refused());
    }
    assert!(bench.keys.asked() <= asked + 1, "strangers have it fetched twice a minute at most");
    bench.keys.go_down();
    bench.fixture.clock.advance(Duration::from_secs(400));
    assert_eq!(bench.asks("far", Some(new.shown())).await.status(), 200, "an outage is bridged");
    bench.fixture.clock.advance(Duration::from_secs(60 * 60 * 2));
    let answer = bench.asks("far", Some(new.shown())).await;
    assert_eq!(answer.error(), (503, "temporarily_unavailable".to_owned()));
    assert_eq!(bench.reason(), Some(Reason::ClientCertificate(Flaw::KeysUnavailable)));
    assert!(answer.0.header("retry-after").is_some());
}

#[tokio::test]
async fn ca_26_a_chain_that_the_host_did_not_verify_is_nobodys() {
    let bench = Bench::with(|_| Vec::new());
    let stranger = Authority::new("clients").issue(&named("pki"));
    let own = Identity::self_signed("pki");
    for shown in [stranger.shown(), own.shown()] {
        assert_eq!(bench.asks("pki", Some(shown)).await.error(), refused());
        assert_eq!(bench.reason(), Some(Reason::ClientCertificate(Flaw::ChainUnverified)));
    }
}

#[tokio::test]
async fn mt_14_dates_and_revocation_are_the_hosts_verifier_to_judge() {
    let bench = Bench::with(|_| Vec::new());
    let old = bench.authority.issue(&crate::support::certificates::expired("pki"));
    assert_eq!(bench.asks("pki", Some(old.shown())).await.error(), refused(), "as a verifier hands it over");
    assert_eq!(bench.asks("pki", Some(old.verified())).await.status(), 200, "what a wrong word costs");
}

#[tokio::test]
async fn mt_13_hostile_certificates_are_refused() {
    let own = Identity::self_signed("self");
    let selfish = client("self", AuthMethod::SelfSignedTlsClientAuth).jwks(own.x5c()).build().unwrap();
    let bench = Bench::with(|_| vec![selfish, by_name("dns", "tls_client_auth_san_dns", "a.example")]);
    let good = bench.authority.issue(&named("pki"));
    let der = good.der().to_vec();
    let mut hostile =
        vec![Vec::new(), vec![0; 64 * 1024], b"\x30\x82\xff\xff".to_vec(), [&der[..], b"x"].concat()];
    hostile.extend((1..der.len()).step_by(7).map(|end| der[..end].to_vec()));
    hostile.extend((0..der.len()).step_by(5).map(|at| {
        let mut bent = der.clone();
        bent[at] ^= 0x55;
        bent
    }));
    let mut many = named("many");
    many.subject_alt_names =
        (0..300).map(|n| SanType::DnsName(format!("{n}.example").try_into().unwrap())).collect();
    hostile.push(bench.authority.issue(&many).der().to_vec());
    for der in hostile {
        for id in ["self", "dns"] {
            let shown = Certificate::from_der(der.clone()).with_verified_chain();
            assert_eq!(bench.asks(id, Some(shown)).await.error(), refused(), "{} bytes", der.len());
        }
        // A changed byte may be outside the name, as in the signature, which the host has verified.
        bench.asks("pki", Some(Certificate::from_der(der).with_verified_chain())).await;
    }
}

#[tokio::test]
async fn certificates_work_wherever_clients_authenticate() {
    let bench = Bench::with(|_| Vec::new());
    let shown = bench.authority.issue(&named("pki")).verified();
    let token = bench.asks("pki", Some(shown.clone())).await.access_token();
    let server = &bench.fixture.server;
    let of_token = request("pki", &[("token", &token)], Some(shown.clone()));
    assert_eq!(Answer(server.introspect(&of_token).await).json()["active"], true);
    let device = request("pki", &[], Some(shown.clone()));
    assert_eq!(server.device_authorization(&device).await.status, 200);
    let pushed = crate::support::code_query("pki", "read");
    let pushed = Request::post_form(encode(&pushed)).with_certificate(shown.clone());
    assert_eq!(server.pushed_authorization_request(&pushed).await.status, 201);
    assert_eq!(server.revoke(&of_token).await.status, 200);
    for unproven in [request("pki", &[("token", &token)], None)] {
        assert_eq!(Answer(server.introspect(&unproven).await).error(), refused());
        assert_eq!(Answer(server.revoke(&unproven).await).error(), refused());
        assert_eq!(Answer(server.device_authorization(&unproven).await).error(), refused());
    }
}

#[tokio::test]
async fn ca_27_aliases_are_advertised_as_configured() {
    let methods = |document: &Value| document["token_endpoint_auth_methods_supported"].to_string();
    let metadata = |fixture: &Fixture| Answer(fixture.server.metadata()).json();
    let plain = metadata(&Fixture::new());
    assert!(!methods(&plain).contains("tls_client_auth") && plain.get("mtls_endpoint_aliases").is_none());
    let one_port = metadata(&Bench::with(|_| Vec::new()).fixture);
    assert!(methods(&one_port).contains("\"tls_client_auth\",\"self_signed_tls_client_auth\""));
    assert!(one_port.get("mtls_endpoint_aliases").is_none());

    let base = "https://mtls.as.example:8443/";
    let own = Bench::configured(|_| Vec::new(), |builder| builder.mtls_endpoint_aliases(base));
    let document = metadata(&own.fixture);
    let aliases = document["mtls_endpoint_aliases"].as_object().unwrap();
    assert_eq!(aliases["token_endpoint"], "https://mtls.as.example:8443/token");
    assert!(aliases.len() >= 5 && !aliases.contains_key("authorization_endpoint"), "{aliases:?}");
    for (name, alias) in aliases {
        let top = document[name].as_str().unwrap().strip_prefix(ISSUER).unwrap();
        assert_eq!(alias.as_str().unwrap().strip_prefix(base.trim_end_matches('/')), Some(top), "{name}");
    }
    for bad in [
        "http://mtls.as.example",
        "mtls.as.example",
        "https://a.example/?x",
        "https://u@a.example",
        "https://a.example:65536",
    ] {
        let built = AuthorizationServer::builder(ISSUER)
            .clients(MemoryRegistry::default())
            .store(MemoryStore::new())
            .mtls_endpoint_aliases(bad)
            .build();
        assert_eq!(built.unwrap_err().all(), [ConfigError::MtlsAliases], "{bad}");
    }
}

#[tokio::test]
async fn mt_10_a_client_registers_its_name_and_its_use_of_aliases() {
    let registering = Registering::configured(Registration::open(), |builder| {
        builder.client_certificates(X509Certificates::new())
    });
    let app = |changes: Value| {
        let mut app = json!({
            "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "tls_client_auth",
            "tls_client_auth_san_dns": "app.example", "use_mtls_endpoint_aliases": true,
        });
        changes.as_object().unwrap().iter().for_each(|(name, value)| app[name] = value.clone());
        app
    };
    let own = registering.registered(&app(json!({}))).await;
    assert_eq!(own.0["tls_client_auth_san_dns"], "app.example");
    assert_eq!(own.0["use_mtls_endpoint_aliases"], true);
    assert!(own.0.get("client_secret").is_none());
    for bad in [
        json!({ "tls_client_auth_san_dns": null }),
        json!({ "tls_client_auth_san_ip": "192.0.2.1" }),
        json!({ "tls_client_auth_san_dns": "no name" }),
        json!({ "tls_client_auth_san_dns": 7 }),
        json!({ "token_endpoint_auth_method": "self_signed_tls_client_auth" }),
        json!({ "token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks_uri": KEYS_AT }),
    ] {
        let answer = registering.post(&app(bad.clone())).await;
        assert_eq!(answer.error(), (400, "invalid_client_metadata".to_owned()), "{bad}");
    }
    let keyless = app(json!({ "token_endpoint_auth_method": "self_signed_tls_client_auth" }));
    let told = registering.post(&keyless).await.text("error_description");
    assert!(told.contains("self_signed_tls_client_auth need jwks"), "{told}");
    let selfish = Identity::self_signed("self");
    let changes =
        json!({ "token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks": selfish.x5c() });
    let own = registering.registered(&app(changes)).await;
    assert!(own.0.get("tls_client_auth_san_dns").is_none(), "it would look like a restriction in force");
    let without = Registering::on(Registration::open());
    let answer = without.post(&app(json!({}))).await;
    assert_eq!(answer.error(), (400, "invalid_client_metadata".to_owned()));
}

#[tokio::test]
async fn where_nobody_verifies_chains_only_keys_are_offered_and_registered() {
    let registering = Registering::configured(Registration::open(), |builder| {
        builder.client_certificates(X509Certificates::new()).without_verified_chains()
    });
    let metadata = Answer(registering.fixture.server.metadata()).json();
    for endpoint in ["token", "revocation", "introspection"] {
        let methods = &metadata[format!("{endpoint}_endpoint_auth_methods_supported")];
        let offers = |method: &str| methods.as_array().unwrap().contains(&json!(method));
        assert!(offers("self_signed_tls_client_auth") && !offers("tls_client_auth"), "{methods}");
    }
    let app = |method: &str, member: &str, value: Value| json!({ "redirect_uris": [CALLBACK], "token_endpoint_auth_method": method, member: value });
    let named = app("tls_client_auth", "tls_client_auth_san_dns", json!("app.example"));
    assert_eq!(registering.post(&named).await.error(), (400, "invalid_client_metadata".to_owned()));
    let own = app("self_signed_tls_client_auth", "jwks", Identity::self_signed("self").x5c());
    registering.registered(&own).await;
}

#[tokio::test]
async fn a_server_that_reads_no_certificates_takes_none() {
    let pki = client("pki", AuthMethod::TlsClientAuth).certificate_subject_dn("CN=pki,O=Example,C=DE");
    let registry = MemoryRegistry::new([pki.build().unwrap()]);
    let fixture = Fixture::with(|builder| builder.clients(registry));
    let shown = Authority::new("a").issue(&named("pki")).verified();
    let answer = Answer(fixture.server.token(&request("pki", &ROBOT, Some(shown))).await);
    assert_eq!(answer.error(), refused());
    assert_eq!(fixture.log.last_reason(), Some(Reason::ClientMethodNotRegistered));
}

/// Never answers.
struct Hanging;

#[async_trait]
impl ClientCertificates for Hanging {
    async fn check(&self, _: &ShownCertificate<'_>, _: DateTime<Utc>) -> Result<(), Flaw> {
        std::future::pending().await
    }

    fn fetches(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn a_check_of_a_certificate_that_hangs_is_503() {
    let mut policy = Policy::default();
    policy.store_deadline = Duration::from_millis(20);
    let bench =
        Bench::configured(|_| Vec::new(), |builder| builder.client_certificates(Hanging).policy(policy));
    let answer = bench.asks("pki", Some(bench.authority.issue(&named("pki")).verified())).await;
    assert_eq!(answer.error(), (503, "temporarily_unavailable".to_owned()));
    assert_eq!(answer.0.header("retry-after"), Some("1"));
    assert_eq!(bench.reason(), Some(Reason::StoreUnavailable));
}
