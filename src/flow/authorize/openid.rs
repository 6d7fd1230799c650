//! The parts of an authorization request that only OpenID Connect has (OpenID Connect Core sections 3.1.2.1
//! and 5.5).

use super::parameters::AuthorizationParameters;
use super::{AwaitLogin, Prompt};
use crate::base::Scope;
use crate::client::{Client, ResponseType};
use crate::error::Reason;
use crate::flow::logout::HintClaims;
use crate::issuance::{Issuance, Rules};
use crate::openid::{MAX_NONCE, OPENID, OpenId};

impl AwaitLogin {
    /// The `id_token_hint` that has to be verified, if this is an OpenID Connect request.
    pub(crate) fn hint(&self, rules: &Rules) -> Option<&str> {
        self.asked.id_token_hint.as_deref().filter(|_| self.asked.is_of_openid(rules))
    }

    /// Takes the claims of the hint, `None` if this server did not issue it. A hint never chooses a user; it
    /// only rules others out (section 3.1.2.1).
    #[must_use]
    pub(crate) fn with_hint(mut self, hint: Option<HintClaims>) -> Self {
        self.hint = match hint {
            None => Err(Reason::IdTokenHintInvalid),
            Some(hint) if hint.client != *self.client.id() => Err(Reason::IdTokenHintOfAnother),
            Some(hint) => Ok(Some(Box::new(hint))),
        };
        self
    }

    /// Whether the hint or the `sub` of the parameter `claims` names another user than the one of this
    /// issuance, as the client knows them (section 3.1.2.2).
    pub(super) fn is_for_another(&self, issuance: &Issuance, rules: &Rules) -> bool {
        let hint = self.hint.as_ref().ok().and_then(Option::as_deref);
        let by_hint = hint.is_some_and(|hint| !hint.is_about(&issuance.subject, &self.client, rules));
        let sub = issuance.sub.as_deref().unwrap_or(issuance.subject.id());
        by_hint || issuance.openid.as_deref().is_some_and(|openid| openid.is_for_another(sub))
    }

    /// Refuses a request whose hint and claims name different users.
    ///
    /// # Errors
    /// [`Reason::IdTokenHintAgainstClaims`]
    pub(super) fn check_users(&self, openid: Option<&OpenId>) -> Result<(), Reason> {
        match (&self.hint, openid) {
            (Ok(Some(hint)), Some(openid)) if openid.is_for_another(&hint.sub) => {
                Err(Reason::IdTokenHintAgainstClaims)
            }
            _ => Ok(()),
        }
    }
}

impl AuthorizationParameters {
    /// Whether this is an OpenID Connect request.
    pub(super) fn is_of_openid(&self, rules: &Rules) -> bool {
        rules.openid.is_some() && self.names_scope(OPENID)
    }

    /// Adds what the parameter `claims` and the client's registration say about the sign-in.
    pub(super) fn complete_for(&mut self, client: &Client) {
        let claims = self.claims.as_ref().and_then(|claims| claims.as_deref().ok());
        self.requested.complete(claims, client.metadata());
    }

    /// Refuses a `prompt` that an OpenID Provider does not list in its metadata (Initiating User Registration
    /// section 4.1) and, on every server, `create` without a sign-up page.
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

    /// Refuses an unknown response mode. It has no place for a response, so OpenID Connect Core section
    /// 3.1.2.6 requires an error page.
    ///
    /// # Errors
    /// [`Reason::ResponseModeInvalid`]
    pub(super) fn check_mode_name(&self, rules: &Rules) -> Result<(), Reason> {
        match self.response_mode {
            Some(Err(reason)) if self.is_of_openid(rules) => Err(reason),
            Some(_) | None => Ok(()),
        }
    }

    /// The OpenID Connect data that a grant of this scope keeps from the request; the user's data are added
    /// later. The response type `token` has no `id_token`, but its access token can read UserInfo.
    ///
    /// # Errors
    /// `nonce` is too long, or missing although the response has an `id_token`; `claims` is malformed, or
    /// asks for UserInfo claims without an access token; or an `id_token` is requested without the scope
    /// `openid`.
    pub(super) fn openid(
        &self,
        response_type: ResponseType,
        scope: &Scope,
        client: &Client,
        rules: &Rules,
    ) -> Result<Option<Box<OpenId>>, Reason> {
        match (self.is_of_openid(rules) && scope.contains(OPENID), response_type.has_id_token()) {
            (true, _) => {}
            (false, true) => return Err(Reason::IdTokenWithoutScope),
            (false, false) => return Ok(None),
        }
        if self.nonce.as_ref().is_some_and(|nonce| nonce.chars().nth(MAX_NONCE).is_some()) {
            return Err(Reason::NonceTooLong);
        }
        if self.nonce.is_none() && response_type.has_id_token() {
            return Err(Reason::NonceMissing);
        }
        let claims = self.claims.clone().transpose()?;
        let asks_userinfo = claims.as_ref().is_some_and(|claims| claims.asks_userinfo());
        if asks_userinfo && response_type == ResponseType::IdToken {
            return Err(Reason::ClaimsWithoutToken);
        }
        if response_type != ResponseType::Token {
            rules.signable_id_token(client)?;
        }
        let nonce = self.nonce.clone();
        Ok(Some(Box::new(OpenId { nonce, claims, ..OpenId::default() })))
    }
}
