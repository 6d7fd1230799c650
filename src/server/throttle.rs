//! A limit on wrong client secrets and passwords (RFC 6749 sections 2.3.1 and 4.3.2), and one each on registrations and
//! on devices: so many a minute from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};

use crate::error::{ExtensionRefusal, Reason, Refusal};

/// So many addresses are watched at a time; the counters of the minute start anew beyond that.
const LIMIT: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Throttle {
    per_minute: u32,
    /// The number of addresses that failed, so that a server where nobody fails takes no lock.
    failing: AtomicUsize,
    window: Mutex<Window>,
}

#[derive(Debug, Default)]
struct Window {
    minute: i64,
    failures: HashMap<IpAddr, u32>,
}

impl Throttle {
    pub(super) fn new(per_minute: u32) -> Self {
        Self { per_minute, failing: AtomicUsize::new(0), window: Mutex::default() }
    }

    /// Counts one more from this address, whatever comes of it; `false` if that is too many.
    pub(super) fn admits(&self, peer: Option<IpAddr>, now: DateTime<Utc>) -> bool {
        self.check(peer, now).map(Attempt::count).is_ok()
    }

    /// Whether this address may still present a secret.
    pub(super) fn check(&self, peer: Option<IpAddr>, now: DateTime<Utc>) -> Result<Attempt<'_>, Reason> {
        let peer = peer.filter(|_| self.per_minute > 0).map(network);
        let attempt = Attempt { throttle: self, peer, minute: now.timestamp() / 60 };
        let Some(peer) = peer.filter(|_| self.failing.load(Ordering::Relaxed) > 0) else {
            return Ok(attempt);
        };
        let window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let failures = window.failures.get(&peer).filter(|_| window.minute == attempt.minute);
        match failures {
            Some(failures) if *failures >= self.per_minute => Err(Reason::ClientThrottled),
            Some(_) | None => Ok(attempt),
        }
    }
}

/// Whoever has one IPv6 address has a /64 of them.
pub(super) fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => {
            let mut octets = v6.octets();
            octets[8..].fill(0);
            IpAddr::V6(octets.into())
        }
    }
}

/// One attempt.
#[derive(Debug)]
pub(super) struct Attempt<'a> {
    throttle: &'a Throttle,
    peer: Option<IpAddr>,
    minute: i64,
}

impl Attempt<'_> {
    /// Counts the attempt, whatever comes of it.
    pub(super) fn count(self) {
        let Some(peer) = self.peer else { return };
        let mut window = self.throttle.window.lock().unwrap_or_else(PoisonError::into_inner);
        if window.minute != self.minute || window.failures.len() >= LIMIT {
            *window = Window { minute: self.minute, failures: HashMap::new() };
        }
        let failures = window.failures.entry(peer).or_default();
        *failures = failures.saturating_add(1);
        self.throttle.failing.store(window.failures.len(), Ordering::Relaxed);
    }

    /// Counts the attempt if the secret was wrong.
    pub(super) fn note<T>(self, result: Result<T, Refusal>) -> Result<T, Refusal> {
        let wrong = |refusal: &Refusal| {
            let reason = refusal.reason();
            matches!(
                reason,
                Reason::ClientSecretWrong
                    | Reason::ClientUnknown
                    | Reason::OwnerCredentialsWrong
                    | Reason::Extension(ExtensionRefusal::SecretWrong)
            )
        };
        if result.as_ref().err().is_some_and(wrong) {
            self.count();
        }
        result
    }
}
