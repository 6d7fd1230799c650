//! A request that wants another sign-in than the one of the session, on `examples/server` over HTTP.

use crate::support::browser::{Answer, Browser, Server, unescape};
use crate::support::{VERIFIER, code_query, encode, redemption};

fn query(client: &str) -> String {
    encode(&code_query(client, "read write"))
}
/// Follows the server's redirects up to one of its pages.
fn follow(browser: &mut Browser<'_>, path: &str) -> (String, Answer) {
    let mut path = path.to_owned();
    loop {
        let page = browser.get(&path);
        match page.header("location").filter(|to| to.starts_with('/')) {
            Some(to) => path = to.to_owned(),
            None => return (path, page),
        }
    }
}

/// Fills in a sign-in page that is shown, of either kind.
fn submit(browser: &mut Browser<'_>, page: &Answer, path: &str, typed: &[(&str, &str)]) -> String {
    let answer = post(browser, page, path, typed);
    answer.header("location").unwrap_or_else(|| panic!("{}", answer.body)).to_owned()
}

/// The same, if the answer may be a page.
fn post(browser: &mut Browser<'_>, page: &Answer, path: &str, typed: &[(&str, &str)]) -> Answer {
    let (csrf, return_to) = (page.hidden("csrf"), page.hidden("return_to"));
    browser.post(path, &[&[("csrf", csrf.as_str()), ("return_to", &return_to)], typed].concat())
}

const ALICE: [(&str, &str); 2] = [("username", "alice"), ("password", "wonderland")];

#[test]
fn ft_30_a_request_that_wants_a_new_login_gets_one_and_then_the_consent_page() {
    let server = Server::start("");
    for more in ["prompt=login", "max_age=0", "prompt=login&max_age=3600", "prompt=select_account"] {
        let mut alice = server.signed_in("alice", "wonderland");
        let request = format!("{}&{more}", query("conf"));
        let (at, login) = follow(&mut alice, &format!("/authorize?{request}"));
        assert!(at.starts_with("/login?"), "{more}: {at}");
        assert!(login.element("login-reason").is_some(), "{more}: the page says why");
        let back = submit(&mut alice, &login, "/login", &ALICE);
        let (at, consent) = follow(&mut alice, &back);
        assert!(at.starts_with("/consent?"), "{more}: {at}");
        assert!(consent.element("consent-approve").is_some());
        let answer = alice.decide(&request, "approve");
        assert!(answer.location_parameter("code").is_some(), "{more}: {}", answer.body);
        let (at, _) = follow(&mut alice, &format!("/authorize?{request}"));
        assert!(at.starts_with("/login?"), "{more}: the same request again is a new one");
    }
    // A visitor signs in once, not twice.
    let mut visitor = server.browser();
    let (_, login) = follow(&mut visitor, &format!("/authorize?{}&prompt=login", query("conf")));
    let back = submit(&mut visitor, &login, "/login", &ALICE);
    assert!(follow(&mut visitor, &back).0.starts_with("/consent?"));
}

/// A user with a PIN.
const CAROL: &str =
    "[[users]]\nusername = \"carol\"\nsub = \"user-carol\"\npassword = \"sesame\"\npin = \"4711\"\n";

#[test]
fn ft_29_a_stronger_sign_in_is_a_second_page() {
    let server = Server::start_with("", CAROL);
    let request = format!("{}&acr_values=3+2", query("conf"));
    let mut carol = server.signed_in("carol", "sesame");
    let (at, page) = follow(&mut carol, &format!("/authorize?{request}"));
    assert!(at.starts_with("/login/pin?"), "{at}");
    let form =
        [("csrf", page.hidden("csrf")), ("return_to", page.hidden("return_to")), ("pin", "0000".into())];
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert!(carol.post("/login/pin", &form).element("login-message").is_some());
    let back = submit(&mut carol, &page, "/login/pin", &[("pin", "4711")]);
    assert!(follow(&mut carol, &back).0.starts_with("/consent?"));
    let code = carol.decide(&request, "approve").location_parameter("code").unwrap();
    let redemption = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", "https://app.example/cb"),
        ("code_verifier", VERIFIER),
    ];
    let tokens = carol.post_as_conf("/token", &redemption);
    let token = tokens["access_token"].as_str().unwrap();
    assert_eq!(carol.post_as_conf("/introspect", &[("token", token)])["acr"], "2");

    // The application is told that a user has no PIN, or that there is no page for a class.
    let mut alice = server.signed_in("alice", "wonderland");
    for acr in ["2", "urn:of:another"] {
        let answer = alice.get(&format!("/authorize?{}&acr_values={acr}", query("conf")));
        let error = answer.location_parameter("error");
        assert_eq!(error.as_deref(), Some("unmet_authentication_requirements"), "{acr}");
    }
    for (who, mut browser) in [("with a password", alice), ("with a PIN, too", carol)] {
        let weak = browser.get(&format!("/authorize?{}&acr_values=1", query("conf")));
        assert!(weak.header("location").unwrap().starts_with("/consent?"), "{who}");
    }
}

#[test]
fn ft_29_a_wish_for_a_stronger_sign_in_offers_the_second_page_once() {
    let server = Server::start_with("", &format!("{CAROL}[keys]\nalgorithms = [\"RS256\"]\n[openid]"));
    let wish = |acr| encode(&[code_query("conf", "openid read"), vec![("acr_values", acr)]].concat());
    let (request, at_authorize) = (wish("3 2"), format!("/authorize?{}", wish("3 2")));
    let approved = |carol: &mut Browser<'_>| {
        let code = carol.decide(&request, "approve").location_parameter("code").unwrap();
        let tokens = carol.post_as_conf("/token", &redemption(&code));
        let token = tokens["access_token"].as_str().unwrap_or_else(|| panic!("{tokens}"));
        carol.post_as_conf("/introspect", &[("token", token)])["acr"].clone()
    };
    let mut carol = server.signed_in("carol", "sesame");
    let (at, page) = follow(&mut carol, &at_authorize);
    assert!(at.starts_with("/login/pin?"));
    let wrong = post(&mut carol, &page, "/login/pin", &[("pin", "0000"), ("optional", "yes")]);
    for page in [page, wrong] {
        assert!(page.body.contains("Continue without a PIN"), "{}", page.body);
    }
    assert!(follow(&mut carol, &at_authorize).0.starts_with("/consent?"), "once is enough for a wish");
    assert_eq!(approved(&mut carol), "1");

    let (at, page) = follow(&mut carol, &at_authorize);
    assert!(at.starts_with("/login/pin?"), "{at}: an answered request is a new one");
    let back = submit(&mut carol, &page, "/login/pin", &[("pin", "4711")]);
    assert!(follow(&mut carol, &back).0.starts_with("/consent?"));
    assert_eq!(approved(&mut carol), "2");
    let claims = [("claims", r#"{"id_token":{"acr":{"essential":true,"values":["1"]}}}"#)];
    let request = encode(&[code_query("conf", "openid read"), claims.to_vec()].concat());
    let (at, _) = follow(&mut carol, &format!("/authorize?{request}"));
    assert!(at.starts_with("/consent?"), "a PIN comes after a password: {at}");

    // A sign-in that is enough, and a user without a PIN.
    for (user, password, acr) in
        [("carol", "sesame", "2 1"), ("carol", "sesame", "3"), ("alice", "wonderland", "2")]
    {
        let (at, _) = follow(&mut server.signed_in(user, password), &format!("/authorize?{}", wish(acr)));
        assert!(at.starts_with("/consent?"), "{user}, {acr}: {at}");
    }
}

#[test]
fn ft_29_wrong_pins_end_the_session() {
    let server = Server::start_with("", CAROL);
    let mut carol = server.signed_in("carol", "sesame");
    let page = carol.get("/login/pin?return_to=%2F");
    let csrf = page.hidden("csrf");
    for _ in 0..4 {
        let wrong = carol.post("/login/pin", &[("csrf", &csrf), ("pin", "1234")]);
        assert!(wrong.element("login-message").is_some());
    }
    let over = carol.post("/login/pin", &[("csrf", &csrf), ("pin", "1234"), ("return_to", "/applications")]);
    let (at, page) = follow(&mut carol, over.header("location").unwrap());
    assert_eq!(at, "/login?return_to=%2Fapplications&because=pin");
    assert!(page.element("login-reason").is_some());
    let right = carol.post("/login/pin", &[("csrf", &csrf), ("pin", "4711")]);
    assert_eq!(right.status, 403);
    assert!(carol.get("/account/grants").header("location").unwrap().starts_with("/login?"));
}

#[test]
fn ft_29_a_login_hint_is_text_on_the_login_page() {
    let server = Server::start("");
    for hint in ["buffy@x", "<script>alert(1)</script>", &"é".repeat(1000)] {
        let request = [code_query("conf", "read"), vec![("login_hint", hint)]].concat();
        let (at, page) = follow(&mut server.browser(), &format!("/authorize?{}", encode(&request)));
        assert!(at.starts_with("/login?"), "{at}");
        let shown = unescape(page.element("login-hint").unwrap());
        assert!(!shown.is_empty() && hint.starts_with(&shown), "{shown}");
        assert!(!page.body.contains("<script"), "{hint}");
    }
}

#[test]
fn ft_30_prompt_none_never_shows_a_page() {
    let server = Server::start("");
    let silent = |more: &str| format!("/authorize?{}&prompt=none{more}", query("conf"));
    let error = |answer: Answer| answer.location_parameter("error").unwrap();
    assert_eq!(error(server.browser().get(&silent(""))), "login_required");
    let mut alice = server.signed_in("alice", "wonderland");
    assert_eq!(error(alice.get(&silent("&max_age=0"))), "login_required");
    assert_eq!(error(alice.get(&silent("&acr_values=2"))), "unmet_authentication_requirements");
    assert_eq!(error(alice.get(&silent(""))), "consent_required");
}
