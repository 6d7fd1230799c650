//! The host of a URL that a stranger chose: what could be taken for an address is one, and no internal
//! address is public.
#![no_main]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use grantor::outbound::address::{Allowed, Host, Reach};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Ok(bytes) = <[u8; 4]>::try_from(input) {
        judge(Ipv4Addr::from(bytes).into());
    }
    if let Ok(bytes) = <[u8; 16]>::try_from(input) {
        judge(Ipv6Addr::from(bytes).into());
    }
    let Ok(text) = std::str::from_utf8(input) else { return };
    match Host::parse(text) {
        Some(Host::Address(address)) => {
            let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
            assert_eq!(bare.parse(), Ok(address));
            judge(address);
        }
        Some(Host::Name(name)) => {
            assert_eq!(name, text);
            assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)));
            let last = text.trim_end_matches('.').rsplit('.').next().expect("a label").to_ascii_lowercase();
            let digits = last.strip_prefix("0x").unwrap_or(&last);
            let radix = if digits.len() < last.len() { 16 } else { 10 };
            assert!(
                last.is_empty() || !digits.chars().all(|c| c.is_digit(radix)),
                "{text} may be an address"
            );
            assert_eq!(Host::Name(name).is_loopback(), text.eq_ignore_ascii_case("localhost"));
        }
        Some(_) | None => {}
    }
});

fn judge(address: IpAddr) {
    let reach = Reach::of(address);
    assert_eq!(Allowed::default().permits(address), reach == Reach::Public);
    let is_internal = match address {
        IpAddr::V4(v4) => is_internal(v4),
        IpAddr::V6(v6) => {
            let carried = v6.to_ipv4_mapped().is_some_and(is_internal);
            carried
                || v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_multicast()
                || v6.is_unique_local()
                || v6.is_unicast_link_local()
        }
    };
    assert!(!is_internal || reach != Reach::Public, "{address} is public");
    assert!(Host::Address(address).is_loopback() == (reach == Reach::Loopback));
}

fn is_internal(v4: Ipv4Addr) -> bool {
    let is_shared = v4.octets()[0] == 100 && v4.octets()[1] & 0xC0 == 64;
    let is_odd = v4.is_unspecified() || v4.is_broadcast() || v4.is_multicast() || v4.is_documentation();
    v4.is_loopback() || v4.is_private() || v4.is_link_local() || is_shared || is_odd
}
