//! OpenID Connect Core 1.0.

mod claims_parameter;
mod consent;
mod discovery;
mod id_token;
mod prompts;
mod requests;
mod userinfo;
