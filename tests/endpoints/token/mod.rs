//! The token endpoint: a file for each grant type, and one for each thing that a token can carry.

mod alike;
mod bearer;
mod bearer_attacks;
mod certificate_bound;
mod client_authentication;
mod client_secret_jwt;
mod code;
mod details;
mod exchange;
mod extension;
mod extension_once;
mod mutual_tls;
mod mutual_tls_names;
mod password;
mod private_key_jwt;
mod private_key_jwt_attacks;
mod private_key_jwt_keys;
mod refresh;
mod resources;
mod signed;
