//! `/login/pin`: the second page of a sign-in, for applications that require more than a password
//! (`acr_values`, RFC 9470).

use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::Utc;
use grantor::adapter::axum::Peer;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::ended_sessions::end_session;
use crate::forms::{PostedBy, see_other};
use crate::login::{ReturnTo, sign_in_after_wrong_pins, sign_in_first, too_many_attempts};
use crate::pages::{Page, leads_to_an_application};
use crate::session::{Session, Visitor};

/// The path, below the issuer's.
pub(crate) const PATH: &str = "/login/pin";

/// Whether the application requires the PIN, or only prefers it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pin {
    Required,
    Optional,
}

/// Redirects to the page, which leads back to `path`.
pub(crate) fn to_pin(app: &App, path: &str, pin: Pin) -> Response {
    let mut query = vec![("return_to", path)];
    query.extend((pin == Pin::Optional).then_some(("optional", "yes")));
    let query = serde_urlencoded::to_string(query).unwrap_or_default();
    see_other(&format!("{}?{query}", app.site.path(PATH)))
}

/// `GET /login/pin?return_to=…`; with `optional`, the page has a way on without a PIN. It leads to the request
/// again, which is refused there if the application requires the PIN.
pub(crate) async fn ask(State(app): State<App>, visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let wish: Option<Wish> = query.and_then(|query| serde_urlencoded::from_str(&query).ok());
    let Wish { return_to, optional } = wish.unwrap_or_default();
    let return_to = return_to.page(&app);
    match (visitor.session(), visitor.signed_in()) {
        (Some(session), Some(by)) if by.user.has_pin() => {
            PinPage { return_to: &return_to, optional: optional.is_some(), message: None }.show(&app, session)
        }
        (Some(_), Some(_)) => app.pages.problem(StatusCode::NOT_FOUND, "Your account has no PIN."),
        _ => sign_in_first(&app, &return_to),
    }
}

/// `POST /login/pin`: 303 to where the user wanted to go, or the form again. Too many wrong PINs end the
/// session; then the user signs in again.
pub(crate) async fn prove(
    State(app): State<App>,
    Peer(peer): Peer,
    PostedBy { session, by, fields }: PostedBy<PinForm>,
) -> Response {
    let attempt = match app.logins.begin(peer, &by.user.username, Utc::now()) {
        Ok(attempt) => attempt,
        Err(throttled) => return too_many_attempts(&app, throttled),
    };
    let Wish { return_to, optional } = fields.wish;
    let return_to = return_to.page(&app);
    let proven = by.user.is_pin(&fields.pin).then(|| app.sessions.step_up(&session)).flatten();
    match proven {
        Some(cookie) => {
            attempt.give_back();
            tracing::info!(sub = by.user.sub, "signed in with a PIN");
            ([(header::SET_COOKIE, cookie)], see_other(&return_to)).into_response()
        }
        None => {
            attempt.keep();
            tracing::info!(sub = by.user.sub, ?peer, "wrong PIN");
            if app.sessions.wrong_pin(&session) {
                end_session(&app, by.session_id()).await;
                return sign_in_after_wrong_pins(&app, &return_to);
            }
            let (optional, message) = (optional.is_some(), Some("The PIN is wrong."));
            PinPage { return_to: &return_to, optional, message }.show(&app, &session)
        }
    }
}

/// The query of the page.
#[derive(Default, Deserialize)]
struct Wish {
    #[serde(flatten)]
    return_to: ReturnTo,
    /// Set if the user may go on without a PIN.
    optional: Option<String>,
}

/// The fields of the form.
#[derive(Deserialize)]
pub(crate) struct PinForm {
    pin: String,
    #[serde(flatten)]
    wish: Wish,
}

#[derive(Serialize)]
struct PinPage<'a> {
    return_to: &'a str,
    optional: bool,
    message: Option<&'a str>,
}

impl Page for PinPage<'_> {
    const TEMPLATE: &'static str = "pin.html";
}

impl PinPage<'_> {
    fn show(&self, app: &App, session: &Session) -> Response {
        leads_to_an_application(app.pages.show(Some(session), self))
    }
}
