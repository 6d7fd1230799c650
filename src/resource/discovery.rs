//! [`Discovery`]: the metadata that an issuer publishes (RFC 8414), fetched and cached.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::base::origin;
use crate::error::{Reason, Refusal, RemoteError, shown};
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
    /// The URL of the document.
    #[serde(skip)]
    place: String,
}

/// What is fetched, in the cause of a failure.
const WHAT: &str = "the metadata";

impl Published {
    /// The document lacks a member.
    #[cfg(feature = "jwt")]
    pub(super) fn unusable(&self, flaw: &'static str) -> Refusal {
        RemoteError::unavailable(WHAT, &self.place, flaw).into()
    }

    /// The issuer does not offer what the host has configured.
    pub(super) fn refused(&self, flaw: &'static str) -> Refusal {
        RemoteError::refused(WHAT, &self.place, flaw).into()
    }
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
    pub(super) async fn published(&self, now: DateTime<Utc>) -> Result<Arc<Published>, Refusal> {
        self.0.kept.latest(false, now, self.fetch(now)).await
    }

    async fn fetch(&self, now: DateTime<Utc>) -> Result<Answer<Arc<Published>>, NoAnswer> {
        let mut missing: Option<RemoteError> = None;
        for place in places(&self.0.issuer) {
            let request = OutboundRequest::get(place.as_str(), ChosenBy::Host)
                .header("accept", "application/json")
                .limits(MAX_DOCUMENT, DEADLINE);
            let unusable = |flaw: String| RemoteError::unavailable(WHAT, &place, flaw);
            match outbound::ask(&*self.0.outbound, &request).await {
                Ok(response) if response.status() == 200 => {
                    let mut published = self.read(&response).map_err(unusable)?;
                    published.place = place;
                    return Ok(Freshness::default().of(Arc::new(published), &response, now));
                }
                // The document is not here: try the next URL. Any other failure counts as an outage of the
                // issuer.
                Ok(response) if matches!(response.status(), 400 | 401 | 403 | 404 | 405 | 410) => {
                    let flaw = format!("status {}", response.status());
                    missing = Some(match missing {
                        Some(error) => error.also(&place, &flaw),
                        None => unusable(flaw),
                    });
                }
                Ok(response) => return Err(unusable(format!("status {}", response.status())).into()),
                Err(error) => return Err(NoAnswer::of(error, unusable(error.to_string()))),
            }
        }
        Err(missing.map_or_else(|| Reason::IssuerUnavailable.into(), NoAnswer::from))
    }

    /// RFC 8414 section 3.3. The error says what is wrong.
    ///
    /// Another issuer is a temporary failure, too: during a deployment, the host may have the new name
    /// already or the server the old one.
    fn read(&self, response: &OutboundResponse) -> Result<Published, String> {
        let published: Published = serde_json::from_slice(response.body())
            .map_err(|_| "it is not a metadata document in JSON with an issuer".to_owned())?;
        let Published { issuer, .. } = &published;
        match *issuer == self.0.issuer {
            true => Ok(published),
            false => Err(format!("its issuer is '{}', expected '{}'", shown(issuer), self.0.issuer)),
        }
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
