//! The whole server: any request at any endpoint gets an answer that a client can read and no cache keeps,
//! and none of it is the server's own failure.
#![no_main]

use std::sync::OnceLock;

use grantor::http::Method;
use grantor::{
    AuthMethod, AuthorizationServer, Client, Clock as _, Endpoint, GrantType, MemoryRegistry, MemoryStore,
    Profile, Request,
};
use grantor_fuzz::provider::{CALLBACK, LOOPBACK};
use grantor_fuzz::{ISSUER, Ticking, answer_as, handle, login, protect, sound};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((endpoint, request)) = read(input) else { return };
    if endpoint == Endpoint::Authorization {
        answer_as(server(), &request, login("alice", CLOCK.now().timestamp()), &[CALLBACK, LOOPBACK]);
        return;
    }
    let response = handle(server(), endpoint, &request);
    if request.method != Method::Options {
        let json: serde_json::Value = serde_json::from_slice(&response.body).expect("JSON");
        assert!(json.is_object() && !json.to_string().contains("null"));
        assert_eq!(response.status >= 400, json.get("error").is_some());
    }
    if let Err(refused) = protect(server(), &request, &["read"]) {
        sound(&refused);
        assert!(refused.header("cache-control") == Some("no-store"));
    }
});

/// An input looks like an HTTP request: `POST token ?query`, header lines, an empty line, the body.
fn read(input: &[u8]) -> Option<(Endpoint, Request)> {
    let end = input.windows(2).position(|w| w == b"\n\n")?;
    let mut lines = std::str::from_utf8(&input[..end]).ok()?.lines();
    let mut words = lines.next()?.splitn(3, ' ');
    let mut request = Request::new(Method::from(words.next()?));
    let endpoint = match words.next()? {
        "token" => Endpoint::Token,
        "revoke" => Endpoint::Revocation,
        "introspect" => Endpoint::Introspection,
        "metadata" => Endpoint::Metadata,
        "authorize" => Endpoint::Authorization,
        _ => return None,
    };
    request.query = words.next().and_then(|w| w.strip_prefix('?')).map(str::to_owned);
    for (name, value) in lines.filter_map(|line| line.split_once(": ")).take(8) {
        request.headers.push(name.to_ascii_lowercase(), value);
    }
    request.body = input[end + 2..].to_vec();
    Some((endpoint, request))
}

const CLOCK: Ticking = Ticking(1);

fn server() -> &'static AuthorizationServer {
    static SERVER: OnceLock<AuthorizationServer> = OnceLock::new();
    SERVER.get_or_init(|| {
        let types =
            [GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::Implicit, GrantType::Password];
        let app = Client::builder("app")
            .secret("s")
            .redirect_uri(CALLBACK)
            .grant_types(types.clone().into_iter().chain([GrantType::ClientCredentials]))
            .require_pkce(false);
        let phone = Client::builder("phone")
            .redirect_uri("http://127.0.0.1/cb")
            .grant_types(types)
            .auth_method(AuthMethod::None);
        AuthorizationServer::builder(ISSUER)
            .clients(MemoryRegistry::new([app, phone].map(|builder| builder.build().expect("a client"))))
            .store(MemoryStore::new())
            .scopes(["read", "write"])
            .profile(Profile::Rfc6749)
            .authorization_endpoint("/authorize")
            .clock(CLOCK)
            .build()
            .expect("a server")
    })
}
