//! [`NumericDate`]: a point in time in a JWT.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::{self, Deserializer};

/// Seconds since 1970, possibly with a fraction (RFC 7519 section 2), which is dropped: a token ends at most
/// a second early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NumericDate(i64);

/// The end of the year 9999, so no sum overflows.
const LAST: f64 = 253_402_300_799.0;

impl NumericDate {
    /// Whole seconds since 1970.
    pub(crate) const fn seconds(self) -> i64 {
        self.0
    }

    /// Drops the fraction of a second.
    pub(crate) fn of(moment: DateTime<Utc>) -> Self {
        Self(moment.timestamp())
    }

    /// The same as a `DateTime`; `None` if it is out of range.
    pub(crate) fn moment(self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp(self.0, 0)
    }
}

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(from)?;
        match (0.0..=LAST).contains(&seconds) {
            true => Ok(Self(seconds as i64)),
            false => Err(de::Error::custom("not a date")),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn ft_31_a_date_may_have_a_fraction() {
        let read = |json: &str| serde_json::from_str::<NumericDate>(json).ok().map(NumericDate::seconds);
        for (json, seconds) in [
            ("0", Some(0)),
            ("1700000000", Some(1_700_000_000)),
            ("1700000000.9", Some(1_700_000_000)),
            ("1.7e9", Some(1_700_000_000)),
            ("253402300799", Some(253_402_300_799)),
            ("253402300800", None),
            ("-1", None),
            ("1e300", None),
            ("\"1700000000\"", None),
            ("null", None),
            ("true", None),
        ] {
            assert_eq!(read(json), seconds, "{json}");
        }
    }
}
