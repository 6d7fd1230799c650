//! [`SignedAnswers`]: which answers of the server are signed for the client that reads them.

use crate::base::Algorithm;
use crate::client::Client;

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
    /// What an authorization response to this client is signed with, if it can be.
    pub(crate) fn authorization(&self, client: &Client) -> Option<Algorithm> {
        let algorithm = client.metadata().authorization_signed_response_alg.unwrap_or(Algorithm::Rs256);
        (self.authorization && self.algorithms.contains(&algorithm)).then_some(algorithm)
    }

    /// What an introspection answer to this client is signed with. One that named an algorithm gets no other answer; any other one
    /// gets a signed answer if it asks for one and the server can give it.
    pub(crate) fn introspection(&self, client: &Client, asked: bool) -> Option<Algorithm> {
        let named = client.metadata().introspection_signed_response_alg;
        let default = (asked && self.algorithms.contains(&Algorithm::Rs256)).then_some(Algorithm::Rs256);
        named.or(default).filter(|_| self.introspection)
    }
}
