//! Introspection answers that are signed: RFC 9701.

use std::sync::Arc;

use grantor::jose::{Signer, SigningKey};
use grantor::keys::{JwtSigner, Keys};
use grantor::server::ConfigError;
use grantor::{
    AccessTokens, Algorithm, AuthorizationServer, EventKind, MemoryRegistry, MemoryStore, Reason,
    Registration, Request, Resource,
};
use serde_json::{Value, json};

use crate::support::asserting::{Asserting, by_assertion};
use crate::support::provider::{Provider, client, keys};
use crate::support::registering::{Registering, app_with};
use crate::support::{Answer, Fixture, ISSUER, TestClock, clients, code_query, request};

const JWT: &str = "application/token-introspection+jwt";
const RS1: &str = "https://rs1.example";

/// A server that signs its answers; `robot` serves one resource, `pinned` another, and wants ES256.
fn signing() -> Fixture {
    let pinned = client("pinned", json!({ "introspection_signed_response_alg": "ES256" }));
    let registry = MemoryRegistry::new(clients().into_iter().chain([pinned]));
    Fixture::with(|builder| {
        builder
            .clients(registry)
            .token_signer(JwtSigner::new(keys()).unwrap())
            .sign_introspection_answers()
            .resource(Resource::new(RS1).scopes(["read"]).introspection_clients(["robot"]))
            .resource(Resource::new("https://rs2.example").introspection_clients(["pinned"]))
    })
}

/// A token of `other` for the first resource.
async fn issued(fixture: &Fixture) -> String {
    let mut query = code_query("other", "read write");
    query.push(("resource", RS1));
    let code = fixture.approve(&query).await.location_parameter("code").unwrap();
    fixture.redeem("other", &code).await.access_token()
}

async fn ask(fixture: &Fixture, client: &str, token: &str, accept: &str) -> Answer {
    let asked = request(client, &[("token", token)]).header("accept", accept);
    Answer(fixture.server.introspect(&asked).await)
}

/// The header and the claims of a signed answer, read with the published keys alone.
async fn opened(fixture: &Fixture, answer: &Answer) -> (Value, Value) {
    assert_eq!((answer.status(), answer.0.header("content-type")), (200, Some(JWT)));
    assert_eq!(answer.0.header("cache-control"), Some("no-store"));
    fixture.opened(std::str::from_utf8(&answer.0.body).unwrap()).await
}

#[tokio::test]
async fn ji_01_an_answer_is_signed_for_who_asks_for_it() {
    let fixture = signing();
    let token = issued(&fixture).await;
    for (accept, signed) in [
        (JWT, true),
        ("Application/Token-Introspection+JWT", true),
        ("application/token-introspection+jwt;q=0.9, application/json;q=0.8", true),
        ("application/token-introspection+jwt, application/json", true),
        ("text/html, application/token-introspection+jwt, */*;q=0.1", true),
        ("application/token-introspection+jwt;q=0.5, application/json", false),
        ("application/token-introspection+jwt;q=0.5, */*", false),
        ("application/token-introspection+jwt;q=0", false),
        ("application/token-introspection+jwt;q=x", false),
        ("application/token-introspection+jwt;q=+1", false),
        ("application/json", false),
        ("*/*", false),
        ("application/*", false),
        ("application/jwt", false),
        ("", false),
    ] {
        let answer = ask(&fixture, "robot", &token, accept).await;
        let expected = if signed { JWT } else { "application/json" };
        assert_eq!((answer.status(), answer.0.header("content-type")), (200, Some(expected)), "{accept}");
    }
    let plain = Answer(fixture.server.introspect(&request("robot", &[("token", &token)])).await);
    assert_eq!(
        (plain.json()["active"].as_bool(), plain.0.header("content-type")),
        (Some(true), Some("application/json"))
    );
    let off = Fixture::new();
    let own = off.tokens("conf", "read").await.access_token();
    assert_eq!(ask(&off, "conf", &own, JWT).await.json()["active"], true, "a server that does not sign");
}

#[tokio::test]
async fn ji_02_its_header_says_what_it_is_and_the_clients_algorithm() {
    let fixture = signing();
    let token = fixture.tokens("other", "read").await.access_token();
    for (client, algorithm) in [("other", "RS256"), ("pinned", "ES256")] {
        let (header, _) = opened(&fixture, &ask(&fixture, client, &token, JWT).await).await;
        assert_eq!((&header["typ"], &header["alg"]), (&json!("token-introspection+jwt"), &json!(algorithm)));
    }
    let bad = json!({ "introspection_signed_response_alg": "none" });
    assert!(serde_json::from_value::<grantor::ClientMetadata>(bad).is_err());
}

#[tokio::test]
async fn ji_03_it_is_for_who_asks_and_has_the_answer_in_one_member() {
    let fixture = signing();
    let token = issued(&fixture).await;
    let plain = ask(&fixture, "robot", &token, "application/json").await.json();
    let (_, claims) = opened(&fixture, &ask(&fixture, "robot", &token, JWT).await).await;
    let expected = json!({
        "iss": ISSUER, "aud": "robot", "iat": TestClock::START, "token_introspection": plain,
    });
    assert_eq!(claims, expected);
    assert_eq!(plain["active"], true);
}

#[tokio::test]
async fn ji_04_of_what_is_not_active_it_says_nothing_more() {
    let fixture = signing();
    let token = issued(&fixture).await;
    for (client, token) in [("pinned", token.as_str()), ("robot", "gat_x"), ("robot", "a.b.c")] {
        let (_, claims) = opened(&fixture, &ask(&fixture, client, token, JWT).await).await;
        assert_eq!(claims["token_introspection"], json!({ "active": false }), "{client} {token}");
        assert_eq!(claims.as_object().unwrap().len(), 4);
    }
}

#[tokio::test]
async fn ji_05_a_resource_server_sees_its_own_tokens_and_what_they_mean_there() {
    let fixture = signing();
    let token = issued(&fixture).await;
    let (_, own) = opened(&fixture, &ask(&fixture, "robot", &token, JWT).await).await;
    assert_eq!(own["token_introspection"]["scope"], "read", "the part that means something there");
    let (_, other) = opened(&fixture, &ask(&fixture, "pinned", &token, JWT).await).await;
    assert_eq!(other["token_introspection"], json!({ "active": false }));
    let unproven = Request::post_form(format!("token={token}&client_id=robot")).header("accept", JWT);
    assert_eq!(
        Answer(fixture.server.introspect(&unproven).await).error(),
        (401, "invalid_client".to_owned())
    );
}

#[tokio::test]
async fn ji_06_a_client_that_registered_an_algorithm_never_gets_an_unsigned_answer() {
    let fixture = signing();
    let token = fixture.tokens("pinned", "read").await.access_token();
    for accept in ["application/json", "*/*", "text/html", ""] {
        let (_, claims) = opened(&fixture, &ask(&fixture, "pinned", &token, accept).await).await;
        assert_eq!(claims["token_introspection"]["active"], true, "{accept}");
    }
}

#[tokio::test]
async fn ji_06_a_server_that_does_not_sign_gives_such_a_client_an_error() {
    let pinned = client("pinned", json!({ "introspection_signed_response_alg": "ES256" }));
    let registry = MemoryRegistry::new(clients().into_iter().chain([pinned]));
    let fixture = Fixture::with(|builder| builder.clients(registry));
    let live = fixture.tokens("pinned", "read").await.access_token();
    for (token, accept) in [(live.as_str(), "application/json"), ("gat_x", JWT)] {
        let answer = ask(&fixture, "pinned", token, accept).await;
        assert_eq!(answer.error(), (500, "server_error".to_owned()), "{accept}");
        assert_eq!(fixture.log.whats().pop(), Some(EventKind::Failed(Reason::NotConfigured)), "{accept}");
    }
}

#[tokio::test]
async fn ji_06_a_client_whose_algorithm_has_no_key_gets_an_error_that_blames_no_other_part() {
    let pinned = client("pinned", json!({ "introspection_signed_response_alg": "ES256" }));
    let registry = MemoryRegistry::new(clients().into_iter().chain([pinned]));
    let key: Arc<dyn Signer> = Arc::new(SigningKey::generate(Algorithm::EdDsa).unwrap());
    let signer = JwtSigner::new(Keys::from_signers(vec![key]).unwrap()).unwrap();
    let fixture =
        Fixture::with(|builder| builder.clients(registry).token_signer(signer).sign_introspection_answers());
    let live = fixture.tokens("pinned", "read").await.access_token();
    let answer = ask(&fixture, "pinned", &live, JWT).await;
    assert_eq!(answer.error(), (500, "server_error".to_owned()));
    assert_eq!(fixture.log.whats().pop(), Some(EventKind::Failed(Reason::IdTokenAlgorithm)));
}

#[tokio::test]
async fn ji_07_an_answer_is_no_token_of_another_kind() {
    let provider = Provider::with(Vec::new(), |builder| builder.sign_introspection_answers());
    let fixture = &provider.fixture;
    let token = provider.tokens("other", "openid", &[]).await.access_token();
    let answer = ask(fixture, "other", &token, JWT).await;
    let text = String::from_utf8(answer.0.body.clone()).unwrap();
    assert_eq!(text.split('.').count(), 3);
    assert!(!fixture.is_live(&text).await);
    assert_eq!(provider.userinfo(&text).await.status(), 401);
    assert_eq!(fixture.introspect("other", &text).await.json(), json!({ "active": false }));
    for grant in ["authorization_code", "refresh_token"] {
        let form = [("grant_type", grant), ("code", text.as_str()), ("refresh_token", text.as_str())];
        assert_eq!(fixture.token("other", &form).await.error().1, "invalid_grant", "{grant}");
    }
    let asserting = Asserting::new();
    let form = by_assertion(&text, &[("grant_type", "client_credentials"), ("client_id", "pkj")]);
    let refused = Answer(asserting.fixture.server.token(&form).await);
    assert_eq!(refused.error(), (401, "invalid_client".to_owned()));
}

#[tokio::test]
async fn ji_08_encryption_is_not_registered() {
    let server = Registering::configured(Registration::open(), |builder| {
        builder.token_signer(JwtSigner::new(keys()).unwrap()).sign_introspection_answers()
    });
    for name in ["introspection_encrypted_response_alg", "introspection_encrypted_response_enc"] {
        assert_eq!(server.refusal(json!({ name: "x" })).await, (400, "invalid_client_metadata".to_owned()));
    }
    for bad in [json!("none"), json!("HS256"), json!([])] {
        let refused = server.refusal(json!({ "introspection_signed_response_alg": bad })).await;
        assert_eq!(refused, (400, "invalid_client_metadata".to_owned()));
    }
    let own = server.registered(&app_with(json!({ "introspection_signed_response_alg": "PS256" }))).await;
    assert_eq!(server.get(&own).await.json()["introspection_signed_response_alg"], "PS256");
}

#[tokio::test]
async fn ji_09_the_metadata_list_the_algorithms_where_it_is_on() {
    let metadata = Answer(signing().server.metadata()).json();
    let algorithms = metadata["introspection_signing_alg_values_supported"].as_array().unwrap();
    assert!(algorithms.contains(&json!("RS256")) && !algorithms.contains(&json!("none")));
    let signs = Fixture::with(|builder| {
        builder.token_signer(JwtSigner::new(keys()).unwrap()).access_tokens(AccessTokens::Jwt)
    });
    assert_eq!(
        Answer(signs.server.metadata()).json().get("introspection_signing_alg_values_supported"),
        None
    );
    let built = AuthorizationServer::builder(ISSUER)
        .clients(MemoryRegistry::default())
        .store(MemoryStore::new())
        .sign_introspection_answers()
        .build();
    assert_eq!(built.unwrap_err().all(), [ConfigError::AnswersUnsigned]);
}
