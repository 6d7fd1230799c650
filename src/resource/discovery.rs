//! [`Discovery`]: the metadata that an issuer publishes (RFC 8414), fetched and cached.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::base::origin;
use crate::error::Reason;
use crate::outbound::{self, ChosenBy, Outbound, OutboundRequest, OutboundResponse};
use crate::trust::kept::{Answer, DEADLINE, Freshness, NoAnswer, RemoteValue};

/// Finds the endpoints of an issuer by its identifier. Cheap to clone; clones share the cached metadata.
///
/// The document is fetched from the path of RFC 8414 section 3.1, then from that of OpenID Connect Discovery.
/// Its `issuer` must be exactly the expected string. It is cached as its response says, between 30 s and an
/// hour, and for another hour while the issuer cannot be reached.
#[derive(Clone)]
pub struct Discovery(Arc<Inner>);

struct Inner {
    issuer: String,
    outbound: Arc<dyn Outbound>,
    kept: RemoteValue<Arc<Published>>,
}

/// The members that a resource server needs.
#[derive(Deserialize)]
pub(super) struct Published {
    issuer: String,
    #[cfg_attr(not(feature = "jwt"), expect(dead_code, reason = "only signatures need keys"))]
    pub(super) jwks_uri: Option<String>,
    pub(super) introspection_endpoint: Option<String>,
}

impl Discovery {
    /// The metadata of this issuer, fetched when needed. The issuer comes from the host's configuration, so
    /// its server is trusted.
    #[must_use]
    pub fn new(issuer: impl Into<String>, outbound: impl Outbound + 'static) -> Self {
        let outbound: Arc<dyn Outbound> = Arc::new(outbound);
        Self(Arc::new(Inner { issuer: issuer.into(), outbound, kept: RemoteValue::default() }))
    }

    /// The issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    pub(super) fn outbound(&self) -> &Arc<dyn Outbound> {
        &self.0.outbound
    }

    /// The current metadata, from the cache or freshly fetched.
    pub(super) async fn published(&self, now: DateTime<Utc>) -> Result<Arc<Published>, Reason> {
        self.0.kept.latest(false, now, self.fetch(now)).await
    }

    async fn fetch(&self, now: DateTime<Utc>) -> Result<Answer<Arc<Published>>, NoAnswer> {
        for place in places(&self.0.issuer) {
            let request = OutboundRequest::get(place, ChosenBy::Host)
                .header("accept", "application/json")
                .limits(MAX_DOCUMENT, DEADLINE);
            match outbound::ask(&*self.0.outbound, &request).await {
                Ok(response) if response.status() == 200 => {
                    let published = self.read(&response).ok_or(Reason::IssuerUnavailable)?;
                    return Ok(Freshness::default().of(Arc::new(published), &response, now));
                }
                // The document is not here: try the next URL. Any other failure counts as an outage of the
                // issuer.
                Ok(response) if matches!(response.status(), 400 | 401 | 403 | 404 | 405 | 410) => {}
                Ok(_) => break,
                Err(error) => return Err(NoAnswer::of(error, Reason::IssuerUnavailable)),
            }
        }
        Err(Reason::IssuerUnavailable.into())
    }

    /// RFC 8414 section 3.3.
    fn read(&self, response: &OutboundResponse) -> Option<Published> {
        let published: Published = serde_json::from_slice(response.body()).ok()?;
        Some(published).filter(|published| published.issuer == self.0.issuer)
    }
}

const MAX_DOCUMENT: usize = 64 * 1024;

/// The URLs where the document of an issuer may be, the preferred one first.
fn places(issuer: &str) -> Vec<String> {
    let issuer = issuer.strip_suffix('/').unwrap_or(issuer);
    let origin = origin::written(issuer);
    let path = &issuer[origin.len()..];
    let mut places = vec![
        format!("{origin}/.well-known/oauth-authorization-server{path}"),
        format!("{issuer}/.well-known/openid-configuration"),
    ];
    if !path.is_empty() {
        places.push(format!("{origin}/.well-known/openid-configuration{path}"));
    }
    places
}

impl fmt::Debug for Discovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discovery").field("issuer", &self.0.issuer).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_well_known_name_goes_before_the_path_and_openids_also_behind_it() {
        assert_eq!(
            places("https://as.example"),
            [
                "https://as.example/.well-known/oauth-authorization-server",
                "https://as.example/.well-known/openid-configuration"
            ]
        );
        assert_eq!(places("https://as.example/"), places("https://as.example"));
        assert_eq!(
            places("https://as.example:8443/tenant/one/"),
            [
                "https://as.example:8443/.well-known/oauth-authorization-server/tenant/one",
                "https://as.example:8443/tenant/one/.well-known/openid-configuration",
                "https://as.example:8443/.well-known/openid-configuration/tenant/one",
            ]
        );
        for odd in ["", "/", "as.example", "://", "https://é/é"] {
            assert!(!places(odd).is_empty(), "{odd}");
        }
    }
}
