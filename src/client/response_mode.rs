//! How an authorization response is sent (OAuth 2.0 Multiple Response Types section 2.1, Form Post Response
//! Mode, JARM section 2.3).

use serde::{Deserialize, Serialize};

use super::ResponseType;
use crate::error::Reason;

/// `response_mode`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ResponseMode {
    /// In the query of the redirect URI.
    #[serde(rename = "query")]
    Query,
    /// In its fragment, which a browser does not send to the server.
    #[serde(rename = "fragment")]
    Fragment,
    /// As a form that the browser posts to it.
    #[serde(rename = "form_post")]
    FormPost,
    /// Signed, in the query.
    #[serde(rename = "query.jwt")]
    QueryJwt,
    /// Signed, in the fragment.
    #[serde(rename = "fragment.jwt")]
    FragmentJwt,
    /// Signed, as a form.
    #[serde(rename = "form_post.jwt")]
    FormPostJwt,
    /// Signed, in the default place of the response type.
    #[serde(rename = "jwt")]
    Jwt,
}

/// The part of a request that carries the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Query,
    Fragment,
    Form,
}

impl ResponseMode {
    /// The modes that this version supports.
    pub const ALL: &'static [ResponseMode] = &[
        Self::Query,
        Self::Fragment,
        Self::FormPost,
        Self::QueryJwt,
        Self::FragmentJwt,
        Self::FormPostJwt,
        Self::Jwt,
    ];

    /// The name in requests and metadata.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Fragment => "fragment",
            Self::FormPost => "form_post",
            Self::QueryJwt => "query.jwt",
            Self::FragmentJwt => "fragment.jwt",
            Self::FormPostJwt => "form_post.jwt",
            Self::Jwt => "jwt",
        }
    }

    /// Whether the answer is a signed JWT (JARM).
    #[must_use]
    pub const fn is_signed(self) -> bool {
        match self {
            Self::Query | Self::Fragment | Self::FormPost => false,
            Self::QueryJwt | Self::FragmentJwt | Self::FormPostJwt | Self::Jwt => true,
        }
    }

    /// The default mode of a response type.
    #[must_use]
    pub const fn default_of(response_type: ResponseType) -> Self {
        match response_type {
            ResponseType::Code => Self::Query,
            ResponseType::Token
            | ResponseType::IdToken
            | ResponseType::IdTokenToken
            | ResponseType::CodeIdToken
            | ResponseType::CodeToken
            | ResponseType::CodeIdTokenToken => Self::Fragment,
        }
    }

    /// The same mode, with [`Jwt`](Self::Jwt) resolved to the place that the response type determines.
    pub(crate) const fn of(self, response_type: ResponseType) -> Self {
        match (self, Self::default_of(response_type)) {
            (Self::Jwt, Self::Query) => Self::QueryJwt,
            (Self::Jwt, _) => Self::FragmentJwt,
            (mode, _) => mode,
        }
    }

    pub(crate) const fn place(self) -> Place {
        match self {
            Self::Query | Self::QueryJwt => Place::Query,
            Self::Fragment | Self::FragmentJwt | Self::Jwt => Place::Fragment,
            Self::FormPost | Self::FormPostJwt => Place::Form,
        }
    }

    pub(crate) fn parse(name: &str) -> Result<Self, Reason> {
        let known = Self::ALL.iter().copied().find(|mode| mode.as_str() == name);
        known.ok_or(Reason::ResponseModeInvalid)
    }

    /// The requested mode. A token is never sent in a query, which servers log.
    pub(crate) fn choose(
        asked: Option<Result<Self, Reason>>,
        response_type: ResponseType,
    ) -> Result<Self, Reason> {
        let default = Self::default_of(response_type);
        match asked.transpose()?.map(|asked| asked.of(response_type)) {
            None => Ok(default),
            Some(mode) if mode.place() == Place::Query && default.place() != Place::Query => {
                Err(Reason::ResponseModeInvalid)
            }
            Some(mode) => Ok(mode),
        }
    }
}
