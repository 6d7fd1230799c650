//! Requests a second of every store and of other servers, over HTTP in one run, as a table in Markdown.
//!
//! See `benches/README.md`; `bash benches/figures.sh` installs what it needs.

#![allow(missing_docs, unreachable_pub, missing_debug_implementations)] // benches have no API
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing bench should stop

mod contenders;
mod load;
mod serve;
#[allow(dead_code)] // the tests use all of it
#[path = "../../tests/servers/mod.rs"]
mod servers;
#[path = "../support/mod.rs"]
mod support;
mod usage;

use std::time::Duration;

use contenders::{CONNECTIONS, Contender, NAMES, Round, cores, leave_core_of_servers};
use support::Job;
use support::closed_loop::{median, percentile};

const JOBS: [Job; 4] = [Job::ClientCredentials, Job::Introspect, Job::Refresh, Job::Redeem];
const ROUNDS: usize = 5;
const WINDOW: Duration = Duration::from_millis(800);
/// From this share of the time on, something is busy.
const BUSY: f64 = 0.8;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    if let [serve, name, port, url] = &words[..]
        && serve == "serve"
    {
        return serve::serve(name, port.parse().unwrap(), url);
    }
    let (quick, named): (Vec<_>, Vec<_>) = words.into_iter().partition(|word| word == "quick");
    compare(!quick.is_empty(), &named);
}

#[tokio::main(flavor = "current_thread")]
async fn compare(quick: bool, named: &[String]) {
    let (rounds, window) = if quick { (1, Duration::from_millis(20)) } else { (ROUNDS, WINDOW) };
    let before = load_average();
    let mut contenders = Vec::new();
    for name in NAMES.into_iter().filter(|name| named.is_empty() || named.iter().any(|own| own == name)) {
        contenders.push(Contender::start(name, quick).await);
    }
    leave_core_of_servers();
    let mut rows: Vec<[Vec<Round>; JOBS.len()]> = contenders.iter().map(|_| Default::default()).collect();
    // The first round warms the caches.
    for round in 0..=rounds {
        for (at, job) in JOBS.into_iter().enumerate() {
            for (contender, rows) in contenders.iter_mut().zip(&mut rows) {
                if contender.has(job) {
                    let measured = contender.round(job, window).await;
                    rows[at].extend((round > 0).then_some(measured));
                }
            }
        }
    }
    println!(
        "{}, {} cores; load of the machine before {before}; {CONNECTIONS} connections, median of \
         {rounds} rounds of {window:?} in turns.\n",
        processor(),
        cores(),
    );
    println!(
        "| server, store | operation | a second | a second and core | p50, p99 in ms \
         | CPU in µs: server, database | bytes: answer, kept | bottleneck |\n\
         | --- | --- | ---: | ---: | ---: | ---: | ---: | --- |"
    );
    for (contender, rows) in contenders.iter().zip(&rows) {
        for (job, rounds) in JOBS.into_iter().zip(rows).filter(|(_, rounds)| !rounds.is_empty()) {
            println!("{}", row(contender, job, rounds));
        }
    }
}

fn row(contender: &Contender, job: Job, rounds: &[Round]) -> String {
    let of = |figure: &dyn Fn(&Round) -> f64| median(&mut rounds.iter().map(figure).collect::<Vec<_>>());
    let cpu = of(&|round| round.server.ran.as_secs_f64() / round.requests as f64);
    let database = of(&|round| round.database.ran.as_secs_f64() / round.requests as f64);
    let late =
        |percent| of(&|round| percentile(&mut round.took.iter().map(millis).collect::<Vec<_>>(), percent));
    let database = if database > 0.0 { format!(", {:.0}", database * 1e6) } else { String::new() };
    let kept = contender.bytes_kept.filter(|_| job == Job::ClientCredentials);
    format!(
        "| {} | {} | {} | {} | {:.2}, {:.2} | {:.0}{database} | {}{} | {} |",
        contender.title(),
        job.name(),
        thousands(of(&|round| round.requests as f64 / round.wall.as_secs_f64())),
        thousands(1.0 / cpu),
        late(50),
        late(99),
        cpu * 1e6,
        rounds[0].answer,
        kept.map(|bytes| format!(", {bytes}")).unwrap_or_default(),
        bottleneck(contender, job, of),
    )
}

/// What is busy; if nothing is, what an answer has to wait for.
fn bottleneck(contender: &Contender, job: Job, of: impl Fn(&dyn Fn(&Round) -> f64) -> f64) -> &'static str {
    let share = |used: Duration, round: &Round| used.as_secs_f64() / round.wall.as_secs_f64();
    let all = |round: &Round| round.server.ran + round.database.ran + round.load.ran;
    if of(&|round| share(round.server.wanted, round)) >= BUSY {
        "server's CPU"
    } else if of(&|round| share(round.database.wanted, round)) >= BUSY {
        "database's CPU"
    } else if contender.is_alone() || of(&|round| share(round.load.wanted, round)) >= BUSY {
        "load generator"
    } else if of(&|round| share(all(round), round)) >= BUSY * cores() as f64 {
        "all cores"
    } else if contender.flushes() && job != Job::Introspect {
        "flush"
    } else {
        "round trips"
    }
}

fn millis(took: &Duration) -> f64 {
    took.as_secs_f64() * 1e3
}

/// Three significant figures, with commas.
fn thousands(number: f64) -> String {
    let unit = 10_f64.powf((number.log10().floor() - 2.0).max(0.0));
    let digits = format!("{:.0}", (number / unit).round() * unit);
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn processor() -> String {
    let all = std::fs::read_to_string("/proc/cpuinfo").unwrap();
    let line = all.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    line.trim_start_matches(['\t', ' ', ':']).to_owned()
}

/// Over the last minute.
fn load_average() -> String {
    let line = std::fs::read_to_string("/proc/loadavg").unwrap();
    line.split(' ').next().unwrap().to_owned()
}
