//! Response modes, signed ones too (JARM): an answer goes to the client's address in the mode that was asked
//! for, and nothing of it is left outside of a signature.
//!
//! An input is the mode and, on a second line, the rest of the query.
#![no_main]

use std::sync::OnceLock;

use grantor::http::form::Form;
use grantor::{AuthorizationServer, Clock as _, Request, ResponseMode};
use grantor_fuzz::provider::{CALLBACK, claims, provider};
use grantor_fuzz::{ISSUER, Ticking, answer_as, escaped, login, own_parameter, redirect};
use libfuzzer_sys::fuzz_target;

const CLOCK: Ticking = Ticking(1);

fuzz_target!(|text: &str| {
    let (mode, rest) = text.split_once('\n').unwrap_or((text, ""));
    let query = format!("client_id=web&redirect_uri={CALLBACK}&response_mode={}&{rest}", escaped(mode));
    let login = login("alice", CLOCK.now().timestamp());
    let Some(response) = answer_as(server(), &Request::get(query.as_str()), login, &[CALLBACK]) else {
        return;
    };
    let to = redirect(&response).expect("an address");
    let body = std::str::from_utf8(&response.body).expect("text");
    // A mode that is named twice is none.
    let form = Form::parse(query.as_bytes()).expect("a query");
    let known = ResponseMode::ALL.iter().find(|known| form.one("response_mode") == Ok(Some(known.as_str())));
    let Some(known) = known.filter(|known| known.is_signed()) else { return };
    // The place of the answer by its mode; a code is sent in the query.
    let is_form = known.as_str().starts_with("form_post");
    assert!(is_form == to.eq(CALLBACK) && to.contains('#') == known.as_str().starts_with("fragment"));
    let signed = match is_form {
        true => {
            let value = body.split_once("name=\"response\" value=\"").expect("an answer").1;
            value.split('"').next().map(str::to_owned)
        }
        false => own_parameter(&to, "response"),
    };
    for name in ["code", "error", "state", "access_token", "id_token", "iss"] {
        let is_clear = own_parameter(&to, name).is_some() || body.contains(&format!("name=\"{name}\""));
        assert!(!is_clear, "{name} outside of the signature");
    }
    let said = claims(&signed.expect("an answer"));
    assert_eq!((&said["iss"], &said["aud"]), (&ISSUER.into(), &"web".into()));
    assert!(said["code"].is_string() != said["error"].is_string());
    assert_eq!(said["state"].as_str(), form.one("state").unwrap_or_default());
});

fn server() -> &'static AuthorizationServer {
    static SERVER: OnceLock<AuthorizationServer> = OnceLock::new();
    SERVER.get_or_init(|| provider(|builder| builder.clock(CLOCK)))
}
