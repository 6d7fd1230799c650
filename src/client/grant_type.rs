//! [`GrantType`]: how a client gets tokens.

use std::fmt;
use std::sync::Arc;

use fluent_uri::Uri;
use serde::{Deserialize, Serialize};

/// How a client gets tokens (`grant_types` of RFC 7591 section 2).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
#[non_exhaustive]
pub enum GrantType {
    /// RFC 6749 section 4.1
    AuthorizationCode,
    /// RFC 8628 section 3.4
    DeviceCode,
    /// RFC 6749 section 4.2; only under [`Profile::Rfc6749`](crate::Profile::Rfc6749).
    Implicit,
    /// RFC 6749 section 6
    RefreshToken,
    /// RFC 6749 section 4.4
    ClientCredentials,
    /// RFC 6749 section 4.3; only under [`Profile::Rfc6749`](crate::Profile::Rfc6749).
    Password,
    /// RFC 8693
    TokenExchange,
    /// Any other (RFC 6749 section 4.5), by its absolute URI; served if the host
    /// [has it](crate::server::AuthorizationServerBuilder::extension_grant). See [`GrantType::parse`].
    Extension(ExtensionUri),
}

/// The name of an extension grant: an absolute URI that is not the name of another [`GrantType`].
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExtensionUri(Arc<str>);

impl GrantType {
    /// All but the extensions.
    pub(crate) const BUILT_IN: [Self; 7] = [
        Self::AuthorizationCode,
        Self::DeviceCode,
        Self::Implicit,
        Self::RefreshToken,
        Self::ClientCredentials,
        Self::Password,
        Self::TokenExchange,
    ];

    /// The grant type of this name.
    ///
    /// # Errors
    /// It is neither one of RFC 6749 nor an absolute URI without a fragment.
    ///
    /// ```
    /// use grantor::GrantType;
    /// assert_eq!(GrantType::parse("refresh_token")?, GrantType::RefreshToken);
    /// assert_eq!(GrantType::parse("urn:example:otp")?.as_str(), "urn:example:otp");
    /// assert!(GrantType::parse("otp").is_err());
    /// # Ok::<(), grantor::client::NotAGrantType>(())
    /// ```
    pub fn parse(name: &str) -> Result<Self, NotAGrantType> {
        if let Some(known) = Self::BUILT_IN.into_iter().find(|known| known.as_str() == name) {
            return Ok(known);
        }
        match Uri::parse(name) {
            Ok(uri) if !uri.has_fragment() => Ok(Self::Extension(ExtensionUri(name.into()))),
            Ok(_) | Err(_) => Err(NotAGrantType),
        }
    }

    /// The one of RFC 7523 section 2.1: `urn:ietf:params:oauth:grant-type:jwt-bearer`.
    #[must_use]
    pub fn jwt_bearer() -> Self {
        Self::Extension(ExtensionUri("urn:ietf:params:oauth:grant-type:jwt-bearer".into()))
    }

    /// The name in requests and metadata.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
            Self::Implicit => "implicit",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
            Self::Password => "password",
            Self::TokenExchange => "urn:ietf:params:oauth:grant-type:token-exchange",
            Self::Extension(ExtensionUri(uri)) => uri,
        }
    }
}

/// A name that no grant type can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a grant type is one of RFC 6749, or an absolute URI without a fragment")]
#[non_exhaustive]
pub struct NotAGrantType;

impl TryFrom<String> for GrantType {
    type Error = NotAGrantType;

    fn try_from(name: String) -> Result<Self, NotAGrantType> {
        Self::parse(&name)
    }
}

impl From<GrantType> for String {
    fn from(grant_type: GrantType) -> Self {
        grant_type.as_str().to_owned()
    }
}

impl fmt::Display for GrantType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ExtensionUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_read_back_as_what_it_was() {
        for known in GrantType::BUILT_IN.into_iter().chain([GrantType::jwt_bearer()]) {
            assert_eq!(GrantType::parse(known.as_str()), Ok(known.clone()));
            let json = serde_json::to_string(&known).unwrap();
            assert_eq!(serde_json::from_str::<GrantType>(&json).unwrap(), known);
        }
    }

    #[test]
    fn what_is_no_absolute_uri_is_no_extension() {
        for name in ["", "authorisation_code", "Password", "/otp", "//host/otp", "urn:a#b", "urn:a b", ":x"] {
            assert_eq!(GrantType::parse(name), Err(NotAGrantType), "{name}");
        }
    }
}
