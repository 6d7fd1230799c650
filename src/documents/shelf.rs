//! [`Shelf`]: the documents that were fetched, and who is asking for which.
//!
//! It decides and remembers; it neither asks nor reads a clock.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use chrono::{DateTime, TimeDelta, Utc};

use super::document::is_outage;
use crate::client::{Client, ClientId};
use crate::error::Reason;

/// One host is asked for so many documents at once.
const FETCHES_OF_ONE_HOST: usize = 4;

/// So many requests may wait for documents that others ask for.
const WAITING: usize = 256;

/// So many of them for one host.
const WAITING_FOR_ONE_HOST: usize = 64;

/// After so many failures in a row a URL is left alone for a while.
const FAILURES: u32 = 3;

/// For so long. Where a document bridges the outage, one failure is enough.
const PAUSE: TimeDelta = TimeDelta::seconds(10);

/// A document, as the client that it makes.
pub(super) struct Kept {
    pub(super) client: Arc<Client>,
    /// Until then nobody asks again.
    pub(super) fresh_until: DateTime<Utc>,
    /// Until then it bridges an outage.
    pub(super) stale_until: DateTime<Utc>,
}

pub(super) struct Shelf {
    entries: usize,
    at_once: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    documents: HashMap<ClientId, Document>,
    failures: HashMap<ClientId, Failure>,
    /// What is being asked for: a few, so that a list is searched faster than a map.
    fetches: Vec<Fetch>,
    /// Names fetches and waiting requests.
    last_number: u64,
}

struct Document {
    kept: Kept,
    used: DateTime<Utc>,
}

/// The latest failure of a URL that had none between.
struct Failure {
    reason: Reason,
    at: DateTime<Utc>,
    in_a_row: u32,
    fetch: u64,
}

struct Fetch {
    number: u64,
    id: ClientId,
    host: String,
    waiting: Vec<(u64, Waker)>,
}

/// What a request does about a document.
pub(super) enum Turn<'a> {
    Use(Arc<Client>),
    Ask(Asking<'a>),
    Fail(Reason),
}

enum Next {
    Use(Arc<Client>),
    Ask,
    /// Until this fetch is over.
    Wait(u64),
    Fail(Reason),
}

impl Shelf {
    pub(super) fn new(entries: usize, at_once: usize) -> Self {
        Self { entries, at_once, state: Mutex::default() }
    }

    /// The client of a document that is fresh.
    pub(super) fn fresh(&self, id: &ClientId, now: DateTime<Utc>) -> Option<Arc<Client>> {
        let mut state = self.state();
        let document = state.documents.get_mut(id).filter(|document| now < document.kept.fresh_until)?;
        document.used = now;
        Some(Arc::clone(&document.kept.client))
    }

    /// What to do about a document, after waiting for whoever asks for it already.
    pub(super) async fn turn(&self, id: &ClientId, host: &str, now: DateTime<Utc>) -> Turn<'_> {
        let mut place = Place { shelf: self, number: None, waits_for: None };
        poll_fn(|context| place.poll(id, host, now, context)).await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn next(
        &self,
        id: &ClientId,
        host: &str,
        now: DateTime<Utc>,
        waited: Option<u64>,
        at_once: usize,
    ) -> Next {
        let document = self.documents.get(id).filter(|document| now < document.kept.stale_until);
        let failure = self.failures.get(id);
        let fetch = self.fetches.iter().find(|fetch| fetch.id == *id);
        let at_host = self.fetches.iter().filter(|fetch| fetch.host == host);
        let has_room = self.fetches.len() < at_once && at_host.clone().count() < FETCHES_OF_ONE_HOST;
        if let Some(Document { kept, .. }) = document {
            let rests = failure.is_some_and(|failure| failure.is_recent(now));
            return match now < kept.fresh_until || rests || fetch.is_some() || !has_room {
                true => Next::Use(Arc::clone(&kept.client)),
                false => Next::Ask,
            };
        }
        if let Some(fetch) = fetch {
            // Who waits already has its place.
            let all = self.fetches.iter().map(|fetch| fetch.waiting.len()).sum::<usize>();
            let here = at_host.map(|fetch| fetch.waiting.len()).sum::<usize>();
            return match waited == Some(fetch.number) || (all < WAITING && here < WAITING_FOR_ONE_HOST) {
                true => Next::Wait(fetch.number),
                false => Next::Fail(Reason::DocumentsBusy),
            };
        }
        match failure {
            // What came of the fetch that was waited for is everybody's answer.
            Some(failure) if waited == Some(failure.fetch) => Next::Fail(failure.reason),
            Some(failure) if failure.in_a_row >= FAILURES && failure.is_recent(now) => {
                Next::Fail(failure.reason)
            }
            _ if has_room => Next::Ask,
            _ => Next::Fail(Reason::DocumentsBusy),
        }
    }

    fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    fn keep(&mut self, id: &ClientId, kept: Kept, now: DateTime<Utc>, entries: usize) {
        self.failures.remove(id);
        make_room(&mut self.documents, id, entries, |document| document.used);
        self.documents.insert(id.clone(), Document { kept, used: now });
    }

    fn note(&mut self, id: &ClientId, reason: Reason, fetch: u64, now: DateTime<Utc>, entries: usize) {
        if !is_outage(reason) {
            self.documents.remove(id);
        }
        let before = self.failures.get(id).map_or(0, |failure| failure.in_a_row);
        make_room(&mut self.failures, id, entries, |failure| failure.at);
        let failure = Failure { reason, at: now, in_a_row: before.saturating_add(1), fetch };
        self.failures.insert(id.clone(), failure);
    }
}

impl Failure {
    /// A clock that was set back is no reason to wait.
    fn is_recent(&self, now: DateTime<Utc>) -> bool {
        self.at <= now && now - self.at < PAUSE
    }
}

/// Takes out what has been there longest, if there is no room for one more.
fn make_room<T>(
    map: &mut HashMap<ClientId, T>,
    id: &ClientId,
    entries: usize,
    age: impl Fn(&T) -> DateTime<Utc>,
) {
    while map.len() >= entries.max(1) && !map.contains_key(id) {
        let oldest = map.iter().min_by_key(|(_, entry)| age(entry)).map(|(id, _)| id.clone());
        if oldest.and_then(|oldest| map.remove(&oldest)).is_none() {
            return;
        }
    }
}

/// A request's place among those that wait; given back when it is dropped.
struct Place<'a> {
    shelf: &'a Shelf,
    number: Option<u64>,
    waits_for: Option<u64>,
}

impl<'a> Place<'a> {
    fn poll(
        &mut self,
        id: &ClientId,
        host: &str,
        now: DateTime<Utc>,
        context: &mut Context<'_>,
    ) -> Poll<Turn<'a>> {
        let mut state = self.shelf.state();
        match state.next(id, host, now, self.waits_for, self.shelf.at_once) {
            Next::Use(client) => Poll::Ready(Turn::Use(client)),
            Next::Fail(reason) => Poll::Ready(Turn::Fail(reason)),
            Next::Ask => {
                let number = state.number();
                let fetch = Fetch { number, id: id.clone(), host: host.to_owned(), waiting: Vec::new() };
                state.fetches.push(fetch);
                Poll::Ready(Turn::Ask(Asking { shelf: self.shelf, number }))
            }
            Next::Wait(fetch) => {
                let number = *self.number.get_or_insert_with(|| state.number());
                self.waits_for = Some(fetch);
                let waiting = state.fetches.iter_mut().find(|f| f.number == fetch).map(|f| &mut f.waiting);
                if let Some(waiting) = waiting {
                    waiting.retain(|(of, _)| *of != number);
                    waiting.push((number, context.waker().clone()));
                }
                Poll::Pending
            }
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        let mut state = self.shelf.state();
        for fetch in &mut state.fetches {
            fetch.waiting.retain(|(of, _)| *of != number);
        }
    }
}

/// Whoever asks for all. Dropped midway, it makes room for the next.
pub(super) struct Asking<'a> {
    shelf: &'a Shelf,
    number: u64,
}

impl Asking<'_> {
    /// Takes what came of it.
    pub(super) fn settle(
        self,
        answer: Result<Kept, Reason>,
        now: DateTime<Utc>,
    ) -> Result<Arc<Client>, Reason> {
        let entries = self.shelf.entries;
        let mut state = self.shelf.state();
        let fetch = state.fetches.iter().find(|fetch| fetch.number == self.number);
        let Some(id) = fetch.map(|fetch| fetch.id.clone()) else {
            return answer.map(|kept| kept.client);
        };
        match answer {
            Ok(kept) => {
                let client = Arc::clone(&kept.client);
                state.keep(&id, kept, now, entries);
                Ok(client)
            }
            Err(reason) => {
                state.note(&id, reason, self.number, now, entries);
                let bridge = state.documents.get(&id).filter(|document| now < document.kept.stale_until);
                bridge.map(|document| Arc::clone(&document.kept.client)).ok_or(reason)
            }
        }
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let mut state = self.shelf.state();
        let at = state.fetches.iter().position(|fetch| fetch.number == self.number);
        let waiting = at.map(|at| state.fetches.swap_remove(at).waiting).unwrap_or_default();
        drop(state);
        waiting.into_iter().for_each(|(_, waker)| waker.wake());
    }
}
