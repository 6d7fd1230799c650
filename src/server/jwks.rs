//! The endpoint of the public keys (RFC 7517).

use super::signed::SIGNER;
use super::{AuthorizationServer, EventSubject};
use crate::audit::Endpoint;
use crate::error::{Reason, Refusal};
use crate::http::Response;

impl AuthorizationServer {
    /// The public keys (RFC 7517), for verifiers of signed access tokens.
    pub async fn jwks(&self) -> Response {
        let Some(signer) = &self.inner.signer else {
            return Refusal::from(Reason::NotConfigured).into_response();
        };
        match self.ask_part(SIGNER, signer.jwks(self.now())).await {
            Ok(json) => Response::public_json(json, 300),
            Err(fault) => self.refuse(fault.into(), Endpoint::Jwks, EventSubject::default()),
        }
    }
}
