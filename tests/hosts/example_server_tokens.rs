//! `examples/server` with resources, signed access tokens and keys, over HTTP.

use std::path::Path;

use grantor::jose::{JwkSet, Jws};
use serde_json::{Value, json};

use crate::support::browser::{Answer, Server, unescape};
use crate::support::folder::Folder;
use crate::support::{code_query, encode, redemption};

/// Every character of it may stand in a URI.
const SIGNED: &str = "https://signed.example/?a='b'&lt;c";
const OPAQUE: &str = "https://opaque.example";

/// One resource whose tokens are signed and one whose are not, each with a server that may ask about them.
const RESOURCES: &str = r#"
[[resources]]
identifier = "https://signed.example/?a='b'&lt;c"
scopes = ["read"]
access_tokens = "jwt"
introspection_clients = ["signed-api"]
[[resources]]
identifier = "https://opaque.example"
access_tokens = "opaque"
introspection_clients = ["opaque-api"]
[[clients]]
client_id = "signed-api"
client_secret = "c2VjcmV0LW9mLXRoZS1maXh0dXJl"
grant_types = []
[[clients]]
client_id = "opaque-api"
client_secret = "c2VjcmV0LW9mLXRoZS1maXh0dXJl"
grant_types = []
[[clients]]
client_id = "robot"
client_secret = "c2VjcmV0LW9mLXRoZS1maXh0dXJl"
grant_types = ["client_credentials"]
access_tokens = "jwt"
"#;

fn token(server: &Server, client: &str, resource: Option<&str>) -> String {
    let mut form = vec![("grant_type", "client_credentials")];
    form.extend(resource.map(|resource| ("resource", resource)));
    let answer = server.browser().post_as(client, "/token", &form);
    answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

/// The published keys, from where the metadata says.
fn published(server: &Server) -> JwkSet {
    let metadata = server.browser().get("/.well-known/oauth-authorization-server");
    let metadata: Value = serde_json::from_str(&metadata.body).unwrap();
    let path = metadata["jwks_uri"].as_str().unwrap().strip_prefix(&server.base).unwrap();
    JwkSet::parse(&server.browser().get(path).body).unwrap()
}

/// What a signed token claims, by the published keys alone, and the key that it is signed with.
fn verified(server: &Server, token: &str) -> (String, Value) {
    let keys = published(server).verifying_keys();
    let jws = Jws::parse(token).unwrap();
    assert!(jws.has_typ("at+jwt"));
    (jws.kid().unwrap().to_owned(), jws.verify(&keys).unwrap().claims().unwrap())
}

/// The keys on the page: the name and the stage of each.
fn shown(page: &Answer) -> Vec<(String, String)> {
    let between = |text: &str, from: &str, to: &str| {
        let (_, rest) = text.split_once(from).unwrap();
        rest.split(to).next().unwrap().to_owned()
    };
    let keys = page.body.split("<li class=\"card key\">").skip(1);
    keys.map(|key| {
        let stage = between(&between(key, "<span class=\"stage", "</span>"), ">", "<");
        (between(key, "<h2><code>", "</code>"), stage)
    })
    .collect()
}

#[test]
fn a_token_is_written_as_its_resource_says() {
    let server = Server::start_with("", RESOURCES);
    let (_, claims) = verified(&server, &token(&server, "conf", Some(SIGNED)));
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(server.base), &json!(SIGNED)));
    assert_eq!((&claims["sub_type"], &claims["scope"]), (&json!("client"), &json!("read")));
    assert!(Jws::parse(&token(&server, "robot", Some(OPAQUE))).is_err(), "whatever the client says");
    assert!(Jws::parse(&token(&server, "robot", None)).is_ok(), "as the client says");
    assert!(Jws::parse(&token(&server, "conf", None)).is_err(), "as the server says");
    let form = [("grant_type", "client_credentials"), ("resource", "https://other.example")];
    assert_eq!(server.browser().post_as_conf("/token", &form)["error"], "invalid_target");
}

#[test]
fn the_servers_of_a_resource_introspect_its_tokens_and_no_others() {
    let server = Server::start_with("", RESOURCES);
    let (signed, opaque) = (token(&server, "conf", Some(SIGNED)), token(&server, "conf", Some(OPAQUE)));
    let seen =
        |client: &str, token: &str| server.browser().post_as(client, "/introspect", &[("token", token)]);
    for (client, token, audience) in [("signed-api", &signed, SIGNED), ("opaque-api", &opaque, OPAQUE)] {
        let answer = seen(client, token);
        assert_eq!((&answer["active"], &answer["aud"]), (&json!(true), &json!(audience)), "{client}");
    }
    assert_eq!(seen("signed-api", &opaque), json!({ "active": false }));
    assert_eq!(seen("opaque-api", &signed), json!({ "active": false }));
}

#[test]
fn the_api_beside_the_server_takes_either_format_and_no_other_audience() {
    let server = Server::start_with("access_tokens = \"jwt\"", RESOURCES);
    let mut alice = server.signed_in("alice", "wonderland");
    let code = alice.decide(&encode(&code_query("conf", "read")), "approve");
    let code = code.location_parameter("code").unwrap();
    let signed = alice.post_as_conf("/token", &redemption(&code));
    let signed = signed["access_token"].as_str().unwrap();
    assert!(Jws::parse(signed).is_ok());
    let me = server.browser().get_with("/api/me", signed);
    let me: Value = serde_json::from_str(&me.body).unwrap();
    assert_eq!((&me["sub"], &me["username"]), (&json!("user-alice"), &json!("alice")));

    let mixed = Server::start_with("", RESOURCES);
    let status = |token: &str| mixed.browser().get_with("/api/me", token).status;
    let (opaque, signed) = (token(&mixed, "conf", None), token(&mixed, "robot", None));
    assert!(Jws::parse(&opaque).is_err() && Jws::parse(&signed).is_ok());
    assert_eq!((status(&opaque), status(&signed)), (200, 200));
    for resource in [SIGNED, OPAQUE] {
        assert_eq!(status(&token(&mixed, "conf", Some(resource))), 401, "{resource}");
    }
}

/// A provider with a client that must not learn the provider's own name of a user.
const PAIRWISE: &str = r#"
[keys]
algorithm = "RS256"
[openid]
pairwise_secret = "0123456789abcdef0123456789abcdef"
[[clients]]
client_id = "apart"
client_secret = "c2VjcmV0LW9mLXRoZS1maXh0dXJl"
redirect_uris = ["https://app.example/cb"]
subject_type = "pairwise"
"#;

#[test]
fn the_api_beside_the_server_names_no_user_to_a_client_with_pairwise_identifiers() {
    let server = Server::start_with("", PAIRWISE);
    let mut alice = server.signed_in("alice", "wonderland");
    for (client, user) in [("apart", None), ("conf", Some("user-alice"))] {
        let code = alice.decide(&encode(&code_query(client, "openid read")), "approve");
        let code = code.location_parameter("code").unwrap();
        let tokens = alice.post_as(client, "/token", &redemption(&code));
        let me = server.browser().get_with("/api/me", tokens["access_token"].as_str().unwrap());
        let me: Value = serde_json::from_str(&me.body).unwrap();
        assert_eq!(me["client_id"], client);
        assert_eq!(me.get("sub").map(|sub| sub.as_str().unwrap()), user, "{me}");
        assert_eq!(me.get("username").is_some(), user.is_some(), "{me}");
    }
}

#[test]
fn without_resources_the_audience_of_the_file_is_that_of_every_token() {
    let server = Server::start("access_tokens = \"jwt\"\naudience = \"https://api.example\"");
    let (_, claims) = verified(&server, &token(&server, "conf", None));
    assert_eq!(claims["aud"], "https://api.example");
}

#[test]
fn anybody_sees_which_key_signs() {
    let server = Server::start_with("", RESOURCES);
    let page = server.browser().get("/keys");
    assert_eq!(page.status, 200);
    let (kid, _) = verified(&server, &token(&server, "conf", Some(SIGNED)));
    assert_eq!(shown(&page), [(kid, "Signing".to_owned())]);
    assert!(page.body.contains("EdDSA") && page.body.contains("<time datetime=\""));
    assert!(unescape(&page.body).contains(&format!("<code>{}/jwks</code>", server.base)));
    assert!(!page.body.contains("<script"));
    assert_eq!(page.header("x-frame-options"), Some("DENY"));
    assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'none';"));
    assert!(server.browser().get("/").element("signing-keys").is_some());
}

#[test]
fn a_server_that_signs_nothing_has_no_keys() {
    let server = Server::start("");
    assert_eq!(server.browser().get("/keys").status, 404);
    assert!(server.browser().get("/").element("signing-keys").is_none());
    let metadata = server.browser().get("/.well-known/oauth-authorization-server");
    assert!(!metadata.body.contains("jwks_uri"), "{}", metadata.body);
}

#[test]
fn the_consent_page_names_the_resources_as_text() {
    let server = Server::start_with("", RESOURCES);
    let mut alice = server.signed_in("alice", "wonderland");
    let mut query = code_query("conf", "read");
    let without = alice.get(&format!("/consent?{}", encode(&query)));
    assert!(without.element("consent-approve").is_some() && without.element("consent-resources").is_none());
    query.extend([("resource", SIGNED), ("resource", OPAQUE)]);
    let page = alice.get(&format!("/consent?{}", encode(&query)));
    let resources = page.element("consent-resources").unwrap();
    assert_eq!(unescape(resources), format!("<bdi>{SIGNED}</bdi><bdi>{OPAQUE}</bdi>"));
    assert!(!resources.contains("&lt;") && !resources.contains('\''), "{resources}");

    let code = alice.decide(&encode(&query), "approve").location_parameter("code").unwrap();
    let mut form = redemption(&code);
    form.push(("resource", OPAQUE));
    assert!(alice.post_as_conf("/token", &form)["access_token"].is_string());
    let grants = unescape(&alice.get("/account/grants").body);
    assert!(
        grants.contains(&format!("<bdi>{OPAQUE}</bdi><bdi>{SIGNED}</bdi>")),
        "and so does that of access"
    );
}

/// Keys in this file, of which a new one is announced at once.
fn keys_in(file: &Path) -> String {
    let file = file.display();
    format!("[keys]\nalgorithm = \"ES256\"\nfile = '{file}'\nannounce = 3600\nsign = 3600\nretire = 3600")
}

#[test]
fn keys_in_a_file_survive_a_restart() {
    let folder = Folder::new();
    let start = || Server::start_with("access_tokens = \"jwt\"", &keys_in(&folder.file("keys")));
    let first = start();
    let issued = token(&first, "conf", None);
    let (kid, _) = verified(&first, &issued);
    assert_eq!(shown(&first.browser().get("/keys")), [(kid.clone(), "Signing".to_owned())]);
    drop(first);

    let second = start();
    assert_eq!(verified(&second, &issued).0, kid, "a token of before is still good for its readers");
    assert_eq!(verified(&second, &token(&second, "conf", None)).0, kid);
    let stages = shown(&second.browser().get("/keys"));
    assert_eq!(stages[0], (kid, "Signing".to_owned()));
    assert_eq!((stages.len(), stages[1].1.as_str()), (2, "Announced"), "its successor was due");
}

#[test]
fn paths_begin_where_the_configuration_is() {
    let folder = Folder::new();
    // The configuration is in the folder for temporary files, too, and the server runs elsewhere.
    let here = Path::new(folder.path().file_name().unwrap());
    let head = format!("access_tokens = \"jwt\"\nstore = 'sqlite:{}'", here.join("grants.db").display());
    drop(Server::start_with(&head, &keys_in(&here.join("keys"))));
    assert!(folder.file("keys").is_file() && folder.file("grants.db").is_file());
}

#[test]
fn no_page_shows_what_the_file_of_keys_keeps_secret() {
    let folder = Folder::new();
    let server = Server::start_with("access_tokens = \"jwt\"", &keys_in(&folder.file("keys")));
    let pages = ["/keys", "/jwks", "/"].map(|path| unescape(&server.browser().get(path).body));
    let kept = std::fs::read_to_string(folder.file("keys")).unwrap();
    let (_, ring) = kept.split_once('\n').unwrap();
    let ring: Value = serde_json::from_str(ring).unwrap();
    let secret = ring["keys"][0]["pkcs8"].as_str().unwrap_or_else(|| panic!("the form of the file"));
    assert!(secret.len() > 40);
    assert!(pages.iter().all(|page| !page.contains(secret)));
    let jwks: Value = serde_json::from_str(&pages[1]).unwrap();
    assert!(jwks["keys"][0].get("x").is_some() && jwks["keys"][0].get("d").is_none());
}

#[test]
fn what_is_wrong_with_keys_is_one_clear_line() {
    let (code, lines) = Server::refused("", "[keys]\nalgorithm = \"HS256\"");
    let expected = "keys.algorithm: \"HS256\" is not one of EdDSA, ES256, PS256, RS256\n";
    assert!(lines.starts_with("error: ") && lines.ends_with(expected), "{lines}");
    assert_eq!((code, lines.lines().count()), (Some(2), 1), "{lines}");

    let folder = Folder::new();
    std::fs::write(folder.file("keys"), "no keys").unwrap();
    let (code, lines) = Server::refused("access_tokens = \"jwt\"", &keys_in(&folder.file("keys")));
    let expected = format!("error: keys.file: {}: ", folder.file("keys").display());
    assert!(lines.starts_with(&expected), "{lines}");
    assert_eq!((code, lines.lines().count()), (Some(2), 1), "{lines}");
    assert_eq!(std::fs::read_to_string(folder.file("keys")).unwrap(), "no keys");
}
