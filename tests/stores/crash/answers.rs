//! A process that is killed between the flush of a batch and its answers has confirmed nothing that is lost.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use grantor::store::{Filter, Page, SqliteStore, Write};
use grantor::{GrantId, TokenStore as _};
use tokio::task::JoinSet;

use super::user::Dice;
use crate::behaviour;
use crate::folder::Folder;
use crate::scale::rounds;

const URL: &str = "GRANTOR_ANSWERS_URL";
/// Printed before the id of a grant whose write was confirmed.
const CONFIRMED: &str = "confirmed: ";
/// How many writes wait together.
const AT_ONCE: usize = 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn between_the_flush_and_the_answers_of_a_batch_a_fall_loses_nothing_confirmed() {
    let seed = super::seed();
    println!("GRANTOR_SEED={seed}");
    let mut dice = Dice(seed);
    let mut unheard = 0;
    for round in 0..rounds(20, 1_000) {
        let folder = Folder::new();
        let url = format!("sqlite:{}", folder.file("grants.db"));
        let confirmed = confirmed_until_killed(&url, 1 + dice.roll(3 * AT_ONCE));
        let store = SqliteStore::open(&url).await.unwrap();
        let there = ids(&store).await;
        let lost = confirmed.difference(&there).count();
        assert_eq!(lost, 0, "seed {seed}, round {round}: of {} confirmed", confirmed.len());
        unheard += there.len() - confirmed.len();
    }
    assert!(unheard > 0, "no process died between a flush and its answers");
}

/// What a process has confirmed that is killed after this many confirmations.
fn confirmed_until_killed(url: &str, times: usize) -> BTreeSet<String> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["crash::answers::the_process_that_is_killed", "--exact", "--ignored", "--nocapture"]);
    let mut child = command.env(URL, url).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut confirmed = BTreeSet::new();
    let output = BufReader::new(child.stdout.take().unwrap());
    // What was said before the blow is read after it, too.
    for line in output.lines() {
        let line = line.unwrap();
        // The last one may have been cut off.
        if let Some((_, id)) = line.split_once(CONFIRMED).filter(|(_, id)| id.len() == 32) {
            confirmed.insert(id.to_owned());
        }
        if confirmed.len() == times {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(confirmed.len() >= times, "it ended by itself");
    confirmed
}

async fn ids(store: &SqliteStore) -> BTreeSet<String> {
    let (mut ids, mut page) = (BTreeSet::new(), Page::first(1_000));
    loop {
        let listing = store.list(&Filter::default(), page).await.unwrap();
        ids.extend(listing.records.iter().map(|record| text(record.grant().id())));
        match listing.next {
            Some(last) => page = Page::first(1_000).after(last),
            None => return ids,
        }
    }
}

fn text(id: GrantId) -> String {
    format!("{:032x}", u128::from_be_bytes(*id.as_bytes()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the process that is killed, started by the test above"]
async fn the_process_that_is_killed() {
    let Ok(url) = std::env::var(URL) else { return };
    let store = SqliteStore::open(&url).await.unwrap();
    let mut tasks = JoinSet::new();
    for number in 0..AT_ONCE as u128 {
        let store = store.clone();
        tasks.spawn(async move {
            for round in 0_u128.. {
                let id = GrantId::new((number << 64 | round).to_be_bytes());
                let write = Write::insert(behaviour::grant_under(id), behaviour::now());
                let _ = store.commit(&write).await.unwrap();
                // One write to the pipe, so that no line is mixed with another one.
                let line = format!("{CONFIRMED}{}\n", text(id));
                std::io::stdout().write_all(line.as_bytes()).unwrap();
            }
        });
    }
    tasks.join_all().await;
}
