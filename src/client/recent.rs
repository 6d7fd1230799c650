//! [`Recent`]: what was made lately, within a bound.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// What was made lately. Each of two halves holds half; what is asked for moves to the young one, and when that is full the old
/// one goes.
pub(super) struct Recent<K, V> {
    halves: Mutex<(HashMap<K, V>, HashMap<K, V>)>,
    most: usize,
}

impl<K: Eq + Hash, V: Clone> Recent<K, V> {
    pub(super) fn new(most: usize) -> Self {
        Self { halves: Mutex::default(), most }
    }

    pub(super) fn get_or_insert(&self, key: K, make: impl FnOnce() -> V) -> V {
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        let (young, old) = &mut *halves;
        if let Some(value) = young.get(&key) {
            return value.clone();
        }
        let value = old.remove(&key).unwrap_or_else(make);
        if young.len() >= self.most / 2 {
            *old = std::mem::take(young);
        }
        young.insert(key, value.clone());
        value
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
        let halves = kept.halves.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(halves.0.len() + halves.1.len() <= 10);
    }
}
