//! Heap per live client-credentials grant, and how long a purge holds a lock.
//!
//! See `benches/README.md`.

#![allow(missing_docs, unreachable_pub, missing_debug_implementations)] // benches have no API
#![allow(clippy::unwrap_used, clippy::panic)] // a failing bench should stop
#![allow(unsafe_code)] // a counting global allocator needs it

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use cpu_time::ThreadTime;
use grantor::jose::Algorithm;
use grantor::store::ReplayKey;
use grantor::tenants::{Destination, TenantMap, Tenants as _};
use grantor::{
    AuthorizationServer, BackendError, Client, Clock, GrantType, MemoryRegistry, MemoryStore, ReplayGuard,
    Request, TokenStore as _, async_trait,
};

use support::grantor::OpenId;
use support::secured::Prover;
use support::{Contender, Job, ready};
use support::{floor, grantor as ours, oauth_as, oxide_auth};

const TARGET_BYTES: usize = 200;
const TARGET_PURGE: Duration = Duration::from_millis(5);
const TARGET_OPENID: usize = 112;
const TARGET_PUSHED: usize = 1024;
const TARGET_BOUND: usize = 40;
const TARGET_JTI: usize = 64;
const TARGET_TENANT: usize = 2 * 1024;
const STEP: usize = 1_000;

fn main() {
    let full = std::env::args().any(|argument| argument == "--bench");
    let grants = if full { 1_000_000 } else { 1_000 };
    allocations();
    println!("\nheap bytes per live client-credentials grant, {grants} grants");
    heap_per_grant(grants, floor::Contestant::new);
    heap_per_grant(grants, oauth_as::Contestant::new);
    heap_per_grant(grants, oxide_auth::Contestant::new);
    let each = heap_per_grant(grants, ours::Contestant::new);
    println!("target for grantor: at most {TARGET_BYTES}{}", verdict(each <= TARGET_BYTES));
    openid(if full { 20_000 } else { 100 });
    secured(if full { 20_000 } else { 100 });
    identifiers(grants);
    purge(grants);
    tenants(if full { 10_000 } else { 100 });
}

/// What OpenID Connect adds to an authorization code grant.
fn openid(count: usize) {
    let [plain, asked] = [OpenId::Plain, OpenId::Asked].map(|openid| {
        let server = ours::openid_server(Algorithm::Es256);
        let before = Counting::live();
        for _ in 0..count {
            let code = ours::code_of_request(&server, openid.query());
            let answer = ready(server.token(&Request::post_form(support::redeem_body(&code))));
            assert_eq!(answer.status, 200);
        }
        (Counting::live() - before) / count
    });
    println!("\nheap bytes per grant by a code, {count} grants: {plain}, and with openid {asked}");
    println!("target: at most {TARGET_OPENID} more{}", verdict(asked <= plain + TARGET_OPENID));
}

/// The size of a pushed request, and what the key of a bound token adds to its grant.
fn secured(count: usize) {
    let prover = Prover::new(Algorithm::Es256);
    let each = |answered: &dyn Fn(&AuthorizationServer)| {
        let server = support::secured::server(&prover, Forgetful);
        let before = Counting::live();
        (0..count).for_each(|_| answered(&server));
        (Counting::live() - before) / count
    };
    let pushed = each(&|server| {
        let answer = ready(server.pushed_authorization_request(&support::secured::push()));
        assert_eq!(answer.status, 201);
    });
    println!(
        "\nheap bytes per pushed request, {count} of them: {pushed}{}",
        verdict(pushed <= TARGET_PUSHED)
    );
    let token = |server: &AuthorizationServer, request| assert_eq!(ready(server.token(&request)).status, 200);
    let plain = each(&|server| token(server, Request::post_form(support::CLIENT_CREDENTIALS)));
    let bound = each(&|server| token(server, prover.bound()));
    println!("heap bytes per client-credentials grant, {count} grants: {plain}, and bound to a key {bound}");
    println!("target: at most {TARGET_BOUND} more{}", verdict(bound <= plain + TARGET_BOUND));
}

/// The size of single-use identifiers, and how long one call takes while expired ones are removed.
fn identifiers(count: usize) {
    let (store, now) = (MemoryStore::new(), Utc::now());
    let before = Counting::live();
    let key = |n: usize| ReplayKey::new("bench", &n.to_string());
    let used = |n, now: DateTime<Utc>| {
        assert!(ready(store.first_use(&key(n), now + TimeDelta::minutes(5), now)).unwrap());
    };
    (0..count).for_each(|n| used(n, now));
    let each = (Counting::live() - before) / count;
    println!(
        "\nheap bytes per remembered identifier, {count} of them: {each}{}",
        verdict(each <= TARGET_JTI)
    );
    let later = now + TimeDelta::minutes(6);
    let longest = (0..count).map(|n| timed(|| used(count + n, later)).0).max().unwrap_or_default();
    println!(
        "the longest call while they are forgotten {longest:>12.1?}{}",
        verdict(longest <= TARGET_PURGE)
    );
}

/// Remembers nothing, so that only grants are counted.
struct Forgetful;

#[async_trait]
impl ReplayGuard for Forgetful {
    async fn first_use(
        &self,
        _: &ReplayKey,
        _: DateTime<Utc>,
        _: DateTime<Utc>,
    ) -> Result<bool, BackendError> {
        Ok(true)
    }
}

/// Idle tenants: each has its own client, store and rules; all share one clock and one set of scopes.
fn tenants(count: usize) {
    let tenants = TenantMap::by_path();
    let before = Counting::live();
    for n in 0..count {
        let robot = Client::builder("robot").secret("sesame").grant_types([GrantType::ClientCredentials]);
        let server = AuthorizationServer::builder(format!("https://as.example/tenant-{n}"))
            .clients(MemoryRegistry::new([robot.build().unwrap()]))
            .store(MemoryStore::small())
            .scopes(["read", "write"])
            .authorization_endpoint("/authorize");
        tenants.insert(server.build().unwrap()).unwrap();
    }
    let each = (Counting::live() - before) / count;
    println!("\nheap bytes per tenant at rest, {count} tenants: {each}{}", verdict(each <= TARGET_TENANT));

    let path = format!("/tenant-{}/token", count / 2);
    let to = Destination::new("as.example", &path);
    let (spent, found) = timed(|| (0..STEP).filter(|_| ready(tenants.find(&to)).unwrap().is_some()).count());
    println!("to find one of them takes {:?}", spent / u32::try_from(found).unwrap());
}

/// How many blocks one operation allocates. Chunks are small enough for a cost that grows with the number of
/// grants to show as a fraction.
fn allocations() {
    const OPERATIONS: usize = 512;
    let mut contenders: [Box<dyn Contender>; 4] = [
        Box::new(floor::Contestant::new()),
        Box::new(ours::Contestant::new()),
        Box::new(oauth_as::Contestant::new()),
        Box::new(oxide_auth::Contestant::new()),
    ];
    contenders.iter_mut().for_each(|contender| contender.reset());
    print!("\nallocations per operation\n{:20}", "");
    contenders.iter().for_each(|contender| print!("{:>12}", contender.name()));
    for job in Job::ALL {
        print!("\n{:20}", job.name());
        for contender in &mut contenders {
            if contender.has(job) {
                contender.chunk(job, OPERATIONS);
                contender.chunk(job, OPERATIONS);
                let blocks = support::LAP_ALLOCATIONS.load(Ordering::Relaxed);
                print!("{:>12.1}", blocks as f64 / OPERATIONS as f64);
            } else {
                print!("{:>12}", "-");
            }
        }
    }
    println!();
}

/// How long a purge of 1,000,000 expired grants keeps others waiting. A purge locks one shard after another,
/// so the duration of a call is an upper bound on how long it holds a lock.
fn purge(grants: usize) {
    println!("\npurging {grants} expired grants, longest single call");
    let store = filled(grants);
    let mut gone = 0;
    let mut longest = Duration::ZERO;
    while gone < grants {
        let call = || ready(store.purge(long_after(), 1_000)).unwrap();
        let (spent, purged) = timed(call);
        longest = longest.max(spent);
        gone += purged as usize;
    }
    println!("purge(.., 1000)             {longest:>12.1?}{}", verdict(longest <= TARGET_PURGE));

    // The store also purges by itself when a shard has doubled.
    let store = filled(grants);
    let mut contender = ours::Contestant::with(Arc::clone(&store), Later);
    let mut longest = Duration::ZERO;
    while store.len() >= grants / 2 {
        longest = longest.max(contender.chunk(Job::ClientCredentials, 1));
    }
    println!("a token request that purges {longest:>12.1?}{}", verdict(longest <= TARGET_PURGE));

    let store = filled(grants);
    let (spent, gone) = timed(|| ready(store.purge(long_after(), u32::MAX)).unwrap());
    println!("purge(.., all) of {gone} in {spent:.1?}, a lock for each of its shards");
}

/// The CPU time of a call, which other load on the machine does not distort.
fn timed<T>(call: impl FnOnce() -> T) -> (Duration, T) {
    let start = ThreadTime::now();
    let result = call();
    (start.elapsed(), result)
}

fn filled(grants: usize) -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::new());
    let mut contender = ours::Contestant::over(Arc::clone(&store));
    for _ in 0..grants / STEP {
        contender.chunk(Job::ClientCredentials, STEP);
    }
    assert_eq!(store.len(), grants);
    store
}

fn long_after() -> DateTime<Utc> {
    Utc::now() + TimeDelta::days(3_650)
}

/// A clock so far ahead that everything has expired.
struct Later;

impl Clock for Later {
    fn now(&self) -> DateTime<Utc> {
        long_after()
    }
}

/// What a contender with `grants` grants has allocated and not freed, divided by `grants`: this includes the
/// spare capacity of its maps, but not the allocator's own overhead.
fn heap_per_grant<C: Contender>(grants: usize, new: impl FnOnce() -> C) -> usize {
    let before = Counting::live();
    let mut contender = new();
    for _ in 0..grants / STEP {
        contender.chunk(Job::ClientCredentials, STEP);
    }
    let each = (Counting::live() - before) / grants;
    println!("{:12}{each:>8}", contender.name());
    each
}

fn verdict(met: bool) -> &'static str {
    if met { "   met" } else { "   MISSED" }
}

/// The system's allocator, which also counts the bytes currently allocated.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

impl Counting {
    fn live() -> usize {
        LIVE.load(Ordering::Relaxed)
    }
}

// SAFETY: every call goes to `System` unchanged; counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Ordering::Relaxed);
        support::ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are `System`'s.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are `System`'s.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LIVE.fetch_add(size, Ordering::Relaxed);
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are `System`'s.
        unsafe { System.realloc(block, layout, size) }
    }
}
