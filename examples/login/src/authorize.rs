//! The steps of an authorization request: sign-in, consent, response.

use axum::Form;
use axum::response::{IntoResponse as _, Redirect, Response, Result};
use grantor::{Consent, LoginReason, LoginRequired, Request, SignedIn, Unasked};
use serde::Deserialize;

use crate::sessions::{Session, Visitor};

/// `GET /authorize`: the sign-in page, and after it the consent page.
pub(crate) async fn authorize(visitor: Visitor) -> Result<Response> {
    // Needs no page if the user has already allowed all of it. A program on the user's device always gets the
    // page.
    match judge(&visitor).await?.approve_remembered().await {
        Unasked::Answered(answer) => {
            visitor.keep_answer("", None).await?;
            Ok(answer.into_response())
        }
        Unasked::Ask(consent) => {
            if visitor.session.as_ref().is_some_and(|session| session.is_answered) {
                visitor.keep_answer("", None).await?; // a new page is a new decision
            }
            Ok(visitor.consent_page(&consent).into_response())
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct Pressed {
    decision: String,
    /// The fingerprint of the consent that the page showed.
    #[serde(default)]
    shown: String,
}

/// `POST /consent`: the request is checked again, so it does not have to be stored and cannot be forged.
pub(crate) async fn decide(visitor: Visitor, Form(pressed): Form<Pressed>) -> Result<Response> {
    if let Some(Session { is_answered: true, .. }) = &visitor.session {
        return Ok(visitor.first_answer().await?.into_response());
    }
    let consent = judge(&visitor).await?;
    let allows = pressed.decision == "approve";
    // The consent is not the one that the user saw: the application may have changed its registration since.
    if allows && pressed.shown != consent.fingerprint() {
        return Ok(visitor.consent_page(&consent).into_response());
    }
    if !visitor.is_first().await? {
        return Ok(visitor.first_answer().await?.into_response());
    }
    let answer = if allows { consent.approve().await } else { consent.deny().await };
    let location = answer.header("location").unwrap_or("/");
    // The response is sent even if this fails; then a second press leads to the start page.
    let _ = match answer.status < 500 {
        true => visitor.keep_answer(&visitor.query, Some(location)).await,
        false => visitor.keep_answer("", None).await, // the next press tries again
    };
    Ok(answer.into_response())
}

/// Checks the request. `Err` is the response that the browser gets instead of a consent page.
async fn judge(Visitor { app, peer, query, session, .. }: &Visitor) -> Result<Consent> {
    let mut request = Request::get(query.as_str());
    request.peer = *peer;
    let asked = app.server.authorize(&request).await?;
    let sign_in = || Redirect::to(&format!("/sign-in?{query}"));
    let Some(session) = session else {
        return Err(match asked.login_required().await {
            LoginRequired::ShowLogin(_) => sign_in().into(),
            LoginRequired::Answered(answer) => answer.into(),
        });
    };
    // Only for this request does the sign-in count as a new one (`prompt=login`, `max_age`).
    let asked = if session.is_for_this { asked.seen(session.since) } else { asked };
    match asked.signed_in(session.login()).await {
        SignedIn::Consent(consent) => Ok(consent),
        SignedIn::Reauthenticate(login) => Err(match login.because() {
            LoginReason::StepUp => login.cannot().await.into(), // there is no second factor here
            _ => sign_in().into(),
        }),
        SignedIn::Answered(answer) => Err(answer.into()),
    }
}
