//! The authorization request: RFC 6749 sections 3.1 and 4.1.1, RFC 9700 section 4.1, RFC 8252 section 7.3.

use grantor::base::redirect_uri::RedirectUriError;
use grantor::client::{ClientError, ClientErrors};
use grantor::error::Reason;
use grantor::{AuthMethod, Authorization, Client, ErrorPage, LoginRequired, MemoryRegistry, Request};

use crate::support::http::{bare, send};
use crate::support::{Answer, CALLBACK, Fixture, SECRET, code_query, encode, redemption};

/// The query of a valid request, with one parameter replaced; an empty value removes it.
fn with<'a>(client: &'a str, name: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut query = code_query(client, "read");
    query.retain(|(n, _)| *n != name);
    query.push((name, value));
    query
}

async fn ask(fixture: &Fixture, query: &[(&str, &str)]) -> Result<Authorization, ErrorPage> {
    fixture.server.authorize(&Request::get(encode(query))).await
}

/// The error that goes to the client. Checks what every answer has, too.
fn error_of(answer: &Answer) -> String {
    assert_eq!(answer.status(), 303);
    assert!(answer.location().starts_with(CALLBACK), "{}", answer.location());
    assert_eq!(answer.location_parameter("state").as_deref(), Some("the state"));
    assert_eq!(answer.location_parameter("iss").as_deref(), Some("https://as.example"));
    assert_eq!(answer.location_parameter("code"), None);
    answer.location_parameter("error").expect("an error")
}

#[tokio::test]
async fn az_01_response_type_is_required_and_known() {
    let fixture = Fixture::new();
    for (response_type, error) in [
        ("", "invalid_request"),
        ("foo", "unsupported_response_type"),
        ("CODE", "unsupported_response_type"),
        ("code ", "unsupported_response_type"),
        ("code  token", "unsupported_response_type"),
        ("code token", "unsupported_response_type"),
        ("code id_token", "unsupported_response_type"),
        ("none", "unsupported_response_type"),
        ("token", "unsupported_response_type"),
    ] {
        let answer = fixture.approve(&with("conf", "response_type", response_type)).await;
        assert_eq!(error_of(&answer), error, "{response_type:?}");
    }
    assert!(fixture.store.is_empty());
}

/// Everything but `https://app.example/cb`.
const NEARLY: [&str; 52] = [
    "https://app.example/cb/",
    "https://app.example/cb//",
    "https://app.example//cb",
    "https://app.example/CB",
    "https://APP.example/cb",
    "HTTPS://app.example/cb",
    "http://app.example/cb",
    "https://app.example/cb?",
    "https://app.example/cb?x=1",
    "https://app.example/cb#",
    "https://app.example/cb#f",
    "https://app.example/cb%23",
    "https://app.example/cb%00",
    "https://app.example/cb\0",
    "https://app.example/cb%20",
    "https://app.example/cb ",
    " https://app.example/cb",
    "\thttps://app.example/cb",
    "https://app.example/cb\n",
    "https://app.example/cb\r\nSet-Cookie: a=b",
    "https://app.example/c",
    "https://app.example/cbx",
    "https://app.example/cb/evil",
    "https://app.example/cb/../cb",
    "https://app.example/./cb",
    "https://app.example/x/..%2fcb",
    "https://app.example/%63b",
    "https://app.example/%2e/cb",
    "https://app.example/cb;x",
    "https://app.example\\cb",
    "https:\\\\app.example\\cb",
    "https:/app.example/cb",
    "https:app.example/cb",
    "//app.example/cb",
    "/cb",
    "app.example/cb",
    "https://app.example:443/cb",
    "https://app.example:/cb",
    "https://app.example:8443/cb",
    "https://app.example./cb",
    "https://app.example.evil.example/cb",
    "https://evil.example/https://app.example/cb",
    "https://evil.example?https://app.example/cb",
    "https://evil.example#https://app.example/cb",
    "https://evil.example\\@app.example/cb",
    "https://app.example@evil.example/cb",
    "https://user@app.example/cb",
    "https://user:pass@app.example/cb",
    "https://app.exampl\u{435}/cb",
    "https://xn--app-exmple-abc/cb",
    "javascript:alert(1)//https://app.example/cb",
    "data:text/html,<script>alert(1)</script>",
];

#[tokio::test]
async fn az_02_redirect_uris_are_compared_as_the_strings_that_they_are() {
    let fixture = Fixture::new();
    for nearly in NEARLY {
        let page = ask(&fixture, &with("conf", "redirect_uri", nearly)).await.expect_err(nearly);
        assert_eq!(page.reason(), Reason::RedirectUriUnregistered, "{nearly:?}");
        assert_eq!((page.status(), page.code()), (400, "invalid_request"));
    }
    for answer in ["urn:ietf:wg:oauth:2.0:oob", "com.example.app:/cb", "http://127.0.0.1/cb"] {
        assert!(ask(&fixture, &with("conf", "redirect_uri", answer)).await.is_err(), "another client's");
    }
    assert!(ask(&fixture, &with("conf", "redirect_uri", CALLBACK)).await.is_ok());
    assert!(fixture.store.is_empty());
}

#[tokio::test]
async fn az_03_only_the_port_of_a_loopback_address_may_differ() {
    let fixture = Fixture::new();
    for port in ["", ":0", ":1", ":80", ":51004", ":65535"] {
        let uri = format!("http://127.0.0.1{port}/cb");
        let query = with("pub", "redirect_uri", &uri);
        let answer = fixture.approve(&query).await;
        assert!(
            answer.location().starts_with(&format!("{uri}?code=")),
            "it goes to the port that was asked for"
        );
        let code = answer.location_parameter("code").unwrap();
        let mut form = redemption(&code);
        form[2].1 = "http://127.0.0.1:4444/cb";
        assert_eq!(fixture.token("pub", &form).await.error().1, "invalid_grant", "not another port");
        form[2].1 = &uri;
        assert_eq!(fixture.token("pub", &form).await.status(), 200);
    }
    for bad in [
        "http://127.0.0.1:65536/cb",
        "http://127.0.0.1:99999/cb",
        "http://127.0.0.1:-1/cb",
        "http://127.0.0.1:+1/cb",
        "http://127.0.0.1:/cb",
        "http://127.0.0.1:1x/cb",
        "http://127.0.0.1: 1/cb",
        "http://127.0.0.1:1:2/cb",
        "http://127.0.0.1:000001/cb",
        "http://127.0.0.1:1\\@evil.example/cb",
        "http://127.0.0.1:1@evil.example/cb",
        "http://127.0.0.1:1.evil.example/cb",
        "http://127.0.0.1.evil.example:1/cb",
        "http://127.0.0.1:1/CB",
        "http://127.0.0.1:1/cb/",
        "http://127.0.0.1:1/cb?x=1",
        "http://127.0.0.1:1/cb#f",
        "http://127.0.0.1:1//cb",
        "http://127.0.0.1:1",
        "http://127.0.0.2:1/cb",
        "http://127.1:1/cb",
        "http://2130706433:1/cb",
        "http://0x7f.0.0.1:1/cb",
        "http://0.0.0.0:1/cb",
        "http://[::1]:1/cb",
        "http://[::ffff:127.0.0.1]:1/cb",
        "http://localhost:1/cb",
        "http://u@127.0.0.1:1/cb",
        "https://127.0.0.1:1/cb",
        "HTTP://127.0.0.1:1/cb",
        "https://app.example:1/cb",
    ] {
        assert!(ask(&fixture, &with("pub", "redirect_uri", bad)).await.is_err(), "{bad}");
    }
}

fn public(uri: &str) -> grantor::client::ClientBuilder {
    Client::builder("app").redirect_uri(uri).auth_method(AuthMethod::None)
}

async fn covers(client: Client, uri: &str) -> bool {
    let fixture = Fixture::with(|builder| builder.clients(MemoryRegistry::new([client])));
    ask(&fixture, &with("app", "redirect_uri", uri)).await.is_ok()
}

#[tokio::test]
async fn d_06_localhost_has_any_port_only_by_the_clients_own_switch() {
    let client = || public("http://localhost/callback");
    assert!(covers(client().build().unwrap(), "http://localhost/callback").await);
    assert!(!covers(client().build().unwrap(), "http://localhost:51004/callback").await);
    let switched = client().localhost_any_port(true).build().unwrap();
    assert!(covers(switched.clone(), "http://localhost:51004/callback").await);
    for bad in [
        "http://127.0.0.1:51004/callback",
        "http://localhost:51004/other",
        "http://localhost.evil.example:1/callback",
        "http://LOCALHOST:51004/callback",
        "https://localhost:51004/callback",
    ] {
        assert!(!covers(switched.clone(), bad).await, "{bad}");
    }
    let six = public("http://[::1]/callback").build().unwrap();
    assert!(covers(six.clone(), "http://[::1]:51004/callback").await, "[::1] needs no switch");
    assert!(!covers(six, "http://[::2]:51004/callback").await);
}

#[tokio::test]
async fn az_04_nothing_is_redirected_to_an_address_that_is_not_proven() {
    let fixture = Fixture::new();
    let evil = "https://evil.example/cb";
    for query in [
        with("nobody", "redirect_uri", evil),
        with("", "redirect_uri", evil),
        with("conf", "redirect_uri", evil),
        with("pub", "redirect_uri", ""),
        with("robot", "redirect_uri", evil),
        with("robot", "redirect_uri", ""),
        [with("conf", "redirect_uri", evil), vec![("prompt", "none")]].concat(),
        [with("conf", "redirect_uri", evil), vec![("response_mode", "form_post")]].concat(),
        Vec::new(),
    ] {
        let reply = send(&fixture.server, bare("GET", &format!("/authorize?{}", encode(&query)))).await;
        assert_eq!((reply.status, reply.header("location")), (400, None), "{query:?}");
        assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
        assert_eq!(reply.header("refresh"), None);
        let html = String::from_utf8(reply.body).unwrap().to_lowercase();
        assert!(html.contains("id=\"oauth-error\">invalid_"), "{html}");
        assert!(
            !html.contains("http-equiv") && !html.contains("<script") && !html.contains("evil"),
            "{html}"
        );
    }
}

#[tokio::test]
async fn az_05_the_redirect_uri_may_be_omitted_if_one_is_registered() {
    let fixture = Fixture::new();
    let page = ask(&fixture, &with("pub", "redirect_uri", "")).await.expect_err("two are registered");
    assert_eq!(page.reason(), Reason::RedirectUriMissing);
    let answer = fixture.approve(&with("conf", "redirect_uri", "")).await;
    assert!(answer.location().starts_with("https://app.example/cb?code="));
    let code = answer.location_parameter("code").unwrap();
    let mut form = redemption(&code);
    form.retain(|(name, _)| *name != "redirect_uri");
    assert_eq!(fixture.token("conf", &form).await.status(), 200);
}

fn registration(uri: &str) -> Result<Client, ClientErrors> {
    public(uri).build()
}

fn refused_for(uri: &str, why: RedirectUriError) {
    let errors = registration(uri).expect_err(uri);
    assert_eq!(errors.all(), [ClientError::RedirectUri { uri: uri.to_owned(), why }]);
}

#[tokio::test]
async fn az_06_a_redirect_uri_keeps_its_query_and_has_no_fragment() {
    for (registered, start) in [
        ("https://app.example/cb?a=1", "https://app.example/cb?a=1&code="),
        ("https://app.example/cb?a=1&tab=mine", "https://app.example/cb?a=1&tab=mine&code="),
        ("https://app.example", "https://app.example?code="),
        ("com.example.app:/cb?a=%20", "com.example.app:/cb?a=%20&code="),
    ] {
        let client = registration(registered).unwrap();
        let fixture = Fixture::with(|builder| builder.clients(MemoryRegistry::new([client])));
        let answer = fixture.approve(&with("app", "redirect_uri", registered)).await;
        assert!(answer.location().starts_with(start), "{}", answer.location());
    }
    for bad in ["https://app.example/cb#", "https://app.example/cb#f", "https://app.example/cb?a#b"] {
        refused_for(bad, RedirectUriError::Fragment);
    }
    for repeated in ["?code=1&iss=x&state=q", "?a=1&%65rror=access_denied", "?session_state"] {
        refused_for(&format!("https://app.example/cb{repeated}"), RedirectUriError::ResponseParameter);
    }
    for bad in
        ["/cb", "cb", "", "//app.example/cb", "https://app.example/a b", "https://app.example/é", "http:"]
    {
        assert!(registration(bad).is_err(), "{bad:?}");
    }
    refused_for("https://u:p@app.example/cb", RedirectUriError::UserInfo);
    refused_for("https://*.example/cb", RedirectUriError::Wildcard);
    refused_for("https:/cb", RedirectUriError::NoHost);
    refused_for(&format!("https://app.example/{}", "a".repeat(2048)), RedirectUriError::TooLong);
}

#[test]
fn az_07_plain_http_leads_to_the_users_own_machine_only() {
    for bad in [
        "http://example.com/cb",
        "http://127.0.0.1.evil.example/cb",
        "http://localhost.evil.example/cb",
        "http://192.168.0.1/cb",
        "http://0.0.0.0/cb",
        "http://[::2]/cb",
        "HTTP://example.com/cb",
    ] {
        refused_for(bad, RedirectUriError::PlainHttp);
    }
    for good in
        ["http://127.0.0.1/cb", "http://127.0.0.1:8080/cb", "http://[::1]/cb", "http://localhost:3000/cb"]
    {
        assert!(registration(good).is_ok(), "{good}");
    }
}

#[tokio::test]
async fn az_08_a_private_scheme_is_a_reversed_domain_name() {
    for bad in
        ["myapp:/cb", "javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "blob:x", "vbscript:x"]
    {
        refused_for(bad, RedirectUriError::Scheme);
    }
    assert!(registration("com.example.app:/cb").is_ok());
    let fixture = Fixture::new();
    for bad in ["com.example.app:/CB", "COM.example.app:/cb", "com.example.app://cb", "com.example.app:/cb/x"]
    {
        assert!(ask(&fixture, &with("native", "redirect_uri", bad)).await.is_err(), "{bad}");
    }
}

#[tokio::test]
async fn az_09_nothing_is_judged_before_a_user_is_signed_in() {
    let fixture = Fixture::new();
    for (name, value) in [
        ("scope", "unknown"),
        ("scope", "\""),
        ("response_type", "foo"),
        ("code_challenge_method", "plain"),
        ("max_age", "-1"),
        ("request", "a.b.c"),
        ("response_mode", "carrier_pigeon"),
    ] {
        let query = with("conf", name, value);
        let waiting = ask(&fixture, &query).await.expect("a login page");
        let LoginRequired::ShowLogin(login) = waiting.login_required().await else {
            panic!("no link bounces off this server");
        };
        assert_eq!(login.client().id().as_str(), "conf");
        error_of(&fixture.approve(&query).await);
    }
    let twice = [code_query("conf", "read"), vec![("scope", "write")]].concat();
    let waiting = ask(&fixture, &twice).await.expect("a login page");
    assert!(matches!(waiting.login_required().await, LoginRequired::ShowLogin(_)));
}

#[tokio::test]
async fn az_23_the_implicit_and_the_password_grant_are_of_the_past() {
    let fixture = Fixture::new();
    let password = [("grant_type", "password"), ("username", "alice"), ("password", "wonderland")];
    let refused = fixture.token("legacy", &password).await;
    assert_eq!(refused.error(), (400, "unsupported_grant_type".to_owned()));
    let answer = fixture.approve(&with("legacy", "response_type", "token")).await;
    // The answer travels where the implicit one would have.
    assert_eq!(answer.location_parameter("error").as_deref(), Some("unsupported_response_type"));
    assert_eq!(answer.location_parameter("access_token"), None);

    let legacy = Fixture::legacy();
    assert_eq!(legacy.token("legacy", &password).await.status(), 200);
    let answer = legacy.approve(&with("legacy", "response_type", "token")).await;
    assert!(answer.location().starts_with("https://app.example/cb#access_token=gat_"));
    assert_eq!(legacy.token("conf", &password).await.error().1, "unauthorized_client", "only who lists it");
    let answer = legacy.approve(&with("conf", "response_type", "token")).await;
    assert_eq!(answer.location_parameter("error").as_deref(), Some("unauthorized_client"));
}

#[test]
fn a_client_without_an_address_can_have_no_codes() {
    let errors = Client::builder("app").secret(SECRET).build().unwrap_err();
    assert_eq!(errors.all(), [ClientError::RedirectUriMissing]);
}
