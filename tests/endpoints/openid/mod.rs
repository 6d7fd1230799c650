//! OpenID Connect Core 1.0.

mod back_channel;
mod claims_parameter;
mod consent;
mod discovery;
mod faults;
mod hints;
mod hs256;
mod hs256_hints;
mod hs256_registration;
mod hybrid;
mod hybrid_terms;
mod id_token;
mod jwt_kinds;
mod logout;
mod logout_members;
mod not_built;
mod pairwise;
mod prompts;
mod registration;
mod requests;
mod resources;
mod sessions;
mod userinfo;
