//! The pages of an account: sign-in and sign-up, sign-out, connected apps.

use axum::Form;
use axum::response::{IntoResponse, Redirect, Result};
use grantor::store::Filter;
use grantor::{Client, ClientId, ClientRegistry as _};
use serde::Deserialize;

use crate::pages::{Page, Problem};
use crate::sessions::Visitor;
use crate::users::Credentials;

pub(crate) async fn home(visitor: Visitor) -> Page<'static> {
    Page::Home { user: visitor.session.map(|session| session.user) }
}

pub(crate) async fn sign_in_page() -> Page<'static> {
    Page::SignIn { problem: String::new() }
}

/// Redirects back to where the user came from, with 303 and never 307: the next request must not carry the
/// password (RFC 9700 section 4.12).
pub(crate) async fn sign_in(visitor: Visitor, Form(typed): Form<Credentials>) -> Result<impl IntoResponse> {
    let user = match typed.account.as_str() {
        "new" => visitor.app.sign_up(typed, visitor.peer).await,
        _ => visitor.app.sign_in(typed, visitor.peer).await,
    };
    let user = user.map_err(|Problem(status, problem, retry)| (status, retry, Page::SignIn { problem }))?;
    let cookie = visitor.begin_session(&user).await?;
    let back = if visitor.query.is_empty() { "/" } else { &format!("/authorize?{}", visitor.query) };
    Ok((cookie, Redirect::to(back)))
}

pub(crate) async fn sign_out(visitor: Visitor) -> Result<Redirect> {
    visitor.end_session().await?;
    Ok(Redirect::to("/"))
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
