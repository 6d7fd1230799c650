//! [`SignedAnswers`]: which responses the server signs.

use crate::base::Algorithm;

/// Which responses, besides tokens, are signed.
#[derive(Clone, Debug, Default)]
pub(crate) struct SignedAnswers {
    /// The algorithms of the signer.
    pub(crate) algorithms: Vec<Algorithm>,
    /// Authorization responses, by their response mode (JARM).
    pub(crate) authorization: bool,
    /// Introspection responses (RFC 9701).
    pub(crate) introspection: bool,
    /// The metadata document (RFC 8414 section 2.1).
    pub(crate) metadata: bool,
}

impl SignedAnswers {
    /// Whether any response is signed.
    pub(crate) fn has_any(&self) -> bool {
        self.authorization || self.introspection || self.metadata
    }

    /// The algorithm of an authorization response, if the signer has it.
    pub(crate) fn authorization(&self, algorithm: Algorithm) -> Option<Algorithm> {
        (self.authorization && self.algorithms.contains(&algorithm)).then_some(algorithm)
    }

    /// The algorithm of an introspection response: if one is required, or if it is requested and the signer
    /// has it.
    pub(crate) fn introspection(
        &self,
        algorithm: Algorithm,
        is_required: bool,
        asked: bool,
    ) -> Option<Algorithm> {
        let can_be_had = asked && self.algorithms.contains(&algorithm);
        (self.introspection && (is_required || can_be_had)).then_some(algorithm)
    }
}
