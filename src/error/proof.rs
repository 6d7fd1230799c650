//! [`ProofFlaw`]: why a proof of possession is refused.

use super::{ErrorCode, Reason};
use crate::base::Confirmation;

/// Why a DPoP proof is refused (RFC 9449 section 4.3), or does not prove what is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ProofFlaw {
    /// The request needs a proof and has none.
    Missing,
    /// The request proves no key: it has no proof, and its connection has no certificate.
    KeyMissing,
    /// Two `DPoP` header fields.
    Repeated,
    /// More than 8 KiB.
    TooLong,
    /// Not a JWT with a public key in its header.
    Malformed,
    /// Its `typ` is not `dpop+jwt`.
    TypeWrong,
    /// `none`, a symmetric algorithm, or one that is not accepted here.
    AlgorithmRefused,
    /// A private, symmetric, weak or unknown key, or one that does not fit the algorithm.
    KeyRefused,
    /// The key in its header did not sign it.
    SignatureWrong,
    /// A claim is missing, or has the wrong type.
    ClaimMissing,
    /// Made for another method (`htm`).
    MethodWrong,
    /// Made for another URL (`htu`).
    UrlWrong,
    /// Made too long ago, or ahead of time (`iat`).
    TimeWrong,
    /// It has expired (`exp`).
    Expired,
    /// It is not valid yet (`nbf`).
    TooEarly,
    /// Its `jti` is empty or longer than 128 bytes.
    IdMalformed,
    /// Its `jti` was used.
    Replayed,
    /// It has no nonce of this server, or an old one.
    NonceWanted,
    /// Made for another access token (`ath`).
    TokenWrong,
    /// The client's tokens are bound to a certificate, and the connection has none (RFC 8705 section 3).
    CertificateMissing,
    /// The code or refresh token is bound to another key than that of the proof.
    OtherKey,
    /// The access token is bound to another key than that of the proof.
    TokenOfOtherKey,
    /// The `dpop_jkt` of a pushed request names another key than the proof that came with it.
    PushedOtherKey,
}

impl ProofFlaw {
    /// Checks that every needed key is proven.
    pub(crate) fn check(needed: &Confirmation, proven: Option<&Confirmation>) -> Result<(), Self> {
        match proven.is_some_and(|proven| proven.covers(needed)) {
            true => Ok(()),
            false => Err(Self::lacking(needed, proven)),
        }
    }

    /// Why the proven key is not the needed one.
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
            Self::KeyMissing => (E::InvalidRequest, "a DPoP proof or a client certificate is required"),
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
            Self::Expired => (E::InvalidDpopProof, "the DPoP proof has expired"),
            Self::TooEarly => (E::InvalidDpopProof, "the DPoP proof is not valid yet"),
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
