//! Identifiers of resources (RFC 8707 section 2).

use std::fmt;
use std::sync::Arc;

use fluent_uri::Uri;
use serde::{Deserialize, Serialize};

use super::value_error::ValueError;

/// The most resources of a request.
pub const MAX_RESOURCES: usize = 8;

/// The identifier of a resource: an absolute URI without a fragment (RFC 8707 section 2). It is compared as a
/// string, and is the audience of tokens.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResourceId(Arc<str>);

impl ResourceId {
    /// Reads an identifier.
    ///
    /// # Errors
    /// [`ValueError::Resource`].
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let uri = Uri::parse(text).map_err(|_| ValueError::Resource)?;
        match uri.has_fragment() {
            true => Err(ValueError::Resource),
            false => Ok(Self(text.into())),
        }
    }

    /// The server's own default audience, which the host chose and which may be any string.
    pub(crate) fn of_audience(audience: &str) -> Self {
        Self(audience.into())
    }

    /// The URI.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether two identifiers differ at most in the case of scheme and host (RFC 3986 section 6.2.2.1) and
    /// in a slash at the end.
    pub(crate) fn is_spelt_like(&self, other: &Self) -> bool {
        let plain = |id: &'_ Self| -> Option<(String, String)> {
            let (scheme, rest) = id.0.split_once("://")?;
            let end = rest.find(['/', '?']).unwrap_or(rest.len());
            let (authority, path) = rest.split_at(end);
            let origin = format!("{scheme}://{authority}").to_ascii_lowercase();
            Some(origin)
                .filter(|origin| !origin.contains('@'))
                .map(|origin| (origin, path.strip_suffix('/').unwrap_or(path).to_owned()))
        };
        let bare = |id: &Self| id.0.strip_suffix('/').unwrap_or(&id.0).to_owned();
        match (plain(self), plain(other)) {
            (Some(own), Some(other)) => own == other,
            _ => bare(self) == bare(other),
        }
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

/// The resources of a request or a grant; mostly none or one. A thin pointer, because every grant has this
/// field.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResourceIndicators(Option<Arc<Box<[ResourceId]>>>);

impl ResourceIndicators {
    /// The `resource` or `audience` parameters of a request, each once.
    pub(crate) fn parse<'a>(named: impl Iterator<Item = &'a str>) -> Result<Self, ValueError> {
        let ids: Result<Vec<_>, _> = named.map(ResourceId::parse).collect();
        Self::of(ids?)
    }

    /// Only this one.
    pub(crate) fn one(id: ResourceId) -> Self {
        Self(Some(Arc::new([id].into())))
    }

    /// The resources of both, each once.
    pub(crate) fn and(&self, others: &Self) -> Result<Self, ValueError> {
        match (self.is_empty(), others.is_empty()) {
            (_, true) => Ok(self.clone()),
            (true, false) => Ok(others.clone()),
            (false, false) => Self::of(self.as_slice().iter().chain(others.as_slice()).cloned()),
        }
    }

    pub(crate) fn of(ids: impl IntoIterator<Item = ResourceId>) -> Result<Self, ValueError> {
        let mut named = Vec::new();
        for id in ids {
            if !named.contains(&id) {
                named.push(id);
            }
        }
        match named.len() {
            0 => Ok(Self::default()),
            1..=MAX_RESOURCES => Ok(Self(Some(Arc::new(named.into())))),
            _ => Err(ValueError::Resource),
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

/// A repeated resource counts once.
impl FromIterator<ResourceId> for ResourceIndicators {
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

impl fmt::Debug for ResourceIndicators {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
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
            assert_eq!(ResourceId::parse(bad), Err(ValueError::Resource), "{bad}");
        }
    }
}
