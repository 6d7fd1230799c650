//! Protected resource metadata (RFC 9728), derived from the guard's configuration.

use serde::Serialize;

use super::Guard;
use super::key_check::KeyCheck;
use crate::base::ResourceId;
use crate::error::{Reason, Refusal};
use crate::http::{Method, Request, Response, cors};

/// The well-known path, which goes between the host of a resource and its path (RFC 9728 section 3.1).
pub(super) const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The members that have a value; RFC 9728 section 3.2 forbids empty ones.
#[derive(Serialize)]
struct Document<'a> {
    resource: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    authorization_servers: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    scopes_supported: &'a [String],
    bearer_methods_supported: [&'static str; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dpop_signing_alg_values_supported: Vec<&'static str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dpop_bound_access_tokens_required: bool,
}

/// The document as JSON.
pub(super) fn document(
    resource: &ResourceId,
    issuers: &[String],
    scopes: &[String],
    keys: &KeyCheck,
) -> Vec<u8> {
    let document = Document {
        resource: resource.as_str(),
        authorization_servers: issuers,
        scopes_supported: scopes,
        bearer_methods_supported: ["header"],
        dpop_signing_alg_values_supported: keys.algorithms(),
        dpop_bound_access_tokens_required: !keys.takes_bearer(),
    };
    serde_json::to_vec(&document).unwrap_or_default()
}

impl Guard {
    /// The metadata document, readable from any origin.
    pub fn metadata(&self) -> Response {
        cors::share(Response::public_json(self.inner.metadata.clone(), 300), "*")
    }

    /// Answers any request at the document's path: the method is checked, and preflights are answered.
    pub fn serve_metadata(&self, request: &Request) -> Response {
        match request.method {
            Method::Get | Method::Head => self.metadata(),
            Method::Options => cors::preflight(&request.headers, ALLOWED, "*"),
            Method::Post | Method::Put | Method::Delete | Method::Other(_) => {
                let refused = Refusal::from(Reason::MethodWrong).into_response();
                cors::share(refused, "*").with("allow", ALLOWED)
            }
        }
    }

    /// The metadata paths of these guards, each with the guard that answers there with
    /// [`serve_metadata`](Self::serve_metadata).
    ///
    /// The path without a suffix, for clients that know only the host, answers for the guard whose resource
    /// has no path, else for the first.
    pub fn routes(guards: impl IntoIterator<Item = Self>) -> Vec<(String, Self)> {
        let mut routes: Vec<(String, Self)> = Vec::new();
        for guard in guards {
            let path = guard.metadata_path();
            if routes.iter().all(|(own, _)| *own != path) {
                routes.push((path, guard));
            }
        }
        let root = Self::root_metadata_path();
        let first = routes.first().map(|(_, first)| first.clone());
        let first = first.filter(|_| routes.iter().all(|(own, _)| own != root));
        routes.extend(first.map(|first| (root.to_owned(), first)));
        routes
    }

    /// The path of the document: the well-known name goes before the path of the resource (RFC 9728 section
    /// 3.1).
    #[must_use]
    pub fn metadata_path(&self) -> String {
        format!("{WELL_KNOWN}{}", self.inner.path)
    }

    /// The path for clients that know only a host. For a resource without a path it is the same as
    /// [`metadata_path`](Self::metadata_path).
    #[must_use]
    pub const fn root_metadata_path() -> &'static str {
        WELL_KNOWN
    }

    /// The URL of the document, as in every challenge.
    #[must_use]
    pub fn metadata_url(&self) -> &str {
        &self.inner.metadata_url
    }
}

const ALLOWED: &str = "GET, HEAD";
