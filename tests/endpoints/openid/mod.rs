//! OpenID Connect Core 1.0.

mod back_channel;
mod claims_parameter;
mod consent;
mod discovery;
mod faults;
mod hints;
mod id_token;
mod kinds;
mod logout;
mod logout_members;
mod pairwise;
mod prompts;
mod registration;
mod requests;
mod sessions;
mod userinfo;
