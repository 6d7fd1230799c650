//! The address of the client behind the host's own proxies. Independent of frameworks.
//!
//! A connection from a proxy does not identify the client; the proxy adds the client's address to `Forwarded`
//! (RFC 7239) or `X-Forwarded-For`, after anything that the client wrote there itself. So the list is read
//! from its end, past the trusted proxies: the first other address is the client's.

use std::net::IpAddr;

use thiserror::Error;

/// The maximum number of the host's proxies that a request passes.
const MOST_HOPS: usize = 16;

/// Which peers are trusted proxies, whose forwarding headers are read. By default none.
///
/// **A wrong rule lets an attacker choose an address,** and so bypass every limit, or use up another
/// client's. Your outermost proxy must append to the header or replace it, and not pass it on unchanged.
///
/// ```
/// use std::net::IpAddr;
/// use grantor::adapter::TrustedProxies;
///
/// let proxies = TrustedProxies::networks(["127.0.0.1", "10.0.0.0/8"])?;
/// let proxy = IpAddr::from([127, 0, 0, 1]);
/// let seen = |header| proxies.client(proxy, &[], &[header]).to_string();
/// assert_eq!(seen("203.0.113.9"), "203.0.113.9");
/// assert_eq!(seen("198.51.100.1, 203.0.113.9, 10.0.0.7"), "203.0.113.9", "what the client wrote is not read");
/// # Ok::<(), grantor::adapter::ProxyError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Rule);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Rule {
    #[default]
    NoOne,
    Networks(Vec<Network>),
    Hops(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    prefix: u8,
}

/// What is wrong with the name of a network.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// It is neither an address nor a network.
    #[error("{0:?} is neither an IP address nor a network such as 10.0.0.0/8")]
    Malformed(String),
    /// The network has bits after its prefix, so one of the two is a mistake.
    #[error("{0:?} has bits set beyond its prefix")]
    HostBits(String),
}

impl TrustedProxies {
    /// No peer is a proxy: every request comes from the address of its connection.
    #[must_use]
    pub fn none() -> Self {
        Self(Rule::NoOne)
    }

    /// The proxies are at these addresses and in these networks, for example `127.0.0.1` or `10.0.0.0/8`. Of
    /// the hops in the header, the last one that is not in the list is the client. The headers of any other
    /// peer are ignored.
    ///
    /// # Errors
    /// One of them is neither an address nor a network.
    pub fn networks<S: AsRef<str>>(list: impl IntoIterator<Item = S>) -> Result<Self, ProxyError> {
        let read = list.into_iter().map(|text| Network::parse(text.as_ref()));
        Ok(Self(Rule::Networks(read.collect::<Result<_, _>>()?)))
    }

    /// The number of proxies in front of this server, at any addresses: the `count`th hop from the end of the
    /// header is the client. **Only if nothing but the last proxy can reach this server's port**; anyone who
    /// can reach it can choose an address. A request with fewer hops has bypassed a proxy, and counts as its
    /// peer's own. 0 is [`none`](Self::none).
    #[must_use]
    pub fn hops(count: u8) -> Self {
        if count == 0 { Self::none() } else { Self(Rule::Hops(count)) }
    }

    /// The address of the client: `peer`, the address of the connection, or the one that the proxies name.
    /// The values of every `Forwarded` and every `X-Forwarded-For` field are untrusted, in the order in which
    /// they were sent.
    ///
    /// A malformed hop ends the list, and the proxy that added it counts as the client; the same holds if
    /// both headers are present and disagree, because one of them may come from the client.
    #[must_use]
    pub fn client(&self, peer: IpAddr, forwarded: &[&str], x_forwarded_for: &[&str]) -> IpAddr {
        let peer = peer.to_canonical();
        let standard = || self.choose(peer, forwarded.iter().rev().flat_map(|field| hops_of(field)));
        let customary = || self.choose(peer, x_forwarded_for.iter().rev().flat_map(|field| listed(field)));
        match (self.is_proxy(peer), forwarded.is_empty(), x_forwarded_for.is_empty()) {
            (false, ..) | (true, true, true) => peer,
            (true, false, true) => standard(),
            (true, true, false) => customary(),
            (true, false, false) => {
                let (a, b) = (standard(), customary());
                if a == b { a } else { peer }
            }
        }
    }

    /// Whether this address is listed. A rule by hops has no list.
    pub(super) fn lists(&self, address: IpAddr) -> bool {
        match &self.0 {
            Rule::Networks(_) => self.is_proxy(address.to_canonical()),
            Rule::NoOne | Rule::Hops(_) => false,
        }
    }

    /// Whether this is the address of a proxy, if the rule lists addresses.
    fn is_proxy(&self, address: IpAddr) -> bool {
        match &self.0 {
            Rule::NoOne => false,
            Rule::Networks(networks) => networks.iter().any(|network| network.contains(address)),
            Rule::Hops(_) => true,
        }
    }

    /// Finds the client by walking from the peer outwards.
    fn choose(&self, peer: IpAddr, hops: impl Iterator<Item = Option<IpAddr>>) -> IpAddr {
        let mut hops = hops.take(MOST_HOPS.max(match self.0 {
            Rule::Hops(count) => usize::from(count),
            Rule::NoOne | Rule::Networks(_) => 0,
        }));
        match &self.0 {
            Rule::NoOne => peer,
            Rule::Hops(count) => {
                let mut named = hops.take(usize::from(*count));
                let client = named.nth(usize::from(*count) - 1).flatten();
                client.unwrap_or(peer)
            }
            Rule::Networks(_) => {
                let mut nearest = peer;
                while self.is_proxy(nearest) {
                    match hops.next() {
                        Some(Some(hop)) => nearest = hop,
                        Some(None) | None => break,
                    }
                }
                nearest
            }
        }
    }
}

impl Network {
    fn parse(text: &str) -> Result<Self, ProxyError> {
        let malformed = || ProxyError::Malformed(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            None => (text, None),
            Some((address, prefix)) => (address, Some(prefix)),
        };
        let address: IpAddr = address.parse().map_err(|_| malformed())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => longest,
            Some(digits) if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) => {
                return Err(malformed());
            }
            Some(digits) => digits.parse().ok().filter(|n| *n <= longest).ok_or_else(malformed)?,
        };
        let canonical = address.to_canonical();
        // ::ffff:10.0.0.0/104 is 10.0.0.0/8.
        let prefix = match (address.is_ipv6(), canonical.is_ipv4()) {
            (true, true) => u8::checked_sub(prefix, 96).ok_or_else(malformed)?,
            _ => prefix,
        };
        let network = Self { address: canonical, prefix };
        match network.masked(canonical) == bits(canonical) {
            true => Ok(network),
            false => Err(ProxyError::HostBits(text.to_owned())),
        }
    }

    fn contains(self, address: IpAddr) -> bool {
        address.is_ipv4() == self.address.is_ipv4() && self.masked(address) == bits(self.address)
    }

    /// The bits of the prefix; IPv4 addresses are preceded by 96 zeros.
    fn masked(self, address: IpAddr) -> u128 {
        let width: u32 = if self.address.is_ipv4() { 32 } else { 128 };
        let behind = width - u32::from(self.prefix);
        let mask = u128::MAX.checked_shl(behind).unwrap_or(0);
        bits(address) & mask
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_bits().into(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The hops of one `X-Forwarded-For` field, the last one first; `None` for a hop that is not an address.
fn listed(field: &str) -> impl Iterator<Item = Option<IpAddr>> {
    field.rsplit(',').map(|hop| node(hop.trim_matches([' ', '\t'])))
}

/// The hops of one `Forwarded` field, the last one first. A malformed field has none.
fn hops_of(field: &str) -> Vec<Option<IpAddr>> {
    let mut hops = elements(field).unwrap_or_else(|| vec![None]);
    hops.reverse();
    hops
}

/// `Forwarded = 1#( [ pair ] *( ";" [ pair ] ) )` (RFC 7239 section 4). Empty elements of the list are
/// skipped, as RFC 9110 section 5.6.1 requires.
fn elements(field: &str) -> Option<Vec<Option<IpAddr>>> {
    let mut hops = Vec::new();
    let mut rest = field;
    loop {
        let (mut hop, mut empty, mut has_for) = (None, true, false);
        loop {
            rest = rest.trim_start_matches([' ', '\t']);
            if !rest.starts_with([';', ',']) && !rest.is_empty() {
                let (name, value, behind) = pair(rest)?;
                empty = false;
                if name.eq_ignore_ascii_case("for") {
                    if has_for {
                        return None;
                    }
                    (has_for, hop) = (true, node(&value));
                }
                rest = behind.trim_start_matches([' ', '\t']);
            }
            match rest.strip_prefix(';') {
                Some(behind) => rest = behind,
                None => break,
            }
        }
        if !empty {
            hops.push(hop);
        }
        match rest.strip_prefix(',') {
            Some(behind) => rest = behind,
            None if rest.is_empty() => return Some(hops),
            None => return None,
        }
    }
}

/// `token "=" ( token / quoted-string )`, and the rest of the text.
fn pair(text: &str) -> Option<(&str, String, &str)> {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let token_end = |text: &str| text.bytes().position(|b| !is_token(b)).unwrap_or(text.len());
    let (name, rest) = text.split_at(token_end(text));
    let rest = rest.strip_prefix('=').filter(|_| !name.is_empty())?;
    let Some(quoted) = rest.strip_prefix('"') else {
        let (value, behind) = rest.split_at(token_end(rest));
        return (!value.is_empty()).then(|| (name, value.to_owned(), behind));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    loop {
        match characters.next()? {
            (at, '"') => return Some((name, value, &quoted[at + 1..])),
            (_, '\\') => value.push(characters.next()?.1),
            (_, character) => value.push(character),
        }
    }
}

/// An address, with a port or without: `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]`,
/// `[2001:db8::1]:4711`. Not `unknown`, and not an obfuscated identifier (RFC 7239 section 6).
fn node(text: &str) -> Option<IpAddr> {
    let is_port = |port: &str| port.parse::<u16>().is_ok() && port.bytes().all(|b| b.is_ascii_digit());
    let address = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            if !port.is_empty() && !port.strip_prefix(':').is_some_and(is_port) {
                return None;
            }
            address.parse::<std::net::Ipv6Addr>().ok()?.into()
        }
        None => match text.split_once(':') {
            Some((address, port)) if !port.contains(':') => {
                is_port(port).then_some(())?;
                address.parse::<std::net::Ipv4Addr>().ok()?.into()
            }
            _ => text.parse::<IpAddr>().ok()?,
        },
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn proxies() -> TrustedProxies {
        TrustedProxies::networks(["127.0.0.1", "10.0.0.0/8", "2001:db8:a::/48"]).unwrap()
    }

    fn seen(peer: &str, forwarded: &[&str], x_forwarded_for: &[&str]) -> String {
        proxies().client(ip(peer), forwarded, x_forwarded_for).to_string()
    }

    #[test]
    fn ft_19_a_peer_that_is_no_proxy_is_not_believed() {
        for peer in ["192.0.2.1", "11.0.0.1", "::1", "2001:db8:b::1"] {
            assert_eq!(seen(peer, &["for=203.0.113.9"], &["203.0.113.9"]), peer);
            assert_eq!(TrustedProxies::none().client(ip(peer), &[], &["203.0.113.9"]), ip(peer));
        }
    }

    #[test]
    fn ft_19_the_last_hop_that_is_no_proxy_is_the_client() {
        for (header, client) in [
            ("203.0.113.9", "203.0.113.9"),
            ("198.51.100.1, 203.0.113.9", "203.0.113.9"),
            ("198.51.100.1,203.0.113.9 ,\t10.1.2.3", "203.0.113.9"),
            ("garbage, 203.0.113.9, 10.1.2.3, 2001:db8:a::7", "203.0.113.9"),
            ("203.0.113.9:4711", "203.0.113.9"),
            ("2001:db8:b::1", "2001:db8:b::1"),
            ("[2001:db8:b::1]:4711", "2001:db8:b::1"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("10.9.9.9, 10.1.2.3", "10.9.9.9"),
        ] {
            assert_eq!(seen("127.0.0.1", &[], &[header]), client, "{header}");
            assert_eq!(seen("::ffff:127.0.0.1", &[], &[header]), client, "{header}");
        }
        assert_eq!(seen("127.0.0.1", &[], &["203.0.113.9", "198.51.100.1, 10.0.0.1"]), "198.51.100.1");
    }

    #[test]
    fn ft_19_what_cannot_be_read_is_the_proxys_own() {
        for header in [
            "",
            " ",
            ",",
            "unknown",
            "203.0.113.9,",
            "203.0.113.9, _hidden",
            "203.0.113.09",
            "203.0.113.9:",
            "203.0.113.9:99999",
            "203.0.113.9:+1",
            "[203.0.113.9]",
            "[2001:db8::1",
            "[2001:db8::1]4711",
            "2001:db8::1%eth0",
            "localhost",
            "203.0.113.9 203.0.113.8",
            "0xcb.0.113.9",
            "3405803785",
        ] {
            assert_eq!(seen("127.0.0.1", &[], &[header]), "127.0.0.1", "{header:?}");
        }
        assert_eq!(seen("127.0.0.1", &[], &["203.0.113.9, unknown, 10.0.0.7"]), "10.0.0.7");
    }

    #[test]
    fn ft_19_forwarded_is_read_as_rfc_7239_says() {
        for (header, client) in [
            ("for=203.0.113.9", "203.0.113.9"),
            ("For=\"203.0.113.9:4711\"", "203.0.113.9"),
            ("for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60"),
            ("For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
            ("for=198.51.100.1, for=203.0.113.9;host=\"a,b;c\\\"d\" , for=10.0.0.1", "203.0.113.9"),
            (" ,for=203.0.113.9 ; ;proto=https,", "203.0.113.9"),
        ] {
            assert_eq!(seen("127.0.0.1", &[header], &[]), client, "{header}");
        }
        for header in [
            "",
            "for",
            "for=",
            "for=\"203.0.113.9",
            "for=203.0.113.9;for=203.0.113.8",
            "203.0.113.9",
            "for =203.0.113.9",
            "for=unknown",
            "for=_hidden",
            "proto=https",
            "for=203.0.113.9 x",
            "for=2001:db8::1",
            "=203.0.113.9",
        ] {
            assert_eq!(seen("127.0.0.1", &[header], &[]), "127.0.0.1", "{header:?}");
        }
        assert_eq!(seen("127.0.0.1", &["for=\"", "for=203.0.113.9"], &[]), "203.0.113.9", "its own field");
    }

    #[test]
    fn ft_19_two_headers_that_do_not_agree_are_not_believed() {
        assert_eq!(seen("127.0.0.1", &["for=203.0.113.9"], &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(seen("127.0.0.1", &["for=198.51.100.1"], &["203.0.113.9"]), "127.0.0.1");
        assert_eq!(seen("127.0.0.1", &["nonsense"], &["203.0.113.9"]), "127.0.0.1");
    }

    #[test]
    fn ft_19_hops_are_counted_from_the_end() {
        let seen =
            |count, header| TrustedProxies::hops(count).client(ip("192.0.2.1"), &[], &[header]).to_string();
        let list = "198.51.100.1, 203.0.113.9, 10.0.0.7";
        assert_eq!(seen(0, list), "192.0.2.1");
        assert_eq!(seen(1, list), "10.0.0.7");
        assert_eq!(seen(2, list), "203.0.113.9");
        assert_eq!(seen(2, "203.0.113.9, unknown"), "203.0.113.9");
        for (count, header) in [(4, list), (2, "203.0.113.9"), (1, "unknown"), (1, "")] {
            assert_eq!(seen(count, header), "192.0.2.1", "{count} of {header:?}");
        }
    }

    #[test]
    fn a_list_that_never_ends_is_not_read_to_its_end() {
        let long = "10.0.0.1,".repeat(100_000) + "10.0.0.2";
        assert_eq!(seen("127.0.0.1", &[], &[&long]), "10.0.0.1");
    }

    #[test]
    fn networks_are_read_strictly() {
        for good in
            ["10.0.0.0/8", "0.0.0.0/0", "::/0", "192.0.2.1/32", "2001:db8::/32", "::ffff:10.0.0.0/104"]
        {
            assert!(TrustedProxies::networks([good]).is_ok(), "{good}");
        }
        let all = TrustedProxies::networks(["0.0.0.0/0"]).unwrap();
        assert!(all.is_proxy(ip("203.0.113.9")) && !all.is_proxy(ip("2001:db8::1")));
        let mapped = TrustedProxies::networks(["::ffff:10.0.0.0/104"]).unwrap();
        assert!(mapped.is_proxy(ip("10.1.2.3")) && !mapped.is_proxy(ip("11.1.2.3")));
        for bad in
            ["", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/+8", "10.0.0/8", "::/129", "localhost", "10.0.0.0/8/8"]
        {
            let error = TrustedProxies::networks([bad]).unwrap_err();
            assert_eq!(error, ProxyError::Malformed(bad.to_owned()));
        }
        for slip in ["10.0.0.1/8", "2001:db8::1/32"] {
            let error = TrustedProxies::networks([slip]).unwrap_err();
            assert_eq!(error, ProxyError::HostBits(slip.to_owned()));
        }
    }
}
