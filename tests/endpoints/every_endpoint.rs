//! What every endpoint shares: HTTP, encoding, caches and origins.

use std::sync::Arc;

use grantor::keys::JwtSigner;
use grantor::{AuthorizationServer, Endpoint, MemoryRegistry, MemoryStore, Registration, Request};

use crate::support::http::{bare, post, post_as, send};
use crate::support::provider::{People, keys};
use crate::support::{Answer, Fixture, ISSUER, SECRET, basic, clients, code_query, encode, redemption};

const DEVICES: &str = "/device_authorization";

fn fixture() -> Fixture {
    Fixture::with(|builder| builder.device_verification("/device"))
}

/// A server with every endpoint.
fn all_of_them() -> Fixture {
    let registry = Arc::new(MemoryRegistry::new(clients()));
    Fixture::with(|builder| {
        builder
            .device_verification("/device")
            .clients(registry.clone())
            .registrar(registry)
            .registration(Registration::open())
            .token_signer(JwtSigner::new(keys()).unwrap())
            .openid(People::default())
    })
}

/// The paths of the endpoints that take a form from a client.
fn back_channel(fixture: &Fixture) -> Vec<String> {
    let routes = fixture.server.routes().into_iter();
    let forms = routes.filter(|(endpoint, _)| endpoint.allowed_methods() == "POST");
    forms.map(|(_, path)| path).collect()
}

#[tokio::test]
async fn every_endpoint_has_a_name_and_those_with_methods_a_route() {
    let fixture = all_of_them();
    let routes = fixture.server.routes();
    let mut names: Vec<&str> = Endpoint::ALL.iter().map(|endpoint| endpoint.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Endpoint::ALL.len());
    for endpoint in Endpoint::ALL {
        let is_routed = routes.iter().any(|(routed, _)| routed == endpoint);
        assert_eq!(is_routed, !endpoint.allowed_methods().is_empty(), "{endpoint:?}");
    }
    for (endpoint, path) in &routes {
        assert_eq!(fixture.server.endpoint_at(path), Some(*endpoint), "{path}");
        assert_eq!(fixture.server.endpoint_at(&format!("{path}/x")), None, "{path}");
    }
    assert_eq!(fixture.server.endpoint_at("/authorize"), None, "the host's own");
}

#[tokio::test]
async fn every_endpoint_refuses_the_methods_that_it_does_not_have() {
    let fixture = all_of_them();
    for (endpoint, path) in fixture.server.routes() {
        let allowed = endpoint.allowed_methods();
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"] {
            let reply = send(&fixture.server, bare(method, &path)).await;
            let is_preflight = method == "OPTIONS" && endpoint.is_shared_with_any_origin();
            let is_served = is_preflight || allowed.split(", ").any(|own| own == method);
            if !is_served {
                let said = (reply.status, reply.header("allow"));
                assert_eq!(said, (405, Some(allowed.as_str())), "{method} {path}");
            } else if endpoint != Endpoint::Registration {
                assert_ne!(reply.status, 405, "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn every_endpoint_is_in_the_metadata_where_its_path_is() {
    let fixture = all_of_them();
    let metadata = Answer(fixture.server.metadata()).json();
    let urls: Vec<&str> = metadata.as_object().unwrap().values().filter_map(|value| value.as_str()).collect();
    for (endpoint, path) in fixture.server.routes() {
        let url = format!("{ISSUER}{path}");
        assert_eq!(urls.contains(&url.as_str()), endpoint != Endpoint::Metadata, "{path}");
        let own = fixture.server.endpoints().path(endpoint);
        assert_eq!(own, Some(path.as_str()).filter(|_| endpoint != Endpoint::Metadata));
    }
}

#[tokio::test]
async fn ft_34_a_preflight_echoes_the_names_that_it_asks_for() {
    let fixture = all_of_them();
    let preflight = |path: &str, names: &str| {
        let mut request = bare("OPTIONS", path);
        request.headers_mut().insert("origin", "https://app.example".parse().unwrap());
        request.headers_mut().insert("access-control-request-method", "POST".parse().unwrap());
        request.headers_mut().insert("access-control-request-headers", names.parse().unwrap());
        request
    };
    let tracing = "authorization,content-type,traceparent, x-datadog-trace-id";
    for (endpoint, path) in fixture.server.routes() {
        let reply = send(&fixture.server, preflight(&path, tracing)).await;
        if !endpoint.is_shared_with_any_origin() {
            assert!(!reply.speaks_of_origins(), "{path}");
            continue;
        }
        assert_eq!(reply.status, 204, "{path}");
        assert_eq!(reply.header("access-control-allow-headers"), Some(tracing), "{path}");
        assert_eq!(reply.header("access-control-allow-methods"), Some(endpoint.allowed_methods().as_str()));
        assert_eq!(reply.header("access-control-allow-credentials"), None);
        assert_eq!(reply.header("vary"), Some("access-control-request-headers"));
    }
    for odd in ["", ",", "a b", "x\"y", "<script>", &"a".repeat(1025)] {
        let reply = send(&fixture.server, preflight("/token", odd)).await;
        let allowed = reply.header("access-control-allow-headers").unwrap();
        assert!(allowed.starts_with("authorization, content-type"), "{odd:?}: {allowed}");
    }
}

#[tokio::test]
async fn ft_34_a_browser_program_reads_what_an_answer_says_in_its_fields() {
    let fixture = all_of_them();
    for (endpoint, path) in fixture.server.routes() {
        for method in ["GET", "POST"] {
            let reply = send(&fixture.server, bare(method, &path)).await;
            let exposed = reply.header("access-control-expose-headers");
            let expected = Some("www-authenticate, retry-after, dpop-nonce");
            assert_eq!(exposed, expected.filter(|_| endpoint.is_shared_with_any_origin()), "{path}");
        }
    }
    let refused =
        send(&fixture.server, post_as("/token", &basic("conf", "wrong"), "grant_type=client_credentials"))
            .await;
    assert!(refused.header("www-authenticate").is_some());
}

#[tokio::test]
async fn ft_38_no_browser_guesses_what_public_json_is() {
    let fixture = all_of_them();
    for path in ["/.well-known/oauth-authorization-server", "/jwks"] {
        let reply = send(&fixture.server, bare("GET", path)).await;
        assert_eq!((reply.status, reply.header("x-content-type-options")), (200, Some("nosniff")), "{path}");
    }
}

#[tokio::test]
async fn h_06_token_endpoint_is_post_only() {
    let fixture = fixture();
    let uri = format!("/token?{}", encode(&[("grant_type", "client_credentials"), ("scope", "read")]));
    for method in ["GET", "PUT", "HEAD", "DELETE", "PATCH", "TRACE", "post"] {
        let mut request = bare(method, &uri);
        request.headers_mut().insert("authorization", basic("conf", SECRET).parse().unwrap());
        let reply = send(&fixture.server, request).await;
        assert_eq!((reply.status, reply.header("allow")), (405, Some("POST")), "{method}");
        assert!(method == "HEAD" || reply.json()["error"] == "invalid_request", "{method}");
    }
    let reply = send(&fixture.server, post(&uri, &[])).await;
    assert_eq!(reply.status, 400, "parameters of the query are not read");
    assert!(fixture.store.is_empty());
}

#[tokio::test]
async fn h_06_the_other_endpoints_have_their_methods_too() {
    let fixture = fixture();
    for (path, good, bad) in [
        ("/revoke", "POST", "GET"),
        ("/introspect", "POST", "GET"),
        ("/introspect", "POST", "OPTIONS"),
        (DEVICES, "POST", "GET"),
        (DEVICES, "POST", "PUT"),
        ("/.well-known/oauth-authorization-server", "GET, HEAD", "POST"),
    ] {
        let reply = send(&fixture.server, bare(bad, path)).await;
        assert_eq!((reply.status, reply.header("allow")), (405, Some(good)), "{bad} {path}");
    }
}

#[tokio::test]
async fn h_07_authorize_takes_a_query_or_a_form() {
    let fixture = fixture();
    let query = encode(&code_query("conf", "read"));
    let got = send(&fixture.server, bare("GET", &format!("/authorize?{query}"))).await;
    let posted = send(&fixture.server, post("/authorize", &code_query("conf", "read"))).await;
    for reply in [got, posted] {
        assert_eq!(reply.status, 303);
        assert!(reply.header("location").unwrap().starts_with("https://app.example/cb?code="));
    }
    let json = axum::http::Request::post("/authorize").header("content-type", "application/json");
    let reply = send(&fixture.server, json.body(axum::body::Body::from(query)).unwrap()).await;
    assert_eq!(reply.status, 400);
}

#[tokio::test]
async fn h_08_no_cache_keeps_an_answer_with_secrets() {
    let fixture = fixture();
    let access = fixture.tokens("conf", "read").await.access_token();
    let good = [("grant_type", "client_credentials"), ("token", access.as_str())];
    let mut replies = Vec::new();
    for path in back_channel(&fixture) {
        let path = path.as_str();
        replies.push(send(&fixture.server, post(path, &good)).await);
        replies.push(send(&fixture.server, post(path, &[])).await);
        replies.push(send(&fixture.server, bare("GET", path)).await);
        replies.push(send(&fixture.server, post_as(path, "Basic nonsense", "")).await);
    }
    let mut form_post = code_query("conf", "read");
    form_post.push(("response_mode", "form_post"));
    for query in [code_query("conf", "read"), code_query("conf", "unknown"), form_post, Vec::new()] {
        replies.push(send(&fixture.server, bare("GET", &format!("/authorize?{}", encode(&query)))).await);
    }
    for reply in replies {
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{}", reply.status);
        assert_eq!(reply.header("pragma"), Some("no-cache"), "{}", reply.status);
    }
}

#[tokio::test]
async fn h_09_every_back_channel_answer_is_json() {
    let fixture = fixture();
    let large = "a".repeat(grantor::http::MAX_BODY + 1);
    for path in back_channel(&fixture) {
        let path = path.as_str();
        let token = [("grant_type", "client_credentials"), ("token", "x")];
        // A device need not say anything but who it is.
        let nothing = if path == DEVICES { 200 } else { 400 };
        // What is pushed has to be an authorization request.
        let answered = if path == "/par" { 400 } else { 200 };
        for (request, status) in [
            (post(path, &token), answered),
            (post(path, &[]), nothing),
            (post_as(path, "Basic nonsense", ""), 401),
            (post_as(path, &basic("conf", "wrong"), encode(&token)), 401),
            (bare("GET", path), 405),
            (bare("POST", path), 400),
            (post_as(path, &basic("conf", SECRET), large.clone()), 413),
        ] {
            let reply = send(&fixture.server, request).await;
            assert_eq!(reply.status, status, "{path}");
            assert_eq!(reply.header("content-type"), Some("application/json"), "{path} {status}");
            assert!(reply.json().is_object(), "{path} {status}");
        }
    }
}

#[tokio::test]
async fn h_09_a_body_has_a_limit_and_so_has_a_parameter() {
    let fixture = fixture();
    let most = format!("grant_type=client_credentials&{}", "a&".repeat(32 * 1024));
    for (body, status) in [
        (format!("grant_type=client_credentials&x={}", "a".repeat(8 * 1024)), 200),
        (format!("grant_type=client_credentials&x={}", "a".repeat(8 * 1024 + 1)), 413),
        (format!("grant_type=client_credentials{}", "&".repeat(60 * 1024)), 200),
        (most[..grantor::http::MAX_BODY].to_owned(), 413),
        ((0..65).map(|n| format!("p{n}=1&")).collect(), 413),
    ] {
        let reply = send(&fixture.server, post_as("/token", &basic("conf", SECRET), body)).await;
        assert_eq!(reply.status, status);
    }
}

#[tokio::test]
async fn h_10_error_texts_stay_in_their_alphabet() {
    let fixture = fixture();
    let hostile = "\"\\\r\nX-Evil: 1\t\0é\u{202E}<script>";
    let names = ["response_type", "response_mode", "scope", "code_challenge", "code_challenge_method"];
    let more = ["max_age", "acr_values", "request", "request_uri"];
    let mut texts = Vec::new();
    for name in names.into_iter().chain(more) {
        let mut query = code_query("conf", "read");
        query.retain(|(n, _)| *n != name);
        query.push((name, hostile));
        let answer = fixture.approve(&query).await;
        texts.push(answer.location_parameter("error").unwrap_or_else(|| panic!("{name} passed")));
        texts.push(answer.location_parameter("error_description").expect("a description"));
    }
    for name in ["client_id", "redirect_uri"] {
        let mut query = code_query("conf", "read");
        query.retain(|(n, _)| *n != name);
        query.push((name, hostile));
        let page = fixture.server.authorize(&Request::get(encode(&query))).await.expect_err(name);
        texts.extend([page.code().to_owned(), page.description().to_owned()]);
    }
    let form = redemption(hostile);
    for (name, _) in form.iter().chain(&[("scope", ""), ("client_id", ""), ("client_secret", "")]) {
        let mut form = redemption("gac_no");
        form.push(("scope", "read"));
        form.retain(|(n, _)| n != name);
        form.push((name, hostile));
        let answer = fixture.token("conf", &form).await;
        texts.extend([answer.error().1, answer.text("error_description")]);
        let challenge = answer.0.header("www-authenticate").unwrap_or_default();
        assert!(challenge.bytes().all(|b| matches!(b, 0x20..=0x7E)), "{challenge:?}");
    }
    for name in ["scope", "resource", "client_id", "client_secret"] {
        let answer = fixture.begin("conf", &[(name, hostile)]).await;
        if answer.status() != 200 {
            texts.extend([answer.error().1, answer.text("error_description")]);
        }
    }
    let request = Request::get("").header("authorization", format!("Bearer {hostile}"));
    let refused = Answer(fixture.server.protect(&request, &["read"]).await.expect_err("hostile"));
    texts.extend([refused.error().1, refused.text("error_description")]);
    for text in texts {
        let legal = |b: u8| matches!(b, 0x20..=0x21 | 0x23..=0x5B | 0x5D..=0x7E);
        assert!(!text.is_empty() && text.bytes().all(legal), "{text:?}");
    }
}

fn issuer(issuer: &str) -> grantor::server::AuthorizationServerBuilder {
    AuthorizationServer::builder(issuer)
        .clients(MemoryRegistry::default())
        .store(MemoryStore::new())
        .authorization_endpoint("/authorize")
}

#[test]
fn h_11_every_url_is_https() {
    for bad in
        ["http://as.example", "http://127.0.0.1:9400", "ftp://as.example", "as.example", "https://", ""]
    {
        assert!(issuer(bad).build().is_err(), "{bad:?}");
    }
    for bad in ["http://as.example", "http://127.0.0.1.evil.example", "http://10.0.0.1", "http://localhost.x"]
    {
        assert!(issuer(bad).allow_http_loopback().build().is_err(), "{bad:?}");
    }
    for good in ["http://127.0.0.1:9400", "http://[::1]:9400", "http://localhost:9400"] {
        assert!(issuer(good).allow_http_loopback().build().is_ok(), "{good:?}");
    }
    let metadata = Answer(fixture().server.metadata()).json();
    let urls = metadata.as_object().unwrap().iter().filter(|(name, _)| name.ends_with("_endpoint"));
    let urls: Vec<&str> =
        urls.map(|(_, url)| url.as_str().unwrap()).chain(metadata["issuer"].as_str()).collect();
    assert_eq!(urls.len(), 7);
    assert!(urls.iter().all(|url| url.starts_with("https://as.example")), "{urls:?}");
}

#[test]
fn h_12_no_endpoint_has_a_query_or_a_fragment() {
    for bad in
        ["https://as.example#", "https://as.example/#f", "https://as.example?t=1", "https://as.example/?"]
    {
        assert!(issuer(bad).build().is_err(), "{bad:?}");
    }
    for bad in
        ["/token#f", "/token?tenant=1", "token", "", "/", "/a b", "/{x}", "/%2e", "https://x.example/t"]
    {
        assert!(issuer(ISSUER).token_endpoint(bad).build().is_err(), "{bad:?}");
        let devices = issuer(ISSUER).device_verification("/device").device_authorization_endpoint(bad);
        assert!(devices.build().is_err(), "{bad:?}");
        assert!(issuer(ISSUER).device_verification(bad).build().is_err(), "{bad:?}");
    }
}

#[tokio::test]
async fn h_13_no_other_origin_reads_the_authorization_endpoint() {
    let fixture = fixture();
    let uri = format!("/authorize?{}", encode(&code_query("conf", "read")));
    for (method, uri) in [("GET", uri.as_str()), ("OPTIONS", &uri), ("GET", "/authorize"), ("POST", &uri)] {
        let mut request = bare(method, uri);
        request.headers_mut().insert("origin", "https://app.example".parse().unwrap());
        request.headers_mut().insert("access-control-request-method", "GET".parse().unwrap());
        let reply = send(&fixture.server, request).await;
        assert!(!reply.speaks_of_origins(), "{method} {uri}: {:?}", reply.headers);
    }
    let routes = fixture.server.routes();
    assert!(routes.iter().all(|(endpoint, _)| *endpoint != Endpoint::Authorization), "{routes:?}");
}

#[tokio::test]
async fn h_13_browser_programs_read_token_revocation_devices_and_metadata() {
    let fixture = fixture();
    for path in ["/token", "/revoke", DEVICES, "/.well-known/oauth-authorization-server"] {
        let reply = send(&fixture.server, bare("OPTIONS", path)).await;
        assert_eq!((reply.status, reply.body.len()), (204, 0), "{path}");
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
        assert!(reply.header("access-control-allow-headers").unwrap().contains("authorization"));
        assert_eq!(reply.header("access-control-allow-credentials"), None);
    }
    for (request, status) in
        [(post("/token", &[]), 400), (bare("GET", "/token"), 405), (post(DEVICES, &[]), 200)]
    {
        let reply = send(&fixture.server, request).await;
        assert_eq!((reply.status, reply.header("access-control-allow-origin")), (status, Some("*")));
    }
    for method in ["OPTIONS", "POST"] {
        assert!(!send(&fixture.server, bare(method, "/introspect")).await.speaks_of_origins());
    }
}
