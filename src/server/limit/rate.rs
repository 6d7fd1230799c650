//! Limits by address: a number of attempts a minute at one key, and a larger number at all keys together.

use std::hash::Hash;
use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::networks;
use super::table::{Attempt, Key, Place, Rule, Table, keyed_hash};
use crate::base::time::whole_seconds;
use crate::client::ClientId;
use crate::error::{Reason, Refusal};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The limit of an address for all keys together is this many times the limit for a single key.
const AT_ALL_THINGS: u32 = 10;

/// One address may use this fraction of the daily limit on registrations.
const SHARE: u32 = 10;

/// A limit on guesses for the sign-in page of a host, the same as the server's own: by address and key (what
/// is guessed), and ten times as many by address alone. An IPv6 address is counted with its /64, and with
/// higher limits with its /56 and its /48.
///
/// An attempt is counted before its outcome is known, so parallel attempts cannot slip past the limit, and a
/// right one is given back. A burst of `limit` attempts is possible; the allowance returns evenly, `limit` a
/// minute. A refused attempt is not counted. The counters are this process's own and bounded in number.
///
/// ```
/// use std::net::IpAddr;
/// use grantor::server::RateLimiter;
///
/// let logins = RateLimiter::per_minute(20);
/// let (peer, now) = (IpAddr::from([192, 0, 2, 1]), chrono::Utc::now());
/// for _ in 0..20 {
///     logins.begin(Some(peer), "alice", now).expect("there is room").keep();
/// }
/// let throttled = logins.begin(Some(peer), "alice", now).unwrap_err();
/// assert_eq!(throttled.retry_after(), 3);
/// logins.begin(Some(peer), "bob", now).expect("another user name").give_back();
/// ```
#[derive(Debug)]
pub struct RateLimiter {
    limit: u32,
    period: Duration,
    table: Table,
}

impl RateLimiter {
    /// `limit` attempts a minute at one key from one address; 0 means unlimited.
    #[must_use]
    pub fn per_minute(limit: u32) -> Self {
        Self::new(limit, MINUTE)
    }

    fn new(limit: u32, period: Duration) -> Self {
        Self { limit, period, table: Table::new() }
    }

    /// Counts an attempt at `what`, say a user name, from this address. `peer` is trusted
    /// ([`Request::peer`](crate::Request::peer)); without it there is no limit.
    ///
    /// # Errors
    /// There is no room for it now.
    pub fn begin(
        &self,
        peer: Option<IpAddr>,
        what: impl Hash,
        now: DateTime<Utc>,
    ) -> Result<Attempt<'_>, Throttled> {
        let what = keyed_hash(what);
        let peer = peer.filter(|_| self.limit > 0);
        let of_network = |(network, times)| {
            let place = Place::Network(network);
            let at_one = (Key { place, what: Some(what) }, self.rule(times));
            [at_one, (Key { place, what: None }, self.rule(times * AT_ALL_THINGS))]
        };
        self.count(peer.into_iter().flat_map(networks).flat_map(of_network), now)
    }

    /// Like [`begin`](Self::begin) from any address, for guesses that arrive through one client, such as the
    /// user names that an application presents.
    ///
    /// # Errors
    /// There is no room for it now.
    pub fn begin_anywhere(&self, what: impl Hash, now: DateTime<Utc>) -> Result<Attempt<'_>, Throttled> {
        let key = Key { place: Place::Anywhere, what: Some(keyed_hash(what)) };
        self.count(Some((key, self.rule(1))).filter(|_| self.limit > 0), now)
    }

    /// Counts an attempt by address alone.
    fn begin_alone(&self, peer: Option<IpAddr>, now: DateTime<Utc>) -> Result<Attempt<'_>, Throttled> {
        let peer = peer.filter(|_| self.limit > 0);
        // A separate counter: the one for all keys has a different limit.
        let what = Some(keyed_hash(()));
        let of_network = |(network, times)| (Key { place: Place::Network(network), what }, self.rule(times));
        self.count(peer.into_iter().flat_map(networks).map(of_network), now)
    }

    fn count(
        &self,
        counters: impl IntoIterator<Item = (Key, Rule)>,
        now: DateTime<Utc>,
    ) -> Result<Attempt<'_>, Throttled> {
        self.table.begin(counters.into_iter().collect(), now).map_err(Throttled)
    }

    fn rule(&self, times: u32) -> Rule {
        Rule::new(self.limit.saturating_mul(times), self.period)
    }
}

/// A limit has no room for an attempt now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many attempts: try again in {0:?}")]
pub struct Throttled(Duration);

impl Throttled {
    /// The time until there is room again.
    #[must_use]
    pub fn wait(&self) -> Duration {
        self.0
    }

    /// The same in whole seconds, rounded up, for `Retry-After` (RFC 9110 section 10.2.3).
    #[must_use]
    pub fn retry_after(&self) -> u32 {
        whole_seconds(self.0).get()
    }
}

/// The limits on registrations: by address in a minute, and in a day by address and in all. Changes have the
/// limit of a minute, by client and by address.
#[derive(Debug)]
pub(in crate::server) struct RegistrationLimiter {
    in_a_minute: RateLimiter,
    in_a_day: RateLimiter,
    in_all: RateLimiter,
}

impl RegistrationLimiter {
    pub(in crate::server) fn new(per_minute: u32, per_day: u32) -> Self {
        Self {
            in_a_minute: RateLimiter::per_minute(per_minute),
            in_a_day: RateLimiter::new(per_day.div_ceil(SHARE), DAY),
            in_all: RateLimiter::new(per_day, DAY),
        }
    }

    /// Counts a registration request, regardless of its outcome. A request with an initial access token
    /// counts by that token, so others at the same address cannot use up its limit.
    pub(in crate::server) fn asks(
        &self,
        peer: Option<IpAddr>,
        token: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let admitted = match token {
            Some(token) => self.in_a_minute.begin(peer, token, now),
            None => self.in_a_minute.begin_alone(peer, now),
        };
        admitted.map(Attempt::keep).map_err(throttled)
    }

    /// Counts a change of a client that presented its registration access token, regardless of its outcome:
    /// by client from any address, and by address with all its clients.
    pub(in crate::server) fn changes(
        &self,
        peer: Option<IpAddr>,
        client: &ClientId,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let of_client = self.in_a_minute.begin_anywhere(client, now).map_err(throttled)?;
        match self.in_a_minute.begin(peer, client, now) {
            Ok(from_address) => {
                of_client.keep();
                from_address.keep();
                Ok(())
            }
            Err(full) => {
                of_client.give_back();
                Err(throttled(full))
            }
        }
    }

    /// Counts a client that is about to be registered without a token.
    pub(in crate::server) fn registers(
        &self,
        peer: Option<IpAddr>,
        now: DateTime<Utc>,
    ) -> Result<[Attempt<'_>; 2], Refusal> {
        let by_address = self.in_a_day.begin_alone(peer, now).map_err(throttled)?;
        match self.in_all.begin_anywhere((), now) {
            Ok(in_all) => Ok([by_address, in_all]),
            Err(full) => {
                by_address.give_back();
                Err(throttled(full))
            }
        }
    }
}

fn throttled(full: Throttled) -> Refusal {
    Refusal::throttled(Reason::RegistrationThrottled, full.wait())
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn admits(limiter: &RateLimiter, peer: &str, what: &str) -> bool {
        limiter.begin(Some(peer.parse().unwrap()), what, now()).map(Attempt::keep).is_ok()
    }

    #[test]
    fn ft_18_one_client_is_limited_and_another_from_the_same_address_is_not() {
        let limiter = RateLimiter::per_minute(3);
        assert!((0..3).all(|_| admits(&limiter, "192.0.2.1", "a")));
        assert!(!admits(&limiter, "192.0.2.1", "a"));
        assert!(admits(&limiter, "192.0.2.1", "b") && admits(&limiter, "192.0.2.2", "a"));
    }

    #[test]
    fn ft_18_all_that_one_address_tries_is_limited_too() {
        let limiter = RateLimiter::per_minute(3);
        assert!((0..30).all(|n| admits(&limiter, "192.0.2.1", &n.to_string())));
        assert!(!admits(&limiter, "192.0.2.1", "30"));
        assert!(admits(&limiter, "192.0.2.2", "30"));
    }

    #[test]
    fn a_wait_is_told_in_whole_seconds_at_the_end_of_which_there_is_room() {
        let limiter = RateLimiter::per_minute(7);
        let tries = |second| limiter.begin_anywhere("alice", now() + TimeDelta::seconds(second));
        (0..7).for_each(|_| tries(0).unwrap().keep());
        let throttled = tries(0).unwrap_err();
        assert_eq!((throttled.wait(), throttled.retry_after()), (Duration::from_micros(60_000_000 / 7), 9));
        assert!(tries(8).is_err() && tries(9).is_ok());
    }

    #[test]
    fn ft_20_of_many_at_once_no_more_begin_than_fit() {
        let limiter = RateLimiter::per_minute(120);
        let peer = Some(IpAddr::from([192, 0, 2, 1]));
        let begun = std::thread::scope(|scope| {
            let begin = || (0..500).filter_map(|_| limiter.begin(peer, "alice", now()).ok()).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(begin)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
        });
        assert_eq!(begun, 120);
    }

    #[test]
    fn ft_21_the_networks_of_one_site_do_not_flush_its_counters() {
        let limiter = RateLimiter::per_minute(4);
        let admitted = (0..=u16::MAX).filter(|n| admits(&limiter, &format!("2001:db8:1:{n:x}::1"), "a"));
        assert_eq!(admitted.count(), 16 * 4, "sixteen times the limit of one address");
        assert!(admits(&limiter, "2001:db8:2::1", "a"), "another site");
    }

    #[test]
    fn no_address_and_a_limit_of_zero_are_not_limited() {
        let (limiter, unlimited) = (RateLimiter::per_minute(1), RateLimiter::per_minute(0));
        assert!((0..100).all(|_| limiter.begin(None, "a", now()).map(Attempt::keep).is_ok()));
        assert!((0..100).all(|_| admits(&unlimited, "192.0.2.1", "a")));
        assert!((0..100).all(|_| unlimited.begin_anywhere("a", now()).map(Attempt::keep).is_ok()));
        assert_eq!((limiter.table.len(), unlimited.table.len()), (0, 0));
    }

    #[test]
    fn ft_17_registrations_are_limited_in_all() {
        let limiter = RegistrationLimiter::new(0, 20);
        let from = |n: u8| limiter.registers(Some([192, 0, 2, n].into()), now());
        for n in 0..10 {
            for _ in 0..2 {
                from(n).unwrap().into_iter().for_each(Attempt::keep);
            }
            assert!(from(n).is_err(), "a tenth of it from one address");
        }
        assert_eq!(from(99).unwrap_err(), throttled(Throttled(Duration::from_secs(24 * 60 * 60 / 20))));
    }

    #[test]
    fn a_holder_of_a_token_has_a_share_of_its_own() {
        let limiter = RegistrationLimiter::new(2, 0);
        let peer = Some(IpAddr::from([192, 0, 2, 1]));
        let asks = |token| limiter.asks(peer, token, now()).is_ok();
        assert_eq!([asks(None), asks(None), asks(None)], [true, true, false]);
        assert_eq!([asks(Some("t")), asks(Some("t")), asks(Some("t"))], [true, true, false]);
    }
}
