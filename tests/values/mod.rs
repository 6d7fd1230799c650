//! Values in, values out: formats, keys, addresses, configuration.

mod addresses;
mod client_state;
mod codec;
mod configuration;
mod exhaustive;
mod jose;
mod keys;
mod outbound;
mod paths_and_scopes;
mod request;
mod upsert;
