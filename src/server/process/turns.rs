//! One request at a time for each key, in this process; others wait in order of arrival.

use std::array;
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher, Hash};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

/// The most requests that wait in one line, unless it has no limit.
const MOST_WAITING: usize = 64;
/// So many locks, so that requests with different keys seldom wait for the same one.
const PARTS: usize = 16;

pub(in crate::server) struct Turns<K> {
    longest: usize,
    /// Allocated by the first request: with many tenants, most have none.
    parts: OnceLock<Box<[Part<K>; PARTS]>>,
}

/// The lines of some of the keys.
struct Part<K>(Mutex<Lines<K>>);

struct Lines<K> {
    last_number: u64,
    /// Few at a time, so they are searched: to hash the key again would take longer.
    all: Vec<(K, Line)>,
}

/// The holder of the turn and the waiters, in the order of their numbers.
struct Line {
    holder: u64,
    waiting: VecDeque<(u64, Waker)>,
}

impl<K> Default for Part<K> {
    fn default() -> Self {
        Self(Mutex::new(Lines { last_number: 0, all: Vec::new() }))
    }
}

impl<K> Part<K> {
    fn lines(&self) -> MutexGuard<'_, Lines<K>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K> fmt::Debug for Turns<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Turns(..)")
    }
}

impl<K> Default for Turns<K> {
    fn default() -> Self {
        Self { longest: MOST_WAITING, parts: OnceLock::new() }
    }
}

impl<K: Copy + Eq> Lines<K> {
    fn of(&mut self, key: K) -> Option<&mut Line> {
        self.all.iter_mut().find(|(own, _)| *own == key).map(|(_, line)| line)
    }

    fn end(&mut self, key: K) {
        if let Some(at) = self.all.iter().position(|(own, _)| *own == key) {
            self.all.swap_remove(at);
        }
    }
}

impl<K: Copy + Eq + Hash> Turns<K> {
    /// With lines of any length, for what the server itself lines up.
    pub(in crate::server) fn unlimited() -> Self {
        Self { longest: usize::MAX, ..Self::default() }
    }

    /// Waits for a turn with this key; `None` at once if the line is full. A dropped future leaves the queue.
    pub(in crate::server) async fn take(&self, key: K) -> Option<Turn<'_, K>> {
        let (turn, is_first) = self.line_up(key)?;
        if !is_first {
            poll_fn(|context| turn.poll(context)).await;
        }
        Some(turn)
    }

    /// A place in the line, and whether it is the first one.
    fn line_up(&self, key: K) -> Option<(Turn<'_, K>, bool)> {
        let part = self.part_of(key);
        let mut lines = part.lines();
        lines.last_number += 1;
        let number = lines.last_number;
        let is_first = match lines.of(key) {
            Some(line) if line.waiting.len() >= self.longest => return None,
            Some(line) => {
                line.waiting.push_back((number, Waker::noop().clone()));
                false
            }
            None => {
                lines.all.push((key, Line { holder: number, waiting: VecDeque::new() }));
                true
            }
        };
        Some((Turn { part, key, number }, is_first))
    }

    fn part_of(&self, key: K) -> &Part<K> {
        let parts @ [first, ..] = &**self.parts.get_or_init(|| Box::new(array::from_fn(|_| Part::default())));
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(key);
        parts.get(hash as usize % PARTS).unwrap_or(first)
    }
}

/// A place in the queue of a key, and the turn itself once [`Turns::take`] returns it. Dropping it ends the
/// turn.
pub(in crate::server) struct Turn<'a, K: Copy + Eq> {
    part: &'a Part<K>,
    key: K,
    number: u64,
}

impl<K: Copy + Eq> Turn<'_, K> {
    fn poll(&self, context: &Context<'_>) -> Poll<()> {
        let mut lines = self.part.lines();
        let Some(line) = lines.of(self.key) else { return Poll::Ready(()) };
        match line.waiting.binary_search_by_key(&self.number, |(number, _)| *number) {
            Ok(at) => {
                if let Some((_, waker)) = line.waiting.get_mut(at) {
                    waker.clone_from(context.waker());
                }
                Poll::Pending
            }
            Err(_) => Poll::Ready(()),
        }
    }
}

impl<K: Copy + Eq> Drop for Turn<'_, K> {
    fn drop(&mut self) {
        let mut lines = self.part.lines();
        let Some(line) = lines.of(self.key) else { return };
        if line.holder != self.number {
            line.waiting.retain(|(number, _)| *number != self.number);
            return;
        }
        let next = line.waiting.pop_front();
        match &next {
            Some((number, _)) => line.holder = *number,
            None => lines.end(self.key),
        }
        drop(lines);
        if let Some((_, waker)) = next {
            waker.wake();
        }
    }
}

impl<K: Copy + Eq> fmt::Debug for Turn<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").field("number", &self.number).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::pin::{Pin, pin};

    use super::*;

    fn poll<'a>(future: Pin<&mut impl Future<Output = Option<Turn<'a, u8>>>>) -> Option<Turn<'a, u8>> {
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(turn) => Some(turn.unwrap()),
            Poll::Pending => None,
        }
    }

    #[test]
    fn a_turn_is_given_on_in_the_order_of_arrival() {
        let turns = Turns::default();
        let first = poll(pin!(turns.take(1))).unwrap();
        let (mut second, mut third) = (pin!(turns.take(1)), pin!(turns.take(1)));
        assert!(poll(second.as_mut()).is_none() && poll(third.as_mut()).is_none());
        assert!(poll(pin!(turns.take(2))).is_some(), "another key");
        drop(first);
        assert!(poll(third.as_mut()).is_none());
        let turn = poll(second.as_mut()).unwrap();
        drop(turn);
        assert!(poll(third.as_mut()).is_some());
        assert!(turns.parts.get().unwrap().iter().all(|part| part.lines().all.is_empty()));
    }

    #[test]
    fn a_line_that_is_full_takes_no_one_until_somebody_leaves() {
        let turns = Turns::default();
        let first = poll(pin!(turns.take(1))).unwrap();
        let mut waiting: Vec<_> = (0..MOST_WAITING).map(|_| Box::pin(turns.take(1))).collect();
        assert!(waiting.iter_mut().all(|waiter| poll(waiter.as_mut()).is_none()));
        assert!(turns.line_up(1).is_none());
        assert!(turns.line_up(2).is_some(), "another key");
        waiting.pop();
        assert!(turns.line_up(1).is_some());
        drop(first);
        assert!(poll(waiting[0].as_mut()).is_some());
    }

    #[test]
    fn who_leaves_the_line_holds_up_no_one() {
        let turns = Turns::default();
        let first = poll(pin!(turns.take(1))).unwrap();
        let mut third = pin!(turns.take(1));
        {
            let mut second = pin!(turns.take(1));
            assert!(poll(second.as_mut()).is_none() && poll(third.as_mut()).is_none());
            drop(first);
            // The turn was given to a waiter that was dropped before it was polled again.
        }
        assert!(poll(third.as_mut()).is_some());
        assert!(turns.parts.get().unwrap().iter().all(|part| part.lines().all.is_empty()));
    }
}
