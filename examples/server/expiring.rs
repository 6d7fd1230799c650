//! A bounded map: entries expire, and the oldest makes room for the newest.
//!
//! This is needed because strangers can create any number of sessions.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::{Duration, Instant};

/// Every entry lives for the same time, so the order of insertion is the order of expiry.
pub(crate) struct Expiring<K, V> {
    lifetime: Duration,
    capacity: usize,
    entries: HashMap<K, Entry<V>>,
    order: VecDeque<(Instant, K)>,
}

struct Entry<V> {
    until: Instant,
    value: V,
}

impl<K: Clone + Eq + Hash, V> Expiring<K, V> {
    pub(crate) fn new(lifetime: Duration, capacity: usize) -> Self {
        Self { lifetime, capacity, entries: HashMap::new(), order: VecDeque::new() }
    }

    pub(crate) fn get(&self, key: &K, now: Instant) -> Option<&V> {
        self.entries.get(key).filter(|entry| entry.until > now).map(|entry| &entry.value)
    }

    /// Returns what expired or made room.
    pub(crate) fn insert(&mut self, key: K, value: V, now: Instant) -> Vec<V> {
        let dropped = self.make_room(now);
        let until = now + self.lifetime;
        self.order.push_back((until, key.clone()));
        self.entries.insert(key, Entry { until, value });
        dropped
    }

    pub(crate) fn remove(&mut self, key: &K) {
        self.entries.remove(key);
    }

    /// Removes and returns what has expired.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<V> {
        let mut expired = Vec::new();
        while self.order.front().is_some_and(|(until, _)| *until <= now) {
            expired.extend(self.drop_oldest());
        }
        expired
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.values().map(|entry| &entry.value)
    }

    fn make_room(&mut self, now: Instant) -> Vec<V> {
        let mut dropped = self.expire(now);
        while self.entries.len() >= self.capacity && !self.order.is_empty() {
            dropped.extend(self.drop_oldest());
        }
        // Entries that were removed or replaced before they expired are still in the queue.
        if self.order.len() >= self.capacity.saturating_mul(2) {
            let Self { order, entries, .. } = self;
            order.retain(|(until, key)| entries.get(key).is_some_and(|entry| entry.until == *until));
        }
        dropped
    }

    fn drop_oldest(&mut self) -> Option<V> {
        let (until, key) = self.order.pop_front()?;
        let is_in_place = self.entries.get(&key).is_some_and(|entry| entry.until == until);
        let entry = if is_in_place { self.entries.remove(&key) } else { None };
        entry.map(|entry| entry.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn an_entry_expires() {
        let now = Instant::now();
        let mut map = Expiring::new(MINUTE, 10);
        map.insert("a", 1, now);
        assert_eq!(map.get(&"a", now + MINUTE / 2), Some(&1));
        assert_eq!(map.get(&"a", now + MINUTE), None);
    }

    #[test]
    fn the_oldest_makes_room() {
        let now = Instant::now();
        let mut map = Expiring::new(MINUTE, 2);
        for (age, key) in ["a", "b", "c"].into_iter().enumerate() {
            map.insert(key, (), now + Duration::from_secs(age as u64));
        }
        assert!(map.get(&"a", now).is_none() && map.get(&"b", now).is_some() && map.get(&"c", now).is_some());
    }

    #[test]
    fn what_expires_or_makes_room_is_returned_and_what_was_removed_is_not() {
        let now = Instant::now();
        let mut map = Expiring::new(MINUTE, 2);
        assert!(map.insert("a", 1, now).is_empty() && map.insert("b", 2, now).is_empty());
        assert_eq!(map.insert("c", 3, now), [1]);
        map.remove(&"b");
        assert!(map.insert("d", 4, now + MINUTE / 2).is_empty());
        assert_eq!(map.expire(now + MINUTE), [3]);
        assert_eq!(map.values().collect::<Vec<_>>(), [&4]);
    }

    #[test]
    fn an_entry_put_back_outlives_its_first_place_in_the_queue() {
        let now = Instant::now();
        let mut map = Expiring::new(MINUTE, 2);
        map.insert("a", 1, now);
        map.remove(&"a");
        map.insert("a", 2, now + MINUTE / 2);
        map.insert("b", 3, now + MINUTE);
        assert_eq!(map.get(&"a", now + MINUTE), Some(&2));
    }

    #[test]
    fn neither_map_nor_queue_grows() {
        let now = Instant::now();
        let mut map = Expiring::new(MINUTE, 8);
        for n in 0..1_000 {
            map.insert(n, (), now);
            map.remove(&n);
        }
        assert!(map.entries.is_empty() && map.order.len() <= 16);
    }
}
