//! [`Recent`]: a bounded cache of recently used values.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A cache of recent values in two halves: a used value moves to the young half, and when that is full, the
/// old half is dropped.
pub(crate) struct Recent<K, V> {
    halves: Mutex<Halves<K, V>>,
    most: usize,
}

struct Halves<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Eq + Hash, V: Clone> Recent<K, V> {
    /// A cache for this many values.
    pub(crate) fn new(most: usize) -> Self {
        let halves = Halves { young: HashMap::new(), old: HashMap::new() };
        Self { halves: Mutex::new(halves), most }
    }

    /// The cached value for this key.
    pub(crate) fn get(&self, key: &K) -> Option<V>
    where
        K: Clone,
    {
        let mut halves = self.halves();
        if let Some(value) = halves.young.get(key) {
            return Some(value.clone());
        }
        let value = halves.old.remove(key)?;
        halves.insert(key.clone(), value.clone(), self.most);
        Some(value)
    }

    /// Keeps a value.
    #[cfg(feature = "jwt")]
    pub(crate) fn insert(&self, key: K, value: V) {
        self.halves().insert(key, value, self.most);
    }

    /// The cached value for this key, or a new one. Other callers do not wait while it is computed.
    pub(crate) fn get_or_insert(&self, key: K, make: impl FnOnce() -> V) -> V
    where
        K: Clone,
    {
        if let Some(value) = self.get(&key) {
            return value;
        }
        let value = make();
        self.halves().insert(key, value.clone(), self.most);
        value
    }

    fn halves(&self) -> MutexGuard<'_, Halves<K, V>> {
        self.halves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash, V> Halves<K, V> {
    fn insert(&mut self, key: K, value: V, most: usize) {
        if self.young.len() >= most / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_are_kept_than_there_is_room_for_and_what_is_used_stays() {
        let kept = Recent::new(10);
        for n in 0..1_000 {
            kept.get_or_insert(n, || n);
            assert_eq!(kept.get_or_insert(0, || 1_000), 0, "after {n} others");
        }
        let halves = kept.halves();
        assert!(halves.young.len() + halves.old.len() <= 10);
    }

    #[test]
    fn what_was_not_used_for_long_is_gone() {
        let kept = Recent::new(4);
        assert!((0..9).all(|n| kept.get_or_insert(n, || n) == n));
        assert_eq!(kept.get_or_insert(8, || 100), 8);
        assert_eq!(kept.get_or_insert(0, || 100), 100);
    }
}
