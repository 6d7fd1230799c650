//! How often a password may be tried.

use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::expiring::Expiring;

const WINDOW: Duration = Duration::from_secs(60);
const WATCHED: usize = 10_000;

/// Failed attempts per minute of one attacker, or at one victim.
pub(crate) struct Attempts<K> {
    allowed: u32,
    failed: Mutex<Expiring<K, u32>>,
}

impl<K: Clone + Eq + Hash> Attempts<K> {
    /// `allowed` failures in a minute; 0 is no limit.
    pub(crate) fn per_minute(allowed: u32) -> Self {
        Self { allowed, failed: Mutex::new(Expiring::new(WINDOW, WATCHED)) }
    }

    /// Counts an attempt before its outcome is known, so that parallel ones cannot slip past the limit.
    /// `Err` is the time to wait.
    pub(crate) fn begin(&self, who: &K, now: Instant) -> Result<(), Duration> {
        if self.allowed == 0 {
            return Ok(());
        }
        let mut failed = self.lock();
        match failed.get_mut(who, now) {
            Some((count, left)) if *count >= self.allowed => Err(left),
            Some((count, _)) => {
                *count += 1;
                Ok(())
            }
            None => {
                failed.insert(who.clone(), 1, now);
                Ok(())
            }
        }
    }

    /// The attempt succeeded, so it does not count.
    pub(crate) fn succeeded(&self, who: &K, now: Instant) {
        if let Some((count, _)) = self.lock().get_mut(who, now) {
            *count = count.saturating_sub(1);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Expiring<K, u32>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whom an address belongs to: one subscriber of IPv6 has a whole /64 to try from.
///
/// The address is the one of the connection. A header that claims another one changes nothing.
pub(crate) fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_waits_and_another_does_not() {
        let now = Instant::now();
        let attempts = Attempts::per_minute(2);
        assert!(attempts.begin(&"a", now).is_ok());
        assert!(attempts.begin(&"a", now).is_ok());
        assert_eq!(attempts.begin(&"a", now), Err(WINDOW));
        assert!(attempts.begin(&"b", now).is_ok());
        assert!(attempts.begin(&"a", now + WINDOW).is_ok());
    }

    #[test]
    fn success_is_free() {
        let now = Instant::now();
        let attempts = Attempts::per_minute(1);
        for _ in 0..5 {
            assert!(attempts.begin(&"a", now).is_ok());
            attempts.succeeded(&"a", now);
        }
    }

    #[test]
    fn zero_is_no_limit() {
        let attempts = Attempts::per_minute(0);
        assert!((0..100).all(|_| attempts.begin(&"a", Instant::now()).is_ok()));
    }

    #[test]
    fn a_whole_ipv6_subscriber_is_one_address() {
        let of = |text: &str| text.parse().map(network);
        assert_eq!(of("2001:db8::1"), of("2001:db8::2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
