//! The last steps of an authorization response: whether an error may be redirected, and what has to be
//! signed.

use std::net::IpAddr;

use crate::audit::{Endpoint, EventKind};
use crate::client::ClientId;
use crate::error::{Fault, Refusal};
use crate::flow::{AwaitRedirectSignature, ErrorAnswer, Finished, OpenedRedirect, Redirect};
use crate::grant::Subject;
use crate::http::Response;
use crate::server::{AuthorizationServer, EventSubject};
use crate::store::Filter;

impl AuthorizationServer {
    /// Finishes and audits an error response. If the client chose its own redirect URI, only a user who
    /// approved this client before is redirected; any other user sees a page.
    pub(in crate::server) async fn answer_error(
        &self,
        error: ErrorAnswer,
        client: &ClientId,
        peer: Option<IpAddr>,
    ) -> Response {
        let redirect = match error {
            ErrorAnswer::Redirect(redirect) => redirect,
            ErrorAnswer::Unproven(waiting) => {
                let approved = match waiting.question() {
                    Some((subject, client)) => self.was_approved(subject, client).await,
                    None => false,
                };
                waiting.with_answer(approved)
            }
        };
        let about = EventSubject::client(client).peer(peer);
        if let Some(reason) = redirect.reason() {
            self.audit(EventKind::Refused(reason), Endpoint::Authorization, about);
        }
        match self.signed_redirect(OpenedRedirect::Ready(redirect)).await {
            Ok(response) => response,
            Err(refusal) => self.refuse_page(refusal, Endpoint::Authorization, about).into_response(),
        }
    }

    /// A response whose write is proven, with every signature that it needs.
    pub(in crate::server) async fn signed_redirect(
        &self,
        opened: OpenedRedirect,
    ) -> Result<Response, Refusal> {
        let redirect = match opened {
            OpenedRedirect::Ready(redirect) => redirect,
            OpenedRedirect::Sign(waiting) => Box::pin(self.sign_parts(waiting)).await?,
        };
        // Its response mode may require that the whole response is signed.
        match redirect.finish(|| self.now()) {
            Finished::Ready(response) => Ok(response),
            Finished::Sign(waiting) => {
                let unsigned = waiting.unsigned().map_err(Fault::from)?;
                let text = Box::pin(self.sign(&unsigned)).await?;
                Ok(waiting.with_signature(&text))
            }
        }
    }

    /// Signs the tokens of a response, one after the other.
    async fn sign_parts(&self, mut waiting: Box<AwaitRedirectSignature>) -> Result<Redirect, Refusal> {
        loop {
            let token = self.sign_part(waiting.part()).await?;
            match waiting.with_token(token) {
                OpenedRedirect::Ready(redirect) => return Ok(redirect),
                OpenedRedirect::Sign(next) => waiting = next,
            }
        }
    }

    /// Whether a grant shows that this user approved this client before. If the store fails, the user sees
    /// the page, which is the safe choice.
    async fn was_approved(&self, subject: &Subject, client: &ClientId) -> bool {
        let filter = Filter::pair(subject.clone(), client.clone());
        let mut pages = self.pages(&filter, 1);
        while let Ok(Some(listing)) = pages.next().await {
            if !listing.records.is_empty() {
                return true;
            }
        }
        false
    }
}
