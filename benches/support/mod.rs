//! What the benches share: the jobs, the constants of the setup, and the contenders.

#![allow(dead_code)] // each bench uses only a part

pub mod bare;
pub mod closed_loop;
pub mod floor;
pub mod grantor;
pub mod oauth_as;
pub mod oxide_auth;
pub(super) mod random_key;
pub mod secured;
pub mod table;

use std::cell::Cell;
use std::future::Future;
use std::hint::black_box;
use std::iter::repeat_with;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use cpu_time::ThreadTime;

pub const ISSUER: &str = "https://as.example.com";
pub const CLIENT_ID: &str = "bench-client";
pub const CLIENT_SECRET: &str = "Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MGFiY2RlZmdoaWo";
pub const REDIRECT_URI: &str = "https://app.example.com/callback";
pub const SCOPE: &str = "read write";
pub const SUBJECT: &str = "alice";
/// RFC 7636 appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// `scope` is omitted where it is optional: every contender then grants the client's registered scope.
pub const CLIENT_CREDENTIALS: &str = "grant_type=client_credentials&client_id=bench-client\
     &client_secret=Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MGFiY2RlZmdoaWo&scope=read+write";
pub const AUTHORIZE: &str = "response_type=code&client_id=bench-client\
     &redirect_uri=https%3A%2F%2Fapp.example.com%2Fcallback&scope=read+write&state=af0ifjsldkj\
     &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    ClientCredentials,
    Authorize,
    Redeem,
    Refresh,
    Introspect,
    Bearer,
}

impl Job {
    pub const ALL: [Self; 6] = [
        Self::ClientCredentials,
        Self::Authorize,
        Self::Redeem,
        Self::Refresh,
        Self::Introspect,
        Self::Bearer,
    ];

    pub fn adds_grants(self) -> bool {
        !matches!(self, Self::Introspect | Self::Bearer)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::Authorize => "authorize (code)",
            Self::Redeem => "redeem (PKCE S256)",
            Self::Refresh => "refresh, rotating",
            Self::Introspect => "introspection",
            Self::Bearer => "bearer check",
        }
    }
}

/// One way of doing the jobs.
///
/// `chunk` does `job` exactly `times` times and returns how long that took. Inputs are made before the clock
/// starts, and responses are read after it has stopped. In between, the status of every response is asserted,
/// so that a refusal never passes for a fast success.
pub trait Contender {
    fn name(&self) -> &'static str;
    fn has(&self, job: Job) -> bool;
    fn chunk(&mut self, job: Job, times: usize) -> Duration;
    /// Forgets every grant and issues those of a [`Population`].
    fn reset(&mut self);
}

/// Operations per clock reading.
pub const CHUNK: usize = 256;
/// Chunks that a contender runs before it is reset.
const CHUNKS_A_LIFE: u64 = 384;

/// Tokens that are live before anything is measured, because a real server is not empty.
///
/// In an empty one, maps would keep growing and every token would be in the L1 cache, so the table would not
/// show how a real server performs.
#[derive(Default)]
pub struct Population {
    tokens: Vec<String>,
    turn: Cell<usize>,
}

impl Population {
    /// 100,000 tokens, or as many as the environment variable `TOKENS` says.
    pub fn issued_by(issue: impl FnMut() -> String) -> Self {
        let size = match std::env::var("TOKENS") {
            Ok(count) => count.parse().unwrap(),
            Err(_) if cfg!(debug_assertions) => 1_000, // `cargo test --benches`
            Err(_) => 100_000,
        };
        Self::of(repeat_with(issue).take(size).collect())
    }

    pub fn of(tokens: Vec<String>) -> Self {
        Self { tokens, turn: Cell::new(0) }
    }

    /// Copies of some tokens, as if they had just arrived, taken with a stride so that no two neighbours
    /// follow each other.
    pub fn sample(&self, times: usize) -> Vec<String> {
        const STRIDE: usize = 38_197; // prime, and large
        let turns = (0..times).map(|_| {
            self.turn.set((self.turn.get() + STRIDE) % self.tokens.len());
            self.turn.get()
        });
        turns.map(|turn| self.tokens[turn].clone()).collect()
    }
}

/// A contender that is kept at a realistic, bounded number of live grants.
pub struct Runner {
    contender: Box<dyn Contender>,
    chunks_left: u64,
}

impl Runner {
    pub fn new(contender: impl Contender + 'static) -> Self {
        Self { contender: Box::new(contender), chunks_left: 0 }
    }

    pub fn name(&self) -> &'static str {
        self.contender.name()
    }

    pub fn has(&self, job: Job) -> bool {
        self.contender.has(job)
    }

    /// `times` operations, in chunks.
    pub fn run(&mut self, job: Job, times: u64) -> Duration {
        let mut left = usize::try_from(times).unwrap_or(usize::MAX);
        let mut spent = Duration::ZERO;
        while left > 0 {
            let times = left.min(CHUNK);
            left -= times;
            if self.chunks_left == 0 {
                self.contender.reset();
                self.chunks_left = CHUNKS_A_LIFE;
            }
            self.chunks_left -= u64::from(job.adds_grants());
            spent += self.contender.chunk(job, times);
        }
        spent
    }
}

/// All contenders, the floor first.
pub fn contenders() -> Vec<Runner> {
    vec![
        Runner::new(floor::Contestant::new()),
        Runner::new(grantor::Contestant::new()),
        Runner::new(oauth_as::Contestant::new()),
        Runner::new(oxide_auth::Contestant::new()),
    ]
}

/// Feeds `inputs` to `work` against the clock. Responses are dropped, as in a server that has sent them; the
/// last one is returned for inspection. Inputs are borrowed where a contender can borrow them, so that the
/// time to free them is not counted.
pub fn timed<I, O>(inputs: impl IntoIterator<Item = I>, mut work: impl FnMut(I) -> O) -> (Duration, O) {
    let mut last = None;
    let lap = Lap::start();
    for input in inputs {
        last = Some(black_box(work(input)));
    }
    (lap.end(), last.unwrap())
}

/// The same, for jobs where every response is needed afterwards.
pub fn timed_keeping<I, O>(
    inputs: impl IntoIterator<Item = I, IntoIter: ExactSizeIterator>,
    mut work: impl FnMut(I) -> O,
) -> (Duration, Vec<O>) {
    let inputs = inputs.into_iter();
    let mut answers = Vec::with_capacity(inputs.len());
    let lap = Lap::start();
    for input in inputs {
        answers.push(work(input));
    }
    (lap.end(), answers)
}

/// The total number of blocks allocated so far, if the bench has a counting allocator.
pub static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
/// The blocks allocated in the latest lap.
pub static LAP_ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

/// The CPU time of this thread, so that other load on the machine does not count.
struct Lap {
    start: ThreadTime,
    allocations: usize,
}

impl Lap {
    // Of its own symbol, as `end` is: `benches/counts.sh` counts the instructions between the two.
    #[inline(never)]
    fn start() -> Self {
        Self { allocations: ALLOCATIONS.load(Relaxed), start: ThreadTime::now() }
    }

    #[inline(never)]
    fn end(self) -> Duration {
        let spent = self.start.elapsed();
        LAP_ALLOCATIONS.store(ALLOCATIONS.load(Relaxed) - self.allocations, Relaxed);
        spent
    }
}

/// Runs a future that never has to wait: everything here is in memory.
pub fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("an in-memory operation had to wait"),
    }
}

/// The value of a string member of a JSON document without escapes.
pub fn member(json: &[u8], name: &str) -> String {
    let json = std::str::from_utf8(json).unwrap();
    let (_, value) =
        json.split_once(&format!("\"{name}\":\"")).unwrap_or_else(|| panic!("no {name}: {json}"));
    value.split('"').next().unwrap().to_owned()
}

/// The `code` of a redirect.
pub fn code_of(location: &str) -> String {
    let (_, query) = location.split_once('?').unwrap();
    form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "code")
        .map(|(_, value)| value.into_owned())
        .unwrap_or_else(|| panic!("no code in {location}"))
}

/// Adds the credentials to the body, where every contender reads them.
fn with_secret(form: &mut form_urlencoded::Serializer<'_, String>) -> String {
    form.append_pair("client_id", CLIENT_ID).append_pair("client_secret", CLIENT_SECRET).finish()
}

pub fn redeem_body(code: &str) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "authorization_code")
        .append_pair("code", code)
        .append_pair("redirect_uri", REDIRECT_URI)
        .append_pair("code_verifier", VERIFIER);
    with_secret(&mut form)
}

pub fn refresh_body(refresh_token: &str) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "refresh_token").append_pair("refresh_token", refresh_token);
    with_secret(&mut form)
}

pub fn introspect_body(token: &str) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("token", token);
    with_secret(&mut form)
}
