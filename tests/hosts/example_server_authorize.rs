//! What a browser sends to `/authorize` of `examples/server`, and what the consent page says about it.

use serde_json::{Value, json};

use crate::support::browser::{Answer, Browser, Server, unescape};
use crate::support::{CALLBACK, code_query, encode, redemption};

/// The query of the page that a redirect leads to.
fn followed<'a>(answer: &'a Answer, path: &str) -> &'a str {
    let to = answer.header("location").unwrap_or_else(|| panic!("{}: {}", answer.status, answer.body));
    to.strip_prefix(path).unwrap_or_else(|| panic!("{to}"))
}

#[test]
fn az_33_a_request_in_a_form_works_as_one_in_the_url_through_a_login_page_too() {
    let server = Server::start("");
    let mut asked = code_query("conf", "read");
    asked.retain(|(name, _)| *name != "state");
    asked.push(("state", "a b&c"));
    for signed_in in [false, true] {
        let mut alice = match signed_in {
            true => server.signed_in("alice", "wonderland"),
            false => server.browser(),
        };
        let sent_on = alice.post("/authorize", &asked);
        let mut answer = alice.get(&format!("/authorize?{}", followed(&sent_on, "/authorize?")));
        if !signed_in {
            let login = alice.get(&format!("/login?{}", followed(&answer, "/login?")));
            let form = [
                ("csrf", login.hidden("csrf")),
                ("return_to", login.hidden("return_to")),
                ("username", "alice".to_owned()),
                ("password", "wonderland".to_owned()),
            ];
            let form = form.each_ref().map(|(name, value)| (*name, value.as_str()));
            let back = alice.post("/login", &form);
            answer = alice.get(&format!("/authorize?{}", followed(&back, "/authorize?")));
        }
        let query = followed(&answer, "/consent?").to_owned();
        let answer = alice.decide(&query, "approve");
        assert_eq!(answer.location_parameter("state").as_deref(), Some("a b&c"));
        let code = answer.location_parameter("code").expect("a code");
        assert_eq!(alice.post_as_conf("/token", &redemption(&code))["scope"], "read");
    }
}

#[test]
fn az_33_a_form_that_is_too_large_gets_a_page() {
    let server = Server::start("");
    let state = "s".repeat(64 * 1024);
    let asked = [code_query("conf", "read"), vec![("nonce", state.as_str())]].concat();
    let answer = server.browser().post("/authorize", &asked);
    assert_eq!((answer.status, answer.header("location")), (413, None), "{}", answer.body);
    assert!(answer.header("content-type").unwrap().starts_with("text/html"));
}

/// The consent page for a client that registered itself under this name.
fn asked_by(server: &Server, alice: &mut Browser<'_>, name: &str) -> Result<Answer, u16> {
    let metadata = json!({
        "redirect_uris": [CALLBACK], "client_name": name, "token_endpoint_auth_method": "none",
    });
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let request = agent.post(format!("{}/register", server.base)).header("content-type", "application/json");
    let mut answer = request.send(metadata.to_string()).unwrap();
    let own: Value = serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap();
    match own["client_id"].as_str() {
        Some(id) => Ok(alice.get(&format!("/consent?{}", encode(&code_query(id, "read"))))),
        None => Err(answer.status().as_u16()),
    }
}

#[test]
fn az_32_the_consent_page_says_where_the_answer_goes_and_who_registered_the_client() {
    let server = Server::start_with("", "[registration]\nmode = \"open\"");
    let mut alice = server.signed_in("alice", "wonderland");
    let known = alice.get(&format!("/consent?{}", encode(&code_query("conf", "read"))));
    assert_eq!(known.element("consent-redirect-host"), Some("app.example"));
    assert!(known.element("consent-warnings").is_none(), "its name was checked by who wrote the file");

    let markup = "</bdi></h1><script>alert(1)</script><h1>\"Grantor\"";
    for name in ["Grantor", markup] {
        let page = asked_by(&server, &mut alice, name).unwrap();
        assert_eq!(page.status, 200);
        assert_eq!(page.element("consent-redirect-host"), Some("app.example"));
        let warnings = page.element("consent-warnings").expect("warnings");
        assert!(warnings.contains("registered itself"), "{warnings}");
        assert_eq!(unescape(page.element("consent-client").unwrap()), name, "text, in an element of its own");
        assert!(!page.body.contains("<script"), "{}", page.body);
        let before = |id: &str| page.body.find(&format!("id=\"{id}\"")).expect("an element");
        assert!(before("consent-redirect-host").max(before("consent-warnings")) < before("consent-approve"));
    }
    let long = asked_by(&server, &mut alice, &"Grantor ".repeat(200));
    assert_eq!(long.err(), Some(400), "a name has a bound");
}

/// Another site's form comes without the cookie of the session, and must not start another one.
#[test]
fn a_form_at_authorize_is_sent_on_as_a_get_and_signs_nobody_out() {
    let server = Server::start("");
    let mut alice = server.signed_in("alice", "wonderland");
    let form = code_query("conf", "read");
    let sent_on = server.browser().post("/authorize", &form);
    let expected = format!("/authorize?{}", encode(&form));
    assert_eq!((sent_on.status, sent_on.header("location")), (303, Some(&*expected)));
    assert_eq!(sent_on.header("set-cookie"), None);
    let asked = alice.get(&expected);
    assert!(asked.header("location").is_some_and(|to| to.starts_with("/consent?")), "still signed in");
}
