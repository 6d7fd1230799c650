//! Stored signing keys: what is read is the same after it is written and read again, and at any time at most
//! one key of an algorithm signs.
#![no_main]

use grantor::jose::Algorithm;
use grantor::keys::{KeyRing, KeySchedule};
use grantor_fuzz::{NOW, moment};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(ring) = KeyRing::decode(text) else { return };
    let written = ring.encode().expect("a ring");
    let again = KeyRing::decode(written.reveal()).expect("what was written can be read");
    assert_eq!(again.encode().expect("a ring").reveal(), written.reveal());
    for now in [0, NOW, NOW * 2].map(moment) {
        let states = |ring: &KeyRing| format!("{:?}", ring.states(now).collect::<Vec<_>>());
        assert_eq!(states(&ring), states(&again));
        let published = ring.published(now).count();
        assert!(published <= ring.states(now).count());
        for algorithm in Algorithm::ALL {
            if let Some(key) = ring.signing(*algorithm, now) {
                use grantor::jose::Signer as _;
                assert_eq!(key.algorithm(), *algorithm);
                assert!(
                    ring.published(now).any(|jwk| jwk.kid() == key.key().kid()),
                    "it signs and is unknown"
                );
            }
        }
        let _ = ring.is_due(now, &KeySchedule::default(), Algorithm::ALL);
        let _ = ring.next_change(now);
    }
});
