//! What more cores and more grants come to, in memory: measured by two threads, simulated for up to 64 cores,
//! and scaled to 10^8 grants.
//!
//! See `benches/README.md`.

#![allow(missing_docs, unreachable_pub, missing_debug_implementations)] // benches have no API
#![allow(clippy::unwrap_used, clippy::panic)] // one that fails should stop

mod cores;
mod grants;
#[path = "../support/mod.rs"]
mod support;
mod threads;

use cores::Costs;

/// How many shards a `MemoryStore` has, as in `src/store/memory.rs`.
const SHARDS: usize = 1024;
/// The seed of every simulation.
const SEED: u64 = 15;

#[derive(Clone, Copy)]
struct Scale {
    turns: usize,
    /// Operations of one thread in a turn.
    operations: usize,
    /// Tokens that are live before anything is measured.
    live: usize,
    /// Requests of one simulation.
    requests: usize,
    /// Grants of a single shard, a power of two.
    shard: usize,
    /// Ids that are drawn.
    ids: usize,
}

fn main() {
    let scale = match std::env::args().any(|argument| argument == "--bench") {
        true => Scale {
            turns: 41,
            operations: 16_384,
            live: 100_000,
            requests: 40_000,
            shard: 1 << 20,
            ids: 100_000_000,
        },
        // `cargo test --benches`: only that all of it works
        false => Scale { turns: 1, operations: 64, live: 200, requests: 1_000, shard: 1 << 12, ids: 100_000 },
    };
    let measured = threads::report(scale);
    let costs = Costs { near: threads::line_moved(scale), held: grants::write_held(scale) };
    cores::report(&measured, costs, scale);
    grants::report(scale);
}
