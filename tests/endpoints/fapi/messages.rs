//! FAPI 2.0 Message Signing: requests, responses and introspection answers, each a switch.

use grantor::client::{MessageSigning, RequestObjects};
use grantor::{Profile, Reason, Request};
use serde_json::{Value, json};

use crate::support::asserting::by_assertion;
use crate::support::banking::{BOTH, Bank, Of, with_metadata};
use crate::support::{Answer, CALLBACK, ISSUER, code_query};

/// These kinds alone.
fn kinds(requests: bool, responses: bool, introspection: bool) -> MessageSigning {
    let mut signed = MessageSigning::default();
    (signed.requests, signed.responses, signed.introspection) = (requests, responses, introspection);
    signed
}

async fn pushed(bank: &Bank, changes: Value) -> Answer {
    bank.push_form(&[("request", &bank.object(changes))]).await
}

#[tokio::test]
async fn fp_21_a_signed_request_is_verified_at_the_push() {
    for of in BOTH {
        let bank = Bank::signing(of, kinds(true, false, false));
        let answer = pushed(&bank, json!({})).await;
        assert_eq!(answer.status(), 201, "{of:?} {}", answer.json());
        let answer = bank.approve(&answer.text("request_uri")).await;
        assert!(answer.location().starts_with(CALLBACK), "{of:?}");
        assert_eq!(bank.redeem(&answer.location_parameter("code").unwrap()).await.status(), 200, "{of:?}");

        let object = bank.object(json!({}));
        let stripped = object.rsplit_once('.').unwrap().0;
        let foreign = crate::support::guarded::forged(
            &bank.server.rivals,
            crate::support::objects::HEADER,
            &crate::support::objects::asking("bank", json!({})).to_string(),
        );
        for bad in [&format!("{stripped}."), &foreign] {
            let answer = bank.push_form(&[("request", bad)]).await;
            assert_eq!(answer.error(), (400, "invalid_request_object".to_owned()), "{of:?}");
        }
    }
}

#[tokio::test]
async fn fp_22_an_object_needs_aud_nbf_and_exp() {
    for of in BOTH {
        let bank = Bank::signing(of, kinds(true, false, false));
        let now = bank.now();
        for (changes, is_taken) in [
            (json!({}), true),
            (json!({ "aud": [ISSUER, "https://other.example"] }), true),
            (json!({ "aud": null }), false),
            (json!({ "aud": "https://other.example" }), false),
            (json!({ "nbf": null }), false),
            (json!({ "exp": null }), false),
            (json!({ "nbf": now + 8 }), true),
            (json!({ "nbf": now + 61 }), false),
            (json!({ "nbf": now - 3599, "exp": now + 1 }), true),
            (json!({ "nbf": now - 3700, "exp": now - 101 }), false),
            (json!({ "nbf": now - 60, "exp": now + 3560 }), false),
            (json!({ "exp": now - 60 }), false),
        ] {
            let answer = pushed(&bank, changes.clone()).await;
            assert_eq!(answer.status() == 201, is_taken, "{of:?} {changes}");
            if !is_taken {
                assert_eq!(answer.error(), (400, "invalid_request_object".to_owned()), "{of:?} {changes}");
            }
        }
    }
}

#[tokio::test]
async fn fp_23_an_unsigned_push_is_refused_where_requests_are_signed() {
    for of in BOTH {
        let bank = Bank::signing(of, kinds(true, false, false));
        assert_eq!(bank.push(&[]).await.error(), (400, "invalid_request".to_owned()), "{of:?}");
        assert_eq!(bank.server.fixture.log.last_reason(), Some(Reason::RequestNotSigned));
        let off = Bank::signing(of, kinds(false, true, false));
        assert_eq!(off.push(&[("response_mode", Some("jwt"))]).await.status(), 201, "{of:?}");
    }
    let metadata = Bank::signing(Of::Server, kinds(true, false, false)).metadata();
    assert_eq!(metadata["require_signed_request_object"], true);
}

#[tokio::test]
async fn fp_24_an_answer_is_signed_or_refused() {
    for of in BOTH {
        let bank = Bank::signing(of, kinds(false, true, false));
        for mode in [None, Some("query"), Some("fragment"), Some("form_post")] {
            let refused = bank.push(&[("response_mode", mode)]).await;
            assert_eq!(refused.error(), (400, "invalid_request".to_owned()), "{of:?} {mode:?}");
            assert_eq!(bank.server.fixture.log.last_reason(), Some(Reason::ResponseModeInvalid));
        }
        let uri = bank.push(&[("response_mode", Some("jwt"))]).await.text("request_uri");
        let answer = bank.approve(&uri).await;
        assert_eq!(answer.location_parameter("code"), None, "nothing is outside");
        let (header, claims) =
            bank.server.fixture.opened(&answer.location_parameter("response").unwrap()).await;
        assert_ne!(header["alg"], "RS256", "{of:?}");
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!(ISSUER), &json!("bank")));
        assert_eq!(bank.redeem(claims["code"].as_str().unwrap()).await.status(), 200, "{of:?}");

        let direct = bank.visit(&code_query("bank", "read")).await;
        let response = direct.location_parameter("response").expect("an error is signed, too");
        assert_eq!(bank.server.fixture.opened(&response).await.1["error"], "invalid_request", "{of:?}");

        let off = Bank::signing(of, kinds(true, false, true));
        assert_eq!(pushed(&off, json!({ "response_mode": "query" })).await.status(), 201, "{of:?}");
    }
    let modes =
        Bank::signing(Of::Server, kinds(false, true, false)).metadata()["response_modes_supported"].clone();
    assert_eq!(modes, json!(["query.jwt", "fragment.jwt", "form_post.jwt", "jwt"]));
}

#[tokio::test]
async fn fp_24_a_client_has_unsigned_response_modes_alone_where_responses_are_not_signed() {
    for of in BOTH {
        let serving = |signed| {
            let unsigned = json!({ "response_modes": ["query"] });
            Bank::signing_for(of, signed, |client| with_metadata(client, &unsigned))
        };
        let off = serving(kinds(true, false, true));
        assert_eq!(pushed(&off, json!({})).await.status(), 201, "{of:?}");
        let on = serving(kinds(true, true, true));
        assert_eq!(pushed(&on, json!({})).await.error(), (400, "unauthorized_client".to_owned()), "{of:?}");
        assert_eq!(on.server.fixture.log.last_reason(), Some(Reason::ClientUnfit), "{of:?}");
    }
}

async fn introspected(bank: &Bank, token: &str, accept: &str) -> Answer {
    let request: Request = by_assertion(&bank.assertion(json!({})), &[("token", token)]);
    Answer(bank.server.fixture.server.introspect(&request.header("accept", accept)).await)
}

#[tokio::test]
async fn fp_25_introspection_answers_are_signed() {
    for of in BOTH {
        let bank = Bank::signing(of, kinds(false, false, true));
        let token = bank.tokens().await.access_token();
        for (accept, token, active) in [
            ("application/json", token.as_str(), true),
            ("*/*", token.as_str(), true),
            ("*/*", "other", false),
        ] {
            let answer = introspected(&bank, token, accept).await;
            assert_eq!(
                answer.0.header("content-type"),
                Some("application/token-introspection+jwt"),
                "{of:?}"
            );
            let (header, claims) =
                bank.server.fixture.opened(std::str::from_utf8(&answer.0.body).unwrap()).await;
            assert_eq!(header["typ"], "token-introspection+jwt");
            assert_ne!(header["alg"], "RS256", "{of:?}");
            assert_eq!(claims["token_introspection"]["active"], active, "{of:?}");
        }
        let off = Bank::signing(of, kinds(false, true, false));
        let plain = introspected(&off, "other", "application/json").await;
        assert_eq!(plain.json(), json!({ "active": false }), "{of:?}");
    }
}

#[tokio::test]
async fn a_server_that_cannot_sign_for_a_client_that_wants_it_gives_no_plain_answer() {
    let bank = Bank::with(
        Of::Client,
        Profile::Fapi2MessageSigning,
        |client| client,
        |builder| builder.request_objects(RequestObjects::accepted()),
    );
    let answer = introspected(&bank, "any", "application/json").await;
    assert_eq!(answer.error(), (500, "server_error".to_owned()));
    let refused = pushed(&bank, json!({ "response_mode": "jwt" })).await;
    assert_eq!(refused.error(), (400, "invalid_request".to_owned()));
    let refused = pushed(&bank, json!({ "response_mode": "query" })).await;
    assert_eq!(refused.error(), (400, "invalid_request".to_owned()));
    assert_eq!(bank.server.fixture.count().await, 0);
}
