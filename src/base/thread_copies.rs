//! [`ThreadCopies`]: a thread's own copies of values that all requests share. To clone an `Arc` is to write its
//! count, and cores that write one cache line wait for each other; with a copy, each writes its own.

use std::mem;

/// How many copies a thread has of one type.
const SLOTS: usize = 32;

/// The copies of one thread. A value gets one when it is asked for again before another one of its slot, so a
/// value that is rarely used costs nothing. A copy stays until another value takes its slot, or the thread
/// ends.
pub(crate) struct ThreadCopies<T> {
    slots: [Slot<T>; SLOTS],
}

/// The place of every value with the same hash, and some others.
pub(crate) struct Slot<T> {
    pub(crate) copy: Option<T>,
    /// The hash of the last value that was asked for and had no copy.
    missed: u64,
}

impl<T> ThreadCopies<T> {
    pub(crate) const fn new() -> Self {
        Self { slots: [const { Slot { copy: None, missed: 0 } }; SLOTS] }
    }

    pub(crate) fn slot(&mut self, hash: u64) -> &mut Slot<T> {
        let [first, others @ ..] = &mut self.slots;
        others.get_mut(hash as usize % SLOTS).unwrap_or(first)
    }
}

impl<T> Slot<T> {
    /// Whether a value that has no copy, with this hash, should get one now.
    pub(crate) fn wants(&mut self, hash: u64) -> bool {
        mem::replace(&mut self.missed, hash) == hash
    }

    /// Removes a copy that is out of date.
    pub(crate) fn forget(&mut self) {
        *self = Self { copy: None, missed: 0 };
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
    use super::*;

    #[test]
    fn what_is_asked_for_again_before_another_is_wanted() {
        let mut copies = ThreadCopies::<&str>::new();
        let slot = copies.slot(1);
        assert_eq!([1, 1, 33, 1, 1].map(|hash| slot.wants(hash)), [false, true, false, false, true]);
        slot.copy = Some("one");
        slot.forget();
        assert!(slot.copy.is_none() && !slot.wants(1));
    }

    #[test]
    fn each_hash_has_its_slot() {
        let mut copies = ThreadCopies::<u64>::new();
        for hash in 0..64 {
            copies.slot(hash).copy = Some(hash);
        }
        for hash in 0..32 {
            assert_eq!(copies.slot(hash).copy, Some(hash + 32));
        }
    }

    #[test]
    fn hashes_differ_by_length_and_by_every_byte() {
        let hashes = ["", "a", "b", "aa", "aaaaaaaab", "baaaaaaaa", "aaaaaaaa"].map(rough_hash);
        for (at, hash) in hashes.iter().enumerate() {
            assert!(*hash != 0 && !hashes[..at].contains(hash), "{at}");
        }
    }
}
