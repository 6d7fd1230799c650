//! The pages for development: who may have them, and what they answer.

use grantor::dev_pages::{DevPages, DevPagesError};
use grantor::{AuthorizationServer, Request, Response};

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
    let own = [("dev_pages", token.as_str()), ("request", request.as_str())];
    pages.answer(&Request::post_form(encode(&[&own[..], fields].concat()))).await
}

#[tokio::test]
async fn a_user_signs_in_by_a_button_and_allows_or_denies() {
    let (pages, query) = (pages(), encode(&code_query("pub", "read")));
    for (decision, parameter) in [("allow", "code"), ("deny", "error")] {
        let login = text(&pages.answer(&Request::get(query.as_str())).await);
        assert!(login.contains("Sign in as alice") && login.contains("Sign in as &lt;b&gt;bob"), "{login}");
        let consent = text(&press(&pages, &login, &[("user", "alice")]).await);
        assert!(consent.contains("<li>read</li>") && consent.contains("no password"), "{consent}");
        let answer = Answer(press(&pages, &consent, &[("user", "alice"), ("decision", decision)]).await);
        assert!(answer.location_parameter(parameter).is_some(), "{decision}");
    }
    let again = format!("{query}&prompt=login");
    let login = text(&pages.answer(&Request::get(again.as_str())).await);
    assert!(text(&press(&pages, &login, &[("user", "alice")]).await).contains("Allow access?"));
}

#[tokio::test]
async fn a_form_of_another_site_and_an_unknown_user_are_refused() {
    let (pages, query) = (pages(), encode(&code_query("pub", "read")));
    let page = text(&pages.answer(&Request::get(query.as_str())).await);
    for (token, user) in [("forged", "alice"), (hidden(&page, "dev_pages").as_str(), "mallory")] {
        let fields =
            [("dev_pages", token), ("request", query.as_str()), ("user", user), ("decision", "allow")];
        assert_eq!(pages.answer(&Request::post_form(encode(&fields))).await.status, 403, "{token} {user}");
    }
    let silent = format!("{query}&prompt=none");
    let silent = Answer(pages.answer(&Request::get(silent.as_str())).await);
    assert_eq!(silent.location_parameter("error").as_deref(), Some("login_required"));
    let posted = pages.answer(&Request::post_form(query)).await;
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
