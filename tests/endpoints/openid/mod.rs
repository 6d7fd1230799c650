//! OpenID Connect Core 1.0.

mod claims_parameter;
mod discovery;
mod id_token;
mod requests;
mod userinfo;
