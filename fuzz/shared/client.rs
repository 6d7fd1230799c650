//! For the targets that feed texts signed by a client: a server that knows the client `app` by its key.

use grantor::client::ClientJwts;
use grantor::server::AuthorizationServerBuilder;
use grantor::{AuthMethod, AuthorizationServer, Client, ClientBuilder, MemoryRegistry, MemoryStore};

use crate::{Forgetful, ISSUER, Still, base64url, public_keys, signed};

/// The server. `registered` adds to the client, and `configure` to the server.
pub fn server_with(
    registered: impl FnOnce(ClientBuilder) -> ClientBuilder,
    configure: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
) -> AuthorizationServer {
    let keys = serde_json::to_value(public_keys()).expect("a key set");
    let client = Client::builder("app").auth_method(AuthMethod::PrivateKeyJwt).jwks(keys);
    let client = registered(client).build().expect("a client");
    let builder = AuthorizationServer::builder(ISSUER)
        .clients(MemoryRegistry::new([client]))
        .store(MemoryStore::new())
        .replay_guard(Forgetful)
        .client_signatures(ClientJwts::new())
        .clock(Still);
    configure(builder).build().expect("a server")
}

/// A valid text is accepted with its signature, and not without.
pub fn needs_its_signature(header: &str, claims: &str, is_taken: impl Fn(&str) -> bool) {
    assert!(is_taken(&signed(header, claims)), "what is in order is taken");
    assert!(!is_taken(&format!("{}.{}.", base64url(header.as_bytes()), base64url(claims.as_bytes()))));
}

/// The header of a text that passed: it names the algorithm of the key, and no member of it changes what is
/// verified or with which key.
pub fn passed_header(text: &str) -> serde_json::Value {
    let header: serde_json::Value = serde_json::from_str(text).expect("a header");
    assert!(["EdDSA", "Ed25519"].contains(&header["alg"].as_str().expect("an algorithm")));
    assert!(header.get("crit").is_none() && header.get("jwk").is_none() && header.get("b64").is_none());
    header
}
