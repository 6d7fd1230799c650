//! [`Peers`]: how many documents of unknown clients were fetched for each address in this minute.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, Utc};

/// The most addresses that are counted at a time.
const ADDRESSES: usize = 16 * 1024;

#[derive(Debug, Default)]
pub(super) struct Peers {
    minute: i64,
    counts: HashMap<IpAddr, u32>,
}

impl Peers {
    /// How long until the next minute, if this address has used up its limit; 0 is no limit.
    pub(super) fn until_room(&self, peer: IpAddr, limit: u32, now: DateTime<Utc>) -> Option<Duration> {
        let counted = self.counts.get(&peer).filter(|_| !self.is_past(minute(now)));
        counted.filter(|count| limit > 0 && **count >= limit)?;
        let next = DateTime::from_timestamp((self.minute + 1) * 60, 0)?;
        (next - now).to_std().ok()
    }

    pub(super) fn count(&mut self, peer: IpAddr, now: DateTime<Utc>) {
        if self.is_past(minute(now)) {
            *self = Self { minute: minute(now), counts: HashMap::new() };
        }
        // When the list is full, the addresses with few requests are evicted.
        while self.counts.len() >= ADDRESSES && !self.counts.contains_key(&peer) {
            let least = self.counts.values().min().copied().unwrap_or_default();
            self.counts.retain(|_, count| *count > least);
        }
        let count = self.counts.entry(peer).or_default();
        *count = count.saturating_add(1);
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

/// The owner of an IPv6 address usually has a /56.
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
        for n in 0..2 * ADDRESSES {
            peers.count(IpAddr::V4(Ipv4Addr::from(n as u32)), at(0));
        }
        assert!(peers.counts.len() <= ADDRESSES);
        assert!(peers.until_room(busy, 3, at(0)).is_some());
    }

    #[test]
    fn ft_10_a_network_of_ipv6_is_one_address() {
        let peer =
            |last: u16, subnet: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, subnet, 0, 0, 0, last));
        assert_eq!(network(peer(1, 2)), network(peer(9, 0xff)));
        assert_ne!(network(peer(1, 2)), network(peer(1, 0x102)));
    }
}
