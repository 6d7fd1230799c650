//! Responses that are signed for their client: JARM and RFC 9701.

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
}
