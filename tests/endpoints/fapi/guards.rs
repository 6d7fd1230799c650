//! What the guards of a server and its UserInfo endpoint accept under a profile.

use std::sync::Arc;

use grantor::dpop::ProofFlaw;
use grantor::jose::{Algorithm, SigningKey};
use grantor::keys::JwtSigner;
use grantor::resource::Requirement;
use grantor::server::AuthorizationServerBuilder;
use grantor::{MemoryStore, Profile, Reason, Request};
use serde_json::json;

use crate::support::asserting::{Asserting, by_assertion};
use crate::support::banking::{Bank, Of};
use crate::support::guarded::call;
use crate::support::provider::{People, SCOPES, keys};
use crate::support::proving::{Prover, TOKEN, call_with, dpop, hash};
use crate::support::{Answer, Fixture, ISSUER, redemption};

#[tokio::test]
async fn fp_19_userinfo_wants_a_key_and_the_header_alone() {
    let store = Arc::new(MemoryStore::new());
    let (before, strict) = [false, true]
        .map(|is_strict| {
            let configure = move |builder: AuthorizationServerBuilder| {
                let builder = builder.dpop(dpop()).scopes(SCOPES).openid(People::default());
                let builder = builder.token_signer(JwtSigner::new(keys()).unwrap());
                if is_strict { builder.profile(Profile::Fapi2Security) } else { builder }
            };
            Asserting::on(store.clone(), store.clone(), |_| Vec::new(), configure).fixture
        })
        .into();
    let token = before.tokens("pub", "openid").await.access_token();
    let ask = async |fixture: &Fixture, request| Answer(fixture.server.userinfo(&request).await);
    let unbound = || call(&token);
    let in_form = || Request::post_form(format!("access_token={token}"));
    for request in [unbound(), in_form()] {
        assert_eq!(ask(&before, request).await.status(), 200);
    }
    let refused = ask(&strict, unbound()).await;
    assert_eq!((refused.status(), strict.log.last_reason()), (401, Some(Reason::TokenUnbound)));
    let challenge = refused.0.header("www-authenticate").unwrap_or_default();
    assert!(challenge.starts_with("DPoP") && !challenge.contains("Bearer"), "{challenge}");
    assert_eq!(ask(&strict, in_form()).await.status(), 401);
    assert_eq!(strict.log.last_reason(), Some(Reason::TokenMissing));
}

#[tokio::test]
async fn fp_19_a_guard_of_the_server_wants_a_key_and_the_header_alone() {
    let bank = Bank::new(Of::Server);
    let server = bank.server.fixture.server.clone();
    let guard = bank.server.fixture.guard(ISSUER);
    let token = bank.tokens().await.access_token();
    let url = format!("{ISSUER}/v1");
    let proven = || {
        let proof = bank.prover.proof("GET", &url, json!({ "ath": hash(&token) }));
        call_with(&token, &proof).at_path("/v1")
    };
    assert!(guard.check(&proven(), &Requirement::any()).await.is_ok());
    let status = async |request: Request| {
        guard.check(&request, &Requirement::any()).await.map_or_else(|r| r.status, |_| 200)
    };
    assert_eq!(status(call(&token)).await, 401, "a bound token by the scheme Bearer");
    assert_eq!(status(Request::get(format!("access_token={token}"))).await, 401, "in the query");
    assert_eq!(status(Request::post_form(format!("access_token={token}"))).await, 401, "in a form");
    let rs256 = Prover::with(Algorithm::Rs256);
    assert_eq!(status(rs256.call(&token, ISSUER, "/v1")).await, 401);
    assert_eq!(bank.server.fixture.log.last_reason(), Some(ProofFlaw::AlgorithmRefused.into()));
    let challenge = guard.check(&call("x"), &Requirement::any()).await.unwrap_err();
    let challenge = challenge.header("www-authenticate").unwrap_or_default();
    assert!(
        challenge.contains("DPoP") && challenge.contains("algs=\"EdDSA Ed25519 ES256 PS256\""),
        "{challenge}"
    );
    let asked = [("token", token.as_str())];
    let revoked = server.revoke(&by_assertion(&bank.assertion(json!({})), &asked)).await;
    assert_eq!(revoked.status, 200);
    assert_eq!(status(proven()).await, 401, "it is revoked");
}

#[tokio::test]
async fn fp_18_a_guard_judges_a_proof_by_the_profile_of_its_client() {
    let bank = Bank::new(Of::Client);
    let fixture = &bank.server.fixture;
    let guard = fixture.guard(ISSUER);
    let ps256 = Prover::with(Algorithm::Ps256);
    let same = SigningKey::from_pkcs8(Algorithm::Rs256, ps256.key.to_pkcs8().unwrap().reveal()).unwrap();
    let rs256 = Prover { key: same };
    let proof = ps256.proof("POST", TOKEN, json!({ "iat": bank.now() }));
    let strict = bank.token(&redemption(&bank.code().await), Some(&proof)).await.access_token();
    let other = fixture.tokens_by("conf", "read", &rs256).await.access_token();
    for (token, prover, passes) in
        [(&strict, &rs256, false), (&strict, &ps256, true), (&other, &rs256, true), (&other, &ps256, true)]
    {
        let call = || prover.call(token, ISSUER, "/v1");
        assert_eq!(guard.check(&call(), &Requirement::any()).await.is_ok(), passes);
        assert_eq!(fixture.server.protect(&call(), &[]).await.is_ok(), passes);
        if !passes {
            assert_eq!(fixture.log.last_reason(), Some(ProofFlaw::AlgorithmRefused.into()));
        }
    }
}
