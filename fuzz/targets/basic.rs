//! The `Basic` field (RFC 6749 section 2.3.1): only a right secret authenticates, in one decoding.
//!
//! An input is the pair before its Base64, or a whole field if it begins with a word and a space.
#![no_main]

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use grantor::{AuthorizationServer, Client, Endpoint, GrantType, MemoryRegistry, MemoryStore, Request};
use grantor_fuzz::{ISSUER, handle};
use libfuzzer_sys::fuzz_target;

/// What needs escapes, and what does not.
const CLIENTS: [(&str, &str); 2] = [("app", "s"), ("my app+%", "p\u{fc}:%&=+ ")];

fuzz_target!(|input: &[u8]| {
    let passes = passes(format!("Basic {}", STANDARD.encode(input)));
    let pair = std::str::from_utf8(input).ok().and_then(|text| text.split_once(':'));
    let pair = pair.and_then(|(id, secret)| Some((decoded(id)?, decoded(secret)?)));
    let is_right = pair.is_some_and(|(id, secret)| CLIENTS.contains(&(&id, &secret)));
    assert_eq!(passes, is_right);
    let Ok(field) = std::str::from_utf8(input) else { return };
    if self::passes(field.to_owned()) {
        let (scheme, rest) = field.split_once(' ').expect("a scheme");
        assert!(scheme.eq_ignore_ascii_case("basic") && STANDARD.decode(rest.trim()).is_ok());
    }
});

/// Decodes a value of a form, without the crate's parser.
fn decoded(text: &str) -> Option<String> {
    let (mut out, mut rest) = (Vec::new(), text.bytes());
    while let Some(byte) = rest.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [char::from(rest.next()?).to_digit(16)?, char::from(rest.next()?).to_digit(16)?];
                u8::try_from(digits[0] * 16 + digits[1]).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(out).ok()
}

/// Introspection authenticates its client, and stores nothing.
fn passes(field: String) -> bool {
    static SERVER: OnceLock<AuthorizationServer> = OnceLock::new();
    let server = SERVER.get_or_init(|| {
        let client = |(id, secret)| {
            let client = Client::builder(id).secret(secret).grant_types([GrantType::ClientCredentials]);
            client.build().expect("a client")
        };
        let builder = AuthorizationServer::builder(ISSUER).clients(MemoryRegistry::new(CLIENTS.map(client)));
        builder.store(MemoryStore::new()).build().expect("a server")
    });
    let response = handle(
        server,
        Endpoint::Introspection,
        &Request::post_form("token=x").header("authorization", field),
    );
    assert!(matches!(response.status, 200 | 400 | 401), "{}", response.status);
    response.status == 200
}
