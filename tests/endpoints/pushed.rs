//! Pushed authorization requests: RFC 9126.

use grantor::issuance::Fields;
use grantor::store::{Filter, Page};
use grantor::{Client, EventKind, Reason, Request, Resource, SignedIn, TokenStore as _};
use serde_json::Value;

use crate::support::device::DEVICE_CODE;
use crate::support::http::{bare, post, post_as, send};
use crate::support::pushing::{Form, asking, page, push, pushed, visit, with_clients};
use crate::support::{Answer, CALLBACK, CHALLENGE, Fixture, SECRET, basic, code_query, encode, redemption};

const URN: &str = "urn:ietf:params:oauth:request_uri:";
const RS1: &str = "https://rs1.example";
const RS2: &str = "https://rs2.example";

/// The body of the only grant.
async fn stored(fixture: &Fixture) -> String {
    let listing = fixture.store.list(&Filter::default(), Page::first(2)).await.unwrap();
    assert_eq!(listing.records.len(), 1);
    listing.records[0].grant().encode()
}

#[tokio::test]
async fn pr_01_it_is_a_posted_form_of_an_authenticated_client() {
    let fixture = Fixture::new();
    let form = encode(&code_query("conf", "read"));
    let unproven = Answer(fixture.server.pushed_authorization_request(&Request::post_form(&*form)).await);
    assert_eq!(unproven.error(), (401, "invalid_client".into()));
    let wrong = send(&fixture.server, post_as("/par", &basic("conf", "wrong"), form.clone())).await;
    assert_eq!((wrong.status, wrong.json()["error"].as_str()), (401, Some("invalid_client")));
    assert_eq!(send(&fixture.server, bare("GET", &format!("/par?{form}"))).await.status, 405);
    assert_eq!(fixture.count().await, 0, "nothing was stored");
    for client in ["conf", "post", "native", "pub"] {
        assert_eq!(push(&fixture, client, &asking(client)).await.status(), 201, "{client}");
    }
    let twice = send(&fixture.server, post("/par", &code_query("conf", "read"))).await;
    assert_eq!(twice.status, 201, "the header and client_id may both name the client");
}

#[tokio::test]
async fn pr_02_a_pushed_request_names_no_request_uri() {
    let fixture = Fixture::new();
    let own = pushed(&fixture, "conf").await;
    for uri in [own.as_str(), "https://app.example/request", "urn:ietf:params:oauth:request_uri:x"] {
        let mut form = asking("conf");
        form.push(("request_uri", uri));
        assert_eq!(push(&fixture, "conf", &form).await.error(), (400, "invalid_request".into()), "{uri}");
    }
}

/// Each with what it is refused for.
const WRONG: [(&str, &str); 9] = [
    ("scope", "unknown"),
    ("scope", "\u{e9}"),
    ("response_type", "token"),
    ("response_type", ""),
    ("response_mode", "web_message"),
    ("code_challenge", "short"),
    ("code_challenge_method", "plain"),
    ("prompt", "none login"),
    ("max_age", "soon"),
];

#[tokio::test]
async fn pr_03_it_is_judged_as_an_authorization_request_would_be() {
    let fixture = Fixture::new();
    for (name, value) in WRONG {
        let mut form = asking("conf");
        form.retain(|(own, _)| *own != name);
        form.push((name, value));
        let told = push(&fixture, "conf", &form).await;
        let reason = fixture.log.last_reason();
        form.push(("client_id", "conf"));
        let direct = fixture.approve(&form).await;
        assert_eq!(told.status(), 400, "{name}={value}");
        assert_eq!(told.text("error"), direct.location_parameter("error").unwrap(), "{name}={value}");
        assert_eq!(reason, fixture.log.last_reason(), "{name}={value}");
    }
    let mut twice = asking("conf");
    twice.push(("scope", "write"));
    assert_eq!(push(&fixture, "conf", &twice).await.error(), (400, "invalid_request".into()));
    let robot = push(&fixture, "robot", &asking("robot")).await;
    assert_eq!(robot.error(), (400, "invalid_request".into()), "it has no redirect URI");
    assert_eq!(fixture.count().await, 0, "nothing was stored");
}

#[tokio::test]
async fn pr_04_the_answer_is_a_request_uri_of_its_own_kind() {
    let fixture = Fixture::with(|builder| builder.device_verification("/device"));
    let answer = push(&fixture, "conf", &asking("conf")).await;
    assert_eq!((answer.status(), answer.0.header("cache-control")), (201, Some("no-store")));
    assert_eq!(answer.json().as_object().unwrap().len(), 2);
    let uri = answer.text("request_uri");
    let handle = uri.strip_prefix(URN).expect("the URN");
    assert!(handle.starts_with("gpr_") && handle.len() == 4 + 64, "{handle}");
    assert_ne!(uri, pushed(&fixture, "conf").await);

    assert_eq!(fixture.redeem("conf", handle).await.error().1, "invalid_grant");
    assert_eq!(fixture.refresh("conf", handle).await.error().1, "invalid_grant");
    let device = [("grant_type", DEVICE_CODE), ("device_code", handle)];
    assert_eq!(fixture.token("conf", &device).await.error().1, "invalid_grant");
    assert!(!fixture.is_live(handle).await);
    assert_eq!(fixture.introspect("conf", handle).await.json(), serde_json::json!({ "active": false }));
    assert_eq!(fixture.revoke("conf", handle).await.status(), 200);
    for prefix in ["gac_", "gat_", "grt_", "gdc_"] {
        let disguised = format!("{prefix}{}", &handle[4..]);
        assert_eq!(fixture.redeem("conf", &disguised).await.error().1, "invalid_grant", "{prefix}");
        assert_eq!(fixture.refresh("conf", &disguised).await.error().1, "invalid_grant", "{prefix}");
        assert_eq!(fixture.revoke("conf", &disguised).await.status(), 200, "{prefix}");
        let other = format!("{URN}{disguised}");
        assert_eq!(page(&fixture, &visit("conf", &other)).await.code(), "invalid_request_uri", "{prefix}");
    }
    let answered = fixture.approve(&visit("conf", &uri)).await;
    let code = answered.location_parameter("code").expect("none of it changed the request");
    let as_request = format!("{URN}{code}");
    assert_eq!(page(&fixture, &visit("conf", &as_request)).await.code(), "invalid_request_uri");
    assert_eq!(fixture.redeem("conf", &code).await.status(), 200);
}

#[tokio::test]
async fn pr_05_a_request_uri_of_another_client_leads_nowhere() {
    let fixture = Fixture::new();
    let uri = pushed(&fixture, "conf").await;
    let refused = page(&fixture, &visit("other", &uri)).await;
    assert_eq!((refused.code(), refused.status()), ("invalid_request_uri", 400));
    assert_eq!(refused.reason(), Reason::RequestUriForAnotherClient);
    let cut = &uri[..uri.len() - 1];
    for unknown in [cut, URN, &format!("{uri}A")] {
        assert_eq!(page(&fixture, &visit("conf", unknown)).await.reason(), Reason::RequestUriUnknown);
    }
    assert_eq!(page(&fixture, &[("request_uri", &uri)]).await.code(), "invalid_request", "no client_id");
    assert!(fixture.approve(&visit("conf", &uri)).await.location_parameter("code").is_some());
}

#[tokio::test]
async fn pr_05_a_repeated_request_uri_leads_nowhere() {
    let fixture = Fixture::new();
    let uri = pushed(&fixture, "conf").await;
    let twice = [visit("conf", &uri), vec![("request_uri", &*uri)]].concat();
    assert_eq!(page(&fixture, &twice).await.code(), "invalid_request");
    let beside = [visit("conf", &uri), vec![("request_uri", "https://app.example/request")]].concat();
    assert_eq!(page(&fixture, &beside).await.code(), "invalid_request");
    assert!(fixture.approve(&visit("conf", &uri)).await.location_parameter("code").is_some());
}

#[tokio::test]
async fn pr_06_a_request_uri_expires_and_is_good_for_one_code() {
    let fixture = Fixture::new();
    let uri = pushed(&fixture, "conf").await;
    let code = fixture.approve(&visit("conf", &uri)).await.location_parameter("code").expect("a code");
    assert_eq!(page(&fixture, &visit("conf", &uri)).await.code(), "invalid_request_uri", "spent");
    assert_eq!(fixture.redeem("conf", &code).await.status(), 200);
    assert_eq!(page(&fixture, &visit("conf", &uri)).await.reason(), Reason::RequestUriUnknown);

    let late = pushed(&fixture, "conf").await;
    fixture.after(61);
    let refused = page(&fixture, &visit("conf", &late)).await;
    assert_eq!((refused.code(), refused.reason()), ("invalid_request_uri", Reason::RequestUriExpired));
}

#[tokio::test]
async fn d_24_the_first_visit_has_to_be_in_time_and_then_the_user_has_time() {
    for (first, then, approved) in [(59, 120, true), (59, 1800, true), (59, 1801, false), (60, 0, false)] {
        let fixture = Fixture::new();
        let uri = pushed(&fixture, "conf").await;
        fixture.after(first);
        let request = Request::get(encode(&visit("conf", &uri)));
        let visited = fixture.server.authorize(&request).await;
        assert_eq!(visited.is_ok(), first < 60, "{first}");
        fixture.after(then);
        match approved {
            true => assert!(fixture.approve(&visit("conf", &uri)).await.location_parameter("code").is_some()),
            false => assert_eq!(page(&fixture, &visit("conf", &uri)).await.code(), "invalid_request_uri"),
        }
    }
}

#[tokio::test]
async fn pr_07_every_refusal_is_json() {
    let fixture = Fixture::new();
    let get = send(&fixture.server, bare("GET", "/par")).await;
    assert_eq!((get.status, get.header("allow")), (405, Some("POST")));
    let large = format!("state={}", "x".repeat(70_000));
    let large = send(&fixture.server, post_as("/par", &basic("conf", SECRET), large)).await;
    assert_eq!(large.status, 413);
    let text = Request::post_form("x=1").header("content-type", "text/plain");
    let text = Answer(fixture.server.pushed_authorization_request(&text).await);
    for (status, error) in [(get.status, get.json()), (413, large.json()), (text.status(), text.json())] {
        assert!(error["error"].is_string(), "{status}: {error}");
    }
    // It fits as it was sent, and would not be read back as it is stored.
    let long = "\u{e9}".repeat(4000);
    let form: Vec<(String, &str)> = (0..4).map(|n| (format!("x{n}"), long.as_str())).collect();
    let mut body = encode(&asking("conf")).into_bytes();
    form.iter().for_each(|(name, value)| body.extend_from_slice(format!("&{name}={value}").as_bytes()));
    assert!(body.len() < 64 * 1024);
    let raw = Request::post_form(body).header("authorization", basic("conf", SECRET));
    assert_eq!(fixture.server.pushed_authorization_request(&raw).await.status, 413);
    assert_eq!(fixture.count().await, 0);
}

#[tokio::test]
async fn pr_11_the_client_is_judged_as_it_is_when_its_user_comes() {
    let fixture = Fixture::new();
    let uri = pushed(&fixture, "conf").await;
    let disabled = with_clients(&fixture, |client| (client.id().as_str() != "conf").then_some(client));
    assert_eq!(page(&disabled, &visit("conf", &uri)).await.reason(), Reason::ClientUnregistered);
    let moved = with_clients(&fixture, |client| match client.id().as_str() {
        "conf" => Client::builder("conf").redirect_uri("https://new.example/cb").secret(SECRET).build().ok(),
        _ => Some(client),
    });
    assert_eq!(page(&moved, &visit("conf", &uri)).await.reason(), Reason::RedirectUriUnregistered);
    let narrowed = with_clients(&fixture, |client| match client.id().as_str() {
        "conf" => Client::builder("conf").redirect_uri(CALLBACK).secret(SECRET).scope("write").build().ok(),
        _ => Some(client),
    });
    let refused = narrowed.approve(&visit("conf", &uri)).await;
    assert_eq!(refused.location_parameter("error").as_deref(), Some("invalid_scope"));
    assert!(fixture.approve(&visit("conf", &uri)).await.location_parameter("code").is_some());
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Payment {
    #[serde(rename = "amount")]
    _amount: u32,
}

#[tokio::test]
async fn pr_14_every_parameter_survives_the_push_byte_for_byte() {
    let fixture = Fixture::with(|builder| {
        let payment = Fields::<Payment>::new();
        let builder = builder.authorization_details_type("payment", payment);
        builder.resource(Resource::new(RS1).scopes(["read"])).resource(Resource::new(RS2).scopes(["read"]))
    });
    let state = "a+b &=%20\u{1F511}\"<>".repeat(100);
    let claims = r#"{"id_token":{"acr":{"essential":true}}}"#;
    let details = r#"[{"type":"payment","amount":12}]"#;
    let mut form = asking("other");
    form.retain(|(name, _)| *name != "state");
    form.extend([
        ("state", state.as_str()),
        ("nonce", "n-0S6_WzA2Mj"),
        ("claims", claims),
        ("authorization_details", details),
        ("resource", RS1),
        ("resource", RS2),
        ("dpop_jkt", "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"),
        ("login_hint", "alice@example.com"),
        ("acr_values", "urn:example:gold urn:example:silver"),
        ("ui_locales", "de fr"),
        ("x", "\u{e9} +%"),
    ]);
    let answer = push(&fixture, "other", &form).await;
    assert_eq!(answer.status(), 201, "{}", answer.json());
    let body: Value = serde_json::from_str(&stored(&fixture).await).unwrap();
    let kept: Vec<(String, String)> =
        serde_urlencoded::from_str(body["stage"]["pushed"]["parameters"].as_str().unwrap()).unwrap();
    let kept: Form<'_> = kept.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(kept, form, "in their order");

    let uri = answer.text("request_uri");
    let request = Request::get(encode(&visit("other", &uri)));
    let visited = fixture.server.authorize(&request).await.unwrap();
    assert_eq!(visited.requested().login_hint(), Some("alice@example.com"));
    assert_eq!(visited.requested().ui_locales().collect::<Vec<_>>(), ["de", "fr"]);
    let login = fixture.alice().with_acr("urn:example:silver");
    let SignedIn::Consent(consent) = visited.signed_in(login).await else { panic!("no consent") };
    assert_eq!(consent.resources().as_slice().len(), 2);
    let asked: Value = serde_json::from_str(details).unwrap();
    assert_eq!(serde_json::to_value(consent.details()).unwrap(), asked);
    let answered = Answer(consent.approve().await);
    assert_eq!(answered.location_parameter("state").unwrap(), state);
    let mut redeemed = redemption("");
    let code = answered.location_parameter("code").unwrap();
    redeemed[1].1 = &code;
    redeemed.push(("resource", RS2));
    let tokens = fixture.token("other", &redeemed).await;
    assert_eq!(tokens.json()["authorization_details"], asked);
}

#[tokio::test]
async fn az_34_no_parameter_beside_a_request_uri_counts() {
    let fixture = Fixture::new();
    let uri = pushed(&fixture, "conf").await;
    let mut query = visit("conf", &uri);
    query.extend([("scope", "write"), ("state", "another"), ("redirect_uri", "https://evil.example/cb")]);
    query.extend([("response_mode", "fragment"), ("code_challenge", "x"), ("prompt", "none login")]);
    let answer = fixture.approve(&query).await;
    assert!(answer.location().starts_with(&format!("{CALLBACK}?")));
    assert_eq!(answer.location_parameter("state").as_deref(), Some("the state"));
    let code = answer.location_parameter("code").unwrap();
    assert_eq!(fixture.redeem("conf", &code).await.text("scope"), "read");
}

#[tokio::test]
async fn pr_16_an_invalid_push_never_redirects() {
    let fixture = Fixture::new();
    for (name, value) in WRONG {
        let mut form = asking("conf");
        form.retain(|(own, _)| *own != name);
        form.extend([(name, value), ("response_mode", "form_post")]);
        let told = push(&fixture, "conf", &form).await;
        assert_eq!((told.status(), told.0.header("location")), (400, None), "{name}={value}");
        assert_eq!(told.0.header("content-type"), Some("application/json"));
    }
}

#[tokio::test]
async fn pr_19_a_visit_consumes_nothing() {
    let fixture = Fixture::new();
    let uri = pushed(&fixture, "conf").await;
    let query = encode(&visit("conf", &uri));
    for _ in 0..3 {
        let visited = fixture.server.authorize(&Request::get(&*query)).await.unwrap();
        drop(visited.login_required().await);
        let visited = fixture.server.authorize(&Request::get(&*query)).await.unwrap();
        assert!(visited.signed_in(fixture.alice()).await.consent().is_some(), "the page, and no answer");
    }
    let mut head = Request::get(&*query);
    head.method = grantor::http::Method::Head;
    assert!(fixture.server.authorize(&head).await.is_ok());
    assert!(fixture.approve(&visit("conf", &uri)).await.location_parameter("code").is_some());
    let whats = fixture.log.whats();
    assert_eq!(whats.iter().filter(|what| matches!(what, EventKind::RequestPushed)).count(), 1);
    assert_eq!(whats.iter().filter(|what| matches!(what, EventKind::CodeIssued)).count(), 1);
}

#[tokio::test]
async fn a_denial_is_the_one_answer_to_a_pushed_request() {
    let fixture = Fixture::new();
    let uri = pushed(&fixture, "conf").await;
    let query = encode(&visit("conf", &uri));
    let open = async || {
        let visited = fixture.server.authorize(&Request::get(&*query)).await.unwrap();
        visited.signed_in(fixture.alice()).await.consent().unwrap()
    };
    let (first, second, third) = (open().await, open().await, open().await);
    for denied in [first, second] {
        let denied = Answer(denied.deny().await);
        assert_eq!(denied.location_parameter("error").as_deref(), Some("access_denied"), "in two windows");
    }
    assert_eq!(third.approve().await.status, 400);
    assert_eq!(fixture.log.last_reason(), Some(Reason::RequestUriSpent));
    assert!(fixture.server.authorize(&Request::get(&*query)).await.is_err());

    let uri = pushed(&fixture, "conf").await;
    let query = encode(&visit("conf", &uri));
    let late = fixture.server.authorize(&Request::get(&*query)).await.unwrap();
    let late = late.signed_in(fixture.alice()).await.consent().unwrap();
    let code = fixture.approve(&visit("conf", &uri)).await.location_parameter("code").unwrap();
    drop(late.deny().await);
    assert_eq!(fixture.redeem("conf", &code).await.status(), 200, "it was approved before");
}

#[tokio::test]
async fn pr_20_the_stored_request_holds_no_credential() {
    let fixture = Fixture::new();
    let answer = push(&fixture, "post", &asking("post")).await;
    let uri = answer.text("request_uri");
    let body = stored(&fixture).await;
    let handle = &uri[URN.len()..];
    for secret in [SECRET, "client_secret", "client_id=", handle, &handle[4..], &handle[30..]] {
        assert!(!body.contains(secret), "{secret} in {body}");
    }
    let shown = format!("{:?}", fixture.store.list(&Filter::default(), Page::first(1)).await.unwrap());
    assert!(!shown.contains(CHALLENGE), "the parameters may name a person: {shown}");
}

#[tokio::test]
async fn a_pushed_request_of_implicit_tokens_is_answered_once_too() {
    let fixture = Fixture::legacy();
    let mut form = asking("legacy");
    form.retain(|(name, _)| !name.starts_with("code_") && *name != "response_type");
    form.push(("response_type", "token"));
    let uri = push(&fixture, "legacy", &form).await.text("request_uri");
    let answer = fixture.approve(&visit("legacy", &uri)).await;
    assert!(fixture.is_live(&answer.location_parameter("access_token").unwrap()).await);
    assert_eq!(page(&fixture, &visit("legacy", &uri)).await.code(), "invalid_request_uri");
    assert_eq!(fixture.count().await, 1, "the tokens replace the request");
}

#[tokio::test]
async fn two_sources_in_one_request_are_refused() {
    let fixture = Fixture::new();
    let uri = pushed(&fixture, "conf").await;
    let mut query = visit("conf", &uri);
    query.push(("request", "e30.e30."));
    let refused = page(&fixture, &query).await;
    assert_eq!((refused.code(), refused.reason()), ("invalid_request", Reason::RequestSourcesMixed));
}
