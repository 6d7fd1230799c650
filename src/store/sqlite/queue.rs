//! The queue of writes: a pure state machine, without locks, clocks or I/O.

use std::collections::VecDeque;

use super::super::sql::Lane;

/// The waiting writes, in three lanes. Each lane is first in, first out.
///
/// Each lane has its own bound, so a flood of requests cannot keep a revocation out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Queue<T> {
    revocations: VecDeque<(u64, T)>,
    requests: VecDeque<(u64, T)>,
    sweeps: VecDeque<(u64, T)>,
    /// The bound of each lane.
    most_waiting: usize,
    /// The bound of a batch, apart from a sweep.
    most_at_once: usize,
    next: u64,
    /// How many batches were taken since the last one with a sweep.
    without_sweep: u32,
}

/// The position of a write, for its removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ticket {
    lane: Lane,
    number: u64,
}

/// The maximum number of writes in one transaction, so that others do not wait long.
pub(super) const MOST_AT_ONCE: usize = 256;

/// If requests never pause, every eighth batch has a slice of a sweep.
const SWEEP_EVERY: u32 = 8;

impl<T> Queue<T> {
    pub(super) fn new(most_waiting: usize, most_at_once: usize) -> Self {
        Self {
            revocations: VecDeque::new(),
            requests: VecDeque::new(),
            sweeps: VecDeque::new(),
            most_waiting,
            most_at_once,
            next: 0,
            without_sweep: 0,
        }
    }

    /// Appends a write to its lane, or returns it if the lane is full.
    pub(super) fn enter(&mut self, lane: Lane, write: T) -> Result<Ticket, T> {
        let (most, number) = (self.most_waiting, self.next);
        let waiting = self.lane(lane);
        if waiting.len() >= most {
            return Err(write);
        }
        waiting.push_back((number, write));
        self.next += 1;
        Ok(Ticket { lane, number })
    }

    /// Withdraws a write. `None` if it is already in a batch: it was written, or will be.
    pub(super) fn withdraw(&mut self, ticket: Ticket) -> Option<T> {
        let waiting = self.lane(ticket.lane);
        let place = waiting.binary_search_by_key(&ticket.number, |(number, _)| *number).ok()?;
        waiting.remove(place).map(|(_, write)| write)
    }

    /// The writes of the next transaction; empty if nothing waits. Revocations come first, but fill at most
    /// half of it while requests wait.
    pub(super) fn next_batch(&mut self) -> Vec<T> {
        let most = self.most_at_once;
        let left_over = most.saturating_sub(self.requests.len());
        let ends = self.revocations.len().min(left_over.max(most / 2));
        let requests = self.requests.len().min(most - ends);
        let is_idle = ends + requests == 0;
        let sweeps = match is_idle || self.without_sweep + 1 >= SWEEP_EVERY {
            true => self.sweeps.len().min(1),
            false => 0,
        };
        self.without_sweep = if sweeps > 0 || self.sweeps.is_empty() { 0 } else { self.without_sweep + 1 };
        let mut batch = Vec::with_capacity(ends + requests + sweeps);
        batch.extend(self.revocations.drain(..ends).map(|(_, write)| write));
        batch.extend(self.requests.drain(..requests).map(|(_, write)| write));
        batch.extend(self.sweeps.drain(..sweeps).map(|(_, write)| write));
        batch
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.revocations.is_empty() && self.requests.is_empty() && self.sweeps.is_empty()
    }

    fn lane(&mut self, lane: Lane) -> &mut VecDeque<(u64, T)> {
        match lane {
            Lane::Revocation => &mut self.revocations,
            Lane::Request => &mut self.requests,
            Lane::Sweep => &mut self.sweeps,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Lane::{Request, Revocation, Sweep};
    use super::*;

    fn queue(writes: impl IntoIterator<Item = (Lane, usize)>) -> Queue<(Lane, usize)> {
        let mut queue = Queue::new(10_000, MOST_AT_ONCE);
        for (lane, count) in writes {
            for number in 0..count {
                queue.enter(lane, (lane, number)).unwrap();
            }
        }
        queue
    }

    fn counts(batch: &[(Lane, usize)]) -> [usize; 3] {
        [Revocation, Request, Sweep].map(|lane| batch.iter().filter(|(of, _)| *of == lane).count())
    }

    #[test]
    fn what_waits_together_is_written_together_in_the_order_of_its_lane() {
        let mut queue = queue([(Request, 3), (Revocation, 2)]);
        let expected = [(Revocation, 0), (Revocation, 1), (Request, 0), (Request, 1), (Request, 2)];
        assert_eq!(queue.next_batch(), expected);
        assert!(queue.is_empty() && queue.next_batch().is_empty());
    }

    #[test]
    fn neither_revocations_nor_requests_keep_the_others_out() {
        let half = MOST_AT_ONCE / 2;
        for (revocations, requests, expected) in [
            (1_000, 1_000, [half, half, 0]),
            (1_000, 10, [MOST_AT_ONCE - 10, 10, 0]),
            (10, 1_000, [10, MOST_AT_ONCE - 10, 0]),
            (1_000, 0, [MOST_AT_ONCE, 0, 0]),
        ] {
            let mut queue = queue([(Request, requests), (Revocation, revocations)]);
            assert_eq!(counts(&queue.next_batch()), expected, "{revocations} and {requests}");
        }
    }

    #[test]
    fn a_sweep_waits_for_requests_but_not_for_ever() {
        let mut queue = queue([(Sweep, 3), (Request, 20 * MOST_AT_ONCE)]);
        let swept: Vec<usize> = (0..20).map(|_| counts(&queue.next_batch())[2]).collect();
        let expected = (1..=20).map(|batch| usize::from(batch == 8 || batch == 16)).collect::<Vec<_>>();
        assert_eq!(swept, expected);
        assert_eq!(counts(&queue.next_batch()), [0, 0, 1], "as soon as nothing else waits");
    }

    #[test]
    fn a_full_lane_refuses_at_once_and_keeps_no_other_lane_out() {
        let mut queue = Queue::new(2, MOST_AT_ONCE);
        assert!(queue.enter(Request, 1).is_ok() && queue.enter(Request, 2).is_ok());
        assert_eq!(queue.enter(Request, 3), Err(3));
        assert!(queue.enter(Revocation, 4).is_ok() && queue.enter(Sweep, 5).is_ok());
        assert_eq!(queue.next_batch(), [4, 1, 2]);
        assert!(queue.enter(Request, 6).is_ok());
    }

    #[test]
    fn what_is_taken_back_is_not_written_and_what_is_being_written_cannot_be_taken_back() {
        let mut queue = Queue::new(10, MOST_AT_ONCE);
        let tickets: Vec<_> = (0..5).map(|number| queue.enter(Request, number).unwrap()).collect();
        assert_eq!(queue.withdraw(tickets[1]), Some(1));
        assert_eq!(queue.withdraw(tickets[1]), None, "twice");
        assert_eq!(queue.withdraw(tickets[4]), Some(4));
        assert_eq!(queue.next_batch(), [0, 2, 3]);
        assert!(tickets.into_iter().all(|ticket| queue.withdraw(ticket).is_none()));
    }
}
