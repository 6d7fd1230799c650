//! `Profile::Mcp`: what the clients of the Model Context Protocol really send. Each fixture names where it
//! was seen.

use std::sync::Arc;

use grantor::http::Method;
use grantor::server::ConfigError;
use grantor::{AuthorizationServer, MemoryRegistry, MemoryStore, Profile, Reason, Request, Resource};
use serde_json::json;

use crate::support::site::{Site, changed};
use crate::support::{Answer, CALLBACK, CHALLENGE, Fixture, ISSUER, VERIFIER, clients, encode};

const MCP: &str = "https://mcp.example/mcp";
const OTHER: &str = "https://other.example";

/// <https://github.com/anthropics/claude-code/issues/42301>: its document, and the port that it listens on.
const CLAUDE_CODE: &str = "https://claude.ai/oauth/claude-code-client-metadata";

/// <https://github.com/microsoft/vscode/issues/284477> and <https://github.com/openai/codex/issues/24890>:
/// `resource` is absent from the authorization request.
/// <https://github.com/anthropics/claude-code/issues/10572>: from both.
const RESOURCE_OMITTED: [(&[&str], &[&str]); 4] =
    [(&[], &[MCP]), (&[MCP], &[]), (&[], &[]), (&[MCP], &[MCP])];

fn served(site: &Site) -> Fixture {
    let registry = Arc::new(MemoryRegistry::new(clients()));
    Fixture::with(|builder| {
        builder
            .profile(Profile::Mcp)
            .clients(registry.clone())
            .registrar(registry)
            .client_id_metadata_documents(site.clone())
            .resource(Resource::new(MCP))
    })
}

fn claude_code() -> Site {
    let site = Site::new();
    site.put(
        CLAUDE_CODE,
        json!({
            "client_id": CLAUDE_CODE,
            "client_name": "Claude Code",
            "client_uri": "https://claude.ai",
            "redirect_uris": ["http://localhost/callback", "http://127.0.0.1/callback"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        }),
    );
    site
}

/// The two requests of a login, with these resources in the first and in the second.
async fn login(fixture: &Fixture, id: &str, redirect_uri: &str, resources: (&[&str], &[&str])) -> Answer {
    let mut query = vec![
        ("response_type", "code"),
        ("client_id", id),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("redirect_uri", redirect_uri),
        ("state", "a state"),
    ];
    query.extend(resources.0.iter().map(|resource| ("resource", *resource)));
    let answer = fixture.approve(&query).await;
    assert_eq!(answer.location_parameter("iss").as_deref(), Some("https://as.example"));
    assert!(answer.location().starts_with(&format!("{redirect_uri}?")), "{}", answer.location());
    let Some(code) = answer.location_parameter("code") else { return answer };
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", &*code),
        ("redirect_uri", redirect_uri),
        ("client_id", id),
        ("code_verifier", VERIFIER),
    ];
    form.extend(resources.1.iter().map(|resource| ("resource", *resource)));
    Answer(fixture.server.token(&Request::post_form(encode(&form))).await)
}

async fn audience(fixture: &Fixture, tokens: &Answer) -> String {
    let access = fixture.server.check(&tokens.access_token()).await.unwrap();
    access.audience().map_or_else(|| fixture.server.rules().audience.clone(), ToString::to_string)
}

#[tokio::test]
async fn claude_code_logs_in_from_a_port_that_its_document_does_not_name() {
    let fixture = served(&claude_code());
    for redirect_uri in ["http://localhost:59430/callback", "http://127.0.0.1:52163/callback"] {
        let tokens = login(&fixture, CLAUDE_CODE, redirect_uri, (&[], &[])).await;
        assert_eq!(tokens.status(), 200, "{}", tokens.json());
        assert_eq!(tokens.text("scope"), "read write admin", "no scope is all that it may have");
        assert!(!tokens.refresh_token().is_empty());
    }
    let strict = Fixture::with(|builder| builder.client_id_metadata_documents(claude_code()));
    let query = [("client_id", CLAUDE_CODE), ("redirect_uri", "http://localhost:59430/callback")];
    let page = strict.server.authorize(&Request::get(encode(&query))).await.unwrap_err();
    assert_eq!(page.reason(), Reason::RedirectUriUnregistered, "localhost is a name, elsewhere");
}

#[tokio::test]
async fn a_resource_may_stand_in_one_request_of_the_two() {
    let fixture = served(&claude_code());
    for resources in RESOURCE_OMITTED {
        let tokens = login(&fixture, CLAUDE_CODE, "http://localhost:1/callback", resources).await;
        assert_eq!(tokens.status(), 200, "{resources:?}: {}", tokens.json());
        assert_eq!(audience(&fixture, &tokens).await, MCP, "{resources:?}");
    }
    let foreign = login(&fixture, CLAUDE_CODE, "http://localhost:1/callback", (&[], &[OTHER])).await;
    assert_eq!(foreign.error(), (400, "invalid_target".to_owned()));
}

#[tokio::test]
async fn of_several_resources_one_that_was_not_named_before_may_be_named_late() {
    let site = claude_code();
    let registry = Arc::new(MemoryRegistry::default());
    let several = |profile| {
        Fixture::with(|builder| {
            builder
                .profile(profile)
                .registrar(registry.clone())
                .client_id_metadata_documents(
                    grantor::documents::MetadataDocuments::over(site.clone()).localhost_any_port(),
                )
                .resource(Resource::new(MCP))
                .resource(Resource::new(OTHER))
        })
    };
    let callback = "http://localhost:1/callback";
    let fixture = several(Profile::Mcp);
    let tokens = login(&fixture, CLAUDE_CODE, callback, (&[], &[MCP])).await;
    assert_eq!(audience(&fixture, &tokens).await, MCP);
    let switched = login(&fixture, CLAUDE_CODE, callback, (&[OTHER], &[MCP])).await;
    assert_eq!(switched.error(), (400, "invalid_target".to_owned()), "what was named is what was granted");
    let strict = login(&several(Profile::OAuth21), CLAUDE_CODE, callback, (&[], &[MCP])).await;
    assert_eq!(strict.error(), (400, "invalid_target".to_owned()));
}

/// <https://github.com/modelcontextprotocol/typescript-sdk/issues/1968>: `URL.href` puts a slash behind a
/// bare origin. <https://github.com/openai/codex/issues/28830>: the same resource twice.
#[tokio::test]
async fn a_slash_at_the_end_of_a_resource_and_a_repetition_make_no_difference() {
    let fixture = served(&claude_code());
    let slashed = "https://mcp.example/mcp/";
    for resources in [
        (&[slashed][..], &[slashed][..]),
        (&[MCP], &[slashed]),
        (&[slashed], &[MCP]),
        (&[], &[slashed]),
        (&[MCP, MCP], &[MCP]),
    ] {
        let tokens = login(&fixture, CLAUDE_CODE, "http://localhost:1/callback", resources).await;
        assert_eq!(audience(&fixture, &tokens).await, MCP, "{resources:?}");
    }
    for other in ["https://mcp.example/mcp//", "https://mcp.example/MCP", "https://mcp.example"] {
        let answer = login(&fixture, CLAUDE_CODE, "http://localhost:1/callback", (&[other], &[])).await;
        assert_eq!(answer.location_parameter("error").as_deref(), Some("invalid_target"), "{other}");
    }
}

#[tokio::test]
async fn nor_do_they_for_the_default_audience() {
    let fixture = Fixture::with(|builder| {
        let builder = builder.profile(Profile::Mcp).client_id_metadata_documents(claude_code());
        builder.audience(ISSUER).resource(Resource::new(MCP))
    });
    for own in ["https://as.example/", "HTTPS://AS.example"] {
        let tokens = login(&fixture, CLAUDE_CODE, "http://localhost:1/callback", (&[own], &[own])).await;
        assert_eq!(audience(&fixture, &tokens).await, ISSUER, "{own}");
    }
}

async fn get(server: &AuthorizationServer, path: &str) -> Option<Answer> {
    let endpoint = server.endpoint_at(path)?;
    Some(Answer(server.handle(endpoint, &Request::get("")).await))
}

/// The order in which the SDKs look: before the path, and behind it, under both names. A path that is none of
/// them, such as that of the MCP server, is answered with 404, and they go on to the next.
#[tokio::test]
async fn md_01_the_metadata_are_where_mcp_clients_look() {
    let built = |issuer: &str, profile| {
        let registry = Arc::new(MemoryRegistry::default());
        AuthorizationServer::builder(issuer)
            .profile(profile)
            .clients(registry.clone())
            .registrar(registry)
            .client_id_metadata_documents(Site::new())
            .store(MemoryStore::new())
            .authorization_endpoint("/authorize")
            .build()
            .unwrap()
    };
    for (issuer, paths) in [
        (
            "https://as.example",
            &["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"][..],
        ),
        (
            "https://as.example/tenant",
            &[
                "/.well-known/oauth-authorization-server/tenant",
                "/.well-known/openid-configuration/tenant",
                "/tenant/.well-known/openid-configuration",
            ],
        ),
    ] {
        let server = built(issuer, Profile::Mcp);
        for path in paths {
            let json = get(&server, path).await.unwrap_or_else(|| panic!("nothing at {path}")).json();
            assert_eq!(json["issuer"], issuer, "{path}");
            assert_eq!(json["client_id_metadata_document_supported"], true);
            assert_eq!(json["registration_endpoint"], format!("{issuer}/register"));
            assert_eq!(json["code_challenge_methods_supported"], json!(["S256"]));
            assert_eq!(json["authorization_response_iss_parameter_supported"], true);
        }
        for nothing in
            ["/.well-known/oauth-authorization-server/mcp", "/mcp/.well-known/openid-configuration"]
        {
            assert!(get(&server, nothing).await.is_none(), "{nothing}");
        }
        let plain = built(issuer, Profile::OAuth21);
        assert!(get(&plain, paths[0]).await.is_some());
        assert!(get(&plain, paths[1]).await.is_none(), "only who speaks to such clients says so");
    }
}

/// A browser asks first whether it may send the header that the MCP specification requires.
#[tokio::test]
async fn a_preflight_allows_the_version_header_of_mcp() {
    let fixture = served(&claude_code());
    for path in [
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        "/token",
        "/register",
    ] {
        let endpoint = fixture.server.endpoint_at(path).unwrap();
        let answer = fixture.server.handle(endpoint, &Request::new(Method::Options)).await;
        let allowed = answer.header("access-control-allow-headers").unwrap();
        assert!(allowed.contains("mcp-protocol-version"), "{path}: {allowed}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
    }
}

/// What <https://github.com/modelcontextprotocol/typescript-sdk> sends by default: no `scope`, and a loopback
/// port.
#[tokio::test]
async fn a_client_registers_itself_and_logs_in() {
    let fixture = served(&Site::new());
    let mut request = Request::new(Method::Post);
    request.body = json!({
        "client_name": "An agent",
        "redirect_uris": ["http://localhost:3118/callback"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    })
    .to_string()
    .into_bytes();
    let request = request.header("content-type", "application/json");
    let made = Answer(fixture.server.registration(&request).await);
    assert_eq!(made.status(), 201, "{}", made.json());
    let tokens =
        login(&fixture, &made.text("client_id"), "http://localhost:4000/callback", (&[MCP], &[])).await;
    assert_eq!(tokens.status(), 200, "{}", tokens.json());
}

/// <https://github.com/modelcontextprotocol/typescript-sdk>, `registerClient`: the scope of the first
/// challenge is what it registers with, and a later challenge asks for more.
#[tokio::test]
async fn a_client_that_registers_with_its_first_scope_may_ask_for_a_further_one() {
    let fixture = served(&Site::new());
    let mut request = Request::new(Method::Post).header("content-type", "application/json");
    request.body = json!({
        "redirect_uris": [CALLBACK],
        "token_endpoint_auth_method": "none",
        "scope": "read",
    })
    .to_string()
    .into_bytes();
    let made = Answer(fixture.server.registration(&request).await);
    assert_eq!(made.text("scope"), "read write admin", "the answer says what is enforced");
    let id = made.text("client_id");
    let query = [
        ("response_type", "code"),
        ("client_id", &*id),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("redirect_uri", CALLBACK),
        ("scope", "write"),
    ];
    let answer = fixture.approve(&query).await;
    assert!(answer.location_parameter("code").is_some(), "{}", answer.location());
}

/// Clients are known by their documents, and register themselves where the host has somewhere to write them.
#[tokio::test]
async fn scopes_that_nobody_knows_are_left_out_and_others_have_to_be_allowed() {
    let fixture = Fixture::with(|builder| builder.profile(Profile::Mcp));
    let robot =
        async |scope| fixture.token("robot", &[("grant_type", "client_credentials"), ("scope", scope)]).await;
    assert_eq!(robot("read invented").await.text("scope"), "read");
    assert_eq!(
        robot("invented").await.error(),
        (400, "invalid_scope".to_owned()),
        "not all that it may have"
    );
    assert_eq!(robot("read write").await.error(), (400, "invalid_scope".to_owned()));
    let asked = fixture.tokens("conf", "read admin invented").await;
    assert_eq!(asked.text("scope"), "read", "a user sees what is left");
    let scopeless = Fixture::with(|builder| builder.profile(Profile::Mcp).scopes([""; 0]));
    let form = [("grant_type", "client_credentials"), ("scope", "invented")];
    assert_eq!(scopeless.token("robot", &form).await.status(), 200, "it may have no scope at all");
}

#[test]
fn mc_04_the_profile_builds_without_documents_and_without_a_registrar() {
    let bare = || {
        AuthorizationServer::builder("https://as.example")
            .profile(Profile::Mcp)
            .clients(MemoryRegistry::default())
            .store(MemoryStore::new())
            .authorization_endpoint("/authorize")
    };
    let metadata = |builder: grantor::server::AuthorizationServerBuilder| {
        Answer(builder.build().unwrap().metadata()).json()
    };
    let json = metadata(bare());
    assert_eq!(json.get("registration_endpoint"), None);
    assert_eq!(json.get("client_id_metadata_document_supported"), None);
    let json = metadata(bare().client_id_metadata_documents(Site::new()));
    assert_eq!(json["client_id_metadata_document_supported"], true);
    assert_eq!(json.get("registration_endpoint"), None);
    let json = metadata(bare().registrar(MemoryRegistry::default()));
    assert_eq!(json["registration_endpoint"], "https://as.example/register");
    let errors = bare().registration(grantor::Registration::open()).build().unwrap_err();
    assert_eq!(errors.all(), [ConfigError::RegistrarMissing]);
}

#[tokio::test]
async fn neither_the_implicit_nor_the_password_grant_is_known() {
    let fixture = served(&Site::new());
    let form = [("grant_type", "password"), ("username", "alice"), ("password", "wonderland")];
    assert_eq!(fixture.token("legacy", &form).await.error(), (400, "unsupported_grant_type".to_owned()));
    let query = [("response_type", "token"), ("client_id", "legacy"), ("redirect_uri", CALLBACK)];
    let answer = fixture.approve(&query).await;
    assert_eq!(answer.location_parameter("error").as_deref(), Some("unsupported_response_type"));
}

/// The documents of VS Code and of ChatGPT have members of their own; what is not known here does no harm.
#[tokio::test]
async fn a_document_with_more_than_is_known_here_is_a_client() {
    let site = Site::new();
    let id = crate::support::site::DOCUMENT;
    site.put(
        id,
        changed(&[
            (
                "grant_types",
                json!([
                    "authorization_code",
                    "refresh_token",
                    "urn:ietf:params:oauth:grant-type:device_code"
                ]),
            ),
            ("token_endpoint_auth_methods_supported", json!(["none"])),
            ("logo_uri", json!("https://client.example/logo.png")),
            ("application_type", json!("native")),
        ]),
    );
    let tokens = login(&served(&site), id, CALLBACK, (&[MCP], &[MCP])).await;
    assert_eq!(tokens.status(), 200, "{}", tokens.json());
}
