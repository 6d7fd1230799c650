//! Assertions of other issuers as a grant (RFC 7523): one counts if its issuer signed it for this server,
//! this client and this time, and gives no more than it says.
#![no_main]

use std::sync::OnceLock;

use grantor::assertions::{Assertion, AssertionIssuer, AssertionPolicy, JwtBearer};
use grantor::flow::token::{Denial, Entitlement};
use grantor::resource::StaticKeys;
use grantor::{
    AuthorizationServer, Client, Endpoint, GrantType, MemoryRegistry, MemoryStore, Request, Scope,
    async_trait,
};
use grantor_fuzz::client::{needs_its_signature, passed_header};
use grantor_fuzz::provider::is_within;
use grantor_fuzz::{Forgetful, ISSUER, NOW, Still, escaped, handle, json, public_keys, signed};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const IDP: &str = "https://idp.example";
const HEADER: &str = r#"{"alg":"EdDSA"}"#;

fuzz_target!(|text: &str| {
    assert!(redeem(text).is_none(), "no one but the key can sign");
    // The same text as claims, and as a header before valid claims, both with a valid signature.
    if let Some(tokens) = redeem(&signed(HEADER, text)) {
        let claims: Value = serde_json::from_str(text).expect("claims");
        assert_eq!(claims["iss"], IDP);
        let audience = claims["aud"].as_array().map_or(std::slice::from_ref(&claims["aud"]), Vec::as_slice);
        assert!(
            !audience.is_empty()
                && audience.iter().all(|aud| aud.as_str().is_some_and(|a| a.starts_with(ISSUER)))
        );
        assert!(claims["client_id"].is_null() || claims["client_id"] == "app");
        assert!(claims["exp"].as_f64().expect("a time") > NOW as f64 - 61.0);
        assert!(claims["cnf"].is_null() && claims["act"].is_null() && tokens.get("refresh_token").is_none());
        assert!(
            claims["scope"].is_null()
                || is_within(&tokens["scope"], claims["scope"].as_str().expect("a scope"))
        );
        assert!(is_within(&tokens["scope"], "read write"));
    }
    if redeem(&signed(text, &claims())).is_some() {
        passed_header(text);
    }
});

fn claims() -> String {
    serde_json::json!({ "iss": IDP, "sub": "alice", "aud": ISSUER, "exp": NOW + 60 }).to_string()
}

struct Accounts;

#[async_trait]
impl AssertionPolicy for Accounts {
    async fn accept(&self, assertion: &Assertion<'_>) -> Result<Entitlement, Denial> {
        let scope = Scope::parse("read write").map_err(|_| Denial::invalid_scope())?;
        Ok(Entitlement::user(assertion.subject, scope))
    }
}

fn server() -> &'static AuthorizationServer {
    static SERVER: OnceLock<AuthorizationServer> = OnceLock::new();
    SERVER.get_or_init(|| {
        let client = Client::builder("app").secret("s").grant_types([GrantType::jwt_bearer()]);
        let issuer = AssertionIssuer::new(IDP, StaticKeys::new(&public_keys()));
        let builder = AuthorizationServer::builder(ISSUER)
            .clients(MemoryRegistry::new([client.build().expect("a client")]))
            .store(MemoryStore::new())
            .replay_guard(Forgetful)
            .scopes(["read", "write", "admin"])
            .jwt_bearer(JwtBearer::new(Accounts).issuer(issuer))
            .clock(Still);
        let server = builder.build().expect("a server");
        needs_its_signature(HEADER, &claims(), |assertion| redeem_at(&server, assertion).is_some());
        server
    })
}

fn redeem(assertion: &str) -> Option<Value> {
    redeem_at(server(), assertion)
}

fn redeem_at(server: &AuthorizationServer, assertion: &str) -> Option<Value> {
    let form =
        format!("grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion={}", escaped(assertion));
    let response =
        handle(server, Endpoint::Token, &Request::post_form(form).header("authorization", "Basic YXBwOnM="));
    (response.status == 200).then(|| json(&response))
}
