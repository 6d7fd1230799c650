//! A request with a bearer token, and the challenges of RFC 6750 section 3.

use super::Access;
use crate::error::{Reason, Refusal};
use crate::http::{Request, Response};
use crate::scope::Scope;
use crate::server::AuthorizationServer;

impl AuthorizationServer {
    /// Lets a request pass that carries a live access token for the server's default audience, with all of these
    /// scopes.
    ///
    /// # Errors
    /// The answer to send: 401 without an error code where no token was sent, 401 `invalid_token`, 403
    /// `insufficient_scope` with every scope that is needed, 400 for two tokens, 503 if the store could not say.
    pub async fn protect(&self, request: &Request, scopes: &[&str]) -> Result<Access, Response> {
        let needed = Scope::parse(&scopes.join(" ")).unwrap_or_default();
        let token = bearer(request).map_err(|reason| challenge(reason, &needed))?;
        let access = self.check(token).await.map_err(|r: Refusal| challenge(r.reason(), &needed))?;
        if access.audience().is_some() {
            return Err(challenge(Reason::TokenAudienceWrong, &needed));
        }
        match needed.is_subset(access.scope()) {
            true => Ok(access),
            false => Err(challenge(Reason::TokenScopeInsufficient, &needed)),
        }
    }
}

/// The token of the one `Authorization` header. A token in the query is not looked at (OAuth 2.1 section 5.1),
/// but next to one in the header it is an error (RFC 6750 section 2).
fn bearer(request: &Request) -> Result<&str, Reason> {
    let mut headers = request.headers.all("authorization");
    let header = match (headers.next(), headers.next()) {
        (None, _) => return Err(Reason::TokenMissing),
        (Some(header), None) => header,
        (Some(_), Some(_)) => return Err(Reason::TokenMethodsMixed),
    };
    let query = request.query.as_deref().unwrap_or_default();
    if query.split('&').any(|pair| pair.starts_with("access_token=")) {
        return Err(Reason::TokenMethodsMixed);
    }
    let (scheme, token) = header.split_once(' ').unwrap_or((header, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Reason::TokenMissing);
    }
    let token = token.trim();
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b);
    match !token.is_empty() && token.bytes().all(legal) {
        true => Ok(token),
        false => Err(Reason::TokenMalformed),
    }
}

/// RFC 6750 section 3.1: no error code where no token was sent.
fn challenge(reason: Reason, needed: &Scope) -> Response {
    let refused = Refusal::from(reason).into_response();
    if !matches!(refused.status, 400 | 401 | 403) {
        return refused;
    }
    let mut value = "Bearer realm=\"api\"".to_owned();
    if reason != Reason::TokenMissing {
        let (code, description) = (reason.code(), reason.description());
        value.push_str(&format!(", error=\"{code}\", error_description=\"{description}\""));
    }
    if !needed.is_empty() && matches!(refused.status, 401 | 403) {
        value.push_str(&format!(", scope=\"{needed}\""));
    }
    let mut response = match reason {
        Reason::TokenMissing => Response::secret_json(401, b"{}".to_vec()),
        _ => refused,
    };
    response.headers.retain(|(name, _)| *name != "www-authenticate");
    response.with("www-authenticate", value)
}
