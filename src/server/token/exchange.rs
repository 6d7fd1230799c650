//! The driver of token exchange (RFC 8693).

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;

use crate::base::SecretText;
use crate::error::{Reason, Refusal};
use crate::flow::token::{AwaitTokens, Exchange, ExchangeAsk, TokenReply};
use crate::server::AuthorizationServer;
use crate::store::BackendError;
use crate::token::Access;
use crate::trust::Proven;

/// Decides who may exchange which token for which.
#[async_trait]
pub trait ExchangePolicy: Send + Sync {
    /// Whether this exchange is allowed, and whether the new token names the party that acts.
    ///
    /// Everything in the question is checked: the tokens are live, the resources known, the scope within that
    /// of the subject token. **A wrong permission lets a client use a token that it received at a resource
    /// that the token was not meant for**: list the allowed clients and resources, and answer
    /// [`Exchange::Denied`] to everything else.
    ///
    /// # Errors
    /// The decision could not be made; the response is 503, or 500 for a permanent error.
    async fn exchange(&self, ask: &ExchangeAsk<'_>) -> Result<Exchange, BackendError>;
}

#[async_trait]
impl<T: ExchangePolicy + ?Sized> ExchangePolicy for Arc<T> {
    async fn exchange(&self, ask: &ExchangeAsk<'_>) -> Result<Exchange, BackendError> {
        (**self).exchange(ask).await
    }
}

impl AuthorizationServer {
    pub(in crate::server) async fn exchange(
        &self,
        flow: AwaitTokens,
        peer: Option<IpAddr>,
        proof: Option<&Proven>,
    ) -> Result<TokenReply, Refusal> {
        let policy = self.inner.exchange.as_ref().ok_or(Reason::GrantTypeUnsupported)?;
        let subject = self.own_access(flow.subject_token()).await?;
        let actor = match flow.actor_token() {
            Some(token) => self.own_access(token).await?,
            None => None,
        };
        self.check_generation(subject.as_ref().and_then(Access::token_name)).await?;
        let flow = flow.with_tokens(subject, actor, &self.facts())?;
        let question = flow.question();
        let account_status = self.account_status(question.subject.subject()).await?;
        let permission = self.ask_part("ExchangePolicy", policy.exchange(&question)).await?;
        self.issue_new_grant(&flow.with_permission(permission, account_status)?, peer, proof).await
    }

    /// The access of a token, if it is a live access token of this server.
    async fn own_access(&self, token: &SecretText) -> Result<Option<Access>, Refusal> {
        match self.check(token.reveal()).await {
            Ok(access) => Ok(Some(access)),
            Err(refusal) if refusal.reason() == Reason::TokenInactive => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }
}
