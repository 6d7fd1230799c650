//! [`AddedHeaders`]: what a check adds to the response.

use std::borrow::Cow;

/// Header fields that a check of the request adds to the response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct AddedHeaders(Vec<(&'static str, Cow<'static, str>)>);

impl AddedHeaders {
    pub(crate) fn new(fields: impl IntoIterator<Item = (&'static str, Cow<'static, str>)>) -> Self {
        Self(fields.into_iter().collect())
    }

    /// The names and values; there may be none.
    #[must_use]
    pub fn into_headers(self) -> Vec<(&'static str, Cow<'static, str>)> {
        self.0
    }

    /// Whether a response keeps its other values of this field when one is added; otherwise the added value
    /// replaces them.
    #[must_use]
    pub fn is_list(name: &str) -> bool {
        matches!(name, "vary" | "content-security-policy")
    }
}
