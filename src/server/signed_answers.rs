//! Responses that are signed: JARM, RFC 9701, and the metadata (RFC 8414 section 2.1).

use super::AuthorizationServerBuilder;

impl<C, S> AuthorizationServerBuilder<C, S> {
    /// Accepts the response modes `jwt`, `query.jwt`, `fragment.jwt` and `form_post.jwt` (JARM): the
    /// authorization response is a JWT that is signed with the client's `authorization_signed_response_alg`,
    /// RS256 by default. Needs a [`token_signer`](Self::token_signer) with a key for it. A client whose
    /// `response_modes` are all signed gets no unsigned response.
    pub fn sign_authorization_responses(mut self) -> Self {
        self.options.signed_answers.authorization = true;
        self
    }

    /// Signs introspection responses (RFC 9701): with RS256 for clients that ask by
    /// `Accept: application/token-introspection+jwt`, and with the registered algorithm for clients that have
    /// an `introspection_signed_response_alg`. Needs a [`token_signer`](Self::token_signer) with a key for
    /// it.
    pub fn sign_introspection_answers(mut self) -> Self {
        self.options.signed_answers.introspection = true;
        self
    }

    /// Adds `signed_metadata` to the metadata document: all its members as a JWT (RFC 8414 section 2.1), for
    /// clients that get the document from somebody else. Each request for the document takes a signature.
    /// Needs a [`token_signer`](Self::token_signer).
    pub fn sign_metadata(mut self) -> Self {
        self.options.signed_answers.metadata = true;
        self
    }
}
