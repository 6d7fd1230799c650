//! What a consent page showed, and clients that change their registration while it is open.

use grantor::{AuthorizationDetail, AuthorizationServer, Consent, DetailType, Login, Registration, Request};
use grantor::{Resource, ResponseType, Scope};
use serde_json::{Value, json};

use crate::support::hybrid::{self, NONCE};
use crate::support::provider::Provider;
use crate::support::registering::{Own, Registering, app_with};
use crate::support::{code_query, encode};

const API: &str = "https://api.example";

async fn consent(server: &AuthorizationServer, query: &[(&str, &str)], login: Login) -> Consent {
    let ask = server.authorize(&Request::get(encode(query))).await.expect("a proven address");
    ask.signed_in(login).await.consent().expect("a request in order")
}

/// A request that leaves to the registration what it can.
fn short(own: &Own) -> Vec<(&str, &str)> {
    let mut query = code_query(own.id(), "read");
    query.retain(|(name, _)| !matches!(*name, "scope" | "redirect_uri"));
    query
}

/// Changes these members of a client that registered itself for `read`.
async fn change(server: &Registering, own: &Own, members: &Value) {
    let mut metadata = app_with(json!({ "scope": "read" }));
    metadata["client_id"] = own.id().into();
    metadata["client_secret"] = own.text("client_secret").into();
    for (name, value) in members.as_object().unwrap() {
        metadata[name] = value.clone();
    }
    let answer = server.put(own, &metadata).await;
    assert_eq!(answer.status(), 200, "{}", answer.json());
}

#[tokio::test]
async fn a_client_that_changes_its_registration_changes_the_fingerprint() {
    let server = Registering::on(Registration::open());
    let (host, alice) = (&server.fixture.server, || server.fixture.alice());
    for members in [
        json!({ "scope": "read write" }),
        json!({ "redirect_uris": ["https://elsewhere.example/cb"] }),
        json!({ "client_name": "Another" }),
        json!({ "client_uri": "https://elsewhere.example" }),
    ] {
        let own = server.registered(&app_with(json!({ "scope": "read" }))).await;
        let page = consent(host, &short(&own), alice()).await;
        assert_eq!(page.scope(), &Scope::parse("read").unwrap());
        let shown = page.fingerprint();
        assert_eq!(consent(host, &short(&own), alice()).await.fingerprint(), shown, "nothing has changed");
        change(&server, &own, &members).await;
        assert_ne!(consent(host, &short(&own), alice()).await.fingerprint(), shown, "{members}");
    }
}

/// Details of any form.
struct Anything;

impl DetailType for Anything {
    fn accepts(&self, _: &AuthorizationDetail) -> bool {
        true
    }
}

#[tokio::test]
async fn each_part_that_is_shown_counts_and_nothing_else_does() {
    let provider = Provider::with(Vec::new(), |builder| {
        builder.resource(Resource::new(API)).authorization_details_type("payment", Anything)
    });
    let (host, alice) = (&provider.fixture.server, || provider.fixture.alice());
    let of = async |query: &[(&str, &str)], login: Login| consent(host, query, login).await.fingerprint();
    let base = code_query("pub", "openid read");
    let with = |name: &'static str, value: &'static str| {
        let mut query = base.clone();
        query.retain(|(own, _)| *own != name);
        query.push((name, value));
        query
    };
    let shown = of(&base, alice()).await;
    assert!(shown.len() == 43 && shown.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)));
    assert_eq!(of(&with("state", "another state"), alice()).await, shown);
    assert_eq!(of(&with("login_hint", "alice"), alice()).await, shown);

    let bob = Login::new("bob", alice().authentication().auth_time);
    let mut seen = vec![shown, of(&base, bob).await];
    for (name, value) in [
        ("client_id", "other"),
        ("redirect_uri", "http://127.0.0.1:1/cb"),
        ("scope", "openid"),
        ("scope", "openid read write"),
        ("resource", API),
        ("claims", r#"{"userinfo":{"email":null}}"#),
        ("claims", r#"{"userinfo":{"email":null,"phone_number":null}}"#),
        ("authorization_details", r#"[{"type":"payment","amount":1}]"#),
        ("authorization_details", r#"[{"type":"payment","amount":2}]"#),
    ] {
        let fingerprint = of(&with(name, value), alice()).await;
        assert!(!seen.contains(&fingerprint), "{name}={value}");
        seen.push(fingerprint);
    }
}

#[tokio::test]
async fn each_response_type_counts() {
    let provider = hybrid::legacy();
    let mut seen = Vec::new();
    for response_type in ResponseType::ALL {
        let query = hybrid::query("app", response_type.as_str(), "openid read", &[NONCE]);
        let page = consent(&provider.fixture.server, &query, provider.fixture.alice()).await;
        let fingerprint = page.fingerprint();
        assert!(!seen.contains(&fingerprint), "{response_type:?}");
        seen.push(fingerprint);
    }
}
