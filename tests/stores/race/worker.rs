//! A process of a race: this one, or the second one, which is the same program again.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::task::JoinSet;

use super::game::{Node, Race};
use super::naive;
use crate::places::{AnyStore, open};

/// In each process.
pub const TASKS: usize = 32;

const URL: &str = "GRANTOR_RACE_URL";
const NAIVE: &str = "GRANTOR_RACE_NAIVE";
/// Begins the line of outcomes; the test harness prints lines of its own.
const OUTCOMES: &str = "outcomes: ";

/// What all tasks do, and the moment at which they begin.
#[derive(Serialize, Deserialize)]
pub struct Round {
    race: Race,
    pub prize: Value,
    at: u64,
}

impl Round {
    /// In a moment, so that both processes are ready.
    pub fn soon(race: Race, prize: Value) -> Self {
        Self { race, prize, at: nanoseconds() + 3_000_000 }
    }
}

/// A server with tasks that ask it.
pub struct Worker {
    pub node: Node,
}

impl Worker {
    pub async fn new(store: AnyStore) -> Self {
        Self { node: Node::new(store).await }
    }

    /// What became of each task; the first of them has this number.
    pub async fn play(&self, round: &Round, first: usize) -> Vec<Value> {
        let mut tasks = JoinSet::new();
        for number in first..first + TASKS {
            let (node, race, prize, at) = (self.node.clone(), round.race, round.prize.clone(), round.at);
            tasks.spawn(async move {
                let wait = at.saturating_sub(nanoseconds());
                tokio::time::sleep(Duration::from_nanos(wait)).await;
                race.run(&node, &prize, number).await
            });
        }
        tasks.join_all().await
    }
}

/// The other process. It ends when its input does.
pub struct SecondProcess {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl SecondProcess {
    pub fn start(url: &str, naive: bool) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["race::worker::the_second_process", "--exact", "--ignored", "--nocapture"]);
        command.env(URL, url).stdin(Stdio::piped()).stdout(Stdio::piped());
        if naive {
            command.env(NAIVE, "1");
        }
        let mut child = command.spawn().unwrap();
        let (input, output) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output }
    }

    pub fn send(&mut self, round: &Round) {
        let line = serde_json::to_string(round).unwrap();
        writeln!(self.input.as_ref().unwrap(), "{line}").unwrap();
    }

    pub fn outcomes(&mut self) -> Vec<Value> {
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "the second process has ended");
            if let Some((_, outcomes)) = line.split_once(OUTCOMES) {
                return serde_json::from_str(outcomes).unwrap();
            }
        }
    }
}

impl Drop for SecondProcess {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the second process of a race, started by the first"]
async fn the_second_process() {
    let Ok(url) = std::env::var(URL) else { return };
    let store = open(&url).await;
    let naively = std::env::var_os(NAIVE).is_some();
    let worker = Worker::new(if naively { naive(store) } else { store }).await;
    for line in std::io::stdin().lines() {
        let round: Round = serde_json::from_str(&line.unwrap()).unwrap();
        let outcomes = worker.play(&round, TASKS).await;
        println!("{OUTCOMES}{}", serde_json::to_string(&outcomes).unwrap());
    }
}

/// By the clock that the processes share.
pub fn nanoseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_nanos()).unwrap()
}
