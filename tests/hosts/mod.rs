//! A host and its parts: the example server, real clients, tenants, the grants of a user.

mod adapters;
mod client_secrets;
mod dev_pages;
mod example_login;
mod example_server;
mod example_server_commands;
mod example_server_consent;
mod example_server_device;
mod example_server_logout;
mod example_server_secrets;
mod example_server_step_up;
mod example_server_tokens;
mod grant_management;
mod mcp_clients;
mod mcp_requirements;
mod observability;
mod profile_mcp;
mod real_clients;
mod several_guards;
mod tenants;
mod tenants_matrix;
mod testing;
mod tls;
mod traces;
mod unused_clients;
