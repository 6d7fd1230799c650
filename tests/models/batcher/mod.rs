//! The writer of the SQLite store: callers put writes into the queue, and one thread takes what waits, writes
//! it in one transaction, flushes it and answers. Between any two steps callers can go away, statements and
//! the disk can fail, the thread can panic, the store can be closed and the process can die.
//!
//! The queue is the crate's own. The thread is modelled with the names of `src/store/sqlite/writer.rs`
//! (`Thread`, `enter`, `withdraw`, `close`, `next_batch`, `Ending`) and of `transaction.rs` (`attempt`,
//! `OneFailed`, `AllFailed`, `one_by_one`). Reconnecting is not modelled.

use stateright::{Model, Property};

use super::sql::Lane;
use super::{check, check_broken, is_long};

#[path = "../../../src/store/sqlite/queue.rs"]
mod queue;
mod writer;

use writer::{At, Disk, Thread, Told, World};

/// The bounds of a lane and of a batch.
const MOST_WAITING: usize = 2;
const MOST_AT_ONCE: usize = 2;

/// The kind of a write.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Good,
    /// Good, with the same key as all others of its kind.
    Same,
    /// The statement fails, and ends the transaction.
    Bad,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Variant {
    Honest,
    /// Does not wake the thread when a write enters.
    Silent,
    /// Answers, and flushes afterwards.
    AnswersFirst,
    /// One bad statement fails the whole batch.
    AllFail,
    /// Revocations wait in the lane of the requests.
    OneLane,
}

#[derive(Clone, Debug)]
struct Batcher {
    variant: Variant,
    /// Each of them writes once.
    callers: Vec<(Lane, Kind)>,
    /// How often the disk fails.
    most_faults: u8,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Action {
    Enter(usize),
    Withdraw(usize),
    Close,
    Wake,
    /// The thread takes its next step.
    Step(Disk),
    Panic,
    /// The process dies.
    Crash,
}

impl Batcher {
    fn new(variant: Variant, callers: &[(Lane, Kind)], most_faults: u8) -> Self {
        Self { variant, callers: callers.to_vec(), most_faults }
    }

    /// What the disk may do to the next step of the thread.
    fn disks(&self, world: &World) -> &'static [Disk] {
        const ALL: &[Disk] =
            &[Disk::Works, Disk::Fails, Disk::Unknown { flushed: true }, Disk::Unknown { flushed: false }];
        let most = match world.at {
            At::Waits | At::Over => 0,
            At::NextBatch | At::Run(_) | At::Answer(_) => 1,
            _ if world.faults >= self.most_faults => 1,
            At::Begin if world.open.len() > 1 => 2,
            At::Begin | At::Commit | At::OneByOne(_) => ALL.len(),
        };
        &ALL[..most]
    }
}

impl Model for Batcher {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self.callers.len())]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if world.crashed {
            return;
        }
        for (number, caller) in world.callers.iter().enumerate() {
            if caller.ticket.is_none() && caller.told.is_empty() {
                actions.push(Action::Enter(number));
            } else if !world.withdrawn && world.waits(number) {
                actions.push(Action::Withdraw(number));
            }
        }
        if matches!(world.thread, Thread::Busy | Thread::Idle) {
            actions.push(Action::Close);
        }
        if world.at == At::Waits && world.notified {
            actions.push(Action::Wake);
        }
        actions.extend(self.disks(world).iter().copied().map(Action::Step));
        if world.at != At::Over {
            actions.extend([Action::Panic, Action::Crash]);
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut world = world.clone();
        match action {
            Action::Enter(caller) => world.enter(self, caller),
            Action::Withdraw(caller) => world.withdraw(caller),
            Action::Close => {
                world.thread = Thread::Closing;
                world.notified = true;
            }
            Action::Wake => world.at = At::NextBatch,
            Action::Step(disk) => {
                world.faults += u8::from(disk != Disk::Works);
                match world.at {
                    At::NextBatch => world.next_batch(self),
                    At::Begin => world.begin(self, disk),
                    At::Run(number) => world.run(self, number),
                    At::Commit => world.commit(self, disk),
                    At::OneByOne(number) => world.one_by_one(self, number, disk),
                    At::Answer(number) => world.answer(self, number),
                    At::Waits | At::Over => return None,
                }
            }
            Action::Panic => {
                world.panicked = true;
                world.end(Thread::Failed);
            }
            Action::Crash => world.crash(),
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(FLUSHED_FIRST, |_, world: &World| {
                told(world).all(|(caller, told)| told != Told::Written || world.file.contains(&caller))
            }),
            Property::always(NOTHING_OF_WHAT_FAILED, |_, world: &World| {
                let nothing = |told| !matches!(told, Told::Written | Told::UnknownOutcome);
                told(world).all(|(caller, told)| !nothing(told) || !world.file.contains(&caller))
            }),
            Property::always(FAILS_ALONE, |model: &Self, world: &World| {
                let is_calm = world.faults == 0 && !world.panicked;
                told(world).all(|(caller, told)| match (model.callers[caller].1, told) {
                    (Kind::Bad, Told::Written | Told::Conflict) => false,
                    (Kind::Good, Told::Conflict) => false,
                    (Kind::Same, Told::Conflict) => true,
                    (Kind::Good | Kind::Same, Told::Failed | Told::UnknownOutcome) => !is_calm,
                    (_, Told::UnknownOutcome) => !is_calm,
                    _ => true,
                })
            }),
            Property::always(ANSWERED_ONCE, |_, world: &World| {
                world.callers.iter().all(|caller| caller.told.len() <= 1)
            }),
            Property::always(ONE_PER_KEY, |model: &Self, world: &World| {
                let is_same = |caller: &&usize| model.callers[**caller].1 == Kind::Same;
                world.file.iter().filter(is_same).count() <= 1
            }),
            Property::always(NOTHING_WAITS_FOR_EVER, |model: &Self, world: &World| {
                // Otherwise the thread goes on, and never in a cycle.
                let is_at_rest = (world.at == At::Waits && !world.notified) || world.at == At::Over;
                world.crashed || !is_at_rest || !(0..model.callers.len()).any(|caller| world.waits(caller))
            }),
            Property::always(NOTHING_IS_STARVED, |_, world: &World| world.starved.is_none()),
            Property::sometimes("a batch is written together", |_, world: &World| world.attempted.len() > 1),
            Property::sometimes("one fails and the others are written", |_, world: &World| {
                let all: Vec<Told> = world.outcomes.iter().map(|(_, told)| *told).collect();
                all.contains(&Told::Failed) && all.contains(&Told::Written)
            }),
            Property::sometimes("a lane is full", |_, world: &World| {
                world.thread == Thread::Busy && told(world).any(|(_, told)| told == Told::Refused)
            }),
            Property::sometimes("what was flushed is not heard of", |_, world: &World| {
                let is_unheard = |caller: &usize| world.callers[*caller].told.is_empty();
                world.crashed && world.file.iter().any(is_unheard)
            }),
            Property::sometimes("a sweep has its turn", |model: &Self, world: &World| {
                world.batch.iter().any(|caller| model.callers[*caller].0 == Lane::Sweep)
            }),
            Property::sometimes("all are written", |_, world: &World| {
                world.at == At::Waits && told(world).filter(|(_, told)| *told == Told::Written).count() >= 3
            }),
        ]
    }
}

/// What each caller was told, with its number.
fn told(world: &World) -> impl Iterator<Item = (usize, Told)> {
    let callers = world.callers.iter().enumerate();
    callers.flat_map(|(number, caller)| caller.told.iter().map(move |told| (number, *told)))
}

const FLUSHED_FIRST: &str = "no answer before the flush";
const NOTHING_OF_WHAT_FAILED: &str = "nothing is written of what failed";
const FAILS_ALONE: &str = "what fails fails alone";
const ANSWERED_ONCE: &str = "nothing is answered twice";
const ONE_PER_KEY: &str = "of those under one key one is written";
const NOTHING_WAITS_FOR_EVER: &str = "nothing waits for ever";
const NOTHING_IS_STARVED: &str = "no lane keeps another one out";

const CALLERS: [(Lane, Kind); 6] = [
    (Lane::Request, Kind::Same),
    (Lane::Revocation, Kind::Good),
    (Lane::Request, Kind::Bad),
    (Lane::Request, Kind::Same),
    (Lane::Sweep, Kind::Good),
    (Lane::Revocation, Kind::Good),
];

#[test]
fn in_every_order_each_write_is_answered_once_after_its_flush_and_fails_alone() {
    let (callers, most_faults) = if is_long() { (6, 1) } else { (5, 1) };
    check("the writer of SQLite", Batcher::new(Variant::Honest, &CALLERS[..callers], most_faults));
}

#[test]
fn a_writer_that_is_broken_is_found_out() {
    for (variant, expected) in [
        (Variant::Silent, &[NOTHING_WAITS_FOR_EVER][..]),
        (Variant::AnswersFirst, &[FLUSHED_FIRST]),
        (Variant::AllFail, &[FAILS_ALONE]),
        (Variant::OneLane, &[NOTHING_IS_STARVED]),
    ] {
        let model = Batcher::new(variant, &CALLERS[..4], 0);
        check_broken(&format!("a writer that is {variant:?}"), model, expected);
    }
}
