//! Authorization requests under a profile: pushed by a client that proves who it is, with everything that
//! counts in them.

use grantor::client::RequestObjects;
use grantor::{Profile, Reason, Request};
use serde_json::json;

use crate::support::asserting::by_assertion;
use crate::support::banking::{BOTH, Bank};
use crate::support::guarded::forged;
use crate::support::http::{bare, send};
use crate::support::{Answer, CALLBACK, ISSUER, code_query, encode};

fn refused() -> (u16, String) {
    (400, "invalid_request".to_owned())
}

#[tokio::test]
async fn fp_02_a_code_is_the_only_answer() {
    for of in BOTH {
        let bank = Bank::new(of);
        for (asked, error) in [
            ("token", ["unsupported_response_type", "unauthorized_client"]),
            ("code id_token", ["unsupported_response_type", "unauthorized_client"]),
            ("code token", ["unsupported_response_type", "unauthorized_client"]),
        ] {
            let answer = bank.push(&[("response_type", Some(asked))]).await;
            assert!(
                answer.status() == 400 && error.contains(&answer.text("error").as_str()),
                "{of:?} {asked}"
            );
        }
        let password = [("grant_type", "password"), ("username", "alice"), ("password", "wonderland")];
        let answer = bank.token(&password, Some(&bank.proof())).await;
        assert_eq!(answer.error(), (400, "unsupported_grant_type".to_owned()), "{of:?}");
    }
    let listed = Bank::new(BOTH[0]).metadata();
    assert_eq!(listed["response_types_supported"], json!(["code"]));
    let grants = listed["grant_types_supported"].to_string();
    assert!(!grants.contains("password") && !grants.contains("implicit"), "{grants}");
}

#[tokio::test]
async fn az_26_a_request_is_pushed_by_its_client_with_s256_and_its_redirect_uri() {
    for of in BOTH {
        let bank = Bank::new(of);
        assert_eq!(bank.push(&[]).await.status(), 201);
        for lacking in ["code_challenge", "redirect_uri"] {
            assert_eq!(bank.push(&[(lacking, None)]).await.error(), refused(), "{of:?} {lacking}");
        }
        let direct = bank.visit(&code_query("bank", "read")).await;
        assert_eq!(direct.location_parameter("error").as_deref(), Some("invalid_request"), "{of:?}");
        let unproven = Request::post_form(encode(&code_query("bank", "read")));
        assert_eq!(bank.push_request(unproven).await.error(), (401, "invalid_client".to_owned()), "{of:?}");
    }
}

#[tokio::test]
async fn fp_11_a_request_that_was_not_pushed_gets_no_code() {
    for of in BOTH {
        let bank = Bank::with(
            of,
            Profile::Fapi2Security,
            |c| c,
            |builder| builder.request_objects(RequestObjects::accepted()),
        );
        let object = bank.object(json!({}));
        for query in [code_query("bank", "read"), vec![("client_id", "bank"), ("request", object.as_str())]] {
            let answer = bank.visit(&query).await;
            assert_eq!(answer.location_parameter("error").as_deref(), Some("invalid_request"), "{of:?}");
            assert_eq!(answer.location_parameter("code"), None);
            assert_eq!(bank.server.fixture.log.last_reason(), Some(Reason::RequestNotPushed), "{of:?}");
        }
        let unproven = Request::post_form(encode(&code_query("bank", "read")));
        assert_eq!(bank.push_request(unproven).await.status(), 401);
        let stranger =
            forged(&bank.server.rivals, r#"{"alg":"ES256"}"#, &json!({ "sub": "bank" }).to_string());
        let answer = bank.push_request(by_assertion(&stranger, &code_query("bank", "read"))).await;
        assert_eq!(answer.error(), (401, "invalid_client".to_owned()), "{of:?}");
        let code = bank.code().await;
        assert_eq!(bank.redeem(&code).await.status(), 200, "{of:?}");
    }
    assert_eq!(Bank::new(BOTH[0]).metadata()["require_pushed_authorization_requests"], true);
    assert_eq!(Bank::new(BOTH[1]).metadata().get("require_pushed_authorization_requests"), None);
}

#[tokio::test]
async fn fp_12_a_push_has_a_challenge_of_s256() {
    for of in BOTH {
        let bank = Bank::new(of);
        let none = bank.push(&[("code_challenge", None), ("code_challenge_method", None)]).await;
        assert_eq!(none.error(), refused(), "{of:?}");
        assert_eq!(bank.push(&[("code_challenge_method", Some("plain"))]).await.error(), refused(), "{of:?}");
        assert_eq!(bank.push(&[("code_challenge_method", None)]).await.error(), refused(), "{of:?}");
        assert_eq!(bank.server.fixture.count().await, 0);
    }
}

#[tokio::test]
async fn fp_13_a_push_names_its_redirect_uri_even_where_one_alone_is_registered() {
    for of in BOTH {
        let bank = Bank::new(of);
        let unnamed = bank.push(&[("redirect_uri", None)]).await;
        assert_eq!(unnamed.error(), refused(), "{of:?}");
        assert_eq!(unnamed.text("error_description"), "redirect_uri is required", "{of:?}");
        assert_eq!(bank.server.fixture.log.last_reason(), Some(Reason::RedirectUriMissing));
        assert_eq!(bank.push(&[("redirect_uri", Some(CALLBACK))]).await.status(), 201, "{of:?}");
    }
}

#[tokio::test]
async fn fp_14_every_answer_names_the_issuer() {
    for of in BOTH {
        let bank = Bank::new(of);
        let uri = bank.push(&[]).await.text("request_uri");
        assert_eq!(bank.approve(&uri).await.location_parameter("iss").as_deref(), Some(ISSUER), "{of:?}");
        let direct = bank.visit(&code_query("bank", "read")).await;
        assert_eq!(direct.location_parameter("iss").as_deref(), Some(ISSUER), "{of:?}");
        assert_eq!(bank.metadata()["authorization_response_iss_parameter_supported"], true);
    }
}

#[tokio::test]
async fn fp_17_a_long_nonce_is_taken() {
    for of in BOTH {
        let bank = Bank::new(of);
        for length in [64, 65, 512] {
            assert_eq!(
                bank.push(&[("nonce", Some(&"n".repeat(length)))]).await.status(),
                201,
                "{of:?} {length}"
            );
        }
    }
}

#[tokio::test]
async fn fp_20_no_other_origin_reads_at_the_authorization_endpoint_and_a_redirect_is_a_303() {
    let bank = Bank::new(BOTH[0]);
    assert!(!grantor::Endpoint::Authorization.is_shared_with_any_origin());
    let uri = bank.push(&[]).await.text("request_uri");
    let answer: Answer = bank.approve(&uri).await;
    assert_eq!((answer.status(), answer.0.header("access-control-allow-origin")), (303, None));
    let preflight = send(&bank.server.fixture.server, bare("OPTIONS", "/authorize")).await;
    assert_eq!(preflight.header("access-control-allow-origin"), None);
    assert!(include_str!("../../../src/manual/fapi.md").contains("Strict-Transport-Security"));
}
