//! The stored format: what is read is the same after it is written and read again.
#![no_main]

use chrono::DateTime;
use grantor::base::Secret;
use grantor::grant::Grant;
use grantor::store::Record;
use grantor::{Client, GrantId};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let id = GrantId::new([7; 16]);
    if let Ok(grant) = Grant::decode(id, text) {
        let written = grant.encode();
        let again = Grant::decode(id, &written).expect("what was written can be read");
        assert_eq!(again, grant);
        assert_eq!(again.encode(), written);
        let now = DateTime::from_timestamp(1_800_000_000, 0).expect("a time");
        let _ = (grant.is_live(now), grant.expires(), grant.access(&Secret::new([7; 32]), now));
        let record = Record::new(grant, 1);
        assert_eq!(record.index().expires, record.grant().expires());
        assert!(record.into_grant().revoke(now).is_ended());
    }
    let Ok(value) = serde_json::from_str(text) else { return };
    if let Ok(client) = Client::decode(&value) {
        assert_eq!(Client::decode(&client.encode()).expect("what was written can be read"), client);
    }
});
