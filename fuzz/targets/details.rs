//! Authorization details (RFC 9396): what is kept is exactly what was sent.
#![no_main]

use grantor::AuthorizationDetails;
use grantor::base::{MAX_DEPTH, MAX_DETAILS};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|text: &str| {
    let Ok(details) = AuthorizationDetails::parse(text) else { return };
    let sent: Vec<Value> = serde_json::from_str(text).expect("an array");
    assert!(sent.len() == details.as_slice().len() && sent.len() <= MAX_DETAILS);
    for (detail, sent) in details.as_slice().iter().zip(&sent) {
        assert_eq!(Value::Object(detail.members().clone()), *sent, "nothing is added, dropped or rounded");
        assert_eq!(sent["type"], detail.kind());
        assert!(!detail.kind().is_empty() && depth(sent) <= MAX_DEPTH);
        let is_for = detail.is_for("https://api.example");
        match sent.get("locations") {
            Some(Value::Array(all)) => {
                assert_eq!(is_for, all.iter().any(|place| place == "https://api.example"))
            }
            Some(other) => panic!("not a list: {other}"),
            None => assert!(is_for),
        }
    }
    // Where there are none, nothing is written.
    let written =
        if details.is_empty() { "[]".to_owned() } else { serde_json::to_string(&details).expect("JSON") };
    assert_eq!(AuthorizationDetails::parse(&written).expect("what was written can be read"), details);
});

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}
