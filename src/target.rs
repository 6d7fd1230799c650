//! Resources: whom access tokens are for (RFC 8707).

use std::fmt;
use std::sync::Arc;

use fluent_uri::Uri;
use serde::{Deserialize, Serialize};

use crate::client::ClientId;
use crate::error::Reason;
use crate::form::Form;
use crate::scope::Scope;
use crate::signing::AccessTokens;

/// A request may name this many resources.
pub const MAX_RESOURCES: usize = 8;

/// The identifier of a resource: an absolute URI without a fragment (RFC 8707 section 2). It is compared as
/// the string that it is, and stands in tokens as their audience.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResourceId(Arc<str>);

impl ResourceId {
    /// Reads an identifier.
    ///
    /// # Errors
    /// [`Reason::TargetMalformed`].
    pub fn parse(text: &str) -> Result<Self, Reason> {
        let uri = Uri::parse(text).map_err(|_| Reason::TargetMalformed)?;
        match uri.has_fragment() {
            true => Err(Reason::TargetMalformed),
            false => Ok(Self(text.into())),
        }
    }

    /// The URI.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResourceId({:?})", &*self.0)
    }
}

/// The resources that a request names, or that a user granted access to; mostly none or one. A thin pointer, for
/// every grant has one.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Targets(Option<Arc<Box<[ResourceId]>>>);

impl Targets {
    /// The `resource` parameters of a form, each once.
    pub(crate) fn parse(form: &Form<'_>) -> Result<Self, Reason> {
        Self::named(form, "resource")
    }

    /// The parameters of this name, each once.
    pub(crate) fn named(form: &Form<'_>, name: &str) -> Result<Self, Reason> {
        let ids: Result<Vec<_>, _> = form.all(name).map(ResourceId::parse).collect();
        Self::of(ids?)
    }

    /// Only this one.
    pub(crate) fn one(id: ResourceId) -> Self {
        Self(Some(Arc::new([id].into())))
    }

    /// These and those, each once.
    pub(crate) fn and(&self, others: &Self) -> Result<Self, Reason> {
        match (self.is_empty(), others.is_empty()) {
            (_, true) => Ok(self.clone()),
            (true, false) => Ok(others.clone()),
            (false, false) => Self::of(self.as_slice().iter().chain(others.as_slice()).cloned()),
        }
    }

    pub(crate) fn of(ids: impl IntoIterator<Item = ResourceId>) -> Result<Self, Reason> {
        let mut named = Vec::new();
        for id in ids {
            if !named.contains(&id) {
                named.push(id);
            }
        }
        match named.len() {
            0 => Ok(Self::default()),
            1..=MAX_RESOURCES => Ok(Self(Some(Arc::new(named.into())))),
            _ => Err(Reason::TargetMalformed),
        }
    }

    /// The identifiers, in the order in which they were named.
    #[must_use]
    pub fn as_slice(&self) -> &[ResourceId] {
        self.0.as_deref().map_or(&[], |named| named)
    }

    /// Whether none is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

/// Each once.
impl FromIterator<ResourceId> for Targets {
    fn from_iter<I: IntoIterator<Item = ResourceId>>(resources: I) -> Self {
        let mut named = Vec::new();
        for resource in resources {
            if !named.contains(&resource) {
                named.push(resource);
            }
        }
        Self((!named.is_empty()).then(|| Arc::new(named.into())))
    }
}

impl fmt::Debug for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}

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
        }
    }

    /// The scopes that mean something there: its tokens have no other. By default all that the server knows.
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes = Some(scopes.into_iter().map(Into::into).collect());
        self
    }

    /// The types of authorization details that mean something there: its tokens have no other. By default all that the
    /// server knows.
    pub fn authorization_details_types<S: Into<String>>(
        mut self,
        types: impl IntoIterator<Item = S>,
    ) -> Self {
        self.detail_types = Some(types.into_iter().map(Into::into).collect());
        self
    }

    /// How its access tokens are written; by default as the client or the server says.
    pub fn access_tokens(mut self, format: AccessTokens) -> Self {
        self.access_tokens = Some(format);
        self
    }

    /// The clients that may introspect its access tokens: its own servers.
    pub fn introspection_clients<S: AsRef<str>>(mut self, clients: impl IntoIterator<Item = S>) -> Self {
        self.introspection_clients = clients.into_iter().map(|id| ClientId::new(id.as_ref())).collect();
        self
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
}

impl KnownResource {
    pub(crate) fn check(resource: Resource) -> Result<Self, Reason> {
        let scope = resource.scopes.map(|scopes| Scope::parse(&scopes.join(" ")));
        Ok(Self {
            id: ResourceId::parse(&resource.identifier)?,
            scope: scope.transpose()?,
            detail_types: resource.detail_types,
            introspection_clients: resource.introspection_clients,
            access_tokens: resource.access_tokens,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_an_absolute_uri_without_a_fragment() {
        for good in ["https://api.example", "https://api.example/v1?x=1", "urn:example:api"] {
            assert!(ResourceId::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "foo", "//rs", "/rs", "https://rs#x", "https://rs#", "https://r s"] {
            assert_eq!(ResourceId::parse(bad), Err(Reason::TargetMalformed), "{bad}");
        }
    }
}
