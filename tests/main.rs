//! Every test of the public API, in one binary. `tests/run.sh` adds real clients, a browser and fuzzing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

mod support;

mod client_authentication;
mod client_state;
mod codec;
mod configuration;
mod every_endpoint;
mod every_secret;
mod example_server;
mod example_server_device;
mod example_server_tokens;
mod faults;
mod grant_management;
mod guard_attacks;
mod guard_discovery;
mod guard_introspection;
mod guard_keys;
mod guard_remembered;
mod jose;
mod keys;
mod lost_answers;
mod memory_store;
mod metadata;
mod outbound;
mod races;
mod real_clients;
mod reference_model;
mod requirements;
mod rfc6749_authorize;
mod rfc6749_authorize_answers;
mod rfc6749_password;
mod rfc6749_refresh;
mod rfc6749_token;
mod rfc6750_guard;
mod rfc7009_revoke;
mod rfc7662_introspect;
mod rfc8628_device;
mod rfc8693_exchange;
mod rfc8707_resources;
mod rfc9068_jwt;
mod rfc9728_metadata;
mod rotation_under_load;
mod store_contract;
mod tenants;
