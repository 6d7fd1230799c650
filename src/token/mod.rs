//! Access tokens: what they claim, and what they are good for once they are checked.

mod access;

pub use access::Access;
