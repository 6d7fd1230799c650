//! Clients that are known by the URL of their metadata document: what a document must be, and what it can ask
//! for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use grantor::outbound::{HttpOutbound, Lookup, Outbound};
use grantor::{
    Authorization, ClientState, ErrorPage, GrantType, MemoryRegistry, Reason, Request, async_trait,
};
use serde_json::{Value, json};

use crate::support::remote::{Remote, Says};
use crate::support::site::{DOCUMENT, Site, changed, document};
use crate::support::{Answer, CALLBACK, Fixture, VERIFIER, clients, code_query, encode};

fn served(outbound: impl Outbound + 'static) -> Fixture {
    Fixture::with(|builder| builder.client_id_metadata_documents(outbound))
}

async fn authorize(fixture: &Fixture, id: &str) -> Result<Authorization, ErrorPage> {
    fixture.server.authorize(&Request::get(encode(&code_query(id, "read")))).await
}

/// Why this client is refused; it is, with an error page of this status.
async fn refused(fixture: &Fixture, id: &str) -> (u16, Reason) {
    let page = authorize(fixture, id).await.expect_err("an error page");
    (page.status(), page.reason())
}

/// A form from a client that has no secret.
fn public(id: &str, form: &[(&str, &str)]) -> Request {
    Request::post_form(encode(&[form, &[("client_id", id)]].concat()))
}

async fn redeem(fixture: &Fixture, id: &str, code: &str) -> Answer {
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    Answer(fixture.server.token(&public(id, &form)).await)
}

#[tokio::test]
async fn a_client_that_nobody_registered_gets_tokens_that_rotate() {
    let site = Site::with_document();
    let fixture = served(site.clone());
    let code = fixture.code(DOCUMENT, "read").await;
    let tokens = redeem(&fixture, DOCUMENT, &code).await;
    assert_eq!(tokens.status(), 200, "{}", tokens.json());
    let refresh = async |token: &str| {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        Answer(fixture.server.token(&public(DOCUMENT, &form)).await)
    };
    let again = refresh(&tokens.refresh_token()).await;
    assert_ne!(again.refresh_token(), tokens.refresh_token(), "a public client's refresh tokens rotate");
    let seen = fixture.introspect("conf", &again.access_token()).await;
    assert_eq!(seen.json()["active"], false, "it is another client's");

    let revoked = fixture.server.revoke(&public(DOCUMENT, &[("token", &again.access_token())])).await;
    assert_eq!(revoked.status, 200);
    assert!(!fixture.is_live(&again.access_token()).await);
    let robots =
        Answer(fixture.server.token(&public(DOCUMENT, &[("grant_type", "client_credentials")])).await);
    assert_eq!(robots.error(), (400, "unauthorized_client".to_owned()));
    assert_eq!(site.calls(), 1, "one document for all of it");
}

#[tokio::test]
async fn ci_01_an_id_that_cannot_be_the_url_of_a_document_is_nobodys() {
    let site = Site::with_document();
    let fixture = served(site.clone());
    for id in [
        "https://client.example",
        "https://client.example/",
        "https://client.example/./id.json",
        "https://client.example/a/../id.json",
        "https://client.example/%2e%2e/id.json",
        "https://client.example/id.json#fragment",
        "https://user@client.example/id.json",
        "https://user:password@client.example/id.json",
        "https:///id.json",
        "https://client.example:0/id.json",
        "https://client.example\\@evil.example/id.json",
        "https://0x7f.1/id.json",
    ] {
        assert_eq!(refused(&fixture, id).await, (400, Reason::DocumentUrlRefused), "{id}");
        assert_eq!(redeem(&fixture, id, "code").await.error(), (401, "invalid_client".to_owned()), "{id}");
    }
    for id in ["http://client.example/id.json", "HTTPS://client.example/id.json", "client.example/id.json"] {
        assert_eq!(refused(&fixture, id).await, (400, Reason::ClientUnregistered), "{id}");
    }
    assert_eq!(site.calls(), 0);
    let with_query = "https://client.example/id.json?version=1";
    site.put(with_query, document(with_query));
    assert!(authorize(&fixture, with_query).await.is_ok(), "a query is bad style, and no more");
}

#[tokio::test]
async fn ci_02_only_a_200_without_a_detour_is_a_document() {
    let goal = Remote::saying(Says::json(document(DOCUMENT))).await;
    let location = format!("location: {}", goal.url("/"));
    for (status, reason) in [
        (301, Reason::DocumentRedirected),
        (302, Reason::DocumentRedirected),
        (307, Reason::DocumentRedirected),
        (308, Reason::DocumentRedirected),
        (201, Reason::DocumentStatusWrong),
        (204, Reason::DocumentStatusWrong),
        (206, Reason::DocumentStatusWrong),
        (304, Reason::DocumentStatusWrong),
        (401, Reason::DocumentStatusWrong),
        (404, Reason::DocumentStatusWrong),
    ] {
        let body = if matches!(status, 204 | 304) { String::new() } else { document(DOCUMENT).to_string() };
        let remote =
            Remote::saying(Says::reply(status, &["content-type: application/json", &location], &body));
        let fixture = served(mapped(&remote.await));
        assert_eq!(refused(&fixture, DOCUMENT).await, (400, reason), "{status}");
    }
    for status in [429, 500, 503] {
        let remote = Remote::saying(Says::reply(status, &["content-type: application/json"], "{}")).await;
        let fixture = served(mapped(&remote));
        assert_eq!(refused(&fixture, DOCUMENT).await, (503, Reason::DocumentServerFailed), "{status}");
    }
    assert_eq!(goal.calls(), 0);
    assert!(authorize(&served(mapped(&goal)), DOCUMENT).await.is_ok());
}

/// An `Outbound` for which the client's host is this remote.
fn mapped(remote: &Remote) -> HttpOutbound {
    HttpOutbound::builder().map("https://client.example", remote.address).build().unwrap()
}

#[tokio::test]
async fn ci_03_a_document_is_of_its_own_url_and_without_a_secret() {
    let id = |id: &str| changed(&[("client_id", json!(id))]);
    let method = |name: &str| changed(&[("token_endpoint_auth_method", json!(name))]);
    for (document, reason) in [
        (id("https://client.example/oauth/ID.json"), Reason::DocumentOfAnother),
        (id("https://Client.example/oauth/id.json"), Reason::DocumentOfAnother),
        (id("https://client.example/oauth/id.json/"), Reason::DocumentOfAnother),
        (id("https://client.example:443/oauth/id.json"), Reason::DocumentOfAnother),
        (id("https://client.example/oauth/%69d.json"), Reason::DocumentOfAnother),
        (id("https://client.example/oauth/id.json?"), Reason::DocumentOfAnother),
        (changed(&[("client_id", Value::Null)]), Reason::DocumentOfAnother),
        (changed(&[("client_id", json!([DOCUMENT]))]), Reason::DocumentOfAnother),
        (changed(&[("client_secret", json!("s3cret"))]), Reason::DocumentHasSecret),
        (changed(&[("client_secret_expires_at", json!(0))]), Reason::DocumentHasSecret),
        (method("client_secret_basic"), Reason::DocumentHasSecret),
        (method("client_secret_post"), Reason::DocumentHasSecret),
        (method("client_secret_jwt"), Reason::DocumentHasSecret),
    ] {
        let site = Site::new();
        site.put(DOCUMENT, &document);
        assert_eq!(refused(&served(site), DOCUMENT).await, (400, reason), "{document}");
    }
    let site = Site::new();
    site.put(DOCUMENT, changed(&[("token_endpoint_auth_method", Value::Null)]));
    assert!(authorize(&served(site), DOCUMENT).await.is_ok(), "no method is none");
}

#[tokio::test]
async fn ci_05_an_answer_goes_to_a_redirect_uri_of_the_document() {
    let fixture = served(Site::with_document());
    for (asked, is_known) in [
        (CALLBACK, true),
        ("http://127.0.0.1:4711/cb", true),
        ("https://app.example/cb/", false),
        ("https://app.example/CB", false),
        ("https://app.example/cb?a=1", false),
        ("https://evil.example/cb", false),
        ("http://localhost:4711/cb", false),
    ] {
        let mut query = code_query(DOCUMENT, "read");
        query[2] = ("redirect_uri", asked);
        let answer = fixture.server.authorize(&Request::get(encode(&query))).await;
        let refusal = answer.as_ref().err().map(ErrorPage::reason);
        assert_eq!(refusal, (!is_known).then_some(Reason::RedirectUriUnregistered), "{asked}");
    }
    for bad in
        ["javascript:alert(1)", "http://app.example/cb", "https://app.example/cb#f", "https://*.example/"]
    {
        let site = Site::new();
        site.put(DOCUMENT, changed(&[("redirect_uris", json!([bad]))]));
        assert_eq!(refused(&served(site), DOCUMENT).await, (400, Reason::DocumentRedirectUri), "{bad}");
        let site = Site::new();
        site.put(DOCUMENT, changed(&[("redirect_uris", json!([bad, CALLBACK]))]));
        let fixture = served(site);
        assert_eq!(authorize(&fixture, DOCUMENT).await.unwrap().client().redirect_uris().len(), 1);
        let mut query = code_query(DOCUMENT, "read");
        query[2] = ("redirect_uri", bad);
        let page = fixture.server.authorize(&Request::get(encode(&query))).await.unwrap_err();
        assert_eq!(page.reason(), Reason::RedirectUriUnregistered, "{bad}");
    }
    for none in [json!([]), Value::Null] {
        let site = Site::new();
        site.put(DOCUMENT, changed(&[("redirect_uris", none)]));
        assert_eq!(refused(&served(site), DOCUMENT).await, (400, Reason::DocumentRedirectUriMissing));
    }
}

struct At(&'static str);

#[async_trait]
impl Lookup for At {
    async fn addresses(&self, _name: &str) -> std::io::Result<Vec<std::net::IpAddr>> {
        Ok(vec![self.0.parse().unwrap()])
    }
}

#[tokio::test]
async fn ci_06_a_document_at_an_address_that_is_not_public_is_not_asked_for() {
    let (remote, pem) = Remote::over_tls("client.example", |_| Says::json(document(DOCUMENT))).await;
    let port = remote.address.port();
    for address in [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "192.168.1.1",
        "0.0.0.0",
        "::1",
        "fd00::1",
        "fe80::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
    ] {
        // Not even where the host's own URLs may lead there.
        let outbound = HttpOutbound::builder().allow_loopback().allow_private().lookup(At(address));
        let fixture = served(outbound.root_certificates(pem.as_str()).build().unwrap());
        let id = format!("https://client.example:{port}/id.json");
        assert_eq!(refused(&fixture, &id).await, (400, Reason::DocumentAddressRefused), "{address}");
        let literal = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
        let id = format!("https://{literal}:{port}/id.json");
        assert_eq!(refused(&fixture, &id).await, (400, Reason::DocumentAddressRefused), "{id}");
    }
    let id = format!("https://localhost:{port}/id.json");
    let fixture = served(HttpOutbound::builder().allow_loopback().build().unwrap());
    assert_eq!(refused(&fixture, &id).await, (400, Reason::DocumentAddressRefused));
    assert_eq!(remote.calls(), 0);
}

#[tokio::test]
async fn what_the_outside_learns_does_not_tell_which_names_are_known_inside() {
    let [inside, nowhere] = [Reason::DocumentAddressRefused, Reason::DocumentNameUnknown];
    assert_eq!((inside.status(), inside.description()), (nowhere.status(), nowhere.description()));
}

#[tokio::test]
async fn ci_07_a_document_is_small_and_comes_soon() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    let padded = changed(&[("padding", json!("x".repeat(6000)))]);
    let zipped = ["content-type: application/json", "content-encoding: gzip"];
    let bomb = Says::reply(200, &zipped, "not even gzip");
    for (says, status, reason) in [
        (Says::json(padded), 400, Reason::DocumentTooLarge),
        (Says::AndNeverEnds(format!("{head}\r\n").into_bytes()), 400, Reason::DocumentTooLarge),
        (bomb, 400, Reason::DocumentMalformed),
        (
            Says::AndHangs(format!("{head}content-length: 9\r\n\r\n").into_bytes()),
            503,
            Reason::DocumentTimeout,
        ),
        (Says::Bytes(Vec::new()), 503, Reason::DocumentUnreachable),
    ] {
        let fixture = served(mapped(&Remote::saying(says.clone()).await));
        let began = Instant::now();
        assert_eq!(refused(&fixture, DOCUMENT).await, (status, reason), "{says:?}");
        assert!(began.elapsed() < Duration::from_secs(8), "{says:?}");
    }
    let exact = document(DOCUMENT).to_string();
    let exact = format!("{exact}{}", " ".repeat(5 * 1024 - exact.len()));
    assert!(authorize(&served(mapped(&Remote::saying(Says::json(exact)).await)), DOCUMENT).await.is_ok());
}

#[tokio::test]
async fn ci_08_the_server_says_that_it_takes_documents_and_whose_host_it_is() {
    let fixture = served(Site::with_document());
    let metadata = |fixture: &Fixture| Answer(fixture.server.metadata()).json();
    assert_eq!(metadata(&fixture)["client_id_metadata_document_supported"], true);
    assert!(metadata(&Fixture::new()).get("client_id_metadata_document_supported").is_none());
    assert_eq!(refused(&Fixture::new(), DOCUMENT).await, (400, Reason::ClientUnregistered), "switched off");

    let ask = authorize(&fixture, DOCUMENT).await.unwrap();
    assert_eq!(ask.client().document_host(), Some("client.example"));
    assert!(!ask.client().is_local_only(), "one of its redirect URIs is on the web");
    assert_eq!(authorize(&fixture, "conf").await.unwrap().client().document_host(), None);
    let site = Site::new();
    site.put(DOCUMENT, changed(&[("redirect_uris", json!(["http://127.0.0.1/a", "http://[::1]/a"]))]));
    let local = served(site);
    let mut query = code_query(DOCUMENT, "read");
    query[2] = ("redirect_uri", "http://127.0.0.1:5555/a");
    let ask = local.server.authorize(&Request::get(encode(&query))).await.unwrap();
    assert!(ask.client().is_local_only(), "any program on the device can be this client");

    for _ in 0..100 {
        let registry = MemoryRegistry::default();
        let own = Fixture::with(|builder| builder.registrar(Arc::new(registry)));
        let made = grantor::Client::application().redirect_uri(CALLBACK);
        let made = own.server.register(made).await.unwrap().client;
        assert!(!made.id().as_str().starts_with("https://"));
    }
}

#[tokio::test]
async fn ci_09_a_client_with_keys_in_its_document_is_not_let_in_without_proving_them() {
    let keys = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }] });
    for change in [
        [("jwks", keys.clone()), ("token_endpoint_auth_method", json!("private_key_jwt"))],
        [
            ("jwks_uri", json!("https://client.example/keys")),
            ("token_endpoint_auth_method", json!("private_key_jwt")),
        ],
        [("jwks", Value::Null), ("token_endpoint_auth_method", json!("private_key_jwt"))],
        [("jwks", Value::Null), ("token_endpoint_auth_method", json!("tls_client_auth"))],
    ] {
        let site = Site::with_document();
        let fixture = served(site.clone());
        let code = fixture.code(DOCUMENT, "read").await;
        site.put(DOCUMENT, changed(&change));
        fixture.clock.advance(Duration::from_secs(24 * 60 * 60));
        assert_eq!(refused(&fixture, DOCUMENT).await, (400, Reason::DocumentNeedsKeys), "{change:?}");
        assert_eq!(redeem(&fixture, DOCUMENT, &code).await.error(), (401, "invalid_client".to_owned()));
    }
    for change in [
        vec![("jwks", keys.clone()), ("jwks_uri", json!("https://client.example/keys"))],
        vec![("jwks", keys), ("token_endpoint_auth_method", Value::Null)],
    ] {
        let site = Site::new();
        site.put(DOCUMENT, changed(&change));
        let fixture = served(site);
        let code = fixture.code(DOCUMENT, "read").await;
        let tokens = redeem(&fixture, DOCUMENT, &code).await;
        assert_eq!(tokens.status(), 200, "the keys of a public client mean nothing: {change:?}");
    }
}

#[tokio::test]
async fn ft_26_the_first_method_that_both_sides_have_is_taken() {
    for (preferred, others, reason) in [
        (json!("private_key_jwt"), json!(["none", "private_key_jwt"]), None),
        (json!("private_key_jwt"), json!(["private_key_jwt", "none"]), None),
        (Value::Null, json!(["private_key_jwt", "none"]), None),
        (json!("none"), json!(["private_key_jwt"]), None),
        (Value::Null, json!([]), None),
        (Value::Null, Value::Null, None),
        (json!("private_key_jwt"), json!(["tls_client_auth"]), Some(Reason::DocumentNeedsKeys)),
        (json!("private_key_jwt"), json!("none"), Some(Reason::DocumentNeedsKeys)),
        (Value::Null, json!(["private_key_jwt"]), Some(Reason::DocumentNeedsKeys)),
        (json!("client_secret_basic"), json!(["none"]), Some(Reason::DocumentHasSecret)),
    ] {
        let site = Site::new();
        let jwks = json!("https://client.example/keys");
        site.put(
            DOCUMENT,
            changed(&[
                ("token_endpoint_auth_method", preferred.clone()),
                ("token_endpoint_auth_methods_supported", others.clone()),
                ("jwks_uri", jwks),
            ]),
        );
        let page = authorize(&served(site), DOCUMENT).await.err();
        assert_eq!(page.map(|page| page.reason()), reason, "{preferred} {others}");
    }
}

#[tokio::test]
async fn a_document_is_json_by_its_type_and_by_its_text() {
    let text = document(DOCUMENT).to_string();
    let twice = text.replacen('{', "{\"redirect_uris\":[\"https://evil.example/\"],", 1);
    for (content_type, body, reason) in [
        ("text/html", text.as_str(), Some(Reason::DocumentTypeWrong)),
        ("text/json", &text, Some(Reason::DocumentTypeWrong)),
        ("application/octet-stream", &text, Some(Reason::DocumentTypeWrong)),
        ("", &text, Some(Reason::DocumentTypeWrong)),
        ("application/json", "", Some(Reason::DocumentMalformed)),
        ("application/json", "[]", Some(Reason::DocumentMalformed)),
        ("application/json", "<html>", Some(Reason::DocumentMalformed)),
        ("application/json", &text[..text.len() - 1], Some(Reason::DocumentMalformed)),
        ("application/json", &twice, Some(Reason::DocumentMalformed)),
        ("application/json; charset=utf-8", &text, None),
        ("application/oauth-client-metadata+json", &text, None),
    ] {
        let site = Site::new();
        site.answer(DOCUMENT, 200, &[("content-type", content_type)], body);
        let page = authorize(&served(site), DOCUMENT).await.err();
        assert_eq!(page.map(|page| page.reason()), reason, "{content_type} {body}");
    }
}

#[tokio::test]
async fn a_document_gets_what_strangers_may_have_and_none_of_grantors_own_members() {
    let site = Site::new();
    site.put(
        DOCUMENT,
        changed(&[
            (
                "grant_types",
                json!(["authorization_code", "client_credentials", "password", "urn:x", "refresh_token"]),
            ),
            ("scope", json!("read write unheard-of")),
            ("require_pkce", json!(false)),
            ("rotate_refresh_tokens", json!(false)),
            ("localhost_any_port", json!(true)),
            ("access_tokens", json!("jwt")),
            ("response_modes", json!(["nonsense", "query"])),
            ("unknown", json!({ "deep": [1, 2, 3] })),
            ("redirect_uris", json!([CALLBACK, "http://localhost/cb"])),
        ]),
    );
    let terms = grantor::documents::MetadataDocuments::over(site).scopes(["read"]);
    let fixture = Fixture::with(|builder| builder.client_id_metadata_documents(terms));
    let ask = authorize(&fixture, DOCUMENT).await.unwrap();
    let client = ask.client();
    assert_eq!(client.grant_types(), [GrantType::AuthorizationCode, GrantType::RefreshToken]);
    assert_eq!(client.scope().unwrap().to_string(), "read");
    assert!(client.rotates_refresh() && !client.is_confidential());
    let own = client.metadata();
    assert_eq!((own.require_pkce, own.localhost_any_port, own.access_tokens), (None, None, None));

    for change in [
        ("grant_types", json!(["client_credentials"])),
        ("grant_types", json!(["refresh_token"])),
        ("scope", json!("unheard-of")),
        ("client_name", json!("An agent\u{202e}tnega nA")),
        ("client_name", json!(7)),
        ("response_types", json!(["token"])),
    ] {
        let site = Site::new();
        site.put(DOCUMENT, changed(std::slice::from_ref(&change)));
        assert_eq!(refused(&served(site), DOCUMENT).await, (400, Reason::DocumentMetadata), "{change:?}");
    }
}

#[tokio::test]
async fn what_the_host_registered_comes_before_the_document() {
    let client = |state| {
        let client = grantor::Client::builder(DOCUMENT).redirect_uri("https://host.example/cb").secret("s");
        client.state(state).build().unwrap()
    };
    for (state, reason) in [
        (ClientState::Active, Reason::RedirectUriUnregistered),
        (ClientState::Disabled, Reason::ClientUnregistered),
    ] {
        let site = Site::with_document();
        let registry = MemoryRegistry::new(clients().into_iter().chain([client(state)]));
        let fixture =
            Fixture::with(|builder| builder.clients(registry).client_id_metadata_documents(site.clone()));
        assert_eq!(refused(&fixture, DOCUMENT).await, (400, reason));
        assert_eq!(site.calls(), 0);
    }
}
