//! A client that changes its registration while its consent page is open, on `examples/server`.

use serde_json::{Value, json};

use crate::support::browser::{Answer, Browser, Server, unescape};
use crate::support::{CALLBACK, code_query, encode, redemption};

const WRITE: &str = "Change your notes";

fn start() -> Server {
    Server::start_with("", "[registration]\nmode = \"open\"")
}

/// A public client that registered itself for `read`, and a request of it that names no scope.
struct Own {
    registered: Value,
    query: String,
}

fn metadata(scope: &str) -> Value {
    json!({ "redirect_uris": [CALLBACK], "scope": scope, "token_endpoint_auth_method": "none" })
}

impl Own {
    fn register(server: &Server) -> Self {
        let request = ureq::post(format!("{}/register", server.base));
        let request = request.header("content-type", "application/json");
        let text = request.send(metadata("read").to_string()).unwrap().into_body().read_to_string().unwrap();
        let registered: Value = serde_json::from_str(&text).unwrap();
        let mut query = code_query(registered["client_id"].as_str().unwrap(), "");
        query.retain(|(name, _)| *name != "scope");
        let query = encode(&query);
        Self { registered, query }
    }

    fn text(&self, name: &str) -> &str {
        self.registered[name].as_str().unwrap()
    }

    /// Registers for more (RFC 7592 section 2.2).
    fn widen(&self) {
        let mut wider = metadata("read write");
        wider["client_id"] = self.text("client_id").into();
        let request = ureq::put(self.text("registration_client_uri"));
        let request = request.header("content-type", "application/json");
        let token = format!("Bearer {}", self.text("registration_access_token"));
        let answer = request.header("authorization", token).send(wider.to_string()).unwrap();
        assert_eq!(answer.status().as_u16(), 200);
    }

    fn open(&self, browser: &mut Browser<'_>) -> Answer {
        browser.get(&format!("/consent?{}", self.query))
    }
}

/// Presses *Allow* on this page.
fn approve(browser: &mut Browser<'_>, page: &Answer) -> Answer {
    let (_, action) = page.body.split_once("action=\"/consent?").expect("a form");
    let action = format!("/consent?{}", action.split('"').next().unwrap());
    let (csrf, request) = (page.hidden("csrf"), page.hidden("request"));
    browser.post(&action, &[("csrf", &csrf), ("request", &request), ("decision", "approve")])
}

/// Whether it is a page that asks for `write`.
fn asks_to_write(page: &Answer) -> bool {
    assert_eq!((page.status, page.header("location")), (200, None), "{}", page.body);
    unescape(page.element("consent-scopes").unwrap()).contains(WRITE)
}

#[test]
fn a_client_that_asks_for_more_than_the_page_showed_has_to_ask_again() {
    let server = start();
    let own = Own::register(&server);
    let mut alice = server.signed_in("alice", "wonderland");
    let page = own.open(&mut alice);
    assert!(!asks_to_write(&page));
    own.widen();
    let again = approve(&mut alice, &page);
    assert!(asks_to_write(&again));
    assert!(alice.get("/account/grants").element("grants").is_none(), "nothing was granted");

    let code = approve(&mut alice, &again).location_parameter("code").expect("a code");
    let form = [redemption(&code), vec![("client_id", own.text("client_id"))]].concat();
    let tokens: Value = serde_json::from_str(&alice.post("/token", &form).body).unwrap();
    assert!(tokens["access_token"].is_string(), "{tokens}");
}

#[test]
fn a_second_window_does_not_change_what_the_first_one_showed() {
    let server = start();
    let own = Own::register(&server);
    let mut alice = server.signed_in("alice", "wonderland");
    let first = own.open(&mut alice);
    own.widen();
    assert!(asks_to_write(&own.open(&mut alice)));
    assert!(asks_to_write(&approve(&mut alice, &first)));
}

#[test]
fn a_form_that_names_no_fingerprint_answers_the_latest_page() {
    let server = start();
    let own = Own::register(&server);
    let mut alice = server.signed_in("alice", "wonderland");
    let page = own.open(&mut alice);
    let csrf = page.hidden("csrf");
    let form = [("csrf", &*csrf), ("request", &own.query), ("decision", "approve")];
    own.widen();
    assert!(asks_to_write(&alice.post("/consent", &form)));
    assert!(alice.post("/consent", &form).location_parameter("code").is_some());
}

#[test]
fn the_page_links_to_what_the_application_says_about_its_use_of_the_data() {
    let client = |links: &str| {
        format!(
            "[[clients]]\nclient_id = \"app\"\ntoken_endpoint_auth_method = \"none\"\nscope = \"read\"\n\
             redirect_uris = [\"{CALLBACK}\"]\n{links}"
        )
    };
    let shown = |links: &str| {
        let server = Server::start_with("", &client(links));
        let mut alice = server.signed_in("alice", "wonderland");
        alice.get(&format!("/consent?{}", encode(&code_query("app", "read")))).body
    };
    let page =
        shown("policy_uri = \"https://app.example/privacy?a&b\"\ntos_uri = \"https://app.example/terms\"");
    let links: Vec<String> =
        page.split("<a href=\"").skip(1).map(|rest| unescape(rest.split('"').next().unwrap())).collect();
    for url in ["https://app.example/privacy?a&b", "https://app.example/terms"] {
        assert!(links.iter().any(|link| link == url), "{links:?}");
    }
    let page = shown("policy_uri = \"javascript:alert(1)\"");
    assert!(!page.contains("javascript:"), "{page}");
}

#[test]
fn what_was_allowed_without_a_code_is_not_asked_twice_in_this_session() {
    let client = format!(
        "[keys]\nalgorithms = [\"RS256\"]\n[openid]\n[[clients]]\nclient_id = \"fragment\"\n\
         token_endpoint_auth_method = \"none\"\nredirect_uris = [\"{CALLBACK}\"]\n\
         grant_types = [\"implicit\"]\nresponse_types = [\"id_token token\", \"id_token\"]\nscope = \"openid read write\""
    );
    let server = Server::start_with("profile = \"rfc6749\"", &client);
    let mut alice = server.signed_in("alice", "wonderland");
    let query = |scope: &str| {
        let kind = ("response_type", "id_token token");
        encode(&[
            kind,
            ("client_id", "fragment"),
            ("redirect_uri", CALLBACK),
            ("scope", scope),
            ("nonce", "n"),
        ])
    };
    let silent = |browser: &mut Browser<'_>, scope: &str| {
        let answer = browser.get(&format!("/authorize?{}&prompt=none", query(scope)));
        let (_, fragment) = answer.header("location").unwrap().split_once('#').unwrap();
        fragment.split('&').find(|one| one.starts_with("error=") || one.starts_with("access_token=")).map(
            |one| {
                let (name, value) = one.split_once('=').unwrap();
                if name == "error" { value.to_owned() } else { name.to_owned() }
            },
        )
    };
    let refused = || Some("consent_required".to_owned());
    assert_eq!(silent(&mut alice, "openid read"), refused());
    let denied = alice.decide(&query("openid read"), "deny");
    assert!(denied.header("location").unwrap().contains("#error=access_denied"));
    assert_eq!(silent(&mut alice, "openid read"), refused(), "a denial is no consent");
    assert!(
        alice.decide(&query("openid read"), "approve").header("location").unwrap().contains("#access_token=")
    );
    for _ in 0..2 {
        assert_eq!(silent(&mut alice, "openid read"), Some("access_token".to_owned()));
        assert_eq!(silent(&mut alice, "openid"), Some("access_token".to_owned()), "a part of it");
        assert_eq!(silent(&mut alice, "openid read write"), refused(), "more than that");
    }
    let elsewhere = &mut server.signed_in("alice", "wonderland");
    assert_eq!(silent(elsewhere, "openid read"), refused(), "another browser");
    let page = alice.get("/account/grants");
    alice.post("/account/grants/revoke", &[("csrf", &page.hidden("csrf")), ("client_id", "fragment")]);
    assert_eq!(silent(&mut alice, "openid read"), refused(), "after it was taken back");
}
