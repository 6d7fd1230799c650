//! Whose signatures are believed: the keys of issuers and of clients, and how long what was signed is good.

#[cfg(feature = "jwt")]
mod fetched;
#[cfg(feature = "jwt")]
mod few;
#[cfg(feature = "jwt")]
mod file;
pub(crate) mod kept;
#[cfg(feature = "jwt")]
mod key_source;
#[cfg(feature = "jwt")]
mod signed;
pub(crate) mod times;

#[cfg(feature = "jwt")]
pub use fetched::FetchedKeys;
#[cfg(feature = "jwt")]
pub(crate) use few::Few;
#[cfg(feature = "jwt")]
pub use file::FileKeys;
#[cfg(feature = "jwt")]
pub use key_source::{KeySource, StaticKeys, TrustedKeys};
#[cfg(feature = "jwt")]
pub(crate) use signed::{SignatureMissing, Signed, signed_claims};
