//! The page for user codes of `examples/server`, over HTTP: RFC 8628 section 3.3.

use serde_json::Value;

use crate::support::browser::{Answer, Browser, Server};
use crate::support::encode;
use crate::support::folder::Folder;

const TELEVISION: &str = r#"
[[clients]]
client_id = "tv"
client_name = "Tele <b>vision"
token_endpoint_auth_method = "none"
grant_types = ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"]
"#;

struct Device {
    device_code: String,
    user_code: String,
    link: String,
}

fn json(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap()
}

impl Device {
    fn begin(server: &Server) -> Self {
        let answer =
            server.browser().post("/device_authorization", &[("client_id", "tv"), ("scope", "read")]);
        let text = |name: &str| json(&answer)[name].as_str().unwrap().to_owned();
        let complete = text("verification_uri_complete");
        let link = complete[complete.find("/device").unwrap()..].to_owned();
        Self { device_code: text("device_code"), user_code: text("user_code"), link }
    }

    /// The error of a poll, or `tokens`.
    fn poll(&self, server: &Server) -> String {
        let grant_type = "urn:ietf:params:oauth:grant-type:device_code";
        let form = [("grant_type", grant_type), ("device_code", &self.device_code), ("client_id", "tv")];
        let answer = json(&server.browser().post("/token", &form));
        match answer["access_token"].is_string() {
            true => "tokens".to_owned(),
            false => answer["error"].as_str().unwrap().to_owned(),
        }
    }
}

fn enter(browser: &mut Browser<'_>, code: &str) -> Answer {
    let csrf = browser.get("/device").hidden("csrf");
    browser.post("/device", &[("csrf", &csrf), ("user_code", code)])
}

fn decide(browser: &mut Browser<'_>, decision: &str) -> Answer {
    let page = browser.get("/device/consent");
    browser.post("/device/consent", &as_form(&answer_to(&page, decision)))
}

/// What the form of a consent page sends.
fn answer_to(page: &Answer, decision: &str) -> Vec<(&'static str, String)> {
    let mut form: Vec<_> = ["csrf", "user_code", "shown"].map(|name| (name, page.hidden(name))).into();
    form.push(("decision", decision.to_owned()));
    form
}

fn as_form<'a>(form: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    form.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

#[test]
fn dg_03_a_link_fills_the_code_in_and_a_click_enters_it() {
    let server = Server::start_with("", TELEVISION);
    let device = Device::begin(&server);
    let mut browser = server.browser();
    let page = browser.get(&device.link);
    assert_eq!(page.status, 200);
    assert!(page.body.contains(&format!("value=\"{}\"", device.user_code)), "{}", page.body);
    assert_eq!(device.poll(&server), "authorization_pending");
    // The link alone entered nothing, so that another browser still can.
    let mut alice = server.signed_in("alice", "wonderland");
    assert_eq!(enter(&mut alice, &device.user_code).header("location"), Some("/device/consent"));
    for hostile in ["%3Cb%3E", "BCDF-GHJ1", "", "BCDF-GHJK%22%3Ex"] {
        let page = browser.get(&format!("/device?user_code={hostile}"));
        assert!(page.body.contains("value=\"\""), "{hostile}");
    }
    let page = browser.get("/device?user_code=bcdf.GHJK%22%3E");
    assert!(page.body.contains("value=\"BCDF-GHJK\""), "only its letters");
}

#[test]
fn dg_03_a_visitor_signs_in_on_the_way_and_sees_code_client_and_scope() {
    let server = Server::start_with("", TELEVISION);
    let device = Device::begin(&server);
    let mut browser = server.browser();
    let entered = enter(&mut browser, &device.user_code.to_lowercase().replace('-', " "));
    assert_eq!((entered.status, entered.header("location")), (303, Some("/device/consent")));
    let to_login = browser.get("/device/consent");
    assert!(to_login.header("location").unwrap().starts_with("/login?"));
    let back = to_login.location_parameter("return_to").unwrap();
    assert_eq!(browser.sign_in("alice", "wonderland", &back).header("location"), Some("/device/consent"));

    let page = browser.get("/device/consent");
    assert_eq!(page.element("consent-code"), Some(device.user_code.as_str()));
    assert_eq!(page.element("consent-client"), Some("Tele &lt;b&gt;vision"));
    assert!(page.body.contains("<code>read</code>") && page.element("consent-warnings").is_some());
    assert!(page.body.contains("they would get into your account"), "it warns of strangers' codes");
    assert_eq!(device.poll(&server), "authorization_pending");

    let done = decide(&mut browser, "approve");
    assert_eq!(done.status, 200);
    assert!(done.element("device-done").is_some(), "{}", done.body);
    assert_eq!(device.poll(&server), "tokens");
    assert!(browser.get("/account/grants").body.contains("vision"));
    assert_eq!(browser.get("/device/consent").header("location"), Some("/device"), "it is over");
}

#[test]
fn dg_03_a_denial_is_one() {
    let server = Server::start_with("", TELEVISION);
    let device = Device::begin(&server);
    let mut alice = server.signed_in("alice", "wonderland");
    enter(&mut alice, &device.user_code);
    assert!(decide(&mut alice, "deny").body.contains("refused"));
    assert_eq!(device.poll(&server), "access_denied");
}

#[test]
fn dg_07_wrong_codes_are_limited() {
    let server = Server::start_with("", TELEVISION);
    let device = Device::begin(&server);
    let mut alice = server.signed_in("alice", "wonderland");
    for guess in ["BCDF-GHJK", "CDFG-HJKL", "DFGH-JKLM", "FGHJ-KLMN", "GHJK-LMNP"] {
        let page = enter(&mut alice, guess);
        assert_eq!(page.status, 400);
        assert!(page.element("device-message").unwrap().contains("No device is waiting"));
    }
    let refused = enter(&mut alice, &device.user_code);
    // 5 in 10 minutes, so one in two; the guesses themselves took a moment.
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!(refused.status == 429 && (60..=120).contains(&wait), "{} {wait}", refused.status);
    assert_eq!(device.poll(&server), "authorization_pending");
    let mut bob = server.signed_in("bob", "builder");
    assert_eq!(enter(&mut bob, &device.user_code).status, 303, "another browser at the same address");
}

#[test]
fn dg_07_one_address_begins_so_many_devices_as_the_file_says() {
    let server = Server::start_with("", &format!("{TELEVISION}[limits]\ndevice = 2"));
    let begin = || server.browser().post("/device_authorization", &[("client_id", "tv")]).status;
    assert_eq!([begin(), begin(), begin()], [200, 200, 429]);
}

#[test]
fn dg_09_only_the_browser_that_entered_the_code_answers() {
    let server = Server::start_with("", TELEVISION);
    let device = Device::begin(&server);
    let mut alice = server.signed_in("alice", "wonderland");
    let mut bob = server.signed_in("bob", "builder");
    assert_eq!(enter(&mut alice, &device.user_code).status, 303);
    assert_eq!(enter(&mut bob, &device.user_code).status, 400);
    assert_eq!(bob.get("/device/consent").header("location"), Some("/device"));
    let csrf = bob.get("/device").hidden("csrf");
    for decision in ["approve", "deny"] {
        let form = [("csrf", csrf.as_str()), ("user_code", &device.user_code), ("decision", decision)];
        assert_eq!(bob.post("/device/consent", &form).header("location"), Some("/device"));
        let crossed = alice.get(&format!("/device/consent?{}", encode(&form)));
        assert_eq!(crossed.status, 200, "a link answers nothing");
        assert_eq!(alice.post("/device/consent", &form).status, 403, "another's form answers nothing");
    }
    assert_eq!(device.poll(&server), "authorization_pending");
    // Nor does another user in the same browser.
    let csrf = alice.get("/login?again=yes").hidden("csrf");
    let login = [("csrf", csrf.as_str()), ("username", "bob"), ("password", "builder")];
    assert_eq!(alice.post("/login", &login).status, 303);
    assert_eq!(alice.get("/device/consent").header("location"), Some("/device"));
    assert_eq!(enter(&mut alice, &device.user_code).status, 400);
}

#[test]
fn dg_03_a_code_that_was_entered_before_a_restart_is_answered_after_it() {
    let folder = Folder::new();
    let store = format!("store = \"sqlite:{}\"", folder.file("grants.db").display());
    let head = format!("issuer = \"https://login.example\"\n{store}");
    let first = Server::start_with(&head, TELEVISION);
    let device = Device::begin(&first);
    let mut alice = first.signed_in("alice", "wonderland");
    assert_eq!(enter(&mut alice, &device.user_code).status, 303);
    let cookies = std::mem::take(&mut alice.cookies);
    drop(first);

    let second = Server::start_with(&head, TELEVISION);
    assert_eq!(enter(&mut second.signed_in("bob", "builder"), &device.user_code).status, 400);
    let mut alice = second.browser();
    alice.cookies = cookies;
    assert_eq!(alice.sign_in("alice", "wonderland", "/").status, 303);
    assert_eq!(enter(&mut alice, &device.user_code).status, 303);
    let done = decide(&mut alice, "approve");
    assert!(done.element("device-done").is_some(), "{}", done.body);
    assert_eq!(device.poll(&second), "tokens");
}

#[test]
fn dg_03_only_what_the_page_showed_is_allowed() {
    let server = Server::start_with("", TELEVISION);
    let device = Device::begin(&server);
    let mut alice = server.signed_in("alice", "wonderland");
    enter(&mut alice, &device.user_code);
    let mut form = answer_to(&alice.get("/device/consent"), "approve");
    form[2].1 = "what was shown before the client changed".to_owned();
    let again = alice.post("/device/consent", &as_form(&form));
    assert_eq!((again.status, again.header("location")), (303, Some("/device/consent")));
    assert_eq!(device.poll(&server), "authorization_pending");
    decide(&mut alice, "approve");
    assert_eq!(device.poll(&server), "tokens");
}

#[test]
fn ft_38_the_second_press_of_a_device_s_page_repeats_the_first_answer() {
    let server = Server::start_with("", TELEVISION);
    for (first, then) in [("approve", "deny"), ("deny", "approve"), ("approve", "approve")] {
        let device = Device::begin(&server);
        let mut alice = server.signed_in("alice", "wonderland");
        enter(&mut alice, &device.user_code);
        let page = alice.get("/device/consent");
        let mut press = |decision| {
            let answer = alice.post("/device/consent", &as_form(&answer_to(&page, decision)));
            assert_eq!(answer.status, 200, "{}", answer.body);
            answer.element("device-done").unwrap().to_owned()
        };
        assert_eq!(press(first), press(then), "{first}, then {then}");
        assert_eq!(device.poll(&server) == "tokens", first == "approve");
    }
}
