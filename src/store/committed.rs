//! [`Committed`]: the proof that one write took effect, by its name.

use super::{Tombstone, Write};
use crate::error::{Reason, Refusal};
use crate::grant::GrantId;

/// Proof that one [`Write`], or the end of one grant, took effect. It names the grant and the version, and
/// what is sealed for another write stays sealed.
#[derive(Debug)]
#[must_use]
pub struct Committed(WriteName);

/// What tells a write from all others: a grant has each version once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WriteName {
    grant: GrantId,
    /// `None` is its end, which has no version of its own.
    version: Option<u64>,
}

impl WriteName {
    /// Compares with what a store has proven.
    ///
    /// # Errors
    /// The proof is of another write: the store, or the driver, took one for the other.
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

    /// Asserts that this write took effect, its condition included. Stores call it, and nothing else does.
    pub fn committed(&self) -> Committed {
        Committed(self.name())
    }
}

impl Tombstone {
    /// Which write it is.
    pub(crate) fn name(&self) -> WriteName {
        WriteName { grant: self.id(), version: None }
    }

    /// Asserts that the grant has ended, or is not there. Stores call it, and nothing else does.
    pub fn committed(&self) -> Committed {
        Committed(self.name())
    }
}
