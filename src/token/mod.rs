//! Access tokens: what they claim, and what they allow once they are checked.

mod access;

pub use access::Access;
