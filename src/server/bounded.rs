//! [`Bounded`]: what this process remembers until a moment, in bounded room.

use std::collections::HashMap;
use std::hash::Hash;

use chrono::{DateTime, Utc};

/// The most entries. What finds no room is not remembered, and its owner errs on the strict side.
pub(super) const LIMIT: usize = 16 * 1024;

/// Keys, each until a moment.
#[derive(Debug)]
pub(super) struct Bounded<K> {
    /// Made by the first entry: of many tenants, most have none.
    #[allow(clippy::box_collection)]
    until: Option<Box<HashMap<K, DateTime<Utc>>>>,
    /// The second in which it was last full: it is swept once a second at most.
    full: i64,
}

impl<K: Eq + Hash> Bounded<K> {
    /// Whether there was room for it.
    pub(super) fn insert(&mut self, key: K, until: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        let entries = self.until.get_or_insert_default();
        if entries.len() >= LIMIT && self.full != now.timestamp() {
            self.full = now.timestamp();
            entries.retain(|_, until| now < *until);
        }
        let has_room = entries.len() < LIMIT;
        if has_room {
            entries.insert(key, until);
        }
        has_room
    }

    /// Whether it is there and its moment has not come.
    pub(super) fn has(&self, key: &K, now: DateTime<Utc>) -> bool {
        self.until.as_ref().and_then(|entries| entries.get(key)).is_some_and(|until| now < *until)
    }

    /// Whether it is there still, its moment past or not.
    pub(super) fn remembers(&self, key: &K) -> bool {
        self.until.as_ref().is_some_and(|entries| entries.contains_key(key))
    }

    /// The same as [`has`](Self::has), and takes it out.
    pub(super) fn take(&mut self, key: &K, now: DateTime<Utc>) -> bool {
        self.until.as_mut().and_then(|entries| entries.remove(key)).is_some_and(|until| now < until)
    }

    pub(super) fn len(&self) -> usize {
        self.until.as_ref().map_or(0, |entries| entries.len())
    }
}

impl<K> Default for Bounded<K> {
    fn default() -> Self {
        Self { until: None, full: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    #[test]
    fn what_is_full_has_room_again_when_time_empties_it() {
        let mut bounded = Bounded::default();
        assert!((0..LIMIT).all(|n| bounded.insert(n, at(60), at(0))));
        assert!(!bounded.insert(LIMIT, at(120), at(59)));
        assert!(bounded.insert(LIMIT, at(120), at(60)));
        assert_eq!(bounded.len(), 1);
    }

    #[test]
    fn what_has_run_out_is_remembered_and_does_not_count() {
        let mut bounded = Bounded::default();
        bounded.insert("a", at(60), at(0));
        assert!(bounded.has(&"a", at(59)) && !bounded.has(&"a", at(60)) && bounded.remembers(&"a"));
        assert!(!bounded.take(&"a", at(60)) && !bounded.remembers(&"a"));
    }
}
