//! [`ResponseType`]: what an authorization request asks for.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::GrantType;

/// What an authorization request asks for (`response_types` of RFC 7591 section 2): a set of the words
/// `code`, `id_token` and `token` (OAuth 2.0 Multiple Response Types). The order of the words makes no
/// difference.
///
/// All but [`Code`](Self::Code) exist under [`Profile::Rfc6749`](crate::Profile::Rfc6749) only, and those
/// with an `id_token` only on an OpenID Provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
#[non_exhaustive]
pub enum ResponseType {
    /// A code (RFC 6749 section 4.1.1).
    Code,
    /// An access token in the fragment (RFC 6749 section 4.2.1).
    Token,
    /// An `id_token` in the fragment (OpenID Connect Core section 3.2).
    IdToken,
    /// Both of them (OpenID Connect Core section 3.2).
    IdTokenToken,
    /// A code and an `id_token` (OpenID Connect Core section 3.3).
    CodeIdToken,
    /// A code and an access token (OpenID Connect Core section 3.3).
    CodeToken,
    /// All of them (OpenID Connect Core section 3.3).
    CodeIdTokenToken,
}

/// The grant types that a client needs for a code, for tokens without a code, and for both.
const BY_CODE: &[GrantType] = &[GrantType::AuthorizationCode];
const BY_BROWSER: &[GrantType] = &[GrantType::Implicit];
const BY_BOTH: &[GrantType] = &[GrantType::AuthorizationCode, GrantType::Implicit];

impl ResponseType {
    /// The response types that this version knows.
    pub const ALL: &'static [ResponseType] = &[
        Self::Code,
        Self::Token,
        Self::IdToken,
        Self::IdTokenToken,
        Self::CodeIdToken,
        Self::CodeToken,
        Self::CodeIdTokenToken,
    ];

    /// The response type of these words, in any order, separated by single spaces; `None` if there is none.
    ///
    /// ```
    /// use grantor::ResponseType;
    /// assert_eq!(ResponseType::parse("id_token code"), Some(ResponseType::CodeIdToken));
    /// assert_eq!(ResponseType::parse("code code"), None);
    /// ```
    #[must_use]
    pub fn parse(words: &str) -> Option<Self> {
        let named = |name: &str| Self::ALL.iter().copied().find(|known| known.as_str() == name);
        named(words).or_else(|| {
            let mut asked: Vec<&str> = words.split(' ').collect();
            asked.sort_unstable();
            // `asked` is sorted now, and the names have their words in that order.
            named(&asked.join(" "))
        })
    }

    /// The name in requests and metadata.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Token => "token",
            Self::IdToken => "id_token",
            Self::IdTokenToken => "id_token token",
            Self::CodeIdToken => "code id_token",
            Self::CodeToken => "code token",
            Self::CodeIdTokenToken => "code id_token token",
        }
    }

    /// Whether its answer has a code.
    #[must_use]
    pub const fn has_code(self) -> bool {
        matches!(self, Self::Code | Self::CodeIdToken | Self::CodeToken | Self::CodeIdTokenToken)
    }

    /// Whether its answer has an access token.
    #[must_use]
    pub const fn has_token(self) -> bool {
        matches!(self, Self::Token | Self::IdTokenToken | Self::CodeToken | Self::CodeIdTokenToken)
    }

    /// Whether its answer has an `id_token`.
    #[must_use]
    pub const fn has_id_token(self) -> bool {
        matches!(self, Self::IdToken | Self::IdTokenToken | Self::CodeIdToken | Self::CodeIdTokenToken)
    }

    /// The grant types that a client needs for it (OpenID Connect Registration section 2).
    #[must_use]
    pub const fn grant_types(self) -> &'static [GrantType] {
        match self {
            Self::Code => BY_CODE,
            Self::Token | Self::IdToken | Self::IdTokenToken => BY_BROWSER,
            Self::CodeIdToken | Self::CodeToken | Self::CodeIdTokenToken => BY_BOTH,
        }
    }
}

impl From<ResponseType> for &'static str {
    fn from(response_type: ResponseType) -> Self {
        response_type.as_str()
    }
}

/// Not a response type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a response type is a set of code, id_token and token")]
#[non_exhaustive]
pub struct NotAResponseType;

impl TryFrom<String> for ResponseType {
    type Error = NotAResponseType;

    fn try_from(words: String) -> Result<Self, NotAResponseType> {
        Self::parse(&words).ok_or(NotAResponseType)
    }
}

impl fmt::Display for ResponseType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_read_in_any_order_of_its_words() {
        for known in ResponseType::ALL.iter().copied() {
            assert_eq!(ResponseType::parse(known.as_str()), Some(known));
            let mut words: Vec<&str> = known.as_str().split(' ').collect();
            words.reverse();
            assert_eq!(ResponseType::parse(&words.join(" ")), Some(known));
            let json = serde_json::to_string(&known).unwrap();
            assert_eq!(json, format!("\"{known}\""));
            assert_eq!(serde_json::from_str::<ResponseType>(&json).unwrap(), known);
        }
        assert_eq!(ResponseType::parse("token code id_token"), Some(ResponseType::CodeIdTokenToken));
    }

    #[test]
    fn what_is_no_set_of_the_three_words_is_none() {
        for words in
            ["", "none", "code none", "code  token", " code", "code ", "Code", "code code", "token token"]
        {
            assert_eq!(ResponseType::parse(words), None, "{words:?}");
        }
    }

    #[test]
    fn its_words_are_those_of_its_name() {
        for known in ResponseType::ALL.iter().copied() {
            let has = |word: &str| known.as_str().split(' ').any(|own| own == word);
            let found = (known.has_code(), known.has_id_token(), known.has_token());
            assert_eq!(found, (has("code"), has("id_token"), has("token")), "{known}");
            let needs = |grant_type| known.grant_types().contains(&grant_type);
            assert_eq!(needs(GrantType::AuthorizationCode), has("code"), "{known}");
            assert_eq!(needs(GrantType::Implicit), has("id_token") || has("token"), "{known}");
        }
    }
}
