//! Authorization requests that clients sign (RFC 9101).

use serde_json::{Map, Value};

use crate::client::{ClaimsMissing, RequestObjects, SignedText};
use crate::error::{Fault, Reason, Refusal};
use crate::flow::authorize::{AwaitLogin, AwaitRequestObject};
use crate::server::{AuthorizationServer, AuthorizationServerBuilder};

impl<C, S> AuthorizationServerBuilder<C, S> {
    /// Accepts signed request objects (RFC 9101). Needs [`client_signatures`](Self::client_signatures), which
    /// verifies them.
    pub fn request_objects(mut self, terms: RequestObjects) -> Self {
        self.options.request_objects = Some(terms);
        self
    }
}

impl AuthorizationServer {
    /// Verifies a request object, and continues with its parameters.
    pub(in crate::server) async fn open_request_object(
        &self,
        flow: AwaitRequestObject,
    ) -> Result<AwaitLogin, Refusal> {
        let claims = self.client_claims(&flow.question()).await?;
        flow.with_claims(claims, &self.precise_facts())
    }

    /// The claims of a request object.
    pub(in crate::server) async fn client_claims(
        &self,
        signed: &SignedText<'_>,
    ) -> Result<Result<Map<String, Value>, ClaimsMissing>, Refusal> {
        let signatures = self.inner.client_signatures.as_ref().ok_or(Reason::NotConfigured)?;
        let claims = self.in_time_with_keys(signatures.verify(signed, self.now())).await;
        Ok(claims.ok_or(Fault::Deadline)?)
    }
}
