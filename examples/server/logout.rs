//! `/logout`: an application or the user ends the session.
//!
//! An application sends the browser here with a `GET` or with a form from its own site. Browsers send our
//! cookie only with the `GET`, so such a form is redirected to a `GET`. The forms of our own pages carry this
//! session's token.

use axum::body::HttpBody as _;
use axum::extract::{RawQuery, Request as HttpRequest, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use grantor::adapter::axum::read;
use grantor::audit::Endpoint;
use grantor::http::{MAX_BODY, Request};
use grantor::{LogoutEnd, LogoutQuestion, LogoutStep};
use serde::{Deserialize, Serialize};

use crate::app::{App, not_found};
use crate::ended_sessions::{end_session, try_again};
use crate::forms::{graphic, is_form, lead_to, see_other, too_large, too_slow};
use crate::login::ReturnTo;
use crate::pages::{Page, leads_to_an_application};
use crate::session::{Session, SignedIn, Visitor};

/// `GET /logout`
pub(crate) async fn ask(
    State(app): State<App>,
    visitor: Visitor,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    if app.server.endpoints().path(Endpoint::EndSession).is_none() {
        return not_found(State(app)).await;
    }
    let request = Request::get(query.unwrap_or_default());
    match step(&app, visitor.signed_in(), &request).await {
        Ok(LogoutStep::Ask(question)) => {
            let page = LogoutPage::new(&question);
            leads_to_an_application(app.pages.show(visitor.session(), &page))
        }
        Ok(LogoutStep::Go(end)) if app.sessions.is_unknown(&headers) => leave_unknown(&app, end).await,
        Ok(LogoutStep::Go(end)) => finish(&app, visitor.session(), end).await,
        Err(page) => page,
    }
}

/// `POST /logout`
pub(crate) async fn answer(State(app): State<App>, request: HttpRequest) -> Response {
    if !is_form(request.headers()) {
        return app.pages.problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "This is not a form.");
    }
    let session = app.sessions.find(request.headers());
    let is_unknown = app.sessions.is_unknown(request.headers());
    let has_body = !request.body().is_end_stream();
    let request = read(request).await;
    if has_body && request.body.is_empty() {
        return too_slow(&app);
    }
    if request.body.len() > MAX_BODY {
        return too_large(&app);
    }
    let posted: Posted = serde_urlencoded::from_bytes(&request.body).unwrap_or_default();
    let Some(csrf) = posted.csrf else {
        let body = String::from_utf8_lossy(&request.body);
        return lead_to(&app, &format!("{}?{}", app.site.path("/logout"), graphic(&body)));
    };
    let session = match session {
        Some(session) if session.wrote(&csrf) => session,
        // Another tab was faster, or the process that had the session is gone.
        None if posted.decision.is_some() => return without_session(&app, &request, is_unknown).await,
        Some(_) | None => {
            return app
                .pages
                .problem(StatusCode::FORBIDDEN, "This form has expired, or it did not come from this site.");
        }
    };
    match posted.decision {
        None => sign_out(&app, &session, &posted.return_to).await,
        Some(Decision::Deny) => see_other(&app.site.path("/")),
        Some(Decision::Approve) => match step(&app, session.signed_in(), &request).await {
            Ok(LogoutStep::Go(end)) => finish(&app, Some(&session), end).await,
            Ok(LogoutStep::Ask(question)) => {
                leads_to_an_application(app.pages.show(Some(&session), &LogoutPage::new(&question)))
            }
            Err(page) => page,
        },
    }
}

/// The fields of our own forms; an application's form has no `csrf`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Posted {
    csrf: Option<String>,
    decision: Option<Decision>,
    #[serde(flatten)]
    return_to: ReturnTo,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Decision {
    Approve,
    Deny,
}

async fn step(app: &App, by: Option<&SignedIn>, request: &Request) -> Result<LogoutStep, Response> {
    let logout = app.server.logout(request).await.map_err(|page| app.pages.refused(&page))?;
    Ok(logout.session(by.map(SignedIn::login).as_ref()))
}

/// Ends our own session first, then everything that depends on it.
async fn finish(app: &App, session: Option<&Session>, end: LogoutEnd) -> Response {
    if let Some(session) = session {
        app.sessions.end(session);
    }
    let gone = end.session();
    let answer = end.finish().await;
    if let (Some(gone), 500..) = (gone, answer.status) {
        try_again(app, gone);
    }
    // Without the session's cookie, the form may come from another site.
    match session {
        Some(_) => forgetting(app, answer.into_response()),
        None => answer.into_response(),
    }
}

async fn without_session(app: &App, request: &Request, is_unknown: bool) -> Response {
    match step(app, None, request).await {
        Ok(LogoutStep::Go(end)) if is_unknown => leave_unknown(app, end).await,
        Ok(LogoutStep::Go(end)) => finish(app, None, end).await,
        Ok(LogoutStep::Ask(_)) => see_other(&app.site.path("/")),
        Err(page) => page,
    }
}

/// What began in the session stays, because this process does not know the session.
async fn leave_unknown(app: &App, end: LogoutEnd) -> Response {
    match end.end().await {
        Ok(left) => forgetting(app, app.pages.show(None, &UnknownPage { to: left.redirect() })),
        Err(page) => app.pages.refused(&page),
    }
}

/// The sign-out button on our own pages.
async fn sign_out(app: &App, session: &Session, return_to: &ReturnTo) -> Response {
    app.sessions.end(session);
    if let Some(by) = session.signed_in() {
        end_session(app, by.session_id()).await;
    }
    forgetting(app, see_other(&return_to.page(app)))
}

fn forgetting(app: &App, mut response: Response) -> Response {
    for cookie in [app.sessions.forget(), app.device_cookie.forget()] {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

#[derive(Serialize)]
struct LogoutPage<'a> {
    client_name: Option<&'a str>,
    fields: Vec<(&'static str, String)>,
}

impl<'a> LogoutPage<'a> {
    fn new(question: &'a LogoutQuestion) -> Self {
        Self { client_name: question.client_name(), fields: question.fields() }
    }
}

impl Page for LogoutPage<'_> {
    const TEMPLATE: &'static str = "logout.html";
}

#[derive(Serialize)]
struct UnknownPage<'a> {
    /// Where the application wants the browser to go.
    to: Option<&'a str>,
}

impl Page for UnknownPage<'_> {
    const TEMPLATE: &'static str = "session_unknown.html";
}
