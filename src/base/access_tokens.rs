//! The format of access tokens.

use serde::{Deserialize, Serialize};

/// The format of access tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AccessTokens {
    /// A handle, which means something to this server only.
    #[default]
    Opaque,
    /// A signed JWT (RFC 9068), which a resource server reads by itself.
    Jwt,
}
