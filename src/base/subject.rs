//! The subject of a token, and how the user authenticated.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{ClientId, SessionId};

/// The subject of a token. Users and clients have different types, so a client whose id equals a user's
/// identifier can never pass as that user.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Subject {
    /// A user, by the host's own stable identifier (`sub`).
    User(Arc<str>),
    /// The client itself.
    Client(ClientId),
}

impl Subject {
    /// A user, by the host's own stable identifier.
    #[must_use]
    pub fn user(id: impl Into<Arc<str>>) -> Self {
        Self::User(id.into())
    }

    /// The identifier, which alone does not distinguish users from clients.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::User(id) => id,
            Self::Client(id) => id.as_str(),
        }
    }

    /// The user, if it is one.
    #[must_use]
    pub fn as_user(&self) -> Option<&str> {
        match self {
            Self::User(id) => Some(id),
            Self::Client(_) => None,
        }
    }

    /// `user` or `client`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Client(_) => "client",
        }
    }

    /// Kind and identifier in one text, for a store's index: `user:alice`. A user's never equals a client's.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}:{}", self.kind(), self.id())
    }

    /// The subject of a [`key`](Self::key).
    #[must_use]
    pub fn of_key(key: &str) -> Option<Self> {
        match key.split_once(':')? {
            ("user", id) => Some(Self::user(id)),
            ("client", id) => Some(Self::Client(ClientId::new(id))),
            _ => None,
        }
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({:?})", self.kind(), self.id())
    }
}

/// Whose a grant is: the client that it was issued to, and the subject of its tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parties {
    pub(crate) client: ClientId,
    pub(crate) subject: Subject,
}

impl Parties {
    /// Those of a grant that a client has for itself.
    pub(crate) fn own(client: ClientId) -> Self {
        Self { subject: Subject::Client(client.clone()), client }
    }

    pub(crate) fn is_own(&self) -> bool {
        matches!(&self.subject, Subject::Client(subject) if *subject == self.client)
    }
}

/// Whether a subject is a user or a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SubjectType {
    /// A user.
    User,
    /// The client itself.
    Client,
}

/// How a user authenticated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Authentication {
    /// When (`auth_time`, OpenID Connect Core section 2).
    #[serde(with = "chrono::serde::ts_seconds")]
    pub auth_time: DateTime<Utc>,
    /// How well (`acr`, RFC 9470).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<Box<str>>,
}

/// A user who is signed in at the host, as the host vouches for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    pub(crate) subject: Subject,
    pub(crate) authentication: Authentication,
    pub(crate) amr: Box<[Box<str>]>,
    pub(crate) session: Option<SessionId>,
}

impl Login {
    /// A user who authenticated at `auth_time`. Both are trusted: the tokens act for the user that is named
    /// here.
    ///
    /// The identifier must not be empty, and for OpenID Connect it has at most 255 ASCII characters, unless
    /// the client gets pairwise ones: otherwise the request ends with `server_error`, and the audit has
    /// [`Reason::SubjectUnfit`](crate::Reason::SubjectUnfit).
    #[must_use]
    pub fn new(user: impl Into<Arc<str>>, auth_time: DateTime<Utc>) -> Self {
        let authentication = Authentication { auth_time, acr: None };
        Self { subject: Subject::user(user), authentication, amr: Box::default(), session: None }
    }

    /// Sets the authentication context class of this login.
    #[must_use]
    pub fn with_acr(mut self, acr: impl Into<String>) -> Self {
        self.authentication.acr = Some(acr.into().into_boxed_str());
        self
    }

    /// Sets the authentication methods, such as `pwd` and `otp` (RFC 8176), for the `id_token`s of this
    /// login.
    #[must_use]
    pub fn with_amr<S: Into<String>>(mut self, amr: impl IntoIterator<Item = S>) -> Self {
        self.amr = amr.into_iter().map(|method| method.into().into_boxed_str()).collect();
        self
    }

    /// Sets the session in which the user is signed in, for OpenID Connect logout: when it ends, so do the
    /// grants that began in it, and their clients are notified (see [`logout`](crate::manual::logout)). It
    /// stays the same when this user signs in again in it.
    #[must_use]
    pub fn with_session(mut self, session: SessionId) -> Self {
        self.session = Some(session);
        self
    }

    /// Who.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// How, and when.
    #[must_use]
    pub fn authentication(&self) -> &Authentication {
        &self.authentication
    }
}
