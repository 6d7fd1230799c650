//! [`ThreadCopies`]: a thread's own copies of values that all requests share. To clone an `Arc` is to write its
//! count, and cores that write one cache line wait for each other; with a copy, each writes its own.

use std::mem;

/// How many copies a thread has of one type.
const SLOTS: usize = 32;

/// The copies of one thread. A value gets one when it is asked for again before another one of its slot, so a
/// value that is rarely used costs nothing.
pub(crate) struct ThreadCopies<T> {
    slots: [Slot<T>; SLOTS],
}

struct Slot<T> {
    copy: Option<T>,
    /// The hash of the last value that was asked for and had no copy.
    missed: u64,
}

impl<T: Clone> ThreadCopies<T> {
    pub(crate) const fn new() -> Self {
        Self { slots: [const { Slot { copy: None, missed: 0 } }; SLOTS] }
    }

    /// The value with this hash: the copy that `is_it`, or `original`, which may get a copy for the next time.
    pub(crate) fn get(
        &mut self,
        hash: u64,
        is_it: impl Fn(&T) -> bool,
        original: impl FnOnce() -> Option<T>,
        copy: impl FnOnce(&T) -> T,
    ) -> Option<T> {
        let Some(slot) = self.slots.get_mut(hash as usize % SLOTS) else { return original() };
        if let Some(found) = slot.copy.as_ref().filter(|&kept| is_it(kept)) {
            return Some(found.clone());
        }
        let original = original()?;
        if mem::replace(&mut slot.missed, hash) != hash {
            return Some(original);
        }
        let copy = copy(&original);
        slot.copy = Some(copy.clone());
        Some(copy)
    }
}

/// A cheap hash that is never 0. Somebody can find texts that collide; they only do without copies.
pub(crate) fn rough_hash(text: &str) -> u64 {
    let word = |bytes: &[u8]| bytes.iter().fold(0_u64, |word, &byte| word << 8 | u64::from(byte));
    let mixed = text.as_bytes().chunks(8).fold(text.len() as u64, |hash, bytes| {
        (hash.rotate_left(5) ^ word(bytes)).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    });
    mixed >> 32 | 1 << 63
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    struct Asked(ThreadCopies<Arc<str>>);

    impl Asked {
        fn get(&mut self, original: &Arc<str>) -> Arc<str> {
            let is_it = |kept: &Arc<str>| kept == original;
            let apart = |text: &Arc<str>| Arc::from(&**text);
            self.0.get(1, is_it, || Some(Arc::clone(original)), apart).unwrap()
        }
    }

    #[test]
    fn what_is_asked_for_again_gets_a_copy_that_stays_until_another_is() {
        let (one, other): (Arc<str>, Arc<str>) = ("one".into(), "other".into());
        let mut copies = Asked(ThreadCopies::new());
        assert!(Arc::ptr_eq(&copies.get(&one), &one));
        let copy = copies.get(&one);
        assert!(copy == one && !Arc::ptr_eq(&copy, &one));
        assert!(Arc::ptr_eq(&copies.get(&one), &copy));
        assert_eq!(copies.get(&other), other);
        assert_eq!(Arc::strong_count(&one), 1);
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let mut copies = ThreadCopies::<Arc<str>>::new();
        assert!(copies.get(1, |_| true, || None, Arc::clone).is_none());
    }

    #[test]
    fn hashes_differ_by_length_and_by_every_byte() {
        let hashes = ["", "a", "b", "aa", "aaaaaaaab", "baaaaaaaa", "aaaaaaaa"].map(rough_hash);
        for (at, hash) in hashes.iter().enumerate() {
            assert!(*hash != 0 && !hashes[..at].contains(hash), "{at}");
        }
    }
}
