//! Authorization responses that are signed: JARM.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use grantor::jose::Algorithm;
use grantor::keys::JwtSigner;
use grantor::server::ConfigError;
use grantor::{
    AuthorizationServer, Client, EventKind, MemoryRegistry, MemoryStore, Profile, Reason, Registration,
    Request, SignedIn,
};
use serde_json::{Value, json};

use crate::support::moody::Moody;
use crate::support::provider::{client, keys};
use crate::support::registering::{Registering, app_with};
use crate::support::{Answer, CALLBACK, Fixture, ISSUER, TestClock, clients, code_query, encode};

fn more() -> Vec<Client> {
    vec![
        client("es", json!({ "authorization_signed_response_alg": "ES256" })),
        client("pinned", json!({ "response_modes": ["jwt"] })),
        client("placed", json!({ "response_modes": ["form_post.jwt", "query"] })),
    ]
}

/// A server with both grants of RFC 6749 that signs its authorization responses.
fn signing() -> Fixture {
    failing().0
}

fn failing() -> (Fixture, Arc<AtomicBool>) {
    let (moody, fails) = Moody::new(JwtSigner::new(keys()).unwrap());
    let registry = MemoryRegistry::new(clients().into_iter().chain(more()));
    let fixture = Fixture::with(|builder| {
        let builder = builder.clients(registry).profile(Profile::Rfc6749).token_signer(moody);
        builder.sign_authorization_responses()
    });
    (fixture, fails)
}

async fn ask(fixture: &Fixture, client: &str, more: &[(&str, &str)]) -> Answer {
    let mut query = code_query(client, "read");
    query.retain(|(name, _)| more.iter().all(|(own, _)| own != name));
    query.extend(more);
    fixture.approve(&query).await
}

/// The response in a page that posts it.
fn posted(page: &Answer) -> String {
    let html = std::str::from_utf8(&page.0.body).unwrap();
    html.split("name=\"response\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

/// What the only parameter of a redirect says.
async fn said(fixture: &Fixture, answer: &Answer, separator: char) -> Value {
    let (to, parameters) = answer.location().split_once(separator).expect("parameters");
    assert_eq!(to, CALLBACK);
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(parameters).unwrap();
    assert_eq!(pairs.len(), 1, "nothing else is outside: {parameters}");
    assert_eq!(pairs[0].0, "response");
    fixture.opened(&pairs[0].1).await.1
}

#[tokio::test]
async fn jm_01_a_response_is_a_jwt_for_its_client_with_every_parameter_in_it() {
    let fixture = signing();
    let answer = ask(&fixture, "other", &[("response_mode", "jwt")]).await;
    let claims = said(&fixture, &answer, '?').await;
    let names: Vec<&str> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["aud", "code", "exp", "iss", "state"]);
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(ISSUER), &json!("other")));
    assert_eq!(claims["exp"], TestClock::START + 120);
    assert_eq!(claims["state"], "the state");
    let code = claims["code"].as_str().unwrap();
    assert_eq!(fixture.redeem("other", code).await.status(), 200);
}

#[tokio::test]
async fn jm_02_errors_are_signed_too_and_numbers_stay_numbers() {
    let fixture = signing();
    let state = "a \u{e9} & \"b\"";
    let bad =
        ask(&fixture, "other", &[("response_mode", "jwt"), ("scope", "unknown"), ("state", state)]).await;
    let claims = said(&fixture, &bad, '?').await;
    assert_eq!((&claims["error"], &claims["state"]), (&json!("invalid_scope"), &json!(state)));
    assert!(claims["error_description"].is_string());
    let mut query = code_query("other", "read");
    query.push(("response_mode", "jwt"));
    let asked = fixture.server.authorize(&Request::get(encode(&query))).await.unwrap();
    let SignedIn::Consent(consent) = asked.signed_in(fixture.alice()).await else { panic!("a consent") };
    let claims = said(&fixture, &Answer(consent.deny().await), '?').await;
    assert_eq!(claims["error"], "access_denied");
    query.push(("prompt", "none"));
    let asked = fixture.server.authorize(&Request::get(encode(&query))).await.unwrap();
    let grantor::LoginRequired::Answered(answer) = asked.login_required().await else { panic!("no page") };
    assert_eq!(said(&fixture, &Answer(answer), '?').await["error"], "login_required");

    let token = [
        ("response_type", "token"),
        ("response_mode", "jwt"),
        ("code_challenge", ""),
        ("code_challenge_method", ""),
    ];
    let claims = said(&fixture, &ask(&fixture, "legacy", &token).await, '#').await;
    assert_eq!((&claims["expires_in"], &claims["token_type"]), (&json!(600), &json!("Bearer")));
    assert!(fixture.is_live(claims["access_token"].as_str().unwrap()).await);
}

#[tokio::test]
async fn jm_03_the_issuer_is_inside_only() {
    let fixture = signing();
    for scope in ["read", "unknown"] {
        let answer = ask(&fixture, "other", &[("response_mode", "query.jwt"), ("scope", scope)]).await;
        assert_eq!(answer.location_parameter("iss"), None);
        assert_eq!(said(&fixture, &answer, '?').await["iss"], ISSUER);
    }
    let plain = ask(&fixture, "other", &[]).await;
    assert_eq!(plain.location_parameter("iss").as_deref(), Some(ISSUER));
}

#[tokio::test]
async fn jm_04_there_are_three_places_and_the_default_of_the_response_type() {
    let fixture = signing();
    for (mode, separator) in [("jwt", '?'), ("query.jwt", '?'), ("fragment.jwt", '#')] {
        let answer = ask(&fixture, "other", &[("response_mode", mode)]).await;
        assert!(said(&fixture, &answer, separator).await["code"].is_string(), "{mode}");
    }
    let token = |mode| {
        [
            ("response_type", "token"),
            ("response_mode", mode),
            ("code_challenge", ""),
            ("code_challenge_method", ""),
        ]
    };
    for mode in ["jwt", "fragment.jwt"] {
        let answer = ask(&fixture, "legacy", &token(mode)).await;
        assert!(said(&fixture, &answer, '#').await["access_token"].is_string(), "{mode}");
    }
    let page = ask(&fixture, "other", &[("response_mode", "form_post.jwt")]).await;
    let html = String::from_utf8(page.0.body.clone()).unwrap();
    assert_eq!((page.status(), html.matches("type=\"hidden\"").count()), (200, 1));
    assert!(fixture.opened(&posted(&page)).await.1["code"].is_string());
}

#[tokio::test]
async fn jm_05_a_token_never_travels_in_a_query() {
    let fixture = signing();
    let query = [
        ("response_type", "token"),
        ("response_mode", "query.jwt"),
        ("code_challenge", ""),
        ("code_challenge_method", ""),
    ];
    let answer = ask(&fixture, "legacy", &query).await;
    assert!(
        answer.location().starts_with(&format!("{CALLBACK}#error=invalid_request")),
        "{}",
        answer.location()
    );
}

#[tokio::test]
async fn jm_06_it_is_signed_with_the_clients_algorithm_and_rs256_by_default() {
    let fixture = signing();
    for (client, algorithm) in [("other", "RS256"), ("es", "ES256")] {
        let answer = ask(&fixture, client, &[("response_mode", "jwt")]).await;
        let (header, _) = fixture.opened(&answer.location_parameter("response").unwrap()).await;
        assert_eq!(header["alg"], algorithm);
    }
    for bad in ["none", "HS256"] {
        let metadata = json!({ "authorization_signed_response_alg": bad });
        assert!(serde_json::from_value::<grantor::ClientMetadata>(metadata).is_err(), "{bad}");
    }
    let only_ed = |builder: grantor::server::AuthorizationServerBuilder| {
        let signer = grantor::jose::SigningKey::generate(Algorithm::EdDsa).unwrap();
        let keys = grantor::keys::Keys::from_signers(vec![Arc::new(signer) as _]).unwrap();
        builder.token_signer(JwtSigner::new(keys).unwrap()).sign_authorization_responses()
    };
    let other = Fixture::with(only_ed);
    let refused = ask(&other, "other", &[("response_mode", "jwt")]).await;
    assert_eq!(refused.location_parameter("error").as_deref(), Some("invalid_request"), "no key for RS256");
}

#[tokio::test]
async fn jm_07_encryption_is_not_registered() {
    let server = registering();
    for name in ["authorization_encrypted_response_alg", "authorization_encrypted_response_enc"] {
        assert_eq!(server.refusal(json!({ name: "x" })).await, (400, "invalid_client_metadata".to_owned()));
    }
    for bad in [json!("none"), json!("HS256"), json!("RS1"), json!(7)] {
        let refused = server.refusal(json!({ "authorization_signed_response_alg": bad })).await;
        assert_eq!(refused, (400, "invalid_client_metadata".to_owned()));
    }
    let own = server.registered(&app_with(json!({ "authorization_signed_response_alg": "ES256" }))).await;
    assert_eq!(server.get(&own).await.json()["authorization_signed_response_alg"], "ES256");
    let off = Registering::on(Registration::open());
    let refused = off.refusal(json!({ "authorization_signed_response_alg": "ES256" })).await;
    assert_eq!(refused, (400, "invalid_client_metadata".to_owned()), "it could not be had");
}

#[tokio::test]
async fn a_client_that_registers_itself_may_restrict_its_response_modes() {
    let server = registering();
    let own = server.registered(&app_with(json!({ "response_modes": ["jwt", "web_message", "jwt"] }))).await;
    assert_eq!(own.0["response_modes"], json!(["jwt"]), "what the server has, each once");
    assert_eq!(server.get(&own).await.json()["response_modes"], json!(["jwt"]));
    let query = code_query(own.id(), "read");
    let unsigned = server.fixture.approve(&query).await;
    // A page, because a stranger's client gets no redirect without a sign-in; its link has the error.
    let page = String::from_utf8(unsigned.0.body).unwrap();
    assert!(page.contains("?response=") && !page.contains("error="), "nor is the error unsigned: {page}");
    let signed = [&query[..], &[("response_mode", "jwt")]].concat();
    assert!(server.fixture.approve(&signed).await.location_parameter("response").is_some());
    let changed = server.put(&own, &app_with(json!({ "response_modes": ["form_post.jwt"] }))).await;
    assert_eq!(changed.json()["response_modes"], json!(["form_post.jwt"]));
    let open = server.registered(&app_with(json!({ "response_modes": [] }))).await;
    assert_eq!(open.0.get("response_modes"), None);

    for bad in [json!(["web_message"]), json!("jwt"), json!([7])] {
        let refused = server.refusal(json!({ "response_modes": bad })).await;
        assert_eq!(refused, (400, "invalid_client_metadata".to_owned()), "{bad}");
    }
    let off = Registering::on(Registration::open());
    let refused = off.refusal(json!({ "response_modes": ["jwt", "query.jwt"] })).await;
    assert_eq!(refused, (400, "invalid_client_metadata".to_owned()), "it could not be had");
}

fn registering() -> Registering {
    Registering::configured(Registration::open(), |builder| {
        builder.token_signer(JwtSigner::new(keys()).unwrap()).sign_authorization_responses()
    })
}

#[tokio::test]
async fn jm_08_the_metadata_list_modes_and_algorithms_where_it_is_on() {
    let metadata = Answer(signing().server.metadata()).json();
    let signed = ["query.jwt", "fragment.jwt", "form_post.jwt", "jwt"];
    let modes = metadata["response_modes_supported"].as_array().unwrap();
    assert!(signed.iter().all(|mode| modes.contains(&json!(mode))) && modes.contains(&json!("query")));
    let algorithms = metadata["authorization_signing_alg_values_supported"].as_array().unwrap();
    assert!(algorithms.contains(&json!("RS256")) && !algorithms.contains(&json!("none")));
    assert!(metadata.as_object().unwrap().keys().all(|name| !name.contains("encryption")));

    let off = Fixture::new();
    let metadata = Answer(off.server.metadata()).json();
    assert_eq!(metadata["response_modes_supported"], json!(["query", "fragment", "form_post"]));
    assert_eq!(metadata.get("authorization_signing_alg_values_supported"), None);
    for mode in signed {
        let refused = ask(&off, "other", &[("response_mode", mode)]).await;
        assert_eq!(refused.location_parameter("error").as_deref(), Some("invalid_request"), "{mode}");
    }
    let built = AuthorizationServer::builder(ISSUER)
        .clients(MemoryRegistry::default())
        .store(MemoryStore::new())
        .sign_authorization_responses()
        .build();
    assert_eq!(built.unwrap_err().all(), [ConfigError::AnswersUnsigned]);
}

#[tokio::test]
async fn jm_09_a_signer_that_fails_ends_the_code_and_leaves_nothing_unsigned() {
    let (fixture, fails) = failing();
    fails.store(true, Ordering::SeqCst);
    for (client, mode) in [("other", "jwt"), ("other", "form_post.jwt"), ("es", "fragment.jwt")] {
        let page = ask(&fixture, client, &[("response_mode", mode)]).await;
        assert_eq!((page.status(), page.0.header("location")), (503, None));
        assert_eq!(page.0.header("retry-after"), Some("1"));
        assert!(!String::from_utf8_lossy(&page.0.body).contains("gac_"));
        let whats = fixture.log.whats();
        assert!(
            whats.contains(&EventKind::CodeIssued)
                && whats.contains(&EventKind::Failed(Reason::StoreUnavailable))
        );
    }
    let filter = grantor::store::Filter::default();
    let grants = fixture.server.grants(&filter, None, 10).await.unwrap();
    assert_eq!(grants.records.len(), 3);
    assert!(grants.records.iter().all(|record| record.grant().is_ended()), "the codes are dead");
    let error = ask(&fixture, "other", &[("response_mode", "jwt"), ("scope", "unknown")]).await;
    assert_eq!((error.status(), error.0.header("location")), (503, None));
    assert!(ask(&fixture, "other", &[]).await.location_parameter("code").is_some(), "plain answers go on");
    fails.store(false, Ordering::SeqCst);
    let signed = ask(&fixture, "other", &[("response_mode", "jwt")]).await;
    assert!(said(&fixture, &signed, '?').await["code"].is_string());
}

#[tokio::test]
async fn jm_10_a_client_may_be_pinned_to_signed_responses() {
    let fixture = signing();
    let plain = ask(&fixture, "pinned", &[]).await;
    let (_, error) = fixture.opened(&plain.location_parameter("response").expect("a signed error")).await;
    assert_eq!(error["error"], "invalid_request");
    for (client, mode, taken) in [
        ("pinned", "jwt", true),
        ("pinned", "query.jwt", true),
        ("pinned", "fragment.jwt", false),
        ("pinned", "form_post", false),
        ("placed", "form_post.jwt", true),
        ("placed", "jwt", false),
        ("placed", "query", true),
    ] {
        let answer = ask(&fixture, client, &[("response_mode", mode)]).await;
        let response = match answer.0.header("location") {
            Some(_) => answer.location_parameter("response"),
            None => Some(posted(&answer)),
        };
        let refused = match response {
            Some(response) => fixture.opened(&response).await.1.get("error").is_some(),
            None => answer.location_parameter("error").is_some(),
        };
        assert_eq!(refused, !taken, "{client} {mode}");
    }
}
