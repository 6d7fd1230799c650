//! Every classic flow, in memory, on one thread: the floor, this crate and two peers.
//!
//! See `benches/README.md`. Criterion measures each contender on its own; the table at the end
//! measures them in turns, and decides whether the targets are met.

#![allow(missing_docs, unreachable_pub, missing_debug_implementations)] // benches have no API
#![allow(clippy::unwrap_used, clippy::panic)] // a failing bench should stop

mod support;

use std::time::Duration;

use criterion::Criterion;
use support::{Job, contenders, table};

fn main() {
    let mut contenders = contenders();
    if !std::env::args().any(|argument| argument == "--bench") {
        // Under `cargo test --benches`, only check that everything runs.
        table::compare(&mut contenders, 1);
        return;
    }
    let only_table = std::env::args().any(|argument| argument == "table");
    if !only_table {
        let mut criterion = Criterion::default()
            .warm_up_time(Duration::from_millis(300))
            .measurement_time(Duration::from_millis(1_500))
            .without_plots()
            .configure_from_args();
        for job in Job::ALL {
            let mut group = criterion.benchmark_group(job.name());
            for contender in contenders.iter_mut().filter(|contender| contender.has(job)) {
                group.bench_function(contender.name(), |bencher| {
                    bencher.iter_custom(|times| contender.run(job, times));
                });
            }
            group.finish();
        }
        criterion.final_summary();
    }
    if std::env::args().any(|argument| argument == "--profile-time") {
        return;
    }
    if table::compare(&mut contenders, table::turns()) {
        println!("every target that could be judged is met");
    } else {
        println!("! marks a missed target: at most 1.5 x the floor, faster than both peers");
    }
}
