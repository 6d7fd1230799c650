//! `Forwarded` and `X-Forwarded-For`: only a proxy may name the client, and only an address that is in the
//! field.
//!
//! An input is the address of the peer, then fields, each on its line: `f` or `x` before its value.
#![no_main]

use std::net::IpAddr;

use grantor::adapter::TrustedProxies;
use libfuzzer_sys::fuzz_target;

const NETWORKS: [&str; 4] = ["127.0.0.1", "10.0.0.0/8", "::1", "fd00::/8"];

fuzz_target!(|text: &str| {
    let mut lines = text.lines();
    let peer = lines.next().and_then(|line| line.parse().ok()).unwrap_or(IpAddr::from([127, 0, 0, 1]));
    let (mut forwarded, mut customary) = (Vec::new(), Vec::new());
    for line in lines.take(16) {
        match (line.strip_prefix('f'), line.strip_prefix('x')) {
            (Some(value), _) => forwarded.push(value),
            (None, Some(value)) => customary.push(value),
            (None, None) => {}
        }
    }
    let own = peer.to_canonical();
    let listed = TrustedProxies::networks(NETWORKS).expect("networks");
    let client = listed.client(peer, &forwarded, &customary);
    assert_eq!(client, client.to_canonical());
    assert!(client == own || is_proxy(own), "a stranger chose an address");
    assert!(client == own || names(&forwarded, client) || names(&customary, client), "{client} is nowhere");
    assert_eq!(TrustedProxies::none().client(peer, &forwarded, &customary), own);
    if let Some(hops) = plain(&customary).filter(|_| forwarded.is_empty()) {
        // From the end, past the proxies: not as the crate does it.
        let outermost = hops.iter().rev().take(16).find(|hop| !is_proxy(**hop));
        let expected = outermost.or(hops.iter().rev().take(16).last()).copied();
        let expected = if is_proxy(own) { expected.unwrap_or(own) } else { own };
        assert_eq!(client, expected);
        let second = hops.iter().rev().nth(1).copied().unwrap_or(own);
        assert_eq!(TrustedProxies::hops(2).client(peer, &forwarded, &customary), second);
    }
});

fn is_proxy(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback() && v4.octets() == [127, 0, 0, 1] || v4.octets()[0] == 10,
        IpAddr::V6(v6) => v6.is_loopback() || v6.octets()[0] == 0xFD,
    }
}

/// Whether an address is written in one of the fields, by itself or with a port. A backslash quotes what
/// follows it.
fn names(fields: &[&str], address: IpAddr) -> bool {
    let fields = fields.join(",").to_ascii_lowercase().replace('\\', "");
    let mut words = fields.split([',', ';', '=', '"', ' ', '\t', '[', ']']);
    let same = |word: &str| word.parse::<IpAddr>().is_ok_and(|own| own.to_canonical() == address);
    words.any(|word| same(word) || word.rsplit_once(':').is_some_and(|(host, _)| same(host)))
}

/// The hops, if each is an address and nothing else.
fn plain(fields: &[&str]) -> Option<Vec<IpAddr>> {
    let hops = fields.iter().flat_map(|field| field.split(','));
    hops.map(|hop| Some(hop.parse::<IpAddr>().ok()?.to_canonical())).collect()
}
