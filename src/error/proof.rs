//! [`ProofFlaw`]: why a proof of possession does not count.

use super::{ErrorCode, Reason};
use crate::base::Confirmation;

/// Why a DPoP proof does not count (RFC 9449 section 4.3), or what it does not prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ProofFlaw {
    /// A key has to be proven, and the request has no proof.
    Missing,
    /// Two `DPoP` header fields.
    Repeated,
    /// More than 8 KiB.
    TooLong,
    /// Not a JWT with a public key in its header.
    Malformed,
    /// Its `typ` is not `dpop+jwt`.
    TypeWrong,
    /// `none`, a symmetric algorithm, or one that is not taken here.
    AlgorithmRefused,
    /// A private, symmetric, weak or unknown key, or one that does not fit the algorithm.
    KeyRefused,
    /// The key in its header did not sign it.
    SignatureWrong,
    /// A claim is missing, or of another type.
    ClaimMissing,
    /// Made for another method (`htm`).
    MethodWrong,
    /// Made for another URL (`htu`).
    UrlWrong,
    /// Made too long ago, or ahead of time (`iat`).
    TimeWrong,
    /// Its `jti` is empty or longer than 128 bytes.
    IdMalformed,
    /// Its `jti` was used.
    Replayed,
    /// No nonce of this server, or an old one.
    NonceWanted,
    /// Made for another access token (`ath`).
    TokenWrong,
    /// The client's tokens are bound to a certificate, and the connection has none (RFC 8705 section 3).
    CertificateMissing,
    /// A proof by another key than the one that the code or the refresh token is bound to.
    OtherKey,
    /// A proof by another key than the one that the access token is bound to.
    TokenOfOtherKey,
    /// The `dpop_jkt` of a pushed request names another key than the proof that came with it.
    PushedOtherKey,
}

impl ProofFlaw {
    /// Whether what is proven has every key that is needed.
    pub(crate) fn check(needed: &Confirmation, proven: Option<&Confirmation>) -> Result<(), Self> {
        match proven.is_some_and(|proven| proven.covers(needed)) {
            true => Ok(()),
            false => Err(Self::lacking(needed, proven)),
        }
    }

    /// Why what a request proves is not the key that it has to prove.
    pub(crate) fn lacking(needed: &Confirmation, proven: Option<&Confirmation>) -> Self {
        match (needed.jkt(), proven.and_then(Confirmation::jkt)) {
            (Some(_), None) => Self::Missing,
            _ if needed.x5t_s256().is_some() && proven.and_then(Confirmation::x5t_s256).is_none() => {
                Self::CertificateMissing
            }
            (Some(_) | None, _) => Self::OtherKey,
        }
    }

    pub(super) const fn public(self) -> (ErrorCode, &'static str) {
        use ErrorCode as E;
        match self {
            Self::Missing => (E::InvalidDpopProof, "a DPoP proof is required"),
            Self::Repeated => (E::InvalidDpopProof, "the DPoP header field is repeated"),
            Self::TooLong => (E::InvalidDpopProof, "the DPoP proof is too long"),
            Self::Malformed => {
                (E::InvalidDpopProof, "the DPoP proof is not a JWT with a public key in its header")
            }
            Self::TypeWrong => (E::InvalidDpopProof, "the typ of a DPoP proof must be dpop+jwt"),
            Self::AlgorithmRefused => {
                (E::InvalidDpopProof, "the algorithm of the DPoP proof is not accepted")
            }
            Self::KeyRefused => (E::InvalidDpopProof, "the key of the DPoP proof is not accepted"),
            Self::SignatureWrong => (E::InvalidDpopProof, "the signature of the DPoP proof is wrong"),
            Self::ClaimMissing => (E::InvalidDpopProof, "a claim of the DPoP proof is missing or malformed"),
            Self::MethodWrong => (E::InvalidDpopProof, "htm is not the method of the request"),
            Self::UrlWrong => (E::InvalidDpopProof, "htu is not the URL of the request"),
            Self::TimeWrong => (E::InvalidDpopProof, "iat is too far from the current time"),
            Self::IdMalformed => (E::InvalidDpopProof, "jti must have 1 to 128 bytes"),
            Self::Replayed => (E::InvalidDpopProof, "the DPoP proof was used before"),
            Self::NonceWanted => (E::UseDpopNonce, "use the nonce of the DPoP-Nonce header field"),
            Self::TokenWrong => (E::InvalidDpopProof, "ath is not the hash of the access token"),
            Self::CertificateMissing => (E::InvalidRequest, "a client certificate is required"),
            Self::OtherKey => (E::InvalidGrant, "the code or token is bound to another key"),
            Self::TokenOfOtherKey => (E::InvalidToken, "the access token is bound to another key"),
            Self::PushedOtherKey => (E::InvalidDpopProof, "dpop_jkt is not the key of the DPoP proof"),
        }
    }
}

impl From<ProofFlaw> for Reason {
    fn from(flaw: ProofFlaw) -> Self {
        Self::Proof(flaw)
    }
}
