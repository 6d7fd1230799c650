//! The sessions of visitors who are not signed in. Strangers can create any number of them.
//!
//! Each network may have a limited number of sessions. When the total is reached, the network with the most
//! sessions loses its oldest one, so a flood evicts only its own sessions.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// The limit per network: an office behind one address opens fewer sign-in pages per hour.
const OF_ONE_NETWORK: usize = 200;

/// Sessions by key, and by the network that opened them.
pub(crate) struct Visitors<K, V> {
    lifetime: Duration,
    capacity: usize,
    sessions: HashMap<K, Visit<V>>,
    networks: HashMap<Network, VecDeque<(Instant, K)>>,
}

struct Visit<V> {
    network: Network,
    until: Instant,
    session: V,
}

/// An IPv4 address, the first 64 bits of an IPv6 address, or `None` if unknown.
type Network = Option<u128>;

impl<K: Clone + Eq + std::hash::Hash, V> Visitors<K, V> {
    pub(crate) fn new(lifetime: Duration, capacity: usize) -> Self {
        Self { lifetime, capacity, sessions: HashMap::new(), networks: HashMap::new() }
    }

    pub(crate) fn get(&self, key: &K, now: Instant) -> Option<&V> {
        self.sessions.get(key).filter(|visit| visit.until > now).map(|visit| &visit.session)
    }

    pub(crate) fn insert(&mut self, key: K, session: V, peer: Option<IpAddr>, now: Instant) {
        let (network, until) = (peer.map(network_of), now + self.lifetime);
        if self.sessions.len() >= self.capacity {
            self.expire(now);
        }
        if self.networks.get(&network).is_some_and(|own| own.len() >= OF_ONE_NETWORK) {
            self.drop_oldest(network);
        } else if self.sessions.len() >= self.capacity {
            self.drop_oldest_of_the_largest();
        }
        self.networks.entry(network).or_default().push_back((until, key.clone()));
        self.sessions.insert(key, Visit { network, until, session });
    }

    pub(crate) fn remove(&mut self, key: &K) {
        if let Some(Visit { network, .. }) = self.sessions.remove(key)
            && let Some(own) = self.networks.get_mut(&network)
        {
            own.retain(|(_, other)| other != key);
            if own.is_empty() {
                self.networks.remove(&network);
            }
        }
    }

    fn expire(&mut self, now: Instant) {
        self.sessions.retain(|_, visit| visit.until > now);
        self.networks.retain(|_, own| {
            own.retain(|(until, _)| *until > now);
            !own.is_empty()
        });
    }

    /// Among networks with equally many sessions, picks the one with the oldest session.
    fn drop_oldest_of_the_largest(&mut self) {
        let oldest = |own: &VecDeque<(Instant, K)>| own.front().map(|(until, _)| std::cmp::Reverse(*until));
        let largest = self.networks.iter().max_by_key(|(_, own)| (own.len(), oldest(own)));
        if let Some(network) = largest.map(|(network, _)| *network) {
            self.drop_oldest(network);
        }
    }

    fn drop_oldest(&mut self, network: Network) {
        let oldest = self.networks.get(&network).and_then(|own| own.front());
        if let Some(key) = oldest.map(|(_, key)| key.clone()) {
            self.remove(&key);
        }
    }
}

fn network_of(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_bits().into(),
        // Larger than every IPv4 address: no routable network begins with 64 zero bits.
        IpAddr::V6(v6) => v6.to_bits() & !u128::from(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn peer(n: u32) -> Option<IpAddr> {
        Some(IpAddr::from(n.to_be_bytes()))
    }

    #[test]
    fn a_stranger_drives_out_none_but_his_own_sessions() {
        let now = Instant::now();
        let mut visitors = Visitors::new(HOUR, 1_000);
        visitors.insert(0_u32, "honest", peer(1), now);
        for n in 1..100_000 {
            visitors.insert(n, "flood", peer(2), now);
        }
        assert_eq!(visitors.get(&0, now), Some(&"honest"));
        assert_eq!(visitors.sessions.len(), OF_ONE_NETWORK + 1);
        assert!(visitors.get(&1, now).is_none() && visitors.get(&99_999, now).is_some());
    }

    #[test]
    fn many_strangers_drive_out_each_other_where_each_has_more_than_one() {
        let now = Instant::now();
        let mut visitors = Visitors::new(HOUR, 100);
        visitors.insert(0_u32, "honest", peer(1), now);
        for n in 1..10_000 {
            visitors.insert(n, "flood", peer(2 + n % 20), now);
        }
        assert_eq!(visitors.get(&0, now), Some(&"honest"));
        assert_eq!(visitors.sessions.len(), 100);
    }

    #[test]
    fn all_addresses_of_an_ipv6_network_count_as_one() {
        let now = Instant::now();
        let mut visitors = Visitors::new(HOUR, 1_000);
        for n in 0..1_000_u16 {
            let address = std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, n);
            visitors.insert(n, (), Some(address.into()), now);
        }
        assert_eq!(visitors.sessions.len(), OF_ONE_NETWORK);
    }

    #[test]
    fn what_expired_or_was_removed_takes_no_room() {
        let now = Instant::now();
        let mut visitors = Visitors::new(HOUR, 2);
        visitors.insert("a", (), peer(1), now);
        assert!(visitors.get(&"a", now).is_some() && visitors.get(&"a", now + HOUR).is_none());
        visitors.insert("b", (), peer(2), now);
        visitors.insert("c", (), peer(3), now + HOUR);
        visitors.remove(&"c");
        assert!(visitors.sessions.is_empty() && visitors.networks.is_empty());
    }
}
