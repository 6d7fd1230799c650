//! The way of an authorization request: sign-in, consent, answer.

use std::net::IpAddr;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use grantor::adapter::axum::Peer;
use grantor::{Consent, Login, LoginReason, LoginRequired, Request, SignedIn, Unasked};
use serde::Deserialize;

use crate::App;
use crate::accounts::{Answer, Session};
use crate::web::{Csrf, Posted, escape, failed, form, graphic, leave_to, page, problem, see_other};

/// `GET /authorize`: the sign-in page, and after it the consent page.
pub(crate) async fn authorize(
    State(app): State<App>,
    Peer(peer): Peer,
    session: Option<Session>,
    csrf: Csrf,
    RawQuery(query): RawQuery,
) -> Response {
    let query = graphic(&query.unwrap_or_default());
    match ask(&app, session, peer, &query).await {
        // Without a page, if the user allowed all of it before; for a program on the user's device, never.
        Ok((consent, session)) => match consent.approve_remembered().await {
            Unasked::Answered(answer) => match app.accounts.forget_request(&session).await {
                Ok(()) => answer.into_response(),
                Err(error) => failed(error),
            },
            Unasked::Ask(consent) => match app.accounts.show(&session, &query).await {
                Ok(()) => consent_page(&app, &csrf, &consent, &query),
                Err(error) => failed(error),
            },
        },
        Err(response) => response,
    }
}

/// The request as far as it can be judged: `Err` is what the browser gets in the place of a consent page.
async fn ask(
    app: &App,
    session: Option<Session>,
    peer: Option<IpAddr>,
    query: &str,
) -> Result<(Consent, Session), Response> {
    let request = Request::get(query);
    let request = match peer {
        Some(peer) => request.from_peer(peer),
        None => request,
    };
    let asked = app.server.authorize(&request).await.map_err(IntoResponse::into_response)?;
    let sign_in = || see_other(&format!("/sign-in?{query}"));
    let Some(session) = session else {
        return Err(match asked.login_required().await {
            LoginRequired::ShowLogin(_) => sign_in(),
            LoginRequired::Answered(answer) => answer.into_response(),
        });
    };
    // Who signed in for this very request did so after it was first seen (`prompt=login`, `max_age`).
    let asked = match session.signed_in_for.as_deref() == Some(query) {
        true => asked.seen(session.since),
        false => asked,
    };
    match asked.signed_in(Login::new(session.user.as_str(), session.since)).await {
        SignedIn::Consent(consent) => Ok((consent, session)),
        SignedIn::Reauthenticate(login) => Err(match login.because() {
            LoginReason::StepUp => login.cannot().await.into_response(), // there is no second factor here
            _ => sign_in(),
        }),
        SignedIn::Answered(answer) => Err(answer.into_response()),
    }
}

fn consent_page(app: &App, csrf: &Csrf, consent: &Consent, query: &str) -> Response {
    let name = escape(consent.client().name().unwrap_or("An application without a name"));
    let scopes: String = consent.scope().iter().map(|scope| format!("<li>{}</li>", escape(scope))).collect();
    let buttons = "<button name=\"decision\" value=\"approve\">Allow</button> \
                   <button name=\"decision\" value=\"deny\">Deny</button>";
    let form = form(csrf, "/consent", &[("request", query)], buttons);
    let place = escape(consent.redirect_host());
    page(
        app,
        csrf,
        "Allow access?",
        &format!("<p><b>{name}</b> asks for</p><ul>{scopes}</ul><p>You go on to <b>{place}</b>.</p>{form}"),
    )
}

#[derive(Deserialize)]
pub(crate) struct Decision {
    request: String,
    decision: String,
}

/// `POST /consent`: the request is checked once more, so nothing of it was kept and nothing can be forged.
/// One decision a page: a second press of its buttons leads where the first one did.
pub(crate) async fn decide(
    State(app): State<App>,
    Peer(peer): Peer,
    session: Option<Session>,
    Posted(Decision { request, decision }): Posted<Decision>,
) -> Response {
    // Before the request is judged: a new sign-in that it demands was used up by the first press.
    if let Some(session) = &session {
        match app.accounts.answer(session, &request).await {
            Ok(Answer::None) => {}
            Ok(answer) => return repeat(answer),
            Err(error) => return failed(error),
        }
    }
    let (consent, session) = match ask(&app, session, peer, &request).await {
        Ok(asked) => asked,
        Err(response) => return response,
    };
    match app.accounts.is_first(&session, &request).await {
        Ok(true) => {}
        Ok(false) => return app.accounts.answer(&session, &request).await.map_or_else(failed, repeat),
        Err(error) => return failed(error),
    }
    let answer = match decision.as_str() {
        "approve" => consent.approve().await,
        _ => consent.deny().await,
    };
    let kept = match (answer.header("location"), answer.status) {
        (Some(location), _) => app.accounts.keep_answer(&session, location).await,
        (None, 500..) => app.accounts.show(&session, &request).await, // the next press tries again
        (None, _) => Ok(()),
    };
    if let Err(error) = kept {
        eprintln!("a second press will not find its answer: {error}");
    }
    answer.into_response()
}

fn repeat(answer: Answer) -> Response {
    match answer {
        Answer::Location(location) => leave_to(&location),
        Answer::None | Answer::Elsewhere => {
            problem(StatusCode::CONFLICT, "This page was answered already. Go back to the application.")
        }
    }
}
