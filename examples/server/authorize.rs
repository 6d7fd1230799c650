//! `/authorize` and `/consent`: what only a host can do, which is to ask a person.
//!
//! Between the two nothing is kept and nothing of the browser's is trusted: the query of the
//! application's request travels along, and grantor checks all of it again at every step.

use std::borrow::Cow;

use axum::extract::{RawQuery, Request as HttpRequest, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use grantor::adapter::axum::read;
use grantor::http::{Method, Request};
use grantor::{Consent, Detour, Login};
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::asking::Asking;
use crate::forms::{PostedBy, local_path, see_other};
use crate::login::{sign_in_again, sign_in_first};
use crate::pages::{Page, leads_to_an_application};
use crate::session::{SignedIn, Visitor};

/// `GET /authorize`, and `POST` for the same request as a form (RFC 6749 section 3.1).
pub(crate) async fn authorize(State(app): State<App>, visitor: Visitor, request: HttpRequest) -> Response {
    let request = read(request).await;
    match check(&app, visitor.signed_in(), &request).await {
        Ok(_) => see_other(&in_a_path(&app, "/consent", &request)),
        Err(response) => response,
    }
}

/// `GET /consent`: every time, whatever was allowed before.
pub(crate) async fn ask(State(app): State<App>, visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let request = Request::get(query.unwrap_or_default());
    match check(&app, visitor.signed_in(), &request).await {
        Ok(consent) => {
            let page = ConsentPage::new(&app, &consent, &request);
            leads_to_an_application(app.pages.show(visitor.session(), &page))
        }
        Err(response) => response,
    }
}

/// `POST /consent`
pub(crate) async fn decide(State(app): State<App>, posted: PostedBy<Answer>) -> Response {
    let Answer { request, decision } = posted.fields;
    let consent = match check(&app, Some(&posted.by), &Request::get(request)).await {
        Ok(consent) => consent,
        Err(response) => return response,
    };
    match decision {
        Decision::Approve => consent.approve().await.into_response(),
        Decision::Deny => consent.deny().into_response(),
    }
}

/// What the consent form sends.
#[derive(Deserialize)]
pub(crate) struct Answer {
    request: String,
    decision: Decision,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Decision {
    Approve,
    Deny,
}

/// The request as far as it can be judged: `Err` is the page or the redirect that it gets instead of a
/// consent page.
///
/// A visitor who is not signed in goes to sign in, whatever else is wrong with the request: nobody is sent
/// anywhere by a link alone (RFC 9700 section 4.11.2).
async fn check(app: &App, signed_in: Option<&SignedIn>, request: &Request) -> Result<Consent, Response> {
    let authorization = app.server.authorize(request).await.map_err(|page| {
        let status = StatusCode::from_u16(page.status()).unwrap_or(StatusCode::BAD_REQUEST);
        app.pages.oauth_error(status, page.code(), page.description())
    })?;
    let back = in_a_path(app, "/authorize", request);
    let Some(SignedIn { user, since }) = signed_in else {
        return Err(match (authorization.signed_out(), local_path(&back)) {
            (Ok(answer), _) => answer.into_response(),
            (Err(_), Some(back)) => sign_in_first(app, back),
            (Err(_), None) => app.pages.oauth_error(StatusCode::BAD_REQUEST, "invalid_request", TOO_LONG),
        });
    };
    match authorization.signed_in(Login::new(user.sub.as_str(), *since)) {
        Ok(consent) if consent.is_silent() => Err(consent.cannot_ask().into_response()),
        Ok(consent) => Ok(consent),
        Err(Detour::Answer(answer)) => Err(answer.into_response()),
        Err(_) => Err(sign_in_again(app, &back)),
    }
}

const TOO_LONG: &str = "The request is too long to be kept while you sign in.";

/// The request's parameters, wherever it has them.
fn query(request: &Request) -> Cow<'_, str> {
    match request.method {
        Method::Post => String::from_utf8_lossy(&request.body),
        _ => Cow::Borrowed(request.query.as_deref().unwrap_or_default()),
    }
}

/// A page of ours with the request's parameters.
fn in_a_path(app: &App, page: &str, request: &Request) -> String {
    format!("{}?{}", app.site.path(page), graphic(&query(request)))
}

/// The same query, with everything encoded that a path of ours may not hold.
fn graphic(query: &str) -> String {
    let mut safe = String::with_capacity(query.len());
    for byte in query.bytes() {
        match byte {
            b'\\' | b'#' => safe.push_str(&format!("%{byte:02X}")),
            byte if byte.is_ascii_graphic() => safe.push(char::from(byte)),
            byte => safe.push_str(&format!("%{byte:02X}")),
        }
    }
    safe
}

#[derive(Serialize)]
struct ConsentPage<'a> {
    asking: Asking<'a>,
    redirect_host: &'a str,
    request: Cow<'a, str>,
    return_to: String,
}

impl Page for ConsentPage<'_> {
    const TEMPLATE: &'static str = "consent.html";
}

impl<'a> ConsentPage<'a> {
    fn new(app: &App, consent: &'a Consent, request: &'a Request) -> Self {
        let asking =
            Asking::new(app, consent.client(), consent.scope(), consent.details(), consent.targets());
        let program = match (consent.redirect_is_local(), consent.client().is_confidential()) {
            (true, _) => Some(LOCAL),
            (false, false) => Some(PUBLIC),
            (false, true) => None,
        };
        Self {
            asking: asking.warn(program),
            redirect_host: consent.redirect_host(),
            request: query(request),
            return_to: in_a_path(app, "/authorize", request),
        }
    }
}

const LOCAL: &str = "A program on this device gets the answer, and any program here can claim this name. Allow it only if you just started it.";
const PUBLIC: &str = "It has no secret to prove its name with. Allow it only if you came from it just now.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_in_a_path_stays_the_same_query() {
        assert_eq!(graphic("state=a%2Fb&scope=read+write"), "state=a%2Fb&scope=read+write");
        assert_eq!(graphic("state=\\\u{e9} #\r\n"), "state=%5C%C3%A9%20%23%0D%0A");
        let path = format!("/authorize?{}", graphic("state=\\\t\u{202e}"));
        assert_eq!(local_path(&path), Some(path.as_str()));
    }
}
