//! Key sets: what is read has no private part, and is the same after it is written and read again.
#![no_main]

use grantor::jose::{Jwk, JwkSet};
use grantor::resource::TrustedKeys;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let trusted = TrustedKeys::parse(input);
    let Ok(text) = std::str::from_utf8(input) else {
        assert!(trusted.is_err());
        return;
    };
    if let Ok(set) = JwkSet::parse(text) {
        assert!(set.keys().len() <= JwkSet::MAX_KEYS && text.len() <= JwkSet::MAX_BYTES);
        let written = serde_json::to_string(&set).expect("JSON");
        assert_eq!(JwkSet::parse(&written).expect("what was written can be read"), set);
        assert!(trusted.expect("a set").as_slice().len() <= set.keys().len());
    }
    if let Ok(key) = Jwk::parse(text) {
        let written = serde_json::to_value(&key).expect("JSON");
        let private = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
        assert!(private.iter().all(|name| written.get(name).is_none()));
        assert_eq!(Jwk::parse(&written.to_string()).expect("what was written can be read"), key);
        assert_eq!(key.thumbprint().len(), 43);
    }
});
