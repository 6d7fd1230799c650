//! Every kind of JWT that a client or the server signs, at every place that takes one: it counts at its own
//! alone (RFC 8725 section 3.11).

use grantor::client::RequestObjects;
use grantor::keys::JwtSigner;
use grantor::{AccessTokens, Profile};
use serde_json::json;

use crate::support::asserting::by_assertion;
use crate::support::banking::{BOTH, Bank, Of, with_metadata};
use crate::support::provider::{People, keys};
use crate::support::proving::{call_with, hash};
use crate::support::{Answer, ISSUER, redemption};

/// A server that signs all that it can, and so does its client.
fn bank(of: Of) -> Bank {
    Bank::with(
        of,
        Profile::Fapi2Security,
        |client| {
            let metadata = json!({
                "authorization_signed_response_alg": "ES256", "introspection_signed_response_alg": "ES256",
                "id_token_signed_response_alg": "ES256",
            });
            with_metadata(client, &metadata)
        },
        |builder| {
            let builder =
                builder.token_signer(JwtSigner::new(keys()).unwrap()).access_tokens(AccessTokens::Jwt);
            let builder = builder.request_objects(RequestObjects::accepted()).openid(People::default());
            builder.sign_authorization_responses().sign_introspection_answers()
        },
    )
}

/// A fresh one of each kind, with its name.
async fn tokens(bank: &Bank) -> Vec<(&'static str, String)> {
    let asked = [("scope", Some("openid read")), ("response_mode", Some("jwt"))];
    let uri = bank.push(&asked).await.text("request_uri");
    let response = bank.approve(&uri).await.location_parameter("response").expect("a signed response");
    let uri = bank.push(&asked[..1]).await.text("request_uri");
    let code = bank.approve(&uri).await.location_parameter("code").expect("a code");
    let issued = bank.token(&redemption(&code), Some(&bank.proof())).await;
    assert_eq!(issued.status(), 200, "{}", issued.json());
    let token = issued.access_token();
    let request = by_assertion(&bank.assertion(json!({})), &[("token", &token)]);
    let answer = bank.server.fixture.server.introspect(&request).await;
    vec![
        ("assertion", bank.assertion(json!({}))),
        ("object", bank.object(json!({}))),
        ("proof", bank.proof()),
        ("access token", token),
        ("id_token", issued.text("id_token")),
        ("response", response),
        ("introspection answer", String::from_utf8(answer.body).unwrap()),
    ]
}

const PLACES: [&str; 5] = ["assertion", "object", "proof", "access token", "id_token"];

/// Whether this text counts at the place of this kind; if not, the refusal is that of the place.
async fn counts(bank: &Bank, place: &str, text: &str) -> bool {
    let server = &bank.server.fixture.server;
    let credentials = [("grant_type", "client_credentials"), ("client_id", "bank")];
    match place {
        "assertion" => {
            let request = by_assertion(text, &credentials).header("dpop", bank.proof());
            let answer = Answer(server.token(&request).await);
            assert!(answer.status() == 200 || answer.error() == (401, "invalid_client".to_owned()));
            answer.status() == 200
        }
        "object" => {
            let answer = bank.push_form(&[("request", text)]).await;
            assert!(answer.status() == 201 || answer.error() == (400, "invalid_request_object".to_owned()));
            answer.status() == 201
        }
        "proof" => {
            let answer = bank.token(&credentials, Some(text)).await;
            assert!(answer.status() == 200 || answer.error() == (400, "invalid_dpop_proof".to_owned()));
            answer.status() == 200
        }
        "access token" => {
            let url = format!("{ISSUER}/me");
            let proof = bank.prover.proof("GET", &url, json!({ "ath": hash(text) }));
            let passed = server.protect(&call_with(text, &proof).at_path("/me"), &[]).await;
            assert!(passed.is_ok() || passed.as_ref().is_err_and(|answer| answer.status == 401));
            passed.is_ok()
        }
        _ => {
            let asked = [("scope", Some("openid read")), ("id_token_hint", Some(text))];
            let pushed = bank.push(&asked).await;
            if pushed.status() != 201 {
                assert_eq!(pushed.error(), (400, "invalid_request".to_owned()));
                return false;
            }
            bank.approve(&pushed.text("request_uri")).await.location_parameter("code").is_some()
        }
    }
}

#[tokio::test]
async fn each_kind_of_jwt_counts_at_its_own_place_alone() {
    for of in BOTH {
        let bank = bank(of);
        for (kind, text) in tokens(&bank).await {
            assert_eq!(text.split('.').count(), 3, "{of:?}: {kind}: {text}");
            for place in PLACES {
                assert_eq!(counts(&bank, place, &text).await, kind == place, "{of:?}: {kind} as {place}");
            }
        }
    }
}
