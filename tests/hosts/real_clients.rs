//! The `oauth2` crate, which no one here wrote, against `examples/server` over HTTP, with a real login and
//! consent. The clients of other languages, and the browser, are in `tests/clients`; `tests/run.sh` runs them
//! all.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod mcp;
mod program;
mod user;

use std::net::SocketAddr;

use oauth2::basic::{
    BasicClient, BasicErrorResponse, BasicErrorResponseType, BasicRevocationErrorResponse, BasicTokenResponse,
};
use oauth2::{
    AccessToken, AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken,
    DeviceAuthorizationUrl, DeviceCodeErrorResponseType, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, IntrospectionUrl, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RefreshToken,
    RequestTokenError, ResourceOwnerPassword, ResourceOwnerUsername, RevocationErrorResponseType,
    RevocationUrl, Scope, StandardDeviceAuthorizationResponse, StandardRevocableToken,
    TokenIntrospectionResponse, TokenResponse, TokenUrl,
};

use self::program::Server;
use self::user::{User, exchange};

type Television = BasicClient<EndpointNotSet, EndpointSet, EndpointNotSet, EndpointNotSet, EndpointSet>;
type Client = BasicClient<EndpointSet, EndpointNotSet, EndpointSet, EndpointSet, EndpointSet>;
type TokenResult = Result<BasicTokenResponse, RequestTokenError<std::io::Error, BasicErrorResponse>>;

const NATIVE_CALLBACK: &str = "http://127.0.0.1:53131/callback";
const WEB_CALLBACK: &str = "https://web.example/callback";
const WEB_SECRET: &str = "web-secret-Zk3vQm81xNfT0aYc7LrUe5Hb";
const POST_CALLBACK: &str = "https://post.example/callback?tenant=1";
const POST_SECRET: &str = "post-secret-s7Wd2KpQe9VbXn4RtJ6gMz0A";
const LEGACY_SECRET: &str = "legacy-secret-Hq5xTn8RcW1yVz3PbLk6Jd0M";
const SERVICE_SECRET: &str = "service-secret-B4mYx9QwTz2KvRn7HcLp5Gs8";
const RESOURCE_SECRET: &str = "resource-secret-Nf6JtWq0ZbXk3MvYs9Rd7PhL";
const SPECIAL_SECRET: &str = "colon: percent%41 plus+ slash/ equals= tilde~ amp& bang! 'quote' (x)";

#[test]
fn a_public_client_gets_tokens_with_pkce_and_uses_them() {
    let server = Server::start();
    let native = public(&server);
    let (url, state, verifier) = asked(&native, &["read", "write"]);
    let callback = User::new(&server.issuer).authorize(&url, "approve");
    assert_eq!(callback.base, NATIVE_CALLBACK);
    assert_eq!(callback.one("state"), state.secret());
    assert_eq!(callback.one("iss"), server.issuer);

    let tokens = redeemed(&server, &native, callback.one("code"), verifier).unwrap();
    assert_eq!(tokens.token_type().as_ref(), "bearer");
    assert_eq!(tokens.expires_in().unwrap().as_secs(), 600);
    assert_eq!(scope_of(&tokens), "read write");
    assert_eq!(me(&server, tokens.access_token()), (200, "user-alice".to_owned()));
}

#[test]
fn a_lost_refresh_answer_is_given_again() {
    let server = Server::start();
    let native = public(&server);
    let first = signed_in(&server, &native, &["read", "write"]);
    let refresh = |from: &BasicTokenResponse| -> TokenResult {
        native.exchange_refresh_token(from.refresh_token().unwrap()).request(&server.http())
    };
    let secrets = |of: &BasicTokenResponse| {
        (of.access_token().secret().clone(), of.refresh_token().unwrap().secret().clone())
    };

    let second = refresh(&first).unwrap();
    assert_ne!(secrets(&second).0, secrets(&first).0);
    assert_ne!(secrets(&second).1, secrets(&first).1);
    assert_eq!(secrets(&refresh(&first).unwrap()), secrets(&second));

    let third = refresh(&second).unwrap();
    assert_ne!(secrets(&third).1, secrets(&second).1);
    assert_eq!(code_of(refresh(&first)), BasicErrorResponseType::InvalidGrant);
    assert_eq!(me(&server, third.access_token()).0, 200);
}

#[test]
fn confidential_clients_keep_their_refresh_token_whatever_way_they_authenticate() {
    let server = Server::start();
    for (id, secret, how, callback) in [
        ("web", WEB_SECRET, AuthType::BasicAuth, WEB_CALLBACK),
        ("post", POST_SECRET, AuthType::RequestBody, POST_CALLBACK),
    ] {
        let client = confidential(&server, id, secret)
            .set_auth_type(how)
            .set_redirect_uri(RedirectUrl::new(callback.to_owned()).unwrap());
        let tokens = signed_in(&server, &client, &["read"]);
        assert_eq!(scope_of(&tokens), "read", "{id}");
        let kept = tokens.refresh_token().unwrap();
        let renewed = client.exchange_refresh_token(kept).request(&server.http()).unwrap();
        assert_eq!(renewed.refresh_token().unwrap().secret(), kept.secret(), "{id}");
        assert_ne!(renewed.access_token().secret(), tokens.access_token().secret(), "{id}");

        let wide = client.exchange_refresh_token(kept).add_scope(Scope::new("write".to_owned()));
        assert_eq!(code_of(wide.request(&server.http())), BasicErrorResponseType::InvalidScope, "{id}");
    }
}

#[test]
fn grants_without_a_browser_work_for_the_clients_that_list_them() {
    let server = Server::start();
    let (name, password) =
        (ResourceOwnerUsername::new("bob".into()), ResourceOwnerPassword::new("tr0ub4dor&3 + 100%".into()));
    let legacy = confidential(&server, "legacy", LEGACY_SECRET);
    let tokens = legacy.exchange_password(&name, &password).request(&server.http()).unwrap();
    assert_eq!(me(&server, tokens.access_token()), (200, "user-bob".to_owned()));
    let wrong = ResourceOwnerPassword::new("wrong".into());
    let refused = legacy.exchange_password(&name, &wrong).request(&server.http());
    assert_eq!(code_of(refused), BasicErrorResponseType::InvalidGrant);

    let resource = confidential(&server, "resource", RESOURCE_SECRET);
    for (id, secret) in [("service", SERVICE_SECRET), ("special", SPECIAL_SECRET)] {
        let client = confidential(&server, id, secret);
        let tokens = client.exchange_client_credentials().request(&server.http()).unwrap();
        assert!(tokens.refresh_token().is_none(), "{id}");
        let seen = resource.introspect(tokens.access_token()).request(&server.http()).unwrap();
        assert_eq!((seen.active(), seen.sub()), (true, Some(id)), "{id}");
    }
    let service = confidential(&server, "service", SERVICE_SECRET);
    let refused = service.exchange_password(&name, &password).request(&server.http());
    assert_eq!(code_of(refused), BasicErrorResponseType::UnauthorizedClient);
}

#[test]
fn introspection_and_revocation_agree() {
    let server = Server::start();
    let native = public(&server);
    let resource = confidential(&server, "resource", RESOURCE_SECRET);
    let active = |token: &AccessToken| resource.introspect(token).request(&server.http()).unwrap().active();

    let tokens = signed_in(&server, &native, &["read", "write"]);
    let seen = resource.introspect(tokens.access_token()).request(&server.http()).unwrap();
    assert_eq!(
        (seen.active(), seen.sub(), seen.iss()),
        (true, Some("user-alice"), Some(server.issuer.as_str()))
    );
    assert_eq!(seen.client_id().unwrap().as_str(), "native");
    assert_eq!(
        seen.scopes().unwrap().iter().map(|scope| scope.as_str()).collect::<Vec<_>>(),
        ["read", "write"]
    );
    assert_eq!((seen.exp().unwrap() - seen.iat().unwrap()).num_seconds(), 600);

    let revoke = |token: StandardRevocableToken| native.revoke_token(token).unwrap().request(&server.http());
    revoke(tokens.access_token().into()).unwrap();
    assert!(!active(tokens.access_token()));
    assert_eq!(me(&server, tokens.access_token()).0, 401);

    let tokens = signed_in(&server, &native, &["read"]);
    assert!(active(tokens.access_token()));
    revoke(tokens.refresh_token().unwrap().into()).unwrap();
    assert!(!active(tokens.access_token()));
    let refused = native.exchange_refresh_token(tokens.refresh_token().unwrap()).request(&server.http());
    assert_eq!(code_of(refused), BasicErrorResponseType::InvalidGrant);
    revoke(RefreshToken::new("never was one".to_owned()).into()).unwrap();

    let stranger = confidential(&server, "web", "wrong");
    let refused = stranger.revoke_token(tokens.access_token().into()).unwrap().request(&server.http());
    let Err(RequestTokenError::ServerResponse(error)) = refused else { panic!("{refused:?}") };
    assert_eq!(
        BasicRevocationErrorResponse::error(&error),
        &RevocationErrorResponseType::Basic(BasicErrorResponseType::InvalidClient)
    );
}

#[test]
fn every_refusal_has_the_code_that_the_rfc_gives_it() {
    let server = Server::start();
    let web = confidential(&server, "web", WEB_SECRET)
        .set_redirect_uri(RedirectUrl::new(WEB_CALLBACK.to_owned()).unwrap());
    let (url, state, verifier) = asked(&web, &["read"]);
    let denied = User::new(&server.issuer).authorize(&url, "deny");
    assert_eq!(
        (denied.one("error"), denied.one("state"), denied.one("iss")),
        ("access_denied", state.secret().as_str(), server.issuer.as_str())
    );
    let (unknown, ..) = asked(&web, &["read", "admin"]);
    assert_eq!(User::new(&server.issuer).authorize(&unknown, "approve").one("error"), "invalid_scope");

    let callback = User::new(&server.issuer).authorize(&url, "approve");
    let code = callback.one("code");
    let verifier = || PkceCodeVerifier::new(verifier.secret().clone());
    let thief = confidential(&server, "web", "wrong")
        .set_redirect_uri(RedirectUrl::new(WEB_CALLBACK.to_owned()).unwrap());
    assert_eq!(code_of(redeemed(&server, &thief, code, verifier())), BasicErrorResponseType::InvalidClient);
    let other = PkceCodeChallenge::new_random_sha256().1;
    assert_eq!(code_of(redeemed(&server, &web, code, other)), BasicErrorResponseType::InvalidGrant);
    let tokens = redeemed(&server, &web, code, verifier()).unwrap();
    assert_eq!(me(&server, tokens.access_token()).0, 200);
    assert_eq!(code_of(redeemed(&server, &web, code, verifier())), BasicErrorResponseType::InvalidGrant);
    assert_eq!(me(&server, tokens.access_token()).0, 401);
    assert_eq!(
        code_of(redeemed(&server, &web, "never was one", verifier())),
        BasicErrorResponseType::InvalidGrant
    );

    let service = confidential(&server, "service", SERVICE_SECRET);
    let admin = service.exchange_client_credentials().add_scope(Scope::new("admin".to_owned()));
    assert_eq!(code_of(admin.request(&server.http())), BasicErrorResponseType::InvalidScope);
}

#[test]
fn an_implicit_grant_answers_in_the_fragment() {
    let server = Server::start();
    let page = client(&server, "spa")
        .set_redirect_uri(RedirectUrl::new("https://spa.example/callback".to_owned()).unwrap());
    let (url, state) = page
        .authorize_url(CsrfToken::new_random)
        .use_implicit_flow()
        .add_scope(Scope::new("read".to_owned()))
        .url();
    let callback = User::new(&server.issuer).authorize(url.as_str(), "approve");
    assert!(callback.in_fragment);
    assert_eq!(callback.base, "https://spa.example/callback");
    assert_eq!(
        (
            callback.one("state"),
            callback.one("token_type"),
            callback.one("scope"),
            callback.one("expires_in")
        ),
        (state.secret().as_str(), "Bearer", "read", "600")
    );
    let token = AccessToken::new(callback.one("access_token").to_owned());
    assert_eq!(me(&server, &token), (200, "user-alice".to_owned()));
}

#[test]
fn a_device_gets_tokens_when_its_user_has_said_yes_in_a_browser() {
    let server = Server::start();
    let device = television(&server);
    let codes: StandardDeviceAuthorizationResponse = device
        .exchange_device_code()
        .add_scope(Scope::new("read".to_owned()))
        .request(&server.http())
        .unwrap();
    assert_eq!((codes.interval().as_secs(), codes.expires_in().as_secs()), (5, 600));
    let link = codes.verification_uri_complete().unwrap().secret().clone();
    let waits = std::cell::RefCell::new(Vec::new());
    // Instead of sleeping between the first poll and the second, its user answers.
    let user = |wait: std::time::Duration| {
        waits.borrow_mut().push(wait.as_secs());
        let done = User::new(&server.issuer).connect(&link, "approve");
        assert!(done.contains("device-done"), "{done}");
    };
    let tokens = device.exchange_device_access_token(&codes).request(&server.http(), user, None).unwrap();
    assert_eq!(*waits.borrow(), [5], "one authorization_pending, and then the answer");
    assert_eq!(scope_of(&tokens), "read");
    assert_eq!(me(&server, tokens.access_token()), (200, "user-alice".to_owned()));
}

#[test]
fn a_device_learns_of_a_denial_and_slows_down_when_it_is_told() {
    let server = Server::start();
    let device = television(&server);
    let codes: StandardDeviceAuthorizationResponse =
        device.exchange_device_code().request(&server.http()).unwrap();
    let link = codes.verification_uri_complete().unwrap().secret().clone();
    let waits = std::cell::RefCell::new(Vec::new());
    // The first two waits take no time at all, so the second and third poll come too early.
    let user = |wait: std::time::Duration| {
        waits.borrow_mut().push(wait.as_secs());
        if waits.borrow().len() == 3 {
            User::new(&server.issuer).connect(&link, "deny");
        }
    };
    let denied = device.exchange_device_access_token(&codes).request(&server.http(), user, None);
    match denied {
        Err(RequestTokenError::ServerResponse(error)) => {
            assert_eq!(error.error(), &DeviceCodeErrorResponseType::AccessDenied);
        }
        other => panic!("a denial was expected, not {other:?}"),
    }
    assert_eq!(*waits.borrow(), [5, 10, 15]);
}

fn television(server: &Server) -> Television {
    let at = |path: &str| format!("{}{path}", server.issuer);
    BasicClient::new(ClientId::new("television".to_owned()))
        .set_auth_type(AuthType::RequestBody)
        .set_device_authorization_url(DeviceAuthorizationUrl::new(at("/device_authorization")).unwrap())
        .set_token_uri(TokenUrl::new(at("/token")).unwrap())
}

impl Server {
    /// Sends what the crate made; `https` in an address means this server all the same, because the crate
    /// revokes only there.
    fn http(&self) -> impl Fn(HttpRequest) -> Result<HttpResponse, std::io::Error> + use<> {
        let address: SocketAddr = self.address;
        move |request| exchange(address, request)
    }
}

fn client(server: &Server, id: &str) -> Client {
    let at = |path: &str| format!("{}{path}", server.issuer);
    BasicClient::new(ClientId::new(id.to_owned()))
        .set_auth_uri(AuthUrl::new(at("/authorize")).unwrap())
        .set_token_uri(TokenUrl::new(at("/token")).unwrap())
        .set_introspection_url(IntrospectionUrl::new(at("/introspect")).unwrap())
        .set_revocation_url(RevocationUrl::new(at("/revoke").replace("http://", "https://")).unwrap())
}

fn public(server: &Server) -> Client {
    client(server, "native").set_redirect_uri(RedirectUrl::new(NATIVE_CALLBACK.to_owned()).unwrap())
}

fn confidential(server: &Server, id: &str, secret: &str) -> Client {
    client(server, id).set_client_secret(ClientSecret::new(secret.to_owned()))
}

fn asked(client: &Client, scopes: &[&str]) -> (String, CsrfToken, PkceCodeVerifier) {
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (url, state) = client
        .authorize_url(CsrfToken::new_random)
        .add_scopes(scopes.iter().map(|scope| Scope::new((*scope).to_owned())))
        .set_pkce_challenge(challenge)
        .url();
    (url.to_string(), state, verifier)
}

fn redeemed(server: &Server, client: &Client, code: &str, verifier: PkceCodeVerifier) -> TokenResult {
    client
        .exchange_code(AuthorizationCode::new(code.to_owned()))
        .set_pkce_verifier(verifier)
        .request(&server.http())
}

fn signed_in(server: &Server, client: &Client, scopes: &[&str]) -> BasicTokenResponse {
    let (url, _, verifier) = asked(client, scopes);
    let callback = User::new(&server.issuer).authorize(&url, "approve");
    redeemed(server, client, callback.one("code"), verifier).unwrap()
}

fn scope_of(tokens: &BasicTokenResponse) -> String {
    tokens.scopes().unwrap().iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ")
}

fn code_of(result: TokenResult) -> BasicErrorResponseType {
    match result {
        Err(RequestTokenError::ServerResponse(error)) => error.error().clone(),
        other => panic!("an OAuth error was expected, not {other:?}"),
    }
}

/// Status and subject of `GET /api/me` with this token.
fn me(server: &Server, token: &AccessToken) -> (u16, String) {
    let request = oauth2::http::Request::get(format!("{}/api/me", server.issuer))
        .header("authorization", format!("Bearer {}", token.secret()))
        .body(Vec::new())
        .unwrap();
    let reply = exchange(server.address, request).unwrap();
    let body: serde_json::Value = serde_json::from_slice(reply.body()).unwrap_or_default();
    (reply.status().as_u16(), body["sub"].as_str().unwrap_or_default().to_owned())
}
