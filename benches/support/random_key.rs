//! A hash for keys that are random already.

use std::hash::Hasher;

#[derive(Default)]
pub struct RandomKey(u64);

impl Hasher for RandomKey {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(head) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*head);
        }
    }

    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
