//! Keys rotate while several nodes issue and several guards check: no request fails.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use grantor::jose::{Algorithm, JwkSet, Jws};
use grantor::keys::{JwtSigner, KeySchedule, Keys, MemoryKeyStore};
use grantor::outbound::{Outbound, OutboundError, OutboundRequest, OutboundResponse};
use grantor::resource::{FetchedKeys, Guard, KeySource, Requirement, TrustedKeys};
use grantor::{
    AccessTokens, AuthorizationServer, BackendError, Clock, MemoryRegistry, MemoryStore, Resource,
    async_trait,
};
use tokio::task::{JoinSet, yield_now};

use crate::support::guarded::{API, call};
use crate::support::{Answer, ISSUER, TestClock, clients, request};

const NODES: usize = 3;
const TASKS: usize = 8;
/// How far the clock advances after each task's share of requests, in seconds.
const STEP: i64 = 60;
/// How far it may advance while one request is on its way, in seconds.
const ON_ITS_WAY: i64 = 300;
/// How far it advances in all, in seconds.
const WALK: i64 = 6 * HOUR;
const HOUR: i64 = 60 * 60;

fn seconds(n: i64) -> Duration {
    Duration::from_secs(n.unsigned_abs())
}

/// How long a token lives by default, in seconds.
const TOKEN: i64 = 600;

/// Announced for half an hour, six times as long as a key set may be cached; published for longer than a
/// token lives.
fn schedule() -> KeySchedule {
    KeySchedule::new(seconds(HOUR / 2), seconds(HOUR), seconds(HOUR / 4)).unwrap()
}

/// A node with a cache of its own, over the stores of all.
async fn node(keys: Arc<MemoryKeyStore>, grants: Arc<MemoryStore>, clock: TestClock) -> AuthorizationServer {
    let keys = Keys::rotating(keys, schedule(), &[Algorithm::EdDsa]).unwrap();
    keys.current(clock.now()).await.unwrap();
    AuthorizationServer::builder(ISSUER)
        .clients(MemoryRegistry::new(clients()))
        .store(grants)
        .scopes(["read"])
        .token_signer(JwtSigner::new(keys).unwrap())
        .access_tokens(AccessTokens::Jwt)
        .resource(Resource::new(API))
        .clock(clock)
        .build()
        .unwrap()
}

/// Asks one node after another for the key set, and passes on how long it is good.
struct AnyNode {
    nodes: Vec<AuthorizationServer>,
    asked: AtomicUsize,
}

#[async_trait]
impl Outbound for AnyNode {
    async fn send(&self, _: &OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        let turn = self.asked.fetch_add(1, Ordering::SeqCst);
        let response = self.nodes[turn % NODES].jwks().await;
        let cache_control = response.header("cache-control").unwrap().to_owned();
        Ok(OutboundResponse::new(response.status, response.body).header("cache-control", &cache_control))
    }
}

/// No token may name a key that these do not have.
struct NeverUnknown(FetchedKeys);

#[async_trait]
impl KeySource for NeverUnknown {
    async fn keys(&self, unknown_kid: bool, now: DateTime<Utc>) -> Result<TrustedKeys, BackendError> {
        assert!(!unknown_kid, "a guard met a key that its cached set does not have");
        self.0.keys(false, now).await
    }
}

fn guard(nodes: &[AuthorizationServer], clock: &TestClock) -> Guard {
    let any_node = AnyNode { nodes: nodes.to_vec(), asked: AtomicUsize::new(0) };
    let keys = NeverUnknown(FetchedKeys::new("https://as.example/jwks", any_node));
    Guard::builder(API).jwks(ISSUER, keys).clock(clock.clone()).build().unwrap()
}

/// The clock, and since when each task has been at its request.
struct Walk {
    clock: TestClock,
    begun: [AtomicI64; TASKS],
    /// One task at a time moves the clock.
    moving: Mutex<()>,
}

impl Walk {
    fn now(&self) -> i64 {
        self.clock.now().timestamp() - TestClock::START
    }

    fn begin(&self, task: usize) -> i64 {
        let now = self.now();
        self.begun[task].store(now, Ordering::SeqCst);
        now
    }

    /// Advances, unless a request has been on its way for so long that its token might expire meanwhile.
    fn step(&self) {
        let _turn = self.moving.lock().unwrap();
        let earliest = self.begun.iter().map(|begun| begun.load(Ordering::SeqCst)).min().unwrap();
        if self.now() + STEP - earliest < ON_ITS_WAY {
            self.clock.advance(seconds(STEP));
        }
    }
}

/// What was seen.
#[derive(Default)]
struct Seen {
    kids: Mutex<BTreeSet<String>>,
    /// Tokens that passed after the node that signed them had gone on to the next key.
    late: AtomicUsize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keys_that_rotate_under_load_fail_no_request() {
    let clock = TestClock::default();
    let (keys, grants) = (Arc::new(MemoryKeyStore::new()), Arc::new(MemoryStore::new()));
    let mut nodes = Vec::new();
    for _ in 0..NODES {
        nodes.push(node(Arc::clone(&keys), Arc::clone(&grants), clock.clone()).await);
    }
    let first_set = published(&nodes[0]).await;
    let walk = Arc::new(Walk { clock: clock.clone(), begun: Default::default(), moving: Mutex::default() });
    let seen = Arc::new(Seen::default());
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let guard = guard(&nodes, &clock);
        tasks.spawn(work(task, nodes.clone(), guard, Arc::clone(&walk), Arc::clone(&seen)));
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let kids = seen.kids.lock().unwrap().len();
    assert!(kids >= 6, "six hours saw {kids} keys sign");
    assert!(seen.late.load(Ordering::SeqCst) > 0, "no token was ever checked after its key had stopped");
    let last_set = published(&nodes[0]).await;
    assert!(first_set.iter().all(|kid| !last_set.contains(kid)), "retired keys are gone");
    assert!(last_set.len() <= 3, "{last_set:?}");
}

/// Issues at any node, checks at the guard, and checks again what is older.
async fn work(task: usize, nodes: Vec<AuthorizationServer>, guard: Guard, walk: Arc<Walk>, seen: Arc<Seen>) {
    let mut kept: VecDeque<(i64, String)> = VecDeque::new();
    let mut turn = task;
    let mut newest = String::new();
    loop {
        let begun = walk.begin(task);
        if begun >= WALK {
            break;
        }
        turn += 1;
        let ask = request("robot", &[("grant_type", "client_credentials"), ("resource", API)]);
        let answer = Answer(nodes[turn % NODES].token(&ask).await);
        assert_eq!(answer.status(), 200, "{:?}", answer.json());
        let token = answer.access_token();
        let kid = Jws::parse(&token).unwrap().kid().unwrap().to_owned();
        seen.kids.lock().unwrap().insert(kid.clone());
        newest = if kid == newest { newest } else { kid };
        check(&guard, &token).await;
        kept.push_back((begun, token));

        let now = walk.begin(task);
        kept.retain(|(begun, _)| now - begun + ON_ITS_WAY < TOKEN);
        for (_, old) in kept.iter().step_by(4) {
            let its_own = Jws::parse(old).unwrap().kid() == Some(&newest);
            seen.late.fetch_add(usize::from(!its_own), Ordering::SeqCst);
            check(&guard, old).await;
        }
        if turn % TASKS == task {
            walk.step();
        }
        yield_now().await;
    }
    // No one waits for a task that is done.
    walk.begun[task].store(i64::MAX, Ordering::SeqCst);
}

async fn check(guard: &Guard, token: &str) {
    if let Err(refused) = guard.check(&call(token), &Requirement::scopes(["read"])).await {
        panic!("refused with {}: {:?}", refused.status, refused.header("www-authenticate"));
    }
}

/// The names of the published keys.
async fn published(node: &AuthorizationServer) -> Vec<String> {
    let set = JwkSet::parse(std::str::from_utf8(&node.jwks().await.body).unwrap()).unwrap();
    set.keys().iter().map(|key| key.kid().unwrap().to_owned()).collect()
}
