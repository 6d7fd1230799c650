//! What may be issued: the rules of a server, and the one gate before every token.

mod detail_types;
mod extension_terms;
mod facts;
mod gate;
mod grant_type;
mod policy;
mod resource;
mod rights;
mod rules;
mod signed_answers;
mod usable;

pub(crate) use detail_types::DetailTypes;
pub use detail_types::{DetailType, Fields};
pub use extension_terms::ExtensionTerms;
pub(crate) use extension_terms::KnownExtension;
pub use facts::Facts;
pub use gate::AccountStatus;
pub(crate) use gate::{Gate, Granted, Issuable, Issuance, Limits, RequestedAccess};
pub use policy::{ForeignToken, OmittedScope, Policy, RefreshTokens};
pub(crate) use resource::KnownResource;
pub use resource::Resource;
pub use rules::Rules;
pub(crate) use rules::is_served;
pub(crate) use signed_answers::SignedAnswers;
