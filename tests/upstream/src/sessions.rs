//! `/authorize` on the sessions of `axum-login` and `tower-sessions`.

use axum::response::{IntoResponse as _, Redirect, Response};
use axum_login::AuthSession;
use chrono::{DateTime, Utc};
use grantor::{AuthorizationServer, Consent, Login, LoginReason, LoginRequired, Request, SessionId};
use serde::{Deserialize, Serialize};

use crate::{Problem, User, Users};

/// What the session keeps of a sign-in, whichever page it was on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedIn {
    pub since: DateTime<Utc>,
    pub acr: Option<String>,
    pub amr: Vec<String>,
    /// For logout: an id of the session's own, not the value of its cookie.
    pub id: String,
}

/// The request that the user signs in for, until it is answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Asked {
    pub query: String,
    pub first_seen: DateTime<Utc>,
    /// Whether the user was signed in already, and the request wants more than that.
    pub again: bool,
}

pub const SIGNED_IN: &str = "signed-in";
pub const ASKED: &str = "asked";

impl SignedIn {
    fn login(&self, user: &User) -> Login {
        let login = Login::new(user.id.as_str(), self.since).with_amr(self.amr.clone());
        let login = login.with_session(SessionId::new(&self.id));
        match &self.acr {
            Some(acr) => login.with_acr(acr.as_str()),
            None => login,
        }
    }
}

/// The last step of every sign-in page.
pub async fn begin(
    auth: &mut AuthSession<Users>,
    user: &User,
    signed_in: &SignedIn,
) -> Result<Redirect, Problem> {
    let asked: Option<Asked> = auth.session.get(ASKED).await?;
    auth.logout().await?; // ends the previous session: an attacker may have planted its cookie
    auth.login(user).await?;
    auth.session.insert(SIGNED_IN, signed_in).await?;
    let Some(asked) = asked else { return Ok(Redirect::to("/")) };
    auth.session.insert(ASKED, &asked).await?;
    Ok(Redirect::to(&format!("/authorize?{}", asked.query)))
}

/// The consent of a request, for `GET /authorize` and `POST /consent`; `Err` is what the browser gets instead.
pub async fn ask(
    server: &AuthorizationServer,
    auth: &AuthSession<Users>,
    query: &str,
) -> Result<Consent, Response> {
    let problem = |error: axum_login::tower_sessions::session::Error| Problem::from(error).into_response();
    let asks = server.authorize(&Request::get(query)).await.map_err(|page| page.into_response())?;
    let asked: Option<Asked> = auth.session.get(ASKED).await.map_err(problem)?;
    let asks = match asked.filter(|asked| asked.query == query) {
        Some(asked) => asks.seen(asked.first_seen),
        None => asks,
    };
    let first_seen = asks.since();
    let sign_in = async |again| {
        let asked = Asked { query: query.to_owned(), first_seen, again };
        auth.session.insert(ASKED, asked).await.map_err(problem)?;
        Err(Redirect::to("/sign-in").into_response())
    };
    let signed_in: Option<SignedIn> = auth.session.get(SIGNED_IN).await.map_err(problem)?;
    let (Some(user), Some(signed_in)) = (&auth.user, signed_in) else {
        return match asks.login_required().await {
            LoginRequired::ShowLogin(_) => sign_in(false).await,
            LoginRequired::Answered(answer) => Err(answer.into_response()), // `prompt=none`
        };
    };
    match asks.signed_in(signed_in.login(user)).await {
        grantor::SignedIn::Consent(consent) => Ok(consent),
        grantor::SignedIn::Reauthenticate(login) if login.because() == LoginReason::StepUp => {
            Err(login.cannot().await.into_response()) // or your page with a passkey
        }
        grantor::SignedIn::Reauthenticate(_) => sign_in(true).await,
        grantor::SignedIn::Answered(answer) => Err(answer.into_response()),
    }
}
