//! Every test of the public API, in one binary. `tests/run.sh` adds real clients, a browser and fuzzing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

mod support;

mod endpoints;
mod floors;
mod guard;
mod hosts;
mod lifecycle;
mod assertion_attacks;
mod client_authentication;
mod client_document_cache;
mod client_documents;
mod client_state;
mod codec;
mod configuration;
mod device_races;
mod every_endpoint;
mod every_secret;
mod example_server;
mod example_server_device;
mod example_server_tokens;
mod extension_grants;
mod extension_grants_once;
mod faults;
mod grant_management;
mod guard_attacks;
mod guard_discovery;
mod guard_introspection;
mod guard_keys;
mod guard_leniency;
mod guard_origins;
mod guard_remembered;
mod jose;
mod keys;
mod lost_answers;
mod mcp_clients;
mod memory_store;
mod metadata;
mod outbound;
mod profile_mcp;
mod races;
mod real_clients;
mod reference_model;
mod requirements;
mod values;
