//! What the pages of a host owe to OAuth, shown on `examples/server` over HTTP.

use std::collections::BTreeMap;

use crate::support::browser::{Answer, Browser, Server, unescape};
use crate::support::{VERIFIER, code_query, encode, redemption};

fn query(client: &str) -> String {
    encode(&code_query(client, "read write"))
}

/// The pages that a person sees, and where a signed-in browser finds them.
fn pages(server: &Server) -> Vec<(&'static str, Answer)> {
    let mut alice = server.signed_in("alice", "wonderland");
    let consent = format!("/consent?{}", query("conf"));
    vec![
        ("login", server.browser().get("/login")),
        ("refused login", server.browser().sign_in("alice", "wrong", "/")),
        ("consent", alice.get(&consent)),
        ("error", alice.get("/authorize?client_id=nobody")),
        ("applications", alice.get("/applications")),
        ("grants", alice.get("/account/grants")),
        ("home", alice.get("/")),
        ("not found", alice.get("/nowhere")),
        ("forbidden", alice.post("/consent", &[])),
        ("form_post", alice.decide(&format!("{}&response_mode=form_post", query("conf")), "approve")),
    ]
}

#[test]
fn h_14_no_redirect_repeats_a_form_with_credentials() {
    let server = Server::start("");
    let mut browser = server.browser();
    let to_login = browser.get(&format!("/authorize?{}", query("conf")));
    assert_eq!(to_login.status, 303);
    assert!(to_login.header("location").unwrap().starts_with("/login?return_to="));
    let back = to_login.location_parameter("return_to").unwrap();

    let wrong = browser.sign_in("alice", "wrong", &back);
    assert_eq!((wrong.status, wrong.header("location")), (200, None));
    let signed_in = browser.sign_in("alice", "wonderland", &back);
    assert_eq!((signed_in.status, signed_in.header("location")), (303, Some(back.as_str())));
    assert_eq!(browser.get(&back).status, 303);
    for decision in ["approve", "deny"] {
        assert_eq!(browser.decide(&query("conf"), decision).status, 303, "{decision}");
    }
    let posted = browser.post("/authorize", &code_query("conf", "read"));
    assert_eq!(posted.status, 303);
    let csrf = browser.get("/account/grants").hidden("csrf");
    assert_eq!(browser.post("/logout", &[("csrf", &csrf)]).status, 303);
}

#[test]
fn h_23_an_https_issuer_is_strict_about_transport() {
    let plain = Server::start("");
    assert!(pages(&plain).iter().all(|(_, page)| page.header("strict-transport-security").is_none()));
    let secure = Server::start("issuer = \"https://login.example\"");
    for (name, page) in pages(&secure) {
        let hsts = page.header("strict-transport-security").unwrap_or_else(|| panic!("{name}"));
        let seconds: u64 = hsts.strip_prefix("max-age=").unwrap().parse().unwrap();
        assert!(seconds >= 180 * 24 * 60 * 60, "{name}: {hsts}");
    }
    let mut browser = secure.browser();
    let login = browser.get("/login");
    let cookie = login.header("set-cookie").unwrap();
    assert!(
        cookie.starts_with("__Host-") && cookie.contains("; Secure") && cookie.contains("; HttpOnly"),
        "{cookie}"
    );
}

#[test]
fn az_10_every_request_asks_the_user_again() {
    let server = Server::start("");
    let mut alice = server.signed_in("alice", "wonderland");
    for client in ["native", "pub", "conf"] {
        let silent =
            |alice: &mut Browser<'_>| alice.get(&format!("/authorize?{}&prompt=none", query(client)));
        let forbidden = silent(&mut alice);
        assert_eq!(forbidden.location_parameter("error").as_deref(), Some("consent_required"), "{client}");
        for round in 1..=2 {
            let asked = alice.get(&format!("/authorize?{}", query(client)));
            let to = asked.header("location").unwrap().to_owned();
            assert!(to.starts_with("/consent?"), "{client}, round {round}: {to}");
            let page = alice.get(&to);
            assert_eq!(page.status, 200);
            assert!(page.element("consent-approve").is_some(), "a button to press");
            assert_eq!(page.element("consent-warnings").is_some(), client != "conf", "{client}");
            let answer = alice.decide(&query(client), "approve");
            let code =
                answer.location_parameter("code").unwrap_or_else(|| panic!("{client}: {}", answer.body));
            let asked: BTreeMap<String, String> = serde_urlencoded::from_str(&query(client)).unwrap();
            let mut form = redemption(&code);
            form.retain(|(name, _)| *name != "redirect_uri");
            form.push(("redirect_uri", &asked["redirect_uri"]));
            let tokens: serde_json::Value = match client {
                "native" | "pub" => {
                    form.push(("client_id", client));
                    serde_json::from_str(&alice.post("/token", &form).body).unwrap()
                }
                _ => alice.post_as(client, "/token", &form),
            };
            assert!(tokens["access_token"].is_string(), "{client}: {tokens}");
        }
        // What was granted counts where no page may be shown, but not for a program that any other one can
        // pose as.
        let silent = silent(&mut alice);
        let error = silent.location_parameter("error");
        match client {
            "native" => assert_eq!(error.as_deref(), Some("consent_required")),
            _ => {
                assert!(error.is_none() && silent.location_parameter("code").is_some(), "{client}: {error:?}")
            }
        }
    }
}

#[test]
fn az_11_only_the_consent_page_of_this_session_can_approve() {
    let server = Server::start("");
    let mut alice = server.signed_in("alice", "wonderland");
    let mut bob = server.signed_in("bob", "builder");
    let request = query("conf");
    let csrf = alice.get(&format!("/consent?{request}")).hidden("csrf");
    let bobs = bob.get(&format!("/consent?{request}")).hidden("csrf");
    assert_ne!(csrf, bobs);
    for token in ["", "x", bobs.as_str(), &csrf[1..], &csrf.to_uppercase()] {
        let form = [("csrf", token), ("request", &request), ("decision", "approve")];
        let answer = alice.post("/consent", &form);
        assert_eq!((answer.status, answer.header("location")), (403, None), "{token:?}");
    }
    let without = alice.post("/consent", &[("request", &request), ("decision", "approve")]);
    assert_eq!(without.status, 403);
    let form = [("csrf", csrf.as_str()), ("request", &request), ("decision", "approve")];
    assert_eq!(server.browser().post("/consent", &form).status, 403, "no cookie");
    assert_eq!(bob.post("/consent", &form).status, 403, "another's cookie");
    for decision in ["", "maybe", "APPROVE"] {
        let form = [("csrf", csrf.as_str()), ("request", &request), ("decision", decision)];
        assert_eq!(alice.post("/consent", &form).status, 400, "{decision:?}");
    }
    let crossed = alice.get(&format!("/consent?{request}&csrf={csrf}&decision=approve"));
    assert_eq!((crossed.status, crossed.header("location")), (200, None), "a link cannot approve");
    assert!(alice.get("/account/grants").element("grants").is_none(), "nothing was granted");

    let login = [("username", "alice"), ("password", "wonderland"), ("return_to", "/")];
    assert_eq!(server.browser().post("/login", &login).status, 403, "nor can a link sign somebody in");
    let approved = alice.post("/consent", &form);
    assert!(approved.location_parameter("code").is_some());
}

#[test]
fn az_11_the_form_of_a_changed_request_is_checked_again() {
    let server = Server::start("");
    let mut alice = server.signed_in("alice", "wonderland");
    let csrf = alice.get(&format!("/consent?{}", query("conf"))).hidden("csrf");
    let evil = query("conf").replace("app.example", "evil.example");
    let answer = alice.post("/consent", &[("csrf", &csrf), ("request", &evil), ("decision", "approve")]);
    assert_eq!((answer.status, answer.header("location")), (400, None));
    assert_eq!(answer.element("oauth-error"), Some("invalid_request"));
}

#[test]
fn az_12_no_page_is_shown_in_a_frame() {
    let server = Server::start("");
    for (name, page) in pages(&server) {
        assert!(matches!(page.status, 200 | 400 | 403 | 404), "{name}: {}", page.status);
        assert_eq!(page.header("x-frame-options"), Some("DENY"), "{name}");
        let csp = page.header("content-security-policy").unwrap_or_else(|| panic!("{name}"));
        assert!(csp.contains("frame-ancestors 'none'"), "{name}: {csp}");
    }
}

#[test]
fn az_13_pages_load_nothing_from_elsewhere_and_send_no_referrer() {
    let server = Server::start("");
    for (name, page) in pages(&server) {
        assert_eq!(page.header("referrer-policy"), Some("no-referrer"), "{name}");
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"), "{name}");
        assert_eq!(page.header("cache-control"), Some("no-store"), "{name}");
        let csp = page.header("content-security-policy").unwrap();
        assert!(
            csp.starts_with("default-src 'none';") && !csp.contains("unsafe") && !csp.contains("http"),
            "{name}"
        );
        for attribute in ["src=\"", "<link rel=\"stylesheet\" href=\"", "url("] {
            let links = page.body.split(attribute).skip(1);
            assert!(links.into_iter().all(|link| link.starts_with('/') && !link.starts_with("//")), "{name}");
        }
        let scripts = page.body.matches("<script").count();
        assert_eq!(scripts, usize::from(name == "form_post"), "{name}");
    }
}

#[test]
fn az_25_the_consent_page_says_who_asks_for_what() {
    let server = Server::start("");
    let mut alice = server.signed_in("alice", "wonderland");
    let page = alice.get(&format!("/consent?{}", query("conf")));
    assert_eq!(unescape(page.element("consent-client").unwrap()), "Notes <b>& more");
    assert_eq!(page.element("consent-redirect-host"), Some("app.example"));
    assert!(page.element("consent-user").unwrap().contains("alice"));
    let scopes = unescape(page.element("consent-scopes").unwrap());
    assert!(scopes.contains("See your <notes>") && scopes.contains("Change your notes"), "{scopes}");
    assert!(!page.body.contains("<notes>") && !page.body.contains("<b>&"), "names are text");

    let mut bob = server.signed_in("bob", "builder");
    let csrf = bob.get("/applications").hidden("csrf");
    let form = [
        ("csrf", csrf.as_str()),
        ("name", "Bob's"),
        ("type", "web"),
        ("redirect_uris", "https://app.example/cb"),
    ];
    assert_eq!(bob.post("/applications", &form).status, 303);
    let shown = bob.get("/applications");
    let id = shown.element("client-id").expect("the id").trim().to_owned();
    assert!(shown.element("client-secret").is_some());
    assert!(bob.get("/applications").element("client-secret").is_none(), "shown once");

    let page = alice.get(&format!("/consent?{}", query(&id)));
    assert_eq!(unescape(page.element("consent-client").unwrap()), "Bob's");
    assert!(page.body.contains("Registered by</dt><dd><bdi>bob</bdi>"), "the developer");
    assert!(page.element("consent-warnings").unwrap().contains("Nobody has checked it"));
}

#[test]
fn az_25_a_user_lists_and_revokes_what_was_granted() {
    let server = Server::start("");
    let mut alice = server.signed_in("alice", "wonderland");
    let code = alice.decide(&query("conf"), "approve").location_parameter("code").unwrap();
    let tokens = alice.post_as_conf(
        "/token",
        &[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", "https://app.example/cb"),
            ("code_verifier", VERIFIER),
        ],
    );
    let (access, refresh) =
        (tokens["access_token"].as_str().unwrap(), tokens["refresh_token"].as_str().unwrap());
    assert_eq!(alice.post_as_conf("/introspect", &[("token", access)])["active"], true);

    let page = alice.get("/account/grants");
    assert!(unescape(page.element("grants").unwrap()).contains("Notes <b>& more"));
    let mut bob = server.signed_in("bob", "builder");
    let theirs = bob.get("/account/grants");
    assert!(theirs.element("grants").is_none());
    bob.post("/account/grants/revoke", &[("csrf", &theirs.hidden("csrf")), ("client_id", "conf")]);
    assert_eq!(alice.post_as_conf("/introspect", &[("token", access)])["active"], true, "not bob's to end");

    let csrf = page.hidden("csrf");
    assert_eq!(alice.post("/account/grants/revoke", &[("client_id", "conf")]).status, 403);
    assert_eq!(alice.post("/account/grants/revoke", &[("csrf", &csrf), ("client_id", "conf")]).status, 303);
    assert_eq!(alice.post_as_conf("/introspect", &[("token", access)])["active"], false);
    let refused =
        alice.post_as_conf("/token", &[("grant_type", "refresh_token"), ("refresh_token", refresh)]);
    assert_eq!(refused["error"], "invalid_grant");
    assert!(alice.get("/account/grants").element("grants").is_none());
}

#[test]
fn ft_38_one_consent_page_is_one_decision() {
    let server = Server::start("");
    let mut alice = server.signed_in("alice", "wonderland");
    let request = query("conf");
    for (first, then) in [("approve", "approve"), ("approve", "deny"), ("deny", "approve")] {
        let page = alice.get(&format!("/consent?{request}"));
        let csrf = page.hidden("csrf");
        let mut press = |decision| {
            let form = [("csrf", csrf.as_str()), ("request", &request), ("decision", decision)];
            alice.post("/consent", &form).header("location").unwrap().to_owned()
        };
        let answer = press(first);
        assert_eq!(answer.contains("code="), first == "approve");
        for _ in 0..7 {
            assert_eq!(press(then), answer, "{first}, then {then}");
        }
    }
}

#[test]
fn a_request_that_no_page_can_keep_is_told_so_before_any_page() {
    let server = Server::start("");
    let long = format!("{}&more={}", query("conf"), "%2F".repeat(5_400));
    for mut browser in [server.browser(), server.signed_in("alice", "wonderland")] {
        for path in ["/authorize", "/consent"] {
            let page = browser.get(&format!("{path}?{long}"));
            assert_eq!((page.status, page.header("location")), (400, None), "{path}");
            assert!(page.body.contains("The request is too long to be kept"), "{}", page.body);
        }
    }
    let fits = format!("{}&more={}", query("conf"), "%2F".repeat(2_600));
    let mut alice = server.signed_in("alice", "wonderland");
    assert!(alice.get(&format!("/authorize?{fits}")).header("location").unwrap().starts_with("/consent?"));
    assert!(alice.decide(&fits, "approve").location_parameter("code").is_some());
}

/// The status of a request with these header lines.
fn raw(server: &Server, lines: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(server.base.strip_prefix("http://").unwrap()).unwrap();
    write!(stream, "GET /login HTTP/1.1\r\n{lines}connection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap_or_default().to_owned()
}

#[test]
fn a_request_names_one_host() {
    let server = Server::start("");
    let host = "host: 127.0.0.1\r\n";
    assert_eq!(raw(&server, host), "200");
    for lines in ["", &host.repeat(2), &format!("{host}host: other.example\r\n")] {
        assert_eq!(raw(&server, lines), "400", "{lines}");
    }
}

#[test]
fn what_a_page_does_not_take_is_answered_with_a_page() {
    let server = Server::start("");
    let mut alice = server.signed_in("alice", "wonderland");
    let long = "a".repeat(70_000);
    for path in ["/login", "/consent", "/account/grants/revoke"] {
        let page = alice.post(path, &[("csrf", &long)]);
        assert_eq!(page.status, 413, "{path}");
        assert!(page.body.contains("<h1>"), "{path}: {}", page.body);
    }
    let page = alice.post("/account/grants", &[]);
    assert_eq!((page.status, page.header("allow")), (405, Some("GET,HEAD")));
    assert!(page.body.contains("<h1>"), "{}", page.body);
    for query in ["", "?run=a&run=b", "?run=%FF"] {
        let page = alice.get(&format!("/playground{query}"));
        assert_eq!((page.status, page.header("location")), (303, Some("/")), "{query}");
    }
}

#[test]
fn az_25_authorization_details_are_shown_before_and_after_they_were_granted() {
    let tail = "[[authorization_details]]\ntype = \"payment\"\ntext = \"Pay\"\nrequired = { to = \"text\" }";
    let server = Server::start_with("", tail);
    let mut alice = server.signed_in("alice", "wonderland");
    let details = encode(&[("authorization_details", "[{\"type\":\"payment\",\"to\":\"B\u{202e}knaB\"}]")]);
    let request = format!("{}&{details}", query("conf"));
    let page = alice.get(&format!("/consent?{request}"));
    assert!(page.body.contains(r"<bdi>B\u{202e}knaB</bdi>"), "{}", page.body);
    let code = alice.decide(&request, "approve").location_parameter("code").unwrap();
    let tokens = server.browser().post_as_conf("/token", &redemption(&code));
    assert!(tokens["access_token"].is_string(), "{tokens}");
    let access = alice.get("/account/grants");
    for shown in ["<p>Pay</p>", "<dt>to</dt>", r"<bdi>B\u{202e}knaB</bdi>"] {
        assert!(access.body.contains(shown), "{shown}: {}", access.body);
    }
}

#[test]
fn a_slash_at_the_end_of_the_issuer_is_not_doubled() {
    let server = Server::start("issuer = \"https://login.example/\"\naccess_tokens = \"jwt\"");
    let mut browser = server.browser();
    for (path, url) in [("/keys", "https://login.example/jwks"), ("/", "https://login.example/authorize")] {
        let page = browser.get(path);
        assert!(unescape(&page.body).contains(&format!("<code>{url}</code>")), "{path}: {}", page.body);
    }
}

#[test]
fn ft_38_every_dead_end_has_a_way_onward() {
    let server = Server::start("");
    let mut alice = server.signed_in("alice", "wonderland");
    let request = query("conf");
    let csrf = alice.get(&format!("/consent?{request}")).hidden("csrf");
    alice.cookies.clear();
    let form = [("csrf", csrf.as_str()), ("request", &request), ("decision", "approve")];
    let expired = alice.post("/consent", &form);
    assert_eq!(expired.status, 403);
    let way = format!("id=\"try-again\" href=\"/consent?{request}\"");
    assert!(unescape(&expired.body).contains(&way), "{}", expired.body);
    let evil = [("csrf", "x"), ("return_to", "https://evil.example/")];
    assert!(!alice.post("/login", &evil).body.contains("evil.example"));
}

#[test]
fn oi_90_sign_in_consent_and_sign_out_take_the_forms_of_their_own_session_alone() {
    let server = Server::start("");
    let mut alice = server.signed_in("alice", "wonderland");
    let mut bob = server.signed_in("bob", "builder");
    let request = query("conf");
    let bobs = bob.get(&format!("/consent?{request}")).hidden("csrf");
    let forms: [(&str, Vec<(&str, &str)>); 3] = [
        ("/login", vec![("username", "alice"), ("password", "wonderland"), ("return_to", "/")]),
        ("/consent", vec![("request", &request), ("decision", "approve")]),
        ("/logout", Vec::new()),
    ];
    for (path, form) in forms {
        let with_bobs = [form.clone(), vec![("csrf", bobs.as_str())]].concat();
        for form in [&form, &with_bobs] {
            let answer = alice.post(path, form);
            // An application's own form for a logout has no token of ours: it leads to the page that asks.
            let asks = path == "/logout" && form.is_empty();
            let expected = if asks { (303, Some("/logout?")) } else { (403, None) };
            assert_eq!((answer.status, answer.header("location")), expected, "{path}");
        }
    }
    assert_eq!(alice.get("/account/grants").status, 200, "nothing signed alice out");
    for (name, page) in pages(&server) {
        let csp = page.header("content-security-policy").unwrap_or_else(|| panic!("{name}"));
        assert!(csp.contains("frame-ancestors 'none'") && !csp.contains("http"), "{name}: {csp}");
    }
}
