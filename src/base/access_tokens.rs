//! The format of access tokens.

use serde::{Deserialize, Serialize};

/// The format of access tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AccessTokens {
    /// A handle, which only this server can read.
    #[default]
    Opaque,
    /// A signed JWT (RFC 9068), which a resource server can verify by itself.
    Jwt,
}
