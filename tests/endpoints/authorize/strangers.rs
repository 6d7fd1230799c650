//! Clients that no one at the host chose: errors for them, and the terms that their users see.

use grantor::issuance::Fields;
use grantor::{
    AuthorizationDetails, BrowserSession, LoginRequired, Profile, Registration, Request, Resource, Scope,
    SignedIn,
};
use serde_json::{Value, json};

use crate::support::device::DEVICE_CODE;
use crate::support::registering::{Registering, app_with};
use crate::support::site::{DOCUMENT, Site, changed};
use crate::support::{Answer, CALLBACK, Fixture, code_query, encode, redemption, request};

fn with<'a>(client: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let kept = code_query(client, "read");
    let kept = kept.into_iter().filter(|(name, _)| !more.iter().any(|(n, _)| n == name));
    kept.chain(more.iter().copied()).collect()
}

/// A page with the error, the host and a link, and no redirect.
fn assert_page(answer: &Answer, error: &str, what: &str) {
    assert_eq!((answer.status(), answer.0.header("location")), (400, None), "{what}");
    let html = String::from_utf8_lossy(&answer.0.body);
    assert!(html.contains(&format!("id=\"oauth-error\">{error}<")), "{what}: {html}");
    assert!(html.contains("<bdi id=\"redirect-host\">app.example</bdi>"), "{what}: {html}");
    let link = html.contains(&format!("href=\"{CALLBACK}?error={error}&amp;"));
    assert!(link || html.contains(&format!("action=\"{CALLBACK}\"")), "{what}: {html}");
    assert!(!html.contains("<script"), "{what}");
}

/// Two clients that chose their addresses themselves, each of another kind.
async fn strangers() -> [(Fixture, String); 2] {
    let registering = Registering::on(Registration::open());
    let own = registering.registered(&app_with(json!({ "token_endpoint_auth_method": "none" }))).await;
    let id = own.0["client_id"].as_str().unwrap().to_owned();
    let site = Site::new();
    site.put(DOCUMENT, changed(&[]));
    let by_document = Fixture::with(|builder| builder.client_id_metadata_documents(site));
    [(registering.fixture, id), (by_document, DOCUMENT.to_owned())]
}

#[tokio::test]
async fn ft_15_an_error_of_a_stranger_is_a_page_until_the_user_approved_it_once() {
    for (fixture, id) in strangers().await {
        let wrong = with(&id, &[("scope", "unknown")]);
        assert_page(&fixture.approve(&wrong).await, "invalid_scope", &id);
        let by_form = with(&id, &[("scope", "unknown"), ("response_mode", "form_post")]);
        assert_page(&fixture.approve(&by_form).await, "invalid_scope", &id);

        let approved = fixture.approve(&code_query(&id, "read")).await;
        assert!(approved.location_parameter("code").is_some(), "{id}");
        let answer = fixture.approve(&wrong).await;
        assert_eq!(answer.location_parameter("error").as_deref(), Some("invalid_scope"), "{id}");

        // Of one user alone.
        let ask = fixture.server.authorize(&Request::get(encode(&wrong))).await.unwrap();
        let SignedIn::Answered(page) =
            ask.signed_in(grantor::Login::new("bob", fixture.alice().authentication().auth_time)).await
        else {
            panic!("an error")
        };
        assert_page(&Answer(page), "invalid_scope", &id);
    }
}

#[tokio::test]
async fn ft_15_so_are_a_denial_and_what_prompt_none_answers() {
    for (fixture, id) in strangers().await {
        let ask = async |query: Vec<(&str, &str)>| {
            fixture.server.authorize(&Request::get(encode(&query))).await.unwrap()
        };
        let consent = ask(code_query(&id, "read")).await.signed_in(fixture.alice()).await.consent().unwrap();
        assert_page(&Answer(consent.deny().await), "access_denied", &id);
        let silent = with(&id, &[("prompt", "none")]);
        let LoginRequired::Answered(page) = ask(silent.clone()).await.login_required().await else {
            panic!("no login page")
        };
        assert_page(&Answer(page), "login_required", &id);
        let consent = ask(silent).await.signed_in(fixture.alice()).await.consent().unwrap();
        assert_page(&Answer(consent.consent_required().await), "consent_required", &id);
    }
}

#[tokio::test]
async fn ft_15_a_program_on_the_users_device_hears_that_the_user_said_no() {
    let registering = Registering::on(Registration::open());
    let native = json!({ "token_endpoint_auth_method": "none", "redirect_uris": ["http://127.0.0.1/cb"] });
    let own = registering.registered(&app_with(native)).await;
    let id = own.0["client_id"].as_str().unwrap();
    let query = with(id, &[("redirect_uri", "http://127.0.0.1:4000/cb")]);
    let ask = registering.fixture.server.authorize(&Request::get(encode(&query))).await.unwrap();
    let consent = ask.signed_in(registering.fixture.alice()).await.consent().unwrap();
    let denied = Answer(consent.deny().await);
    assert_eq!(denied.location_parameter("error").as_deref(), Some("access_denied"));
}

#[tokio::test]
async fn ft_15_a_hidden_frame_of_openid_connect_keeps_its_redirect() {
    let site = Site::new();
    site.put(DOCUMENT, changed(&[]));
    let fixture = |scopes: &[&str]| {
        let scopes = scopes.to_vec();
        Fixture::with(|builder| builder.client_id_metadata_documents(site.clone()).scopes(scopes))
    };
    let silent = with(DOCUMENT, &[("prompt", "none"), ("scope", "openid")]);
    for (scopes, redirects) in [(&["read", "openid"][..], true), (&["read"], false)] {
        let ask = fixture(scopes).server.authorize(&Request::get(encode(&silent))).await.unwrap();
        let LoginRequired::Answered(answer) = ask.login_required().await else { panic!("no login page") };
        assert_eq!(answer.status == 303, redirects, "{scopes:?}");
    }
}

const MCP: &str = "https://mcp.example/mcp";
const OTHER: &str = "https://other.example/mcp";

fn mcp() -> Fixture {
    let registry = std::sync::Arc::new(grantor::MemoryRegistry::new(crate::support::clients()));
    Fixture::with(|builder| {
        builder
            .profile(Profile::Mcp)
            .clients(registry.clone())
            .registrar(registry)
            .client_id_metadata_documents(Site::new())
            .device_verification("/device")
            .resource(Resource::new(MCP))
            .resource(Resource::new(OTHER))
    })
}

fn named(resources: &grantor::base::ResourceIndicators) -> Vec<&str> {
    resources.as_slice().iter().map(grantor::ResourceId::as_str).collect()
}

#[tokio::test]
async fn ft_09_what_a_late_resource_may_name_is_on_the_page_and_in_the_grant() {
    let fixture = mcp();
    let ask = async |more: &[(&str, &str)]| {
        let query = [code_query("pub", "read"), more.to_vec()].concat();
        let ask = fixture.server.authorize(&Request::get(encode(&query))).await.unwrap();
        ask.signed_in(fixture.alice()).await.consent().unwrap()
    };
    let consent = ask(&[]).await;
    assert_eq!(named(consent.resources()), ["https://as.example", MCP, OTHER]);
    let code = Answer(consent.approve().await).location_parameter("code").unwrap();
    let mut form = redemption(&code);
    form.push(("resource", OTHER));
    let tokens = fixture.token("pub", &form).await;
    let access = fixture.server.check(&tokens.access_token()).await.unwrap();
    assert_eq!(access.audience().map(grantor::ResourceId::as_str), Some(OTHER));
    let grants = fixture.server.grants_of(&grantor::Subject::user("alice")).await.unwrap();
    assert_eq!(named(grants[0].grant().resources()), ["https://as.example", MCP, OTHER]);

    let code = Answer(ask(&[]).await.approve().await).location_parameter("code").unwrap();
    let tokens = fixture.redeem("pub", &code).await;
    let access = fixture.server.check(&tokens.access_token()).await.unwrap();
    assert_eq!(access.audience(), None, "a client that never names one");

    let consent = ask(&[("resource", MCP)]).await;
    assert_eq!(named(consent.resources()), [MCP]);
    let code = Answer(consent.approve().await).location_parameter("code").unwrap();
    let mut form = redemption(&code);
    form.push(("resource", OTHER));
    assert_eq!(fixture.token("pub", &form).await.error().1, "invalid_target", "not what was shown");
}

#[tokio::test]
async fn ft_09_so_it_is_with_a_device() {
    let fixture = mcp();
    let codes = fixture.waits().await;
    let consent = fixture.enter(&codes.user, "one").await.unwrap();
    assert_eq!(named(consent.resources()), ["https://as.example", MCP, OTHER]);
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Payment {
    amount: u32,
}

fn paying() -> Fixture {
    Fixture::with(|builder| {
        let payment = Fields::<Payment>::new().only_if(|payment| payment.amount > 0);
        builder.authorization_details_type("payment", payment).device_verification("/device")
    })
}

fn payments(amounts: &[u32]) -> Value {
    amounts.iter().map(|amount| json!({ "type": "payment", "amount": amount })).collect()
}

#[tokio::test]
async fn ft_08_a_detail_that_was_granted_once_is_had_once() {
    let fixture = paying();
    let granted = payments(&[1, 2]).to_string();
    let code = fixture.approve(&with("conf", &[("authorization_details", &granted)])).await;
    let code = code.location_parameter("code").unwrap();
    let redeem = async |amounts: &[u32]| {
        let asked = payments(amounts).to_string();
        let mut form = redemption(&code);
        form.push(("authorization_details", &asked));
        Answer(fixture.server.token(&request("conf", &form)).await)
    };
    for more in [&[1; 16][..], &[1, 1], &[2, 2], &[1, 2, 1]] {
        assert_eq!(redeem(more).await.error().1, "invalid_authorization_details", "{more:?}");
    }
    assert_eq!(redeem(&[2, 1]).await.json()["authorization_details"], payments(&[2, 1]));
}

async fn device_asks(fixture: &Fixture, scope: &str) -> (String, grantor::DeviceConsent) {
    let details = payments(&[1, 2]).to_string();
    let codes = fixture.begin("tv", &[("scope", scope), ("authorization_details", &details)]).await;
    let claimant = BrowserSession::session("one");
    let waiting = fixture.server.device(&codes.text("user_code"), &claimant, None).await.unwrap();
    (codes.text("device_code"), waiting.signed_in(fixture.alice()))
}

async fn poll(fixture: &Fixture, device_code: &str) -> Answer {
    fixture.token("tv", &[("grant_type", DEVICE_CODE), ("device_code", device_code)]).await
}

#[tokio::test]
async fn ft_37_a_user_who_keeps_only_the_details_says_yes_to_a_device() {
    let fixture = paying();
    let (code, consent) = device_asks(&fixture, "read").await;
    consent.approve_scope(&Scope::empty()).await.unwrap();
    let tokens = poll(&fixture, &code).await;
    assert_eq!(tokens.json()["authorization_details"], payments(&[1, 2]), "{}", tokens.json());
    assert_ne!(tokens.json()["scope"], "read");
}

#[tokio::test]
async fn ft_37_the_details_of_a_device_can_be_narrowed_and_are_what_its_tokens_have() {
    let fixture = paying();
    let chosen = |amounts: &[u32]| AuthorizationDetails::parse(&payments(amounts).to_string()).unwrap();
    let (code, mut consent) = device_asks(&fixture, "read").await;
    consent.set_details(chosen(&[2])).unwrap();
    assert!(consent.set_details(chosen(&[0])).is_err());
    consent.approve().await.unwrap();
    let tokens = poll(&fixture, &code).await;
    assert_eq!(tokens.json()["authorization_details"], payments(&[2]));

    let (code, mut consent) = device_asks(&fixture, "read").await;
    consent.set_details(AuthorizationDetails::default()).unwrap();
    consent.approve_scope(&Scope::empty()).await.unwrap();
    assert_eq!(poll(&fixture, &code).await.error().1, "access_denied", "yes to nothing is no");
}

#[tokio::test]
async fn ft_37_yes_to_nothing_is_no_in_a_browser_too() {
    let fixture = paying();
    let details = payments(&[1]).to_string();
    let query = with("conf", &[("scope", "read"), ("authorization_details", &details)]);
    let ask = fixture.server.authorize(&Request::get(encode(&query))).await.unwrap();
    let mut consent = ask.signed_in(fixture.alice()).await.consent().unwrap();
    consent.set_details(AuthorizationDetails::default()).unwrap();
    let answer = Answer(consent.approve_scope(&Scope::empty()).await);
    assert_eq!(answer.location_parameter("error").as_deref(), Some("access_denied"));
}

#[tokio::test]
async fn ft_16_a_name_that_cannot_be_seen_is_not_registered() {
    let registering = Registering::on(Registration::open());
    for name in ["\u{3164}", "\u{2800}", "\u{FFA0}", "\u{00AD}", "\u{034F}", "\u{FE0F}", "\u{FFF9}", "..."] {
        let refusal = registering.refusal(json!({ "client_name": name })).await;
        assert_eq!(refusal, (400, "invalid_client_metadata".to_owned()), "{name:?}");
    }
    for name in ["می\u{200C}خواهم", "Family 👩\u{200D}👩\u{200D}👧"] {
        let own = registering.registered(&app_with(json!({ "client_name": name }))).await;
        assert_eq!(own.0["client_name"], name);
    }
}
