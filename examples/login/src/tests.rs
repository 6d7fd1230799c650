//! The whole way of a user, without a socket.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::App;

const ISSUER: &str = "http://127.0.0.1:9500";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const PASSWORD: &str = "correct horse";

/// A browser on a fresh site.
struct Browser {
    site: Router,
    cookies: BTreeMap<String, String>,
    page: Page,
    folder: std::path::PathBuf,
}

#[derive(Default)]
struct Page {
    status: u16,
    location: String,
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
        let app = App::open(ISSUER, folder.to_str().unwrap()).await.unwrap();
        Self { site: app.router(), cookies: BTreeMap::new(), page: Page::default(), folder }
    }

    async fn send(&mut self, request: axum::http::request::Builder, body: String) {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = request.extension(ConnectInfo(SocketAddr::from(([192, 0, 2, 1], 1))));
        let request = request.header("cookie", cookies.join("; ")).body(Body::from(body)).unwrap();
        let response = self.site.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        for cookie in parts.headers.get_all("set-cookie") {
            let (name, value) = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let location = parts.headers.get("location").map_or("", |place| place.to_str().unwrap()).to_owned();
        let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        self.page = Page { status: parts.status.as_u16(), location, body };
    }

    async fn get(&mut self, path: &str) -> &Page {
        self.send(Request::get(path), String::new()).await;
        &self.page
    }

    /// These fields and no others: no page has to have written them.
    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> &Page {
        let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        self.send(request, serde_urlencoded::to_string(fields).unwrap()).await;
        &self.page
    }

    /// The form of the current page, with what the user writes or presses.
    async fn submit(&mut self, path: &str, typed: &[(&str, &str)]) -> &Page {
        let hidden = self.page.hidden();
        let mut fields: Vec<(&str, &str)> = hidden.iter().map(|(name, value)| (&**name, &**value)).collect();
        fields.extend(typed);
        self.post(path, &fields).await
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
    }

    async fn sign_up(&mut self, name: &str, password: &str) -> &Page {
        self.submit("/sign-in", &[("name", name), ("password", password), ("account", "new")]).await
    }

    async fn sign_in(&mut self, name: &str, password: &str) -> &Page {
        self.submit("/sign-in", &[("name", name), ("password", password), ("account", "own")]).await
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
}

impl Page {
    /// The hidden fields of the first form.
    fn hidden(&self) -> Vec<(String, String)> {
        let form = self.body.split("</form>").next().unwrap_or_default();
        let fields = form.split("<input type=\"hidden\" name=\"").skip(1);
        let parts = fields.map(|field| {
            let (name, rest) = field.split_once("\" value=\"").unwrap();
            (name.to_owned(), rest.split('"').next().unwrap().replace("&amp;", "&"))
        });
        parts.collect()
    }

    fn field(&self, name: &str) -> String {
        self.hidden().into_iter().find(|(own, _)| own == name).expect("the field").1
    }

    fn parameter(&self, name: &str) -> Option<String> {
        let (_, query) = self.location.split_once('?')?;
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap();
        pairs.into_iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }
}

fn request(more: &str) -> String {
    format!(
        "/authorize?response_type=code&client_id=demo&redirect_uri=http%3A%2F%2F127.0.0.1%3A1234%2Fcallback&scope=notes&state=s\
         &resource=http%3A%2F%2F127.0.0.1%3A9500%2Fapi&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM\
         &code_challenge_method=S256{more}"
    )
}

#[tokio::test]
async fn a_user_signs_up_allows_an_application_and_disconnects_it() {
    let mut browser = Browser::new("way").await;
    browser.open_consent("alice").await;
    browser.submit("/consent", &[("decision", "approve")]).await;
    let code = browser.page.parameter("code").expect("a code");
    let tokens = browser.token(&code).await;
    let token = tokens["access_token"].as_str().expect("a token").to_owned();
    assert_eq!(browser.bearer(&token).await.body, "notes of alice\n");

    assert!(browser.get("/apps").await.body.contains("Demo"));
    browser.submit("/apps", &[]).await;
    assert!(!browser.follow().await.body.contains("Demo"));
    assert_eq!(browser.bearer(&token).await.status, 401);

    browser.get("/").await;
    browser.submit("/sign-out", &[]).await;
    assert_eq!(browser.get("/apps").await.location, "/sign-in");
}

#[tokio::test]
async fn a_second_press_leads_where_the_first_did_and_a_new_page_is_a_new_decision() {
    let mut browser = Browser::new("twice").await;
    browser.open_consent("alice").await;
    let fields = browser.page.hidden();
    let mut press: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
    press.push(("decision", "approve"));
    let first = browser.post("/consent", &press).await.parameter("code").expect("a code");
    assert_eq!(browser.post("/consent", &press).await.parameter("code").as_ref(), Some(&first));
    browser.get(&request("")).await;
    let denied = browser.submit("/consent", &[("decision", "deny")]).await;
    assert_eq!(denied.parameter("error").as_deref(), Some("access_denied"));
}

#[tokio::test]
async fn a_form_of_another_site_changes_nothing() {
    let mut browser = Browser::new("csrf").await;
    browser.open_consent("alice").await;
    let query = browser.page.field("request");
    for csrf in ["", "x", &"A".repeat(43)] {
        let forged = [("csrf", csrf), ("request", &query), ("decision", "approve")];
        assert_eq!(browser.post("/consent", &forged).await.status, 403);
        assert_eq!(browser.post("/apps", &[("csrf", csrf), ("client", "demo")]).await.status, 403);
        assert_eq!(browser.post("/sign-out", &[("csrf", csrf)]).await.status, 403);
    }
    browser.cookies.retain(|name, _| !name.contains("csrf"));
    let unsent = [("csrf", ""), ("request", &query), ("decision", "approve")];
    assert_eq!(browser.post("/consent", &unsent).await.status, 403);
}

#[tokio::test]
async fn prompt_login_asks_for_the_password_once_more_and_then_no_more() {
    let mut browser = Browser::new("fresh").await;
    browser.open_consent("alice").await;
    let again = request("&prompt=login");
    browser.get(&again).await;
    assert!(browser.page.location.starts_with("/sign-in?"), "{}", browser.page.location);
    browser.follow().await;
    browser.sign_in("ALICE", PASSWORD).await;
    assert!(browser.follow().await.body.contains("<b>Demo</b> asks for"), "{}", browser.page.body);
    let fields = browser.page.hidden();
    let mut press: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
    press.push(("decision", "approve"));
    let first = browser.post("/consent", &press).await.parameter("code").expect("a code");
    assert_eq!(browser.post("/consent", &press).await.parameter("code"), Some(first), "a second press");
    browser.get(&again).await;
    assert!(browser.page.location.starts_with("/sign-in?"), "a sign-in is new for one answer");
}

#[tokio::test]
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

#[tokio::test]
async fn guesses_are_limited_by_name_in_any_case_and_sign_ups_by_address() {
    let mut browser = Browser::new("limits").await;
    browser.get("/sign-in").await;
    let csrf = browser.page.field("csrf");
    let try_as = |name: &str, account: &str| {
        let fields =
            [("csrf", &*csrf), ("name", name), ("password", PASSWORD), ("account", account), ("request", "")];
        fields.map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    let mut answers = Vec::new();
    for name in
        ["alice", "Alice", "aLice", "alIce", "aliCe", "alicE", "ALice", "ALIce", "ALICe", "ALICE", "AlIcE"]
    {
        let fields = try_as(name, "own");
        let fields = fields.each_ref().map(|(name, value)| (&**name, &**value));
        answers.push(browser.post("/sign-in", &fields).await.status);
    }
    assert_eq!(answers, [&[200; 10][..], &[429]].concat());
    let mut answers = Vec::new();
    for name in ["a", "b", "c", "d", "e", "f"] {
        let fields = try_as(name, "new");
        let fields = fields.each_ref().map(|(name, value)| (&**name, &**value));
        answers.push(browser.post("/sign-in", &fields).await.status);
    }
    assert_eq!(answers, [303, 303, 303, 303, 303, 429]);
}

#[test]
fn a_redirect_within_the_site_stays_there() {
    for path in ["//evil.example", "/\\evil.example", "https://evil.example", "\\\\evil.example", ""] {
        assert_eq!(super::web::see_other(path).headers()["location"], "/", "{path}");
    }
    assert_eq!(super::web::see_other("/authorize?a=b").headers()["location"], "/authorize?a=b");
}

#[tokio::test]
async fn what_a_visitor_writes_stays_text_and_wrong_passwords_are_one_sentence() {
    let mut browser = Browser::new("text").await;
    browser.get("/sign-in").await;
    let csrf = browser.page.field("csrf");
    let hostile = [
        ("csrf", &*csrf),
        ("name", "<b>"),
        ("password", "wrong password"),
        ("account", "own"),
        ("request", "\"><script>alert(1)</script>"),
    ];
    let page = browser.post("/sign-in", &hostile).await;
    assert!(page.body.contains("&lt;script&gt;") && !page.body.contains("<script>"), "{}", page.body);
    browser.get("/sign-in").await;
    browser.sign_up("alice", PASSWORD).await;
    for (name, password) in [("alice", "wrong password"), ("nobody", PASSWORD)] {
        browser.get("/sign-in").await;
        let page = browser.sign_in(name, password).await;
        assert!(page.body.contains("The name or the password is wrong."), "{}", page.body);
    }
    for (name, password, sentence) in [
        ("Alice", PASSWORD, "This name is taken."),
        ("bob", "short", "A password has at least eight characters."),
        ("<b>", PASSWORD, "A name has at most 64 letters and digits."),
    ] {
        browser.get("/sign-in").await;
        let page = browser.sign_up(name, password).await;
        assert!(page.body.contains(sentence), "{}", page.body);
    }
}
