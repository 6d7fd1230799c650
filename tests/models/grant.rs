//! The life of a grant: two tabs of its owner and a thief refresh the same token on two nodes, while answers
//! get lost, a node crashes, time passes and the owner revokes. Each load and each write is a separate step.
//!
//! The nodes are the real server ([`Replay`]); the model is the store, the network and the clients.

use std::collections::BTreeSet;
use std::sync::Arc;

use stateright::{Model, Property};

use super::replay::{
    Answer, Call, Endpoint, Heard, History, LEEWAY, Moment, Next, Replay, Request, Row, Text,
};
use super::{check, check_broken, is_long};

const NODES: usize = 2;
/// How many hold the first refresh token.
const HOLDERS: usize = 3;
/// The first two are tabs of the owner.
const OWNER: usize = 0;
const THIEF: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Store {
    Honest,
    /// Ignores the version that a write expects.
    Unconditional,
    /// Confirms a write before it is done.
    ConfirmsFirst,
}

/// How much may happen.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// The requests of each holder.
    refreshes: [u8; HOLDERS],
    revocations: u8,
    crashes: u8,
    /// How often time passes, and how much of it.
    ticks: u8,
    tick: Moment,
}

struct Grants {
    replay: Replay,
    first: Row,
    token: Text,
    store: Store,
    bounds: Bounds,
}

#[derive(Clone, Debug, PartialEq, Hash)]
struct World {
    now: Moment,
    /// All that the store has ever held, the latest last.
    rows: Vec<Row>,
    /// What was confirmed but is not yet written.
    unflushed: Option<Row>,
    holders: [Holder; HOLDERS],
    tasks: Vec<Task>,
    revocations: u8,
    crashes: u8,
    ticks: u8,
    /// Pairs of a presented refresh token and the one in its answer.
    successors: BTreeSet<(Text, Text)>,
    /// A node crashed after a write and before its answer.
    crashed_late: bool,
    flaws: Flaws,
}

/// What must never be true of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Hash)]
struct Flaws {
    /// It had tokens that the store never held.
    unwritten: bool,
    /// It had tokens, and its request began after the end of the grant.
    after_end: bool,
    /// It confirmed a revocation, and the grant had not ended.
    unended: bool,
}

#[derive(Clone, Debug, PartialEq, Hash)]
struct Holder {
    token: Text,
    sent: u8,
    /// Whether it waits for the answer to what it sent last.
    waits: bool,
}

/// A request on a node.
#[derive(Clone, Debug, PartialEq, Hash)]
struct Task {
    /// Its holder, and its number among that holder's requests; `None` for a revocation.
    of: Option<(usize, u8)>,
    node: usize,
    request: Request,
    /// Emptied when it is answered.
    heard: History,
    next: Next,
    began_ended: bool,
    has_written: bool,
    has_lost_a_race: bool,
    /// Whether its answer repeats an earlier one.
    repeats: bool,
}

impl Task {
    fn is_answered(&self) -> bool {
        matches!(self.next, Next::Answer(_))
    }

    fn is_served(&self) -> bool {
        matches!(&self.next, Next::Answer(Answer { status: 200, .. }))
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Action {
    /// A holder sends its token to this node.
    Refresh {
        holder: usize,
        node: usize,
    },
    /// The owner revokes.
    Revoke {
        node: usize,
    },
    /// The store handles the call of this task, and its node continues to the next one.
    Serve(usize),
    /// The answer arrives.
    Deliver(usize),
    /// The holder gives up; the answer is lost, now or later.
    GiveUp(usize),
    Crash {
        node: usize,
    },
    Tick,
    /// A confirmed write is done.
    Flush,
}

impl World {
    fn latest(&self) -> &Row {
        self.rows.last().expect("the first")
    }

    fn is_ended(&self) -> bool {
        self.latest().is_ended
    }

    /// Adds a task in a fixed order, because worlds that differ only in the order are the same.
    fn put(&mut self, task: Task) {
        self.tasks.push(task);
        self.tasks.sort_by_key(|task| task.of);
    }

    fn awaits(&self, task: &Task) -> bool {
        task.of.is_some_and(|(holder, number)| {
            let Holder { sent, waits, .. } = self.holders[holder];
            waits && sent == number + 1
        })
    }
}

impl Grants {
    fn new(store: Store, bounds: Bounds) -> Self {
        let (replay, first, token) = Replay::begin();
        Self { replay, first, token, store, bounds }
    }

    /// Begins a request on a node.
    fn begin(&self, world: &mut World, of: Option<(usize, u8)>, node: usize) {
        let (endpoint, holder) = match of {
            Some((holder, _)) => (Endpoint::Token, holder),
            None => (Endpoint::Revocation, OWNER),
        };
        let seed = of.map_or(0, |(holder, number)| 1 + number * HOLDERS as u8 + holder as u8);
        let token = Arc::clone(&world.holders[holder].token);
        let request = Request { endpoint, token, begun: world.now, seed };
        let next = self.replay.next(&request, &History::new());
        let (heard, began_ended) = (History::new(), world.is_ended());
        let (has_written, has_lost_a_race, repeats) = (false, false, false);
        world.put(Task {
            of,
            node,
            request,
            heard,
            next,
            began_ended,
            has_written,
            has_lost_a_race,
            repeats,
        });
    }

    fn serve(&self, world: &mut World, task: usize) {
        let mut task = world.tasks.remove(task);
        let Next::Call(call) = &task.next else { unreachable!("only calls are served") };
        let heard = self.take(world, call);
        task.has_written |= heard == Heard::Written;
        task.has_lost_a_race |= heard == Heard::Conflict;
        task.heard.push((heard, world.now));
        task.next = self.replay.next(&task.request, &task.heard);
        if let Next::Answer(answer) = &task.next {
            task.repeats = self.note_answer(world, &task, answer);
            (task.heard, task.request.begun) = (History::new(), 0);
        }
        if !task.is_answered() || world.awaits(&task) {
            world.put(task);
        }
    }

    /// What the store does.
    fn take(&self, world: &mut World, call: &Call) -> Heard {
        match call {
            Call::Load => Heard::Loaded(world.latest().clone()),
            Call::Commit { expect, next } => {
                if self.store != Store::Unconditional && *expect != Some(world.latest().version) {
                    return Heard::Conflict;
                }
                match self.store {
                    Store::ConfirmsFirst => world.unflushed = Some(next.clone()),
                    Store::Honest | Store::Unconditional => world.rows.push(next.clone()),
                }
                Heard::Written
            }
            Call::End(ended) => {
                let version = world.latest().version + 1;
                world.rows.push(Row { version, ..ended.clone() });
                Heard::Written
            }
        }
    }

    /// Records an answer; whether it repeats an earlier one.
    fn note_answer(&self, world: &mut World, task: &Task, answer: &Answer) -> bool {
        if answer.status != 200 {
            return false;
        }
        let Some(tokens) = &answer.tokens else {
            world.flaws.unended |= !world.is_ended();
            return false;
        };
        world.flaws.after_end |= task.began_ended;
        world.flaws.unwritten |= !world.rows.iter().rev().any(|row| self.replay.holds(row, tokens));
        !world.successors.insert((Arc::clone(&task.request.token), Arc::clone(&tokens.refresh)))
    }

    fn deliver(world: &mut World, task: usize) {
        let task = world.tasks.remove(task);
        let (Some((holder, _)), Next::Answer(answer)) = (task.of, task.next) else {
            unreachable!("only answers arrive")
        };
        let holder = &mut world.holders[holder];
        holder.waits = false;
        if let Some(tokens) = answer.tokens {
            holder.token = tokens.refresh;
        }
    }

    fn crash(world: &mut World, node: usize) {
        world.crashes += 1;
        world.unflushed = None;
        let tasks = std::mem::take(&mut world.tasks).into_iter();
        let (lost, left): (Vec<Task>, _) = tasks.partition(|task| task.node == node);
        world.tasks = left;
        for task in &lost {
            world.crashed_late |= task.has_written;
            if world.awaits(task)
                && let Some((holder, _)) = task.of
            {
                world.holders[holder].waits = false;
            }
        }
    }
}

impl Model for Grants {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let holder = || Holder { token: Arc::clone(&self.token), sent: 0, waits: false };
        vec![World {
            now: 0,
            rows: vec![self.first.clone()],
            unflushed: None,
            holders: std::array::from_fn(|_| holder()),
            tasks: Vec::new(),
            revocations: 0,
            crashes: 0,
            ticks: 0,
            successors: BTreeSet::new(),
            crashed_late: false,
            flaws: Flaws::default(),
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        let bounds = &self.bounds;
        // Nodes differ only in their tasks, and only if one may crash.
        let is_alike = world.tasks.is_empty() || world.crashes >= bounds.crashes;
        let nodes = if is_alike { 1 } else { NODES };
        for (number, holder) in world.holders.iter().enumerate() {
            if holder.sent >= bounds.refreshes[number] {
                // Whether it receives the last answer changes nothing.
            } else if holder.waits {
                actions.push(Action::GiveUp(number));
            } else {
                actions.extend((0..nodes).map(|node| Action::Refresh { holder: number, node }));
            }
        }
        if world.revocations < bounds.revocations {
            actions.extend((0..nodes).map(|node| Action::Revoke { node }));
        }
        for (number, task) in world.tasks.iter().enumerate() {
            actions.push(match &task.next {
                Next::Call(_) => Action::Serve(number),
                Next::Answer(_) => Action::Deliver(number),
            });
        }
        if world.crashes < bounds.crashes {
            let busy = |node: &usize| world.tasks.iter().any(|task| task.node == *node);
            actions.extend((0..NODES).filter(busy).map(|node| Action::Crash { node }));
        }
        if world.ticks < bounds.ticks {
            actions.push(Action::Tick);
        }
        if world.unflushed.is_some() {
            actions.push(Action::Flush);
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut world = world.clone();
        match action {
            Action::Refresh { holder, node } => {
                let sends = &mut world.holders[holder];
                sends.sent += 1;
                sends.waits = true;
                let number = sends.sent - 1;
                self.begin(&mut world, Some((holder, number)), node);
            }
            Action::Revoke { node } => {
                world.revocations += 1;
                self.begin(&mut world, None, node);
            }
            Action::Serve(task) => self.serve(&mut world, task),
            Action::Deliver(task) => Self::deliver(&mut world, task),
            Action::GiveUp(holder) => {
                world.holders[holder].waits = false;
                // An answer in transit is lost.
                world.tasks.retain(|task| {
                    let is_his = task.of.is_some_and(|(of, _)| of == holder);
                    !(is_his && task.is_answered())
                });
            }
            Action::Crash { node } => Self::crash(&mut world, node),
            Action::Tick => {
                world.ticks += 1;
                world.now += self.bounds.tick;
            }
            Action::Flush => world.rows.extend(world.unflushed.take()),
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always(ONE_SUCCESSOR, |_, world: &World| {
                let presented = world.successors.iter().map(|(presented, _)| presented);
                presented.clone().zip(presented.skip(1)).all(|(one, next)| one != next)
            }),
            Property::always(WRITTEN_FIRST, |_, world: &World| !world.flaws.unwritten),
            Property::always(NO_LIFE_AFTER_AN_END, |_, world: &World| {
                let no_row = world.rows.windows(2).all(|rows| rows[1].is_ended || !rows[0].is_ended);
                no_row && !world.flaws.after_end && !world.flaws.unended
            }),
            Property::always(NO_END_WITHIN_THE_LEEWAY, |_, world: &World| {
                !world.is_ended() || world.revocations > 0 || world.now >= LEEWAY
            }),
            Property::sometimes("a write loses its race and is answered all the same", |_, world: &World| {
                world.tasks.iter().any(|task| task.has_lost_a_race && task.is_served())
            }),
        ];
        let Bounds { refreshes, revocations, crashes, ticks, .. } = self.bounds;
        if refreshes[OWNER] > 1 {
            properties.push(Property::sometimes(
                "a lost answer is given again",
                |model: &Self, world: &World| {
                    let is_retry = |task: &Task| task.of.is_some_and(|(_, number)| number > 0);
                    let again = |task: &Task| task.repeats && task.request.token == model.token;
                    world.tasks.iter().any(|task| again(task) && is_retry(task))
                },
            ));
        }
        if refreshes[THIEF] > 0 && ticks > 0 {
            let found_out = |model: &Self, world: &World| {
                let was_served = world.holders[THIEF].token != model.token;
                was_served && world.is_ended() && world.revocations == 0
            };
            properties.push(Property::sometimes("a thief who was served is found out", found_out));
        }
        if crashes > 0 {
            let is_repeated =
                |_: &Self, world: &World| world.crashed_late && world.tasks.iter().any(|task| task.repeats);
            let name = "the answer of a node that crashed is given by another";
            properties.push(Property::sometimes(name, is_repeated));
        }
        if revocations > 0 {
            let is_overtaken = |_: &Self, world: &World| {
                let is_refused = |task: &Task| task.is_answered() && !task.is_served();
                let late = |task: &Task| task.has_lost_a_race && !task.began_ended && is_refused(task);
                world.revocations > 0 && world.tasks.iter().any(late)
            };
            properties.push(Property::sometimes("a revocation overtakes a refresh", is_overtaken));
        }
        properties
    }
}

const ONE_SUCCESSOR: &str = "a token has one successor";
const WRITTEN_FIRST: &str = "no answer leaves before its write";
const NO_LIFE_AFTER_AN_END: &str = "no life after an end";
const NO_END_WITHIN_THE_LEEWAY: &str = "within the leeway only a revocation ends a grant";

/// One model with everything takes too long for a usual run.
fn bounds() -> Vec<Bounds> {
    let all = Bounds { refreshes: [2, 1, 1], revocations: 1, crashes: 1, ticks: 1, tick: LEEWAY };
    match is_long() {
        false => vec![
            Bounds { refreshes: [1, 1, 1], ..all },
            Bounds { revocations: 0, ..all },
            Bounds { crashes: 0, ..all },
        ],
        true => vec![
            Bounds { refreshes: [2, 2, 1], revocations: 0, crashes: 0, ..all },
            Bounds { revocations: 0, ticks: 2, tick: LEEWAY / 2, ..all },
            all,
        ],
    }
}

#[test]
fn in_every_order_a_token_has_one_successor_and_an_ended_grant_no_life() {
    for bounds in bounds() {
        check(&format!("the life of a grant, {bounds:?}"), Grants::new(Store::Honest, bounds));
    }
}

/// Small bounds: a broken store is found out at once.
const FEW: Bounds = Bounds { refreshes: [1, 1, 0], revocations: 1, crashes: 1, ticks: 0, tick: LEEWAY };

#[test]
fn on_a_store_that_writes_without_its_condition_a_token_has_two_successors_and_an_ended_grant_comes_back() {
    let model = Grants::new(Store::Unconditional, FEW);
    check_broken("an unconditional write", model, &[ONE_SUCCESSOR, NO_LIFE_AFTER_AN_END]);
}

#[test]
fn on_a_store_that_confirms_before_it_writes_an_answer_leaves_before_its_write() {
    let model = Grants::new(Store::ConfirmsFirst, FEW);
    check_broken("a hasty confirmation", model, &[ONE_SUCCESSOR, WRITTEN_FIRST, NO_LIFE_AFTER_AN_END]);
}
