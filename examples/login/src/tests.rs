//! Complete user journeys, without a socket.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use askama::Template as _;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::pages::Page as Template;

const ISSUER: &str = "http://127.0.0.1:9500";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const PASSWORD: &str = "correct horse";

/// A browser on a new, empty site.
struct Browser {
    site: Router,
    app: Arc<super::App>,
    cookies: BTreeMap<String, String>,
    /// The header that tells which site a form was sent from, and its value.
    sent_by: (&'static str, &'static str),
    page: Page,
    folder: std::path::PathBuf,
}

#[derive(Default)]
struct Page {
    address: String,
    status: u16,
    location: String,
    retry_after: String,
    body: String,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Browser {
    async fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("grantor-login-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (site, app) = super::site(ISSUER, folder.to_str().unwrap()).await.unwrap();
        let sent_by = ("sec-fetch-site", "same-origin");
        Self { site, app, cookies: BTreeMap::new(), sent_by, page: Page::default(), folder }
    }

    fn request(&self, request: axum::http::request::Builder, body: String) -> Request<Body> {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = request.extension(ConnectInfo(SocketAddr::from(([192, 0, 2, 1], 1))));
        request.header("cookie", cookies.join("; ")).body(Body::from(body)).unwrap()
    }

    async fn send(&mut self, request: axum::http::request::Builder, body: String) {
        let request = self.request(request, body);
        let address = request.uri().to_string();
        let response = self.site.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        for cookie in parts.headers.get_all("set-cookie") {
            let (name, value) = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let field =
            |name: &str| parts.headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        let (location, retry_after) = (field("location"), field("retry-after"));
        let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        self.page = Page { address, status: parts.status.as_u16(), location, retry_after, body };
    }

    async fn get(&mut self, path: &str) -> &Page {
        self.send(Request::get(path), String::new()).await;
        &self.page
    }

    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> &Page {
        let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        let request = request.header(self.sent_by.0, self.sent_by.1);
        self.send(request, serde_urlencoded::to_string(fields).unwrap()).await;
        &self.page
    }

    /// Submits the first form of the current page, with what the user types or presses.
    async fn submit(&mut self, typed: &[(&str, &str)]) -> &Page {
        let (action, hidden) = (self.page.action(), self.page.hidden());
        let mut fields: Vec<(&str, &str)> = hidden.iter().map(|(name, value)| (&**name, &**value)).collect();
        fields.extend(typed);
        self.post(&action, &fields).await
    }

    async fn follow(&mut self) -> &Page {
        let place = self.page.location.clone();
        assert!(place.starts_with('/'), "{} leads to {place:?}: {}", self.page.status, self.page.body);
        self.get(&place).await
    }

    async fn bearer(&mut self, token: &str) -> &Page {
        let call = Request::get("/api/notes").header("authorization", format!("Bearer {token}"));
        self.send(call, String::new()).await;
        &self.page
    }

    /// Signs up on the way to an application, and stops at the consent page.
    async fn open_consent(&mut self, name: &str) {
        self.get(&request("")).await;
        self.follow().await;
        assert!(self.page.body.contains("Sign in"), "{}", self.page.body);
        self.sign_up(name, PASSWORD).await;
        self.follow().await;
        assert!(self.page.body.contains("<b>Demo</b> asks for"), "{}", self.page.body);
        assert!(self.page.body.contains(&format!("signed in as <b>{name}</b>")), "{}", self.page.body);
    }

    async fn sign_up(&mut self, name: &str, password: &str) -> &Page {
        self.submit(&[("name", name), ("password", password), ("account", "new")]).await
    }

    async fn sign_in(&mut self, name: &str, password: &str) -> &Page {
        self.submit(&[("name", name), ("password", password), ("account", "own")]).await
    }

    async fn token(&mut self, code: &str) -> serde_json::Value {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", "demo"),
            ("code", code),
            ("redirect_uri", "http://127.0.0.1:1234/callback"),
            ("code_verifier", VERIFIER),
        ];
        let body = &self.post("/token", &form).await.body;
        serde_json::from_str(body).unwrap()
    }

    /// Signs up and logs in to an application, which gets an `id_token`.
    async fn log_in(&mut self, name: &str, request: &str) -> serde_json::Value {
        self.get(request).await;
        self.follow().await;
        self.sign_up(name, PASSWORD).await;
        self.follow().await;
        self.submit(&[("decision", "approve")]).await;
        let code = self.page.parameter("code").expect("a code");
        self.token(&code).await
    }

    async fn refreshes(&mut self, tokens: &serde_json::Value) -> u16 {
        let token = tokens["refresh_token"].as_str().expect("a refresh token");
        let form = [("grant_type", "refresh_token"), ("client_id", "demo"), ("refresh_token", token)];
        self.post("/token", &form).await.status
    }
}

impl Page {
    /// The address that the first form is sent to.
    fn action(&self) -> String {
        let form = self.body.split("<form ").nth(1).expect("a form").split('>').next().unwrap();
        let action = form.split("action=\"").nth(1).and_then(|rest| rest.split('"').next());
        action.unwrap_or(&self.address).replace("&#38;", "&")
    }

    /// The hidden fields of the first form.
    fn hidden(&self) -> Vec<(String, String)> {
        let form = self.body.split("</form>").next().unwrap_or_default();
        let fields = form.split("<input type=\"hidden\" name=\"").skip(1);
        let parts = fields.map(|field| {
            let (name, rest) = field.split_once("\" value=\"").unwrap();
            (name.to_owned(), rest.split('"').next().unwrap().to_owned())
        });
        parts.collect()
    }

    fn parameter(&self, name: &str) -> Option<String> {
        let (_, query) = self.location.split_once('?')?;
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap();
        pairs.into_iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }
}

/// The claims of an `id_token`, which came directly from the server.
fn claims(tokens: &serde_json::Value) -> serde_json::Value {
    let payload = tokens["id_token"].as_str().expect("an id_token").split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// A request for who the user is.
fn who(more: &str) -> String {
    format!(
        "/authorize?response_type=code&client_id=demo&redirect_uri=http%3A%2F%2F127.0.0.1%3A1234%2Fcallback&scope=openid+profile\
         &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256{more}"
    )
}

fn request(more: &str) -> String {
    format!(
        "/authorize?response_type=code&client_id=demo&redirect_uri=http%3A%2F%2F127.0.0.1%3A1234%2Fcallback&scope=notes&state=s\
         &resource=http%3A%2F%2F127.0.0.1%3A9500%2Fapi&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM\
         &code_challenge_method=S256{more}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_signs_up_allows_an_application_and_disconnects_it() {
    let mut browser = Browser::new("way").await;
    browser.open_consent("alice").await;
    browser.submit(&[("decision", "approve")]).await;
    let code = browser.page.parameter("code").expect("a code");
    let tokens = browser.token(&code).await;
    let token = tokens["access_token"].as_str().expect("a token").to_owned();
    assert_eq!(browser.bearer(&token).await.body, "notes of alice\n");

    assert!(browser.get("/apps").await.body.contains("Demo"));
    browser.submit(&[]).await;
    assert!(!browser.follow().await.body.contains("Demo"));
    assert_eq!(browser.bearer(&token).await.status, 401);

    browser.get("/").await;
    browser.submit(&[]).await;
    assert_eq!(browser.get("/apps").await.location, "/sign-in");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_press_leads_where_the_first_did_and_a_new_page_is_a_new_decision() {
    let mut browser = Browser::new("twice").await;
    browser.open_consent("alice").await;
    let (consent, press) = (browser.page.action(), [("decision", "approve")]);
    let first = browser.submit(&press).await.parameter("code").expect("a code");
    assert_eq!(browser.post(&consent, &press).await.parameter("code").as_ref(), Some(&first));
    browser.get(&request("")).await;
    let denied = browser.submit(&[("decision", "deny")]).await;
    assert_eq!(denied.parameter("error").as_deref(), Some("access_denied"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_presses_at_once_lead_to_one_code() {
    for round in 0..20 {
        let mut browser = Browser::new(&format!("double-{round}")).await;
        browser.open_consent("alice").await;
        let (action, mut fields) = (browser.page.action(), browser.page.hidden());
        fields.push(("decision".to_owned(), "approve".to_owned()));
        let press = || {
            let request = Request::post(&action).header("content-type", "application/x-www-form-urlencoded");
            let request = request.header(browser.sent_by.0, browser.sent_by.1);
            let request = browser.request(request, serde_urlencoded::to_string(&fields).unwrap());
            tokio::spawn(browser.site.clone().oneshot(request))
        };
        let (one, two) = (press(), press());
        let answers = [one.await.unwrap().unwrap(), two.await.unwrap().unwrap()];
        let places: BTreeSet<_> = answers.iter().map(|answer| answer.headers()["location"].clone()).collect();
        assert_eq!(places.len(), 1, "{places:?}");
        assert!(places.iter().all(|place| place.to_str().unwrap().contains("code=")), "{places:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_showed_something_else_is_shown_again() {
    let mut browser = Browser::new("shown").await;
    browser.open_consent("alice").await;
    let consent = browser.page.action();
    for shown in ["", "something else"] {
        let page = browser.post(&consent, &[("decision", "approve"), ("shown", shown)]).await;
        assert_eq!((page.status, &*page.location), (200, ""), "{shown}");
        assert!(page.body.contains("<b>Demo</b> asks for"), "{}", page.body);
    }
    assert!(browser.submit(&[("decision", "approve")]).await.parameter("code").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_another_site_changes_nothing() {
    let mut browser = Browser::new("csrf").await;
    browser.open_consent("alice").await;
    let consent = browser.page.action();
    let (site, origin) = ("sec-fetch-site", "origin");
    let others = [(site, "none"), (site, "same-site"), (site, "cross-site")];
    for sent_by in others.into_iter().chain([(origin, "https://127.0.0.1:9500"), (origin, "null")]) {
        browser.sent_by = sent_by;
        for (path, field) in [
            (&*consent, ("decision", "approve")),
            ("/apps", ("client", "demo")),
            ("/sign-out", ("", "")),
            ("/sign-in", ("name", "mallory")),
        ] {
            assert_eq!(browser.post(path, &[field]).await.status, 403, "{sent_by:?} {path}");
        }
    }
    assert!(browser.get("/").await.body.contains("<b>alice</b>"), "{}", browser.page.body);
    // A browser that sends only the older header.
    browser.sent_by = (origin, ISSUER);
    assert_eq!(browser.post("/sign-out", &[]).await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn prompt_login_asks_for_the_password_once_more_and_then_no_more() {
    let mut browser = Browser::new("fresh").await;
    browser.open_consent("alice").await;
    let again = request("&prompt=login");
    browser.get(&again).await;
    assert!(browser.page.location.starts_with("/sign-in?"), "{}", browser.page.location);
    browser.follow().await;
    browser.sign_in("ALICE", PASSWORD).await;
    assert!(browser.follow().await.body.contains("<b>Demo</b> asks for"), "{}", browser.page.body);
    let (consent, press) = (browser.page.action(), [("decision", "approve")]);
    let first = browser.submit(&press).await.parameter("code").expect("a code");
    assert_eq!(browser.post(&consent, &press).await.parameter("code"), Some(first), "a second press");
    browser.get(&again).await;
    assert!(browser.page.location.starts_with("/sign-in?"), "a sign-in is new for one answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_ends_the_session_before() {
    let mut browser = Browser::new("fixed").await;
    browser.get("/sign-in").await;
    browser.sign_up("mallory", PASSWORD).await;
    let planted = browser.cookies.clone();
    browser.get("/sign-in").await;
    browser.sign_up("alice", PASSWORD).await;
    assert!(browser.get("/").await.body.contains("<b>alice</b>"));
    browser.cookies = planted;
    assert!(!browser.get("/").await.body.contains("signed in as"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_logs_the_user_in_and_signs_them_out() {
    let mut browser = Browser::new("openid").await;
    let tokens = browser.log_in("alice", &who("&nonce=n")).await;
    let id_token = claims(&tokens);
    assert_eq!((&id_token["sub"], &id_token["nonce"]), (&"alice".into(), &"n".into()));
    let token = tokens["access_token"].as_str().unwrap();
    let call = Request::get("/userinfo").header("authorization", format!("Bearer {token}"));
    browser.send(call, String::new()).await;
    assert!(browser.page.body.contains(r#""preferred_username":"alice""#), "{}", browser.page.body);
    assert_eq!(browser.refreshes(&tokens).await, 200);

    // Without a proof of the session the user is asked, and stays signed in.
    browser.get("/logout?client_id=demo").await;
    assert!(browser.page.body.contains("<b>Demo</b> wants to sign you out"), "{}", browser.page.body);
    assert!(browser.get("/").await.body.contains("<b>alice</b>"));
    let hint = tokens["id_token"].as_str().unwrap();
    let form = format!(
        "id_token_hint={hint}&state=s&post_logout_redirect_uri=http%3A%2F%2F127.0.0.1%3A1234%2Fsigned-out"
    );
    browser.get(&format!("/logout?{form}")).await;
    assert_eq!(browser.page.location, "http://127.0.0.1:1234/signed-out?state=s");
    assert!(!browser.get("/").await.body.contains("signed in as"));
    assert_eq!(browser.refreshes(&tokens).await, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_user_confirms_a_sign_out_on_our_page_only() {
    let mut browser = Browser::new("confirm").await;
    let tokens = browser.log_in("alice", &who("")).await;
    // A form of the application: browsers send the cookie with the redirect only.
    browser.sent_by = ("sec-fetch-site", "cross-site");
    let posted = browser.post("/logout", &[("client_id", "demo")]).await;
    assert_eq!((posted.status, &*posted.location), (303, "/logout?client_id=demo"));
    assert_eq!(browser.post("/sign-out", &[("client_id", "demo")]).await.status, 403);
    browser.sent_by = ("sec-fetch-site", "same-origin");
    browser.get("/logout?client_id=demo").await;
    assert_eq!(browser.submit(&[]).await.status, 200, "the server's page, for nobody named an address");
    assert!(!browser.get("/").await.body.contains("signed in as"));
    assert_eq!(browser.refreshes(&tokens).await, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_goes_on_when_its_user_signs_in_again_and_ends_for_another_one() {
    let mut browser = Browser::new("again").await;
    let first = browser.log_in("alice", &who("")).await;
    browser.get(&who("&prompt=login")).await;
    browser.follow().await;
    browser.sign_in("alice", PASSWORD).await;
    browser.follow().await;
    browser.submit(&[("decision", "approve")]).await;
    let code = browser.page.parameter("code").expect("a code");
    let second = browser.token(&code).await;
    assert_eq!(claims(&first)["sid"], claims(&second)["sid"]);
    assert_eq!(browser.refreshes(&first).await, 200);
    browser.get("/sign-in").await;
    browser.sign_up("bob", PASSWORD).await;
    assert_eq!((browser.refreshes(&first).await, browser.refreshes(&second).await), (400, 400));
    assert!(browser.get("/").await.body.contains("<b>bob</b>"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_application_posts_is_asked_for_again_with_our_cookie() {
    let mut browser = Browser::new("posted").await;
    browser.sent_by = ("sec-fetch-site", "cross-site");
    let posted = browser.post("/authorize", &[("scope", "openid profile"), ("client_id", "demo")]).await;
    assert_eq!(posted.location, "/authorize?scope=openid+profile&client_id=demo");
    let request = || Request::post("/authorize").header("content-type", "text/plain");
    let long = "a".repeat(16 * 1024 + 1);
    for (form, status) in [("a\r\nb", 400), ("ä", 400), (&long, 413), (&long[1..], 303)] {
        browser.send(request(), form.to_owned()).await;
        assert_eq!(browser.page.status, status);
    }
    assert_eq!(browser.get("/nowhere").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_are_limited_by_name_in_any_case_and_sign_ups_by_address() {
    let mut browser = Browser::new("limits").await;
    let try_as = |name, account| [("name", name), ("password", PASSWORD), ("account", account)];
    let mut answers = Vec::new();
    for name in
        ["alice", "Alice", "aLice", "alIce", "aliCe", "alicE", "ALice", "ALIce", "ALICe", "ALICE", "AlIcE"]
    {
        answers.push(browser.post("/sign-in", &try_as(name, "own")).await.status);
    }
    assert_eq!(answers, [&[422; 10][..], &[429]].concat());
    let Page { retry_after, body, .. } = &browser.page;
    assert!(retry_after.parse::<u32>().is_ok_and(|seconds| seconds > 0), "{retry_after:?}");
    assert!(body.contains(&format!("Try again in {retry_after} seconds.")), "{body}");
    let mut answers = Vec::new();
    for name in ["a", "b", "c", "d", "e", "f"] {
        answers.push(browser.post("/sign-in", &try_as(name, "new")).await.status);
    }
    assert_eq!(answers, [303, 303, 303, 303, 303, 429]);
    assert!(!browser.page.retry_after.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_of_the_database_says_when_to_come_back() {
    let mut browser = Browser::new("down").await;
    browser.app.pool.close().await;
    let page = browser.get("/").await;
    assert_eq!((page.status, &*page.retry_after), (503, "60"));
    assert!(page.body.contains("Try again in a minute."), "{}", page.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_leads_to_no_other_site() {
    let mut browser = Browser::new("local").await;
    for (name, query) in [("a", "//evil.example"), ("b", "/\\evil.example"), ("c", "https://evil.example")] {
        browser.get(&format!("/sign-in?{query}")).await;
        assert_eq!(browser.sign_up(name, PASSWORD).await.location, format!("/authorize?{query}"));
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn only_its_owner_may_read_the_database() {
    use std::os::unix::fs::PermissionsExt as _;
    let browser = Browser::new("private").await;
    for entry in std::fs::read_dir(&browser.folder).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", entry.file_name());
    }
}

#[test]
fn what_a_visitor_writes_stays_text() {
    let text = "\"><script>alert('&')</script>";
    for page in [
        Template::Home { user: Some(text.to_owned()) },
        Template::SignIn { name: text.to_owned(), problem: text.to_owned() },
        Template::Problem { sentence: text.to_owned() },
    ] {
        let html = page.render().unwrap();
        assert!(html.contains("&#34;&#62;&#60;script&#62;alert(&#39;&#38;&#39;)"), "{html}");
        assert!(!html.contains("<script>"), "{html}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_are_one_sentence_and_a_sign_up_says_what_is_wrong() {
    let mut browser = Browser::new("text").await;
    browser.get("/sign-in").await;
    browser.sign_up("alice", PASSWORD).await;
    for (name, password) in [("alice", "wrong password"), ("nobody", PASSWORD)] {
        browser.get("/sign-in").await;
        let page = browser.sign_in(name, password).await;
        assert!(page.body.contains("The name or the password is wrong."), "{}", page.body);
    }
    for (name, password, sentence) in [
        ("Alice", PASSWORD, "This name is taken."),
        ("bob", "short", "A password has 8 to 1024 characters."),
        ("bob", &"long".repeat(257), "A password has 8 to 1024 characters."),
        ("<b>", PASSWORD, "A name has 1 to 64 letters (a to z) and digits."),
        ("", PASSWORD, "A name has 1 to 64 letters (a to z) and digits."),
    ] {
        browser.get("/sign-in").await;
        let page = browser.sign_up(name, password).await;
        assert!(page.body.contains(sentence), "{}", page.body);
    }
}
