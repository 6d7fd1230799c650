//! The sessions of visitors who are not signed in. Strangers can create any number of them.
//!
//! Each network may have a limited number of sessions. When the total is reached, the network with the most
//! sessions for its kind loses its oldest one, so a flood evicts only its own sessions. Nothing here goes
//! through all sessions while the others wait.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// The limit of one address: an office behind it opens fewer sign-in pages per hour.
const OF_ONE_ADDRESS: usize = 200;

/// Sessions by key, by age, and by the networks that opened them.
pub(crate) struct Visitors<K, V> {
    lifetime: Duration,
    capacity: usize,
    sessions: HashMap<K, Visit<V>>,
    /// The keys by the numbers of their sessions; a later session has a higher number.
    ages: BTreeMap<u64, K>,
    next: u64,
    networks: HashMap<Network, BTreeSet<u64>>,
    /// The networks by size. Among equals, the one with the oldest session is the last.
    sizes: BTreeSet<(usize, Reverse<u64>, Network)>,
}

struct Visit<V> {
    number: u64,
    networks: Vec<Network>,
    until: Instant,
    session: V,
}

/// An IPv4 address, or a network of IPv6.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Network {
    bits: u128,
    prefix: u8,
}

impl<K: Clone + Eq + std::hash::Hash, V> Visitors<K, V> {
    pub(crate) fn new(lifetime: Duration, capacity: usize) -> Self {
        let (sessions, networks) = (HashMap::new(), HashMap::new());
        let (ages, sizes) = (BTreeMap::new(), BTreeSet::new());
        Self { lifetime, capacity, sessions, ages, next: 0, networks, sizes }
    }

    pub(crate) fn get(&self, key: &K, now: Instant) -> Option<&V> {
        self.sessions.get(key).filter(|visit| visit.until > now).map(|visit| &visit.session)
    }

    pub(crate) fn insert(&mut self, key: K, session: V, peer: Option<IpAddr>, now: Instant) {
        self.remove(&key);
        self.expire(now);
        let networks = networks_of(peer);
        // The narrower network first: what it loses, the wider ones lose too.
        if let Some(full) = networks.iter().find(|network| self.is_full(network)) {
            self.drop_oldest(*full);
        } else if self.sessions.len() >= self.capacity
            && let Some(&(.., largest)) = self.sizes.last()
        {
            self.drop_oldest(largest);
        }
        let number = self.next;
        self.next += 1;
        for network in &networks {
            self.change(*network, |own| own.insert(number));
        }
        self.ages.insert(number, key.clone());
        self.sessions.insert(key, Visit { number, networks, until: now + self.lifetime, session });
    }

    pub(crate) fn remove(&mut self, key: &K) {
        if let Some(Visit { number, networks, .. }) = self.sessions.remove(key) {
            self.ages.remove(&number);
            for network in networks {
                self.change(network, |own| own.remove(&number));
            }
        }
    }

    /// All sessions have the same lifetime, so the oldest are the first to expire.
    fn expire(&mut self, now: Instant) {
        while let Some(key) = self.ages.first_key_value().map(|(_, key)| key.clone())
            && self.get(&key, now).is_none()
        {
            self.remove(&key);
        }
    }

    fn is_full(&self, network: &Network) -> bool {
        self.networks.get(network).is_some_and(|own| own.len() >= OF_ONE_ADDRESS * network.share())
    }

    fn drop_oldest(&mut self, network: Network) {
        let oldest = self.networks.get(&network).and_then(BTreeSet::first);
        if let Some(key) = oldest.and_then(|number| self.ages.get(number)).cloned() {
            self.remove(&key);
        }
    }

    /// Changes the sessions of a network, and its place among the sizes.
    fn change(&mut self, network: Network, change: impl FnOnce(&mut BTreeSet<u64>) -> bool) {
        let own = self.networks.entry(network).or_default();
        if let Some(place) = network.place(own) {
            self.sizes.remove(&place);
        }
        change(own);
        if let Some(place) = network.place(own) {
            self.sizes.insert(place);
        } else {
            self.networks.remove(&network);
        }
    }
}

impl Network {
    /// How many addresses it counts as: an IPv6 subscriber has at least a /64, often a /56, and a site has a
    /// /48.
    fn share(self) -> usize {
        match self.prefix {
            48 => SITE,
            56 => 4,
            _ => 1,
        }
    }

    /// Its place among the sizes, unless it has no sessions.
    fn place(self, own: &BTreeSet<u64>) -> Option<(usize, Reverse<u64>, Self)> {
        Some((own.len() * (SITE / self.share()), Reverse(*own.first()?), self))
    }
}

const SITE: usize = 16;

/// The networks of an address, the narrowest first. All unknown addresses are one.
fn networks_of(peer: Option<IpAddr>) -> Vec<Network> {
    let of = |bits: u128, prefix: u8| Network { bits: bits & (u128::MAX << (128 - prefix)), prefix };
    match peer.map(|peer| peer.to_canonical()) {
        None => vec![Network { bits: 0, prefix: 0 }],
        Some(IpAddr::V4(v4)) => vec![of(v4.to_ipv6_mapped().to_bits(), 128)],
        Some(IpAddr::V6(v6)) => [64, 56, 48].map(|prefix| of(v6.to_bits(), prefix)).into(),
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
        assert_eq!(visitors.sessions.len(), OF_ONE_ADDRESS + 1);
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
        assert_eq!(visitors.sessions.len(), OF_ONE_ADDRESS);
    }

    #[test]
    fn a_site_with_many_networks_drives_out_none_but_its_own_sessions() {
        let now = Instant::now();
        let mut visitors = Visitors::new(HOUR, 100);
        visitors.insert(0_u16, "honest", peer(1), now);
        for n in 1..10_000 {
            let address = std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, n, 0, 0, 0, 1);
            visitors.insert(n, "flood", Some(address.into()), now);
        }
        assert_eq!(visitors.get(&0, now), Some(&"honest"));
        assert_eq!(visitors.sessions.len(), 100);
    }

    #[test]
    fn a_site_has_sixteen_times_the_limit_of_an_address() {
        let now = Instant::now();
        let mut visitors = Visitors::new(HOUR, 10_000);
        for n in 0..5_000 {
            let address = std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, n, 0, 0, 0, 1);
            visitors.insert(n, (), Some(address.into()), now);
        }
        assert_eq!(visitors.sessions.len(), 16 * OF_ONE_ADDRESS);
    }

    #[test]
    fn the_sizes_are_those_of_the_networks() {
        let now = Instant::now();
        let mut visitors = Visitors::new(HOUR, 50);
        for n in 0..1_000_u16 {
            let address = std::net::Ipv6Addr::new(0x2001, 0xdb8, n % 7, n % 300, 0, 0, 0, 1);
            visitors.insert(n, (), Some(address.into()), now + Duration::from_secs(n.into()));
            visitors.remove(&(n / 2));
            let places = visitors.networks.iter().filter_map(|(network, own)| network.place(own));
            assert!(places.collect::<BTreeSet<_>>() == visitors.sizes);
            assert_eq!(visitors.sizes.len(), visitors.networks.len());
            assert_eq!(visitors.ages.len(), visitors.sessions.len());
        }
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
        assert!(visitors.ages.is_empty() && visitors.sizes.is_empty());
    }
}
