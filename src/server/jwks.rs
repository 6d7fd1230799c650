//! The endpoint of the public keys (RFC 7517).

use super::{AuthorizationServer, EventSubject};
use crate::audit::Endpoint;
use crate::error::{Fault, Reason, Refusal};
use crate::http::Response;

impl AuthorizationServer {
    /// The public keys (RFC 7517), for verifiers of signed access tokens.
    pub async fn jwks(&self) -> Response {
        let Some(signer) = &self.inner.signer else {
            return Refusal::from(Reason::NotConfigured).into_response();
        };
        match self.in_time(signer.jwks(self.now())).await {
            Some(Ok(json)) => Response::public_json(json, 300),
            Some(Err(error)) => {
                self.refuse(Fault::from(error).into(), Endpoint::Jwks, EventSubject::default())
            }
            None => self.refuse(Fault::Deadline.into(), Endpoint::Jwks, EventSubject::default()),
        }
    }
}
