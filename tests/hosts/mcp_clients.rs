//! The documents and registrations of well-known MCP clients, and how they log in under `Profile::Mcp`. Each
//! says where it was read: *quoted* is a whole document that others fetched and published, *reconstructed*
//! was put together from what the named places say of it.

use std::sync::Arc;
use std::time::Duration;

use grantor::http::Method;
use grantor::server::{AuthorizationServerBuilder, ConfigError};
use grantor::{ClientId, ErrorPage, MemoryRegistry, Profile, Reason, Registration, Request, Resource};
use serde_json::{Value, json};

use crate::support::site::{DOCUMENT, Site, changed};
use crate::support::{Answer, CALLBACK, CHALLENGE, Fixture, VERIFIER, clients, encode};

const MCP: &str = "https://mcp.example/mcp";

struct Published {
    id: &'static str,
    document: Value,
    /// What it sends.
    redirect_uri: &'static str,
    is_local_only: bool,
}

fn published() -> Vec<Published> {
    let client = |id, redirect_uri, is_local_only, document: Value| {
        assert_eq!(document["client_id"], id);
        Published { id, document, redirect_uri, is_local_only }
    };
    vec![
        // Quoted: <https://github.com/django-oauth/django-oauth-toolkit/issues/1845>.
        client(
            "https://chatgpt.com/oauth/client.json",
            "https://chatgpt.com/connector_platform_oauth_redirect",
            false,
            json!({
                "client_id": "https://chatgpt.com/oauth/client.json",
                "client_uri": "https://chatgpt.com/",
                "redirect_uris": ["https://chatgpt.com/connector_platform_oauth_redirect"],
                "token_endpoint_auth_method": "private_key_jwt",
                "token_endpoint_auth_methods_supported": ["none", "private_key_jwt"],
                "grant_types": ["authorization_code", "refresh_token"],
                "response_types": ["code"],
                "client_name": "ChatGPT",
                "logo_uri": "https://persistent.oaistatic.com/sonic/misc/openai-logo.png",
                "token_endpoint_auth_signing_alg": "RS256",
                "jwks_uri": "https://chatgpt.com/oauth/jwks.json",
            }),
        ),
        // Quoted, of one connector: <https://github.com/cloudflare/workers-oauth-provider/issues/293>.
        client(
            "https://chatgpt.com/oauth/IbUR3zxyNQ16/client.json",
            "https://chatgpt.com/connector/oauth/IbUR3zxyNQ16",
            false,
            json!({
                "client_id": "https://chatgpt.com/oauth/IbUR3zxyNQ16/client.json",
                "client_uri": "https://chatgpt.com/",
                "redirect_uris": ["https://chatgpt.com/connector/oauth/IbUR3zxyNQ16"],
                "token_endpoint_auth_method": "private_key_jwt",
                "token_endpoint_auth_methods_supported": ["none", "private_key_jwt"],
                "grant_types": ["authorization_code", "refresh_token"],
                "response_types": ["code"],
                "client_name": "ChatGPT",
                "token_endpoint_auth_signing_alg": "RS256",
                "jwks_uri": "https://chatgpt.com/oauth/jwks.json",
            }),
        ),
        // Quoted, alike, in the tests of several public authorization servers, as fetched in August and
        // September 2026.
        client(
            "https://claude.ai/oauth/mcp-oauth-client-metadata",
            "https://claude.ai/api/mcp/auth_callback",
            false,
            json!({
                "client_id": "https://claude.ai/oauth/mcp-oauth-client-metadata",
                "client_name": "Claude",
                "client_uri": "https://claude.ai",
                "redirect_uris": ["https://claude.ai/api/mcp/auth_callback"],
                "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:jwt-bearer"],
                "response_types": ["code"],
                "token_endpoint_auth_method": "none",
            }),
        ),
        // Quoted likewise; its redirect URIs in <https://github.com/anthropics/claude-code/issues/42301>.
        client(
            "https://claude.ai/oauth/claude-code-client-metadata",
            "http://localhost:59430/callback",
            true,
            json!({
                "client_id": "https://claude.ai/oauth/claude-code-client-metadata",
                "client_name": "Claude Code",
                "client_uri": "https://claude.ai",
                "redirect_uris": ["http://localhost/callback", "http://127.0.0.1/callback"],
                "grant_types": ["authorization_code", "refresh_token"],
                "response_types": ["code"],
                "token_endpoint_auth_method": "none",
            }),
        ),
        // Reconstructed from <https://github.com/speakeasy-api/gram/pull/5516>: self-referential, method
        // `none`, loopback redirect URIs alone. <https://github.com/openai/codex/pull/38089> has the form of
        // the URL.
        client(
            "https://chatgpt.com/oauth/codex/a1b2c3d4e5f6/client.json",
            "http://127.0.0.1:43123/callback/a1b2c3d4e5f6",
            true,
            json!({
                "client_id": "https://chatgpt.com/oauth/codex/a1b2c3d4e5f6/client.json",
                "client_name": "Codex",
                "client_uri": "https://chatgpt.com/",
                "redirect_uris": [
                    "http://127.0.0.1/callback/a1b2c3d4e5f6",
                    "http://localhost/callback/a1b2c3d4e5f6",
                ],
                "grant_types": ["authorization_code", "refresh_token"],
                "response_types": ["code"],
                "token_endpoint_auth_method": "none",
            }),
        ),
        // Quoted, alike, in several public projects, as fetched in September 2026.
        client(
            "https://vscode.dev/oauth/client-metadata.json",
            "http://127.0.0.1:33418/",
            false,
            json!({
                "client_name": "Visual Studio Code",
                "logo_uri": "https://code.visualstudio.com/assets/branding/code-stable.png",
                "grant_types": [
                    "authorization_code",
                    "refresh_token",
                    "urn:ietf:params:oauth:grant-type:device_code",
                ],
                "response_types": ["code"],
                "token_endpoint_auth_method": "none",
                "application_type": "native",
                "client_id": "https://vscode.dev/oauth/client-metadata.json",
                "client_uri": "https://vscode.dev/product",
                "redirect_uris": ["http://127.0.0.1:33418/", "https://vscode.dev/redirect"],
            }),
        ),
        // Reconstructed: the URL is in <https://github.com/zed-industries/zed>,
        // `crates/context_server/src/oauth.rs`; the redirect URI and the method are what tests of public
        // authorization servers have.
        client(
            "https://zed.dev/oauth/client-metadata.json",
            "http://127.0.0.1:27523/callback",
            true,
            json!({
                "client_id": "https://zed.dev/oauth/client-metadata.json",
                "client_name": "Zed",
                "client_uri": "https://zed.dev",
                "redirect_uris": ["http://127.0.0.1/callback"],
                "grant_types": ["authorization_code", "refresh_token"],
                "response_types": ["code"],
                "token_endpoint_auth_method": "none",
            }),
        ),
        // Quoted: <https://github.com/anomalyco/opencode/pull/47737>.
        client(
            "https://opencode.ai/oauth/opencode/client.json",
            "http://127.0.0.1:51675/callback",
            true,
            json!({
                "client_id": "https://opencode.ai/oauth/opencode/client.json",
                "client_name": "opencode",
                "client_uri": "https://opencode.ai",
                "logo_uri": "https://opencode.ai/web-app-manifest-512x512.png",
                "application_type": "native",
                "redirect_uris": ["http://127.0.0.1/callback", "http://localhost/callback"],
                "grant_types": ["authorization_code", "refresh_token"],
                "response_types": ["code"],
                "token_endpoint_auth_method": "none",
                "token_endpoint_auth_methods_supported": ["none"],
            }),
        ),
    ]
}

/// Cursor registers itself. Reconstructed: the three URIs are in
/// <https://github.com/erp-mafia/accounted/pull/2225> and
/// <https://github.com/soflyy/agent-connector-for-wp/issues/111>, the other members in
/// <https://github.com/better-auth/better-auth/issues/10946>.
fn cursor() -> Value {
    json!({
        "client_name": "Cursor",
        "application_type": "web",
        "redirect_uris": [
            "cursor://anysphere.cursor-mcp/oauth/callback",
            "https://www.cursor.com/agents/mcp/oauth/callback",
            "http://localhost:8787/callback",
        ],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
    })
}

/// Grok publishes no document, and registers itself. Reconstructed: the redirect URI of its live registration
/// is in <https://github.com/erp-mafia/accounted/pull/2158>.
fn grok() -> Value {
    json!({
        "client_name": "Grok",
        "redirect_uris": ["https://grok.com/connectors-oauth-exchange-code/"],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
    })
}

fn served(
    site: &Site,
    configure: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
) -> Fixture {
    let registry = Arc::new(MemoryRegistry::new(clients()));
    Fixture::with(|builder| {
        let builder = builder.profile(Profile::Mcp).clients(registry.clone()).registrar(registry);
        configure(builder.client_id_metadata_documents(site.clone()).resource(Resource::new(MCP)))
    })
}

fn query<'a>(id: &'a str, redirect_uri: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let fixed = [
        ("response_type", "code"),
        ("client_id", id),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("redirect_uri", redirect_uri),
        ("state", "a state"),
        ("resource", MCP),
    ];
    fixed.iter().chain(more).copied().collect()
}

/// From the authorization request to the first refresh.
async fn log_in(fixture: &Fixture, id: &str, redirect_uri: &str) -> Answer {
    let answer = fixture.approve(&query(id, redirect_uri, &[])).await;
    assert_eq!(answer.location_parameter("iss").as_deref(), Some("https://as.example"), "{id}");
    let code = answer.location_parameter("code").unwrap_or_else(|| panic!("{id}: {}", answer.location()));
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", redirect_uri),
        ("client_id", id),
        ("code_verifier", VERIFIER),
        ("resource", MCP),
    ];
    let tokens = Answer(fixture.server.token(&Request::post_form(encode(&form))).await);
    assert_eq!(tokens.status(), 200, "{id}: {}", tokens.json());
    refresh(fixture, id, &tokens.refresh_token(), &[]).await
}

async fn refresh(fixture: &Fixture, id: &str, token: &str, more: &[(&str, &str)]) -> Answer {
    let form = [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", id)];
    Answer(fixture.server.token(&Request::post_form(encode(&[&form, more].concat()))).await)
}

async fn register(fixture: &Fixture, metadata: &Value) -> Answer {
    let request = Request::json(Method::Post, metadata.to_string());
    Answer(fixture.server.registration(&request).await)
}

#[tokio::test]
async fn ft_26_every_well_known_client_logs_in_by_its_document() {
    let site = Site::new();
    for client in published() {
        site.put(client.id, &client.document);
    }
    let fixture = served(&site, |builder| builder);
    for Published { id, redirect_uri, is_local_only, document } in published() {
        let tokens = log_in(&fixture, id, redirect_uri).await;
        assert_eq!(tokens.status(), 200, "{id}: {}", tokens.json());
        let ask =
            fixture.server.authorize(&Request::get(encode(&query(id, redirect_uri, &[])))).await.unwrap();
        assert_eq!(ask.client().name(), document["client_name"].as_str());
        assert_eq!(ask.client().is_local_only(), is_local_only, "{id}");
        let host = id.strip_prefix("https://").unwrap().split('/').next();
        assert_eq!(ask.client().document_host(), host, "{id}");
    }
}

#[tokio::test]
async fn ft_27_cursor_registers_itself_with_all_its_redirect_uris() {
    let fixture = served(&Site::new(), |builder| builder);
    let made = register(&fixture, &cursor()).await;
    assert_eq!(made.status(), 201, "{}", made.json());
    assert_eq!(made.json()["redirect_uris"], cursor()["redirect_uris"]);
    assert_eq!(made.json().get("redirect_schemes"), None, "that is a matter of the host");
    let id = made.text("client_id");
    for redirect_uri in ["cursor://anysphere.cursor-mcp/oauth/callback", "http://localhost:8788/callback"] {
        assert_eq!(log_in(&fixture, &id, redirect_uri).await.status(), 200, "{redirect_uri}");
    }
    let ask = query(&id, "cursor://anysphere.cursor-mcp/oauth/callback", &[]);
    let ask = fixture.server.authorize(&Request::get(encode(&ask))).await.unwrap();
    assert!(!ask.client().is_local_only(), "one of its URIs is on the web");
    let grok = register(&fixture, &grok()).await;
    let redirect_uri = "https://grok.com/connectors-oauth-exchange-code/";
    assert_eq!(log_in(&fixture, &grok.text("client_id"), redirect_uri).await.status(), 200);
}

#[tokio::test]
async fn ft_27_the_schemes_are_the_hosts_and_outlive_a_change_of_them() {
    let cursors = "cursor://anysphere.cursor-mcp/oauth/callback";
    let strict = served(&Site::new(), |builder| {
        builder.registration(Registration::open().redirect_schemes(["myapp"]))
    });
    let left = register(&strict, &cursor()).await.json();
    assert_eq!(left["redirect_uris"].as_array().unwrap().len(), 2, "cursor:// was dropped");
    let own = json!({ "redirect_uris": ["myapp://cb"], "token_endpoint_auth_method": "none" });
    assert_eq!(register(&strict, &own).await.status(), 201);
    let alone = json!({ "redirect_uris": [cursors], "token_endpoint_auth_method": "none" });
    let refused = register(&strict, &alone).await;
    assert_eq!(refused.error(), (400, "invalid_redirect_uri".to_owned()));

    let client = grantor::Client::builder("cursor").auth_method(grantor::AuthMethod::None);
    assert!(client.clone().redirect_uri(cursors).build().is_err());
    let client = client.redirect_uri(cursors).redirect_schemes(["cursor"]).build().unwrap();
    assert_eq!(grantor::Client::decode(&client.encode()).unwrap(), client);
    assert!(client.is_local_only());
    for scheme in ["javascript", "https", "Cursor", "a.b", ""] {
        let terms = Registration::open().redirect_schemes([scheme]);
        let built = grantor::AuthorizationServer::builder("https://as.example")
            .clients(MemoryRegistry::default())
            .registrar(MemoryRegistry::default())
            .store(grantor::MemoryStore::new())
            .registration(terms)
            .build();
        assert_eq!(built.unwrap_err().all(), [ConfigError::RedirectScheme(scheme.to_owned())]);
    }
}

#[tokio::test]
async fn ft_28_scopes_that_are_not_known_are_passed_over_and_the_answer_says_so() {
    let site = Site::with_document();
    let fixture = served(&site, |builder| builder);
    let asked = |scope: &'static str| query(DOCUMENT, CALLBACK, &[("scope", scope)]);
    let answer = fixture.approve(&asked("read offline_access openid")).await;
    let code = answer.location_parameter("code").unwrap_or_else(|| panic!("{}", answer.location()));
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("client_id", DOCUMENT),
        ("code_verifier", VERIFIER),
        ("scope", "read offline_access"),
    ];
    let tokens = Answer(fixture.server.token(&Request::post_form(encode(&form))).await);
    assert_eq!(tokens.text("scope"), "read", "{}", tokens.json());
    let again =
        refresh(&fixture, DOCUMENT, &tokens.refresh_token(), &[("scope", "read offline_access")]).await;
    assert_eq!(again.text("scope"), "read", "{}", again.json());
    let wider = refresh(&fixture, DOCUMENT, &again.refresh_token(), &[("scope", "read write")]).await;
    assert_eq!(
        wider.error(),
        (400, "invalid_scope".to_owned()),
        "a known one that was not granted is refused"
    );
    let nothing = fixture.approve(&asked("offline_access")).await;
    assert_eq!(nothing.location_parameter("error").as_deref(), Some("invalid_scope"));

    let strict = Fixture::with(|builder| builder.client_id_metadata_documents(site.clone()));
    assert!(strict.approve(&asked("read")).await.location_parameter("code").is_some());
    let answer = strict.approve(&asked("read offline_access")).await;
    assert_eq!(
        answer.location_parameter("error").as_deref(),
        Some("invalid_scope"),
        "elsewhere it is an error"
    );
}

#[tokio::test]
async fn mc_07_the_case_of_a_resources_scheme_and_host_makes_no_difference() {
    let fixture = served(&Site::with_document(), |builder| builder);
    for asked in ["HTTPS://mcp.example/mcp", "https://MCP.Example/mcp", "HTTPS://MCP.EXAMPLE/mcp/"] {
        let mut query = query(DOCUMENT, CALLBACK, &[]);
        query[6] = ("resource", asked);
        let answer = fixture.approve(&query).await;
        let code =
            answer.location_parameter("code").unwrap_or_else(|| panic!("{asked}: {}", answer.location()));
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", CALLBACK),
            ("client_id", DOCUMENT),
            ("code_verifier", VERIFIER),
            ("resource", asked),
        ];
        let tokens = Answer(fixture.server.token(&Request::post_form(encode(&form))).await);
        assert_eq!(tokens.status(), 200, "{asked}: {}", tokens.json());
        let access = fixture.server.check(&tokens.access_token()).await.unwrap();
        let audience = access.audience().map_or(fixture.server.rules().audience.clone(), ToString::to_string);
        assert_eq!(audience, MCP, "the registered spelling");
    }
    for other in ["https://mcp.example/MCP", "https://mcp.example.evil/mcp", "https://mcp.example/mcp#x"] {
        let mut query = query(DOCUMENT, CALLBACK, &[]);
        query[6] = ("resource", other);
        let answer = fixture.approve(&query).await;
        assert_eq!(answer.location_parameter("error").as_deref(), Some("invalid_target"), "{other}");
    }
}

#[tokio::test]
async fn mc_05_a_document_names_itself_its_client_and_where_answers_go() {
    for (missing, reason, word) in [
        ("client_id", Reason::DocumentOfAnother, "client_id"),
        ("client_name", Reason::DocumentNameMissing, "client_name"),
        ("redirect_uris", Reason::DocumentRedirectUriMissing, "redirect_uris"),
    ] {
        let site = Site::new();
        site.put(DOCUMENT, changed(&[(missing, Value::Null)]));
        let fixture = served(&site, |builder| builder);
        let page = fixture.server.authorize(&Request::get(encode(&query(DOCUMENT, CALLBACK, &[])))).await;
        let page = page.unwrap_err();
        assert_eq!((page.reason(), page.status()), (reason, 400));
        let html = String::from_utf8(page.into_response().body).unwrap();
        assert!(html.contains(word), "{html}");
    }
    let site = Site::new();
    site.put(DOCUMENT, changed(&[("client_name", json!("  "))]));
    let fixture = served(&site, |builder| builder);
    let blank = fixture.server.authorize(&Request::get(encode(&query(DOCUMENT, CALLBACK, &[])))).await;
    assert_eq!(blank.as_ref().err().map(ErrorPage::reason), Some(Reason::DocumentNameMissing));
}

#[tokio::test]
async fn ft_28_a_client_that_nobody_uses_goes_after_30_days() {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    for (terms, stays) in [
        (Registration::open(), false),
        (Registration::open().keep_unused(), true),
        (Registration::open().unused_after(60 * DAY), true),
    ] {
        let registry = Arc::new(MemoryRegistry::default());
        let fixture = Fixture::with(|builder| {
            let builder = builder.profile(Profile::Mcp).clients(registry.clone());
            builder.registrar(registry.clone()).registration(terms)
        });
        let made = register(&fixture, &grok()).await;
        let id = ClientId::new(made.text("client_id"));
        fixture.clock.advance(30 * DAY - Duration::from_secs(1));
        assert_eq!(fixture.server.sweep_clients().await.unwrap(), 0);
        fixture.clock.advance(Duration::from_secs(1));
        assert_eq!(fixture.server.sweep_clients().await.unwrap(), u64::from(!stays));
        assert_eq!(registry.all().iter().any(|client| *client.id() == id), stays);
    }
}
