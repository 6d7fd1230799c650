//! What the log of a guard says about a server that is of no use.

use std::time::Duration;

use grantor::jose::JwkSet;
use grantor::outbound::{OutboundError, OutboundResponse};
use grantor::resource::{Credentials, Discovery, FetchedKeys, FileKeys, Introspection};
use serde_json::json;

use crate::support::guarded::{API, Api, jwks_json, key, set, token};
use crate::support::scripted::{Behind, Scripted};
use crate::support::{Fixture, ISSUER, SECRET};

const WELL_KNOWN: &str = "https://as.example/.well-known/oauth-authorization-server";
const OPENID: &str = "https://as.example/.well-known/openid-configuration";
const JWKS: &str = "https://as.example/jwks";
const ENDPOINT: &str = "https://as.example/introspect";

fn reply(status: u16, body: impl ToString) -> Result<OutboundResponse, OutboundError> {
    Ok(OutboundResponse::new(status, body.to_string()))
}

/// The cause in the log after a request with this token.
async fn cause(api: &Api, token: &str) -> String {
    assert_ne!(api.outcome(token).await.0, 200);
    let event = api.log.texts().pop().unwrap();
    assert!(!event.contains(token) && !event.contains("s3cret") && !event.contains(SECRET), "{event}");
    event.split_once(" cause=").map(|(_, cause)| cause.trim_matches('"').to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn a_misconfigured_issuer_is_named_with_what_is_wrong() {
    let key = key();
    let metadata = |issuer: &str| json!({ "issuer": issuer, "jwks_uri": JWKS });
    for (document, keys, expected) in [
        (
            reply(200, metadata("https://as.example/")),
            reply(200, ""),
            format!("the metadata at {WELL_KNOWN}: its issuer is 'https://as.example/', expected '{ISSUER}'"),
        ),
        (
            reply(200, metadata("x\n\u{1b}\"y")),
            reply(200, ""),
            format!("the metadata at {WELL_KNOWN}: its issuer is 'x\\n\\u{{1b}}\\\"y', expected '{ISSUER}'"),
        ),
        (
            reply(404, ""),
            reply(200, ""),
            format!("the metadata at {WELL_KNOWN}: status 404; at {OPENID}: status 404"),
        ),
        (reply(500, ""), reply(200, ""), format!("the metadata at {WELL_KNOWN}: status 500")),
        (
            Err(OutboundError::Unreachable),
            reply(200, ""),
            format!("the metadata at {WELL_KNOWN}: the connection failed"),
        ),
        (
            reply(200, "<html>s3cret"),
            reply(200, ""),
            format!("the metadata at {WELL_KNOWN}: it is not a metadata document in JSON with an issuer"),
        ),
        (
            reply(200, json!({ "issuer": ISSUER })),
            reply(200, ""),
            format!("the metadata at {WELL_KNOWN}: no jwks_uri"),
        ),
        (reply(200, metadata(ISSUER)), reply(500, "s3cret"), format!("the keys at {JWKS}: status 500")),
        (
            reply(200, metadata(ISSUER)),
            Err(OutboundError::Timeout),
            format!("the keys at {JWKS}: the response took too long"),
        ),
        (
            reply(200, metadata(ISSUER)),
            reply(200, "<html>s3cret"),
            format!("the keys at {JWKS}: not a JSON Web Key Set"),
        ),
    ] {
        let issuer = Scripted::by(move |url| if url == JWKS { keys.clone() } else { document.clone() });
        let api = Api::with(|builder| builder.issuer(ISSUER, issuer.clone()));
        let expected = expected.replace('\\', "\\\\").replace("\\\\\"", "\\\\\\\"");
        assert_eq!(cause(&api, &token(&key, json!({}))).await, expected);
        let calls = issuer.calls();
        assert_eq!(
            cause(&api, &token(&key, json!({ "jti": "b" }))).await,
            expected,
            "the next one learns it, too"
        );
        assert_eq!(issuer.calls(), calls);
    }
}

#[tokio::test]
async fn keys_that_cannot_be_fetched_again_say_why() {
    let (old, new) = (key(), key());
    let server = Scripted::by(|_| Err(OutboundError::Unreachable));
    server.says(OutboundResponse::new(200, jwks_json(&set([&old]))));
    let api = Api::by(FetchedKeys::new("https://as.example/jwks?k=s3cret", server.clone()));
    assert_eq!(api.outcome(&token(&old, json!({}))).await.0, 200);
    server.says(OutboundResponse::new(403, ""));
    api.clock.advance(Duration::from_secs(30));
    assert_eq!(cause(&api, &token(&new, json!({}))).await, format!("the keys at {JWKS}: status 403"));
    assert_eq!(api.outcome(&token(&old, json!({}))).await.0, 200, "the known key still counts");
}

#[tokio::test]
async fn a_source_of_keys_of_the_host_is_named() {
    let api = Api::by(FileKeys::new("/nowhere/keys.json"));
    let cause = cause(&api, &token(&key(), json!({}))).await;
    assert!(cause.starts_with("the source of keys: ") && cause.contains("os error 2"), "{cause}");
    let path = std::env::temp_dir().join(format!("grantor-causes-{}.jwks", std::process::id()));
    std::fs::write(&path, " ".repeat(JwkSet::MAX_BYTES + 1)).unwrap();
    let api = Api::by(FileKeys::new(&path));
    let cause = self::cause(&api, &token(&key(), json!({}))).await;
    assert!(cause.contains("the key set is too long"), "{cause}");
    let _ = std::fs::remove_file(&path);
}

#[tokio::test]
async fn introspection_says_what_the_server_refused() {
    let answers = [
        (reply(401, "s3cret"), "status 401: it refused the credentials of this API"),
        (reply(403, "s3cret"), "status 403: this API may not introspect tokens there"),
        (reply(404, ""), "status 404"),
        (reply(500, ""), "status 500"),
        (Err(OutboundError::AddressRefused), "requests to this address are not allowed"),
        (reply(200, r#"{"s3cret":1}"#), "it is not an introspection response in JSON (RFC 7662 section 2.2)"),
    ];
    for (answer, flaw) in answers {
        let server = Scripted::by(move |_| answer.clone());
        let asking = Introspection::at(ENDPOINT, server, Credentials::secret("robot", SECRET));
        let api = Api::with(|builder| builder.verifier(asking));
        for _ in 0..2 {
            assert_eq!(cause(&api, "some-token").await, format!("the introspection at {ENDPOINT}: {flaw}"));
        }
    }
    let server = Scripted::saying(&json!({ "issuer": ISSUER }));
    let asking = Introspection::of(Discovery::new(ISSUER, server), Credentials::bearer("s3cret"));
    let api = Api::with(|builder| builder.verifier(asking));
    let expected = format!("the metadata at {WELL_KNOWN}: no introspection_endpoint");
    assert_eq!(cause(&api, "some-token").await, expected);
}

#[tokio::test]
async fn an_unsigned_response_and_a_foreign_one_differ_in_the_log() {
    let server = Scripted::saying(&json!({ "active": true }));
    let asking = Introspection::at(ENDPOINT, server, Credentials::secret("robot", SECRET)).issuer(ISSUER);
    let api = Api::with(|builder| builder.verifier(asking.signed("robot", FileKeys::new("/nowhere"))));
    let expected = format!("the introspection at {ENDPOINT}: it is not a signed response (RFC 9701)");
    assert_eq!(cause(&api, "some-token").await, expected);
}

#[tokio::test]
async fn wrong_credentials_at_a_real_server_are_named() {
    let fixture = Fixture::with(|builder| builder.resource(grantor::Resource::new(API)));
    let server = Discovery::new(ISSUER, Behind(fixture.server.clone()));
    let asking = Introspection::of(server, Credentials::secret("robot", "s3cret"));
    let api = Api::with(|builder| builder.verifier(asking));
    assert!(cause(&api, "some-token").await.ends_with("it refused the credentials of this API"));
}

#[tokio::test]
async fn a_verifier_that_is_too_slow_is_named() {
    struct Never;
    #[grantor::async_trait]
    impl grantor::resource::TokenVerifier for Never {
        async fn verify(
            &self,
            _: &str,
            _: &grantor::ResourceId,
            _: chrono::DateTime<chrono::Utc>,
        ) -> Result<grantor::Access, grantor::error::Refusal> {
            std::future::pending().await
        }
    }
    let api = Api::with(|builder| builder.verifier(Never).deadline(Duration::from_millis(10)));
    assert_eq!(cause(&api, "some-token").await, "a part of the host did not answer in time");
}
