//! Values in, values out: formats, keys, addresses, configuration.

mod client_state;
mod codec;
mod configuration;
mod exhaustive;
mod jose;
mod keys;
mod outbound;
mod request;
mod upsert;
