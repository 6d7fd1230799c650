//! Reads one detail of a text that was checked before, by [`strict_json`](crate::base::strict_json): with
//! duplicate members, two parsers could see different amounts.

use serde::de::{Deserialize, Deserializer, Error};
use serde_json::Value;

use super::AuthorizationDetail;

impl<'de> Deserialize<'de> for AuthorizationDetail {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match Value::deserialize(from)? {
            Value::Object(members) => Self::new(members).map_err(D::Error::custom),
            _ => Err(D::Error::custom("a detail is an object")),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::base::details::AuthorizationDetails;

    #[test]
    fn a_member_is_there_once_at_every_depth() {
        assert!(AuthorizationDetails::parse(r#"[{"type":"a","b":{"c":[1,-2,0.5,null,true,"d"]}}]"#).is_ok());
        for bad in [
            r#"[{"type":"a","type":"b"}]"#,
            r#"[{"type":"a","\u0074ype":"b"}]"#,
            r#"[{"type":"a","b":[{"c":1,"c":2}]}]"#,
        ] {
            assert!(AuthorizationDetails::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_nested_without_end_is_an_error() {
        let deep = format!(r#"[{{"type":"a","b":{}{}}}]"#, "[".repeat(4000), "]".repeat(4000));
        assert!(AuthorizationDetails::parse(&deep).is_err());
    }
}
