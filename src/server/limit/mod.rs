//! Limits on what can be guessed or multiplied, in the memory of this process.
//!
//! | what | counted by | when |
//! | --- | --- | --- |
//! | a client secret that a person may have chosen | address and client; address alone | before it is compared, and given back if it is right |
//! | a wrong generated secret, an unknown client | the same | after the check: a correct one is never refused |
//! | a password, and the secret of a host's own grant type | address, client and user name; address alone | before, and given back |
//! | a user code | browser session; address alone | before, and given back |
//! | a pushed request of a public client | address and client; address alone | after the client was checked |
//! | a device that begins to connect | address and client; address alone | after the client was authenticated |
//! | a registration | address; in all | before it is read; the day's share before it is written |
//! | a change of a registration | client; address and client; address alone | after the client was authenticated |
//!
//! An IPv6 address counts with its /64, /56 and /48 network, each with a higher limit than the smaller one.

mod attempts;
mod rate;
mod table;

use std::net::IpAddr;

pub(super) use attempts::AttemptLimiter;
pub(super) use rate::RegistrationLimiter;
pub use rate::{RateLimiter, Throttled};
pub use table::Attempt;

use crate::base::network::{self, Ipv6Prefixes, Network};

const OF_IPV6: &Ipv6Prefixes = &[(64, 1), (56, 4), (48, 16)];

/// The networks that an address is counted with, each with its multiple of the limit of one address.
fn networks(peer: IpAddr) -> impl Iterator<Item = (Network, u32)> {
    network::networks(peer, OF_IPV6)
}
