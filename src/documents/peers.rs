//! [`Peers`]: how many documents of unknown clients were fetched for each network in this minute, and for
//! which networks one did not arrive.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::cache::make_room;
use crate::base::network::{self, Ipv6Prefixes, Network};

/// The most networks that are counted at a time.
const NETWORKS: usize = 16 * 1024;

/// How long a failure counts.
const MINUTE: TimeDelta = TimeDelta::seconds(60);

/// The owner of an IPv6 address usually has a /56; a site with a /48 may do twice as much.
const OF_IPV6: &Ipv6Prefixes = &[(56, 1), (48, 2)];

#[derive(Debug, Default)]
pub(super) struct Peers {
    minute: i64,
    counts: HashMap<Network, u32>,
    /// When a fetch for this network last failed; of IPv6, the /48.
    failures: HashMap<Network, DateTime<Utc>>,
}

impl Peers {
    /// How long until the next minute, if a network of this address has used up its limit; 0 is no limit.
    pub(super) fn until_room(&self, peer: IpAddr, limit: u32, now: DateTime<Utc>) -> Option<Duration> {
        if limit == 0 || self.is_past(minute(now)) {
            return None;
        }
        let mut networks = networks(peer);
        let is_full = |(network, times): (Network, u32)| {
            self.counts.get(&network).is_some_and(|count| *count >= limit.saturating_mul(times))
        };
        if !networks.any(is_full) {
            return None;
        }
        let next = DateTime::from_timestamp((self.minute + 1) * 60, 0)?;
        (next - now).to_std().ok()
    }

    pub(super) fn count(&mut self, peer: IpAddr, now: DateTime<Utc>) {
        if self.is_past(minute(now)) {
            (self.minute, self.counts) = (minute(now), HashMap::new());
        }
        for (network, _) in networks(peer) {
            // When the list is full, the networks with few requests are evicted.
            while self.counts.len() >= NETWORKS && !self.counts.contains_key(&network) {
                let least = self.counts.values().min().copied().unwrap_or_default();
                self.counts.retain(|_, count| *count > least);
            }
            let count = self.counts.entry(network).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// Records that a document did not arrive for this address.
    pub(super) fn failed(&mut self, peer: IpAddr, now: DateTime<Utc>) {
        if let Some(network) = widest(peer) {
            make_room(&mut self.failures, &network, NETWORKS, |_, at| *at);
            self.failures.insert(network, now);
        }
    }

    /// Whether a document did not arrive for this network in the last minute.
    pub(super) fn has_failed(&self, peer: IpAddr, now: DateTime<Utc>) -> bool {
        let last = widest(peer).and_then(|network| self.failures.get(&network));
        last.is_some_and(|at| *at <= now && now - *at < MINUTE)
    }

    /// Whether the counts belong to a past minute. A late request of the previous minute does not reset them;
    /// if the clock is set back by more than that, counting starts again.
    fn is_past(&self, minute: i64) -> bool {
        minute > self.minute || self.minute - minute > 1
    }
}

fn minute(now: DateTime<Utc>) -> i64 {
    now.timestamp().div_euclid(60)
}

/// The networks of an address, each with its multiple of the limit of one address.
fn networks(peer: IpAddr) -> impl Iterator<Item = (Network, u32)> {
    network::networks(peer, OF_IPV6)
}

fn widest(peer: IpAddr) -> Option<Network> {
    networks(peer).last().map(|(network, _)| network)
}

/// Whether a network of this address has reached its limit, if these are the addresses that are served now.
pub(super) fn is_crowded(peer: IpAddr, limit: usize, served: impl Iterator<Item = IpAddr> + Clone) -> bool {
    networks(peer).any(|(network, times)| {
        let here = served.clone().filter(|other| network.has(*other)).count();
        here >= limit.saturating_mul(times as usize)
    })
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_040 + seconds, 0).unwrap()
    }

    #[test]
    fn ft_10_counts_begin_again_with_the_minute_and_never_with_a_late_request() {
        let (mut peers, peer) = (Peers::default(), IpAddr::V4(Ipv4Addr::LOCALHOST));
        peers.count(peer, at(60));
        peers.count(peer, at(59));
        let wait = |limit, second| peers.until_room(peer, limit, at(second)).map(|wait| wait.as_secs());
        assert_eq!([wait(2, 60), wait(2, 59), wait(2, 119)], [Some(60), Some(61), Some(1)]);
        assert_eq!(wait(3, 60), None);
        assert_eq!(wait(0, 60), None, "0 is no limit");
        assert_eq!(wait(2, 120), None);
        assert_eq!(wait(2, -60), None, "a clock that was set back stops no one");
    }

    #[test]
    fn ft_10_a_flood_of_addresses_pushes_out_those_that_did_little() {
        let (mut peers, busy) = (Peers::default(), IpAddr::V4(Ipv4Addr::LOCALHOST));
        (0..3).for_each(|_| peers.count(busy, at(0)));
        for n in 0..2 * NETWORKS {
            peers.count(IpAddr::V4(Ipv4Addr::from(n as u32)), at(0));
        }
        assert!(peers.counts.len() <= NETWORKS);
        assert!(peers.until_room(busy, 3, at(0)).is_some());
    }

    #[test]
    fn ft_10_a_network_of_ipv6_is_one_address_and_a_site_is_two() {
        let peer =
            |last: u16, subnet: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, subnet, 0, 0, 0, last));
        let mut peers = Peers::default();
        peers.count(peer(1, 2), at(0));
        let is_full = |peers: &Peers, peer| peers.until_room(peer, 1, at(0)).is_some();
        assert!(is_full(&peers, peer(9, 0xff)), "the same /56");
        assert!(!is_full(&peers, peer(1, 0x102)), "another one");
        peers.count(peer(1, 0x102), at(0));
        assert!(is_full(&peers, peer(1, 0x202)), "the third of a /48");
        let served = [peer(1, 2), peer(1, 0x102)];
        assert!(is_crowded(peer(1, 0x202), 1, served.into_iter()));
        assert!(!is_crowded(peer(1, 0x202), 2, served.into_iter()));
    }

    #[test]
    fn ft_10_a_failure_counts_for_a_minute_and_for_a_site() {
        let [peer, other, foreign] = ["2001:db8:1::1", "2001:db8:1:ff00::1", "2001:db8:2::1"]
            .map(|text| text.parse::<IpAddr>().unwrap());
        let mut peers = Peers::default();
        peers.failed(peer, at(0));
        assert!(peers.has_failed(peer, at(59)) && peers.has_failed(other, at(59)));
        assert!(!peers.has_failed(foreign, at(59)));
        assert!(!peers.has_failed(peer, at(60)));
        assert!(!peers.has_failed(peer, at(-1)), "a clock that was set back stops no one");
    }
}
