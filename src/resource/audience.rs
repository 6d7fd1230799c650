//! The audience of a token, in either form of RFC 7519 section 4.1.3.

use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    /// All audiences.
    #[cfg(feature = "jwt")]
    pub(crate) fn as_slice(&self) -> &[String] {
        match self {
            Self::One(own) => std::slice::from_ref(own),
            Self::Several(all) => all,
        }
    }

    pub(crate) fn names(&self, resource: &str) -> bool {
        match self {
            Self::One(own) => own == resource,
            Self::Several(all) => all.iter().any(|own| own == resource),
        }
    }
}
