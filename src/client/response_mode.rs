//! How an authorization answer travels (OAuth 2.0 Multiple Response Types section 2.1, Form Post Response Mode).

use serde::{Deserialize, Serialize};

use super::ResponseType;
use crate::error::Reason;

/// `response_mode`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ResponseMode {
    /// In the query of the redirect URI.
    Query,
    /// In its fragment, which a browser does not send to a server.
    Fragment,
    /// As a form that the browser posts to it.
    FormPost,
}

impl ResponseMode {
    /// The modes that this version speaks.
    pub const ALL: [ResponseMode; 3] = [Self::Query, Self::Fragment, Self::FormPost];

    /// The name in requests and metadata.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Fragment => "fragment",
            Self::FormPost => "form_post",
        }
    }

    /// The mode of a response type, where a request names none.
    #[must_use]
    pub const fn default_of(response_type: ResponseType) -> Self {
        match response_type {
            ResponseType::Code => Self::Query,
            ResponseType::Token => Self::Fragment,
        }
    }

    pub(crate) fn parse(name: &str) -> Result<Self, Reason> {
        let known = Self::ALL.into_iter().find(|mode| mode.as_str() == name);
        known.ok_or(Reason::ResponseModeInvalid)
    }

    /// The mode that was asked for. A token never travels in a query, where servers log it.
    pub(crate) fn choose(
        asked: Option<Result<Self, Reason>>,
        response_type: ResponseType,
    ) -> Result<Self, Reason> {
        match (asked.transpose()?, response_type) {
            (None, _) => Ok(Self::default_of(response_type)),
            (Some(Self::Query), ResponseType::Token) => Err(Reason::ResponseModeInvalid),
            (Some(mode), _) => Ok(mode),
        }
    }
}
