//! What is known of tokens, under their digests.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use super::answer::Active;
use crate::base::Digest;
use crate::trust::kept::RemoteValue;

type Entry = Arc<RemoteValue<Option<Arc<Active>>>>;

/// The number of entries in either of two generations. A used entry moves to the younger; when that is full, the older
/// is dropped as a whole, so a flood of made-up tokens displaces only unused entries.
pub(super) struct Cache {
    most: usize,
    generations: Mutex<Generations>,
}

#[derive(Default)]
struct Generations {
    young: HashMap<[u8; 32], Entry>,
    old: HashMap<[u8; 32], Entry>,
}

impl Cache {
    pub(super) fn new(most: usize) -> Self {
        Self { most: most.max(1), generations: Mutex::default() }
    }

    /// The entry of a token, a new one if there is none.
    pub(super) fn entry(&self, token: Digest) -> Entry {
        let key = *token.expose();
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let Generations { young, old } = &mut *generations;
        if let Some(entry) = young.get(&key) {
            return Arc::clone(entry);
        }
        let entry = old.remove(&key).unwrap_or_default();
        if young.len() >= self.most {
            *old = mem::take(young);
        }
        young.insert(key, Arc::clone(&entry));
        entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(n: usize) -> Digest {
        Digest::of("test", &n.to_be_bytes())
    }

    #[test]
    fn a_flood_drives_out_what_nobody_uses_and_no_more() {
        let cache = Cache::new(10);
        let (used, unused) = (cache.entry(digest(0)), cache.entry(digest(1)));
        for n in 2..1000 {
            cache.entry(digest(n));
            if n % 5 == 0 {
                assert!(Arc::ptr_eq(&used, &cache.entry(digest(0))), "after {n}");
            }
        }
        assert!(!Arc::ptr_eq(&unused, &cache.entry(digest(1))));
        let generations = cache.generations.lock().unwrap();
        assert!(generations.young.len() + generations.old.len() <= 20);
    }
}
