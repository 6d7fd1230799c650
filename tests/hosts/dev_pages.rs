//! The pages for development: who may have them, and what they answer.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::routing::any;
use grantor::adapter::axum::read;
use grantor::dev_pages::{DevPages, DevPagesError};
use grantor::{AuthorizationServer, Request, Response};
use tower::ServiceExt as _;

use crate::support::{Answer, code_query, encode};

const LOCAL: &str = "http://127.0.0.1:9400";

/// A server of this issuer with the clients of every test.
fn server(issuer: &str) -> AuthorizationServer {
    let builder = AuthorizationServer::builder(issuer).allow_http_loopback().scopes(["read", "write"]);
    let builder = builder.clients(grantor::MemoryRegistry::new(crate::support::clients()));
    builder.store(grantor::MemoryStore::small()).authorization_endpoint("/authorize").build().unwrap()
}

fn pages() -> DevPages {
    DevPages::new(server(LOCAL), ["alice", "<b>bob"]).unwrap()
}

/// A request of a browser on this machine.
fn local(request: Request) -> Request {
    request.from_peer(Ipv4Addr::LOCALHOST.into()).header("host", "127.0.0.1:9400")
}

async fn get(pages: &DevPages, query: &str) -> Response {
    pages.answer(&local(Request::get(query))).await
}

async fn post(pages: &DevPages, form: &[(&str, &str)]) -> Response {
    pages.answer(&local(Request::post_form(encode(form)))).await
}

fn text(answer: &Response) -> String {
    String::from_utf8(answer.body.clone()).unwrap()
}

/// The value of a hidden field, as a browser reads it.
fn hidden(page: &str, name: &str) -> String {
    let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).expect("the field");
    rest.split('"').next().unwrap().replace("&lt;", "<").replace("&amp;", "&")
}

/// Presses a button of this page.
async fn press(pages: &DevPages, page: &str, fields: &[(&str, &str)]) -> Response {
    let (token, request) = (hidden(page, "dev_pages"), hidden(page, "request"));
    let shown = if page.contains("name=\"shown\"") { hidden(page, "shown") } else { String::new() };
    let own = [("dev_pages", token.as_str()), ("request", request.as_str()), ("shown", shown.as_str())];
    post(pages, &[&own[..], fields].concat()).await
}

#[tokio::test]
async fn a_user_signs_in_by_a_button_and_allows_or_denies() {
    let (pages, query) = (pages(), encode(&code_query("pub", "read")));
    for (decision, parameter) in [("allow", "code"), ("deny", "error")] {
        let login = text(&get(&pages, &query).await);
        assert!(login.contains("Sign in as alice") && login.contains("Sign in as &lt;b&gt;bob"), "{login}");
        let consent = text(&press(&pages, &login, &[("user", "alice")]).await);
        assert!(consent.contains("<li>read</li>") && consent.contains("no password"), "{consent}");
        let answer = Answer(press(&pages, &consent, &[("user", "alice"), ("decision", decision)]).await);
        assert!(answer.location_parameter(parameter).is_some(), "{decision}");
    }
    let again = format!("{query}&prompt=login");
    let login = text(&get(&pages, &again).await);
    assert!(text(&press(&pages, &login, &[("user", "alice")]).await).contains("Allow access?"));
}

#[tokio::test]
async fn a_page_that_showed_something_else_is_shown_again() {
    let (pages, query) = (pages(), encode(&code_query("pub", "read")));
    let login = text(&get(&pages, &query).await);
    let consent = text(&press(&pages, &login, &[("user", "alice")]).await);
    let allow = [("user", "alice"), ("decision", "allow")];
    let shown = hidden(&consent, "shown");
    let changed = consent.replace(&shown, "something else");
    let again = press(&pages, &changed, &allow).await;
    assert_eq!((again.status, again.header("location")), (200, None));
    let again = text(&again);
    assert_eq!(hidden(&again, "shown"), shown);
    assert!(Answer(press(&pages, &again, &allow).await).location_parameter("code").is_some());
}

#[tokio::test]
async fn a_form_of_another_site_and_an_unknown_user_are_refused() {
    let (pages, query) = (pages(), encode(&code_query("pub", "read")));
    let page = text(&get(&pages, &query).await);
    for (token, user) in [("forged", "alice"), (hidden(&page, "dev_pages").as_str(), "mallory")] {
        let fields =
            [("dev_pages", token), ("request", query.as_str()), ("user", user), ("decision", "allow")];
        assert_eq!(post(&pages, &fields).await.status, 403, "{token} {user}");
    }
    let silent = format!("{query}&prompt=none");
    let silent = Answer(get(&pages, &silent).await);
    assert_eq!(silent.location_parameter("error").as_deref(), Some("login_required"));
    let posted = post(&pages, &code_query("pub", "read")).await;
    assert!(text(&posted).contains("Sign in as alice"), "a client's request by POST");
}

#[test]
fn only_a_server_on_this_machine_has_pages_for_development() {
    for issuer in ["https://as.example", "https://localhost", "https://127.0.0.1:9400"] {
        let refused = DevPages::new(server(issuer), ["alice"]).unwrap_err();
        assert_eq!(refused, DevPagesError::Issuer(issuer.to_owned()));
        assert!(refused.to_string().contains("without a password") && refused.to_string().contains(issuer));
    }
    for issuer in [LOCAL, "http://[::1]:9400", "http://localhost:9400"] {
        assert!(DevPages::new(server(issuer), ["alice"]).is_ok(), "{issuer}");
    }
    assert_eq!(DevPages::new(server(LOCAL), [""; 0]).unwrap_err(), DevPagesError::NoUsers);
    let robots = AuthorizationServer::builder(LOCAL).allow_http_loopback();
    let robots = robots.clients(grantor::MemoryRegistry::default()).store(grantor::MemoryStore::small());
    let refused = DevPages::new(robots.build().unwrap(), ["alice"]).unwrap_err();
    assert_eq!(refused, DevPagesError::NoEndpoint);
}

#[tokio::test]
async fn only_a_browser_on_this_machine_and_under_the_name_of_the_issuer_is_answered() {
    let (pages, query) = (pages(), encode(&code_query("pub", "read")));
    let asks = async |peer: Option<&str>, hosts: &[&str]| {
        let mut request = Request::get(query.as_str());
        request.peer = peer.map(|peer| peer.parse::<IpAddr>().unwrap());
        for host in hosts {
            request = request.header("host", *host);
        }
        pages.answer(&request).await
    };
    for peer in ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"] {
        for host in ["127.0.0.1:9400", "127.0.0.1"] {
            assert_eq!(asks(Some(peer), &[host]).await.status, 200, "{peer} {host}");
        }
    }
    let other = "another machine";
    for (peer, why) in [(None, "unknown"), (Some("192.168.1.7"), other), (Some("::2"), other)] {
        let refused = asks(peer, &["127.0.0.1:9400"]).await;
        assert!(refused.status == 403 && text(&refused).contains(why), "{peer:?}");
    }
    let rebound: [&[&str]; 5] = [
        &[],
        &["evil.example:9400"],
        &["127.0.0.1.evil.example"],
        &["localhost:9400"],
        &["127.0.0.1", "evil.example"],
    ];
    for hosts in rebound {
        let refused = asks(Some("127.0.0.1"), hosts).await;
        assert!(refused.status == 403 && !text(&refused).contains("Sign in"), "{hosts:?}");
    }
    // Nor does a button work.
    let login = text(&get(&pages, &query).await);
    let token = hidden(&login, "dev_pages");
    let fields = [("dev_pages", token.as_str()), ("request", query.as_str()), ("user", "alice")];
    let pressed = Request::post_form(encode(&fields)).from_peer(Ipv4Addr::LOCALHOST.into());
    assert_eq!(pages.answer(&pressed.header("host", "evil.example")).await.status, 403);
}

#[tokio::test]
async fn the_adapter_tells_the_pages_what_they_ask_for() {
    let pages = pages();
    let authorize = any(move |request| {
        let pages = pages.clone();
        async move { pages.answer(&read(request).await).await }
    });
    let app: Router = Router::new().route("/authorize", authorize);
    let uri = format!("/authorize?{}", encode(&code_query("pub", "read")));
    let own = "127.0.0.1:9400";
    for (peer, host, status) in
        [("127.0.0.1:50", own, 200), ("10.0.0.1:50", own, 403), ("127.0.0.1:50", "evil.example", 403)]
    {
        let peer: SocketAddr = peer.parse().unwrap();
        let request = axum::http::Request::get(&uri).header("host", host);
        let request = request.header("accept", "text/html,*/*;q=0.8").extension(ConnectInfo(peer));
        let answer = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), status, "{peer} {host}");
    }
}
