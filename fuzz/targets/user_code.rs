//! User codes: a code is found by its letters, however they are typed, and by nothing else.
//!
//! An input is what was typed; `$C` is the code of a device that waits.
#![no_main]

use std::sync::OnceLock;

use grantor::{AuthorizationServer, Endpoint, UserCode};
use grantor_fuzz::provider::{of_web, provider};
use grantor_fuzz::{Still, claim, handle, json};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (server, code) = world();
    let typed = text.replace("$C", code);
    let read = UserCode::parse(&typed);
    if let Some(read) = read {
        let shown = read.to_string();
        assert!(
            UserCode::parse(&shown) == Some(read) && UserCode::parse(&shown.to_lowercase()) == Some(read)
        );
        assert_eq!(UserCode::parse(&shown).map(|again| again.digest()), Some(read.digest()));
        assert!(!format!("{read:?}").contains(&shown), "a code in a log");
        let letters: String = typed.chars().filter(char::is_ascii_alphabetic).collect();
        assert_eq!(letters.to_uppercase(), shown.replace('-', ""));
    }
    let is_found = claim(server, &typed, "browser").is_some();
    assert!(!is_found || read.is_some_and(|read| read.to_string() == *code));
});

fn world() -> &'static (AuthorizationServer, String) {
    static WORLD: OnceLock<(AuthorizationServer, String)> = OnceLock::new();
    WORLD.get_or_init(|| {
        let server = provider(|builder| builder.clock(Still));
        let codes = json(&handle(&server, Endpoint::DeviceAuthorization, &of_web("scope=read")));
        let code = codes["user_code"].as_str().expect("a user code").to_owned();
        (server, code)
    })
}
