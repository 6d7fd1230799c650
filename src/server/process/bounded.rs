//! [`Bounded`]: a set of keys that expire, bounded in size.

use std::collections::HashMap;
use std::hash::Hash;

use chrono::{DateTime, Utc};

/// The maximum number of entries. A full set remembers nothing new, and its callers err on the strict side.
pub(in crate::server) const LIMIT: usize = 16 * 1024;

/// Keys, each with its expiry.
#[derive(Debug)]
pub(in crate::server) struct Bounded<K> {
    /// Allocated by the first entry: with many tenants, most have none.
    entries: Option<Box<Entries<K>>>,
}

#[derive(Debug)]
struct Entries<K> {
    until: HashMap<K, DateTime<Utc>>,
    /// The second in which the map was last full: it is swept at most once a second.
    full: i64,
}

impl<K: Eq + Hash> Bounded<K> {
    /// Remembers a key; `false` if there was no room for it.
    pub(in crate::server) fn insert(&mut self, key: K, until: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        let entries = self.entries.get_or_insert_default();
        if entries.until.len() >= LIMIT && entries.full != now.timestamp() {
            entries.full = now.timestamp();
            entries.until.retain(|_, until| now < *until);
        }
        let has_room = entries.until.len() < LIMIT;
        if has_room {
            entries.until.insert(key, until);
        }
        has_room
    }

    /// Whether the key is present and has not expired.
    pub(in crate::server) fn has(&self, key: &K, now: DateTime<Utc>) -> bool {
        self.entries.as_ref().and_then(|entries| entries.until.get(key)).is_some_and(|until| now < *until)
    }

    /// Whether the key is present, expired or not.
    pub(in crate::server) fn remembers(&self, key: &K) -> bool {
        self.entries.as_ref().is_some_and(|entries| entries.until.contains_key(key))
    }

    /// Removes the key and returns its expiry, if it was present.
    pub(in crate::server) fn remove(&mut self, key: &K) -> Option<DateTime<Utc>> {
        self.entries.as_mut()?.until.remove(key)
    }

    pub(in crate::server) fn len(&self) -> usize {
        self.entries.as_ref().map_or(0, |entries| entries.until.len())
    }
}

impl<K> Default for Bounded<K> {
    fn default() -> Self {
        Self { entries: None }
    }
}

impl<K> Default for Entries<K> {
    fn default() -> Self {
        Self { until: HashMap::new(), full: 0 }
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
        assert_eq!(bounded.remove(&"a"), Some(at(60)));
        assert!(!bounded.remembers(&"a") && bounded.remove(&"a").is_none());
    }
}
