//! Simulated: up to 64 cores, each with one request after the other, and how they slow each other down.
//!
//! A request is the CPU time that was measured on one core, cut into parts of about the same length by its
//! visits to what is shared. A visit waits for the earlier ones, and fetches the cache line if another core
//! had it last; the next visit waits for both. Not in the model: memory bandwidth, the clock rate under load,
//! and threads that sleep while they wait for a lock.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::threads::{Measured, Operation};
use super::{SEED, SHARDS, Scale};

use Line::{Client, ClientId, Own, RedirectUri};
use Visit::{Adds, LocksTurns, ReadsShard, WritesShard};

/// Fetching a line from a core of another complex, in ns. Assumed: the upper end of the 50 to 100 ns that are
/// usual within an x86 server; from another socket it takes longer.
const FAR: f64 = 100.0;
/// Cores that share a last-level cache. Assumed: as in many of today's servers.
const COMPLEX: usize = 8;
/// How long a lock of `Turns` is held, in ns. Assumed: a search of a short list.
const TURN_HELD: f64 = 50.0;
/// The cache lines that a write to a shard changes: its lock and head, the control bytes, the bucket. Read in
/// `src/store/memory.rs`.
const SHARD_LINES: f64 = 3.0;
const CORES: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];

/// How many locks `Turns` has, as in `src/server/turns.rs`.
const TURNS: usize = 16;

/// A cache line that requests of all cores write, if their registry gives all of them the same `Arc<Client>`.
/// A `MemoryRegistry` gives each thread its own.
#[derive(Clone, Copy, Debug)]
enum Line {
    /// The count of a client.
    Client,
    /// The count of the text of its id.
    ClientId,
    /// The count of what its own grants share.
    Own,
    /// The count of the text of a redirect URI.
    RedirectUri,
}

const LINES: usize = Line::RedirectUri as usize + 1;

/// What a request does with what is shared.
#[derive(Clone, Copy, Debug)]
enum Visit {
    /// Adds to a counter.
    Adds(Line),
    /// Takes the lock of those who wait to redeem a code, one of [`TURNS`].
    LocksTurns,
    ReadsShard,
    WritesShard,
}

/// In the order of the code; `benches/README.md` says where each is.
const CLIENT_CREDENTIALS: &[Visit] = &[
    // the client is found
    Adds(Client),
    // the gate
    Adds(Client),
    Adds(ClientId),
    // the tokens and the grant
    Adds(Own),
    Adds(ClientId),
    Adds(Client),
    WritesShard,
    // the flow is dropped
    Adds(Client),
];

const REDEEM: &[Visit] = &[
    Adds(Client),
    // its turn begins
    LocksTurns,
    ReadsShard,
    // a copy of the grant
    Adds(RedirectUri),
    // the gate
    Adds(Client),
    // the tokens and the bridge
    Adds(Client),
    Adds(ClientId),
    WritesShard,
    // the replaced grant is dropped
    Adds(ClientId),
    Adds(RedirectUri),
    // its turn ends; the flow is dropped
    LocksTurns,
    Adds(Client),
];

const INTROSPECT: &[Visit] = &[Adds(Client), ReadsShard, Adds(Client)];

const CHECK: &[Visit] = &[ReadsShard];

fn visits(operation: Operation) -> &'static [Visit] {
    match operation {
        Operation::ClientCredentials => CLIENT_CREDENTIALS,
        Operation::Redeem => REDEEM,
        Operation::Introspect => INTROSPECT,
        Operation::Check => CHECK,
    }
}

/// Whose the counters of a client are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counters {
    /// Each thread has its own.
    Copied,
    /// All threads write the same ones.
    Shared,
}

/// What was measured, in ns.
#[derive(Clone, Copy, Debug)]
pub struct Costs {
    /// Fetching a line from a core of the same complex.
    pub near: f64,
    /// How long the lock of a shard is held for a write, at most.
    pub held: f64,
}

impl Costs {
    fn moved(self, from: usize, to: usize) -> f64 {
        if from / COMPLEX == to / COMPLEX { self.near } else { FAR }
    }
}

/// A request as it is simulated.
struct Plan {
    touches: Vec<Touch>,
    /// CPU ns after the last touch.
    rest: f64,
}

struct Touch {
    /// CPU ns before it.
    work: f64,
    at: At,
    /// How many cache lines come from the core that was there last.
    lines: f64,
    /// For how many ns no one else gets in.
    held: f64,
}

/// What is touched.
#[derive(Clone, Copy)]
enum At {
    Line(Line),
    /// The lock of `Turns` that the request takes.
    Turns,
    /// The shard of the request.
    Shard,
}

impl Plan {
    fn new(visits: &[Visit], cpu: f64, counters: Counters, costs: Costs) -> Self {
        let is_simulated = |visit: &&Visit| match visit {
            Adds(_) => counters != Counters::Copied,
            LocksTurns | ReadsShard | WritesShard => true,
        };
        let visits: Vec<Visit> = visits.iter().filter(is_simulated).copied().collect();
        let held = |visit: &Visit| match visit {
            Adds(_) | ReadsShard => 0.0,
            LocksTurns => TURN_HELD,
            WritesShard => costs.held,
        };
        let under_locks: f64 = visits.iter().map(held).sum();
        let part = (cpu - under_locks).max(0.0) / (visits.len() + 1) as f64;
        let touches = visits.iter().map(|visit| {
            let (at, lines) = match *visit {
                Adds(line) => (At::Line(line), 1.0),
                LocksTurns => (At::Turns, 1.0),
                ReadsShard => (At::Shard, 1.0),
                WritesShard => (At::Shard, SHARD_LINES),
            };
            Touch { work: part, at, lines, held: held(visit) }
        });
        Self { touches: touches.collect(), rest: part }
    }

    /// CPU ns before this touch, or after the last.
    fn work(&self, at: usize) -> f64 {
        self.touches.get(at).map_or(self.rest, |touch| touch.work)
    }
}

/// The result of a simulation.
struct Load {
    /// Requests a second.
    rate: f64,
    /// The share of the time of all cores that goes into cache lines: queues for them, and fetching them.
    lines: f64,
    /// The share that goes into queues for locks.
    locks: f64,
}

/// A shared line, or a shard.
#[derive(Clone, Copy, Default)]
struct Place {
    last: Option<usize>,
    /// When the next one gets in, in ps.
    free: u64,
}

/// Where in its request a core is.
#[derive(Clone, Copy, Default)]
struct Progress {
    touch: usize,
    turns: usize,
    shard: usize,
}

impl Progress {
    /// At the beginning of a request with another grant.
    fn new(random: &mut StdRng) -> Self {
        let mut below = |limit| random.next_u32() as usize % limit;
        Self { touch: 0, turns: below(TURNS), shard: below(SHARDS) }
    }

    fn place(self, at: At) -> usize {
        match at {
            At::Line(line) => line as usize,
            At::Turns => LINES + self.turns,
            At::Shard => LINES + TURNS + self.shard,
        }
    }
}

/// Ends the run after this many requests.
fn simulate(cores: usize, plan: &Plan, requests: usize, costs: Costs) -> Load {
    let random = &mut StdRng::seed_from_u64(SEED);
    let mut places = vec![Place::default(); LINES + TURNS + SHARDS];
    let mut progress = vec![Progress::default(); cores];
    // When each core is at its next touch, the earliest first.
    let mut due = BinaryHeap::new();
    for (core, own) in progress.iter_mut().enumerate() {
        *own = Progress::new(random);
        due.push(Reverse((about(plan.work(0), random), core)));
    }
    let (mut now, mut served, mut lines, mut locks) = (0, 0, 0, 0);
    while served < requests {
        let Some(Reverse((at, core))) = due.pop() else { break };
        now = at;
        let own = &mut progress[core];
        let Some(touch) = plan.touches.get(own.touch) else {
            served += 1;
            *own = Progress::new(random);
            due.push(Reverse((now + about(plan.work(0), random), core)));
            continue;
        };
        let place = &mut places[own.place(touch.at)];
        let queued = place.free.saturating_sub(now);
        let moved = match place.last {
            Some(last) if last != core => ps(touch.lines * costs.moved(last, core)),
            Some(_) | None => 0,
        };
        let is_lock = !matches!(touch.at, At::Line(_));
        *(if is_lock { &mut locks } else { &mut lines }) += queued;
        lines += moved;
        let done = now + queued + moved + ps(touch.held);
        *place = Place { last: Some(core), free: done };
        own.touch += 1;
        due.push(Reverse((done + about(plan.work(own.touch), random), core)));
    }
    let all = now as f64 * cores as f64;
    Load { rate: requests as f64 / (now as f64 / 1e12), lines: lines as f64 / all, locks: locks as f64 / all }
}

fn ps(ns: f64) -> u64 {
    (ns * 1e3) as u64
}

/// From half as long to half as long again: otherwise all cores would run in step.
fn about(ns: f64, random: &mut StdRng) -> u64 {
    let part = f64::from(random.next_u32()) / f64::from(u32::MAX);
    ps(ns * (0.5 + part))
}

/// A table for each operation.
pub fn report(measured: &[Measured], costs: Costs, scale: Scale) {
    check_ends();
    let costs = Costs { near: costs.near.clamp(0.0, FAR), ..costs };
    println!("\nsimulated, {} requests each, seed {SEED}", scale.requests);
    println!(
        "measured, in ns: a line from a core nearby {:.0}, a shard's lock {:.0}",
        costs.near, costs.held
    );
    println!("assumed, in ns: a line from afar {FAR}, a lock of Turns {TURN_HELD};");
    println!(
        "assumed: {COMPLEX} cores are near each other, a write changes {SHARD_LINES} lines of its shard"
    );
    for row in measured {
        let load = |cores, counters| {
            let plan = Plan::new(visits(row.operation), row.cpu, counters, costs);
            simulate(cores, &plan, scale.requests, costs)
        };
        let all = [Counters::Copied, Counters::Shared];
        let loads = CORES.map(|cores| all.map(|counters| load(cores, counters)));
        let speed_up = |at: usize, column: usize| loads[at][column].rate / loads[0][column].rate;
        println!(
            "\n{}: two cores {:.2} times one as measured, {:.2} as simulated, {:.2} with one client for all",
            row.operation.name(),
            row.two_to_one,
            speed_up(1, 0),
            speed_up(1, 1)
        );
        let columns = ["a client for each thread", "one client for all"];
        println!("{:>6}{}", "", columns.map(|column| format!("{column:>33}")).concat());
        let heads = format!("{:>9}{:>8}{:>8}{:>8}", "million/s", "times", "lines", "locks");
        println!("{:>6}{}", "cores", heads.repeat(columns.len()));
        for (at, cores) in CORES.into_iter().enumerate() {
            print!("{cores:>6}");
            for (column, Load { rate, lines, locks }) in loads[at].iter().enumerate() {
                let (millions, times) = (rate / 1e6, speed_up(at, column));
                print!("{millions:>9.2}{times:>8.1}{:>7.0}%{:>7.0}%", lines * 100.0, locks * 100.0);
            }
            println!();
        }
        let wasted = |column| (0..CORES.len()).find(|at| speed_up(*at, column) < CORES[*at] as f64 / 2.0);
        for (column, name) in columns.into_iter().enumerate() {
            match wasted(column) {
                Some(at) => println!("{name}: from {} cores on, more than half of them wait", CORES[at]),
                None => println!("{name}: even of {} cores, more than half work", CORES[CORES.len() - 1]),
            }
        }
    }
}

/// The model at its ends: where nothing is shared the rate grows with the cores, and one line bounds it.
fn check_ends() {
    const REQUESTS: usize = 2_000;
    let costs = Costs { near: FAR, held: 0.0 };
    let rate = |cores, plan: &Plan| simulate(cores, plan, REQUESTS, costs).rate;
    let alone = Plan { touches: Vec::new(), rest: 1_000.0 };
    assert!(rate(64, &alone) > 0.9 * 64.0 * rate(1, &alone));
    let touch = Touch { work: 10.0, at: At::Line(Client), lines: 1.0, held: 0.0 };
    let bound = rate(16, &Plan { touches: vec![touch], rest: 0.0 }) * FAR / 1e9;
    assert!((0.95..1.05).contains(&bound), "{bound}");
}
