//! What a profile forbids cannot be configured beside it, and what it needs has to be there.

use std::sync::Arc;
use std::time::Duration;

use grantor::jose::{Algorithm, SigningKey};
use grantor::keys::{JwtSigner, Keys};
use grantor::server::{AuthorizationServerBuilder, ConfigError};
use grantor::{
    AccessTokens, AuthorizationServer, MemoryRegistry, MemoryStore, Policy, Profile, Reason, Registration,
    Resource,
};
use serde_json::{Value, json};

use crate::support::ISSUER;
use crate::support::banking::{BOTH, Bank, Of};
use crate::support::provider::{People, keys};
use crate::support::proving::dpop;

/// What is wrong with a server under the profile that is configured so.
fn mistakes(
    configure: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
) -> Vec<ConfigError> {
    let store = Arc::new(MemoryStore::new());
    let builder = AuthorizationServer::builder(ISSUER)
        .clients(MemoryRegistry::default())
        .store(store.clone())
        .replay_guard(store)
        .client_signatures(grantor::client::ClientJwts::new())
        .dpop(dpop())
        .profile(Profile::Fapi2Security);
    configure(builder).build().map_or_else(|errors| errors.all().to_vec(), |_| Vec::new())
}

fn signer(algorithms: &[Algorithm]) -> JwtSigner {
    let signers = algorithms.iter().map(|one| Arc::new(SigningKey::generate(*one).unwrap()) as _);
    JwtSigner::new(Keys::from_signers(signers.collect()).unwrap()).unwrap()
}

fn policy(change: impl FnOnce(&mut Policy)) -> Policy {
    let mut policy = Policy::default();
    change(&mut policy);
    policy
}

#[test]
fn one_line_is_enough() {
    assert_eq!(mistakes(|builder| builder), []);
}

#[test]
fn each_mistake_is_a_sentence_that_names_a_method_to_call() {
    let found = [
        mistakes(|builder| builder.legacy_assertion_audience()),
        mistakes(|builder| builder.policy(policy(|own| own.code_lifetime = Duration::from_secs(61)))),
        mistakes(|builder| builder.policy(policy(|own| own.leeway = Duration::from_secs(29)))),
        mistakes(|builder| builder.token_signer(signer(&[Algorithm::Rs256]))),
        mistakes(|builder| {
            let resource = Resource::new("https://rs1.example").signing_algorithm(Algorithm::Rs256);
            let resource = resource.access_tokens(AccessTokens::Jwt);
            builder.token_signer(signer(&[Algorithm::Es256, Algorithm::Rs256])).resource(resource)
        }),
        mistakes(|builder| {
            let registry = Arc::new(MemoryRegistry::default());
            builder.registrar(registry).registration(Registration::open().localhost_any_port())
        }),
        mistakes(|builder| builder.profile(Profile::Fapi2MessageSigning)),
    ];
    let methods = [
        "legacy_assertion_audience",
        "call policy",
        "call policy",
        "call token_signer",
        "call resource",
        "call registration",
        "call token_signer",
    ];
    for (found, method) in found.iter().zip(methods) {
        assert_eq!(found.len(), 1, "{method}: {found:?}");
        assert!(found[0].to_string().contains(method), "{method}: {}", found[0]);
    }
}

#[test]
fn what_the_profile_needs_has_to_be_there() {
    let bare = AuthorizationServer::builder(ISSUER)
        .clients(MemoryRegistry::default())
        .store(MemoryStore::new())
        .profile(Profile::Fapi2MessageSigning)
        .build();
    let errors = bare.unwrap_err();
    for needed in [
        ConfigError::ProfileClients,
        ConfigError::BindingMissing,
        ConfigError::AnswersUnsigned,
        ConfigError::RequestObjectsUnverified,
    ] {
        assert!(errors.all().contains(&needed), "{needed:?}: {errors}");
    }
}

#[test]
fn fp_01_the_discovery_document_is_served() {
    for of in BOTH {
        let metadata = Bank::new(of).metadata();
        assert_eq!(metadata["issuer"], ISSUER);
        assert!(metadata["pushed_authorization_request_endpoint"].is_string(), "{of:?}");
    }
}

#[test]
fn fp_06_the_legacy_audience_cannot_be_configured() {
    assert_eq!(mistakes(|builder| builder.legacy_assertion_audience()), [ConfigError::ProfileAudience]);
}

#[test]
fn fp_16_a_request_uri_lives_for_less_than_ten_minutes() {
    let lives = |seconds| policy(|own| own.request_uri_lifetime = Duration::from_secs(seconds));
    assert_eq!(mistakes(|builder| builder.policy(lives(599))), []);
    assert_eq!(mistakes(|builder| builder.policy(lives(600))), [ConfigError::RequestUriLifetime]);
    assert_eq!(Policy::default().request_uri_lifetime, Duration::from_secs(60));
}

/// Whether an algorithm is named anywhere in these metadata.
fn names(metadata: &Value, algorithm: &str) -> bool {
    metadata.to_string().contains(&format!("\"{algorithm}\""))
}

#[test]
fn fp_18_a_server_of_the_profile_needs_another_key_than_rs256_and_lists_none() {
    let mixed = [Algorithm::Rs256, Algorithm::Ps256];
    assert_eq!(
        mistakes(|builder| builder.token_signer(signer(&[Algorithm::Rs256]))),
        [ConfigError::ProfileSigner]
    );
    assert_eq!(mistakes(|builder| builder.token_signer(signer(&mixed))), []);
    let openid = |builder: AuthorizationServerBuilder| {
        builder.token_signer(JwtSigner::new(keys()).unwrap()).openid(People::default())
    };
    let pure = Bank::with(Of::Server, Profile::Fapi2MessageSigning, |client| client, openid).metadata();
    for listed in [
        "id_token_signing_alg_values_supported",
        "dpop_signing_alg_values_supported",
        "token_endpoint_auth_signing_alg_values_supported",
        "request_object_signing_alg_values_supported",
        "authorization_signing_alg_values_supported",
        "introspection_signing_alg_values_supported",
    ] {
        let listed = pure[listed].as_array().unwrap();
        assert!(listed.contains(&json!("ES256")) && !listed.contains(&json!("none")), "{listed:?}");
    }
    assert!(!names(&pure, "RS256"), "{pure}");
    let mixed = Bank::with(Of::Client, Profile::Fapi2Security, |client| client, openid).metadata();
    assert!(names(&mixed, "RS256"), "other clients have it");
}

#[test]
fn fp_26_there_is_no_half_of_http_message_signatures() {
    for of in BOTH {
        let metadata = Bank::new(of).metadata().to_string();
        assert!(!metadata.contains("http_message") && !metadata.contains("http-message"), "{metadata}");
    }
    assert!(include_str!("../../../src/manual/fapi.md").contains("HTTP message signatures"));
}

#[tokio::test]
async fn fp_18_no_access_token_of_a_client_of_the_profile_is_signed_by_rs256() {
    for of in BOTH {
        let bank = Bank::with(
            of,
            Profile::Fapi2Security,
            |client| client,
            |builder| {
                builder
                    .token_signer(signer(&[Algorithm::Rs256, Algorithm::Ps256]))
                    .access_tokens(AccessTokens::Jwt)
            },
        );
        let token = bank.tokens().await.access_token();
        assert_eq!(bank.server.fixture.opened(&token).await.0["alg"], "PS256", "{of:?}");
    }
}

#[tokio::test]
async fn fp_18_a_client_of_the_profile_gets_no_token_that_only_rs256_could_sign() {
    let configurations: [fn(AuthorizationServerBuilder) -> AuthorizationServerBuilder; 2] = [
        |builder| builder.token_signer(signer(&[Algorithm::Rs256])).access_tokens(AccessTokens::Jwt),
        |builder| {
            let resource = Resource::new("https://rs1.example").signing_algorithm(Algorithm::Rs256);
            let builder = builder.token_signer(signer(&[Algorithm::Rs256, Algorithm::Ps256]));
            builder.resource(resource.access_tokens(AccessTokens::Jwt))
        },
    ];
    for configure in configurations {
        let bank = Bank::with(Of::Client, Profile::Fapi2Security, |client| client, configure);
        let fixture = &bank.server.fixture;
        let code = bank.code().await;
        for _ in 0..2 {
            assert_eq!(bank.redeem(&code).await.error(), (500, "server_error".to_owned()));
            assert_eq!(fixture.log.last_reason(), Some(Reason::NotConfigured), "the code is not spent");
        }
        let other = fixture.tokens("conf", "read").await.access_token();
        assert_eq!(fixture.opened(&other).await.0["alg"], "RS256");
    }
}

#[tokio::test]
async fn fp_18_a_request_for_an_id_token_that_only_rs256_could_sign_is_refused_when_it_is_pushed() {
    let bank = Bank::with(
        Of::Client,
        Profile::Fapi2Security,
        |client| client,
        |builder| builder.token_signer(signer(&[Algorithm::Rs256])).openid(People::default()),
    );
    let refused = bank.push(&[("scope", Some("openid read"))]).await;
    assert_eq!(refused.error(), (500, "server_error".to_owned()));
    assert_eq!(bank.server.fixture.log.last_reason(), Some(Reason::IdTokenAlgorithm));
    assert_eq!(bank.push(&[]).await.status(), 201, "without an id_token");
}
