//! [`Endpoints`]: where the endpoints are.

use super::super::builder::ConfigError;
use super::{Path, ROWS};
use crate::audit::Endpoint;
use crate::base::is_dots;

/// Where the endpoints are, below the issuer: by default `/par`, `/token`, `/device_authorization`,
/// `/revoke`, `/introspect`, `/jwks`, `/register` and `/userinfo`. The host chooses the paths of the
/// authorization endpoint, the page for user codes and the logout page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// The paths that differ from the default.
    chosen: Vec<(Endpoint, Box<str>)>,
}

impl Endpoints {
    /// The path of an endpoint; `None` for a page that the host does not have, and for an endpoint without a
    /// path. [`routes`](crate::AuthorizationServer::routes) says whether the server has the endpoint.
    #[must_use]
    pub fn path(&self, endpoint: Endpoint) -> Option<&str> {
        let chosen = self.chosen.iter().find(|(own, _)| *own == endpoint);
        chosen.map(|(_, path)| &**path).or(match endpoint.row().path {
            Path::Default(path) => Some(path),
            Path::OfHost | Path::WellKnown(_) | Path::None => None,
        })
    }

    pub(in crate::server) fn put(&mut self, endpoint: Endpoint, path: impl Into<String>) {
        self.chosen.retain(|(own, _)| *own != endpoint);
        self.chosen.reserve_exact(1);
        self.chosen.push((endpoint, path.into().into_boxed_str()));
    }

    /// Paths that no router accepts, that clients would change, that two endpoints share, or that begin with
    /// the path of the issuer.
    pub(in crate::server) fn mistakes(&self, issuer_path: &str) -> Vec<ConfigError> {
        let paths: Vec<&str> = ROWS.iter().filter_map(|row| self.path(row.endpoint)).collect();
        let mut errors = Vec::new();
        for (at, path) in paths.iter().enumerate() {
            let plain = path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-._~".contains(&b));
            let has_dots = path.split('/').any(is_dots);
            if !path.starts_with('/') || path.len() < 2 || !plain || has_dots {
                errors.push(ConfigError::EndpointPath((*path).to_owned()));
            }
            // `/auth` itself can be meant: a page of that name below an issuer of that name.
            let rest = path.strip_prefix(issuer_path).filter(|_| !issuer_path.is_empty());
            if rest.is_some_and(|rest| rest.starts_with('/')) {
                errors.push(ConfigError::EndpointRepeatsIssuer((*path).to_owned()));
            }
            if paths[..at].contains(path) {
                errors.push(ConfigError::EndpointTwice((*path).to_owned()));
            }
        }
        errors
    }
}
