//! A limit on wrong user codes (RFC 8628 section 5.1), by browser session and by address.

use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::networks;
use super::table::{Attempt, Key, Place, Rule, Table, keyed_hash};
use crate::error::{Reason, Refusal};
use crate::grant::BrowserSession;
use crate::issuance::Policy;

/// Each session has its own limit. The limit by address stops an attacker who uses a new session for each
/// guess; it is higher, so one person's mistakes do not block others at the same address.
#[derive(Debug)]
pub(in crate::server) struct AttemptLimiter {
    in_session: u32,
    from_address: u32,
    period: Duration,
    table: Table,
}

impl AttemptLimiter {
    pub(in crate::server) fn new(policy: &Policy) -> Self {
        Self {
            in_session: policy.user_code_failures,
            from_address: policy.user_code_failures_per_address,
            period: policy.device_code_lifetime,
            table: Table::new(),
        }
    }

    /// Counts an attempt before its outcome is known.
    pub(in crate::server) fn begin(
        &self,
        peer: Option<IpAddr>,
        claimant: &BrowserSession,
        now: DateTime<Utc>,
    ) -> Result<Attempt<'_>, Refusal> {
        let session = Key { place: Place::Session, what: Some(keyed_hash(claimant.bytes())) };
        let session =
            Some((session, Rule::new(self.in_session, self.period))).filter(|_| self.in_session > 0);
        let of_network = |(network, times): (_, u32)| {
            let rule = Rule::new(self.from_address.saturating_mul(times), self.period);
            (Key { place: Place::Network(network), what: None }, rule)
        };
        let peer = peer.filter(|_| self.from_address > 0);
        let counters = session.into_iter().chain(peer.into_iter().flat_map(networks).map(of_network));
        let counted = self.table.begin(counters.collect(), now);
        counted.map_err(|wait| Refusal::throttled(Reason::UserCodeThrottled, wait))
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

    fn session(n: u32) -> BrowserSession {
        BrowserSession::session(&n.to_string())
    }

    #[test]
    fn ft_22_five_wrong_codes_are_enough_for_a_session_and_not_for_its_address() {
        let limiter = AttemptLimiter::new(&Policy::default());
        let wrong = |peer, n, second| limiter.begin(peer, &session(n), at(second)).map(Attempt::keep);
        assert!((0..5).all(|_| wrong(address(1), 1, 0).is_ok()));
        let throttled = Refusal::throttled(Reason::UserCodeThrottled, Duration::from_secs(120));
        assert_eq!(wrong(address(1), 1, 0), Err(throttled.clone()));
        assert_eq!(wrong(address(9), 1, 0), Err(throttled), "wherever it goes");
        assert!(wrong(address(1), 2, 0).is_ok() && wrong(None, 3, 0).is_ok());
    }

    #[test]
    fn ft_22_an_address_has_a_burst_with_a_refill() {
        let limiter = AttemptLimiter::new(&Policy::default());
        let wrong = |n, second| limiter.begin(address(1), &session(n), at(second)).map(Attempt::keep);
        assert!((0..20).all(|n| wrong(n, 0).is_ok()));
        assert!((20..100).all(|n| wrong(n, 29).is_err()), "refused ones prolong nothing");
        assert!(wrong(100, 30).is_ok() && wrong(101, 30).is_err());
        assert!((0..20).all(|n| wrong(200 + n, 660).is_ok()));
    }

    #[test]
    fn a_right_code_costs_nothing() {
        let limiter = AttemptLimiter::new(&Policy::default());
        for _ in 0..100 {
            limiter.begin(address(1), &session(1), at(0)).unwrap().give_back();
        }
        assert!((0..5).all(|_| limiter.begin(address(1), &session(1), at(0)).map(Attempt::keep).is_ok()));
    }

    #[test]
    fn zero_is_no_limit() {
        let mut policy = Policy::default();
        (policy.user_code_failures, policy.user_code_failures_per_address) = (0, 0);
        let limiter = AttemptLimiter::new(&policy);
        assert!((0..100).all(|_| limiter.begin(address(1), &session(1), at(0)).map(Attempt::keep).is_ok()));
    }
}
