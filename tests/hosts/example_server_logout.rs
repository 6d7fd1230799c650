//! `examples/server` ends what began in a session: at any node, and even if its store fails just then.

use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnectOptions;

use crate::support::browser::{Browser, Server};
use crate::support::folder::Folder;
use crate::support::{code_query, encode, redemption};

const OPENID: &str = "[keys]\nalgorithms = [\"RS256\"]\n[openid]";

fn code(browser: &mut Browser<'_>) -> String {
    let answer = browser.decide(&encode(&code_query("conf", "openid read")), "approve");
    answer.location_parameter("code").unwrap_or_else(|| panic!("{}", answer.body))
}

fn token(browser: &mut Browser<'_>) -> String {
    let code = code(browser);
    let tokens = browser.post_as_conf("/token", &redemption(&code));
    tokens["access_token"].as_str().unwrap_or_else(|| panic!("{tokens}")).to_owned()
}

/// A server with the issuer and the store of the other nodes.
fn node(folder: &Folder, more: &str) -> Server {
    let store = format!("store = \"sqlite:{}\"", folder.file("grants.db").display());
    Server::start_with(&format!("issuer = \"https://login.example\"\n{store}"), &format!("{OPENID}\n{more}"))
}

#[test]
fn lo_04_an_id_token_from_another_node_names_the_session_that_it_is_of() {
    let folder = Folder::new();
    let secret = "session_secret = \"a text of the operator, of 45 characters or more\"";
    let (first, second) = (node(&folder, secret), node(&folder, secret));
    let mut alice = first.signed_in("alice", "wonderland");
    let tokens = second.browser().post_as_conf("/token", &redemption(&code(&mut alice)));
    let hint = tokens["id_token"].as_str().unwrap_or_else(|| panic!("{tokens}"));
    let left = alice.get(&format!("/logout?{}", encode(&[("id_token_hint", hint)])));
    assert!(left.element("signed-out").is_some(), "no question: {}", left.body);
}

#[test]
fn lo_19_a_server_that_stops_ends_its_sessions_and_a_later_one_claims_nothing_of_them() {
    let folder = Folder::new();
    let first = node(&folder, "");
    let mut alice = first.signed_in("alice", "wonderland");
    let token = token(&mut alice);
    let is_active = |server: &Server| {
        server.browser().post_as_conf("/introspect", &[("token", token.as_str())])["active"].clone()
    };
    assert_eq!(is_active(&first), true);
    let cookies = std::mem::take(&mut alice.cookies);
    first.stop();

    let second = node(&folder, "");
    assert_eq!(is_active(&second), false);
    let mut alice = second.browser();
    alice.cookies = cookies;
    let unknown = alice.get("/logout");
    assert_eq!((unknown.status, unknown.element("signed-out")), (200, None));
    assert!(unknown.element("session-unknown").is_some(), "{}", unknown.body);
    assert!(unknown.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert!(alice.get("/logout").element("signed-out").is_some(), "without a session, there is nothing left");
}

#[test]
fn every_signal_to_stop_ends_the_sessions_first() {
    for signal in ["INT", "HUP"] {
        let folder = Folder::new();
        let first = node(&folder, "");
        let token = token(&mut first.signed_in("alice", "wonderland"));
        first.stop_by(signal);
        let second = node(&folder, "");
        let left = second.browser().post_as_conf("/introspect", &[("token", token.as_str())]);
        assert_eq!(left["active"], false, "{signal}");
    }
}

#[tokio::test]
async fn lo_23_a_logout_while_the_store_fails_ends_the_grants_once_it_is_back() {
    let folder = Folder::new();
    let file = folder.file("grants.db");
    let server = Server::start_with(&format!("store = \"sqlite:{}\"", file.display()), OPENID);
    let mut alice = server.signed_in("alice", "wonderland");
    let mut bob = server.signed_in("bob", "builder");
    let tokens = [token(&mut alice), token(&mut bob)];
    let is_active = |token: &String| {
        let answer = server.browser().post_as_conf("/introspect", &[("token", token.as_str())]);
        answer["active"].as_bool().unwrap_or_else(|| panic!("{answer}"))
    };
    let csrf = alice.get("/account/grants").hidden("csrf");
    let question = bob.get("/logout");

    let mut other = SqliteConnectOptions::new().filename(&file).connect().await.unwrap();
    let lock = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    assert_eq!(alice.post("/logout", &[("csrf", &csrf)]).status, 303, "the button on our own pages");
    let (csrf, confirmed) = (question.hidden("csrf"), question.hidden("logout_confirmation"));
    let form = [("csrf", csrf.as_str()), ("logout_confirmation", &confirmed), ("decision", "approve")];
    assert_eq!(bob.post("/logout", &form).status, 503, "the answer to a request");
    assert!(tokens.iter().all(is_active));

    lock.rollback().await.unwrap();
    for token in &tokens {
        let mut is_over = false;
        for _ in 0..300 {
            is_over = !is_active(token);
            if is_over {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(is_over);
    }
}

/// Sends the start of a form to this page, and ends the connection or leaves it open. Returns what comes back.
fn half_a_form(server: &Server, path: &str, is_open: bool) -> String {
    use std::io::{Read as _, Write as _};
    let address = server.base.strip_prefix("http://").unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let head = "content-type: application/x-www-form-urlencoded\r\ncontent-length: 100\r\nconnection: close";
    write!(stream, "POST {path} HTTP/1.1\r\nhost: {address}\r\n{head}\r\n\r\nclient_id=").unwrap();
    if !is_open {
        stream.shutdown(std::net::Shutdown::Write).unwrap();
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_form_that_never_arrives_is_given_up() {
    let server = &Server::start_with("", OPENID);
    std::thread::scope(|scope| {
        let waits = ["/login", "/consent", "/authorize", "/logout"]
            .map(|path| scope.spawn(move || half_a_form(server, path, true)));
        for wait in waits {
            let answer = wait.join().unwrap();
            assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        }
    });
}

#[test]
fn a_form_of_an_application_that_is_too_long_or_incomplete_is_a_page_and_no_redirect() {
    let server = Server::start_with("", OPENID);
    let mut browser = server.browser();
    let small = browser.post("/logout", &[("state", "a")]);
    assert_eq!((small.status, small.header("location")), (303, Some("/logout?state=a")));
    for (length, status) in [(20_000, 400), (70_000, 413)] {
        let page = browser.post("/logout", &[("state", &"a".repeat(length))]);
        assert_eq!((page.status, page.header("location")), (status, None), "{length}");
        assert!(page.body.contains("<h1>"), "{}", page.body);
    }
    let cut = half_a_form(&server, "/logout", false);
    assert!(cut.starts_with("HTTP/1.1 408 "), "{cut}");
}
