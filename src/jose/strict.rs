//! JSON objects without duplicate members.
//!
//! An attacker can exploit two parsers that read one text differently, so a second `alg` or `sub` is an error
//! here.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::JwsError;

/// Checks that the text is one JSON object, that its members (with escapes resolved) all differ, and that
/// none has a refused name.
pub(super) fn check(json: &str, refused: &[&'static str]) -> Result<(), JwsError> {
    let Names(mut names) = serde_json::from_str(json).map_err(|_| JwsError::NotAnObject)?;
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(JwsError::DuplicateMember);
    }
    match refused.iter().find(|refused| names.iter().any(|name| name.0 == **refused)) {
        Some(refused) => Err(JwsError::ForbiddenMember(refused)),
        None => Ok(()),
    }
}

/// The names of an object's members.
struct Names<'a>(Vec<Name<'a>>);

#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Names<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Names<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Names<'de>, A::Error> {
                let mut names = Vec::with_capacity(16);
                while let Some((name, IgnoredAny)) = map.next_entry()? {
                    names.push(name);
                }
                Ok(Names(names))
            }
        }
        from.deserialize_map(Object)
    }
}
