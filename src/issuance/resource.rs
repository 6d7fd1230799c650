//! Resources as a host registers them: the audiences of access tokens (RFC 8707).

use crate::base::{AccessTokens, Algorithm, ClientId, ResourceId, Scope, ValueError};

/// A resource that the server issues access tokens for.
///
/// ```
/// let api = grantor::Resource::new("https://api.example").scopes(["read", "write"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Resource {
    pub(crate) identifier: String,
    pub(crate) scopes: Option<Vec<String>>,
    pub(crate) detail_types: Option<Vec<String>>,
    pub(crate) introspection_clients: Vec<ClientId>,
    pub(crate) access_tokens: Option<AccessTokens>,
    pub(crate) algorithm: Option<Algorithm>,
}

impl Resource {
    /// A resource by its identifier, an absolute URI without a fragment.
    pub fn new(identifier: impl Into<String>) -> Self {
        Self {
            identifier: identifier.into(),
            scopes: None,
            detail_types: None,
            introspection_clients: Vec::new(),
            access_tokens: None,
            algorithm: None,
        }
    }

    /// The scopes of the resource: its tokens have no others, except `openid` and `offline_access`, which a
    /// resource does not have to list. By default all that the server knows.
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes = Some(scopes.into_iter().map(Into::into).collect());
        self
    }

    /// The authorization details types of the resource: its tokens have no others. By default all that the
    /// server knows.
    pub fn authorization_details_types<S: Into<String>>(
        mut self,
        types: impl IntoIterator<Item = S>,
    ) -> Self {
        self.detail_types = Some(types.into_iter().map(Into::into).collect());
        self
    }

    /// The format of its access tokens; by default as the client or the server says.
    pub fn access_tokens(mut self, format: AccessTokens) -> Self {
        self.access_tokens = Some(format);
        self
    }

    /// The algorithm of its signed access tokens, for a verifier that supports only one; by default the
    /// signer's own choice.
    pub fn signing_algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = Some(algorithm);
        self
    }

    /// The clients that may introspect its access tokens: its own servers.
    pub fn introspection_clients<S: AsRef<str>>(mut self, clients: impl IntoIterator<Item = S>) -> Self {
        self.introspection_clients = clients.into_iter().map(|id| ClientId::new(id.as_ref())).collect();
        self
    }
}

/// A resource by its identifier alone, as [`Resource::new`].
impl From<&str> for Resource {
    fn from(identifier: &str) -> Self {
        Self::new(identifier)
    }
}

/// A resource by its identifier alone, as [`Resource::new`].
impl From<String> for Resource {
    fn from(identifier: String) -> Self {
        Self::new(identifier)
    }
}

/// A resource after the configuration was checked.
#[derive(Clone, Debug)]
pub(crate) struct KnownResource {
    pub(crate) id: ResourceId,
    pub(crate) scope: Option<Scope>,
    pub(crate) detail_types: Option<Vec<String>>,
    pub(crate) introspection_clients: Vec<ClientId>,
    pub(crate) access_tokens: Option<AccessTokens>,
    pub(crate) algorithm: Option<Algorithm>,
}

impl KnownResource {
    pub(crate) fn check(resource: Resource) -> Result<Self, ValueError> {
        let scope = resource.scopes.map(|scopes| Scope::of_tokens(&scopes));
        Ok(Self {
            id: ResourceId::parse(&resource.identifier)?,
            scope: scope.transpose()?,
            detail_types: resource.detail_types,
            introspection_clients: resource.introspection_clients,
            access_tokens: resource.access_tokens,
            algorithm: resource.algorithm,
        })
    }
}
