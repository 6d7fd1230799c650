//! [`Session`]: the session that a grant began in.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::base::SessionId;

/// The session that a grant began in, for the logout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    /// A client that wants to be told of the logout keeps a session of its own, longer than its tokens live. The record of
    /// the grant stays as long, or nobody could tell it.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "chrono::serde::ts_seconds_option")]
    pub(crate) kept_until: Option<DateTime<Utc>>,
}
