//! The contenders side by side, measured in turns, so that noise on the machine affects all of them.

use std::time::Duration;

use super::{CHUNK, Job, Runner};

/// Turns of every contender for every job.
const TURNS: usize = 101;
/// The targets: multiples of the floor and of the faster peer.
const TARGET_FLOOR: f64 = 1.5;

/// Nanoseconds per operation, over the turns of one contender for one job.
pub struct Figures {
    pub median: f64,
    pub least: f64,
}

/// Measures all jobs and prints the table. Returns `false` if a target was missed.
pub fn compare(contenders: &mut [Runner], turns: usize) -> bool {
    println!("\nCPU ns per operation: median of {turns} interleaved turns (least)");
    print!("{:20}", "");
    for contender in &*contenders {
        print!("{:>19}", contender.name());
    }
    println!("{:>13}{:>14}", "ours/floor", "ours/best peer");
    let mut all_met = true;
    for job in Job::ALL {
        let figures = measure(contenders, job, turns);
        print!("{:20}", job.name());
        figures.iter().for_each(|figures| print(figures.as_ref()));
        all_met &= verdict(&figures);
    }
    all_met
}

pub fn turns() -> usize {
    TURNS
}

fn measure(contenders: &mut [Runner], job: Job, turns: usize) -> Vec<Option<Figures>> {
    in_turns(contenders.len(), turns, |at| {
        let contender = contenders.get_mut(at).filter(|contender| contender.has(job))?;
        Some(contender.run(job, CHUNK as u64).as_nanos() as f64 / CHUNK as f64)
    })
}

/// Measures this many contenders in turns.
pub fn in_turns(
    contenders: usize,
    turns: usize,
    mut take: impl FnMut(usize) -> Option<f64>,
) -> Vec<Option<Figures>> {
    let mut samples = vec![Vec::with_capacity(turns); contenders];
    for turn in 0..=turns {
        for (at, samples) in samples.iter_mut().enumerate() {
            let taken = take(at);
            // the first turn warms the caches
            samples.extend(taken.filter(|_| turn > 0));
        }
    }
    samples.into_iter().map(figures).collect()
}

pub fn print(figures: Option<&Figures>) {
    match figures {
        Some(figures) => print!("{:>11.0} ({:>5.0})", figures.median, figures.least),
        None => print!("{:>19}", "-"),
    }
}

pub fn figures(mut samples: Vec<f64>) -> Option<Figures> {
    samples.sort_by(f64::total_cmp);
    Some(Figures { median: *samples.get(samples.len() / 2)?, least: *samples.first()? })
}

/// Prints the ratios of the least times, which other load on the machine distorts the least.
fn verdict(figures: &[Option<Figures>]) -> bool {
    let [floor, ours, peers @ ..] = figures else { unreachable!("the floor, grantor, the peers") };
    let (Some(floor), Some(ours)) = (floor, ours) else {
        println!("{:>13}{:>14}", "-", "-");
        return true;
    };
    let peer = peers.iter().flatten().map(|peer| peer.least).fold(f64::INFINITY, f64::min);
    let (to_floor, to_peer) = (ours.least / floor.least, ours.least / peer);
    let mark = |met| if met { ' ' } else { '!' };
    let (below, faster) = (to_floor <= TARGET_FLOOR, to_peer < 1.0);
    println!("{to_floor:>12.2}{}{to_peer:>13.2}{}", mark(below), mark(faster));
    below && faster
}

/// Runs this number of operations and returns the time that they took.
pub type Work = Box<dyn FnMut(usize) -> Duration>;

/// Operations per clock reading where signatures are made or verified.
pub const FEW: usize = 64;

fn print_pair_heading(turns: usize) {
    println!("\nCPU ns per operation: median of {turns} interleaved turns (least)");
    println!("{:25}{:>19}{:>19}{:>13}", "", "floor", "grantor", "ours/floor");
}

/// A row of the floor and this crate: its name, its target, and how to make both.
pub type Pair = (String, f64, Box<dyn FnOnce() -> [Work; 2]>);

/// Measures and prints the rows whose name contains the argument, if there is one.
pub fn measure_pairs(rows: Vec<Pair>) {
    let full = std::env::args().any(|argument| argument == "--bench");
    let named = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let turns = if full { turns() } else { 1 };
    print_pair_heading(turns);
    let mut all_met = true;
    for (name, target, works) in rows.into_iter().filter(|(name, ..)| name.contains(&named)) {
        all_met &= measure_pair(&name, target, works(), turns);
    }
    println!("{}", if all_met { "every target is met" } else { "! marks a missed target" });
}

/// Prints one row with the floor and this crate. Returns whether the target is met.
fn measure_pair(name: &str, target: f64, mut works: [Work; 2], turns: usize) -> bool {
    print!("{name:25}");
    let figures = in_turns(works.len(), turns, |at| {
        let spent = works[at](FEW);
        Some(spent.as_nanos() as f64 / FEW as f64)
    });
    figures.iter().for_each(|figures| print(figures.as_ref()));
    let [Some(floor), Some(own)] = &figures[..] else { unreachable!("both always take part") };
    let ratio = own.least / floor.least;
    println!("{ratio:>12.2}{}", if ratio <= target { ' ' } else { '!' });
    ratio <= target
}
