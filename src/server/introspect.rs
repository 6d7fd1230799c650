//! The introspection endpoint (RFC 7662).

use super::AuthorizationServer;
use crate::audit::Endpoint;
use crate::error::Refusal;
use crate::flow::introspect;
use crate::http::{Request, Response};

impl AuthorizationServer {
    /// Answers an introspection request (RFC 7662).
    pub async fn introspect(&self, request: &Request) -> Response {
        let flow = match introspect::parse(request, &self.facts()) {
            Ok(flow) => flow,
            Err(refusal) => return self.refuse_unread(refusal, Endpoint::Introspection, request),
        };
        let (client, evidence) = (flow.client_id().clone(), flow.evidence());
        match self.drive_introspection(flow, request).await {
            Ok(response) => response,
            Err(refusal) => {
                self.refuse_client(refusal, Endpoint::Introspection, request, (&client, evidence))
            }
        }
    }

    async fn drive_introspection(
        &self,
        flow: introspect::AwaitClient,
        request: &Request,
    ) -> Result<Response, Refusal> {
        let flow = self.authenticate(request, flow).await?;
        let claims = self.own_claims(flow.unverified()).await?;
        let flow = flow.with_claims(claims);
        let record = match flow.grant_id() {
            Some(id) => self.load_living(id).await?,
            None => None,
        };
        let (record, sub) = match record {
            Some(record) => match self.sub_of(record.grant(), flow.client()).await? {
                Some(sub) => (Some(record), sub),
                None => (None, None),
            },
            None => (None, None),
        };
        let wants_jwt = introspect::prefers_jwt(request);
        match flow.introspect(record.as_ref(), sub.as_deref(), wants_jwt, &self.facts())? {
            introspect::Answer::Ready(response) => Ok(response),
            introspect::Answer::Sign(waiting) => {
                let text = self.sign(waiting.unsigned()).await?;
                Ok(waiting.with_signature(text))
            }
        }
    }
}
