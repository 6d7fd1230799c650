//! [`Member`]: a member of client metadata as strangers write it.
//!
//! A member of the wrong type does not fail the whole body: depending on its purpose it is refused by name or
//! dropped.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A member of JSON. `null` is absent (RFC 7592 section 2.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Member<T> {
    #[default]
    Absent,
    Is(T),
    /// A value of another type.
    Other,
}

/// A text.
pub(crate) type Text = Member<String>;
/// A switch.
pub(crate) type Flag = Member<bool>;
/// A number of seconds.
pub(crate) type Number = Member<u32>;
/// A list of strings.
pub(crate) type List = Member<Vec<Text>>;

impl<T> Member<T> {
    pub(crate) fn or(self, other: Self) -> Self {
        match self {
            Self::Absent => other,
            Self::Is(_) | Self::Other => self,
        }
    }

    /// The value, if it has the right type.
    pub(crate) fn value(self) -> Option<T> {
        match self {
            Self::Is(value) => Some(value),
            Self::Absent | Self::Other => None,
        }
    }

    pub(crate) fn is_of_another_type(&self) -> bool {
        matches!(self, Self::Other)
    }
}

impl Text {
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Is(text) => Some(text),
            Self::Absent | Self::Other => None,
        }
    }

    /// The text, as a client keeps it.
    pub(crate) fn boxed(self) -> Option<Box<str>> {
        self.value().map(String::into_boxed_str)
    }
}

impl List {
    /// Not a list, or a list of other things than strings.
    pub(crate) fn has_no_text(&self) -> bool {
        match self {
            Self::Absent => false,
            Self::Is(entries) => !entries.is_empty() && entries.iter().all(|entry| entry.as_str().is_none()),
            Self::Other => true,
        }
    }

    /// Absent, or a list of only strings.
    pub(crate) fn is_of_texts(&self) -> bool {
        match self {
            Self::Absent => true,
            Self::Is(entries) => entries.iter().all(|entry| entry.as_str().is_some()),
            Self::Other => false,
        }
    }

    /// The strings in it.
    pub(crate) fn texts(self) -> Vec<String> {
        self.value().unwrap_or_default().into_iter().filter_map(Member::value).collect()
    }
}

impl<'de, T: Shape> Deserialize<'de> for Member<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reader(PhantomData))
    }
}

/// A type that a member may have.
trait Shape: Sized {
    fn of_bool(_: bool) -> Member<Self> {
        Member::Other
    }

    fn of_text(_: &str) -> Member<Self> {
        Member::Other
    }

    fn of_number(_: u64) -> Member<Self> {
        Member::Other
    }

    /// Reads the list to its end.
    fn of_list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<Member<Self>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Member::Other)
    }
}

impl Shape for bool {
    fn of_bool(is_on: bool) -> Member<Self> {
        Member::Is(is_on)
    }
}

impl Shape for u32 {
    fn of_number(number: u64) -> Member<Self> {
        Self::try_from(number).map_or(Member::Other, Member::Is)
    }
}

impl Shape for String {
    fn of_text(text: &str) -> Member<Self> {
        Member::Is(text.to_owned())
    }
}

impl Shape for Vec<Text> {
    fn of_list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<Member<Self>, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = list.next_element()? {
            entries.push(entry);
        }
        Ok(Member::Is(entries))
    }
}

/// Accepts any value.
struct Reader<T>(PhantomData<T>);

impl<'de, T: Shape> Visitor<'de> for Reader<T> {
    type Value = Member<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(T::of_text(text))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Member::Absent)
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(Member::Absent)
    }

    fn visit_bool<E>(self, is_on: bool) -> Result<Self::Value, E> {
        Ok(T::of_bool(is_on))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Member::Other)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(T::of_number(number))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Member::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        T::of_list(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Member::Other)
    }
}
