//! Parses details from JSON without duplicate members at any depth: otherwise two parsers could see different
//! amounts.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::AuthorizationDetail;

impl<'de> Deserialize<'de> for AuthorizationDetail {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match Strict::deserialize(from)?.0 {
            Value::Object(members) => Self::new(members).map_err(D::Error::custom),
            _ => Err(D::Error::custom("a detail is an object")),
        }
    }
}

const NUMBER: &str = "$serde_json::private::Number";

/// A value all of whose objects have each member once.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Any).map(Self)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number that is none"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Strict(value)) = list.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some((name, Strict(value))) = object.next_entry::<String, Strict>()? {
            // How serde_json passes a number if the host has enabled its feature `arbitrary_precision`.
            if let (NUMBER, Value::String(digits)) = (name.as_str(), &value) {
                return digits.parse().map(Value::Number).map_err(A::Error::custom);
            }
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a member is there twice"));
            }
        }
        Ok(Value::Object(members))
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
