//! The form parser: no panic, nothing that is half decoded, and nothing beyond its caps.
#![no_main]

use grantor::http::form::{Form, MAX_PARAMETER};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Ok(form) = Form::parse(input) else { return };
    let repeats = form.check_repeats();
    for name in ["grant_type", "client_id", "scope", "a", ""] {
        match form.one(name) {
            Ok(value) => {
                assert_eq!(form.all(name).next(), value);
                assert!(value.is_none_or(|v| !v.is_empty() && v.len() <= MAX_PARAMETER));
            }
            Err(_) => assert!(repeats.is_err(), "a repeat that only one of two checks sees"),
        }
    }
});
