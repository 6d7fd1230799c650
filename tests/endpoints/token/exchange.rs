//! Token exchange: a token for one that allows less, somewhere else, in the same name.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use grantor::flow::token::{Exchange, ExchangeAsk};
use grantor::jose::Algorithm;
use grantor::keys::{JwtSigner, KeySchedule, Keys, MemoryKeyStore};
use grantor::server::{AuthorizationServerBuilder, ExchangePolicy};
use grantor::{
    AccessTokens, AuthMethod, BackendError, Client, Clock as _, GrantType, MemoryRegistry, Profile, Reason,
    Resource, Subject, async_trait,
};
use serde_json::json;

use crate::support::{Answer, CALLBACK, Fixture, ISSUER, SECRET, clients, request};

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const ORDERS: &str = "https://orders.example";
const BILLING: &str = "https://billing.example";

/// The client `orders` may pass its tokens on to billing, as the host decides.
#[derive(Clone, Default)]
struct Policy(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    answer: Exchange,
    /// The targets that the host allows.
    allows: Vec<&'static str>,
    fails: bool,
    asked: usize,
}

#[async_trait]
impl ExchangePolicy for Policy {
    async fn exchange(&self, ask: &ExchangeAsk<'_>) -> Result<Exchange, BackendError> {
        let mut state = self.0.lock().unwrap();
        state.asked += 1;
        if state.fails {
            return Err(BackendError::transient("no directory"));
        }
        let is_allowed =
            ask.resources.as_slice().iter().all(|resource| state.allows.contains(&resource.as_str()));
        Ok(if is_allowed { state.answer } else { Exchange::Denied })
    }
}

struct Bench {
    fixture: Fixture,
    policy: Policy,
}

impl Bench {
    fn new(answer: Exchange) -> Self {
        Self::with(answer, |builder| builder)
    }

    fn with(
        answer: Exchange,
        configure: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
    ) -> Self {
        let policy = Policy::default();
        *policy.0.lock().unwrap() = State { answer, allows: vec![BILLING], ..State::default() };
        let orders = Client::builder("orders").grant_types([GrantType::TokenExchange]).secret(SECRET);
        let thief = Client::builder("thief")
            .redirect_uri(CALLBACK)
            .auth_method(AuthMethod::None)
            .grant_types([GrantType::AuthorizationCode, GrantType::TokenExchange]);
        let registered = clients().into_iter().chain([orders.build().unwrap(), thief.build().unwrap()]);
        let registry = MemoryRegistry::new(registered);
        let fixture = Fixture::with(|builder| {
            let builder = builder
                .clients(registry)
                .resource(Resource::new(ORDERS))
                .resource(Resource::new(BILLING).scopes(["read"]))
                .token_exchange(policy.clone());
            configure(builder)
        });
        Self { fixture, policy }
    }

    /// alice's token for orders, by way of the web application.
    async fn subject_token(&self, scope: &str) -> String {
        let mut query = crate::support::code_query("conf", scope);
        query.push(("resource", ORDERS));
        let code = self.fixture.approve(&query).await.location_parameter("code").unwrap();
        self.fixture.redeem("conf", &code).await.access_token()
    }

    async fn exchange(&self, subject_token: &str, more: &[(&str, &str)]) -> Answer {
        let mut form = vec![
            ("grant_type", EXCHANGE),
            ("subject_token", subject_token),
            ("subject_token_type", ACCESS_TOKEN),
        ];
        form.extend(more);
        self.fixture.token("orders", &form).await
    }

    async fn introspected(&self, client: &str, token: &str) -> serde_json::Value {
        Answer(self.fixture.server.introspect(&request(client, &[("token", token)])).await).json()
    }
}

#[tokio::test]
async fn a_service_passes_its_caller_on_to_another_service() {
    let bench = Bench::new(Exchange::Delegation);
    let token = bench.subject_token("read write").await;
    let answer = bench.exchange(&token, &[("resource", BILLING), ("scope", "read")]).await;
    assert_eq!(answer.status(), 200, "{}", answer.json());
    let seen = bench.introspected("orders", &answer.access_token()).await;
    assert_eq!(
        (&seen["sub"], &seen["sub_type"], &seen["client_id"]),
        (&json!("alice"), &json!("user"), &json!("orders"))
    );
    assert_eq!((&seen["aud"], &seen["scope"]), (&json!(BILLING), &json!("read")));
    assert_eq!(seen["act"], json!({ "sub": "orders", "sub_type": "client" }));
    let access = bench.fixture.server.check(&answer.access_token()).await.unwrap();
    assert_eq!(access.actor().unwrap().sub, "orders");
    assert_eq!(access.user(), Some("alice"));
    assert!(bench.fixture.is_live(&token).await, "the exchange spends nothing");
}

#[tokio::test]
async fn an_impersonation_names_no_actor_but_those_before() {
    let bench = Bench::new(Exchange::Impersonation);
    let token = bench.subject_token("read").await;
    let answer = bench.exchange(&token, &[("resource", BILLING)]).await;
    assert_eq!(bench.introspected("orders", &answer.access_token()).await["act"], json!(null));

    bench.policy.0.lock().unwrap().answer = Exchange::Delegation;
    let delegated = bench.exchange(&token, &[("resource", BILLING)]).await.access_token();
    bench.policy.0.lock().unwrap().answer = Exchange::Impersonation;
    let answer = bench.exchange(&delegated, &[]).await;
    let seen = bench.introspected("orders", &answer.access_token()).await;
    assert_eq!(seen["act"], json!({ "sub": "orders", "sub_type": "client" }));
}

#[tokio::test]
async fn a_chain_of_actors_grows_and_ends() {
    let bench = Bench::new(Exchange::Delegation);
    let mut token = bench.subject_token("read").await;
    for links in 1..=8 {
        let answer = bench.exchange(&token, &[("resource", BILLING)]).await;
        assert_eq!(answer.status(), 200, "{links}");
        token = answer.access_token();
    }
    let mut chain = &bench.introspected("orders", &token).await["act"];
    let mut links = 0;
    while !chain.is_null() {
        (chain, links) = (&chain["act"], links + 1);
    }
    assert_eq!(links, 8);
    let refused = bench.exchange(&token, &[("resource", BILLING)]).await;
    assert_eq!(refused.error(), (400, "invalid_request".into()));
    assert_eq!(bench.fixture.log.last_reason(), Some(Reason::ActorsTooMany));
}

#[tokio::test]
async fn an_actor_token_names_who_acts() {
    let bench = Bench::new(Exchange::Delegation);
    let token = bench.subject_token("read").await;
    let robot = bench.fixture.token("robot", &[("grant_type", "client_credentials")]).await.access_token();
    let actor = [("resource", BILLING), ("actor_token", robot.as_str()), ("actor_token_type", ACCESS_TOKEN)];
    let answer = bench.exchange(&token, &actor).await;
    let seen = bench.introspected("orders", &answer.access_token()).await;
    assert_eq!(seen["act"], json!({ "sub": "robot", "sub_type": "client" }));

    bench.fixture.revoke("robot", &robot).await;
    assert_eq!(bench.exchange(&token, &actor).await.error(), (400, "invalid_request".into()));
    assert_eq!(bench.fixture.log.last_reason(), Some(Reason::ActorTokenInvalid));
}

#[tokio::test]
async fn tx_01_what_is_missing_or_too_much_is_refused() {
    let bench = Bench::new(Exchange::Delegation);
    let token = bench.subject_token("read").await;
    let all =
        [("grant_type", EXCHANGE), ("subject_token", token.as_str()), ("subject_token_type", ACCESS_TOKEN)];
    for missing in ["subject_token", "subject_token_type"] {
        let form: Vec<_> = all.into_iter().filter(|(name, _)| *name != missing).collect();
        assert_eq!(
            bench.fixture.token("orders", &form).await.error(),
            (400, "invalid_request".into()),
            "{missing}"
        );
    }
    for more in [
        &[("actor_token", token.as_str())][..],
        &[("actor_token_type", ACCESS_TOKEN)],
        &[("requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token")],
        &[("requested_token_type", "urn:ietf:params:oauth:token-type:saml2")],
    ] {
        let answer = bench.exchange(&token, &[&[("resource", BILLING)], more].concat()).await;
        assert_eq!(answer.error(), (400, "invalid_request".into()), "{more:?}");
    }
}

#[tokio::test]
async fn tx_02_a_subject_token_is_a_live_access_token_of_this_server() {
    let bench = Bench::new(Exchange::Delegation);
    let elsewhere = Bench::new(Exchange::Delegation);
    let tokens = bench.fixture.tokens("conf", "read").await;
    let code = bench.fixture.code("conf", "read").await;
    let (revoked, expired) = (bench.subject_token("read").await, bench.subject_token("read").await);
    bench.fixture.revoke("conf", &revoked).await;
    let foreign = elsewhere.subject_token("read").await;
    for bad in [revoked.as_str(), &foreign, &tokens.refresh_token(), &code, "x", "a.b.c"] {
        let answer = bench.exchange(bad, &[("resource", BILLING)]).await;
        assert_eq!(answer.error(), (400, "invalid_request".into()), "{bad}");
        assert_eq!(bench.fixture.log.last_reason(), Some(Reason::SubjectTokenInvalid));
    }
    assert_eq!(bench.exchange(&expired, &[("resource", BILLING)]).await.status(), 200);
    bench.fixture.clock.advance(Duration::from_secs(600));
    assert_eq!(bench.exchange(&expired, &[("resource", BILLING)]).await.status(), 400);

    for kind in ["id_token", "refresh_token", "saml2", "access_token "] {
        let kind = format!("urn:ietf:params:oauth:token-type:{kind}");
        let form = [("grant_type", EXCHANGE), ("subject_token", &expired), ("subject_token_type", &kind)];
        assert_eq!(
            bench.fixture.token("orders", &form).await.error(),
            (400, "invalid_request".into()),
            "{kind}"
        );
    }
}

#[tokio::test]
async fn tx_03_the_answer_says_what_was_issued() {
    let bench = Bench::new(Exchange::Impersonation);
    let token = bench.subject_token("read write").await;
    let answer = bench.exchange(&token, &[("audience", BILLING)]).await.json();
    assert_eq!(answer["issued_token_type"], ACCESS_TOKEN);
    assert_eq!((&answer["token_type"], &answer["scope"]), (&json!("Bearer"), &json!("read")));
    assert_eq!(answer["refresh_token"], json!(null));
    assert!(answer["expires_in"].as_u64().unwrap() <= 600);
    let ordinary = bench.fixture.token("robot", &[("grant_type", "client_credentials")]).await.json();
    assert_eq!(ordinary["issued_token_type"], json!(null));
}

#[tokio::test]
async fn tx_04_an_unknown_target_and_one_that_the_host_denies_are_refused() {
    let bench = Bench::new(Exchange::Delegation);
    let token = bench.subject_token("read").await;
    for target in
        ["https://evil.example", ORDERS, "https://as.example", "not a URI", "https://billing.example/"]
    {
        for name in ["resource", "audience"] {
            let answer = bench.exchange(&token, &[(name, target)]).await;
            assert_eq!(answer.error(), (400, "invalid_target".into()), "{name} {target}");
        }
    }
    // Without a target it would be for the same resource as before, which the host denies, too.
    assert_eq!(bench.exchange(&token, &[]).await.error(), (400, "invalid_target".into()));
    let both = bench.exchange(&token, &[("resource", BILLING), ("audience", ORDERS)]).await;
    assert_eq!(both.error(), (400, "invalid_target".into()));
}

#[tokio::test]
async fn tx_04_an_audience_is_a_name_and_need_not_be_a_uri() {
    let bench = Bench::with(Exchange::Delegation, |builder| builder.audience("my-api"));
    bench.policy.0.lock().unwrap().allows = vec!["my-api", BILLING];
    let token = bench.subject_token("read").await;
    for name in ["my-api", BILLING] {
        let answer = bench.exchange(&token, &[("audience", name)]).await;
        assert_eq!(answer.status(), 200, "{}", answer.json());
        let access = bench.fixture.server.check(&answer.access_token()).await.unwrap();
        let audience = access.audience().map(ToString::to_string);
        assert_eq!(audience.as_deref().unwrap_or("my-api"), name);
    }
    let unknown = bench.exchange(&token, &[("audience", "another api")]).await.json();
    assert_eq!(unknown["error"], "invalid_target");
    assert!(unknown["error_description"].as_str().unwrap().starts_with("audience "), "{unknown}");
    assert_eq!(bench.fixture.log.last_reason(), Some(Reason::AudienceUnknown));
    assert_eq!(bench.exchange(&token, &[("resource", "my-api")]).await.error().1, "invalid_target");
}

/// Clients of the Model Context Protocol put a slash behind a resource, and invent scopes.
#[tokio::test]
async fn tx_04_under_mcp_other_spellings_and_unknown_scopes_do_no_harm() {
    let bench = Bench::with(Exchange::Delegation, |builder| builder.profile(Profile::Mcp));
    bench.policy.0.lock().unwrap().allows = vec![ISSUER, BILLING];
    let token = bench.subject_token("read").await;
    for (name, target, audience) in [
        ("resource", "https://billing.example/", Some(BILLING)),
        ("audience", "HTTPS://BILLING.example", Some(BILLING)),
        ("resource", "https://as.example/", None),
        ("audience", "HTTPS://as.example", None),
    ] {
        let answer = bench.exchange(&token, &[(name, target), ("scope", "read invented")]).await;
        assert_eq!((answer.status(), answer.text("scope")), (200, "read".to_owned()), "{}", answer.json());
        let access = bench.fixture.server.check(&answer.access_token()).await.unwrap();
        assert_eq!(access.audience().map(|id| id.as_str()), audience, "{target}");
    }
    let asked = || bench.policy.0.lock().unwrap().asked;
    let before = asked();
    for scope in ["invented", "read write"] {
        let answer = bench.exchange(&token, &[("resource", BILLING), ("scope", scope)]).await;
        assert_eq!(answer.error(), (400, "invalid_scope".into()), "{scope}");
    }
    assert_eq!(asked(), before, "the host is not asked for what can never be");
}

#[tokio::test]
async fn tx_05_nothing_gets_wider_or_longer() {
    let bench = Bench::new(Exchange::Delegation);
    let token = bench.subject_token("read").await;
    let wider = bench.exchange(&token, &[("resource", BILLING), ("scope", "read write")]).await;
    assert_eq!(wider.error(), (400, "invalid_scope".into()));
    let asked_before = bench.policy.0.lock().unwrap().asked;
    assert_eq!(asked_before, 0, "the host is not asked for what can never be");

    bench.fixture.clock.advance(Duration::from_secs(400));
    let answer = bench.exchange(&token, &[("resource", BILLING)]).await;
    assert_eq!(answer.json()["expires_in"], 200);
    let expires = bench.fixture.server.check(&token).await.unwrap().expires();
    let exchanged = bench.fixture.server.check(&answer.access_token()).await.unwrap();
    assert_eq!(exchanged.expires(), expires);
    assert_eq!(
        exchanged.auth_time(),
        Some((bench.fixture.clock.now() - Duration::from_secs(400)).timestamp())
    );
}

#[tokio::test]
async fn tx_06_only_a_client_that_authenticates_and_is_registered_for_it_exchanges() {
    let bench = Bench::new(Exchange::Delegation);
    let token = bench.subject_token("read").await;
    let form = [
        ("grant_type", EXCHANGE),
        ("subject_token", token.as_str()),
        ("subject_token_type", ACCESS_TOKEN),
        ("resource", BILLING),
    ];
    assert_eq!(bench.fixture.token("conf", &form).await.error(), (400, "unauthorized_client".into()));
    let public =
        grantor::Request::post_form(crate::support::encode(&[&form[..], &[("client_id", "thief")]].concat()));
    let answer = Answer(bench.fixture.server.token(&public).await);
    assert_eq!(answer.error(), (400, "unauthorized_client".into()));
    assert_eq!(bench.fixture.log.last_reason(), Some(Reason::ClientNotConfidential));
}

#[tokio::test]
async fn by_default_nothing_is_exchanged() {
    let bench = Bench::new(Exchange::default());
    let token = bench.subject_token("read").await;
    let denied = bench.exchange(&token, &[("resource", BILLING)]).await;
    assert_eq!(denied.error(), (400, "invalid_target".into()));
    assert_eq!(bench.fixture.log.last_reason(), Some(Reason::ExchangeDenied));

    let without = Fixture::new();
    let form = [("grant_type", EXCHANGE), ("subject_token", "x"), ("subject_token_type", ACCESS_TOKEN)];
    let answer = without.token("conf", &form).await;
    assert_eq!(answer.status(), 400);
    let document = String::from_utf8(without.server.metadata().body).unwrap();
    assert!(!document.contains(EXCHANGE));
    assert!(String::from_utf8(bench.fixture.server.metadata().body).unwrap().contains(EXCHANGE));
}

#[tokio::test]
async fn a_blocked_user_is_not_passed_on_and_a_fault_of_the_host_is_503() {
    let bench = Bench::new(Exchange::Delegation);
    let token = bench.subject_token("read").await;
    bench.policy.0.lock().unwrap().fails = true;
    let answer = bench.exchange(&token, &[("resource", BILLING)]).await;
    assert_eq!(answer.status(), 503);
    assert!(answer.0.header("retry-after").is_some());
    bench.policy.0.lock().unwrap().fails = false;
    bench.fixture.users.blocked.lock().unwrap().push("alice".into());
    // A token that is unacceptable is one of an invalid request (RFC 8693 section 2.2.2).
    let refused = bench.exchange(&token, &[("resource", BILLING)]).await;
    assert_eq!(refused.error(), (400, "invalid_request".into()));
    assert_eq!(bench.fixture.log.last_reason(), Some(Reason::ExchangedSubjectBlocked));
}

#[tokio::test]
async fn signed_tokens_are_exchanged_and_name_their_actors() {
    let keys = Keys::rotating(MemoryKeyStore::new(), KeySchedule::default(), &[Algorithm::EdDsa]).unwrap();
    let bench = Bench::with(Exchange::Delegation, |builder| {
        builder.token_signer(JwtSigner::new(keys).unwrap()).access_tokens(AccessTokens::Jwt)
    });
    let token = bench.subject_token("read").await;
    let answer = bench.exchange(&token, &[("resource", BILLING)]).await;
    let access = bench.fixture.server.check(&answer.access_token()).await.unwrap();
    let claims = access.claims().unwrap();
    assert_eq!((claims.sub.as_str(), claims.aud.as_str()), ("alice", BILLING));
    assert_eq!(serde_json::to_value(&claims.act).unwrap(), json!({ "sub": "orders", "sub_type": "client" }));
    let again = bench.exchange(&answer.access_token(), &[("resource", BILLING)]).await.access_token();
    let access = bench.fixture.server.check(&again).await.unwrap();
    assert!(access.actor().unwrap().act.is_some());
    assert_eq!(answer.json()["issued_token_type"], ACCESS_TOKEN);
}

#[tokio::test]
async fn tx_02_only_a_signed_token_is_a_jwt() {
    for (bench, is_jwt) in both_formats().iter().zip([false, true]) {
        let token = bench.subject_token("read").await;
        let subject =
            [("grant_type", EXCHANGE), ("subject_token", token.as_str()), ("subject_token_type", JWT)];
        let actor = [
            ("grant_type", EXCHANGE),
            ("subject_token", token.as_str()),
            ("subject_token_type", ACCESS_TOKEN),
            ("actor_token", token.as_str()),
            ("actor_token_type", JWT),
        ];
        for form in [&subject[..], &actor] {
            let form = [form, &[("resource", BILLING)]].concat();
            let answer = bench.fixture.token("orders", &form).await;
            match is_jwt {
                true => assert_eq!(answer.status(), 200, "{}", answer.json()),
                false => {
                    assert_eq!(answer.error(), (400, "invalid_request".into()));
                    assert_eq!(bench.fixture.log.last_reason(), Some(Reason::TokenTypeWrong));
                }
            }
        }
    }
}

/// Opaque and signed.
fn both_formats() -> [Bench; 2] {
    let keys = Keys::rotating(MemoryKeyStore::new(), KeySchedule::default(), &[Algorithm::EdDsa]).unwrap();
    let signed = Bench::with(Exchange::Impersonation, |builder| {
        builder.token_signer(JwtSigner::new(keys).unwrap()).access_tokens(AccessTokens::Jwt)
    });
    [Bench::new(Exchange::Impersonation), signed]
}

#[tokio::test]
async fn ft_12_the_child_of_an_exchange_ends_with_its_parent() {
    for bench in both_formats() {
        let (token, other) = (bench.subject_token("read").await, bench.subject_token("read").await);
        let child = bench.exchange(&token, &[("resource", BILLING)]).await.access_token();
        let grandchild = bench.exchange(&child, &[]).await.access_token();
        let child_of_other = bench.exchange(&other, &[("resource", BILLING)]).await.access_token();
        for live in [&token, &child, &grandchild, &child_of_other] {
            assert!(bench.fixture.is_live(live).await);
        }
        assert_eq!(bench.fixture.revoke("conf", &token).await.status(), 200);
        for dead in [&token, &child, &grandchild] {
            assert!(!bench.fixture.is_live(dead).await);
            assert_eq!(bench.introspected("orders", dead).await, json!({ "active": false }));
        }
        let again = bench.exchange(&grandchild, &[]).await;
        assert_eq!(again.status(), 400, "nothing comes from what has ended: {}", again.json());
        assert!(bench.fixture.is_live(&child_of_other).await && bench.fixture.is_live(&other).await);
    }
}

#[tokio::test]
async fn ft_12_a_child_ends_with_the_whole_grant_of_its_parent() {
    for bench in both_formats() {
        let token = bench.subject_token("read").await;
        let child = bench.exchange(&token, &[("resource", BILLING)]).await.access_token();
        let server = &bench.fixture.server;
        let listed = async || server.grants_of(&Subject::user("alice")).await.unwrap().len();
        let grant = server.check(&token).await.unwrap().grant_id().unwrap();
        assert_eq!(listed().await, 2);
        assert!(server.revoke_grant(grant).await.unwrap());
        assert!(!bench.fixture.is_live(&child).await);
        assert_eq!(listed().await, 0);
    }
}

#[tokio::test]
async fn ft_12_a_chain_of_exchanges_is_no_longer_than_can_be_followed() {
    let bench = Bench::new(Exchange::Impersonation);
    let mut token = bench.subject_token("read").await;
    for exchange in 1..=8 {
        let answer = bench.exchange(&token, &[("resource", BILLING)]).await;
        assert_eq!(answer.status(), 200, "exchange {exchange}");
        token = answer.access_token();
        assert!(bench.fixture.is_live(&token).await, "exchange {exchange}");
    }
    let answer = bench.exchange(&token, &[("resource", BILLING)]).await;
    assert_eq!(answer.error(), (400, "invalid_request".into()));
    assert_eq!(bench.fixture.log.last_reason(), Some(Reason::ActorsTooMany));
}
