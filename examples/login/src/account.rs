//! The pages of an account: sign-in and sign-up, connected apps, sign-out.

use axum::Form;
use axum::extract::Query;
use axum::response::{IntoResponse, Redirect, Response, Result};
use grantor::store::Filter;
use grantor::{Client, ClientId, ClientRegistry as _, LogoutStep, Request};
use serde::Deserialize;

use crate::pages::{Page, Problem};
use crate::sessions::{Session, Visitor};
use crate::users::Credentials;

pub(crate) async fn home(visitor: Visitor) -> Page<'static> {
    Page::Home { user: visitor.session.map(|session| session.user) }
}

#[derive(Deserialize)]
pub(crate) struct Hint {
    /// Who the application expects.
    #[serde(default)]
    login_hint: String,
}

pub(crate) async fn sign_in_page(Query(hint): Query<Hint>) -> Page<'static> {
    Page::SignIn { name: hint.login_hint, problem: String::new() }
}

/// Redirects back to where the user came from, with 303 and never 307: the next request must not carry the
/// password (RFC 9700 section 4.12).
pub(crate) async fn sign_in(visitor: Visitor, Form(typed): Form<Credentials>) -> Result<impl IntoResponse> {
    let name = typed.name.clone();
    let user = match typed.account.as_str() {
        "new" => visitor.app.sign_up(typed, visitor.peer).await,
        _ => visitor.app.sign_in(typed, visitor.peer).await,
    };
    let user =
        user.map_err(|Problem(status, problem, retry)| (status, retry, Page::SignIn { name, problem }))?;
    let cookie = visitor.begin_session(&user).await?;
    let back = if visitor.query.is_empty() { "/" } else { &format!("/authorize?{}", visitor.query) };
    Ok((cookie, Redirect::to(back)))
}

/// `GET /apps`: who may act for the user.
pub(crate) async fn apps(visitor: Visitor) -> Result<Page<'static>> {
    let (app, user) = (&visitor.app, visitor.user()?);
    let mut apps = Vec::new();
    for one in app.server.applications_of(&user).await.map_err(Problem::from)? {
        let client = app.clients.client(&one.client).await.map_err(Problem::from)?;
        let name = client.as_deref().and_then(Client::name).unwrap_or(one.client.as_str());
        apps.push((name.to_owned(), one));
    }
    Ok(Page::Apps { apps })
}

#[derive(Deserialize)]
pub(crate) struct Chosen {
    client: String,
}

/// `POST /apps`: revokes everything that the user has ever allowed this application.
pub(crate) async fn disconnect(visitor: Visitor, Form(chosen): Form<Chosen>) -> Result<Redirect> {
    let pair = Filter::pair(visitor.user()?, ClientId::new(chosen.client));
    visitor.app.server.revoke_all(&pair).await.map_err(Problem::from)?;
    Ok(Redirect::to("/apps"))
}

/// `GET /logout`: an application signs the user out (OpenID Connect RP-Initiated Logout 1.0).
pub(crate) async fn logout(visitor: Visitor) -> Result<Response> {
    let request = Request::get(visitor.query.as_str());
    end(visitor, request).await
}

/// `POST /sign-out`: the button on our pages, without fields, and the answer to an application's request.
pub(crate) async fn sign_out(visitor: Visitor, form: String) -> Result<Response> {
    if form.is_empty() {
        visitor.end_session().await?;
        return Ok(Redirect::to("/").into_response());
    }
    end(visitor, Request::post_form(form)).await
}

async fn end(visitor: Visitor, request: Request) -> Result<Response> {
    let login = visitor.session.as_ref().map(Session::login);
    match visitor.app.server.logout(&request).await?.session(login.as_ref()) {
        LogoutStep::Ask(question) => Ok(Page::SignOut { question }.into_response()),
        LogoutStep::Go(end) => {
            visitor.end_session().await?;
            Ok(end.finish().await.into_response())
        }
    }
}
