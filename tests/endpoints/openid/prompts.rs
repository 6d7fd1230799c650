//! How a provider's user signs in, and what a request can want of that (OpenID Connect Core section 3.1.2.1).

use std::time::Duration;

use chrono::{DateTime, Utc};
use grantor::{
    Authorization, Client, Clock as _, Login, LoginReason, LoginRequired, Prompt, Reason, Request, ShowLogin,
    SignedIn, Unasked,
};
use serde_json::{Value, json};

use crate::support::http::{bare, send};
use crate::support::provider::{Provider, client};
use crate::support::{Answer, code_query, encode};

/// A request with the scope `openid`.
fn asking(client: &str, more: &[(&str, &str)]) -> Request {
    Request::get(encode(&[code_query(client, "openid"), more.to_vec()].concat()))
}

impl Provider {
    async fn visit(&self, request: &Request) -> Authorization {
        self.fixture.server.authorize(request).await.expect("a proven address")
    }

    /// A visit of a request that was first seen then.
    async fn comes_back(&self, request: &Request, since: DateTime<Utc>, login: Login) -> SignedIn {
        self.visit(request).await.seen(since).signed_in(login).await
    }

    /// What the code of an approved visit says about its user.
    async fn said_of(&self, visit: SignedIn) -> Value {
        let consent = visit.consent().expect("a consent");
        let code = Answer(consent.approve().await).location_parameter("code").expect("a code");
        self.id_token(&self.fixture.redeem("other", &code).await).await
    }

    async fn document(&self) -> Value {
        send(&self.fixture.server, bare("GET", "/.well-known/openid-configuration")).await.json()
    }
}

fn again(visit: SignedIn) -> ShowLogin {
    match visit {
        SignedIn::Reauthenticate(login) => login,
        other => panic!("{other:?}"),
    }
}

fn answered(visit: LoginRequired) -> Answer {
    match visit {
        LoginRequired::Answered(response) => Answer(response),
        LoginRequired::ShowLogin(_) => panic!("an answer, and no login page"),
    }
}

fn error(answer: &Answer) -> String {
    answer.location_parameter("error").expect("an error")
}

#[tokio::test]
async fn d_15_a_login_of_just_before_the_request_is_not_fresh() {
    let provider = Provider::new();
    for more in [[("max_age", "0")], [("prompt", "login")]] {
        let old = provider.fixture.alice();
        provider.fixture.clock.advance(Duration::from_millis(1_001));
        let since = provider.fixture.clock.now();
        let _ = again(provider.comes_back(&asking("other", &more), since, old).await);
        let fresh = provider.fixture.alice();
        assert!(
            provider.comes_back(&asking("other", &more), since, fresh).await.consent().is_some(),
            "{more:?}"
        );
    }
}

#[tokio::test]
async fn d_16_a_response_mode_of_no_known_name_is_a_page_and_an_unregistered_one_a_redirect() {
    let only = client("only", json!({ "response_modes": ["query"] }));
    let provider = Provider::with(vec![only], |builder| builder);
    let odd = asking("other", &[("response_mode", "web_message")]);
    let page = provider.fixture.server.authorize(&odd).await.unwrap_err();
    assert_eq!(
        (page.status(), page.code(), page.reason()),
        (400, "invalid_request", Reason::ResponseModeInvalid)
    );
    let answer = provider.ask("other", "read", &[("response_mode", "web_message")], provider.fixture.alice());
    assert_eq!(error(&answer.await), "invalid_request", "plain OAuth has a redirect");
    let answer = provider.ask("only", "openid", &[("response_mode", "form_post")], provider.fixture.alice());
    assert_eq!(error(&answer.await), "invalid_request", "known, and not registered");
}

#[tokio::test]
async fn d_26_a_value_of_prompt_that_is_not_listed_is_an_error() {
    let provider = Provider::new();
    let listed = json!(["none", "login", "consent", "select_account"]);
    assert_eq!(provider.document().await["prompt_values_supported"], listed);
    for prompt in ["surprise", "login surprise", "None", "LOGIN", "login  consent"] {
        let answer = provider.ask("other", "openid", &[("prompt", prompt)], provider.fixture.alice()).await;
        assert_eq!(error(&answer), "invalid_request", "{prompt}");
        assert_eq!(provider.fixture.log.last_reason(), Some(Reason::PromptUnsupported));
    }
}

#[tokio::test]
async fn oi_20_without_a_user_prompt_none_is_answered_to_the_client() {
    let provider = Provider::new();
    let visit = provider.visit(&asking("other", &[("prompt", "none")])).await;
    let answer = answered(visit.login_required().await);
    assert_eq!((answer.status(), error(&answer).as_str()), (303, "login_required"));
    assert_eq!(answer.location_parameter("state").as_deref(), Some("the state"));
    assert_eq!(answer.location_parameter("iss").as_deref(), Some(crate::support::ISSUER));
    assert!(answer.0.body.is_empty(), "no form");
}

#[tokio::test]
async fn oi_21_prompt_none_has_a_code_or_the_error_that_names_what_needs_a_page() {
    let provider = Provider::new();
    let silent = asking("other", &[("prompt", "none")]);
    let consent = async || {
        provider.visit(&silent).await.signed_in(provider.fixture.alice()).await.consent().expect("a consent")
    };
    let Unasked::Answered(response) = consent().await.approve_remembered().await else { panic!("no page") };
    assert_eq!(error(&Answer(response)), "consent_required");
    assert_eq!(provider.fixture.log.last_reason(), Some(Reason::ConsentRequired));
    let answer = Answer(consent().await.interaction_required().await);
    assert_eq!(error(&answer), "interaction_required");
    let several = provider.visit(&silent).await.account_selection_required().await;
    assert_eq!(error(&answered(several)), "account_selection_required");

    provider.tokens("other", "openid", &[]).await;
    let Unasked::Answered(response) = consent().await.approve_remembered().await else { panic!("no page") };
    let code = Answer(response).location_parameter("code").expect("a code at once");
    assert_eq!(provider.id_token(&provider.fixture.redeem("other", &code).await).await["sub"], "alice");
}

#[tokio::test]
async fn oi_22_none_stands_alone() {
    let provider = Provider::new();
    for prompt in ["none login", "login none", "none none", "none surprise"] {
        let answer = provider.ask("other", "openid", &[("prompt", prompt)], provider.fixture.alice()).await;
        assert_eq!(error(&answer), "invalid_request", "{prompt}");
        let visit = provider.visit(&asking("other", &[("prompt", prompt)])).await;
        assert_eq!(error(&answered(visit.login_required().await)), "invalid_request", "{prompt}: no page");
    }
    let ask = provider.visit(&asking("other", &[("prompt", "login consent")])).await;
    assert_eq!(ask.requested().prompts().collect::<Vec<_>>(), [Prompt::Login, Prompt::Consent]);
}

#[tokio::test]
async fn oi_23_prompt_login_has_the_user_prove_themselves_again() {
    let provider = Provider::new();
    let request = asking("other", &[("prompt", "login")]);
    let old = provider.fixture.alice();
    let before = old.authentication().auth_time.timestamp();
    provider.fixture.clock.advance(Duration::from_secs(10));
    let since = provider.fixture.clock.now();
    let page = again(provider.comes_back(&request, since, old.clone()).await);
    assert_eq!(page.because(), LoginReason::PromptLogin);
    let said = provider.said_of(provider.comes_back(&request, since, provider.fixture.alice()).await).await;
    assert_eq!(said["auth_time"].as_i64(), Some(before + 10));
    let page = again(provider.comes_back(&request, since, old).await);
    assert_eq!(error(&Answer(page.cannot().await)), "login_required");
}

#[tokio::test]
async fn oi_24_max_age_or_its_registered_default_renews_an_older_login() {
    let strict = client("strict", json!({ "default_max_age": 1, "require_auth_time": true }));
    let provider = Provider::with(vec![strict], |builder| builder);
    let login = provider.fixture.alice();
    provider.fixture.clock.advance(Duration::from_secs(2));
    let since = provider.fixture.clock.now();
    let comes = async |client: &str, more: &[(&str, &str)]| {
        provider.comes_back(&asking(client, more), since, login.clone()).await
    };
    for (client, more) in [
        ("other", &[("max_age", "1")][..]),
        ("other", &[("max_age", "0")]),
        ("strict", &[]),
        ("strict", &[("max_age", "0")]),
    ] {
        assert_eq!(again(comes(client, more).await).because(), LoginReason::Stale, "{client} {more:?}");
    }
    for (client, more) in [("other", "10000"), ("strict", "10000"), ("other", "2")] {
        assert!(comes(client, &[("max_age", more)]).await.consent().is_some(), "{client} {more}");
    }
    let plain = Request::get(encode(&code_query("strict", "read")));
    let visit = provider.comes_back(&plain, since, login.clone()).await;
    assert!(visit.consent().is_some(), "the default is for requests of OpenID Connect");
    for bad in ["-1", "1.5", "100000000000000000000"] {
        let answer = provider.ask("other", "openid", &[("max_age", bad)], login.clone()).await;
        assert_eq!(error(&answer), "invalid_request", "{bad}");
    }
}

#[tokio::test]
async fn oi_25_a_renewal_ends_and_an_old_session_does_not_cheat_it() {
    let provider = Provider::new();
    let request = asking("other", &[("max_age", "0"), ("prompt", "login")]);
    let old = provider.fixture.alice();
    provider.fixture.clock.advance(Duration::from_secs(5));
    let since = provider.fixture.clock.now();
    let mut pages = 0;
    let mut login = old.clone();
    let consent = loop {
        match provider.comes_back(&request, since, login.clone()).await {
            SignedIn::Reauthenticate(page) => {
                assert_eq!(page.since(), since);
                pages += 1;
                provider.fixture.clock.advance(Duration::from_secs(30));
                login = provider.fixture.alice();
            }
            SignedIn::Consent(consent) => break consent,
            SignedIn::Answered(response) => panic!("{response:?}"),
        }
        assert!(pages < 3, "an endless loop");
    };
    assert_eq!(pages, 1);
    assert!(Answer(consent.approve().await).location_parameter("code").is_some());
    let _ = again(provider.comes_back(&request, since, old).await);
}

#[tokio::test]
async fn oi_26_prompt_consent_asks_what_was_granted_before() {
    let provider = Provider::new();
    provider.tokens("other", "openid", &[]).await;
    let consent = async |prompt: &[(&str, &str)]| {
        let ask = provider.visit(&asking("other", prompt)).await;
        ask.signed_in(provider.fixture.alice()).await.consent().expect("a consent")
    };
    assert!(matches!(consent(&[]).await.approve_remembered().await, Unasked::Answered(_)));
    let asked = consent(&[("prompt", "consent")]).await;
    assert!(asked.must_ask());
    let Unasked::Ask(page) = asked.approve_remembered().await else { panic!("a page") };
    assert_eq!(error(&Answer(page.consent_required().await)), "consent_required");
    assert_eq!(provider.fixture.log.last_reason(), Some(Reason::ConsentRequiredEachTime));
}

#[tokio::test]
async fn oi_27_the_account_that_was_chosen_is_the_one_in_the_id_token() {
    let provider = Provider::new();
    let request = asking("other", &[("prompt", "select_account")]);
    let now = provider.fixture.clock.now();
    let (alice, bob) = (provider.fixture.alice(), Login::new("bob", now));
    provider.fixture.clock.advance(Duration::from_secs(60));
    let since = provider.fixture.clock.now();
    let page = again(provider.comes_back(&request, since, alice).await);
    assert_eq!(page.because(), LoginReason::SelectAccount);
    let chosen = provider.visit(&request).await.seen(since).account_chosen().signed_in(bob).await;
    assert_eq!(provider.said_of(chosen).await["sub"], "bob");
    assert_eq!(error(&Answer(page.cannot().await)), "account_selection_required");
    let LoginRequired::ShowLogin(page) =
        provider.visit(&asking("other", &[])).await.account_selection_required().await
    else {
        panic!("a page")
    };
    assert_eq!(page.because(), LoginReason::SelectAccount);
}

#[tokio::test]
async fn oi_28_prompt_create_is_for_hosts_with_a_page_to_sign_up() {
    let without = Provider::new();
    let answer = without.ask("other", "openid", &[("prompt", "create")], without.fixture.alice()).await;
    assert_eq!(error(&answer), "invalid_request");

    let provider = Provider::with(Vec::new(), |builder| builder.sign_up_page());
    let values = provider.document().await["prompt_values_supported"].clone();
    assert!(values.as_array().unwrap().contains(&json!("create")));
    let request = asking("other", &[("prompt", "create")]);
    let LoginRequired::ShowLogin(page) = provider.visit(&request).await.login_required().await else {
        panic!("a page")
    };
    assert_eq!(page.because(), LoginReason::SignUp);
    let since = provider.fixture.clock.now();
    provider.fixture.clock.advance(Duration::from_secs(60));
    let new = Login::new("carol", provider.fixture.clock.now());
    assert_eq!(provider.said_of(provider.comes_back(&request, since, new).await).await["sub"], "carol");
}

#[tokio::test]
async fn oi_29_the_classes_that_a_client_registered_are_a_wish_too() {
    let wishful = client("wishful", json!({ "default_acr_values": ["gold", "silver"] }));
    let provider = Provider::with(vec![wishful], |builder| builder.acr_values(["silver", "gold"]));
    assert_eq!(provider.document().await["acr_values_supported"], json!(["silver", "gold"]));
    let ask = provider.visit(&asking("wishful", &[])).await;
    assert_eq!(ask.requested().acr_values().collect::<Vec<_>>(), ["gold", "silver"]);
    let ask = provider.visit(&asking("wishful", &[("acr_values", "bronze")])).await;
    assert_eq!(ask.requested().acr_values().collect::<Vec<_>>(), ["bronze"]);
    assert!(ask.signed_in(provider.fixture.alice()).await.consent().is_some(), "a wish");
    let plain = Request::get(encode(&code_query("wishful", "read")));
    assert_eq!(provider.visit(&plain).await.requested().acr_values().next(), None);
}

#[tokio::test]
async fn oi_30_the_host_is_told_the_class_that_is_essential() {
    let provider = Provider::new();
    let claims = ("claims", r#"{"id_token":{"acr":{"essential":true,"values":["gold","silver"]}}}"#);
    let request = asking("other", &[claims, ("acr_values", "bronze")]);
    let since = provider.fixture.clock.now();
    let page = again(provider.comes_back(&request, since, provider.fixture.alice()).await);
    assert_eq!(page.because(), LoginReason::StepUp);
    assert_eq!(page.acr_values().collect::<Vec<_>>(), ["gold", "silver"]);
    let silver = provider.fixture.alice().with_acr("silver");
    assert_eq!(provider.said_of(provider.comes_back(&request, since, silver).await).await["acr"], "silver");
    let LoginRequired::ShowLogin(page) =
        provider.visit(&asking("other", &[("acr_values", "bronze")])).await.login_required().await
    else {
        panic!("a page")
    };
    assert_eq!(page.acr_values().collect::<Vec<_>>(), ["bronze"], "else the wish");
}

#[tokio::test]
async fn oi_31_a_login_hint_is_text_for_the_host_and_never_an_error() {
    let provider = Provider::new();
    let long = "x".repeat(1_000);
    for hint in ["buffy@x", &long, "<script>alert(1)</script>"] {
        let ask = provider.visit(&asking("other", &[("login_hint", hint)])).await;
        assert_eq!(ask.requested().login_hint(), Some(hint));
        let said = provider.said_of(ask.signed_in(provider.fixture.alice()).await).await;
        assert_eq!(said["sub"], "alice", "it chooses nobody");
    }
}

#[tokio::test]
async fn oi_36_what_is_only_for_the_pages_is_told_and_never_an_error() {
    let provider = Provider::with(Vec::new(), |builder| builder.display_values(["page", "popup"]));
    assert_eq!(provider.document().await["display_values_supported"], json!(["page", "popup"]));
    let more =
        [("display", "weird"), ("ui_locales", "se"), ("claims_locales", "fr-CA fr"), ("extra", "foobar")];
    let LoginRequired::ShowLogin(page) = provider.visit(&asking("other", &more)).await.login_required().await
    else {
        panic!("the login page")
    };
    let requested = page.requested();
    assert_eq!(requested.display(), Some("weird"));
    assert_eq!(requested.ui_locales().collect::<Vec<_>>(), ["se"]);
    assert_eq!(requested.claims_locales().collect::<Vec<_>>(), ["fr-CA", "fr"]);
    let answer = provider.ask("other", "openid", &more, provider.fixture.alice()).await;
    assert!(answer.location_parameter("code").is_some());
}

#[tokio::test]
async fn oi_78_the_document_says_what_the_host_configured() {
    let provider = Provider::with(Vec::new(), |builder| {
        builder.sign_up_page().acr_values(["urn:pin"]).display_values(["page"])
    });
    let document = provider.document().await;
    let list = |name: &str| document[name].as_array().unwrap_or_else(|| panic!("{name}")).clone();
    assert!(list("claims_supported").contains(&json!("email")));
    assert_eq!(list("acr_values_supported"), [json!("urn:pin")]);
    assert_eq!(list("display_values_supported"), [json!("page")]);
    assert_eq!(list("prompt_values_supported").len(), Prompt::ALL.len());
    assert_eq!(document.get("claim_types_supported"), None);
    let silent = Provider::new().document().await;
    for absent in ["acr_values_supported", "display_values_supported", "claim_types_supported"] {
        assert_eq!(silent.get(absent), None, "{absent}");
    }
}

#[tokio::test]
async fn native_clients_are_asked_whatever_was_granted_before() {
    let native: Client = Client::builder("app")
        .redirect_uri("https://app.example/cb")
        .application_type(grantor::ApplicationType::Native)
        .auth_method(grantor::AuthMethod::None)
        .build()
        .unwrap();
    let provider = Provider::with(vec![native], |builder| builder);
    assert!(provider.code("app", "openid", &[]).await.len() > 40);
    let ask = provider.visit(&asking("app", &[])).await;
    let consent = ask.signed_in(provider.fixture.alice()).await.consent().unwrap();
    assert!(consent.must_ask());
    let Unasked::Ask(consent) = consent.approve_remembered().await else { panic!("a page") };
    assert!(matches!(consent.approve_first_party().await, Unasked::Ask(_)));
}
