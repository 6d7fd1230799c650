//! Requests to a server or a guard. Each answer is checked.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use grantor::http::Request;
use grantor::resource::{Guard, Requirement, TokenVerifier};
use grantor::server::LogoutStep;
use grantor::tenants::{Destination, Tenants};
use grantor::{
    Access, Authorization, AuthorizationServer, BrowserSession, DeviceConsent, Endpoint, ErrorPage, Login,
    Refusal, ResourceId, Response, SessionId, SignedIn,
};

use crate::{NOW, check, moment, redirect, sound};

/// At an endpoint that a client calls directly.
pub fn handle(server: &AuthorizationServer, endpoint: Endpoint, request: &Request) -> Response {
    let response = now_or_never(server.handle(endpoint, request));
    check(&response, endpoint == Endpoint::Metadata || endpoint == Endpoint::Jwks);
    response
}

/// At the authorization endpoint. The error is a page, because no address is proven.
pub fn authorize(server: &AuthorizationServer, request: &Request) -> Result<Authorization, ErrorPage> {
    now_or_never(server.authorize(request)).inspect_err(|page| {
        assert!(page.status() < 500, "a failure of its own: {}", page.status());
    })
}

pub fn login(user: &str, at: i64) -> Login {
    Login::new(user, moment(at)).with_session(SessionId::new("session"))
}

/// The answer to a user who approves.
pub fn approve_as(asked: Authorization, login: Login) -> Response {
    let response = match now_or_never(asked.signed_in(login)) {
        SignedIn::Consent(consent) => now_or_never(consent.approve()),
        SignedIn::Answered(response) => response,
        SignedIn::Reauthenticate(login) => now_or_never(login.cannot()),
    };
    sound(&response);
    response
}

/// The same from the request on, at an address that begins so; `None` is an error page.
pub fn answer_as(
    server: &AuthorizationServer,
    request: &Request,
    login: Login,
    home: &[&str],
) -> Option<Response> {
    match authorize(server, request) {
        Ok(asked) => {
            let response = approve_as(asked, login);
            let to = redirect(&response).expect("an address");
            assert!(home.iter().any(|home| to.starts_with(home)), "{to}");
            Some(response)
        }
        Err(page) => {
            let page = page.into_response();
            sound(&page);
            assert!(redirect(&page).is_none(), "no redirect to an unproven address");
            None
        }
    }
}

/// What follows a logout request, if it is not refused: whether the user is asked, and where the browser
/// goes.
pub fn log_out(
    server: &AuthorizationServer,
    request: &Request,
    login: Option<&Login>,
) -> Option<(bool, Option<String>)> {
    match now_or_never(server.logout(request)).map(|logout| logout.session(login)) {
        Ok(LogoutStep::Ask(question)) => {
            assert!(!question.token().is_empty() && question.fields().iter().all(|(_, v)| !v.is_empty()));
            Some((true, None))
        }
        Ok(LogoutStep::Go(end)) => {
            let left = now_or_never(end.end()).expect("a store in memory");
            let to = left.redirect().map(str::to_owned);
            sound(&left.into_response());
            Some((false, to))
        }
        Err(page) => {
            assert!(page.status() < 500, "a failure of its own: {}", page.status());
            None
        }
    }
}

/// What the page for devices shows alice after she typed this; the browsers are told apart by `session`.
pub fn claim(server: &AuthorizationServer, typed: &str, session: &str) -> Option<DeviceConsent> {
    let entered = now_or_never(server.device(typed, &BrowserSession::session(session), None));
    let entered = entered.inspect_err(|page| assert!(page.status() < 500, "a failure of its own"));
    Some(entered.ok()?.signed_in(Login::new("alice", moment(NOW))))
}

/// Alice's yes.
pub fn approve_device(consent: DeviceConsent) -> bool {
    now_or_never(consent.approve()).is_ok()
}

/// The tenant of a request.
pub fn tenant(tenants: &dyn Tenants, to: &Destination<'_>) -> Option<AuthorizationServer> {
    now_or_never(tenants.find(to)).expect("a map")
}

/// What a guard lets in; what it refuses comes with a challenge.
pub fn guard(guard: &Guard, request: &Request, needed: &Requirement) -> Result<Access, Response> {
    now_or_never(guard.check(request, needed)).inspect_err(|response| {
        sound_of_guard(response);
    })
}

/// The same, by the server itself.
pub fn protect(server: &AuthorizationServer, request: &Request, scopes: &[&str]) -> Result<Access, Response> {
    now_or_never(server.protect(request, scopes))
}

/// The server of a token may fail, and then the guard answers 503.
fn sound_of_guard(response: &Response) {
    if response.status != 503 {
        sound(response);
        assert!(matches!(response.status, 400 | 401 | 403), "{}", response.status);
        let challenges = response.headers.iter().filter(|(name, _)| *name == "www-authenticate");
        assert!(challenges.clone().count() > 0);
        for (_, challenge) in challenges {
            assert_eq!(challenge.matches('"').count() % 2, 0, "{challenge}");
        }
    }
}

pub fn verify(
    verifier: &dyn TokenVerifier,
    token: &str,
    resource: &ResourceId,
    now: i64,
) -> Result<Access, Refusal> {
    now_or_never(verifier.verify(token, resource, moment(now)))
}

/// Nothing here waits.
fn now_or_never<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("fixed keys and a store in memory never wait"),
    }
}
