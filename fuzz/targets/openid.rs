//! OpenID Connect requests: an `id_token` is for the client, its request and the user who signed in, and has
//! no claim that was not asked for.
//!
//! An input is the query but for its client and its address.
#![no_main]

use std::sync::OnceLock;

use grantor::http::form::Form;
use grantor::{AuthorizationServer, Clock as _};
use grantor_fuzz::provider::{claims, provider, redeemed};
use grantor_fuzz::{ISSUER, Ticking};
use libfuzzer_sys::fuzz_target;

const CLOCK: Ticking = Ticking(1);

fuzz_target!(|query: &str| {
    // A query that names its client again is refused, and leaves nothing to check.
    let at = CLOCK.now().timestamp();
    let Some(tokens) = redeemed(server(), query, at) else { return };
    let form = Form::parse(query.as_bytes()).expect("a query");
    let said = |name| form.one(name).expect("one value");
    let asks = said("scope").is_some_and(|scope| scope.split(' ').any(|token| token == "openid"));
    assert_eq!(tokens.get("id_token").is_some(), asks);
    let Some(id_token) = tokens["id_token"].as_str() else { return };
    let claims = claims(id_token);
    assert_eq!(
        (&claims["iss"], &claims["aud"], &claims["sub"]),
        (&ISSUER.into(), &"web".into(), &"alice".into())
    );
    assert_eq!(claims["nonce"].as_str(), said("nonce"));
    assert!(claims["acr"].is_null(), "what the login did not say");
    let asked = said("claims").unwrap_or_default();
    for name in ["name", "email"] {
        assert!(claims[name].is_null() || asked.contains("id_token"), "{name} was not asked for");
    }
    assert!(claims["auth_time"].is_null() || claims["auth_time"] == at);
});

fn server() -> &'static AuthorizationServer {
    static SERVER: OnceLock<AuthorizationServer> = OnceLock::new();
    SERVER.get_or_init(|| provider(|builder| builder.clock(CLOCK)))
}
