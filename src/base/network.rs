//! The networks that an address is counted with.

use std::net::IpAddr;

/// An address of IPv4, or a network of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Network {
    bits: u128,
    prefix: u8,
}

impl Network {
    /// Whether this address is in it.
    pub(crate) fn has(self, peer: IpAddr) -> bool {
        // Only an IPv4 address is alone; `::/48` would hold them all.
        let is_of_family = peer.to_canonical().is_ipv4() == (self.prefix == 128);
        is_of_family && bits(peer) & mask(self.prefix) == self.bits
    }
}

/// Prefix lengths of IPv6, each with its multiple of the limit of one address. A subscriber has at least a
/// /64, often a /56, and a site has a /48.
pub(crate) type Ipv6Prefixes = [(u8, u32)];

const OF_IPV4: &Ipv6Prefixes = &[(128, 1)];

/// The networks of an address, each with its multiple of the limit of one address.
pub(crate) fn networks(peer: IpAddr, of_ipv6: &'static Ipv6Prefixes) -> impl Iterator<Item = (Network, u32)> {
    let prefixes = if peer.to_canonical().is_ipv4() { OF_IPV4 } else { of_ipv6 };
    prefixes
        .iter()
        .map(move |(prefix, times)| (Network { bits: bits(peer) & mask(*prefix), prefix: *prefix }, *times))
}

fn bits(peer: IpAddr) -> u128 {
    match peer.to_canonical() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The prefix has at least one bit.
fn mask(prefix: u8) -> u128 {
    u128::MAX << (128 - u32::from(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<(Network, u32)> {
        networks(text.parse().unwrap(), &[(64, 1), (56, 4), (48, 16)]).collect()
    }

    #[test]
    fn an_ipv4_address_is_alone_in_either_spelling() {
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.1"));
        assert_eq!(of("192.0.2.1").len(), 1);
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }

    #[test]
    fn an_ipv6_address_is_in_three_networks() {
        let (a, b) = (of("2001:db8:1:100::1"), of("2001:db8:1:100:ffff::2"));
        assert_eq!(a, b);
        let neighbour = of("2001:db8:1:1ff::1");
        assert_ne!(a[0], neighbour[0]);
        assert_eq!(a[1..], neighbour[1..], "one /56");
        let site = of("2001:db8:1:ff00::1");
        assert_ne!(a[1], site[1]);
        assert_eq!(a[2], site[2], "one /48");
        assert_ne!(a[2], of("2001:db8:2::1")[2]);
        let has = |at: usize, text: &str| a[at].0.has(text.parse().unwrap());
        assert_eq!([has(1, "2001:db8:1:1ff::1"), has(1, "2001:db8:1:ff00::1")], [true, false]);
        assert_eq!([has(2, "2001:db8:1:ff00::1"), has(2, "192.0.2.1")], [true, false]);
        assert!(!of("::1")[2].0.has("192.0.2.1".parse().unwrap()));
    }
}
