//! The parameter `claims` (OpenID Connect Core section 5.5): it names what it names, and never a claim that
//! the protocol makes.
#![no_main]

use grantor::openid::{ClaimTerms, ClaimsRequest, MAX_CLAIM_NAMES, MAX_CLAIMS_LENGTH};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|text: &str| {
    let Ok(request) = ClaimsRequest::parse(text) else { return };
    assert!(text.len() <= MAX_CLAIMS_LENGTH);
    let sent: Value = serde_json::from_str(text).expect("JSON");
    let places = [("id_token", named(request.of_id_token())), ("userinfo", named(request.of_userinfo()))];
    for (place, named) in &places {
        assert!(named.len() <= MAX_CLAIM_NAMES);
        for (name, terms) in named {
            let said = &sent[place].as_object().expect("claims")[*name];
            assert!(
                !["iss", "sub", "aud", "exp", "iat", "nonce", "acr", "auth_time"].contains(name),
                "{name}"
            );
            assert_eq!(terms.is_some(), said.is_object());
            let Some(terms) = terms else { continue };
            assert_eq!(terms.essential, said["essential"] == true);
            assert_eq!(terms.values.is_empty(), said.get("value").is_none() && said.get("values").is_none());
        }
    }
    let written = serde_json::to_string(&request).expect("JSON");
    let again: ClaimsRequest = serde_json::from_str(&written).expect("what was written can be read");
    assert_eq!(again, request);
});

fn named<'a>(
    claims: impl Iterator<Item = (&'a str, Option<&'a ClaimTerms>)>,
) -> Vec<(&'a str, Option<&'a ClaimTerms>)> {
    claims.collect()
}
