//! The FAPI 2.0 Security Profile and FAPI 2.0 Message Signing, of a server and of a single client.

mod clients;
mod configuration;
mod cross_use;
mod guards;
mod messages;
mod requests;
mod tokens;
