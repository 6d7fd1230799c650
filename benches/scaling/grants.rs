//! 10^8 grants: how long the lock of one shard is held, measured on one large shard and scaled; and how even
//! the shares of hosts are that shard by grant id.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use grantor::store::{Filter, Page, Write};
use grantor::{
    AuthorizationServer, ClientId, ClientMetadata, Clock, Entropy, MemoryRegistry, MemoryStore, Request,
    SystemClock, SystemEntropy, TokenStore as _,
};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::support::grantor::{client, server_over};
use super::support::{CLIENT_CREDENTIALS, ISSUER, SCOPE, ready, timed};
use super::{SEED, SHARDS, Scale};

const GRANTS: f64 = 1e8;
/// The size of a grant, including its share of the map, as the bench `memory` prints it.
const BYTES: f64 = 194.0;
/// The most that `MemoryStore::new` takes.
const DEFAULT_LIMIT: f64 = 4e6;
/// Nothing should hold a lock for longer: the target of the bench `memory`.
const HELD_NS: f64 = 5e6;
/// The memory of one machine. Assumed.
const MACHINE: f64 = 64e9;
/// By how much the clock is ahead of every other grant: those live on when the others have expired.
const AHEAD: TimeDelta = TimeDelta::minutes(5);
/// A map grows when seven eighths of its buckets are full, to twice as many.
const FULL: f64 = 7.0 / 8.0;

/// How long a write takes in the store, in ns: at least as long as it holds the lock of its shard.
pub fn write_held(scale: Scale) -> f64 {
    let [from, to] = [(), ()].map(|()| Arc::new(MemoryStore::new()));
    for store in [&from, &to] {
        let server = server_over(Arc::clone(store));
        (0..scale.live).for_each(|_| issue(&server));
    }
    let all = Page::first(u32::try_from(scale.live).unwrap());
    let listing = ready(from.list(&Filter::default(), all)).unwrap();
    // Far from each other, or one write would warm the caches for the next.
    let some = listing.records.iter().step_by(97);
    let writes: Vec<Write> =
        some.map(|record| Write::insert(record.grant().clone(), record.grant().created())).collect();
    let (spent, _) = timed(&writes, |write| ready(to.commit(write)).unwrap());
    spent.as_nanos() as f64 / writes.len() as f64
}

fn issue(server: &AuthorizationServer) {
    assert_eq!(ready(server.token(&Request::post_form(CLIENT_CREDENTIALS))).status, 200);
}

/// What 10^8 grants come to.
pub fn report(scale: Scale) {
    let each = measure(scale);
    let in_shard = GRANTS / SHARDS as f64;
    let milliseconds = |grants: f64, each: f64| grants * each / 1e6;
    println!("\n{GRANTS:e} grants in one MemoryStore::with_limit, scaled");
    println!("{:44}{:>12.1} GB, at {BYTES} bytes each", "memory", GRANTS * BYTES / 1e9);
    println!("{:44}{in_shard:>12.0}", "grants in a shard");
    let grown = growths().take_while(|grants| *grants < in_shard).last().unwrap_or_default();
    let grown = milliseconds(grown, each.growth);
    println!("{:44}{grown:>12.1} ms", "the longest growth of the map of a shard");
    println!("{:44}{:>12.1} ms", "one step of a purge", milliseconds(in_shard, each.purge));
    println!("{:44}{:>12.1} s", "a listing by client or subject", GRANTS * each.list / 1e9);

    let grown = growths().find(|grants| grants * each.growth > HELD_NS).unwrap_or_default();
    let mut breaks = [
        (DEFAULT_LIMIT, "MemoryStore::new refuses more; with_limit sets another limit"),
        (HELD_NS / each.purge * SHARDS as f64, "a step of a purge holds the lock of a shard for 5 ms"),
        (grown * SHARDS as f64, "the growth of a map holds the lock of a shard for 5 ms"),
        (1e9 / each.list, "a listing by client or subject, as for a revoke-all, walks for a second"),
        (MACHINE / BYTES, "a machine with 64 GB is full"),
    ];
    breaks.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    println!("\nwhat breaks, in this order");
    for (grants, what) in breaks {
        println!("at {:>8.1} million grants: {what}", grants / 1e6);
    }
    balance(scale);
}

/// How many grants a map has when it grows.
fn growths() -> impl Iterator<Item = f64> {
    (4_i32..40).map(|power| f64::from(power).exp2() * FULL)
}

/// CPU ns for each grant of the shard, whose lock is held meanwhile.
struct Each {
    growth: f64,
    purge: f64,
    list: f64,
}

fn measure(scale: Scale) -> Each {
    let store = Arc::new(MemoryStore::with_limit(2 * SHARDS * scale.shard));
    let servers = [TimeDelta::zero(), AHEAD].map(|ahead| server(&store, ahead));
    // By the power of two below the number of grants: the map grows once between two of them.
    let mut longest = vec![Duration::ZERO; scale.shard.ilog2() as usize];
    for grants in 0..scale.shard {
        let server = &servers[grants % servers.len()];
        let (spent, ()) = timed([server], issue);
        let longest = &mut longest[grants.max(1).ilog2() as usize];
        *longest = spent.max(*longest);
    }
    println!("\nthe map of one shard grows: the longest token request, which holds its lock");
    let mut growth = 0.0_f64;
    for (power, spent) in longest.iter().enumerate().skip(longest.len() - 4) {
        let grants = (power as f64 + 1.0).exp2() * FULL;
        let each = spent.as_nanos() as f64 / grants;
        growth = growth.max(each);
        println!("{grants:>10.0} grants {:>10.2} ms {each:>8.1} ns for each", spent.as_secs_f64() * 1e3);
    }
    let all = scale.shard as f64;
    let nobody = Filter::client(ClientId::new("nobody"));
    let (listed, found) = timed([&nobody], |filter| ready(store.list(filter, Page::first(1))).unwrap());
    assert!(found.records.is_empty());
    // Between the ends of the two kinds of grants, so that half of them go and all are looked at.
    let before = Utc::now() + TimeDelta::minutes(10) + AHEAD / 2;
    let (purged, gone) = timed([before], |before| ready(store.purge(before, u32::MAX)).unwrap());
    assert_eq!(gone as usize, scale.shard / 2);
    let [purge, list] = [purged, listed].map(|spent| spent.as_nanos() as f64 / all);
    println!("{all:>10.0} grants looked at, half of them purged {purge:.1} ns for each; listed {list:.1} ns");
    Each { growth, purge, list }
}

/// A server whose grants all lie in one shard.
fn server(store: &Arc<MemoryStore>, ahead: TimeDelta) -> AuthorizationServer {
    AuthorizationServer::builder(ISSUER)
        .clients(MemoryRegistry::new([client(ClientMetadata::default()).build().unwrap()]))
        .store(Arc::clone(store))
        .clock(Ahead(ahead))
        .entropy(OneShard)
        .scopes(SCOPE.split(' '))
        .authorization_endpoint("/authorize")
        .build()
        .unwrap()
}

/// A clock that is fast.
struct Ahead(TimeDelta);

impl Clock for Ahead {
    fn now(&self) -> DateTime<Utc> {
        SystemClock::new().now() + self.0
    }
}

/// Random bytes, except for the first two, which choose the shard of a grant.
struct OneShard;

impl Entropy for OneShard {
    fn fill(&self, bytes: &mut [u8]) {
        SystemEntropy::new().fill(bytes);
        bytes.iter_mut().take(2).for_each(|byte| *byte = 0);
    }
}

/// Hosts that shard by grant id, each with a `MemoryStore`.
fn balance(scale: Scale) {
    let all = scale.ids as f64;
    let ids = drawn(scale.ids);
    let shards = fullest(&ids, SHARDS, shard_of);
    println!(
        "\n{all:e} random grant ids, seed {SEED}: of {SHARDS} shards the fullest has {shards:.3} x the mean"
    );
    println!("hosts by the first bytes of the id: the fullest to the mean, and what each uses of its shards");
    println!(
        "{:>6}{:>12}{:>12}{:>12}{:>14}{:>16}{:>16}",
        "hosts", "one byte", "two bytes", "binomial", "shards in use", "grants in each", "by later bytes"
    );
    for hosts in [2, 3, 8, 12, 16, 48, 64] {
        let by_two = |two: usize| (two * hosts) >> 16;
        let used: HashSet<usize> = (0..ids.len()).filter(|two| by_two(*two) == 0).map(shard_of).collect();
        let on_each = GRANTS / hosts as f64;
        println!(
            "{hosts:>6}{:>12.4}{:>12.4}{:>12.4}{:>14}{:>16.0}{:>16.0}",
            fullest(&ids, hosts, |two| ((two >> 8) * hosts) >> 8),
            fullest(&ids, hosts, by_two),
            binomial(all, hosts as f64),
            used.len(),
            on_each / used.len() as f64,
            on_each / SHARDS as f64
        );
    }
}

/// How many ids begin with each pair of bytes.
fn drawn(ids: usize) -> Vec<u32> {
    let mut random = StdRng::seed_from_u64(SEED);
    let mut counts = vec![0; 1 << 16];
    for _ in 0..ids / 4 {
        for two in random.next_u64().to_le_bytes().chunks_exact(2) {
            counts[usize::from(u16::from_be_bytes([two[0], two[1]]))] += 1;
        }
    }
    counts
}

/// The shard of an id that begins so, as in `src/store/memory.rs`.
fn shard_of(two: usize) -> usize {
    (two * SHARDS) >> 16
}

/// The size of the fullest part, relative to the mean.
fn fullest(ids: &[u32], parts: usize, part_of: impl Fn(usize) -> usize) -> f64 {
    let mut held = vec![0_u64; parts];
    for (two, count) in ids.iter().enumerate() {
        held[part_of(two)] += u64::from(*count);
    }
    let all: u64 = held.iter().sum();
    held.into_iter().max().unwrap_or_default() as f64 * parts as f64 / all as f64
}

/// The expected size of the fullest of equal parts as a multiple of the mean: the maximum of this many nearly
/// normal variables.
fn binomial(ids: f64, parts: f64) -> f64 {
    1.0 + (2.0 * parts.ln() * (parts - 1.0) / ids).sqrt()
}
