//! The whole server: any request at any endpoint gets an answer that a client can read and no cache keeps,
//! and none of it is the server's own failure.
#![no_main]

use std::pin::pin;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll, Waker};

use chrono::{DateTime, Utc};
use grantor::http::Method;
use grantor::{
    AuthMethod, AuthorizationServer, Client, Clock, Endpoint, GrantType, Login, MemoryRegistry, MemoryStore,
    Profile, Request, Response, SignedIn,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((endpoint, request)) = read(input) else { return };
    if endpoint == Endpoint::Authorization {
        authorize(&request);
        return;
    }
    let response = now_or_never(server().handle(endpoint, &request));
    check(&response, request.method == Method::Options || endpoint == Endpoint::Metadata);
    if request.method != Method::Options {
        let json: serde_json::Value = serde_json::from_slice(&response.body).expect("JSON");
        assert!(json.is_object() && !json.to_string().contains("null"));
        assert_eq!(response.status >= 400, json.get("error").is_some());
    }
    if let Err(refused) = now_or_never(server().protect(&request, &["read"])) {
        check(&refused, false);
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

fn authorize(request: &Request) {
    let asked = match now_or_never(server().authorize(request)) {
        Ok(asked) => asked,
        Err(page) => {
            let page = page.into_response();
            assert!(page.header("location").is_none(), "no redirect to an unproven address");
            return check(&page, false);
        }
    };
    let now = Ticking.now();
    match now_or_never(asked.signed_in(Login::new("alice", now))) {
        SignedIn::Consent(consent) => {
            let response = now_or_never(consent.approve());
            check(&response, false);
            assert!(goes_home(&response));
        }
        SignedIn::Answered(response) => {
            check(&response, false);
            assert!(goes_home(&response));
        }
        SignedIn::Reauthenticate(login) => assert!(goes_home(&now_or_never(login.cannot()))),
    }
}

fn goes_home(response: &Response) -> bool {
    let body = String::from_utf8_lossy(&response.body);
    let home = ["https://app.example/cb", "http://127.0.0.1"];
    match response.header("location") {
        Some(to) => home.iter().any(|h| to.starts_with(h)),
        None => home.iter().any(|h| body.contains(&format!("action=\"{h}"))),
    }
}

fn check(response: &Response, public: bool) {
    assert!(response.status < 500, "a failure of its own: {}", response.status);
    assert!(public || response.status == 405 || response.header("cache-control") == Some("no-store"));
    for (name, value) in &response.headers {
        assert!(!name.is_empty() && value.bytes().all(|b| (0x20..0x7F).contains(&b)), "{name}: {value:?}");
    }
}

/// A second passes with every look at it, so that what is stored expires.
struct Ticking;

static SECONDS: AtomicI64 = AtomicI64::new(1_800_000_000);

impl Clock for Ticking {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(SECONDS.fetch_add(1, Ordering::Relaxed), 0).expect("a time")
    }
}

fn server() -> &'static AuthorizationServer {
    static SERVER: OnceLock<AuthorizationServer> = OnceLock::new();
    SERVER.get_or_init(|| {
        let types =
            [GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::Implicit, GrantType::Password];
        let app = Client::builder("app")
            .secret("s")
            .redirect_uri("https://app.example/cb")
            .grant_types(types.clone().into_iter().chain([GrantType::ClientCredentials]))
            .require_pkce(false);
        let phone = Client::builder("phone")
            .redirect_uri("http://127.0.0.1/cb")
            .grant_types(types)
            .auth_method(AuthMethod::None);
        AuthorizationServer::builder("https://as.example")
            .clients(MemoryRegistry::new([app, phone].map(|builder| builder.build().expect("a client"))))
            .store(MemoryStore::new())
            .scopes(["read", "write"])
            .profile(Profile::Rfc6749)
            .authorization_endpoint("/authorize")
            .clock(Ticking)
            .build()
            .expect("a server")
    })
}

/// Nothing here waits.
fn now_or_never<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("the memory store never waits"),
    }
}
