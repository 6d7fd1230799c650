//! A limit on wrong user codes (RFC 8628 section 5.1): so many within the lifetime of a device code, from one
//! address and in one browser session. The count is this process's own.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::throttle::network;
use crate::error::Reason;
use crate::grant::Claimant;
use crate::policy::{Policy, after};

/// So many addresses and sessions are watched at a time; the counts start anew beyond that.
const LIMIT: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Tries {
    allowed: u32,
    window: Duration,
    wrong: Mutex<HashMap<Who, Wrong>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Who {
    Address(IpAddr),
    Session([u8; 32]),
}

#[derive(Clone, Copy, Debug)]
struct Wrong {
    times: u32,
    /// Forgotten when nothing wrong came for so long.
    until: DateTime<Utc>,
}

impl Tries {
    pub(super) fn new(policy: &Policy) -> Self {
        let (allowed, window) = (policy.user_code_failures, policy.device_code_lifetime);
        Self { allowed, window, wrong: Mutex::default() }
    }

    /// Counts a try before its outcome is known, so that many at a time cannot slip past the limit.
    pub(super) fn begin(
        &self,
        peer: Option<IpAddr>,
        claimant: &Claimant,
        now: DateTime<Utc>,
    ) -> Result<Try<'_>, Reason> {
        let who = [Some(Who::Session(*claimant.bytes())), peer.map(network).map(Who::Address)];
        let who: Vec<Who> = who.into_iter().flatten().filter(|_| self.allowed > 0).collect();
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        if wrong.len() >= LIMIT {
            wrong.retain(|_, w| now < w.until);
        }
        if wrong.len() >= LIMIT {
            wrong.clear();
        }
        let fresh = |w: &&Wrong| now < w.until;
        if who.iter().any(|who| wrong.get(who).filter(fresh).is_some_and(|w| w.times >= self.allowed)) {
            return Err(Reason::UserCodeThrottled);
        }
        let until = after(now, self.window);
        for who in &who {
            let times = wrong.get(who).filter(fresh).map_or(0, |w| w.times);
            wrong.insert(*who, Wrong { times: times.saturating_add(1), until });
        }
        Ok(Try { tries: self, who })
    }
}

/// One try.
#[derive(Debug)]
pub(super) struct Try<'a> {
    tries: &'a Tries,
    who: Vec<Who>,
}

impl Try<'_> {
    /// The code was right, or could not be looked up: the try does not count.
    pub(super) fn was_not_wrong(self) {
        let mut wrong = self.tries.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        for who in &self.who {
            if let Some(w) = wrong.get_mut(who) {
                w.times = w.times.saturating_sub(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    fn address(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, last]))
    }

    #[test]
    fn five_wrong_codes_are_enough_for_an_address_and_for_a_session() {
        let tries = Tries::new(&Policy::default());
        let session = |n: u8| Claimant::session(&n.to_string());
        for n in 0..5 {
            drop(tries.begin(address(1), &session(n), at(0)).unwrap());
        }
        assert_eq!(tries.begin(address(1), &session(9), at(599)).unwrap_err(), Reason::UserCodeThrottled);
        assert!(tries.begin(address(1), &session(9), at(600)).is_ok());
        for n in 0..5 {
            drop(tries.begin(address(10 + n), &session(7), at(0)).unwrap());
        }
        assert_eq!(tries.begin(address(2), &session(7), at(1)).unwrap_err(), Reason::UserCodeThrottled);
        assert!(tries.begin(None, &session(8), at(1)).is_ok());
    }

    #[test]
    fn a_right_code_costs_nothing_and_a_wrong_one_starts_the_wait_anew() {
        let tries = Tries::new(&Policy::default());
        let session = Claimant::session("one");
        for _ in 0..20 {
            tries.begin(address(1), &session, at(0)).unwrap().was_not_wrong();
        }
        for second in [0, 500, 1000, 1500, 2000] {
            drop(tries.begin(address(1), &session, at(second)).unwrap());
        }
        assert!(tries.begin(address(1), &session, at(2001)).is_err());
    }

    #[test]
    fn zero_is_no_limit() {
        let tries = Tries::new(&Policy { user_code_failures: 0, ..Policy::default() });
        assert!((0..100).all(|_| tries.begin(address(1), &Claimant::session("one"), at(0)).is_ok()));
    }
}
