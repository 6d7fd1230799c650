//! The counters: each is a point in time, in a bounded table.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::base::network::Network;

/// How many counters are kept at a time. Beyond that, the least used ones are dropped.
const CAPACITY: usize = 64 * 1024;

/// If the time goes back by more than this, in microseconds, the clock was set back; otherwise the caller is
/// late.
const LATE: i64 = 60_000_000;

/// What a counter is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) place: Place,
    /// A keyed hash of what is tried there; `None` counts all attempts.
    pub(super) what: Option<u64>,
}

/// The text can have any length, so a hash of it is kept.
pub(super) fn keyed_hash(what: impl Hash) -> u64 {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    KEY.hash_one(what)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    Anywhere,
    Session,
    Network(Network),
}

/// The burst and the rate, both `limit` per `period`, in microseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    cost: i64,
    burst: i64,
}

impl Rule {
    /// `limit` is at least 1.
    pub(super) fn new(limit: u32, period: Duration) -> Self {
        let limit = i64::from(limit.max(1));
        let period = i64::try_from(period.as_micros()).unwrap_or(i64::MAX / 4);
        let cost = (period.min(i64::MAX / 4) / limit).max(1);
        Self { cost, burst: cost * limit }
    }
}

/// A counter is the time at which it will be empty: each attempt moves it by its cost, and time empties it
/// (the generic cell rate algorithm). Nothing has to be reset, so nothing can be reset too early.
#[derive(Debug)]
pub(super) struct Table {
    capacity: usize,
    /// Allocated by the first attempt: with many tenants, most have none.
    state: Mutex<Option<Box<State>>>,
}

#[derive(Debug)]
struct State {
    /// The latest time of any caller, in microseconds: the time of the table only moves forward.
    now: i64,
    empty_at: HashMap<Key, i64>,
}

impl Table {
    pub(super) fn new() -> Self {
        Self::of(CAPACITY)
    }

    pub(super) fn of(capacity: usize) -> Self {
        Self { capacity, state: Mutex::new(None) }
    }

    /// Counts an attempt, or returns how long to wait. A refused attempt is not counted.
    pub(super) fn begin(
        &self,
        counters: Vec<(Key, Rule)>,
        now: DateTime<Utc>,
    ) -> Result<Attempt<'_>, Duration> {
        if counters.is_empty() {
            return Ok(Attempt { table: self, counters });
        }
        let mut state = self.lock();
        let state = state.get_or_insert_with(|| Box::new(State { now: i64::MIN, empty_at: HashMap::new() }));
        let now = state.advance(now.timestamp_micros());
        let moved = |state: &State, key: &Key, rule: &Rule| {
            let from = state.empty_at.get(key).copied().unwrap_or(now);
            from.max(now).saturating_add(rule.cost)
        };
        let over = counters.iter().map(|(key, rule)| moved(state, key, rule) - now - rule.burst);
        if let Some(over) = over.max().filter(|over| *over > 0) {
            return Err(Duration::from_micros(over.unsigned_abs()));
        }
        state.make_room(counters.len(), self.capacity);
        for (key, rule) in &counters {
            let to = moved(state, key, rule);
            state.empty_at.insert(*key, to);
        }
        Ok(Attempt { table: self, counters })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Box<State>>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().as_ref().map_or(0, |state| state.empty_at.len())
    }
}

impl State {
    /// The time of the table. A late caller does not move it back. If the clock is set back, all counters
    /// move with it.
    fn advance(&mut self, now: i64) -> i64 {
        let back = self.now.saturating_sub(now);
        if back > LATE {
            self.now = now;
            self.empty_at.values_mut().for_each(|empty_at| *empty_at = empty_at.saturating_sub(back));
        }
        self.now = self.now.max(now);
        self.now
    }

    /// Drops empty counters, and then the least used quarter, so that a flood of new counters evicts itself.
    fn make_room(&mut self, more: usize, capacity: usize) {
        if self.empty_at.len() + more <= capacity {
            return;
        }
        let now = self.now;
        self.empty_at.retain(|_, empty_at| *empty_at > now);
        if self.empty_at.len() + more <= capacity - capacity / 4 {
            return;
        }
        let mut moments: Vec<i64> = self.empty_at.values().copied().collect();
        let quarter = moments.len() / 4;
        let (_, bound, _) = moments.select_nth_unstable(quarter);
        let bound = *bound;
        self.empty_at.retain(|_, empty_at| *empty_at > bound);
    }
}

/// An attempt that was counted before its outcome is known, so parallel attempts cannot slip past the limit.
/// It stays counted unless it is given back.
#[derive(Debug)]
#[must_use]
pub struct Attempt<'a> {
    table: &'a Table,
    counters: Vec<(Key, Rule)>,
}

impl Attempt<'_> {
    /// Gives the attempt back: it was right, or it revealed nothing.
    pub fn give_back(self) {
        if self.counters.is_empty() {
            return;
        }
        let mut state = self.table.lock();
        let Some(state) = &mut *state else { return };
        for (key, rule) in &self.counters {
            if let Some(empty_at) = state.empty_at.get_mut(key) {
                *empty_at = empty_at.saturating_sub(rule.cost);
            }
        }
    }

    /// It stays counted.
    pub fn keep(self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    fn key(n: u64) -> Key {
        Key { place: Place::Anywhere, what: Some(n) }
    }

    fn admits(table: &Table, n: u64, limit: u32, second: i64) -> bool {
        table.begin(vec![(key(n), Rule::new(limit, MINUTE))], at(second)).map(Attempt::keep).is_ok()
    }

    #[test]
    fn a_burst_fits_and_room_comes_back_evenly() {
        let table = Table::of(8);
        assert!((0..6).all(|_| admits(&table, 1, 6, 0)));
        for second in [0, 9] {
            assert!(!admits(&table, 1, 6, second));
        }
        assert!(admits(&table, 1, 6, 10));
        assert!(!admits(&table, 1, 6, 19));
        assert!((0..6).all(|_| admits(&table, 1, 6, 90)), "full again after a minute without any");
        assert!(!admits(&table, 1, 6, 90));
    }

    #[test]
    fn a_refused_attempt_does_not_prolong_the_wait() {
        let table = Table::of(8);
        assert!(admits(&table, 1, 1, 0));
        assert!((0..60).all(|second| !admits(&table, 1, 1, second)));
        assert!(admits(&table, 1, 1, 60));
    }

    #[test]
    fn what_is_given_back_was_never_there() {
        let table = Table::of(8);
        for _ in 0..50 {
            table.begin(vec![(key(1), Rule::new(1, MINUTE))], at(0)).unwrap().give_back();
        }
        assert!(admits(&table, 1, 1, 0) && !admits(&table, 1, 1, 0));
    }

    #[test]
    fn the_wait_is_told() {
        let table = Table::of(8);
        let begin = |second| table.begin(vec![(key(1), Rule::new(2, MINUTE))], at(second)).map(Attempt::keep);
        assert_eq!([begin(0), begin(0)], [Ok(()), Ok(())]);
        assert_eq!(begin(10), Err(Duration::from_secs(20)));
    }

    #[test]
    fn ft_21_an_attempt_of_the_last_minute_clears_nothing() {
        let table = Table::of(8);
        assert!((0..3).all(|_| admits(&table, 1, 3, 60)));
        for late in [59, 30, 1, 0] {
            assert!(admits(&table, 2, 9, late));
            assert!(!admits(&table, 1, 3, late) && !admits(&table, 1, 3, 60), "{late}");
        }
    }

    #[test]
    fn ft_21_a_clock_that_is_set_back_locks_no_one_out() {
        let table = Table::of(8);
        assert!((0..3).all(|_| admits(&table, 1, 3, 100_000)));
        assert!(!admits(&table, 1, 3, 1_000), "nothing is forgotten");
        assert!((0..3).all(|_| admits(&table, 1, 3, 1_060)), "and a minute is a minute");
    }

    #[test]
    fn ft_21_a_flood_of_new_counters_drops_the_smallest() {
        let table = Table::of(400);
        for heavy in 0..20 {
            assert!((0..9).all(|_| admits(&table, heavy, 9, 0)));
        }
        for n in 0..10_000 {
            assert!(admits(&table, 1_000 + n, 9, 0));
            assert!(table.len() <= 400);
        }
        assert!((0..20).all(|heavy| !admits(&table, heavy, 9, 0)));
    }
}
