//! What of an authorization request is OpenID Connect's own (OpenID Connect Core sections 3.1.2.1 and 5.5).

use super::parameters::AuthorizationParameters;
use crate::client::ResponseType;
use crate::error::Reason;
use crate::openid::{ClaimsRequest, MAX_NONCE, OPENID, OpenId};
use crate::policy::Rules;
use crate::scope::Scope;

impl AuthorizationParameters {
    /// Whether the request is one of OpenID Connect.
    pub(super) fn is_of_openid(&self, rules: &Rules) -> bool {
        rules.openid.is_some() && self.names_scope(OPENID)
    }

    /// What a grant of this scope remembers of the request; the user's part of it is still to come. Only a code leads to an
    /// `id_token`.
    ///
    /// # Errors
    /// `nonce` is too long, or `claims` malformed.
    pub(super) fn openid(
        &self,
        response_type: ResponseType,
        scope: &Scope,
        rules: &Rules,
    ) -> Result<Option<Box<OpenId>>, Reason> {
        if response_type != ResponseType::Code || !self.is_of_openid(rules) || !scope.contains(OPENID) {
            return Ok(None);
        }
        if self.nonce.as_ref().is_some_and(|nonce| nonce.chars().nth(MAX_NONCE).is_some()) {
            return Err(Reason::NonceTooLong);
        }
        let claims = self.claims.as_deref().map(ClaimsRequest::parse).transpose()?;
        let (nonce, claims) = (self.nonce.clone(), claims.map(Box::new));
        Ok(Some(Box::new(OpenId { nonce, claims, ..OpenId::default() })))
    }
}
