//! Authorization requests with the scope `openid` (OpenID Connect Core section 3.1.2).

use std::time::Duration;

use grantor::client::{ClientJwts, RequestObjects};
use grantor::{
    Client, Clock as _, GrantType, Login, LoginReason, LoginRequired, MemoryStore, Profile, Reason, Request,
    ResponseType, SignedIn,
};
use serde_json::json;

use crate::support::provider::{Provider, SCOPES, client};
use crate::support::{Answer, CALLBACK, Fixture, SECRET, code_query, encode};

#[tokio::test]
async fn a_request_that_names_no_scope_is_none_of_openid_connect() {
    let narrow = client("narrow", json!({ "scope": "openid offline_access" }));
    let provider = Provider::with(vec![narrow], |builder| {
        builder.scopes(SCOPES.into_iter().chain(["offline_access"])).profile(Profile::Rfc6749)
    });
    let fixture = &provider.fixture;
    let all = "profile email address phone read write";
    let began = fixture.begin("tv", &[]).await;
    fixture.enter_as(&began.text("user_code"), fixture.alice()).await.approve().await.unwrap();
    for answer in [
        provider.tokens("other", "", &[("id_token_hint", "none"), ("claims", "none")]).await,
        fixture.poll("tv", &began.text("device_code")).await,
    ] {
        assert_eq!(answer.text("scope"), all);
        assert_eq!(answer.json().get("id_token"), None);
        assert_eq!(provider.userinfo(&answer.access_token()).await.status(), 403);
    }
    let answer = provider.ask("narrow", "", &[], fixture.alice()).await;
    assert_eq!(answer.location_parameter("error").as_deref(), Some("invalid_scope"), "nothing is left");
    assert_eq!(fixture.log.last_reason(), Some(Reason::ScopeMissing));
    assert_eq!(provider.tokens("narrow", "openid", &[]).await.text("scope"), "openid");
}

#[tokio::test]
async fn a_client_none_of_whose_scopes_is_known_gets_no_empty_grant() {
    let of = |id: &str, scope: &str| client(id, json!({ "scope": scope }));
    let provider = Provider::with(vec![of("lost", "nosuch"), of("none", "")], |builder| builder);
    let fixture = &provider.fixture;
    let answer = provider.ask("lost", "", &[], fixture.alice()).await;
    assert_eq!(answer.location_parameter("error").as_deref(), Some("invalid_scope"));
    assert_eq!(fixture.log.last_reason(), Some(Reason::ScopeMissing));
    // A client that registered no scope at all gets what it may have: a token without scopes.
    let answer = provider.ask("none", "", &[], fixture.alice()).await;
    assert!(answer.location_parameter("code").is_some());
}

#[tokio::test]
async fn d_14_acr_values_are_a_wish_with_openid_and_a_condition_without() {
    let provider = Provider::new();
    let wish = [("acr_values", "1 2")];
    let answer = provider.ask("other", "openid", &wish, provider.fixture.alice().with_acr("0")).await;
    let code = answer.location_parameter("code").expect("a wish");
    assert_eq!(provider.id_token(&provider.fixture.redeem("other", &code).await).await["acr"], "0");
    let answer = provider.ask("other", "read", &wish, provider.fixture.alice().with_acr("0")).await;
    let error = answer.location_parameter("error");
    assert_eq!(error.as_deref(), Some("unmet_authentication_requirements"));
}

#[tokio::test]
async fn oi_29_acr_values_are_told_to_the_host_and_not_demanded() {
    let provider = Provider::new();
    let mut query = code_query("other", "openid");
    query.push(("acr_values", "1 2"));
    let ask = provider.fixture.server.authorize(&Request::get(encode(&query))).await.unwrap();
    assert_eq!(ask.requested().acr_values().collect::<Vec<_>>(), ["1", "2"]);
    let consent = ask.signed_in(provider.fixture.alice()).await.consent().expect("it goes on");
    assert_eq!(consent.requested().acr_values().next(), Some("1"));
    let answer = provider
        .ask("other", "openid", &[("acr_values", "1 2")], provider.fixture.alice().with_acr("2"))
        .await;
    let code = answer.location_parameter("code").unwrap();
    assert_eq!(provider.id_token(&provider.fixture.redeem("other", &code).await).await["acr"], "2");
}

#[tokio::test]
async fn oi_30_an_essential_acr_is_reached_or_the_request_fails() {
    let provider = Provider::new();
    for terms in [r#"{"essential":true,"values":["2","3"]}"#, r#"{"essential":true,"value":"2"}"#] {
        let claims = format!(r#"{{"id_token":{{"acr":{terms}}}}}"#);
        for prompt in ["login", "none"] {
            let more = [("claims", claims.as_str()), ("prompt", prompt)];
            let answer = provider.ask("other", "openid", &more, provider.fixture.alice().with_acr("1")).await;
            let error = answer.location_parameter("error");
            assert_eq!(error.as_deref(), Some("unmet_authentication_requirements"), "{terms}");
            let answer = provider.ask("other", "openid", &more, provider.fixture.alice().with_acr("2")).await;
            assert!(answer.location_parameter("code").is_some(), "{terms}");
        }
    }
    let wish = r#"{"id_token":{"acr":{"values":["2"]}}}"#;
    let answer = provider.ask("other", "openid", &[("claims", wish)], provider.fixture.alice()).await;
    assert!(answer.location_parameter("code").is_some(), "not essential");
}

#[tokio::test]
async fn the_host_is_told_the_acr_of_the_claims_or_else_acr_values_or_else_those_of_the_registration() {
    let own = client("own", json!({ "default_acr_values": ["2"] }));
    let provider = Provider::with(vec![own], |builder| builder);
    let claims = |terms: &str| format!(r#"{{"id_token":{{"acr":{terms}}}}}"#);
    let wish = claims(r#"{"values":["1","0",7,"a b",""]}"#);
    let condition = claims(r#"{"values":["1"],"essential":true}"#);
    let (any, essential, none) = (claims("null"), claims(r#"{"essential":true}"#), claims("7"));
    let both = |claims| vec![("claims", claims), ("acr_values", "3 4")];
    for (more, told) in [
        (vec![], vec!["2"]),
        (vec![("claims", r#"{"userinfo":{"acr":null}}"#)], vec!["2"]),
        (vec![("claims", none.as_str())], vec!["2"]),
        (vec![("acr_values", "3 4")], vec!["3", "4"]),
        (vec![("claims", &wish)], vec!["1", "0"]),
        (vec![("claims", &condition)], vec!["1"]),
        (vec![("claims", &any)], vec![]),
        (vec![("claims", &essential)], vec![]),
        (both(wish.as_str()), vec!["3", "4"]),
        (both(condition.as_str()), vec!["1"]),
        (both(essential.as_str()), vec!["3", "4"]),
    ] {
        let query = [code_query("own", "openid"), more.clone()].concat();
        let ask = provider.fixture.server.authorize(&Request::get(encode(&query))).await.unwrap();
        assert_eq!(ask.requested().acr_values().collect::<Vec<_>>(), told, "{more:?}");
        let LoginRequired::ShowLogin(login) = ask.login_required().await else { panic!("no page") };
        assert_eq!(login.acr_values().collect::<Vec<_>>(), told, "before the first sign-in, too: {more:?}");
    }
    let plain = [code_query("own", "read"), vec![("claims", wish.as_str())]].concat();
    let ask = provider.fixture.server.authorize(&Request::get(encode(&plain))).await.unwrap();
    assert_eq!(ask.requested().acr_values().next(), None, "plain OAuth knows neither");
}

#[tokio::test]
async fn oi_34_an_answer_is_for_the_user_that_the_claims_name_or_for_nobody() {
    let provider = Provider::new();
    let fixture = &provider.fixture;
    let before = fixture.alice();
    fixture.clock.advance(Duration::from_secs(60));
    let claims = r#"{"id_token":{"sub":{"value":"bob"}}}"#;
    let query = [code_query("other", "openid"), vec![("claims", claims)]].concat();
    let since = fixture.clock.now();
    let asked = |query: Vec<(&'static str, &'static str)>, login: Login| async move {
        let ask = fixture.server.authorize(&Request::get(encode(&query))).await.unwrap();
        ask.seen(since).signed_in(login).await
    };
    let error = |answered| match answered {
        SignedIn::Answered(response) => Answer(response).location_parameter("error").unwrap(),
        SignedIn::Consent(_) | SignedIn::Reauthenticate(_) => panic!("no answer"),
    };
    let silent = [query.clone(), vec![("prompt", "none")]].concat();
    assert_eq!(error(asked(silent, before.clone()).await), "login_required");
    match asked(query.clone(), before).await {
        SignedIn::Reauthenticate(login) => assert_eq!(login.because(), LoginReason::OtherUser),
        SignedIn::Consent(_) | SignedIn::Answered(_) => panic!("no login"),
    }
    fixture.clock.advance(Duration::from_secs(60));
    let again = asked(query.clone(), fixture.alice()).await;
    assert_eq!(error(again), "login_required", "the same user came back");
    let bob = Login::new("bob", fixture.clock.now());
    assert!(asked(query, bob).await.consent().is_some());
}

#[tokio::test]
async fn oi_37_the_redirect_uri_is_required() {
    let provider = Provider::new();
    let query = |scope: &'static str| {
        let mut query = code_query("other", scope);
        query.retain(|(name, _)| *name != "redirect_uri");
        Request::get(encode(&query))
    };
    let page = provider.fixture.server.authorize(&query("openid")).await.unwrap_err();
    assert_eq!(page.reason(), Reason::RedirectUriMissing);
    assert!(provider.fixture.server.authorize(&query("read")).await.is_ok(), "plain OAuth may leave it out");
}

#[tokio::test]
async fn oi_38_neither_nonce_nor_pkce_is_needed_of_a_confidential_client_that_opts_out() {
    let own = client("app", json!({ "require_pkce": false }));
    let provider = Provider::with(vec![own], |builder| builder);
    let mut query = code_query("app", "openid");
    query.retain(|(name, _)| !name.starts_with("code_challenge"));
    let answer = provider.fixture.approve(&query).await;
    let code = answer.location_parameter("code").unwrap();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", crate::support::CALLBACK),
    ];
    let answer = provider.fixture.token("app", &form).await;
    assert_eq!(provider.id_token(&answer).await["sub"], "alice");
}

#[tokio::test]
async fn d_21_a_scope_that_nobody_knows_is_left_out_with_openid_and_refused_without() {
    let provider = Provider::new();
    let answer = provider.tokens("other", "openid read unheard_of", &[]).await;
    assert_eq!(answer.text("scope"), "openid read");
    let narrow = client("narrow", json!({ "scope": "openid" }));
    let provider = Provider::with(vec![narrow], |builder| builder);
    for (client, scope) in [("other", "read unheard_of"), ("narrow", "openid read"), ("conf", "openid read")]
    {
        let answer = provider.ask(client, scope, &[], provider.fixture.alice()).await;
        assert_eq!(answer.location_parameter("error").as_deref(), Some("invalid_scope"), "{client} {scope}");
    }
    let off = Fixture::with(|builder| builder.scopes(["openid", "read"]));
    let answer = off.approve(&code_query("other", "openid unheard_of")).await;
    assert_eq!(answer.location_parameter("error").as_deref(), Some("invalid_scope"));
}

/// Where an error goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum To {
    Redirect,
    /// There is no proven address.
    Page,
}

#[tokio::test]
async fn oi_39_each_error_of_the_specification_has_its_members_and_goes_in_the_mode_of_the_response_type() {
    let app = Client::builder("app")
        .redirect_uri(CALLBACK)
        .grant_types([GrantType::AuthorizationCode, GrantType::Implicit])
        .response_types([ResponseType::Code, ResponseType::CodeIdToken])
        .secret(SECRET);
    let app = app.build().unwrap();
    let provider = Provider::with(vec![app.clone()], |builder| builder.profile(grantor::Profile::Rfc6749));
    let objects = Provider::with(vec![app], |builder| {
        let builder = builder.profile(grantor::Profile::Rfc6749).client_signatures(ClientJwts::new());
        builder.replay_guard(MemoryStore::new()).request_objects(RequestObjects::accepted())
    });
    let unknown = "urn:ietf:params:oauth:request_uri:unknown";
    for (code, more, to) in [
        ("login_required", ("prompt", "none"), To::Redirect),
        ("account_selection_required", ("prompt", "none"), To::Redirect),
        ("consent_required", ("prompt", "none"), To::Redirect),
        ("interaction_required", ("prompt", "none"), To::Redirect),
        ("request_not_supported", ("request", "e30.e30.x"), To::Redirect),
        ("request_uri_not_supported", ("request_uri", "https://app.example/object"), To::Redirect),
        ("registration_not_supported", ("registration", "{}"), To::Redirect),
        ("invalid_request_uri", ("request_uri", unknown), To::Page),
        ("invalid_request_object", ("request", "e30.e30.x"), To::Page),
    ] {
        let provider = if code == "invalid_request_object" { &objects } else { &provider };
        for (response_type, separator) in [("code", '?'), ("code id_token", '#')] {
            let mut query = code_query("app", "openid");
            query[0].1 = response_type;
            query.extend([("nonce", "n"), more]);
            let answer = refused(provider, &query, code).await;
            match to {
                To::Page => {
                    assert_eq!((answer.status(), answer.0.header("location")), (400, None), "{code}");
                    assert!(String::from_utf8_lossy(&answer.0.body).contains(code), "{code}");
                }
                To::Redirect => {
                    let (address, parameters) = answer.location().split_once(separator).expect("its mode");
                    let mut said: Vec<(String, String)> = serde_urlencoded::from_str(parameters).unwrap();
                    said.sort();
                    let names: Vec<&str> = said.iter().map(|(name, _)| name.as_str()).collect();
                    assert_eq!(
                        (address, names),
                        (CALLBACK, vec!["error", "error_description", "iss", "state"])
                    );
                    assert_eq!(said[0].1, code);
                }
            }
            query.push(("response_mode", "form_post"));
            let answer = refused(provider, &query, code).await;
            let html = String::from_utf8_lossy(&answer.0.body).into_owned();
            assert!(html.contains(code) && answer.0.header("location").is_none());
            let inputs = if to == To::Redirect { 4 } else { 0 };
            assert_eq!(html.matches("type=\"hidden\"").count(), inputs, "{code}");
        }
    }
}

/// The answer of a host that can show no page to a request that has to end so.
async fn refused(provider: &Provider, query: &[(&str, &str)], code: &str) -> Answer {
    let server = &provider.fixture.server;
    let asked = match server.authorize(&Request::get(encode(query))).await {
        Ok(asked) => asked,
        Err(page) => return Answer(page.into_response()),
    };
    let answered = |required| match required {
        LoginRequired::Answered(response) => Answer(response),
        LoginRequired::ShowLogin(_) => panic!("{code}: a page"),
    };
    match code {
        "login_required" => return answered(asked.login_required().await),
        "account_selection_required" => return answered(asked.account_selection_required().await),
        _ => {}
    }
    match asked.signed_in(provider.fixture.alice()).await {
        SignedIn::Consent(consent) if code == "consent_required" => Answer(consent.consent_required().await),
        SignedIn::Consent(consent) => Answer(consent.interaction_required().await),
        SignedIn::Answered(response) => Answer(response),
        SignedIn::Reauthenticate(_) => panic!("{code}: a page"),
    }
}
