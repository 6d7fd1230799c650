//! [`Peers`]: how many documents of unknown clients were fetched for each address in this minute.

use std::collections::HashMap;
use std::net::IpAddr;

use chrono::{DateTime, Utc};

/// Addresses that are watched at a time.
const ADDRESSES: usize = 16 * 1024;

#[derive(Debug, Default)]
pub(super) struct Peers {
    minute: i64,
    counts: HashMap<IpAddr, u32>,
}

impl Peers {
    /// Whether this address has had its share of the minute; a limit of 0 is none.
    pub(super) fn is_over(&self, peer: IpAddr, limit: u32, now: DateTime<Utc>) -> bool {
        let counted = self.counts.get(&peer).filter(|_| !self.is_past(minute(now)));
        limit > 0 && counted.is_some_and(|count| *count >= limit)
    }

    pub(super) fn count(&mut self, peer: IpAddr, now: DateTime<Utc>) {
        if self.is_past(minute(now)) {
            *self = Self { minute: minute(now), counts: HashMap::new() };
        }
        // An address that fills the list pushes out those that did little.
        while self.counts.len() >= ADDRESSES && !self.counts.contains_key(&peer) {
            let least = self.counts.values().min().copied().unwrap_or_default();
            self.counts.retain(|_, count| *count > least);
        }
        let count = self.counts.entry(peer).or_default();
        *count = count.saturating_add(1);
    }

    /// Whether the counts are those of a minute that is over. A late request of the last minute does not bring that one back; a
    /// clock that was set back by more does not stop the counting.
    fn is_past(&self, minute: i64) -> bool {
        minute > self.minute || self.minute - minute > 1
    }
}

fn minute(now: DateTime<Utc>) -> i64 {
    now.timestamp().div_euclid(60)
}

/// The owner of one IPv6 address mostly has a /56 of them.
pub(super) fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => {
            let mut octets = v6.octets();
            octets[7..].fill(0);
            IpAddr::V6(octets.into())
        }
    }
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
        assert!(
            peers.is_over(peer, 2, at(60))
                && peers.is_over(peer, 2, at(59))
                && !peers.is_over(peer, 3, at(60))
        );
        assert!(!peers.is_over(peer, 0, at(60)), "0 is no limit");
        assert!(!peers.is_over(peer, 2, at(120)));
        assert!(!peers.is_over(peer, 2, at(-60)), "a clock that was set back stops nobody");
    }

    #[test]
    fn ft_10_a_flood_of_addresses_pushes_out_those_that_did_little() {
        let (mut peers, busy) = (Peers::default(), IpAddr::V4(Ipv4Addr::LOCALHOST));
        (0..3).for_each(|_| peers.count(busy, at(0)));
        for n in 0..2 * ADDRESSES {
            peers.count(IpAddr::V4(Ipv4Addr::from(n as u32)), at(0));
        }
        assert!(peers.counts.len() <= ADDRESSES);
        assert!(peers.is_over(busy, 3, at(0)));
    }

    #[test]
    fn ft_10_a_network_of_ipv6_is_one_address() {
        let peer =
            |last: u16, subnet: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, subnet, 0, 0, 0, last));
        assert_eq!(network(peer(1, 2)), network(peer(9, 0xff)));
        assert_ne!(network(peer(1, 2)), network(peer(1, 0x102)));
    }
}
