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

    pub(crate) fn insert(&mut self, key: K, value: V, now: Instant) {
        self.make_room(now);
        let until = now + self.lifetime;
        self.order.push_back((until, key.clone()));
        self.entries.insert(key, Entry { until, value });
    }

    pub(crate) fn remove(&mut self, key: &K) {
        self.entries.remove(key);
    }

    fn make_room(&mut self, now: Instant) {
        while let Some((until, _)) = self.order.front() {
            if *until > now && self.entries.len() < self.capacity {
                break;
            }
            self.drop_oldest();
        }
        // Entries that were removed or replaced before they expired are still in the queue.
        if self.order.len() >= self.capacity.saturating_mul(2) {
            let Self { order, entries, .. } = self;
            order.retain(|(until, key)| entries.get(key).is_some_and(|entry| entry.until == *until));
        }
    }

    fn drop_oldest(&mut self) {
        if let Some((until, key)) = self.order.pop_front()
            && self.entries.get(&key).is_some_and(|entry| entry.until == until)
        {
            self.entries.remove(&key);
        }
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
