//! Proofs that are wrong in every way, at each of the four places that take one.

use grantor::http::Method;
use grantor::resource::Requirement;
use grantor::{MemoryStore, Reason, Request, Resource};
use serde_json::json;

use crate::support::guarded::API;
use crate::support::provider::Provider;
use crate::support::proving::{PAR, Prover, TOKEN, bad_proofs, call_with, configured, dpop, fixture, hash};
use crate::support::{Answer, code_query, encode, redemption, request};

/// A request with these `DPoP` fields.
fn with_fields(request: Request, fields: &[String]) -> Request {
    fields.iter().fold(request, |request, field| request.header("dpop", field.as_str()))
}

#[tokio::test]
async fn dp_01_no_bad_proof_counts_at_the_token_endpoint_and_none_spends_the_code() {
    let (fixture, prover) = (fixture(), Prover::new());
    let code = fixture.code("conf", "read").await;
    let bad = bad_proofs(&prover, "POST", TOKEN, None);
    assert!(bad.len() >= 30);
    for (what, fields, flaw) in bad {
        let asked = with_fields(request("conf", &redemption(&code)), &fields);
        let answer = Answer(fixture.server.token(&asked).await);
        assert_eq!(answer.error(), (400, "invalid_dpop_proof".to_owned()), "{what}");
        assert_eq!(answer.0.header("cache-control"), Some("no-store"), "{what}");
        assert_eq!(fixture.log.last_reason(), Some(Reason::Proof(flaw)), "{what}");
    }
    let answer = fixture.token_by("conf", &redemption(&code), &prover.for_token()).await;
    assert_eq!((answer.status(), answer.text("token_type").as_str()), (200, "DPoP"));
}

#[tokio::test]
async fn dp_01_no_bad_proof_counts_where_requests_are_pushed_and_nothing_is_stored() {
    let (fixture, prover) = (fixture(), Prover::new());
    let form = code_query("conf", "read");
    for (what, fields, flaw) in bad_proofs(&prover, "POST", PAR, None) {
        let asked = with_fields(request("conf", &form), &fields);
        let answer = Answer(fixture.server.pushed_authorization_request(&asked).await);
        assert_eq!(answer.error(), (400, "invalid_dpop_proof".to_owned()), "{what}");
        assert_eq!(fixture.log.last_reason(), Some(Reason::Proof(flaw)), "{what}");
    }
    assert_eq!(fixture.count().await, 0);
    assert_eq!(fixture.push_by("conf", &form, &prover.proof("POST", PAR, json!({}))).await.status(), 201);
}

#[tokio::test]
async fn dp_01_no_bad_proof_counts_at_a_guard() {
    let prover = Prover::new();
    let fixture = configured(|builder| builder.resource(Resource::new(API)));
    let guard = fixture.guard(API);
    let token = fixture.tokens_by("pub", "read", &prover).await.access_token();
    for (what, fields, flaw) in bad_proofs(&prover, "GET", API, Some(&token)) {
        let asked = Request::get("").header("authorization", format!("DPoP {token}")).at_path("/v1");
        let answer = guard.check(&with_fields(asked, &fields), &Requirement::any()).await.unwrap_err();
        let challenge = answer.header("www-authenticate").unwrap().to_owned();
        assert_eq!(Answer(answer).error(), (401, "invalid_dpop_proof".to_owned()), "{what}");
        assert!(challenge.starts_with("DPoP realm=\"api\", algs=\""), "{challenge}");
        assert!(challenge.contains("error=\"invalid_dpop_proof\""), "{challenge}");
        assert_eq!(fixture.log.last_reason(), Some(Reason::Proof(flaw)), "{what}");
    }
    assert!(
        guard.check(&prover.call(&token, "https://api.example", "/v1"), &Requirement::any()).await.is_ok()
    );
}

#[tokio::test]
async fn dp_01_no_bad_proof_counts_at_userinfo() {
    const USERINFO: &str = "https://as.example/userinfo";
    let prover = Prover::new();
    let provider =
        Provider::with(Vec::new(), |builder| builder.replay_guard(MemoryStore::new()).dpop(dpop()));
    let fixture = &provider.fixture;
    let code = provider.code("other", "openid email", &[]).await;
    let token = fixture.token_by("other", &redemption(&code), &prover.for_token()).await.access_token();
    for method in [Method::Get, Method::Post] {
        for (what, fields, flaw) in bad_proofs(&prover, method.as_str(), USERINFO, Some(&token)) {
            let asked = Request::new(method).header("authorization", format!("DPoP {token}"));
            let answer = Answer(fixture.server.userinfo(&with_fields(asked, &fields)).await);
            assert_eq!(answer.error(), (401, "invalid_dpop_proof".to_owned()), "{what}");
            assert_eq!(fixture.log.last_reason(), Some(Reason::Proof(flaw)), "{what}");
        }
    }
    let good = prover.proof("GET", USERINFO, json!({ "ath": hash(&token) }));
    let answer = Answer(fixture.server.userinfo(&call_with(&token, &good)).await);
    assert_eq!((answer.status(), &answer.json()["email"]), (200, &json!("alice@example.com")));
    let bearer = provider.userinfo(&token).await;
    assert_eq!(bearer.error(), (401, "invalid_token".to_owned()));
    let form = Request::post_form(encode(&[("access_token", &token)]));
    assert_eq!(Answer(fixture.server.userinfo(&form).await).error(), (401, "invalid_token".to_owned()));
}
