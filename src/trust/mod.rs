//! Trust in signatures: the keys of issuers, clients and proofs, and the validity periods of signed texts.

#[cfg(feature = "jwt")]
mod client_sets;
#[cfg(feature = "jwt")]
mod dpop;
#[cfg(feature = "jwt")]
mod fetched;
mod few;
#[cfg(feature = "jwt")]
mod file;
pub(crate) mod kept;
#[cfg(feature = "jwt")]
mod key_source;
mod nonce;
mod proof;
mod recent;
#[cfg(feature = "jwt")]
mod signed;
pub(crate) mod times;

#[cfg(feature = "jwt")]
pub(crate) use client_sets::ClientSets;
#[cfg(feature = "jwt")]
pub use dpop::DpopProofs;
#[cfg(feature = "jwt")]
pub use fetched::FetchedKeys;
pub(crate) use few::Few;
#[cfg(feature = "jwt")]
pub use file::FileKeys;
#[cfg(feature = "jwt")]
pub use key_source::{KeySource, StaticKeys, TrustedKeys};
pub use proof::{Dpop, MAX_PROOF_BYTES, Proof, ProofVerifier};
pub(crate) use proof::{FIELD as PROOF_FIELD, Place, Proven};
pub(crate) use recent::Recent;
#[cfg(feature = "jwt")]
pub(crate) use signed::{SignatureMissing, Signed, signed_claims};
