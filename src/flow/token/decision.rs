//! The outcomes of a token request, [`RedemptionDecision`] and [`NewGrantDecision`], and the response that is
//! sealed until its write is proven.

use chrono::{DateTime, Utc};

use super::id_token::IdToken;
use super::reply::Reply;
use crate::error::{Reason, Refusal};
use crate::grant::Grant;
use crate::signing::Claims;
use crate::store::{Committed, Tombstone, Write, WriteName};

/// What the driver does next with a code, a device code or a refresh token.
#[must_use]
#[derive(Debug)]
#[non_exhaustive]
pub enum RedemptionDecision {
    /// Refuse; nothing changes.
    Refuse(Refusal),
    /// Send the response again; an earlier write has proven it.
    Repeat(Reply),
    /// Write, and open the response with the proof.
    Commit(Write, Sealed),
    /// End the grant, and open the refusal with the proof.
    End(Box<Tombstone>, Sealed),
}

/// What the driver does next with a request for a new grant.
#[must_use]
#[derive(Debug)]
#[non_exhaustive]
pub enum NewGrantDecision {
    /// Refuse; nothing changes.
    Refuse(Refusal),
    /// Send a signed token that needs no record.
    Issue(Reply),
    /// Write, and open the response with the proof.
    Commit(Write, Sealed),
}

impl RedemptionDecision {
    pub(super) fn commit(write: Write, answer: Result<Reply, Refusal>) -> Self {
        let sealed = Sealed { answer, write: write.name() };
        Self::Commit(write, sealed)
    }

    pub(super) fn end(ended: Grant, reason: Reason, now: DateTime<Utc>) -> Self {
        let tombstone = Tombstone::of(ended, now);
        let sealed = Sealed { answer: Err(reason.into()), write: tombstone.name() };
        Self::End(Box::new(tombstone), sealed)
    }

    /// The `id_token` of the response, if it has one.
    pub(crate) fn id_token_mut(&mut self) -> Option<&mut IdToken> {
        self.reply_mut()?.id_token_mut()
    }

    /// The claims of an access token that will be signed.
    pub(crate) fn access_claims_mut(&mut self) -> Option<&mut Claims> {
        self.reply_mut()?.access_claims_mut()
    }

    fn reply_mut(&mut self) -> Option<&mut Reply> {
        match self {
            Self::Repeat(reply) => Some(reply),
            Self::Commit(_, sealed) => sealed.answer.as_mut().ok(),
            Self::Refuse(_) | Self::End(..) => None,
        }
    }
}

impl NewGrantDecision {
    pub(super) fn commit(write: Write, reply: Reply) -> Self {
        let sealed = Sealed { answer: Ok(reply), write: write.name() };
        Self::Commit(write, sealed)
    }

    /// The claims of an access token that will be signed.
    pub(crate) fn access_claims_mut(&mut self) -> Option<&mut Claims> {
        match self {
            Self::Issue(reply) => reply.access_claims_mut(),
            Self::Commit(_, sealed) => sealed.answer.as_mut().ok()?.access_claims_mut(),
            Self::Refuse(_) => None,
        }
    }
}

/// A response that must not be sent before its write is proven.
///
/// ```compile_fail,E0423
/// # fn f(sealed: grantor::flow::token::Sealed) {
/// let _ = sealed.open(grantor::store::Committed(()));
/// # }
/// ```
#[derive(Debug)]
pub struct Sealed {
    answer: Result<Reply, Refusal>,
    write: WriteName,
}

impl Sealed {
    /// Whether it contains tokens, and not a refusal.
    pub(crate) fn issues(&self) -> bool {
        self.answer.is_ok()
    }

    /// Opens the response with the proof of its write.
    ///
    /// # Errors
    /// The refusal whose consequence was written; or the proof is of another write.
    pub fn open(self, proof: Committed) -> Result<Reply, Refusal> {
        self.write.check(proof)?;
        self.answer
    }
}
