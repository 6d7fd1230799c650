//! The writer's thread and its callers, step by step.

use std::collections::BTreeSet;

use super::queue::{Queue, Ticket};
use super::{Batcher, Kind, MOST_AT_ONCE, MOST_WAITING, Variant};
use crate::sql::Lane;

#[derive(Clone, Debug, PartialEq, Hash)]
pub struct World {
    pub queue: Queue<usize>,
    pub thread: Thread,
    pub at: At,
    /// `something` was notified while the thread waits for it.
    pub notified: bool,
    pub callers: Vec<Caller>,
    pub batch: Vec<usize>,
    /// Those of the batch that have no outcome yet.
    pub open: Vec<usize>,
    /// What the thread will answer.
    pub outcomes: Vec<(usize, Told)>,
    /// What the open transaction has done.
    pub attempted: Vec<(usize, Told)>,
    /// What has been flushed.
    pub file: BTreeSet<usize>,
    pub faults: u8,
    pub withdrawn: bool,
    pub panicked: bool,
    pub crashed: bool,
    /// A batch had no write of this lane, although one waited.
    pub starved: Option<Lane>,
}

#[derive(Clone, Copy, Debug, PartialEq, Hash)]
pub enum Thread {
    Busy,
    Idle,
    Closing,
    Ended,
    Failed,
}

/// What the thread does next.
#[derive(Clone, Copy, Debug, PartialEq, Hash)]
pub enum At {
    NextBatch,
    Waits,
    Begin,
    /// Runs the open change with this number.
    Run(usize),
    Commit,
    OneByOne(usize),
    /// Answers the write with this number in the batch.
    Answer(usize),
    Over,
}

#[derive(Clone, Debug, Default, PartialEq, Hash)]
pub struct Caller {
    pub ticket: Option<Ticket>,
    pub told: Vec<Told>,
}

#[derive(Clone, Copy, Debug, PartialEq, Hash)]
pub enum Told {
    /// Flushed.
    Written,
    /// Nothing was changed, because another write has the row.
    Conflict,
    /// Nothing was changed.
    Failed,
    /// It may have been written.
    UnknownOutcome,
    /// It was not begun.
    Refused,
    /// It went away before it was begun.
    Withdrawn,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Disk {
    Works,
    Fails,
    /// An I/O error of a flush, whose outcome is unknown.
    Unknown {
        flushed: bool,
    },
}

impl World {
    pub fn new(callers: usize) -> Self {
        Self {
            queue: Queue::new(MOST_WAITING, MOST_AT_ONCE),
            thread: Thread::Busy,
            at: At::NextBatch,
            notified: false,
            callers: vec![Caller::default(); callers],
            batch: Vec::new(),
            open: Vec::new(),
            outcomes: Vec::new(),
            attempted: Vec::new(),
            file: BTreeSet::new(),
            faults: 0,
            withdrawn: false,
            panicked: false,
            crashed: false,
            starved: None,
        }
    }

    pub fn enter(&mut self, model: &Batcher, caller: usize) {
        let (lane, _) = model.callers[caller];
        let lane = if model.variant == Variant::OneLane { Lane::Request } else { lane };
        let takes_more = matches!(self.thread, Thread::Busy | Thread::Idle);
        match takes_more.then(|| self.queue.enter(lane, caller)) {
            Some(Ok(ticket)) => self.callers[caller].ticket = Some(ticket),
            None => return self.tell(caller, Told::Refused),
            Some(Err(_)) => {
                let (own, _) = model.callers[caller];
                if !self.waiting().any(|other| model.callers[other].0 == own) {
                    self.starved = Some(own);
                }
                return self.tell(caller, Told::Refused);
            }
        }
        let wakes = std::mem::replace(&mut self.thread, Thread::Busy) == Thread::Idle;
        self.notified |= wakes && model.variant != Variant::Silent;
    }

    pub fn withdraw(&mut self, caller: usize) {
        self.withdrawn = true;
        let ticket = self.callers[caller].ticket.expect("it has entered");
        if self.queue.withdraw(ticket).is_some() {
            self.tell(caller, Told::Withdrawn);
        }
    }

    pub fn next_batch(&mut self, model: &Batcher) {
        let waited: Vec<usize> = self.waiting().collect();
        let batch = self.queue.next_batch();
        for lane in [Lane::Revocation, Lane::Request] {
            let of_lane = |caller: &usize| model.callers[*caller].0 == lane;
            if waited.iter().any(of_lane) && !batch.iter().any(of_lane) {
                self.starved = Some(lane);
            }
        }
        self.at = match self.thread {
            _ if !batch.is_empty() => At::Begin,
            Thread::Closing | Thread::Ended | Thread::Failed => {
                return self.end(Thread::Ended);
            }
            Thread::Busy | Thread::Idle => {
                self.thread = Thread::Idle;
                self.notified = false;
                At::Waits
            }
        };
        (self.open, self.batch) = (batch.clone(), batch);
    }

    /// Begins a transaction of the open changes; a single one needs none.
    pub fn begin(&mut self, model: &Batcher, disk: Disk) {
        if let [one] = self.open[..] {
            let outcome = self.write_alone(model, one, disk);
            self.outcomes.push((one, outcome));
            self.have_outcomes();
        } else if disk == Disk::Works {
            self.attempted.clear();
            self.at = At::Run(0);
        } else {
            self.all_failed(Told::Failed);
        }
    }

    pub fn run(&mut self, model: &Batcher, number: usize) {
        let caller = self.open[number];
        match self.change(model, caller) {
            // The transaction is undone, and begins again without it.
            Told::Failed if model.variant == Variant::AllFail => self.all_failed(Told::Failed),
            Told::Failed => {
                self.outcomes.push((caller, Told::Failed));
                self.open.remove(number);
                self.attempted.clear();
                self.at = At::Begin;
                if self.open.is_empty() {
                    self.have_outcomes();
                }
            }
            outcome => {
                self.attempted.push((caller, outcome));
                self.at = if number + 1 < self.open.len() { At::Run(number + 1) } else { At::Commit };
            }
        }
    }

    pub fn commit(&mut self, model: &Batcher, disk: Disk) {
        match disk {
            Disk::Works if model.variant == Variant::AnswersFirst => {}
            Disk::Works | Disk::Unknown { flushed: true } => self.flush(),
            Disk::Unknown { flushed: false } => {}
            // It is undone.
            Disk::Fails => {
                self.at = At::OneByOne(0);
                return;
            }
        }
        match disk {
            Disk::Works => {
                self.outcomes.extend(self.attempted.iter().copied());
                if model.variant != Variant::AnswersFirst {
                    self.attempted.clear();
                }
                self.have_outcomes();
            }
            Disk::Fails | Disk::Unknown { .. } => self.all_failed(Told::UnknownOutcome),
        }
    }

    pub fn one_by_one(&mut self, model: &Batcher, number: usize, disk: Disk) {
        let caller = self.open[number];
        let outcome = self.write_alone(model, caller, disk);
        self.outcomes.push((caller, outcome));
        self.at = At::OneByOne(number + 1);
        if number + 1 == self.open.len() {
            self.have_outcomes();
        }
    }

    pub fn answer(&mut self, model: &Batcher, number: usize) {
        let caller = self.batch[number];
        let outcome = self.outcomes.iter().find(|(of, _)| *of == caller);
        self.tell(caller, outcome.expect("each has an outcome").1);
        self.at = At::Answer(number + 1);
        if number + 1 == self.batch.len() {
            if model.variant == Variant::AnswersFirst {
                self.flush();
            }
            self.put_away(At::NextBatch);
        }
    }

    /// What `Ending` does, and what callers are told whose answer is dropped.
    pub fn end(&mut self, over: Thread) {
        self.thread = over;
        let mut queue = std::mem::replace(&mut self.queue, Queue::new(MOST_WAITING, MOST_AT_ONCE));
        while !queue.is_empty() {
            for caller in queue.next_batch() {
                self.tell(caller, Told::Refused);
            }
        }
        for caller in std::mem::take(&mut self.batch) {
            if self.callers[caller].told.is_empty() {
                self.tell(caller, Told::UnknownOutcome);
            }
        }
        self.put_away(At::Over);
    }

    /// Only the file and the answers that were received survive.
    pub fn crash(&mut self) {
        self.crashed = true;
        self.queue = Queue::new(MOST_WAITING, MOST_AT_ONCE);
        self.thread = Thread::Ended;
        self.put_away(At::Over);
    }

    fn have_outcomes(&mut self) {
        self.open.clear();
        self.at = At::Answer(0);
    }

    fn put_away(&mut self, at: At) {
        self.at = at;
        self.notified = false;
        self.batch.clear();
        self.open.clear();
        self.outcomes.clear();
        self.attempted.clear();
    }

    /// The effect of a statement, in the open transaction or alone.
    fn change(&self, model: &Batcher, caller: usize) -> Told {
        let is_same = |other: &usize| model.callers[*other].1 == Kind::Same;
        let attempted = self.attempted.iter().filter(|(_, told)| *told == Told::Written);
        let mut there = self.file.iter().chain(attempted.map(|(caller, _)| caller));
        match model.callers[caller].1 {
            Kind::Bad => Told::Failed,
            Kind::Same if there.any(is_same) => Told::Conflict,
            Kind::Good | Kind::Same => Told::Written,
        }
    }

    fn write_alone(&mut self, model: &Batcher, caller: usize, disk: Disk) -> Told {
        self.attempted.clear();
        let outcome = self.change(model, caller);
        if outcome == Told::Written && matches!(disk, Disk::Works | Disk::Unknown { flushed: true }) {
            self.file.insert(caller);
        }
        match disk {
            Disk::Works => outcome,
            Disk::Fails => Told::Failed,
            Disk::Unknown { .. } => Told::UnknownOutcome,
        }
    }

    fn flush(&mut self) {
        let written = self.attempted.iter().filter(|(_, told)| *told == Told::Written);
        self.file.extend(written.map(|(caller, _)| *caller));
    }

    fn all_failed(&mut self, told: Told) {
        self.outcomes.extend(self.open.iter().map(|caller| (*caller, told)));
        self.attempted.clear();
        self.have_outcomes();
    }

    fn tell(&mut self, caller: usize, told: Told) {
        self.callers[caller].told.push(told);
        self.callers[caller].ticket = None;
    }

    /// Whether it has entered and was told nothing.
    pub fn waits(&self, caller: usize) -> bool {
        self.callers[caller].ticket.is_some()
    }

    fn waiting(&self) -> impl Iterator<Item = usize> {
        (0..self.callers.len()).filter(|caller| self.waits(*caller))
    }
}
