//! Every flow on every store of the crate, compared with the bare statements that it needs, on private
//! database servers. See `benches/README.md`.

#![allow(missing_docs, unreachable_pub, missing_debug_implementations)] // benches have no API
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing bench should stop

mod bare;
mod callers;
mod flows;
mod many;
mod places;
#[allow(dead_code)] // the tests use all of it
#[path = "../../tests/servers/mod.rs"]
mod servers;
#[path = "../support/mod.rs"]
mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bare::Bare;
use flows::{Flow, Server};
use places::Place;

/// Rows that exist before anything is measured, and operations per flow.
struct Scale {
    rows: Vec<usize>,
    times: usize,
    /// The number of grants of one subject that are ended together, and of expired ones that are purged under
    /// load.
    many: (usize, usize),
}

#[tokio::main]
async fn main() {
    let mut scale = match std::env::args().any(|argument| argument == "--bench") {
        true => Scale { rows: vec![0, 100_000, 1_000_000], times: 1_000, many: (20_000, 1_000_000) },
        // Under `cargo test --benches`, only check that everything runs.
        false => Scale { rows: vec![0, 100], times: 10, many: (300, 600) },
    };
    if let Ok(rows) = std::env::var("ROWS") {
        scale.rows = rows.split(',').map(|count| count.parse().unwrap()).collect();
        scale.many.1 = *scale.rows.iter().max().unwrap();
    }
    if let Ok(expired) = std::env::var("EXPIRED") {
        scale.many.1 = expired.parse().unwrap();
    }
    let wanted = std::env::var("STORES").unwrap_or_else(|_| places::NAMES.join(","));
    for name in wanted.split(',') {
        let place = Place::start(name);
        let server = Arc::new(Server::on(place.open().await));
        let bare = Bare::connect(&place, &server).await;
        flows_of(&place, &server, &bare, &scale).await;
        if let Place::Postgres(postgres) = &place {
            callers::report(postgres, &server).await;
        }
        many::report(&server, &bare, scale.many).await;
    }
}

/// The table of one store.
async fn flows_of(place: &Place, server: &Server, bare: &Bare, scale: &Scale) {
    println!("\n{}: milliseconds, median (99 of 100)", place.name());
    println!("{:>10}  {:20}{:>20}{:>20}{:>8}{:>10}", "rows", "flow", "grantor", "bare", "ratio", "to empty");
    let mut empty: Vec<f64> = Vec::new();
    let mut rows = 0;
    for goal in &scale.rows {
        many::seed(&*server.store, bare, goal - rows).await;
        rows = *goal;
        // In SQL the table has the indexes, and this row would equal the previous one.
        let flows = Flow::ALL.into_iter().filter(|flow| *flow != Flow::Indexed || place.is_redis());
        for (number, flow) in flows.enumerate() {
            let (ours, floor) = measured(server, bare, flow, scale.times).await;
            if *goal == 0 {
                empty.push(ours.median);
            }
            println!(
                "{rows:>10}  {:20}{:>20}{:>20}{:>8.2}{:>10.2}",
                flow.name(),
                ours.text(),
                floor.text(),
                ours.median / floor.median,
                ours.median / empty[number],
            );
        }
    }
}

/// The two take turns, so that noise on the machine affects both.
async fn measured(server: &Server, bare: &Bare, flow: Flow, times: usize) -> (Figures, Figures) {
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for turn in 0..times + times / 10 {
        let held = flow.prepare(server).await;
        let begun = Instant::now();
        flow.run(server, &held).await;
        let spent = begun.elapsed();
        let least = bare.run(flow).await;
        // The first turns warm the caches.
        if turn >= times / 10 {
            ours.push(spent);
            floor.push(least);
        }
    }
    (Figures::of(ours), Figures::of(floor))
}

/// In milliseconds.
struct Figures {
    median: f64,
    late: f64,
}

impl Figures {
    fn of(mut samples: Vec<Duration>) -> Self {
        samples.sort_unstable();
        let at = |percent: usize| samples[(samples.len() - 1) * percent / 100].as_secs_f64() * 1e3;
        Self { median: at(50), late: at(99) }
    }

    fn text(&self) -> String {
        format!("{:.3} ({:.3})", self.median, self.late)
    }
}
