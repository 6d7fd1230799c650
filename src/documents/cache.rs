//! [`DocumentCache`]: client metadata documents, and the fetches in flight. A pure state machine: no I/O, no
//! clock.

use std::collections::HashMap;
use std::future::poll_fn;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use chrono::{DateTime, TimeDelta, Utc};

use super::document::is_outage;
use super::hosts::SlowHosts;
use super::peers::{Peers, is_crowded};
use crate::client::{Client, ClientId};
use crate::error::{Reason, Refusal};

/// Documents fetched at once from one host; twice as many for known clients.
const FETCHES_OF_ONE_HOST: usize = 4;

/// Documents of unknown clients fetched at once for one address; twice as many for a /48 of IPv6.
const FETCHES_OF_ONE_PEER: usize = 4;

/// Requests that may wait for another request's fetch.
const WAITING: usize = 256;

/// Those of them that wait for one host.
const WAITING_FOR_ONE_HOST: usize = 64;

/// Those of them from one address.
const WAITING_OF_ONE_PEER: usize = 32;

/// Consecutive failures after which a URL is not fetched for a while.
const FAILURES: u32 = 3;

/// How long a URL is not fetched after that. If a cached document bridges the outage, one failure is enough.
const PAUSE: TimeDelta = TimeDelta::seconds(10);

/// How many known clients are remembered for each document that the cache can hold.
const KNOWN_FOR_EACH_ENTRY: usize = 4;

/// Who asks for a document, and for what.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Requester {
    peer: Option<IpAddr>,
    continues: bool,
}

impl Requester {
    /// A request that begins something, such as an authorization.
    pub(crate) fn beginning(peer: Option<IpAddr>) -> Self {
        Self { peer, continues: false }
    }

    /// A request of the client itself, which continues an existing grant.
    pub(crate) fn continuing(peer: Option<IpAddr>) -> Self {
        Self { peer, continues: true }
    }
}

/// The limits of the cache and of fetches.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) entries: usize,
    pub(super) at_once: usize,
    /// Fetches for one address in a minute; 0 is no limit.
    pub(super) per_minute: u32,
}

/// A cached document, as the client that it describes.
pub(super) struct Kept {
    pub(super) client: Arc<Client>,
    /// Until then it is not fetched again.
    pub(super) fresh_until: DateTime<Utc>,
    /// Until then it bridges an outage.
    pub(super) stale_until: DateTime<Utc>,
}

pub(super) struct DocumentCache {
    limits: Limits,
    state: Mutex<State>,
}

struct State {
    limits: Limits,
    documents: HashMap<ClientId, Document>,
    /// The clients with a grant of a user, by the last time that this was seen. Their documents are evicted
    /// last, and some fetches are reserved for them: an attacker would first need a user's consent.
    known: HashMap<ClientId, DateTime<Utc>>,
    failures: HashMap<ClientId, Failure>,
    /// Only a few, so a list is searched faster than a map.
    fetches: Vec<Fetch>,
    slow_hosts: SlowHosts,
    peers: Peers,
    /// Numbers fetches and waiting requests.
    last_number: u64,
}

struct Document {
    kept: Kept,
    used: DateTime<Utc>,
}

/// The latest failure of a URL since its last success.
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
    peer: Option<IpAddr>,
    waiting: Vec<Waiting>,
}

struct Waiting {
    number: u64,
    peer: Option<IpAddr>,
    waker: Waker,
}

/// What a request does about a document.
pub(super) enum Lookup<'a> {
    Use(Arc<Client>),
    Fetch(InFlight<'a>),
    Fail(Refusal),
}

enum Next {
    Use(Arc<Client>),
    Fetch,
    /// Wait until this fetch is over.
    Wait(u64),
    Fail(Refusal),
}

impl DocumentCache {
    pub(super) fn new(limits: Limits) -> Self {
        let state = State {
            limits,
            documents: HashMap::new(),
            known: HashMap::new(),
            failures: HashMap::new(),
            fetches: Vec::new(),
            slow_hosts: SlowHosts::default(),
            peers: Peers::default(),
            last_number: 0,
        };
        Self { limits, state: Mutex::new(state) }
    }

    /// The client of a document that is fresh.
    pub(super) fn fresh(&self, id: &ClientId, now: DateTime<Utc>) -> Option<Arc<Client>> {
        let mut state = self.state();
        let document = state.documents.get_mut(id).filter(|document| now < document.kept.fresh_until)?;
        document.used = now;
        Some(Arc::clone(&document.kept.client))
    }

    /// Whether a fetch for this client would be one for a stranger.
    pub(super) fn is_unknown(&self, id: &ClientId, now: DateTime<Utc>) -> bool {
        let state = self.state();
        let is_fresh = state.documents.get(id).is_some_and(|document| now < document.kept.fresh_until);
        !is_fresh && !state.known.contains_key(id)
    }

    /// Records that this client has a grant of a user.
    pub(super) fn led_to_grant(&self, id: &ClientId, now: DateTime<Utc>) {
        let mut state = self.state();
        match state.known.get_mut(id) {
            Some(at) => *at = now,
            None => {
                let most = self.limits.entries.saturating_mul(KNOWN_FOR_EACH_ENTRY);
                make_room(&mut state.known, id, most, |_, at| *at);
                state.known.insert(id.clone(), now);
            }
        }
    }

    /// Decides what to do about a document, after waiting for its fetch in progress.
    pub(super) async fn lookup(
        &self,
        id: &ClientId,
        host: &str,
        requester: Requester,
        now: DateTime<Utc>,
    ) -> Lookup<'_> {
        let mut waiter = Waiter { cache: self, requester, number: None, waits_for: None };
        poll_fn(|context| waiter.poll(id, host, now, context)).await
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
        requester: Requester,
        now: DateTime<Utc>,
        waited: Option<u64>,
    ) -> Next {
        let failure = self.failures.get(id);
        let fetch = self.fetches.iter().find(|fetch| fetch.id == *id);
        let room = self.room(id, host, requester, now);
        if let Some(Document { kept, .. }) = self.lasting(id, requester, now) {
            let rests = failure.is_some_and(|failure| failure.is_recent(now));
            return match now < kept.fresh_until || rests || fetch.is_some() || room.is_err() {
                true => Next::Use(Arc::clone(&kept.client)),
                false => Next::Fetch,
            };
        }
        if let Some(fetch) = fetch {
            // A request that waited before keeps its place, regardless of the limits.
            return match waited == Some(fetch.number) || self.may_wait(host, requester) {
                true => Next::Wait(fetch.number),
                false => Next::Fail(Reason::DocumentsBusy.into()),
            };
        }
        match failure {
            // A failed fetch fails all the requests that waited for it.
            Some(failure) if waited == Some(failure.fetch) => Next::Fail(failure.reason.into()),
            Some(failure) if failure.in_a_row >= FAILURES && failure.is_recent(now) => {
                Next::Fail(failure.reason.into())
            }
            _ => room.map_or_else(Next::Fail, |()| Next::Fetch),
        }
    }

    /// The document to use if no newer one can be fetched: until its bridge ends, or indefinitely for a known
    /// client that continues an existing grant.
    fn lasting(&self, id: &ClientId, requester: Requester, now: DateTime<Utc>) -> Option<&Document> {
        let goes_on = requester.continues && self.known.contains_key(id);
        self.documents.get(id).filter(|document| goes_on || now < document.kept.stale_until)
    }

    /// Whether one more document may be fetched. Some fetches are reserved for known clients, and some of the
    /// others for networks without a recent failure.
    fn room(
        &self,
        id: &ClientId,
        host: &str,
        requester: Requester,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let Limits { at_once, per_minute, .. } = self.limits;
        let all = self.fetches.len();
        let of_host = self.fetches.iter().filter(|fetch| fetch.host == host).count();
        if self.known.contains_key(id) {
            let fits = all < at_once + (at_once / 4).max(1) && of_host < 2 * FETCHES_OF_ONE_HOST;
            return if fits { Ok(()) } else { Err(Reason::DocumentsBusy.into()) };
        }
        let peer = requester.peer;
        let served = self.fetches.iter().filter_map(|fetch| fetch.peer);
        if peer.is_some_and(|peer| is_crowded(peer, FETCHES_OF_ONE_PEER, served)) {
            return Err(Reason::DocumentsThrottled.into());
        }
        if let Some(wait) = peer.and_then(|peer| self.peers.until_room(peer, per_minute, now)) {
            return Err(Refusal::throttled(Reason::DocumentsThrottled, wait));
        }
        if self.slow_hosts.is_paused(host, now) {
            return Err(Reason::DocumentTimeout.into());
        }
        let has_failed = peer.is_some_and(|peer| self.peers.has_failed(peer, now));
        let at_once = if has_failed { at_once - at_once / 4 } else { at_once };
        let of_one_host = if self.slow_hosts.is_on_trial(host) { 1 } else { FETCHES_OF_ONE_HOST };
        match all < at_once && of_host < of_one_host {
            true => Ok(()),
            false => Err(Reason::DocumentsBusy.into()),
        }
    }

    fn may_wait(&self, host: &str, requester: Requester) -> bool {
        let waiting = |of: &Fetch| of.waiting.len();
        let all = self.fetches.iter().map(waiting).sum::<usize>();
        let here = self.fetches.iter().filter(|fetch| fetch.host == host).map(waiting).sum::<usize>();
        let waiting = self.fetches.iter().flat_map(|fetch| &fetch.waiting).filter_map(|waiting| waiting.peer);
        let crowds = requester.peer.is_some_and(|peer| is_crowded(peer, WAITING_OF_ONE_PEER, waiting));
        all < WAITING && here < WAITING_FOR_ONE_HOST && !crowds
    }

    fn begin(&mut self, id: &ClientId, host: &str, requester: Requester, now: DateTime<Utc>) -> u64 {
        if let Some(peer) = requester.peer.filter(|_| !self.known.contains_key(id)) {
            self.peers.count(peer, now);
        }
        let number = self.number();
        let (id, host, peer) = (id.clone(), host.to_owned(), requester.peer);
        self.fetches.push(Fetch { number, id, host, peer, waiting: Vec::new() });
        number
    }

    fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// The documents without a grant are evicted first, the least recently used before the others.
    fn keep(&mut self, id: &ClientId, kept: Kept, now: DateTime<Utc>) {
        self.failures.remove(id);
        let known = &self.known;
        make_room(&mut self.documents, id, self.limits.entries, |id, document| {
            (known.contains_key(id), document.used)
        });
        self.documents.insert(id.clone(), Document { kept, used: now });
    }

    fn note(&mut self, id: &ClientId, reason: Reason, fetch: u64, now: DateTime<Utc>) {
        if !is_outage(reason) {
            self.documents.remove(id);
        }
        let before = self.failures.get(id).map_or(0, |failure| failure.in_a_row);
        make_room(&mut self.failures, id, self.limits.entries, |_, failure| failure.at);
        let failure = Failure { reason, at: now, in_a_row: before.saturating_add(1), fetch };
        self.failures.insert(id.clone(), failure);
    }
}

impl Failure {
    /// Whether the failure is recent. If the clock was set back, it is not, so that no one waits for long.
    fn is_recent(&self, now: DateTime<Utc>) -> bool {
        self.at <= now && now - self.at < PAUSE
    }
}

/// Evicts the least entries until there is room for one more.
pub(super) fn make_room<Id: Eq + Hash + Clone, T, K: Ord>(
    map: &mut HashMap<Id, T>,
    id: &Id,
    entries: usize,
    worth: impl Fn(&Id, &T) -> K,
) {
    while map.len() >= entries.max(1) && !map.contains_key(id) {
        let least = map.iter().min_by_key(|(id, entry)| worth(id, entry)).map(|(id, _)| id.clone());
        if least.and_then(|least| map.remove(&least)).is_none() {
            return;
        }
    }
}

/// A request's place among the waiting ones; released when it is dropped.
struct Waiter<'a> {
    cache: &'a DocumentCache,
    requester: Requester,
    number: Option<u64>,
    waits_for: Option<u64>,
}

impl<'a> Waiter<'a> {
    fn poll(
        &mut self,
        id: &ClientId,
        host: &str,
        now: DateTime<Utc>,
        context: &mut Context<'_>,
    ) -> Poll<Lookup<'a>> {
        let requester = self.requester;
        let mut state = self.cache.state();
        match state.next(id, host, requester, now, self.waits_for) {
            Next::Use(client) => Poll::Ready(Lookup::Use(client)),
            Next::Fail(refusal) => Poll::Ready(Lookup::Fail(refusal)),
            Next::Fetch => {
                let number = state.begin(id, host, requester, now);
                let in_flight = InFlight { cache: self.cache, requester, number, began: now, arrived: false };
                Poll::Ready(Lookup::Fetch(in_flight))
            }
            Next::Wait(fetch) => {
                let number = *self.number.get_or_insert_with(|| state.number());
                self.waits_for = Some(fetch);
                let waiting = state.fetches.iter_mut().find(|f| f.number == fetch).map(|f| &mut f.waiting);
                if let Some(waiting) = waiting {
                    waiting.retain(|waiting| waiting.number != number);
                    let waker = context.waker().clone();
                    waiting.push(Waiting { number, peer: requester.peer, waker });
                }
                Poll::Pending
            }
        }
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        let mut state = self.cache.state();
        for fetch in &mut state.fetches {
            fetch.waiting.retain(|waiting| waiting.number != number);
        }
    }
}

/// A fetch on behalf of all requests for a document. If it is dropped midway, the next request takes over.
pub(super) struct InFlight<'a> {
    cache: &'a DocumentCache,
    requester: Requester,
    number: u64,
    began: DateTime<Utc>,
    arrived: bool,
}

impl InFlight<'_> {
    /// Records the outcome of the fetch.
    pub(super) fn settle(
        mut self,
        answer: Result<Kept, Reason>,
        now: DateTime<Utc>,
    ) -> Result<Arc<Client>, Reason> {
        let mut state = self.cache.state();
        let fetch = state.fetches.iter().find(|fetch| fetch.number == self.number);
        let Some((id, host)) = fetch.map(|fetch| (fetch.id.clone(), fetch.host.clone())) else {
            return answer.map(|kept| kept.client);
        };
        match answer.as_ref().err() == Some(&Reason::DocumentTimeout) {
            true => state.slow_hosts.timed_out(host, now),
            false => state.slow_hosts.answered(&host),
        }
        self.arrived = answer.is_ok();
        match answer {
            Ok(kept) => {
                let client = Arc::clone(&kept.client);
                state.keep(&id, kept, now);
                Ok(client)
            }
            Err(reason) => {
                state.note(&id, reason, self.number, now);
                let bridge = state.lasting(&id, self.requester, now);
                bridge.map(|document| Arc::clone(&document.kept.client)).ok_or(reason)
            }
        }
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let mut state = self.cache.state();
        let at = state.fetches.iter().position(|fetch| fetch.number == self.number);
        let Some(fetch) = at.map(|at| state.fetches.swap_remove(at)) else { return };
        // A requester that hung up counts like one whose document did not arrive.
        let failed = !self.arrived && !state.known.contains_key(&fetch.id);
        if let Some(peer) = fetch.peer.filter(|_| failed) {
            state.peers.failed(peer, self.began);
        }
        drop(state);
        fetch.waiting.into_iter().for_each(|waiting| waiting.waker.wake());
    }
}
