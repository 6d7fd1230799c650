//! Which addresses a request may reach: the special-purpose registries of IANA (RFC 6890), as pure functions.
//!
//! A URL determines where this machine connects to. An untrusted one must not reach an internal database, or
//! the metadata service of a cloud.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The reach of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reach {
    /// The public Internet.
    Public,
    /// This machine.
    Loopback,
    /// The private network.
    Private,
    /// Addresses at which no service should be: link-local (including cloud metadata services), multicast,
    /// documentation, tunnels, embedded IPv4, and everything reserved.
    Special,
}

impl Reach {
    /// The reach of this address. An embedded IPv4 address makes it special, except for NAT64's well-known
    /// prefix, through which a network without IPv4 reaches public IPv4 addresses.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => of_v4(address),
            IpAddr::V6(address) => of_v6(address),
        }
    }
}

fn of_v4(address: Ipv4Addr) -> Reach {
    let bits = u32::from(address);
    let listed = V4.iter().find(|(range, length, _)| {
        let shift = 32 - u32::from(*length);
        bits >> shift == u32::from(*range) >> shift
    });
    listed.map_or(Reach::Public, |(_, _, reach)| *reach)
}

fn of_v6(address: Ipv6Addr) -> Reach {
    let bits = u128::from(address);
    let within = |(range, length, _): &&(Ipv6Addr, u8, Reach)| {
        let shift = 128 - u32::from(*length);
        bits >> shift == u128::from(*range) >> shift
    };
    if let Some((_, _, reach)) = V6.iter().find(within) {
        return *reach;
    }
    if bits >> 32 == u128::from(NAT64) >> 32 {
        let [.., a, b, c, d] = address.octets();
        let is_public = of_v4(Ipv4Addr::new(a, b, c, d)) == Reach::Public;
        return if is_public { Reach::Public } else { Reach::Special };
    }
    // Global unicast is 2000::/3; IANA keeps the rest for itself.
    if bits >> 125 == 0b001 { Reach::Public } else { Reach::Special }
}

/// RFC 6052 section 2.1.
const NAT64: Ipv6Addr = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0);

/// The IANA IPv4 Special-Purpose Address Registry, and multicast.
#[rustfmt::skip]
const V4: &[(Ipv4Addr, u8, Reach)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8, Reach::Special),           // this network
    (Ipv4Addr::new(10, 0, 0, 0), 8, Reach::Private),
    (Ipv4Addr::new(100, 64, 0, 0), 10, Reach::Private),       // shared with the provider
    (Ipv4Addr::new(127, 0, 0, 0), 8, Reach::Loopback),
    (Ipv4Addr::new(169, 254, 0, 0), 16, Reach::Special),      // link-local
    (Ipv4Addr::new(172, 16, 0, 0), 12, Reach::Private),
    (Ipv4Addr::new(192, 0, 0, 0), 24, Reach::Special),        // protocol assignments
    (Ipv4Addr::new(192, 0, 2, 0), 24, Reach::Special),        // documentation
    (Ipv4Addr::new(192, 31, 196, 0), 24, Reach::Special),     // AS112
    (Ipv4Addr::new(192, 52, 193, 0), 24, Reach::Special),     // multicast tunnels
    (Ipv4Addr::new(192, 88, 99, 0), 24, Reach::Special),      // 6to4 relays
    (Ipv4Addr::new(192, 168, 0, 0), 16, Reach::Private),
    (Ipv4Addr::new(192, 175, 48, 0), 24, Reach::Special),     // AS112
    (Ipv4Addr::new(198, 18, 0, 0), 15, Reach::Special),       // benchmarks
    (Ipv4Addr::new(198, 51, 100, 0), 24, Reach::Special),     // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24, Reach::Special),      // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4, Reach::Special),         // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4, Reach::Special),         // reserved, and broadcast
];

/// The entries of the IANA IPv6 Special-Purpose Address Registry within 2000::/3, and the known ones outside.
#[rustfmt::skip]
const V6: &[(Ipv6Addr, u8, Reach)] = &[
    (Ipv6Addr::LOCALHOST, 128, Reach::Loopback),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, Reach::Private),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, Reach::Special),          // Teredo, ORCHID, benchmarks, ...
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, Reach::Special),      // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, Reach::Special),          // 6to4
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48, Reach::Special),  // AS112
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, Reach::Special),          // documentation
];

/// Which addresses are allowed besides the public ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Allowed {
    /// The addresses of this machine.
    pub loopback: bool,
    /// The addresses of the private network.
    pub private: bool,
}

impl Allowed {
    /// Whether this address is allowed.
    #[must_use]
    pub fn permits(self, address: IpAddr) -> bool {
        match Reach::of(address) {
            Reach::Public => true,
            Reach::Loopback => self.loopback,
            Reach::Private => self.private,
            Reach::Special => false,
        }
    }
}

/// The host of a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Host<'a> {
    /// An address, which can be checked at once.
    Address(IpAddr),
    /// A name, whose addresses are checked when it is resolved.
    Name(&'a str),
}

impl<'a> Host<'a> {
    /// Reads a host, strictly: browsers and resolvers take `2130706433`, `0x7f.1` and `0177.0.0.1` for
    /// addresses, so anything that could be taken for an address must be written in the standard form. `None`
    /// for any other text that is not a host.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        if let Some(literal) = text.strip_prefix('[') {
            let address: Ipv6Addr = literal.strip_suffix(']')?.parse().ok()?;
            return Some(Self::Address(address.into()));
        }
        let last = text.strip_suffix('.').unwrap_or(text).rsplit('.').next()?;
        let hex = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
        let is_number = last.bytes().all(|b| b.is_ascii_digit())
            || hex.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        if is_number {
            let address: Ipv4Addr = text.parse().ok()?;
            return Some(Self::Address(address.into()));
        }
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        let is_name = text.len() <= MAX_NAME && !text.starts_with('.') && !text.contains("..");
        (is_name && text.bytes().all(legal)).then_some(Self::Name(text))
    }

    /// Whether this is certainly this machine.
    #[must_use]
    pub fn is_loopback(self) -> bool {
        match self {
            Self::Address(address) => Reach::of(address) == Reach::Loopback,
            Self::Name(name) => name.eq_ignore_ascii_case(LOCALHOST),
        }
    }
}

/// The name of this machine, never looked up (RFC 6761 section 6.3).
pub const LOCALHOST: &str = "localhost";

/// RFC 1035 section 2.3.4.
const MAX_NAME: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(text: &str) -> Reach {
        Reach::of(text.parse().unwrap())
    }

    /// Checks the first and the last address of every range, and the neighbours outside all ranges.
    #[test]
    fn every_special_range_of_ipv4_is_known_to_its_edges() {
        for (first, last, expected, before, behind) in [
            ("0.0.0.0", "0.255.255.255", Reach::Special, None, Some("1.0.0.0")),
            ("10.0.0.0", "10.255.255.255", Reach::Private, Some("9.255.255.255"), Some("11.0.0.0")),
            ("100.64.0.0", "100.127.255.255", Reach::Private, Some("100.63.255.255"), Some("100.128.0.0")),
            ("127.0.0.0", "127.255.255.255", Reach::Loopback, Some("126.255.255.255"), Some("128.0.0.0")),
            ("169.254.0.0", "169.254.255.255", Reach::Special, Some("169.253.255.255"), Some("169.255.0.0")),
            ("172.16.0.0", "172.31.255.255", Reach::Private, Some("172.15.255.255"), Some("172.32.0.0")),
            ("192.0.0.0", "192.0.0.255", Reach::Special, Some("191.255.255.255"), Some("192.0.1.0")),
            ("192.0.2.0", "192.0.2.255", Reach::Special, Some("192.0.1.255"), Some("192.0.3.0")),
            ("192.31.196.0", "192.31.196.255", Reach::Special, Some("192.31.195.255"), Some("192.31.197.0")),
            ("192.52.193.0", "192.52.193.255", Reach::Special, Some("192.52.192.255"), Some("192.52.194.0")),
            ("192.88.99.0", "192.88.99.255", Reach::Special, Some("192.88.98.255"), Some("192.88.100.0")),
            ("192.168.0.0", "192.168.255.255", Reach::Private, Some("192.167.255.255"), Some("192.169.0.0")),
            ("192.175.48.0", "192.175.48.255", Reach::Special, Some("192.175.47.255"), Some("192.175.49.0")),
            ("198.18.0.0", "198.19.255.255", Reach::Special, Some("198.17.255.255"), Some("198.20.0.0")),
            ("198.51.100.0", "198.51.100.255", Reach::Special, Some("198.51.99.255"), Some("198.51.101.0")),
            ("203.0.113.0", "203.0.113.255", Reach::Special, Some("203.0.112.255"), Some("203.0.114.0")),
            ("224.0.0.0", "239.255.255.255", Reach::Special, Some("223.255.255.255"), None),
            ("240.0.0.0", "255.255.255.255", Reach::Special, None, None),
        ] {
            assert_eq!((reach(first), reach(last)), (expected, expected), "{first} to {last}");
            for neighbour in [before, behind].into_iter().flatten() {
                assert_eq!(reach(neighbour), Reach::Public, "{neighbour}");
            }
        }
    }

    #[test]
    fn every_special_range_of_ipv6_is_known_to_its_edges() {
        for (first, last, expected) in [
            ("::", "::", Reach::Special),
            ("::1", "::1", Reach::Loopback),
            ("::2", "::fffe:ffff:ffff", Reach::Special), // IPv4-compatible
            ("::ffff:0:0", "::ffff:ffff:ffff", Reach::Special), // IPv4-mapped
            ("::ffff:0:0:0", "64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Special),
            ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", Reach::Special), // NAT64 of one network
            ("64:ff9b::1:0:0", "64:ff9b:0:ffff:ffff:ffff:ffff:ffff", Reach::Special),
            ("100::", "100::ffff:ffff:ffff:ffff", Reach::Special), // discard
            ("100:0:0:1::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Special),
            ("2001::", "2001::ffff:ffff:ffff:ffff:ffff:ffff", Reach::Special), // Teredo
            ("2001:1::1", "2001:1::3", Reach::Special),
            ("2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff", Reach::Special), // benchmarks
            ("2001:3::", "2001:4:112:ffff:ffff:ffff:ffff:ffff", Reach::Special),
            ("2001:10::", "2001:3f:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Special), // ORCHID, drones
            ("2001:40::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Special),
            ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Special),
            ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Special), // 6to4
            ("2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff", Reach::Special),
            ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Special),
            ("4000::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Special), // segment routing, unassigned
            ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Private),
            ("fe00::", "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Special),
            ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Special), // link-local
            ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Special), // site-local
            ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Special), // multicast
        ] {
            assert_eq!((reach(first), reach(last)), (expected, expected), "{first} to {last}");
        }
        for public in [
            "2000::",
            "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2001:db7:ffff::1",
            "2001:db9::1",
            "2003::1",
            "2606:4700:4700::1111",
            "2620:4f:7fff::1",
            "2620:4f:8001::1",
            "2a00:1450:4001::1",
            "3ffe::1",
            "3fff:1000::1",
        ] {
            assert_eq!(reach(public), Reach::Public, "{public}");
        }
    }

    #[test]
    fn an_ipv4_address_inside_an_ipv6_one_is_no_way_in() {
        for v4 in ["127.0.0.1", "10.1.2.3", "169.254.169.254", "192.168.0.1", "0.0.0.0", "8.8.8.8"] {
            let address: Ipv4Addr = v4.parse().unwrap();
            let [a, b, c, d] = address.octets().map(u16::from);
            let (high, low) = (a << 8 | b, c << 8 | d);
            for wrapped in [
                address.to_ipv6_mapped(),
                Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
                Ipv6Addr::new(0x2001, 0, 0x4136, 0xe378, 0x8000, 0x63bf, !high, !low),
                Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, high, low),
            ] {
                assert_eq!(Reach::of(wrapped.into()), Reach::Special, "{v4} as {wrapped}");
            }
            let nat64 = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low);
            let expected = if v4 == "8.8.8.8" { Reach::Public } else { Reach::Special };
            assert_eq!(Reach::of(nat64.into()), expected, "{v4} as {nat64}");
        }
    }

    #[test]
    fn what_is_allowed_opens_nothing_else() {
        let (loopback, private) =
            (Allowed { loopback: true, private: false }, Allowed { loopback: false, private: true });
        for (address, by) in [
            ("8.8.8.8", [true, true, true]),
            ("127.0.0.1", [false, true, false]),
            ("::1", [false, true, false]),
            ("10.0.0.1", [false, false, true]),
            ("fd00::1", [false, false, true]),
            ("169.254.169.254", [false; 3]),
            ("::ffff:127.0.0.1", [false; 3]),
            ("::ffff:10.0.0.1", [false; 3]),
            ("fe80::1", [false; 3]),
        ] {
            let address: IpAddr = address.parse().unwrap();
            let permits = [Allowed::default(), loopback, private].map(|allowed| allowed.permits(address));
            assert_eq!(permits, by, "{address}");
        }
    }

    #[test]
    fn what_looks_like_an_address_is_spelt_like_one_or_refused() {
        for odd in [
            "2130706433",
            "0x7f000001",
            "0X7F000001",
            "017700000001",
            "127.1",
            "127.0.1",
            "0177.0.0.1",
            "0x7f.0.0.1",
            "127.0.0.0x1",
            "127.0.0.01",
            "127.0.0.1.",
            "1.2.3.4.5",
            "256.0.0.1",
            "example.0x",
            "example.1",
            "[127.0.0.1]",
            "[::1%25lo]",
            "[::1%lo]",
            "[v1.x]",
            "[::1",
            "::1",
            "",
            ".",
            ".example",
            "a..example",
            "a%2eexample",
            "１２７.0.0.1",
            "ex ample",
            "user@example",
        ] {
            assert_eq!(Host::parse(odd), None, "{odd}");
        }
        for (plain, address) in [
            ("127.0.0.1", "127.0.0.1"),
            ("8.8.8.8", "8.8.8.8"),
            ("[::1]", "::1"),
            ("[0:0:0:0:0:0:0:1]", "::1"),
            ("[::ffff:127.0.0.1]", "::ffff:7f00:1"),
            ("[0:0:0:0:0:FFFF:7F00:0001]", "::ffff:7f00:1"),
        ] {
            assert_eq!(Host::parse(plain), Some(Host::Address(address.parse().unwrap())), "{plain}");
        }
        for name in ["example", "client.example", "a-b_c.example.", "1.example", "0x1.example", "LocalHost"] {
            assert_eq!(Host::parse(name), Some(Host::Name(name)), "{name}");
        }
        assert!(Host::parse(&"a".repeat(254)).is_none());
    }
}
