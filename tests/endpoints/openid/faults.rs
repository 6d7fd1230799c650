//! Users that cannot be asked and a signer that cannot sign, at each call: nothing is lost, and no answer is
//! half of one.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use grantor::keys::JwtSigner;
use grantor::openid::{ClaimsAsked, ClaimsSource};
use grantor::server::AuthorizationServerBuilder;
use grantor::signing::Claims;
use grantor::store::Filter;
use grantor::{
    AccessTokens, Algorithm, BackendError, Policy, Profile, ResponseType, TokenSigner, Unsigned, async_trait,
};
use serde_json::{Map, Value, json};

use crate::support::Answer;
use crate::support::hybrid::{NONCE, hybrid};
use crate::support::provider::{Provider, client, keys};

/// How a call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Transient,
    Permanent,
    Hang,
}

const FAULTS: [(Fault, u16); 3] = [(Fault::Transient, 503), (Fault::Permanent, 500), (Fault::Hang, 503)];

/// Which of the next calls goes wrong, and how: once.
#[derive(Clone, Default)]
struct Plan(Arc<Mutex<Option<(usize, Fault)>>>);

impl Plan {
    fn arm(&self, call: usize, fault: Fault) {
        *self.0.lock().unwrap() = Some((call, fault));
    }

    async fn call(&self) -> Result<(), BackendError> {
        let fault = {
            let mut plan = self.0.lock().unwrap();
            match plan.take() {
                Some((0, fault)) => Some(fault),
                Some((left, fault)) => {
                    *plan = Some((left - 1, fault));
                    None
                }
                None => None,
            }
        };
        match fault {
            None => Ok(()),
            Some(Fault::Transient) => Err(BackendError::transient("not now")),
            Some(Fault::Permanent) => Err(BackendError::permanent("never")),
            Some(Fault::Hang) => pending().await,
        }
    }
}

struct Users(Plan);

#[async_trait]
impl ClaimsSource for Users {
    async fn claims(&self, _: &ClaimsAsked<'_>) -> Result<Map<String, Value>, BackendError> {
        self.0.call().await?;
        Ok(Map::from_iter([("email".to_owned(), json!("alice@example.com"))]))
    }
}

struct Signs(JwtSigner, Plan);

#[async_trait]
impl TokenSigner for Signs {
    async fn sign(&self, what: &Unsigned, now: DateTime<Utc>) -> Result<String, BackendError> {
        self.1.call().await?;
        self.0.sign(what, now).await
    }

    async fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Option<Claims>, BackendError> {
        self.0.verify(token, now).await
    }

    fn algorithms(&self) -> Vec<Algorithm> {
        self.0.algorithms()
    }

    async fn jwks(&self, now: DateTime<Utc>) -> Result<Vec<u8>, BackendError> {
        self.0.jwks(now).await
    }
}

fn policy() -> Policy {
    let mut policy = Policy::default();
    policy.store_deadline = Duration::from_secs(1);
    policy
}

fn assert_refused(answer: &Answer, status: u16, what: &str) {
    assert_eq!(answer.status(), status, "{what}");
    assert_eq!(answer.0.header("retry-after").is_some(), status == 503, "{what}");
    for token in ["access_token", "id_token", "refresh_token", "sub"] {
        assert_eq!(answer.json().get(token), None, "{what}");
    }
}

#[tokio::test]
async fn users_that_fail_or_hang_at_any_call_lose_nothing() {
    let plan = Plan::default();
    let all = client("all", json!({ "id_token_claims_from_scope": true, "rotate_refresh_tokens": true }));
    let provider = Provider::with(vec![all], |builder| builder.policy(policy()).openid(Users(plan.clone())));
    for (fault, status) in FAULTS {
        let code = provider.code("all", "openid email", &[]).await;
        plan.arm(0, fault);
        assert_refused(&provider.fixture.redeem("all", &code).await, status, &format!("{fault:?}: a code"));
        let tokens = provider.fixture.redeem("all", &code).await;
        assert_eq!(provider.id_token(&tokens).await["email"], "alice@example.com", "{fault:?}");

        plan.arm(0, fault);
        let refused = provider.fixture.refresh("all", &tokens.refresh_token()).await;
        assert_refused(&refused, status, &format!("{fault:?}: a refresh"));
        let tokens = provider.fixture.refresh("all", &tokens.refresh_token()).await;
        assert_eq!(tokens.status(), 200, "{fault:?}");

        plan.arm(0, fault);
        let refused = provider.userinfo(&tokens.access_token()).await;
        assert_refused(&refused, status, &format!("{fault:?}: UserInfo"));
        assert_eq!(provider.userinfo(&tokens.access_token()).await.json()["email"], "alice@example.com");
    }
}

#[tokio::test]
async fn accounts_that_cannot_be_looked_up_give_no_claims_and_no_tokens() {
    use crate::support::faulty::{Fault, Faulty, Plan};
    let plan = Plan::default();
    let provider = Provider::with(vec![client("app", json!({}))], |builder| {
        builder.policy(policy()).resource_owner(Faulty::new(crate::support::Users::default(), &plan))
    });
    for (fault, status) in [(Fault::Transient, 503), (Fault::Permanent, 500), (Fault::Hang, 503)] {
        let code = provider.code("app", "openid email", &[]).await;
        plan.arm(0, fault);
        assert_refused(&provider.fixture.redeem("app", &code).await, status, &format!("{fault:?}: a code"));
        assert!(plan.recover());
        let tokens = provider.fixture.redeem("app", &code).await;
        plan.arm(0, fault);
        let refused = provider.userinfo(&tokens.access_token()).await;
        assert_refused(&refused, status, &format!("{fault:?}: UserInfo"));
        assert!(plan.recover());
        assert_eq!(provider.userinfo(&tokens.access_token()).await.json()["email"], "alice@example.com");
    }
}

#[tokio::test]
async fn a_signer_that_fails_at_any_signature_loses_nothing() {
    let plan = Plan::default();
    let rotating = json!({ "rotate_refresh_tokens": true, "userinfo_signed_response_alg": "RS256" });
    let provider = Provider::with(vec![client("app", rotating)], |builder| {
        let signer = Signs(JwtSigner::new(keys()).unwrap(), plan.clone());
        builder.policy(policy()).access_tokens(AccessTokens::Jwt).token_signer(signer)
    });
    for (fault, status) in FAULTS {
        // The access token, then the id_token.
        for call in 0..2 {
            let what = format!("{fault:?} at signature {call}");
            let code = provider.code("app", "openid", &[]).await;
            plan.arm(call, fault);
            assert_refused(&provider.fixture.redeem("app", &code).await, status, &what);
            let tokens = provider.fixture.redeem("app", &code).await;
            assert_eq!(provider.id_token(&tokens).await["sub"], "alice", "{what}");

            plan.arm(call, fault);
            assert_refused(&provider.fixture.refresh("app", &tokens.refresh_token()).await, status, &what);
            let renewed = provider.fixture.refresh("app", &tokens.refresh_token()).await;
            assert_eq!(provider.id_token(&renewed).await["sub"], "alice", "{what}");
        }
        let tokens = provider.tokens("app", "openid", &[]).await;
        plan.arm(0, fault);
        let refused = provider.userinfo(&tokens.access_token()).await;
        assert_eq!(refused.status(), status, "{fault:?}: a signed UserInfo answer");
        assert_eq!(provider.userinfo(&tokens.access_token()).await.status(), 200);
    }
}

/// The profile that has all response types, and signed authorization responses.
fn by_browser(
    plan: &Plan,
    configure: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
) -> Provider {
    let app = hybrid("app", json!({ "id_token_claims_from_scope": true }));
    Provider::with(vec![app], |builder| {
        let signer = Signs(JwtSigner::new(keys()).unwrap(), plan.clone());
        let builder = builder.profile(Profile::Rfc6749).policy(policy()).token_signer(signer);
        configure(builder.access_tokens(AccessTokens::Jwt).sign_authorization_responses())
    })
}

async fn asks(provider: &Provider, response_type: &str) -> Answer {
    provider.answer("app", response_type, "openid email", &[NONCE, ("response_mode", "jwt")]).await
}

/// A page that says nothing but that it failed.
fn assert_page(answer: &Answer, status: u16, what: &str) {
    assert_eq!((answer.status(), answer.0.header("location")), (status, None), "{what}");
    assert_eq!(answer.0.header("retry-after").is_some(), status == 503, "{what}");
    let html = String::from_utf8_lossy(&answer.0.body);
    assert!(!html.contains("eyJ") && !html.contains("gac_") && !html.contains("gat_"), "{what}: {html}");
}

#[tokio::test]
async fn users_that_fail_or_hang_leave_no_grant_of_an_answer_by_the_browser() {
    let (users, signer) = (Plan::default(), Plan::default());
    let provider = by_browser(&signer, |builder| builder.openid(Users(users.clone())));
    for (fault, status) in FAULTS {
        for response_type in ResponseType::ALL.iter().filter(|known| known.has_id_token()) {
            let what = format!("{fault:?}: {response_type}");
            let before = provider.fixture.count().await;
            users.arm(0, fault);
            assert_page(&asks(&provider, response_type.as_str()).await, status, &what);
            assert_eq!(provider.fixture.count().await, before, "{what}");
            let again = asks(&provider, response_type.as_str()).await;
            assert!(again.location_parameter("response").is_some(), "{what}");
        }
    }
}

#[tokio::test]
async fn accounts_that_cannot_be_looked_up_leave_no_grant_of_an_answer_by_the_browser() {
    use crate::support::faulty::{Fault, Faulty, Plan as OwnerPlan};
    let plan = OwnerPlan::default();
    let provider = by_browser(&Plan::default(), |builder| {
        builder.resource_owner(Faulty::new(crate::support::Users::default(), &plan))
    });
    for (fault, status) in [(Fault::Transient, 503), (Fault::Permanent, 500), (Fault::Hang, 503)] {
        for response_type in ResponseType::ALL.iter().filter(|known| **known != ResponseType::Code) {
            let what = format!("{fault:?}: {response_type}");
            let before = provider.fixture.count().await;
            plan.arm(0, fault);
            assert_page(&asks(&provider, response_type.as_str()).await, status, &what);
            assert!(plan.recover());
            assert_eq!(provider.fixture.count().await, before, "{what}");
            let again = asks(&provider, response_type.as_str()).await;
            assert!(again.location_parameter("response").is_some(), "{what}");
        }
    }
}

#[tokio::test]
async fn a_signer_that_fails_at_any_signature_of_an_answer_by_the_browser_ends_its_grant() {
    let (users, signer) = (Plan::default(), Plan::default());
    let provider = by_browser(&signer, |builder| builder.openid(Users(users.clone())));
    for (fault, status) in FAULTS {
        for response_type in ResponseType::ALL.iter().copied() {
            // Those of the tokens, and that of the answer.
            let signatures =
                usize::from(response_type.has_token()) + usize::from(response_type.has_id_token()) + 1;
            for call in 0..signatures {
                let what = format!("{fault:?} at signature {call} of {response_type}");
                signer.arm(call, fault);
                assert_page(&asks(&provider, response_type.as_str()).await, status, &what);
                let grants = provider.fixture.server.grants(&Filter::default(), None, 1000).await.unwrap();
                assert!(grants.records.iter().all(|record| record.grant().is_ended()), "{what}");
            }
        }
    }
    assert!(asks(&provider, "code id_token token").await.location_parameter("response").is_some());
}
