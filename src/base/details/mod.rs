//! Authorization details (RFC 9396, "rich authorization requests"): structured permissions beyond scopes.
//!
//! A client requests JSON objects, each of a type that the host has
//! [registered](crate::server::AuthorizationServerBuilder::authorization_details_type). They are handled like
//! scopes: checked in the request, shown to the user, kept with the grant, narrowed by a token request, and
//! sent to the resource of the token.
//!
//! ```text
//! authorization_details=[{"type":"payment","amount":"12.50","creditor":"Shop"}]
//! ```
//!
//! | a detail | is |
//! | --- | --- |
//! | of a type that is not registered, or not of its form | refused: `invalid_authorization_details` |
//! | of a type that the client did not register, where it registered some | refused |
//! | in a request that no user is asked about (`client_credentials`, `password`) | refused, unless the client registered its type |
//! | with `locations` | told to those resources only |
//! | with more than 16 levels, or a number that would be rounded | refused |
//!
//! A token exchange (RFC 8693) passes no details on.

mod numbers;
mod parse;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::strict_json;
use super::value_error::ValueError;

/// The most details of a request.
pub const MAX_DETAILS: usize = 16;

/// How many levels a detail may have, itself included. It is stored and signed inside other objects, and
/// their parsers have their own limits.
pub const MAX_DEPTH: usize = 16;

/// One detail (RFC 9396 section 2): a JSON object with a `type`.
///
/// `Debug` shows only the type: the rest may be personal data.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct AuthorizationDetail(Map<String, Value>);

impl AuthorizationDetail {
    /// A detail with these members.
    ///
    /// # Errors
    /// [`ValueError::Details`]: no `type` that is a text, `locations` that are not a list of texts, or values
    /// nested deeper than [`MAX_DEPTH`].
    pub fn new(members: Map<String, Value>) -> Result<Self, ValueError> {
        let has_type = members.get("type").and_then(Value::as_str).is_some_and(|kind| !kind.is_empty());
        let has_places = members
            .get("locations")
            .is_none_or(|places| places.as_array().is_some_and(|places| places.iter().all(Value::is_string)));
        let is_shallow = members.values().all(|value| is_within(value, MAX_DEPTH - 1));
        match has_type && has_places && is_shallow {
            true => Ok(Self(members)),
            false => Err(ValueError::Details),
        }
    }

    /// Its `type`.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.get("type").and_then(Value::as_str).unwrap_or_default()
    }

    /// A member. Its value was checked only against the detail's type, so escape it wherever you show it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// All members, `type` included.
    #[must_use]
    pub fn members(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The resources that its `locations` name.
    pub(crate) fn locations(&self) -> impl Iterator<Item = &str> {
        let places = self.get("locations").and_then(Value::as_array);
        places.into_iter().flatten().filter_map(Value::as_str)
    }

    /// Whether the detail is for this resource: its `locations` name the resource, or there are none.
    #[must_use]
    pub fn is_for(&self, resource: &str) -> bool {
        let places = self.get("locations").and_then(Value::as_array);
        places.is_none_or(|places| places.iter().any(|place| place == resource))
    }
}

/// Whether a value has at most this many levels. The check stops there.
fn is_within(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(values) => levels > 0 && values.iter().all(|value| is_within(value, levels - 1)),
        Value::Object(members) => levels > 0 && members.values().all(|value| is_within(value, levels - 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

impl fmt::Debug for AuthorizationDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuthorizationDetail({:?}, ..)", self.kind())
    }
}

/// The details of a request or a grant; mostly none. A thin pointer, because every grant has this field.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AuthorizationDetails(Option<Arc<Box<[AuthorizationDetail]>>>);

impl AuthorizationDetails {
    pub(crate) const NONE: &'static Self = &Self(None);

    /// Reads the JSON of a request: an array of objects without duplicate members.
    ///
    /// # Errors
    /// [`ValueError::Details`], also for more than [`MAX_DETAILS`], and for a number that 64 bits cannot
    /// represent exactly: an integer beyond `i64` and `u64`, or a fraction that a double rounds.
    pub fn parse(json: &str) -> Result<Self, ValueError> {
        if !numbers::survive(json) {
            return Err(ValueError::Details);
        }
        let details: Vec<AuthorizationDetail> = strict_json::read(json).map_err(|_| ValueError::Details)?;
        match details.len() <= MAX_DETAILS {
            true => Ok(details.into_iter().collect()),
            false => Err(ValueError::Details),
        }
    }

    /// The details, in the order in which they were named.
    #[must_use]
    pub fn as_slice(&self) -> &[AuthorizationDetail] {
        self.0.as_deref().map_or(&[], |details| details)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The details that satisfy a predicate; shares the pointer if all do.
    pub(crate) fn filtered(&self, holds: impl Fn(&AuthorizationDetail) -> bool) -> Self {
        match self.as_slice().iter().all(&holds) {
            true => self.clone(),
            false => self.as_slice().iter().filter(|detail| holds(detail)).cloned().collect(),
        }
    }
}

impl FromIterator<AuthorizationDetail> for AuthorizationDetails {
    fn from_iter<I: IntoIterator<Item = AuthorizationDetail>>(details: I) -> Self {
        let details: Box<[AuthorizationDetail]> = details.into_iter().collect();
        Self((!details.is_empty()).then(|| Arc::new(details)))
    }
}

impl fmt::Debug for AuthorizationDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}
