//! The approval of an authorization request: its grant is written, and then its response is sent.

use chrono::{DateTime, Utc};

use super::Consent;
use crate::audit::{Endpoint, EventKind};
use crate::base::ReplayKey;
use crate::error::{AssertionFlaw, Reason, Refusal};
use crate::flow::AccountStatus;
use crate::http::Response;
use crate::server::EventSubject;
use crate::server::calls::Outcome;

impl Consent {
    pub(in crate::server) async fn say_yes(self) -> Response {
        match self.state.single_use() {
            Some((key, until)) => Box::pin(self.answer_once(key, until)).await,
            None => self.answer_yes().await,
        }
    }

    /// Answers a request whose request object works once.
    async fn answer_once(self, key: ReplayKey, until: DateTime<Utc>) -> Response {
        let (server, client, peer) = (self.server.clone(), self.client().id().clone(), self.peer);
        match server.use_once(key, until, Reason::RequestObject(AssertionFlaw::Replayed)).await {
            Ok(only_use) => {
                let response = self.answer_yes().await;
                // An error page is not sent to the client.
                if response.status < 400 {
                    only_use.answered();
                }
                response
            }
            Err(refusal) => server.error_page(refusal, EventSubject::client(&client).peer(peer)),
        }
    }

    async fn answer_yes(self) -> Response {
        let Self { server, state, peer, .. } = self;
        let response_type = state.response_type();
        let is_pushed = state.is_pushed();
        let client = state.client().id().clone();
        let is_self_registered = state.client().is_self_registered();
        if let Some(subject) = state.must_be_active() {
            match server.account_status(subject).await {
                Ok(AccountStatus::Active) => {}
                Ok(AccountStatus::Blocked) => {
                    return server.answer_error(state.blocked(), &client, peer).await;
                }
                Err(fault) => {
                    return server.error_page(fault.into(), EventSubject::client(&client).peer(peer));
                }
            }
        }
        let (write, mut sealed) = match state.approve(server.fresh_secrets(), &server.facts()) {
            Ok(approved) => approved,
            Err(refusal) => return server.error_page(refusal, EventSubject::client(&client).peer(peer)),
        };
        let grant = write.next().grant();
        let about = EventSubject::of(grant).peer(peer);
        // Before the write: if the host's claims source fails, or its claims are too long, no grant is left
        // behind.
        let claims = sealed.access_claims_mut();
        if let Err(refusal) = server.prepare_access_token(claims, Endpoint::Authorization, about) {
            return server.error_page(refusal, about);
        }
        if let Some(id_token) = sealed.id_token_mut()
            && let Err(refusal) =
                Box::pin(server.prepare_id_token(id_token, Endpoint::Authorization, about)).await
        {
            return server.error_page(refusal, about);
        }
        let refusal: Refusal = match server.commit(&write).await {
            Outcome::Committed(proof) => {
                let confirmed = server.confirm_client(is_self_registered, grant).await;
                let opened = sealed.open(proof);
                let response = match confirmed.and(opened) {
                    Ok(opened) => {
                        if response_type.has_code() {
                            server.audit(EventKind::CodeIssued, Endpoint::Authorization, about);
                        }
                        if response_type.has_token() || response_type.has_id_token() {
                            server.audit(EventKind::TokensIssued, Endpoint::Authorization, about);
                        }
                        server.signed_redirect(opened).await
                    }
                    Err(refusal) => Err(refusal),
                };
                match response {
                    Ok(response) => return response,
                    Err(refusal) => {
                        // The response will not be sent, so the grant must not stay live. If this write fails
                        // too, no client has the code.
                        let _ = Box::pin(server.revoke_grant(grant.id())).await;
                        refusal
                    }
                }
            }
            // A pushed request can only have been approved or ended by now.
            Outcome::Conflict if is_pushed => Reason::RequestUriSpent.into(),
            Outcome::Conflict => Reason::Contended.into(),
            Outcome::Failed(fault) | Outcome::Unknown(fault) => fault.into(),
        };
        server.error_page(refusal, about)
    }
}
