//! What all machine endpoints share: the method, the size of the body, and who may read the answer.

use std::borrow::Cow;

use super::{About, AuthorizationServer, Inner};
use crate::audit::Endpoint;
use crate::error::{Reason, Refusal};
use crate::http::{MAX_BODY, Method, Request, Response};
use crate::metadata::{self, well_known_paths};

impl AuthorizationServer {
    /// The endpoints that an adapter routes to [`handle`](Self::handle), with their paths. The host's own
    /// `/authorize` is not one of them.
    #[must_use]
    pub fn routes(&self) -> Vec<(Endpoint, String)> {
        let base = &self.inner.issuer_path;
        let endpoints = &self.inner.endpoints;
        let jwks = (Endpoint::Jwks, format!("{base}{}", endpoints.jwks));
        let jwks = Some(jwks).filter(|_| self.inner.signer.is_some());
        let registration = (Endpoint::Registration, format!("{base}{}", endpoints.registration));
        let registration = Some(registration).filter(|_| self.inner.registration.is_some());
        let always = [
            (Endpoint::Token, format!("{base}{}", endpoints.token)),
            (Endpoint::Revocation, format!("{base}{}", endpoints.revocation)),
            (Endpoint::Introspection, format!("{base}{}", endpoints.introspection)),
        ];
        let metadata = well_known_paths(base, self.rules().profile).into_iter();
        let metadata = metadata.map(|path| (Endpoint::Metadata, path));
        let devices = (Endpoint::DeviceAuthorization, format!("{base}{}", endpoints.device_authorization));
        let devices = Some(devices).filter(|_| endpoints.device_verification.is_some());
        always.into_iter().chain(metadata).chain(jwks).chain(devices).chain(registration).collect()
    }

    /// The machine endpoint at this path, if there is one.
    #[must_use]
    pub fn endpoint_at(&self, path: &str) -> Option<Endpoint> {
        self.routes().into_iter().find(|(_, route)| route == path).map(|(endpoint, _)| endpoint)
    }

    /// Answers any request at a machine endpoint: checks the method and the size of the body, answers
    /// preflights, and lets other origins read what they may read.
    pub async fn handle(&self, endpoint: Endpoint, request: &Request) -> Response {
        let shared = is_shared(endpoint);
        let response = match (endpoint, request.method) {
            (_, Method::Options) if shared => return preflight(endpoint),
            _ if request.body.len() > MAX_BODY => {
                self.refuse(Reason::FormTooLarge.into(), endpoint, About::default())
            }
            (Endpoint::Token, Method::Post) => self.token(request).await,
            (Endpoint::Revocation, Method::Post) => self.revoke(request).await,
            (Endpoint::Introspection, Method::Post) => self.introspect(request).await,
            (Endpoint::DeviceAuthorization, Method::Post) => self.device_authorization(request).await,
            (Endpoint::Metadata, Method::Get | Method::Head) => self.metadata(),
            (Endpoint::Jwks, Method::Get | Method::Head) => self.jwks().await,
            (Endpoint::Registration, Method::Post | Method::Get | Method::Put | Method::Delete) => {
                self.registration(request).await
            }
            _ => method_not_allowed(endpoint),
        };
        if shared { response.with("access-control-allow-origin", ANY) } else { response }
    }

    /// The metadata document (RFC 8414).
    pub fn metadata(&self) -> Response {
        let Inner { rules, endpoints, parts, .. } = &*self.inner;
        Response::public_json(metadata::document(rules, endpoints, *parts), 300)
    }
}

/// Browser programs of any origin use these; no answer depends on a cookie. Never the authorization endpoint
/// (RFC 9700 section 2.6), and introspection is for servers.
fn is_shared(endpoint: Endpoint) -> bool {
    match endpoint {
        Endpoint::Token
        | Endpoint::Revocation
        | Endpoint::DeviceAuthorization
        | Endpoint::Metadata
        | Endpoint::Jwks
        | Endpoint::Registration => true,
        Endpoint::Authorization
        | Endpoint::DeviceVerification
        | Endpoint::Introspection
        | Endpoint::Resource
        | Endpoint::Host => false,
    }
}

fn allowed(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Metadata | Endpoint::Jwks => "GET, HEAD",
        Endpoint::Token | Endpoint::Revocation | Endpoint::Introspection | Endpoint::DeviceAuthorization => {
            "POST"
        }
        Endpoint::Registration => "POST, GET, PUT, DELETE",
        Endpoint::Authorization | Endpoint::DeviceVerification | Endpoint::Resource | Endpoint::Host => "",
    }
}

fn method_not_allowed(endpoint: Endpoint) -> Response {
    Refusal::from(Reason::MethodWrong).into_response().with("allow", allowed(endpoint))
}

/// `Authorization` has to be named: `*` does not cover it.
fn preflight(endpoint: Endpoint) -> Response {
    Response::empty(204)
        .with("access-control-allow-origin", ANY)
        .with("access-control-allow-methods", allowed(endpoint))
        .with("access-control-allow-headers", "authorization, content-type, dpop, mcp-protocol-version")
        .with("access-control-max-age", "600")
}

const ANY: Cow<'static, str> = Cow::Borrowed("*");
