//! [`SignedAnswers`]: which answers of the server are signed for the client that reads them.

use crate::base::Algorithm;

/// Which answers are signed for the client that reads them, beside tokens.
#[derive(Clone, Debug, Default)]
pub(crate) struct SignedAnswers {
    /// What the signer can be asked for.
    pub(crate) algorithms: Vec<Algorithm>,
    /// Authorization responses, by their response mode (JARM).
    pub(crate) authorization: bool,
    /// Introspection answers (RFC 9701).
    pub(crate) introspection: bool,
}

impl SignedAnswers {
    /// The algorithm of an authorization response, if there can be one with it.
    pub(crate) fn authorization(&self, algorithm: Algorithm) -> Option<Algorithm> {
        (self.authorization && self.algorithms.contains(&algorithm)).then_some(algorithm)
    }

    /// The algorithm of an introspection answer: where one is required, and where it is asked for and the signer has it.
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
