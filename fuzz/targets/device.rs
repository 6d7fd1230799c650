//! Device authorization (RFC 8628): a device gets a token after the user's yes and not before, and no more
//! than it asked for.
#![no_main]

use std::sync::OnceLock;

use grantor::http::form::Form;
use grantor::{AuthorizationServer, Endpoint, UserCode};
use grantor_fuzz::provider::{is_within, of_web, provider};
use grantor_fuzz::{approve_device, claim, error, handle, json};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|form: &[u8]| {
    let response = handle(server(), Endpoint::DeviceAuthorization, &of_web(form));
    if response.status != 200 {
        assert!(matches!(response.status, 400 | 401 | 413), "{}", response.status);
        return;
    }
    let codes = json(&response);
    let user_code = codes["user_code"].as_str().expect("a user code");
    assert!(UserCode::parse(user_code).is_some_and(|code| code.to_string() == user_code));
    assert_eq!(codes["verification_uri"], "https://as.example/device");
    let poll = || {
        let code = codes["device_code"].as_str().expect("a device code");
        let form = format!("grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code={code}");
        handle(server(), Endpoint::Token, &of_web(form))
    };
    assert_eq!(error(&poll()).as_deref(), Some("authorization_pending"));
    let consent = claim(server(), user_code, "browser").expect("a device that waits");
    assert!(claim(server(), user_code, "another browser").is_none(), "two users for one device");
    let said = Form::parse(form).expect("a form").one("scope").expect("one scope").map(str::to_owned);
    let shown = consent.scope().as_str().to_owned();
    assert!(said.is_none_or(|said| is_within(&shown.as_str().into(), &said)));
    if approve_device(consent) {
        let polled = poll();
        match polled.status {
            200 => assert!(is_within(&json(&polled)["scope"], &shown)),
            _ => assert!(error(&polled).is_some_and(|code| code == "access_denied" || code == "slow_down")),
        }
    }
});

/// Its clock advances a little whenever it is read, so a poll may come too early.
fn server() -> &'static AuthorizationServer {
    static SERVER: OnceLock<AuthorizationServer> = OnceLock::new();
    SERVER.get_or_init(|| provider(|builder| builder))
}
