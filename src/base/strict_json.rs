//! JSON in which no object has a member twice, at any depth: two parsers could read it differently.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// Why a text is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotStrict {
    /// Not JSON, or nested too deeply.
    Malformed,
    /// An object has a member twice.
    DuplicateMember,
}

/// Reads a text.
pub(crate) fn read<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, NotStrict> {
    member_names(json)?;
    serde_json::from_str(json).map_err(|_| NotStrict::Malformed)
}

/// Checks a text, and keeps none of its values. If it is an object: the names of its own members, sorted.
pub(crate) fn member_names(json: &str) -> Result<Option<Vec<Cow<'_, str>>>, NotStrict> {
    let mut seen = Seen { names: Vec::with_capacity(16), has_duplicates: false };
    let mut from = serde_json::Deserializer::from_str(json);
    let read = Checked { seen: &mut seen, is_outermost: true }.deserialize(&mut from);
    read.and_then(|()| from.end()).map_err(|_| NotStrict::Malformed)?;
    match seen.has_duplicates {
        true => Err(NotStrict::DuplicateMember),
        false => Ok(json.trim_ascii_start().starts_with('{').then_some(seen.names)),
    }
}

/// The state of the check.
struct Seen<'de> {
    /// The member names of all enclosing objects, one object after the other: a single list, so a nested object
    /// costs no allocation.
    names: Vec<Cow<'de, str>>,
    has_duplicates: bool,
}

/// Reads a value, and looks only at the names of members.
struct Checked<'s, 'de> {
    seen: &'s mut Seen<'de>,
    is_outermost: bool,
}

impl<'de> DeserializeSeed<'de> for Checked<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Checked<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { seen, .. } = self;
        while list.next_element_seed(Checked { seen: &mut *seen, is_outermost: false })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let Self { seen, is_outermost } = self;
        let start = seen.names.len();
        while let Some(Name(name)) = object.next_key()? {
            seen.names.push(name);
            object.next_value_seed(Checked { seen: &mut *seen, is_outermost: false })?;
        }
        let own = &mut seen.names[start..];
        own.sort_unstable();
        seen.has_duplicates |= own.windows(2).any(|pair| pair[0] == pair[1]);
        if !is_outermost {
            seen.names.truncate(start);
        }
        Ok(())
    }
}

/// The name of a member, borrowed if it has no escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_there_once_at_every_depth() {
        for bad in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"a":1,"b":2,"c":3,"b":4}"#,
            r#"{"a":{"b":1,"b":2}}"#,
            r#"{"a":1,"b":{"c":[true,{"d":{},"d":null}]},"e":2}"#,
            r#"[[{"a":1},{"a":1,"a":1}]]"#,
        ] {
            assert_eq!(member_names(bad), Err(NotStrict::DuplicateMember), "{bad}");
            assert!(read::<serde_json::Value>(bad).is_err(), "{bad}");
        }
        for good in [
            r#"{"a":{"a":{"a":1}},"b":{"a":1}}"#,
            r#"{"a":{"b":1,"c":2},"b":1,"c":2}"#,
            r#"{"b":1,"c":2,"a":[{"b":1},{"b":1},{"c":1}]}"#,
            r#"[{"a":1},{"a":1}]"#,
            r#"{"a":"a","b":["a","a",1,-1,0.5,1e300,true,null,""]}"#,
        ] {
            let read: serde_json::Value = read(good).unwrap();
            assert_eq!(read, serde_json::from_str::<serde_json::Value>(good).unwrap(), "{good}");
        }
    }

    #[test]
    fn an_object_has_names_and_nothing_else_has() {
        let names = |json| member_names(json).map(|names| names.map(|names| names.join(" ")));
        assert_eq!(names(r#" {"b":{"x":1},"\u0061":[{"y":1}],"c":{}}"#), Ok(Some("a b c".to_owned())));
        assert_eq!(names("{}\n"), Ok(Some(String::new())));
        for other in ["[]", r#"[{"a":1}]"#, "7", "null", r#""{}""#] {
            assert_eq!(names(other), Ok(None), "{other}");
        }
    }

    #[test]
    fn what_is_no_json_is_malformed() {
        let deep = "[".repeat(5_000) + &"]".repeat(5_000);
        for bad in
            ["", "{", r#"{"a":1}x"#, r#"{"a":1}{}"#, "\u{feff}{}", r#"{"a":1,}"#, r#"{"a":1,"a""#, &deep]
        {
            assert_eq!(member_names(bad), Err(NotStrict::Malformed), "{bad}");
        }
    }
}
