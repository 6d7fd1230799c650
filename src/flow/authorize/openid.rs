//! What of an authorization request is OpenID Connect's own (OpenID Connect Core sections 3.1.2.1 and 5.5).

use super::parameters::AuthorizationParameters;
use super::{AwaitLogin, Prompt};
use crate::base::Scope;
use crate::client::{Client, ResponseType};
use crate::error::Reason;
use crate::flow::logout::HintClaims;
use crate::grant::Subject;
use crate::issuance::Rules;
use crate::openid::{ClaimsRequest, MAX_NONCE, OPENID, OpenId};

impl AwaitLogin {
    /// The `id_token_hint` that has to be verified, if the request is one of OpenID Connect.
    pub(crate) fn hint(&self, rules: &Rules) -> Option<&str> {
        self.asked.id_token_hint.as_deref().filter(|_| self.asked.is_of_openid(rules))
    }

    /// Takes what it says: nothing, if this server did not issue it. It never chooses a user, it only refuses
    /// others (section 3.1.2.1).
    #[must_use]
    pub(crate) fn with_hint(mut self, hint: Option<HintClaims>) -> Self {
        self.hint = match hint {
            None => Err(Reason::IdTokenHintInvalid),
            Some(hint) if hint.client != *self.client.id() => Err(Reason::IdTokenHintOfAnother),
            Some(hint) => Ok(Some(Box::new(hint))),
        };
        self
    }

    /// Whether the hint names another user than this one, as the client knows them.
    pub(super) fn is_for_another(&self, subject: &Subject, rules: &Rules) -> bool {
        let Ok(Some(hint)) = &self.hint else { return false };
        !hint.is_about(subject, &self.client, rules)
    }
}

impl AuthorizationParameters {
    /// Whether the request is one of OpenID Connect.
    pub(super) fn is_of_openid(&self, rules: &Rules) -> bool {
        rules.openid.is_some() && self.names_scope(OPENID)
    }

    /// A value of `prompt` that an OpenID Provider does not list in its metadata is an error (Initiating User
    /// Registration section 4.1), and so is everywhere a page for signing up that is not there.
    ///
    /// # Errors
    /// [`Reason::PromptUnsupported`]
    pub(super) fn check_prompts(&self, rules: &Rules) -> Result<(), Reason> {
        let prompts = self.requested.prompts;
        let is_unknown = prompts.has_unknown() && rules.openid.is_some();
        match is_unknown || (prompts.has(Prompt::Create) && !rules.signs_up) {
            true => Err(Reason::PromptUnsupported),
            false => Ok(()),
        }
    }

    /// A response mode of no known name has no answer in it: OpenID Connect Core section 3.1.2.6 wants a
    /// page.
    ///
    /// # Errors
    /// [`Reason::ResponseModeInvalid`]
    pub(super) fn check_mode_name(&self, rules: &Rules) -> Result<(), Reason> {
        match self.response_mode {
            Some(Err(reason)) if self.is_of_openid(rules) => Err(reason),
            Some(_) | None => Ok(()),
        }
    }

    /// What a grant of this scope remembers of the request; the user's part of it is still to come. The
    /// response type `token` is plain OAuth's.
    ///
    /// # Errors
    /// `nonce` is too long, or missing where the browser carries an `id_token`; `claims` is malformed, or
    /// asks for what there is no access token for; or there is no scope `openid` for an `id_token`, or no key
    /// to sign it with for this client.
    pub(super) fn openid(
        &self,
        response_type: ResponseType,
        scope: &Scope,
        client: &Client,
        rules: &Rules,
    ) -> Result<Option<Box<OpenId>>, Reason> {
        let is_of_openid = self.is_of_openid(rules) && scope.contains(OPENID);
        match response_type {
            _ if !is_of_openid && response_type.has_id_token() => return Err(Reason::IdTokenWithoutScope),
            ResponseType::Token => return Ok(None),
            _ if !is_of_openid => return Ok(None),
            _ => {}
        }
        if self.nonce.as_ref().is_some_and(|nonce| nonce.chars().nth(MAX_NONCE).is_some()) {
            return Err(Reason::NonceTooLong);
        }
        if self.nonce.is_none() && response_type.has_id_token() {
            return Err(Reason::NonceMissing);
        }
        let claims = self.claims.as_deref().map(ClaimsRequest::parse).transpose()?;
        let asks_userinfo = claims.as_ref().is_some_and(ClaimsRequest::asks_userinfo);
        if asks_userinfo && response_type == ResponseType::IdToken {
            return Err(Reason::ClaimsWithoutToken);
        }
        rules.signable_id_token(client)?;
        let (nonce, claims) = (self.nonce.clone(), claims.map(Box::new));
        Ok(Some(Box::new(OpenId { nonce, claims, ..OpenId::default() })))
    }
}
