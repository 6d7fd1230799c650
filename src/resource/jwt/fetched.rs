//! [`FetchedKeys`]: the key set that an issuer publishes, fetched and kept.

use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::key_source::{KeySource, TrustedKeys};
use crate::policy::after;
use crate::store::StoreError;

/// Fetches over HTTP, with the host's own client.
///
/// The address is the host's own configuration and the answer is believed: a `Fetch` that follows redirects elsewhere,
/// or does not check certificates, lets others write tokens. Stop reading at 64 KiB and give up after some seconds; the
/// guard gives up by its own deadline.
#[async_trait]
pub trait Fetch: Send + Sync {
    /// The answer to a `GET` of this address.
    ///
    /// # Errors
    /// There was no answer.
    async fn get(&self, url: &str) -> Result<Fetched, StoreError>;
}

#[async_trait]
impl<T: Fetch + ?Sized> Fetch for Arc<T> {
    async fn get(&self, url: &str) -> Result<Fetched, StoreError> {
        (**self).get(url).await
    }
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fetched {
    /// The status code; anything but 200 is a failure.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// `max-age` of `Cache-Control`, in seconds, if it is there.
    pub max_age: Option<u64>,
}

impl Fetched {
    /// An answer that does not say how long it is good.
    #[must_use]
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, body: body.into(), max_age: None }
    }

    /// The same, good for so many seconds.
    #[must_use]
    pub fn with_max_age(mut self, seconds: u64) -> Self {
        self.max_age = Some(seconds);
        self
    }
}

/// The key set at an address, kept for as long as its answer says, within bounds.
///
/// One request fetches and the others go on with what is there; they wait only if there is nothing. A token that
/// names an unknown key has it fetched anew, at most once in 30 seconds. If the issuer cannot be reached, or
/// answers with something that is no key set, the last set is good for another hour
/// ([`stale_for`](Self::stale_for)), and after that the answer is 503 until the issuer is back. A set without usable
/// keys is taken at its word: nobody is trusted.
pub struct FetchedKeys {
    url: String,
    fetch: Box<dyn Fetch>,
    longest: Duration,
    stale: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: Option<Kept>,
    /// When it was asked for last.
    asked: Option<DateTime<Utc>>,
    /// Whether that came to nothing.
    failed: bool,
    /// Whether somebody is asking.
    asking: bool,
    waiting: Vec<Waker>,
}

#[derive(Clone)]
struct Kept {
    keys: TrustedKeys,
    fresh_until: DateTime<Utc>,
    stale_until: DateTime<Utc>,
}

/// An unknown key has the set fetched at most so often.
const UNKNOWN_EVERY: TimeDelta = TimeDelta::seconds(30);

/// A fetch that failed is tried again after this.
const RETRY_AFTER: TimeDelta = TimeDelta::seconds(5);

/// For an answer that does not say.
const DEFAULT_MAX_AGE: u64 = 300;

/// However short the answer says that it is good.
const SHORTEST_MAX_AGE: u64 = 30;

impl FetchedKeys {
    /// The key set at this address, the `jwks_uri` of the issuer's metadata.
    #[must_use]
    pub fn new(url: impl Into<String>, fetch: impl Fetch + 'static) -> Self {
        Self {
            url: url.into(),
            fetch: Box::new(fetch),
            longest: Duration::from_secs(60 * 60),
            stale: Duration::from_secs(60 * 60),
            state: Mutex::default(),
        }
    }

    /// The longest time that a set counts as fresh, whatever its answer says; by default an hour. So long a key may still
    /// be trusted that its issuer has withdrawn.
    #[must_use]
    pub fn max_age(mut self, longest: Duration) -> Self {
        self.longest = longest;
        self
    }

    /// How long a set that is no longer fresh is good while the issuer cannot be reached; by default another hour.
    #[must_use]
    pub fn stale_for(mut self, stale: Duration) -> Self {
        self.stale = stale;
        self
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetch(&self, now: DateTime<Utc>) -> Result<Kept, StoreError> {
        let Fetched { status, body, max_age } = self.fetch.get(&self.url).await?;
        if status != 200 {
            return Err(StoreError::transient(format!("the key set was answered with status {status}")));
        }
        let keys = TrustedKeys::parse(&body).map_err(StoreError::transient)?;
        let fresh = max_age.unwrap_or(DEFAULT_MAX_AGE).max(SHORTEST_MAX_AGE);
        let fresh_until = after(now, Duration::from_secs(fresh).min(self.longest));
        Ok(Kept { keys, fresh_until, stale_until: after(fresh_until, self.stale) })
    }
}

#[async_trait]
impl KeySource for FetchedKeys {
    async fn keys(&self, unknown_kid: bool, now: DateTime<Utc>) -> Result<TrustedKeys, StoreError> {
        let turn = poll_fn(|context| {
            let mut state = self.state();
            let turn = state.turn(unknown_kid, now);
            if matches!(turn, Turn::Wait) {
                state.waiting.push(context.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(turn)
        });
        match turn.await {
            Turn::Use(keys) => return Ok(keys),
            Turn::Wait | Turn::Fail => return Err(StoreError::transient("the key set is not to be had")),
            Turn::Fetch => {}
        }
        let asking = Asking { state: &self.state, settled: false };
        let fetched = self.fetch(now).await;
        asking.settle(fetched, unknown_kid, now)
    }
}

/// What a request does about the keys.
enum Turn {
    Use(TrustedKeys),
    Fetch,
    Wait,
    Fail,
}

impl State {
    fn turn(&mut self, unknown_kid: bool, now: DateTime<Utc>) -> Turn {
        let usable = self.usable(now);
        let is_fresh = self.kept.as_ref().is_some_and(|kept| now < kept.fresh_until);
        match &usable {
            Some(keys) if !unknown_kid && (is_fresh || self.asking) => return Turn::Use(keys.clone()),
            _ if self.asking => return Turn::Wait,
            _ => {}
        }
        let pause = if unknown_kid && usable.is_some() { UNKNOWN_EVERY } else { RETRY_AFTER };
        // A clock that was set back is no reason to wait.
        if self.asked.is_none_or(|asked| now < asked || now - asked >= pause) {
            (self.asking, self.asked) = (true, Some(now));
            return Turn::Fetch;
        }
        match usable {
            // Whether the issuer has the unknown key is not known.
            Some(_) if unknown_kid && self.failed => Turn::Fail,
            Some(keys) => Turn::Use(keys),
            None => Turn::Fail,
        }
    }

    fn usable(&self, now: DateTime<Utc>) -> Option<TrustedKeys> {
        self.kept.as_ref().filter(|kept| now < kept.stale_until).map(|kept| kept.keys.clone())
    }
}

/// Whoever fetches for all. Dropped midway, it makes room for the next.
struct Asking<'a> {
    state: &'a Mutex<State>,
    settled: bool,
}

impl Asking<'_> {
    fn settle(
        mut self,
        fetched: Result<Kept, StoreError>,
        unknown_kid: bool,
        now: DateTime<Utc>,
    ) -> Result<TrustedKeys, StoreError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.settled = true;
        state.asking = false;
        state.failed = fetched.is_err();
        match fetched {
            Ok(kept) => {
                let keys = kept.keys.clone();
                state.kept = Some(kept);
                Ok(keys)
            }
            Err(error) => state.usable(now).filter(|_| !unknown_kid).ok_or(error),
        }
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.settled {
            state.asking = false;
            // Who has nothing asks at once. Who has keys waits, or whoever hangs up could have them fetched at will.
            if state.kept.is_none() {
                state.asked = None;
            }
        }
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl fmt::Debug for FetchedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchedKeys").field("url", &self.url).finish_non_exhaustive()
    }
}
