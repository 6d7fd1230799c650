//! Grant types of the host's own (RFC 6749 section 4.5): what they decide, and what they cannot.

use std::net::IpAddr;
use std::time::Duration;

use grantor::error::ExtensionRefusal;
use grantor::flow::token::{Denial, Entitlement, ExtensionTerms};
use grantor::server::{AuthorizationServerBuilder, ConfigError};
use grantor::{
    AuthorizationServer, BackendError, Client, GrantType, Policy, Reason, Registration, Request, Subject,
};
use grantor::{GrantId, MemoryRegistry, MemoryStore, TokenStore as _};
use serde_json::{Value, json};

use crate::support::extending::{API, Extending, Host, OTHER_API, VOUCHER, scope};
use crate::support::registering::Registering;
use crate::support::{Answer, Fixture, SECRET, basic, encode, request};

fn terms() -> ExtensionTerms {
    ExtensionTerms::default()
}

impl Extending {
    fn assert_refused(&self, answer: &Answer, code: &str, reason: Reason) {
        assert_eq!(answer.error(), (400, code.to_owned()), "{}", answer.json());
        assert_eq!(self.fixture.log.last_reason(), Some(reason));
    }

    /// What a resource server learns of the token.
    async fn seen(&self, client: &str, answer: &Answer) -> Value {
        assert_eq!(answer.status(), 200, "{}", answer.json());
        self.fixture.introspect(client, &answer.access_token()).await.json()
    }
}

#[tokio::test]
async fn the_host_says_in_whose_name() {
    let bench = Extending::new();
    bench.host.answers(|ask| match ask.parameters.one("voucher") {
        Some("for-alice") => Ok(Entitlement::user("alice", scope("read"))),
        Some("for-itself") => Ok(Entitlement::client(scope("read"))),
        _ => Err(Denial::invalid_grant()),
    });
    let alices = bench.redeem("shop", &[("voucher", "for-alice")]).await;
    let seen = bench.seen("shop", &alices).await;
    assert_eq!((&seen["sub"], &seen["sub_type"]), (&json!("alice"), &json!("user")));
    assert_eq!((&seen["client_id"], &seen["scope"]), (&json!("shop"), &json!("read")));
    let own = bench.redeem("shop", &[("voucher", "for-itself")]).await;
    let seen = bench.seen("shop", &own).await;
    assert_eq!((&seen["sub"], &seen["sub_type"]), (&json!("shop"), &json!("client")));
    let answer = bench.redeem("shop", &[("voucher", "x")]).await;
    bench.assert_refused(&answer, "invalid_grant", Reason::Extension(ExtensionRefusal::GrantInvalid));
}

#[tokio::test]
async fn an_entitlement_for_nobody_or_for_no_time_gives_no_token() {
    let bench = Extending::new();
    bench.host.answers(|ask| match ask.parameters.one("voucher") {
        Some("for-nobody") => Ok(Entitlement::user("", scope("read"))),
        Some("over") => Ok(Entitlement::user("alice", scope("read")).lifetime(Duration::ZERO)),
        _ => Ok(Entitlement::user("alice", scope("read")).lifetime(Duration::from_secs(1))),
    });
    let nobody = bench.redeem("shop", &[("voucher", "for-nobody")]).await;
    assert_eq!(nobody.error(), (500, "server_error".to_owned()));
    assert_eq!(bench.fixture.log.last_reason(), Some(Reason::SubjectUnfit));
    let over = bench.redeem("shop", &[("voucher", "over")]).await;
    bench.assert_refused(&over, "invalid_grant", Reason::Extension(ExtensionRefusal::GrantInvalid));
    assert_eq!(bench.fixture.count().await, 0);
    assert_eq!(bench.redeem("shop", &[("voucher", "short")]).await.json()["expires_in"], 1);
}

#[tokio::test]
async fn the_scope_is_what_client_host_and_request_have_in_common() {
    let bench = Extending::new();
    bench.host.answers(|_| Ok(Entitlement::user("alice", scope("write admin unknown"))));
    for (asked, granted) in [(None, Some("write")), (Some("write"), Some("write")), (Some("read"), None)] {
        let more: Vec<_> = asked.map(|asked| ("scope", asked)).into_iter().collect();
        let answer = bench.redeem("shop", &more).await;
        match granted {
            Some(granted) => assert_eq!(answer.text("scope"), granted),
            None => bench.assert_refused(&answer, "invalid_scope", Reason::ScopeExceeded),
        }
    }
    // The client may not have it, whatever the host says; and no one may have what the server does not know.
    for beyond in ["admin", "unknown", "write admin"] {
        let answer = bench.redeem("shop", &[("scope", beyond)]).await;
        bench.assert_refused(&answer, "invalid_scope", Reason::ScopeExceeded);
    }
    assert_eq!(bench.redeem("desk", &[]).await.text("scope"), "write admin");
}

#[tokio::test]
async fn the_host_is_asked_of_nothing_before_the_client_has_authenticated_and_may() {
    let bench = Extending::new();
    let form = encode(&[("grant_type", VOUCHER)]);
    let wrong = Request::post_form(form.clone()).header("authorization", basic("shop", "wrong"));
    assert_eq!(Answer(bench.fixture.server.token(&wrong).await).error(), (401, "invalid_client".into()));
    let nobody = Request::post_form(form);
    assert_eq!(Answer(bench.fixture.server.token(&nobody).await).error(), (401, "invalid_client".into()));

    let unregistered = bench.redeem("conf", &[]).await;
    bench.assert_refused(&unregistered, "unauthorized_client", Reason::GrantTypeNotAllowed);
    let public = bench.redeem_publicly(&[]).await;
    bench.assert_refused(&public, "unauthorized_client", Reason::ClientNotConfidential);
    let twice = bench.redeem("shop", &[("voucher", "a"), ("voucher", "b")]).await;
    bench.assert_refused(&twice, "invalid_request", Reason::ParameterRepeated);
    let scope = bench.redeem("shop", &[("scope", "re\"ad")]).await;
    bench.assert_refused(&scope, "invalid_scope", Reason::ScopeMalformed);
    assert_eq!(bench.host.asked(), 0);
    assert_eq!(bench.fixture.count().await, 0);
}

impl Extending {
    async fn redeem_publicly(&self, more: &[(&str, &str)]) -> Answer {
        let form = [&[("grant_type", VOUCHER), ("client_id", "kiosk")], more].concat();
        Answer(self.fixture.server.token(&Request::post_form(encode(&form))).await)
    }
}

#[tokio::test]
async fn a_grant_type_that_nobody_brought_is_unsupported() {
    let bench = Extending::new();
    for name in ["urn:example:other", "urn:example:voucher2", "URN:example:voucher", "voucher", "implicit"] {
        let answer = bench.fixture.token("shop", &[("grant_type", name)]).await;
        bench.assert_refused(&answer, "unsupported_grant_type", Reason::GrantTypeUnsupported);
    }
}

#[tokio::test]
async fn public_clients_are_let_in_by_the_terms_and_never_as_themselves() {
    let bench = Extending::on_terms(terms().public_clients());
    let answer = bench.redeem_publicly(&[("scope", "read")]).await;
    assert_eq!((answer.status(), answer.text("scope")), (200, "read".into()));
    bench.host.answers(|_| Ok(Entitlement::client(scope("read"))));
    let answer = bench.redeem_publicly(&[]).await;
    bench.assert_refused(&answer, "unauthorized_client", Reason::ClientNotConfidential);
}

#[tokio::test]
async fn the_token_is_for_a_resource_that_there_is_and_that_the_host_allows() {
    let bench = Extending::new();
    let asked = |resource| [("resource", resource)];
    let answer = bench.redeem("shop", &asked(API)).await;
    assert_eq!(bench.seen("shop", &answer).await["aud"], API);
    let answer = bench.redeem("shop", &asked("https://evil.example")).await;
    bench.assert_refused(&answer, "invalid_target", Reason::TargetUnknown);

    let only = |resource: &'static str| {
        let resource = grantor::ResourceId::parse(resource).unwrap();
        bench
            .host
            .answers(move |_| Ok(Entitlement::user("alice", scope("read")).resources([resource.clone()])));
    };
    only(API);
    let unnamed = bench.redeem("shop", &[]).await;
    assert_eq!(bench.seen("shop", &unnamed).await["aud"], API);
    assert_eq!(bench.redeem("shop", &asked(API)).await.status(), 200);
    let answer = bench.redeem("shop", &asked(OTHER_API)).await;
    bench.assert_refused(&answer, "invalid_target", Reason::TargetExceeded);
    only("https://unknown.example");
    let answer = bench.redeem("shop", &[]).await;
    bench.assert_refused(&answer, "invalid_target", Reason::TargetUnknown);
}

#[tokio::test]
async fn a_server_without_resources_does_not_pass_over_a_limit_to_one() {
    let host = Host::new(terms());
    let server = |builder: AuthorizationServerBuilder| {
        let voucher = GrantType::parse(VOUCHER).unwrap();
        let shop = Client::builder("shop").grant_types([voucher]).secret(SECRET).build().unwrap();
        builder.clients(MemoryRegistry::new([shop])).extension_grant(VOUCHER, host.clone())
    };
    host.answers(|_| {
        let api = grantor::ResourceId::parse(API).unwrap();
        Ok(Entitlement::user("alice", scope("read")).resources([api]))
    });
    let nameless = Fixture::with(server);
    let answer = nameless.token("shop", &[("grant_type", VOUCHER)]).await;
    assert_eq!(answer.error(), (400, "invalid_target".into()));
    assert_eq!(nameless.log.last_reason(), Some(Reason::TargetUnknown));
    let named = Fixture::with(|builder| server(builder).audience(API));
    assert_eq!(named.token("shop", &[("grant_type", VOUCHER)]).await.status(), 200);
}

#[tokio::test]
async fn nothing_lives_longer_than_the_host_says() {
    let bench = Extending::on_terms(terms().refresh_tokens());
    bench.host.answers(|_| {
        let entitlement = Entitlement::user("alice", scope("read")).with_refresh_token();
        Ok(entitlement.lifetime(Duration::from_secs(700)))
    });
    let answer = bench.redeem("desk", &[]).await;
    assert_eq!(answer.json()["expires_in"], 600);
    bench.fixture.clock.advance(Duration::from_secs(650));
    let refreshed = bench.fixture.refresh("desk", &answer.refresh_token()).await;
    assert_eq!(refreshed.json()["expires_in"], 50, "{}", refreshed.json());
    bench.fixture.clock.advance(Duration::from_secs(50));
    assert_eq!(
        bench.fixture.refresh("desk", &answer.refresh_token()).await.error(),
        (400, "invalid_grant".into())
    );
    assert!(!bench.fixture.is_live(&refreshed.access_token()).await);
}

#[tokio::test]
async fn a_refresh_token_needs_the_terms_the_host_and_the_client_and_a_user() {
    let wanted = |user: bool| {
        move |_: &grantor::flow::token::ExtensionAsk<'_>| {
            let all = scope("read write admin");
            let holder = if user { Entitlement::user("alice", all) } else { Entitlement::client(all) };
            Ok(holder.with_refresh_token())
        }
    };
    let has = async |bench: &Extending, client: &str| {
        let answer = bench.redeem(client, &[]).await;
        assert_eq!(answer.status(), 200, "{}", answer.json());
        answer.json()["refresh_token"].is_string()
    };
    let plain = Extending::new();
    plain.host.answers(wanted(true));
    assert!(!has(&plain, "desk").await, "the terms have none");

    let bench = Extending::on_terms(terms().refresh_tokens());
    assert!(!has(&bench, "desk").await, "the host does not ask for one");
    bench.host.answers(wanted(true));
    assert!(!has(&bench, "shop").await, "the client did not register it");
    assert!(has(&bench, "desk").await);
    bench.host.answers(wanted(false));
    assert!(!has(&bench, "desk").await, "a client can ask again by itself");
}

#[tokio::test]
async fn a_refusal_is_an_error_of_the_protocol_and_a_reason_of_its_own() {
    use ExtensionRefusal::{
        ClientRefused, GrantInvalid, RequestMalformed, ScopeRefused, SecretWrong, TargetRefused,
    };
    let bench = Extending::new();
    type Row = (fn() -> Denial, &'static str, ExtensionRefusal);
    let table: [Row; 6] = [
        (Denial::invalid_request, "invalid_request", RequestMalformed),
        (Denial::invalid_grant, "invalid_grant", GrantInvalid),
        (Denial::wrong_secret, "invalid_grant", SecretWrong),
        (Denial::unauthorized_client, "unauthorized_client", ClientRefused),
        (Denial::invalid_scope, "invalid_scope", ScopeRefused),
        (Denial::invalid_target, "invalid_target", TargetRefused),
    ];
    for (denial, code, refusal) in table {
        bench.host.answers(move |_| Err(denial()));
        let answer = bench.redeem("shop", &[]).await;
        bench.assert_refused(&answer, code, Reason::Extension(refusal));
        assert_eq!(answer.0.header("cache-control"), Some("no-store"));
    }
    assert_eq!(bench.fixture.count().await, 0);
}

#[tokio::test]
async fn a_fault_of_the_host_is_503_and_a_permanent_one_500() {
    let bench = Extending::new();
    bench.host.answers(|_| Err(BackendError::transient("no directory").into()));
    let answer = bench.redeem("shop", &[]).await;
    assert_eq!(answer.error(), (503, "temporarily_unavailable".into()));
    assert!(answer.0.header("retry-after").is_some());
    bench.host.answers(|_| Err(BackendError::permanent("no table").into()));
    assert_eq!(bench.redeem("shop", &[]).await.error(), (500, "server_error".into()));
}

#[tokio::test]
async fn a_blocked_user_gets_nothing_then_or_later() {
    let bench = Extending::on_terms(terms().refresh_tokens());
    bench.host.answers(|_| Ok(Entitlement::user("alice", scope("read")).with_refresh_token()));
    let before = bench.redeem("desk", &[]).await;
    bench.fixture.users.blocked.lock().unwrap().push("alice".into());
    let answer = bench.redeem("desk", &[]).await;
    bench.assert_refused(&answer, "invalid_grant", Reason::SubjectBlocked);
    let answer = bench.fixture.refresh("desk", &before.refresh_token()).await;
    bench.assert_refused(&answer, "invalid_grant", Reason::SubjectBlocked);
}

#[tokio::test]
async fn wrong_secrets_of_one_address_are_counted() {
    let mut policy = Policy::default();
    policy.secret_failures_per_minute = 3;
    let bench = Extending::with(terms(), |builder| builder.policy(policy));
    let ask = async |peer: [u8; 4]| {
        let request = request("shop", &[("grant_type", VOUCHER)]).from_peer(IpAddr::from(peer));
        bench.fixture.server.token(&request).await.status
    };
    bench.host.answers(|_| Err(Denial::invalid_grant()));
    for _ in 0..5 {
        assert_eq!(ask([192, 0, 2, 1]).await, 400, "what cannot be guessed is not counted");
    }
    bench.host.answers(|_| Err(Denial::wrong_secret()));
    for _ in 0..3 {
        assert_eq!(ask([192, 0, 2, 1]).await, 400);
    }
    let asked = bench.host.asked();
    assert_eq!(ask([192, 0, 2, 1]).await, 429);
    assert_eq!(bench.host.asked(), asked);
    assert_eq!(ask([192, 0, 2, 2]).await, 400, "another address");
}

#[tokio::test]
async fn the_host_sees_the_request_and_no_credentials_of_the_client() {
    let bench = Extending::on_terms(terms().public_clients());
    bench.host.answers(|ask| {
        assert_eq!(ask.issuer, "https://as.example");
        assert_eq!(ask.token_endpoint, "https://as.example/token");
        assert_eq!(ask.scope, Some(&scope("read")));
        assert_eq!(ask.resources.as_slice()[0].as_str(), API);
        assert_eq!(ask.parameters.all("audience").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(ask.parameters.one("empty"), None);
        for hidden in ["client_id", "client_secret"] {
            assert_eq!(ask.parameters.one(hidden), None);
        }
        assert!(!format!("{ask:?}").contains("s3cret"), "{ask:?}");
        Ok(Entitlement::client(scope("read")))
    });
    let form = [
        ("grant_type", VOUCHER),
        ("voucher", "s3cret"),
        ("scope", "read"),
        ("resource", API),
        ("audience", "a"),
        ("audience", "b"),
        ("empty", ""),
    ];
    assert_eq!(bench.fixture.token("shop", &form).await.status(), 200);
    let public = [&form[..], &[("client_id", "kiosk"), ("client_secret", SECRET)]].concat();
    let answer = Answer(bench.fixture.server.token(&Request::post_form(encode(&public))).await);
    assert_eq!(answer.error(), (401, "invalid_client".into()), "a public client has no secret");
    assert_eq!(bench.host.asked(), 1);
}

#[tokio::test]
async fn how_the_user_signed_in_is_in_the_grant() {
    let bench = Extending::new();
    bench.host.answers(|ask| {
        let entitlement = Entitlement::user("alice", scope("read"));
        Ok(entitlement.authenticated(ask.now - chrono::TimeDelta::seconds(30), Some("gold".into())))
    });
    let answer = bench.redeem("shop", &[]).await;
    let access = bench.fixture.server.check(&answer.access_token()).await.unwrap();
    assert_eq!(access.auth_time(), Some(bench.fixture.clock_seconds() - 30));
    assert_eq!(access.acr(), Some("gold"));
    assert_eq!(access.subject(), &Subject::user("alice"));
}

#[test]
fn what_cannot_work_is_said_at_the_start() {
    let build = |names: &[&str], terms: ExtensionTerms| {
        let mut builder = AuthorizationServer::builder("https://as.example");
        for name in names {
            builder = builder.extension_grant(*name, Host::new(terms.clone()));
        }
        let builder = builder.clients(MemoryRegistry::default()).store(MemoryStore::new());
        builder.build().map(drop).map_err(|errors| errors.all().to_vec())
    };
    let plain = ExtensionTerms::default;
    assert_eq!(build(&[VOUCHER, "https://example/grant"], plain()), Ok(()));
    for name in ["voucher", "", "/grant", "urn:example:a#b", "urn:example:a b"] {
        assert_eq!(build(&[name], plain()), Err(vec![ConfigError::GrantTypeName(name.into())]));
    }
    for name in ["password", "authorization_code", "urn:ietf:params:oauth:grant-type:token-exchange"] {
        assert_eq!(build(&[name], plain()), Err(vec![ConfigError::GrantTypeTwice(name.into())]));
    }
    assert_eq!(build(&[VOUCHER, VOUCHER], plain()), Err(vec![ConfigError::GrantTypeTwice(VOUCHER.into())]));
    let once = build(&[VOUCHER], plain().single_use());
    assert_eq!(once, Err(vec![ConfigError::ReplayGuardMissing(VOUCHER.into())]));
}

#[test]
fn the_metadata_say_what_there_is() {
    let metadata = |bench: &Extending| Answer(bench.fixture.server.metadata()).json();
    let names = |json: &Value, member: &str| -> Vec<String> {
        serde_json::from_value(json[member].clone()).unwrap_or_default()
    };
    let bench = Extending::on_terms(terms().profile("urn:example:profile"));
    let json = metadata(&bench);
    assert!(names(&json, "grant_types_supported").iter().any(|name| name == VOUCHER), "{json}");
    assert_eq!(names(&json, "authorization_grant_profiles_supported"), ["urn:example:profile"]);
    let without = Answer(Fixture::new().server.metadata()).json();
    assert!(!names(&without, "grant_types_supported").iter().any(|name| name == VOUCHER));
    assert_eq!(without["authorization_grant_profiles_supported"], Value::Null);
}

#[tokio::test]
async fn a_client_registers_only_grant_types_that_there_are_and_that_the_terms_have() {
    let voucher = || GrantType::parse(VOUCHER).unwrap();
    let offered = || Registration::open().grant_types([voucher(), GrantType::ClientCredentials]);
    let asked =
        json!({ "grant_types": [VOUCHER, "urn:example:other", "client_credentials"], "scope": "read" });
    let bench = Registering::configured(offered(), |builder| {
        builder.extension_grant(VOUCHER, Host::new(ExtensionTerms::default()))
    });
    let own = bench.registered(&asked).await;
    assert_eq!(own.0["grant_types"], json!([VOUCHER, "client_credentials"]));
    assert_eq!(bench.token(&own, &[("grant_type", VOUCHER)]).await.text("scope"), "read");

    let closed = Registering::configured(Registration::open(), |builder| {
        builder.extension_grant(VOUCHER, Host::new(ExtensionTerms::default()))
    });
    let refused = closed.post(&json!({ "grant_types": [VOUCHER] })).await;
    assert_eq!(refused.error(), (400, "invalid_client_metadata".into()));

    let server = AuthorizationServer::builder("https://as.example").registration(offered());
    let server = server.clients(MemoryRegistry::default()).store(MemoryStore::new());
    let errors = server.registrar(MemoryRegistry::default()).build().unwrap_err();
    assert_eq!(errors.all(), [ConfigError::RegistrationGrantType]);
}

#[tokio::test]
async fn a_grant_by_the_host_is_a_grant_like_any_other() {
    let bench = Extending::new();
    let answer = bench.redeem("shop", &[]).await;
    let listing = bench.fixture.server.grants(&grantor::store::Filter::default(), None, 10).await.unwrap();
    let id: GrantId = listing.records[0].grant().id();
    assert!(bench.fixture.store.load(id).await.unwrap().is_some());
    assert!(bench.fixture.is_live(&answer.access_token()).await);
    assert_eq!(bench.fixture.revoke("shop", &answer.access_token()).await.status(), 200);
    assert!(!bench.fixture.is_live(&answer.access_token()).await);
}
