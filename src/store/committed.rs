//! [`Committed`]: the proof that one particular write took effect.

use super::{Tombstone, Write};
use crate::error::{Reason, Refusal};
use crate::grant::GrantId;

/// Proof that one [`Write`], or the end of one grant, took effect. It names the grant and the version, so it
/// cannot open what was sealed for another write.
#[derive(Debug)]
#[must_use]
pub struct Committed(WriteName);

/// Identifies a write: a grant has each version only once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WriteName {
    grant: GrantId,
    /// `None` for the end of a grant, which has no version of its own.
    version: Option<u64>,
}

impl WriteName {
    /// Compares the write with a proof from the store.
    ///
    /// # Errors
    /// The proof is of another write: the store or the driver has confused the two.
    pub(crate) fn check(self, proof: Committed) -> Result<(), Refusal> {
        match self == proof.0 {
            true => Ok(()),
            false => Err(Reason::ProofOfAnotherWrite.into()),
        }
    }
}

impl Write {
    /// Which write it is.
    pub(crate) fn name(&self) -> WriteName {
        WriteName { grant: self.id(), version: Some(self.next().version()) }
    }

    /// Asserts that the condition held and the write took effect. Only stores call it.
    pub fn committed(&self) -> Committed {
        Committed(self.name())
    }
}

impl Tombstone {
    /// Which write it is.
    pub(crate) fn name(&self) -> WriteName {
        WriteName { grant: self.id(), version: None }
    }

    /// Whether the proof is of this end.
    pub(crate) fn is_proven_by(&self, proof: &Committed) -> bool {
        self.name() == proof.0
    }

    /// Asserts that the grant has ended, or does not exist. Only stores call it.
    pub fn committed(&self) -> Committed {
        Committed(self.name())
    }
}
