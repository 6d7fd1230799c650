//! Measured: the same operations by one thread and by two.

use std::convert::identity;
use std::hint::black_box;
use std::iter::repeat_with;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use cpu_time::ThreadTime;
use grantor::{AuthorizationServer, Guard, MemoryStore, Request, Requirement};
use sha2::{Digest as _, Sha256};

use super::Scale;
use super::support::grantor::{code_of_request, server_over};
use super::support::{AUTHORIZE, CLIENT_CREDENTIALS, ISSUER, Job, Population};
use super::support::{introspect_body, member, ready, redeem_body, table};

/// The rate of two threads, relative to that of one.
const TARGET: f64 = 1.8;
/// How many turns a server serves before it starts afresh: about as many operations as it had live tokens.
const LIFE: usize = 2;
/// How many SHA-256 hashes of one block take about as long as an operation.
const HASHES: usize = 16;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    ClientCredentials,
    Redeem,
    Introspect,
    Check,
}

impl Operation {
    const ALL: [Self; 4] = [Self::ClientCredentials, Self::Redeem, Self::Introspect, Self::Check];

    pub fn name(self) -> &'static str {
        match self {
            Self::ClientCredentials => Job::ClientCredentials.name(),
            Self::Redeem => Job::Redeem.name(),
            Self::Introspect => Job::Introspect.name(),
            Self::Check => "opaque guard check",
        }
    }

    fn adds_grants(self) -> bool {
        matches!(self, Self::ClientCredentials | Self::Redeem)
    }
}

/// What an operation took, for the simulation.
pub struct Measured {
    pub operation: Operation,
    /// CPU ns of one operation, by one thread.
    pub cpu: f64,
    /// The rate of two threads, relative to that of one.
    pub two_to_one: f64,
}

/// One row for each operation.
pub fn report(scale: Scale) -> [Measured; 4] {
    println!("\nin memory, millions a second by one thread and by two: medians of {} turns", scale.turns);
    println!(
        "{:22}{:>8}{:>8}{:>10}{:>8}{:>10}{:>14}{:>8}{:>8}",
        "", "one", "two", "two/one", "apart", "pure CPU", "CPU ns: one", "two", "apart"
    );
    let measured = Operation::ALL.map(|operation| measure(operation, scale));
    println!("! marks a missed target: two/one at least {TARGET}, where pure CPU gets there");
    measured
}

/// The laps of one turn.
struct Turn {
    one: Lap,
    two: Lap,
    /// By two threads with a server each, which share the machine and the allocator.
    apart: Lap,
    /// By threads that share nothing but the machine.
    pure_one: Lap,
    pure_two: Lap,
}

fn measure(operation: Operation, scale: Scale) -> Measured {
    // The separate servers together have as many tokens as the shared one, so that the caches hold as much.
    let fresh = || [scale.live, scale.live / 2, scale.live / 2].map(Site::with_tokens);
    let mut sites = fresh();
    let mut turns = Vec::with_capacity(scale.turns);
    for turn in 0..=scale.turns {
        if operation.adds_grants() && turn > 0 && turn.is_multiple_of(LIFE) {
            sites = fresh();
        }
        let [shared, left, right] = &sites;
        let laps = Turn {
            one: lap(operation, &[shared], scale),
            two: lap(operation, &[shared, shared], scale),
            apart: lap(operation, &[left, right], scale),
            pure_one: pure(1, scale),
            pure_two: pure(2, scale),
        };
        // the first turn warms the caches
        if turn > 0 {
            turns.push(laps);
        }
    }
    let each = |figure: fn(&Turn) -> f64| median(turns.iter().map(figure));
    let two_to_one = each(|turn| turn.two.rate / turn.one.rate);
    let cpu = each(|turn| turn.one.cpu);
    println!(
        "{:22}{:>8.3}{:>8.3}{two_to_one:>9.2}{}{:>8.2}{:>10.2}{cpu:>14.0}{:>8.0}{:>8.0}",
        operation.name(),
        each(|turn| turn.one.rate) / 1e6,
        each(|turn| turn.two.rate) / 1e6,
        if two_to_one < TARGET { '!' } else { ' ' },
        each(|turn| turn.apart.rate / turn.one.rate),
        each(|turn| turn.pure_two.rate / turn.pure_one.rate),
        each(|turn| turn.two.cpu),
        each(|turn| turn.apart.cpu),
    );
    Measured { operation, cpu, two_to_one }
}

/// A server, and a guard that asks it. Threads share it.
struct Site {
    server: AuthorizationServer,
    guard: Guard,
    needed: Requirement,
}

impl Site {
    fn with_tokens(live: usize) -> (Self, Population) {
        let server = server_over(MemoryStore::new());
        let request = Request::post_form(CLIENT_CREDENTIALS);
        let token = || member(&ready(server.token(&request)).body, "access_token");
        let tokens = Population::of(repeat_with(token).take(live).collect());
        let guard = Guard::builder(ISSUER).local(server.clone()).build().unwrap();
        (Self { server, guard, needed: Requirement::scopes(["read"]) }, tokens)
    }

    /// What one thread sends in a turn; for client_credentials the same again and again.
    fn requests(&self, operation: Operation, tokens: &[String]) -> Vec<Request> {
        let code = || code_of_request(&self.server, AUTHORIZE.to_owned());
        match operation {
            Operation::ClientCredentials => vec![Request::post_form(CLIENT_CREDENTIALS)],
            Operation::Redeem => {
                (0..tokens.len()).map(|_| Request::post_form(redeem_body(&code()))).collect()
            }
            Operation::Introspect => {
                tokens.iter().map(|token| Request::post_form(introspect_body(token))).collect()
            }
            Operation::Check => {
                let call = |token| Request::get("").header("authorization", format!("Bearer {token}"));
                tokens.iter().map(call).collect()
            }
        }
    }

    fn answer(&self, operation: Operation, request: &Request) {
        match operation {
            Operation::ClientCredentials | Operation::Redeem => {
                assert_eq!(ready(self.server.token(request)).status, 200);
            }
            Operation::Introspect => {
                assert!(ready(self.server.introspect(request)).body.starts_with(br#"{"active":true"#));
            }
            Operation::Check => drop(black_box(ready(self.guard.check(request, &self.needed)).unwrap())),
        }
    }
}

/// One thread for each of these.
fn lap(operation: Operation, sites: &[&(Site, Population)], scale: Scale) -> Lap {
    let inputs: Vec<(&Site, Vec<String>)> =
        sites.iter().map(|of| (&of.0, of.1.sample(scale.operations))).collect();
    at_once(
        inputs,
        scale.operations,
        |(site, tokens)| (site, site.requests(operation, &tokens)),
        |(site, requests)| {
            let asked = requests.iter().cycle().take(scale.operations);
            asked.for_each(|request| site.answer(operation, request));
        },
    )
}

/// What the machine gives this many threads.
fn pure(threads: usize, scale: Scale) -> Lap {
    let hashes = scale.operations * HASHES;
    at_once(vec![(); threads], scale.operations, identity, |_| hashed(hashes, || {}))
}

/// SHA-256 of SHA-256 of …: work that shares nothing, except what is done after each.
fn hashed(times: usize, after_each: impl Fn()) {
    let mut digest = [0_u8; 32];
    for _ in 0..times {
        digest = Sha256::digest(digest).into();
        after_each();
    }
    black_box(digest);
}

/// A counter on a cache line of its own.
#[derive(Default)]
#[repr(align(128))]
struct Counter(AtomicU64);

/// How much more an addition to a counter costs if another thread adds to it, too, in ns: its cache line is
/// fetched from the other core. One SHA-256 lies between two additions, so that the other core has had its
/// turn.
pub fn line_moved(scale: Scale) -> f64 {
    let counters = [Counter::default(), Counter::default()];
    let [one, other] = &counters;
    let adds = scale.operations * HASHES;
    let cpu = |first: &Counter, second: &Counter| {
        let added = |counter: &&Counter| {
            hashed(adds, || {
                counter.0.fetch_add(1, Relaxed);
            });
        };
        at_once(vec![first, second], adds, identity, added).cpu
    };
    median((0..scale.turns).map(|_| cpu(one, one) - cpu(one, other)))
}

/// The speed and the cost of threads that work at the same time.
struct Lap {
    /// Operations a second, all threads together.
    rate: f64,
    /// CPU ns of one operation.
    cpu: f64,
}

/// One thread for each input. All prepare, which does not count, and begin to work when the last is prepared.
fn at_once<I: Send, P>(
    inputs: Vec<I>,
    operations: usize,
    prepare: impl Fn(I) -> P + Sync,
    work: impl Fn(&P) + Sync,
) -> Lap {
    let start = Barrier::new(inputs.len());
    let (start, prepare, work) = (&start, &prepare, &work);
    let took: Vec<(Duration, Duration)> = thread::scope(|scope| {
        let threads = inputs.into_iter().map(|input| {
            scope.spawn(move || {
                let prepared = prepare(input);
                start.wait();
                let (begun, cpu) = (Instant::now(), ThreadTime::now());
                work(&prepared);
                (begun.elapsed(), cpu.elapsed())
            })
        });
        // All are started before the first is waited for.
        let threads: Vec<_> = threads.collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let each = operations as f64;
    let cpu: Duration = took.iter().map(|(_, cpu)| *cpu).sum();
    Lap {
        rate: took.iter().map(|(wall, _)| each / wall.as_secs_f64()).sum(),
        cpu: cpu.as_nanos() as f64 / each / took.len() as f64,
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    table::figures(values.collect()).unwrap().median
}
