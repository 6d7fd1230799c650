//! The requests of OAuth as chains of types.
//!
//! Each state is named after the one fact that it lacks, and one method takes that fact and returns the next
//! state: steps in the wrong order do not compile. Nothing here does I/O, reads a clock or draws randomness:
//! the driver in [`server`](crate::server) provides the facts and proves the writes.

pub mod authorize;
mod await_client;
pub mod client_configuration;
pub(crate) mod consent;
pub mod device;
pub mod introspect;
mod jarm;
pub(crate) mod logout;
pub mod pushed;
mod redirect;
pub mod register;
pub mod revoke;
pub mod token;
mod token_query;

pub use await_client::{
    AwaitCertificate, AwaitClient, AwaitFirstUse, AwaitSignature, AwaitSlowHash, Checked,
};
pub(crate) use await_client::{AwaitsClient, Judged};
pub use jarm::{AwaitResponseSignature, Finished};
pub use redirect::{
    AwaitApproval, AwaitRedirectSignature, ErrorAnswer, OpenedRedirect, Redirect, SealedRedirect,
};
pub use token_query::{AuthenticatedQuery, TokenQuery};

pub use crate::client::ResponseMode;
pub use crate::issuance::{AccountStatus, Facts};
pub(crate) use crate::issuance::{Issuance, RequestedAccess};
