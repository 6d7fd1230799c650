//! Access tokens that are bound to the certificate of a connection: RFC 8705 sections 3 and 4.

use grantor::client::ClientError;
use grantor::error::ProofFlaw;
use grantor::flow::token::{Exchange, ExchangeAsk};
use grantor::http::{Certificate, Request, Response};
use grantor::jose::{Algorithm, Signer as _, SigningKey};
use grantor::keys::{JwtSigner, KeySchedule, Keys, MemoryKeyStore};
use grantor::resource::{Credentials, Guard, Introspection, Requirement};
use grantor::server::{AuthorizationServerBuilder, ExchangePolicy};
use grantor::{
    AccessTokens, AuthMethod, BackendError, Client, ClientBuilder, GrantType, MemoryRegistry, Reason,
    Registration, Resource, async_trait,
};
use serde_json::{Value, json};

use crate::support::asserting::{Asserting, by_assertion};
use crate::support::certificates::Identity;
use crate::support::device::DEVICE_CODE;
use crate::support::guarded::{API, Api, call, forged, parameter, set, token};
use crate::support::registering::Registering;
use crate::support::scripted::Behind;
use crate::support::{Answer, CALLBACK, Fixture, SECRET, basic, clients, code_query, encode, redemption};

fn everything(id: &str) -> ClientBuilder {
    Client::builder(id).redirect_uri(CALLBACK).certificate_bound_access_tokens(true).grant_types([
        GrantType::AuthorizationCode,
        GrantType::DeviceCode,
        GrantType::RefreshToken,
        GrantType::ClientCredentials,
    ])
}

/// `bound` has a secret, `public` none; the tokens of both are bound.
struct Bench {
    fixture: Fixture,
    own: Identity,
    other: Identity,
}

impl Bench {
    fn new(format: AccessTokens) -> Self {
        Self::with(format, Vec::new(), |builder| builder)
    }

    /// With more clients and settings.
    fn with(
        format: AccessTokens,
        more: Vec<Client>,
        configure: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
    ) -> Self {
        let public = Client::builder("public").redirect_uri(CALLBACK).auth_method(AuthMethod::None);
        let public = public.certificate_bound_access_tokens(true);
        let public = public.grant_types([GrantType::AuthorizationCode, GrantType::RefreshToken]);
        let own = [everything("bound").secret(SECRET).build().unwrap(), public.build().unwrap()];
        let registry = MemoryRegistry::new(clients().into_iter().chain(own).chain(more));
        let keys =
            Keys::rotating(MemoryKeyStore::new(), KeySchedule::default(), &[Algorithm::EdDsa]).unwrap();
        let fixture = Fixture::with(|builder| {
            let api = Resource::new(API).access_tokens(format).introspection_clients(["robot"]);
            let builder = builder.clients(registry).device_verification("/device").access_tokens(format);
            let builder = builder.token_signer(JwtSigner::new(keys).unwrap()).resource(api);
            configure(builder.certificate_bound_access_tokens())
        });
        Self { fixture, own: Identity::self_signed("own"), other: Identity::self_signed("other") }
    }

    async fn asks(&self, id: &str, form: &[(&str, &str)], shows: Option<&Identity>) -> Answer {
        Answer(self.fixture.server.token(&request(id, form, shows.map(Identity::shown))).await)
    }

    /// Tokens by a code.
    async fn tokens(&self, id: &str) -> Answer {
        let code = self.fixture.code(id, "read").await;
        let answer = self.asks(id, &redemption(&code), Some(&self.own)).await;
        assert_eq!(answer.status(), 200, "{}", answer.json());
        answer
    }

    async fn refresh(&self, id: &str, token: &str, shows: Option<&Identity>) -> Answer {
        self.asks(id, &[("grant_type", "refresh_token"), ("refresh_token", token)], shows).await
    }

    fn reason(&self) -> Option<Reason> {
        self.fixture.log.last_reason()
    }

    /// What the guard of the server's own audience says to this token over such a connection.
    async fn protects(&self, token: &str, shows: Option<&Identity>) -> Result<(), Response> {
        let request = shown(call(token), shows.map(Identity::shown));
        self.fixture.server.protect(&request, &[]).await.map(|_| ())
    }
}

fn shown(request: Request, certificate: Option<Certificate>) -> Request {
    match certificate {
        Some(certificate) => request.with_certificate(certificate),
        None => request,
    }
}

fn request(id: &str, form: &[(&str, &str)], certificate: Option<Certificate>) -> Request {
    let request = match id {
        "public" => Request::post_form(encode(&[form, &[("client_id", id)]].concat())),
        id => Request::post_form(encode(form)).header("authorization", basic(id, SECRET)),
    };
    shown(request, certificate)
}

fn print(identity: &Identity) -> String {
    identity.shown().thumbprint().to_string()
}

/// The claims of a signed token.
fn claims(token: &str) -> Value {
    use base64::Engine as _;
    let payload = token.split('.').nth(1).unwrap();
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

#[test]
fn mt_05_a_certificate_is_named_as_in_the_rfc() {
    use base64::Engine as _;
    // RFC 8705 appendix A: the certificate of figure 9, and its thumbprint in figure 7.
    let der = base64::engine::general_purpose::STANDARD
        .decode(concat!(
            "MIIBBjCBrAIBAjAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARtdGxzMB4XDTE4MTAxODEyMzcwOVoXDTIyMDUwMjEyMzcwOVowDzENMAsGA1UE",
            "AwwEbXRsczBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNcnyxwqV6hY8QnhxxzFQ03C7HKW9OylMbnQZjjJ/Au08/coZwxS7LfA4vOLS9Wu",
            "neIXhbGGWvsDSb0tH6IxLm8wCgYIKoZIzj0EAwIDSQAwRgIhAP0RC1E+vwJD/D1AGHGzuri+hlV/PpQEKTWUVeORWz83AiEA5x2eXZOVbUlJ",
            "SGQgjwD5vaUaKlLR50Q2DmFfQj1L+SY=",
        ))
        .unwrap();
    let print = Certificate::from_der(der).thumbprint().to_string();
    assert_eq!(print, "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0");
}

#[tokio::test]
async fn tk_17_every_grant_type_binds_its_tokens() {
    let bench = Bench::new(AccessTokens::Jwt);
    let fixture = &bench.fixture;
    let by_code = bench.tokens("bound").await;
    let refreshed = bench.refresh("bound", &by_code.refresh_token(), Some(&bench.own)).await;
    let own = bench.asks("bound", &[("grant_type", "client_credentials")], Some(&bench.own)).await;
    let begun =
        Answer(fixture.server.device_authorization(&request("bound", &[("scope", "read")], None)).await);
    let codes =
        crate::support::device::Codes { device: begun.text("device_code"), user: begun.text("user_code") };
    fixture.says_yes(&codes).await;
    let device = [("grant_type", DEVICE_CODE), ("device_code", codes.device.as_str())];
    let by_device = bench.asks("bound", &device, Some(&bench.own)).await;
    for (name, answer) in [("code", by_code), ("refresh", refreshed), ("own", own), ("device", by_device)] {
        assert_eq!(answer.status(), 200, "{name}: {}", answer.json());
        assert_eq!(answer.text("token_type"), "Bearer", "{name}");
        let cnf = claims(&answer.access_token())["cnf"].clone();
        assert_eq!(cnf, json!({ "x5t#S256": print(&bench.own) }), "{name}");
    }
}

#[tokio::test]
async fn mt_06_without_a_certificate_there_is_no_token_and_the_code_is_not_spent() {
    let bench = Bench::new(AccessTokens::Opaque);
    for id in ["bound", "public"] {
        let code = bench.fixture.code(id, "read").await;
        let refused = bench.asks(id, &redemption(&code), None).await;
        assert_eq!(refused.error(), (400, "invalid_request".to_owned()), "{id}");
        assert_eq!(bench.reason(), Some(Reason::Proof(ProofFlaw::CertificateMissing)));
        assert_eq!(bench.asks(id, &redemption(&code), Some(&bench.own)).await.status(), 200, "{id}");
    }
    let none = bench.asks("bound", &[("grant_type", "client_credentials")], None).await;
    assert_eq!(none.error(), (400, "invalid_request".to_owned()));
}

#[tokio::test]
async fn mt_07_binding_does_not_depend_on_the_method_of_authentication() {
    let server = Asserting::with(
        |key| {
            vec![
                crate::support::asserting::signing("bound")
                    .jwks(crate::support::asserting::set_of(key))
                    .certificate_bound_access_tokens(true),
            ]
        },
        |builder| builder,
    );
    let own = Identity::self_signed("own");
    let by = |jti: &str| {
        let claims = crate::support::asserting::claims("bound", json!({ "jti": jti }));
        by_assertion(
            &forged(&server.key, r#"{"alg":"ES256"}"#, &claims.to_string()),
            &[("grant_type", "client_credentials")],
        )
    };
    let answer = Answer(server.fixture.server.token(&by("1").with_certificate(own.shown())).await);
    let access = server.fixture.server.check(&answer.access_token()).await.unwrap();
    assert_eq!(access.confirmation().and_then(|key| key.x5t_s256()), Some(&own.shown().thumbprint()));
    assert_eq!(
        Answer(server.fixture.server.token(&by("2")).await).error(),
        (400, "invalid_request".to_owned())
    );
}

#[tokio::test]
async fn rt_09_the_refresh_tokens_of_a_public_client_are_bound_to_its_certificate() {
    let bench = Bench::new(AccessTokens::Opaque);
    let token = bench.tokens("public").await.refresh_token();
    let stolen = bench.refresh("public", &token, Some(&bench.other)).await;
    assert_eq!(stolen.error(), (400, "invalid_grant".to_owned()));
    assert_eq!(bench.reason(), Some(Reason::Proof(ProofFlaw::OtherKey)));
    assert_eq!(bench.refresh("public", &token, None).await.error(), (400, "invalid_request".to_owned()));
    let next = bench.refresh("public", &token, Some(&bench.own)).await;
    assert_eq!(next.status(), 200, "no thief spends it: {}", next.json());
    let again = bench.refresh("public", &next.refresh_token(), Some(&bench.other)).await;
    assert_eq!(again.error(), (400, "invalid_grant".to_owned()), "nor its successor");
}

#[tokio::test]
async fn mt_08_a_confidential_client_may_show_a_new_certificate() {
    let bench = Bench::new(AccessTokens::Opaque);
    let first = bench.tokens("bound").await;
    let next = bench.refresh("bound", &first.refresh_token(), Some(&bench.other)).await;
    assert_eq!(next.status(), 200, "{}", next.json());
    assert!(bench.protects(&next.access_token(), Some(&bench.other)).await.is_ok());
    assert_eq!(bench.protects(&next.access_token(), Some(&bench.own)).await.unwrap_err().status, 401);
    assert!(bench.protects(&first.access_token(), Some(&bench.own)).await.is_ok(), "each to its own");
}

struct Anything;

#[async_trait]
impl ExchangePolicy for Anything {
    async fn exchange(&self, _: &ExchangeAsk<'_>) -> Result<Exchange, BackendError> {
        Ok(Exchange::Impersonation)
    }
}

#[tokio::test]
async fn tx_05_a_bound_token_is_exchanged_by_whoever_shows_its_certificate() {
    const TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";
    let api = Client::builder("api").grant_types([GrantType::TokenExchange]).secret(SECRET).build().unwrap();
    let bench = Bench::with(AccessTokens::Opaque, vec![api], |builder| builder.token_exchange(Anything));
    let (own, other) = (&bench.own, &bench.other);
    let subject =
        bench.asks("bound", &[("grant_type", "client_credentials")], Some(own)).await.access_token();
    let exchange = async |token: &str, shows| {
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token", token),
            ("subject_token_type", TYPE),
        ];
        bench.asks("api", &form, shows).await
    };
    let exchanged = exchange(&subject, Some(own)).await;
    assert_eq!(exchanged.status(), 200, "{}", exchanged.json());
    let access = bench.fixture.server.check(&exchanged.access_token()).await.unwrap();
    let key = access.confirmation().and_then(|key| key.x5t_s256()).map(ToString::to_string);
    assert_eq!(key, Some(print(own)), "bound alike");
    for (shows, reason) in
        [(None, ProofFlaw::CertificateMissing.into()), (Some(other), Reason::ExchangedTokenOfOtherKey)]
    {
        assert_eq!(exchange(&subject, shows).await.error(), (400, "invalid_request".to_owned()));
        assert_eq!(bench.reason(), Some(reason));
    }
    let free = bench.fixture.token("robot", &[("grant_type", "client_credentials")]).await.access_token();
    let free = exchange(&free, Some(own)).await;
    let access = bench.fixture.server.check(&free.access_token()).await.unwrap();
    assert_eq!(access.confirmation(), None, "which it did not register for");
}

#[tokio::test]
async fn mt_11_introspection_tells_the_certificate() {
    for format in [AccessTokens::Opaque, AccessTokens::Jwt] {
        let bench = Bench::new(format);
        let token = bench.tokens("bound").await.access_token();
        let answer = bench.fixture.introspect("bound", &token).await.json();
        assert_eq!(answer["cnf"], json!({ "x5t#S256": print(&bench.own) }), "{answer}");
        assert_eq!(answer["token_type"], "Bearer");
    }
}

#[tokio::test]
async fn rs_13_a_token_works_over_its_own_certificate_alone() {
    for format in [AccessTokens::Opaque, AccessTokens::Jwt] {
        let bench = Bench::new(format);
        let token = bench.tokens("bound").await.access_token();
        assert!(bench.protects(&token, Some(&bench.own)).await.is_ok());
        for shows in [None, Some(&bench.other)] {
            let refused = bench.protects(&token, shows).await.unwrap_err();
            assert_eq!(refused.status, 401);
            assert_eq!(parameter(&refused, "error").as_deref(), Some("invalid_token"));
        }
        let unbound = bench.fixture.tokens("conf", "read").await.access_token();
        assert!(
            bench.protects(&unbound, None).await.is_ok()
                && bench.protects(&unbound, Some(&bench.own)).await.is_ok()
        );
    }
}

#[tokio::test]
async fn mt_12_a_guard_asks_for_the_certificate_in_all_ways_of_trust() {
    let (own, other) = (Identity::self_signed("own"), Identity::self_signed("other"));
    let bench = Bench::new(AccessTokens::Opaque);
    let mut query = code_query("bound", "read");
    query.push(("resource", API));
    let code = bench.fixture.approve(&query).await.location_parameter("code").unwrap();
    let form = redemption(&code);
    let server = &bench.fixture.server;
    let opaque = Answer(server.token(&request("bound", &form, Some(own.shown()))).await).access_token();

    let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
    assert_eq!(set([&key]).keys().len(), 1, "{}", key.key().thumbprint());
    let signed = token(&key, json!({ "cnf": { "x5t#S256": print(&own) } }));
    let asking = Introspection::at(
        "https://as.example/introspect",
        Behind(server.clone()),
        Credentials::secret("robot", SECRET),
    );
    let local = Api::with(|builder| builder.local(server.clone()));
    for (api, token) in [
        (Api::trusting(&key), signed.as_str()),
        (Api::with(|builder| builder.verifier(asking)), opaque.as_str()),
        (local, opaque.as_str()),
    ] {
        let Api { guard, log, .. } = &api;
        let check = async |certificate| {
            let request = shown(call(token), certificate);
            Guard::check(guard, &request, &Requirement::any()).await
        };
        // The second time, the token or its answer is remembered.
        for _ in 0..2 {
            assert!(check(Some(own.shown())).await.is_ok());
            for wrong in [None, Some(other.shown())] {
                let refused = check(wrong).await.unwrap_err();
                assert_eq!((refused.status, log.last_reason()), (401, Some(Reason::TokenBound)));
                assert_eq!(parameter(&refused, "error").as_deref(), Some("invalid_token"));
            }
        }
    }
}

#[tokio::test]
async fn a_confirmation_of_another_form_is_proven_by_nothing() {
    let (key, own) = (SigningKey::generate(Algorithm::EdDsa).unwrap(), Identity::self_signed("own"));
    let api = Api::trusting(&key);
    for cnf in [
        json!({}),
        json!({ "kid": "1" }),
        json!({ "x5t#S256": print(&own), "kid": "1" }),
        json!({ "x5t#S256": "short" }),
        json!(7),
    ] {
        let token = token(&key, json!({ "cnf": cnf }));
        let request = call(&token).with_certificate(own.shown());
        assert_eq!(api.guard.check(&request, &Requirement::any()).await.unwrap_err().status, 401, "{cnf}");
        assert_eq!(api.log.last_reason(), Some(Reason::TokenBound), "{cnf}");
    }
}

#[tokio::test]
async fn mt_09_bound_tokens_are_advertised_and_registered_where_certificates_come_in() {
    const MEMBER: &str = "tls_client_certificate_bound_access_tokens";
    let plain = Answer(Fixture::new().server.metadata()).json();
    assert!(plain.get(MEMBER).is_none() && plain.get("mtls_endpoint_aliases").is_none());
    let bench = Bench::new(AccessTokens::Opaque);
    assert_eq!(Answer(bench.fixture.server.metadata()).json()[MEMBER], true);

    let app = |value: Value| json!({ "redirect_uris": [CALLBACK], MEMBER: value });
    let with =
        Registering::configured(Registration::open(), |builder| builder.certificate_bound_access_tokens());
    let own = with.registered(&app(json!(true))).await;
    assert_eq!(own.0[MEMBER], true);
    let invalid = (400, "invalid_client_metadata".to_owned());
    assert_eq!(with.post(&app(json!("true"))).await.error(), invalid);
    let without = Registering::on(Registration::open());
    assert_eq!(without.post(&app(json!(true))).await.error(), invalid, "no restriction is dropped");
    assert!(without.registered(&app(json!(false))).await.0.get("client_id").is_some());
    let off = Registering::configured(Registration::open(), |builder| {
        builder.mtls_endpoint_aliases("https://mtls.as.example").without_certificate_bound_access_tokens()
    });
    assert_eq!(off.post(&app(json!(true))).await.error(), invalid, "certificates come in, and bind nothing");
}

#[test]
fn tokens_in_a_fragment_are_bound_to_nothing() {
    let client = everything("x").secret(SECRET).grant_types([GrantType::Implicit]);
    assert_eq!(client.build().unwrap_err().all(), [ClientError::ImplicitUnbound]);
}
