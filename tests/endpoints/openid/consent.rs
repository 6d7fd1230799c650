//! Consent by a page, by what was granted before, and by the host's policy (OpenID Connect Core sections
//! 3.1.2.4 and 11).

use std::time::Duration;

use grantor::RefreshTokens;
use grantor::{
    AuthorizationDetails, Clock as _, Consent, EventKind, Login, Policy, Reason, Registration, Request,
    Resource, Scope, Subject, Unasked,
};
use serde_json::json;

use crate::support::faulty::{Fault, Plan};
use crate::support::provider::{Provider, SCOPES, client};
use crate::support::registering::{Registering, app};
use crate::support::{Answer, Fixture, code_query, encode, redemption};

const CLAIMS: (&str, &str) = ("claims", r#"{"userinfo":{"nickname":null}}"#);

fn with_offline() -> Provider {
    Provider::with(Vec::new(), |builder| {
        builder.scopes(["openid", "profile", "email", "read", "offline_access"])
    })
}

impl Provider {
    /// The consent that alice is faced with.
    async fn consent(&self, client: &str, scope: &str, more: &[(&str, &str)]) -> Consent {
        let query = [code_query(client, scope), more.to_vec()].concat();
        let ask =
            self.fixture.server.authorize(&Request::get(encode(&query))).await.expect("a proven address");
        ask.signed_in(self.fixture.alice()).await.consent().expect("a consent")
    }

    /// The scope that alice gets without a page, if she gets any.
    async fn remembered(&self, client: &str, scope: &str, more: &[(&str, &str)]) -> Option<String> {
        match self.consent(client, scope, more).await.approve_remembered().await {
            Unasked::Ask(_) => None,
            Unasked::Answered(response) => {
                let code = Answer(response).location_parameter("code").expect("a code");
                Some(self.fixture.redeem(client, &code).await.text("scope"))
            }
        }
    }
}

#[tokio::test]
async fn oi_40_nothing_of_the_user_leaves_without_a_decision() {
    let provider = Provider::new();
    assert_eq!(provider.remembered("other", "openid email", &[]).await, None, "a fresh user has a page");
    provider.tokens("other", "openid email", &[]).await;
    assert_eq!(provider.remembered("other", "openid email", &[]).await.as_deref(), Some("openid email"));
    assert!(provider.fixture.log.whats().contains(&EventKind::ConsentRemembered), "it is audited");
    assert_eq!(
        provider.remembered("other", "openid", &[]).await.as_deref(),
        Some("openid"),
        "and less of it"
    );
    assert_eq!(provider.remembered("other", "openid email read", &[]).await, None, "a wider request");
    assert_eq!(provider.remembered("other", "openid email", &[CLAIMS]).await, None, "a single claim more");
    provider.tokens("other", "openid email", &[CLAIMS]).await;
    assert!(provider.remembered("other", "openid email", &[CLAIMS]).await.is_some());
    assert_eq!(provider.remembered("conf", "read", &[]).await, None, "another client");
    let bob = Login::new("bob", provider.fixture.clock.now());
    let request = Request::get(encode(&code_query("other", "openid email")));
    let consent = provider.fixture.server.authorize(&request).await.unwrap().signed_in(bob).await.consent();
    assert!(matches!(consent.unwrap().approve_remembered().await, Unasked::Ask(_)), "another user");
}

#[tokio::test]
async fn oi_40_a_grant_that_was_taken_back_is_no_consent() {
    let provider = Provider::new();
    provider.tokens("other", "openid", &[]).await;
    assert!(provider.remembered("other", "openid", &[]).await.is_some());
    assert!(provider.fixture.server.revoke_subject(&Subject::user("alice")).await.unwrap() > 0);
    assert_eq!(provider.remembered("other", "openid", &[]).await, None);
    let scope = Scope::parse("openid").unwrap();
    let consent = provider.consent("other", "openid", &[]).await.granted_before(&scope, &[]);
    assert!(matches!(consent.approve_remembered().await, Unasked::Answered(_)), "the host's own record");
    let consent = provider.consent("other", "openid", &[CLAIMS]).await.granted_before(&scope, &[]);
    assert!(matches!(consent.approve_remembered().await, Unasked::Ask(_)), "without the claim");
    let consent = provider.consent("other", "openid", &[CLAIMS]).await.granted_before(&scope, &["nickname"]);
    assert!(matches!(consent.approve_remembered().await, Unasked::Answered(_)));
}

/// Or silent requests, one a minute, could keep up a consent that the user can neither see nor end.
#[tokio::test]
async fn oi_40_a_code_that_was_not_redeemed_is_no_consent() {
    let provider = Provider::new();
    let code = provider.fixture.code("other", "openid").await;
    assert_eq!(provider.remembered("other", "openid", &[]).await, None);
    assert_eq!(provider.fixture.redeem("other", &code).await.status(), 200);
    assert!(provider.remembered("other", "openid", &[]).await.is_some());
}

#[tokio::test]
async fn oi_40_the_host_may_skip_the_page_for_an_application_of_its_own() {
    let provider = Provider::new();
    let Unasked::Answered(response) =
        provider.consent("other", "openid read", &[]).await.approve_first_party().await
    else {
        panic!("no page")
    };
    assert!(Answer(response).location_parameter("code").is_some());
    let whats = provider.fixture.log.whats();
    assert_eq!(whats[whats.len() - 2..], [EventKind::ConsentByPolicy, EventKind::CodeIssued]);
    let asked = provider.consent("other", "openid", &[("prompt", "consent")]).await;
    assert!(matches!(asked.approve_first_party().await, Unasked::Ask(_)), "the client wants the page");
}

#[tokio::test]
async fn oi_40_a_client_that_registered_itself_is_never_the_hosts_own() {
    let bench = Registering::on(Registration::open());
    let own = bench.registered(&app()).await;
    let mut query = code_query(own.id(), "read");
    query.retain(|(name, _)| *name != "redirect_uri");
    let ask = bench.fixture.server.authorize(&Request::get(encode(&query))).await.unwrap();
    let consent = ask.signed_in(bench.fixture.alice()).await.consent().unwrap();
    assert!(matches!(consent.approve_first_party().await, Unasked::Ask(_)));
}

/// A step-up: the client has `read`, and asks for `read write`.
#[tokio::test]
async fn mc_11_a_page_can_show_what_is_new_and_the_answer_has_both() {
    let provider = Provider::new();
    let before = async |client: &str, scope: &str, more: &[(&str, &str)]| {
        provider.consent(client, scope, more).await.scope_granted_before().await.to_string()
    };
    assert_eq!(before("other", "openid read", &[]).await, "", "a fresh user");
    let tokens = provider.tokens("other", "openid read", &[]).await;
    assert_eq!(before("other", "openid read email", &[]).await, "openid read");
    assert_eq!(before("other", "email", &[]).await, "", "only what is asked for");
    provider.tokens("other", "openid email", &[]).await;
    assert_eq!(before("other", "read email", &[]).await, "read email", "of several grants");
    assert_eq!(before("conf", "read", &[]).await, "", "another client");

    let both = provider.tokens("other", "openid read email", &[]).await;
    assert_eq!(both.text("scope"), "openid read email");
    assert!(provider.fixture.is_live(&tokens.access_token()).await, "the old grant stays");
    provider.fixture.server.revoke_subject(&Subject::user("alice")).await.unwrap();
    assert_eq!(before("other", "openid read", &[]).await, "", "what was revoked");
}

#[tokio::test]
async fn mc_11_what_was_granted_for_another_resource_is_new() {
    let notes = "https://notes.example/";
    let fixture = Fixture::with(|builder| builder.resource(Resource::new(notes)));
    let before = async |more: &[(&'static str, &'static str)]| {
        let query = [code_query("conf", "read"), more.to_vec()].concat();
        let ask = fixture.server.authorize(&Request::get(encode(&query))).await.unwrap();
        let consent = ask.signed_in(fixture.alice()).await.consent().unwrap();
        let before = consent.scope_granted_before().await;
        let code = Answer(consent.approve().await).location_parameter("code").unwrap();
        assert_eq!(fixture.redeem("conf", &code).await.status(), 200);
        before.to_string()
    };
    assert_eq!(before(&[]).await, "");
    assert_eq!(before(&[]).await, "read");
    assert_eq!(before(&[("resource", notes)]).await, "");
    assert_eq!(before(&[("resource", notes)]).await, "read");
}

#[tokio::test]
async fn one_grant_has_to_cover_it_all() {
    let (one, two) = ("https://one.example/", "https://two.example/");
    let fixture = Fixture::with(|builder| builder.resource(Resource::new(one)).resource(Resource::new(two)));
    let remembered = async |scope: &str, resource: &str| {
        let query = [code_query("conf", scope), vec![("resource", resource)]].concat();
        let ask = fixture.server.authorize(&Request::get(encode(&query))).await.unwrap();
        let consent = ask.signed_in(fixture.alice()).await.consent().unwrap();
        matches!(consent.approve_remembered().await, Unasked::Answered(_))
    };
    for (scope, resource) in [("read", one), ("write", two)] {
        let query = [code_query("conf", scope), vec![("resource", resource)]].concat();
        let code = fixture.approve(&query).await.location_parameter("code").unwrap();
        let form = [redemption(&code), vec![("resource", resource)]].concat();
        assert_eq!(fixture.token("conf", &form).await.status(), 200);
    }
    assert!(remembered("read", one).await && remembered("write", two).await);
    for (scope, resource) in [("write", one), ("read", two), ("read write", one)] {
        assert!(!remembered(scope, resource).await, "{scope} at {resource}");
    }
    let query = code_query("conf", "read");
    let consent = fixture.server.authorize(&Request::get(encode(&query))).await.unwrap();
    let consent = consent.signed_in(fixture.alice()).await.consent().unwrap();
    let scope = Scope::parse("read write").unwrap();
    assert!(
        matches!(consent.approve_remembered().await, Unasked::Ask(_)),
        "the default audience is another one"
    );
    let query = [code_query("conf", "read"), vec![("resource", one)]].concat();
    let ask = fixture.server.authorize(&Request::get(encode(&query))).await.unwrap();
    let consent = ask.signed_in(fixture.alice()).await.consent().unwrap().granted_before(&scope, &[]);
    assert!(matches!(consent.approve_remembered().await, Unasked::Answered(_)), "by the grant");
}

#[tokio::test]
async fn what_a_password_gave_is_no_consent() {
    let fixture = Fixture::legacy();
    let form =
        [("grant_type", "password"), ("username", "alice"), ("password", "wonderland"), ("scope", "read")];
    assert_eq!(fixture.token("legacy", &form).await.status(), 200);
    let ask = fixture.server.authorize(&Request::get(encode(&code_query("legacy", "read")))).await.unwrap();
    let consent = ask.signed_in(fixture.alice()).await.consent().unwrap();
    assert!(matches!(consent.approve_remembered().await, Unasked::Ask(_)));
}

#[tokio::test]
async fn every_authorization_detail_is_asked() {
    let fixture = Fixture::with(|builder| {
        builder.authorization_details_type(
            "payment",
            grantor::issuance::Fields::<serde_json::Map<String, serde_json::Value>>::new(),
        )
    });
    let details = r#"[{"type":"payment"}]"#;
    let query = [code_query("conf", "read"), vec![("authorization_details", details)]].concat();
    for _ in 0..2 {
        let ask = fixture.server.authorize(&Request::get(encode(&query))).await.unwrap();
        let consent = ask.signed_in(fixture.alice()).await.consent().unwrap();
        assert!(consent.must_ask() && *consent.details() != AuthorizationDetails::default());
        let Unasked::Ask(consent) = consent.approve_remembered().await else { panic!("a page") };
        assert!(Answer(consent.approve().await).location_parameter("code").is_some());
    }
}

#[tokio::test]
async fn a_store_that_cannot_answer_leaves_the_user_with_the_page_and_a_silent_request_with_an_error() {
    let plan = Plan::default();
    let store = std::sync::Arc::new(grantor::MemoryStore::new());
    let fixture = Fixture::failing(store.clone(), store, &plan, Duration::from_millis(50));
    let consent = async |query: Vec<(&str, &str)>| {
        let ask = fixture.server.authorize(&Request::get(encode(&query))).await.unwrap();
        ask.signed_in(fixture.alice()).await.consent().unwrap()
    };
    for fault in [Fault::Transient, Fault::Permanent, Fault::Hang] {
        let asked = consent(code_query("conf", "read")).await;
        let silent = consent([code_query("conf", "read"), vec![("prompt", "none")]].concat()).await;
        plan.arm(0, fault);
        assert!(matches!(asked.approve_remembered().await, Unasked::Ask(_)), "{fault:?}");
        plan.arm(0, fault);
        let Unasked::Answered(response) = silent.approve_remembered().await else { panic!("{fault:?}") };
        let error = Answer(response).location_parameter("error");
        let expected = if fault == Fault::Permanent { "server_error" } else { "temporarily_unavailable" };
        assert_eq!(error.as_deref(), Some(expected), "{fault:?}");
    }
}

#[tokio::test]
async fn oi_85_offline_access_needs_a_consent_that_said_so() {
    let provider = with_offline();
    let scope = "openid profile offline_access";
    let page = provider.consent("other", scope, &[]).await;
    assert!(page.scope().contains("offline_access"), "the page names it");
    provider.tokens("other", "openid profile", &[]).await;
    let remembered = provider.remembered("other", scope, &[]).await;
    assert_eq!(remembered.as_deref(), Some("openid profile"), "left out, and told");
    let tokens = provider.tokens("other", scope, &[("prompt", "consent")]).await;
    assert_eq!(tokens.text("scope"), scope);
    assert_eq!(provider.remembered("other", scope, &[]).await.as_deref(), Some(scope));
    let legacy = Provider::with(Vec::new(), |builder| {
        builder.profile(grantor::Profile::Rfc6749).scopes(["openid", "read", "offline_access"])
    });
    let mut query = code_query("legacy", "openid read offline_access");
    query[0] = ("response_type", "token");
    let answer = legacy.fixture.approve(&query).await;
    assert_eq!(answer.location_parameter("scope").as_deref(), Some("openid read"), "not without a code");
}

#[tokio::test]
async fn d_22_refresh_tokens_go_by_grant_type_or_by_offline_access() {
    let mut policy = Policy::default();
    policy.refresh_tokens = RefreshTokens::OfflineOnly;
    let strict = Provider::with(Vec::new(), |builder| {
        builder.policy(policy).scopes(["openid", "read", "offline_access"])
    });
    let online = strict.tokens("other", "openid read", &[]).await;
    assert_eq!(online.json().get("refresh_token"), None);
    let offline = strict.tokens("other", "openid read offline_access", &[]).await;
    let again = strict.fixture.refresh("other", &offline.refresh_token()).await;
    assert_eq!((again.status(), again.text("scope").as_str()), (200, "openid read offline_access"));
    let lenient = with_offline();
    assert!(lenient.tokens("other", "openid", &[]).await.json()["refresh_token"].is_string());
}

#[tokio::test]
async fn a_user_sees_one_entry_for_each_application() {
    let more = vec![client("app", json!({}))];
    let provider =
        Provider::with(more, |builder| builder.scopes([&SCOPES[..], &["offline_access"]].concat()));
    let first = provider.fixture.clock.now();
    provider.tokens("other", "openid email", &[]).await;
    provider.fixture.clock.advance(Duration::from_secs(60));
    provider.tokens("other", "openid read offline_access", &[CLAIMS]).await;
    provider.tokens("app", "openid", &[]).await;
    let connected = provider.fixture.server.applications_of(&Subject::user("alice")).await.unwrap();
    let [app, other] = &connected[..] else { panic!("{connected:?}") };
    assert_eq!((app.client.as_str(), app.grants, app.is_offline), ("app", 1, false));
    assert_eq!((other.client.as_str(), other.grants, other.is_offline), ("other", 2, true));
    assert_eq!(other.scope, Scope::parse("openid email read offline_access").unwrap());
    assert_eq!(other.claims, ["nickname"]);
    assert_eq!(
        (other.since.timestamp(), other.last_used.timestamp() - other.since.timestamp()),
        (first.timestamp(), 60)
    );
    assert!(provider.fixture.server.applications_of(&Subject::user("bob")).await.unwrap().is_empty());
}

#[tokio::test]
async fn oi_84_a_user_who_became_another_one_has_no_more_tokens() {
    let provider = Provider::new();
    let answer = provider.tokens("other", "openid", &[]).await;
    provider.people.set(json!({ "sub": "bob" }));
    let refreshed = provider.fixture.refresh("other", &answer.refresh_token()).await;
    assert_eq!(provider.id_token(&refreshed).await["sub"], "alice", "nothing renames a grant");
    provider.fixture.users.blocked.lock().unwrap().push("alice".to_owned());
    let refused = provider.fixture.refresh("other", &refreshed.refresh_token()).await;
    assert_eq!(refused.error(), (400, "invalid_grant".to_owned()));
    assert_eq!(refused.json().get("id_token"), None);
    assert_eq!(provider.fixture.log.last_reason(), Some(Reason::SubjectBlocked));
}
