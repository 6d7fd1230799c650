//! OpenID Connect Core 1.0.

mod claims_parameter;
mod consent;
mod discovery;
mod faults;
mod id_token;
mod kinds;
mod pairwise;
mod prompts;
mod registration;
mod requests;
mod userinfo;
