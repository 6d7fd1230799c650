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
use crate::login::{ReturnTo, sign_in_first, too_many_attempts};
use crate::pages::{Page, leads_to_an_application};
use crate::session::{Session, Visitor};

/// The path, below the issuer's.
pub(crate) const PATH: &str = "/login/pin";

/// `GET /login/pin?return_to=…`
pub(crate) async fn ask(State(app): State<App>, visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let return_to: Option<ReturnTo> = query.and_then(|query| serde_urlencoded::from_str(&query).ok());
    let return_to = return_to.unwrap_or_default().page(&app);
    match (visitor.session(), visitor.signed_in()) {
        (Some(session), Some(by)) if by.user.has_pin() => PinPage::new(&return_to, None).show(&app, session),
        (Some(_), Some(_)) => app.pages.problem(StatusCode::NOT_FOUND, "Your account has no PIN."),
        _ => sign_in_first(&app, &return_to),
    }
}

/// `POST /login/pin`: 303 to where the user wanted to go, or the form again.
pub(crate) async fn prove(
    State(app): State<App>,
    Peer(peer): Peer,
    PostedBy { session, by, fields }: PostedBy<Pin>,
) -> Response {
    let attempt = match app.logins.begin(peer, &by.user.username, Utc::now()) {
        Ok(attempt) => attempt,
        Err(throttled) => return too_many_attempts(&app, throttled),
    };
    let return_to = fields.return_to.page(&app);
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
            }
            PinPage::new(&return_to, Some("The PIN is wrong.")).show(&app, &session)
        }
    }
}

/// The fields of the form.
#[derive(Deserialize)]
pub(crate) struct Pin {
    pin: String,
    #[serde(flatten)]
    return_to: ReturnTo,
}

#[derive(Serialize)]
struct PinPage<'a> {
    return_to: &'a str,
    message: Option<&'a str>,
}

impl Page for PinPage<'_> {
    const TEMPLATE: &'static str = "pin.html";
}

impl<'a> PinPage<'a> {
    fn new(return_to: &'a str, message: Option<&'a str>) -> Self {
        Self { return_to, message }
    }

    fn show(&self, app: &App, session: &Session) -> Response {
        leads_to_an_application(app.pages.show(Some(session), self))
    }
}
