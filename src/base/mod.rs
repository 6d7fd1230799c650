//! The ground floor: parsed values with one meaning each, for authors of stores and of other drivers than
//! [`server`](crate::server). It imports nothing from the floors above.

pub(crate) mod access_tokens;
pub(crate) mod actor;
pub(crate) mod algorithm;
pub(crate) mod client_id;
pub(crate) mod confirmation;
pub mod details;
pub(crate) mod distinguished_name;
pub(crate) mod fresh_secrets;
pub(crate) mod handle;
pub(crate) mod https_url;
pub(crate) mod network;
pub(crate) mod numeric_date;
pub(crate) mod origin;
pub mod pkce;
pub(crate) mod private_file;
pub(crate) mod query;
pub mod redirect_uri;
pub(crate) mod replay_key;
pub(crate) mod resources;
pub(crate) mod response_algorithm;
pub(crate) mod rights;
pub(crate) mod scope;
pub(crate) mod secret;
pub(crate) mod session_id;
pub(crate) mod strict_json;
pub(crate) mod subject;
pub(crate) mod system;
pub(crate) mod thread_copies;
pub(crate) mod time;
pub(crate) mod token_name;
pub(crate) mod user_code;
pub(crate) mod value_error;

pub use access_tokens::AccessTokens;
pub use actor::Actor;
pub(crate) use actor::MAX_ACTORS;
pub use algorithm::Algorithm;
pub use client_id::ClientId;
pub use confirmation::{BothKeys, Confirmation, Thumbprint};
pub use details::{AuthorizationDetail, AuthorizationDetails, MAX_DEPTH, MAX_DETAILS};
#[cfg(feature = "mtls")]
pub(crate) use distinguished_name::Attribute;
pub(crate) use distinguished_name::DistinguishedName;
pub use fresh_secrets::FreshSecrets;
pub use handle::{GrantId, Handle, InvalidGrantId, Kind, Prefixes};
pub(crate) use https_url::{HttpsUrl, HttpsUrlError, is_dots};
pub use replay_key::ReplayKey;
pub use resources::{MAX_RESOURCES, ResourceId, ResourceIndicators};
pub use response_algorithm::ResponseAlgorithm;
pub(crate) use rights::{AccessRights, RightsRef};
pub use scope::{MAX_SCOPE_TOKENS, Scope};
pub use secret::{Digest, SECRET_BYTES, Secret, SecretText};
pub use session_id::SessionId;
pub(crate) use subject::Parties;
pub use subject::{Authentication, Login, Subject, SubjectType};
#[cfg(any(all(target_arch = "wasm32", target_os = "unknown"), doc))]
pub use system::host;
pub use system::{Clock, Entropy, SystemClock, SystemEntropy};
pub(crate) use time::{Second, after};
pub(crate) use token_name::TokenName;
pub use user_code::{UserCode, UserCodeDigest};
pub use value_error::ValueError;
