//! Logout requests: without an `id_token` of this server the browser goes nowhere, and with one only to an
//! address that its client registered.
//!
//! An input is a query; `$H` is an `id_token` of alice, and an input that begins with a `!` comes without a
//! login.
#![no_main]

use std::sync::OnceLock;

use grantor::{AuthorizationServer, Request};
use grantor_fuzz::provider::{SIGNED_OUT, provider, redeemed};
use grantor_fuzz::{NOW, Still, log_out, login, own_parameter};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (server, hint) = world();
    let (is_alone, text) = text.strip_prefix('!').map_or((false, text), |text| (true, text));
    let query = text.replace("$H", hint);
    let alice = login("alice", NOW);
    let Some((is_asked, to)) = log_out(server, &Request::get(query.as_str()), (!is_alone).then_some(&alice))
    else {
        return;
    };
    assert!(!is_asked || to.is_none());
    assert!(is_asked || is_alone || query.contains(hint), "signed out without a word of the user");
    let Some(to) = to else { return };
    assert!(query.contains(hint), "a redirect without a proof");
    let rest = to.strip_prefix(SIGNED_OUT).expect("a registered address");
    assert!(rest.is_empty() || rest.starts_with("?state="), "{to}");
    assert_eq!(own_parameter(&to, "state").is_some(), !rest.is_empty());
});

fn world() -> &'static (AuthorizationServer, String) {
    static WORLD: OnceLock<(AuthorizationServer, String)> = OnceLock::new();
    WORLD.get_or_init(|| {
        let server = provider(|builder| builder.clock(Still));
        let tokens = redeemed(&server, "scope=openid", NOW).expect("tokens");
        let hint = tokens["id_token"].as_str().expect("an id_token").to_owned();
        (server, hint)
    })
}
