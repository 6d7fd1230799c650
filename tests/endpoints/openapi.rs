//! The OpenAPI document: what it lists is what the server answers.

use std::collections::BTreeSet;

use grantor::{AuthorizationServer, MemoryRegistry, MemoryStore, Registration};
use serde_json::{Value, json};

use crate::support::Fixture;
use crate::support::provider::Provider;

/// Every `$ref` of a document.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str() {
                    Some(place) if name == "$ref" => drop(found.insert(place.to_owned())),
                    _ => references(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn the_document_lists_each_endpoint_with_its_methods_and_no_other() {
    let registry = std::sync::Arc::new(MemoryRegistry::default());
    let fixture = Fixture::with(|builder| {
        let builder = builder.device_verification("/device").registrar(registry.clone());
        builder.registration(Registration::open())
    });
    let document = fixture.server.openapi();
    let paths = document["paths"].as_object().unwrap();
    let served: BTreeSet<String> = fixture.server.routes().into_iter().map(|(_, path)| path).collect();
    assert_eq!(paths.keys().cloned().collect::<BTreeSet<_>>(), served);
    for (endpoint, path) in fixture.server.routes() {
        let methods = paths[&path].as_object().unwrap().keys().map(|method| method.to_uppercase());
        let allowed = endpoint.allowed_methods();
        let allowed: BTreeSet<&str> = allowed.split(", ").collect();
        assert_eq!(
            methods.collect::<BTreeSet<_>>(),
            allowed.iter().map(|m| (*m).to_owned()).collect(),
            "{path}"
        );
    }
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(!found.is_empty());
    for place in found {
        assert!(document.pointer(place.trim_start_matches('#')).is_some(), "{place}");
    }
}

#[test]
fn the_document_follows_the_configuration() {
    let robots = AuthorizationServer::builder("https://as.example/tenant").clients(MemoryRegistry::default());
    let robots = robots.store(MemoryStore::small()).scopes(["notes"]).build().unwrap();
    let document = robots.openapi();
    assert_eq!(document["servers"][0]["url"], "https://as.example");
    assert!(
        document["paths"].get("/tenant/token").is_some() && document["paths"].get("/tenant/par").is_none()
    );
    let flows = &document["components"]["securitySchemes"]["oauth2"]["flows"];
    assert_eq!(flows["clientCredentials"]["tokenUrl"], "https://as.example/tenant/token");
    assert_eq!(flows["clientCredentials"]["scopes"]["notes"], "");
    assert!(flows.get("authorizationCode").is_none(), "nobody can sign in");
    let users = Fixture::new().server.openapi();
    let flows = &users["components"]["securitySchemes"]["oauth2"]["flows"];
    assert_eq!(flows["authorizationCode"]["authorizationUrl"], "https://as.example/authorize");
}

#[test]
fn the_document_says_how_userinfo_and_introspection_answer() {
    let provider = Provider::with(Vec::new(), |builder| builder.sign_introspection_answers());
    let document = provider.fixture.server.openapi();
    let responses = |path: &str, method: &str| document["paths"][path][method]["responses"].clone();
    let userinfo = responses("/userinfo", "get");
    assert!(userinfo["200"]["content"].get("application/jwt").is_some());
    assert_eq!(
        userinfo["403"]["content"]["application/json"]["schema"]["$ref"],
        "#/components/schemas/Error"
    );
    let without_a_token = &userinfo["401"]["content"]["application/json"]["schema"]["anyOf"];
    assert_eq!(without_a_token[1], json!({ "type": "object", "maxProperties": 0 }));
    let introspection = responses("/introspect", "post");
    assert!(introspection["200"]["content"].get("application/token-introspection+jwt").is_some());
    let plain = Fixture::new().server.openapi();
    let types = plain["paths"]["/introspect"]["post"]["responses"]["200"]["content"].as_object().unwrap();
    assert_eq!(types.keys().collect::<Vec<_>>(), ["application/json"]);
}
