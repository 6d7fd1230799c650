//! [`Endpoints`]: where the endpoints are.

use super::super::config_error::ConfigError;
use super::{Path, ROWS};
use crate::audit::Endpoint;

/// Where the endpoints are, below the issuer: by default `/par`, `/token`, `/device_authorization`, `/revoke`, `/introspect`, `/jwks`,
/// `/register` and `/userinfo`. The authorization endpoint, the page for user codes and the logout page are where the host has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// Those that are not where they are by default.
    chosen: Vec<(Endpoint, Box<str>)>,
}

impl Endpoints {
    /// The path of an endpoint; none for one of the host that it does not have, and for one without a path of its own.
    /// Whether the server has the endpoint, [`routes`](crate::AuthorizationServer::routes) says.
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

    /// Paths that no router takes, or that two endpoints have.
    pub(in crate::server) fn mistakes(&self) -> Vec<ConfigError> {
        let paths: Vec<&str> = ROWS.iter().filter_map(|row| self.path(row.endpoint)).collect();
        let mut errors = Vec::new();
        for (at, path) in paths.iter().enumerate() {
            let plain = path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-._~".contains(&b));
            if !path.starts_with('/') || path.len() < 2 || !plain {
                errors.push(ConfigError::EndpointPath((*path).to_owned()));
            }
            if paths[..at].contains(path) {
                errors.push(ConfigError::EndpointTwice((*path).to_owned()));
            }
        }
        errors
    }
}
