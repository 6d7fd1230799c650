//! When a part of the host fails, the log names its trait.

use std::sync::atomic::Ordering;

use chrono::{DateTime, Utc};
use grantor::flow::token::{Denial, Entitlement, Exchange, ExchangeAsk, ExtensionAsk};
use grantor::keys::JwtSigner;
use grantor::openid::{ClaimsAsked, ClaimsSource};
use grantor::registration::{Applicant, RegistrationPolicy, Review, StatementError, StatementVerifier};
use grantor::server::ExtensionGrant;
use grantor::{
    AccessTokens, AccountStatus, BackendError, Client, EventKind, ExchangePolicy, GrantType, MemoryRegistry,
    Profile, Registration, Resource, ResourceOwner, SecretText, Subject, async_trait,
};
use serde_json::{Map, Value, json};

use crate::support::extending::{API, VOUCHER};
use crate::support::moody::Moody;
use crate::support::provider::{Provider, keys};
use crate::support::registering::{Registering, app, app_with};
use crate::support::{Fixture, Log, SECRET, clients};

/// Every part of a host; all of them are broken.
struct Broken;

fn broken<T>() -> Result<T, BackendError> {
    Err(BackendError::transient("the directory is away"))
}

#[async_trait]
impl ResourceOwner for Broken {
    async fn authenticate(
        &self,
        _: &str,
        _: &SecretText,
        _: &Client,
    ) -> Result<Option<Subject>, BackendError> {
        broken()
    }

    async fn account_status(&self, _: &Subject) -> Result<AccountStatus, BackendError> {
        broken()
    }
}

#[async_trait]
impl ClaimsSource for Broken {
    async fn claims(&self, _: &ClaimsAsked<'_>) -> Result<Map<String, Value>, BackendError> {
        broken()
    }
}

#[async_trait]
impl ExchangePolicy for Broken {
    async fn exchange(&self, _: &ExchangeAsk<'_>) -> Result<Exchange, BackendError> {
        broken()
    }
}

#[async_trait]
impl RegistrationPolicy for Broken {
    async fn review(&self, _: &Applicant<'_>) -> Result<Review, BackendError> {
        broken()
    }
}

#[async_trait]
impl StatementVerifier for Broken {
    async fn verify(&self, _: &str, _: DateTime<Utc>) -> Result<Map<String, Value>, StatementError> {
        Ok(broken()?)
    }
}

#[async_trait]
impl ExtensionGrant for Broken {
    async fn entitle(&self, _: &ExtensionAsk<'_>) -> Result<Entitlement, Denial> {
        Ok(broken()?)
    }
}

fn assert_named(log: &Log, part: &str) {
    let text = log.texts().pop().expect("an event");
    let cause = format!("cause=\"{part}: a part of the host failed temporarily");
    assert!(text.contains(&cause), "{text}");
    assert!(matches!(log.whats().pop(), Some(EventKind::Failed(_))), "{text}");
}

#[tokio::test]
async fn the_log_names_the_part_of_the_host_that_failed_a_token_request() {
    let voucher = GrantType::parse(VOUCHER).unwrap();
    let shop = Client::builder("shop").grant_types([voucher, GrantType::TokenExchange]).secret(SECRET);
    let registry = MemoryRegistry::new(clients().into_iter().chain([shop.build().unwrap()]));
    let (signer, fails) = Moody::new(JwtSigner::new(keys()).unwrap());
    let fixture = Fixture::with(|builder| {
        let builder = builder.clients(registry).profile(Profile::Rfc6749).resource_owner(Broken);
        let builder = builder.token_exchange(Broken).extension_grant(VOUCHER, Broken);
        builder.token_signer(signer).resource(Resource::new(API).access_tokens(AccessTokens::Jwt))
    });
    let token = fixture.token("robot", &[("grant_type", "client_credentials")]).await.access_token();
    let exchange = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", token.as_str()),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
    ];
    let password = [("grant_type", "password"), ("username", "alice"), ("password", "wonderland")];
    let signed = [("grant_type", "client_credentials"), ("resource", API)];
    fails.store(true, Ordering::SeqCst);
    for (client, form, part) in [
        ("legacy", &password[..], "ResourceOwner"),
        ("shop", &exchange[..], "ExchangePolicy"),
        ("shop", &[("grant_type", VOUCHER)][..], "ExtensionGrant"),
        ("robot", &signed[..], "TokenSigner"),
    ] {
        let answer = fixture.token(client, form).await;
        assert_eq!(answer.error(), (503, "temporarily_unavailable".to_owned()), "{part}");
        assert_named(&fixture.log, part);
    }
}

#[tokio::test]
async fn the_log_names_the_part_of_the_host_that_failed_a_registration() {
    for (terms, metadata, part) in [
        (Registration::by_policy(Broken), app(), "RegistrationPolicy"),
        (
            Registration::open().software_statements(Broken),
            app_with(json!({ "software_statement": "{}" })),
            "StatementVerifier",
        ),
    ] {
        let server = Registering::on(terms);
        assert_eq!(
            server.post(&metadata).await.error(),
            (503, "temporarily_unavailable".to_owned()),
            "{part}"
        );
        assert_named(&server.fixture.log, part);
    }
}

#[tokio::test]
async fn the_log_names_the_source_of_claims_and_the_claims_that_it_may_not_set() {
    let provider = Provider::with(Vec::new(), |builder| builder.openid(Broken));
    let token = provider.tokens("other", "openid profile", &[]).await.access_token();
    assert_eq!(provider.userinfo(&token).await.status(), 503);
    assert_named(&provider.fixture.log, "ClaimsSource");

    let provider = Provider::new();
    provider.people.set(json!({ "iss": "https://evil.example", "aud": "evil" }));
    let token = provider.tokens("other", "openid profile", &[]).await.access_token();
    assert_eq!(provider.userinfo(&token).await.json().get("iss"), None);
    let texts = provider.fixture.log.texts();
    let dropped = texts.iter().find(|text| text.contains("ClaimsDropped")).expect("an event");
    assert!(dropped.contains("ClaimsSource: the host may not set") && dropped.contains("iss"), "{dropped}");
    assert!(!dropped.contains("evil"), "names, and no values: {dropped}");
}
