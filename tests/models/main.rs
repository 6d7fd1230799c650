//! Models, and a checker that visits every state that they can reach by any order of steps.
//!
//! `GRANTOR_LONG=1` widens their bounds. The number of states is printed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

mod batcher;
mod grant;
mod replay;
mod sql;

use std::fmt::Debug;
use std::hash::Hash;

use stateright::{Checker, CheckerBuilder, Model};

/// Whether the bounds are to be wide.
fn is_long() -> bool {
    std::env::var_os("GRANTOR_LONG").is_some()
}

/// Visits every state; every property must hold.
fn check<M>(name: &str, model: M)
where
    M: Model<
            State: Clone + Debug + PartialEq + Hash + Send + Sync + 'static,
            Action: Clone + Debug + PartialEq,
        >,
    M: Send + Sync + 'static,
{
    let checked = search(model).spawn_dfs().join();
    let (states, steps, depth) = (checked.unique_state_count(), checked.state_count(), checked.max_depth());
    println!("{name}: {states} states, {steps} steps, the longest path has {depth}");
    checked.assert_properties();
    assert!(checked.is_done(), "{name}: states were left out");
}

/// For a broken model: these safety properties, and no others, must be violated.
fn check_broken<M>(name: &str, model: M, expected: &[&'static str])
where
    M: Model<
            State: Clone + Debug + PartialEq + Hash + Send + Sync + 'static,
            Action: Clone + Debug + PartialEq,
        >,
    M: Send + Sync + 'static,
{
    let properties = model.properties();
    let checked = search(model).spawn_dfs().join();
    let found = checked.discoveries();
    println!("{name}: {} states", checked.unique_state_count());
    for property in properties.iter().filter(|property| property.expectation.discovery_is_failure()) {
        let is_broken = found.contains_key(property.name);
        assert_eq!(is_broken, expected.contains(&property.name), "{name}: {}", property.name);
    }
}

fn search<M>(model: M) -> CheckerBuilder<M>
where
    M: Model<State: Hash + Send + Sync> + Send + Sync + 'static,
{
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    model.checker().threads(threads)
}
