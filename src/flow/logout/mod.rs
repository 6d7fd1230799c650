//! The logout request of a client (OpenID Connect RP-Initiated Logout 1.0).
//!
//! ```text
//! Request ─▶ AwaitHint ─▶ AwaitClient ─▶ AwaitSession ─┬▶ Question ─▶ the same request, with the user's yes
//!                                                      └▶ Granted
//! ```

mod hint;
mod question;
mod token;

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};

pub(crate) use hint::HintClaims;
use question::Intent;
pub(crate) use question::Question;
pub(crate) use token::logout_token;

use crate::base::query::with_parameters;
use crate::base::redirect_uri::RedirectUri;
use crate::client::{Client, ClientId};
use crate::error::{Reason, Refusal};
use crate::grant::Login;
use crate::http::form::Form;
use crate::http::{Method, Request};
use crate::issuance::Rules;

/// The parameters of a logout request.
#[derive(Default)]
pub(crate) struct LogoutParameters {
    id_token_hint: Option<String>,
    client_id: Option<ClientId>,
    post_logout_redirect_uri: Option<String>,
    state: Option<String>,
    confirmation: Option<String>,
    pub(crate) logout_hint: Option<String>,
    pub(crate) ui_locales: Option<String>,
}

/// Omits the texts: the hint names the user, and the confirmation can sign them out.
impl fmt::Debug for LogoutParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogoutParameters").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// The parameter with the user's confirmation, from the page of the host.
pub(crate) const CONFIRMATION: &str = "logout_confirmation";

/// The maximum length of `state`, in bytes.
const MAX_STATE: usize = 2048;

/// A parsed request. Waits for the claims of the hint.
#[derive(Debug)]
pub(crate) struct AwaitHint {
    said: LogoutParameters,
}

impl AwaitHint {
    /// Reads a query (`GET`) or a form (`POST`).
    ///
    /// # Errors
    /// The request cannot be read, or it repeats a parameter.
    pub(crate) fn parse(request: &Request) -> Result<Self, Refusal> {
        let parameters = match request.method {
            Method::Post => request.posted_form()?,
            Method::Get
            | Method::Head
            | Method::Put
            | Method::Delete
            | Method::Options
            | Method::Other(_) => request.query.as_deref().unwrap_or_default().as_bytes(),
        };
        let form = Form::parse(parameters)?;
        form.check_repeats()?;
        let text = |name| -> Result<Option<String>, Reason> { Ok(form.one(name)?.map(str::to_owned)) };
        let state = text("state")?;
        if state.as_ref().is_some_and(|state| state.len() > MAX_STATE) {
            return Err(Reason::FormTooLarge.into());
        }
        let said = LogoutParameters {
            id_token_hint: text("id_token_hint")?,
            client_id: form.one("client_id")?.map(ClientId::new),
            post_logout_redirect_uri: text("post_logout_redirect_uri")?,
            state,
            confirmation: text(CONFIRMATION)?,
            logout_hint: text("logout_hint")?,
            ui_locales: text("ui_locales")?,
        };
        Ok(Self { said })
    }

    /// The hint that has to be verified.
    pub(crate) fn hint(&self) -> Option<&str> {
        self.said.id_token_hint.as_deref()
    }

    /// Takes the claims of the hint.
    ///
    /// # Errors
    /// The hint is not from this server, or it names a different client than the request.
    pub(crate) fn with_hint(self, hint: Option<HintClaims>) -> Result<AwaitClient, Reason> {
        if self.said.id_token_hint.is_some() && hint.is_none() {
            return Err(Reason::IdTokenHintInvalid);
        }
        let named = self.said.client_id.as_ref();
        match (&hint, named) {
            (Some(hint), Some(named)) if hint.client != *named => Err(Reason::IdTokenHintOfAnother),
            _ => Ok(AwaitClient { said: self.said, hint }),
        }
    }
}

/// Waits for the requesting client, if the request names one.
#[derive(Debug)]
pub(crate) struct AwaitClient {
    said: LogoutParameters,
    hint: Option<HintClaims>,
}

impl AwaitClient {
    /// The client that has to be looked up.
    pub(crate) fn client_id(&self) -> Option<&ClientId> {
        self.hint.as_ref().map(|hint| &hint.client).or(self.said.client_id.as_ref())
    }

    /// Takes the client. A deleted or disabled client gets no redirect, but the user can still sign out.
    ///
    /// # Errors
    /// The client did not register this redirect URI.
    pub(crate) fn with_client(
        self,
        client: Option<Arc<Client>>,
        rules: &Rules,
    ) -> Result<AwaitSession, Reason> {
        let Self { said, hint } = self;
        let to = match (&client, said.post_logout_redirect_uri.as_deref()) {
            (Some(client), Some(asked)) => {
                let registered = client.post_logout_redirect_uri(asked, rules.profile);
                Some(registered.ok_or(Reason::PostLogoutRedirectUri)?)
            }
            // Without a known client, the redirect URI cannot be verified.
            (None, _) | (_, None) => None,
        };
        Ok(AwaitSession { said, hint, client, to })
    }
}

/// Waits for the host to say who is signed in.
#[derive(Debug)]
pub(crate) struct AwaitSession {
    pub(crate) said: LogoutParameters,
    hint: Option<HintClaims>,
    client: Option<Arc<Client>>,
    to: Option<RedirectUri>,
}

/// The next step.
#[derive(Debug)]
#[must_use]
pub(crate) enum LogoutDecision {
    /// The user has to be asked.
    Ask(Box<Question>),
    /// The session may end.
    Go(Granted),
}

/// The session may end, and then the browser is redirected.
#[derive(Debug)]
pub(crate) struct Granted {
    /// Where the browser goes, with `state`.
    pub(crate) to: Option<String>,
    pub(crate) client: Option<Arc<Client>>,
}

impl AwaitSession {
    /// The requesting client, if it is known.
    pub(crate) fn client(&self) -> Option<&Client> {
        self.client.as_deref()
    }

    /// Takes the user who is signed in. Without a user there is nothing to ask: a repeated request gets the
    /// same response as the first one.
    pub(crate) fn with_login(
        self,
        login: Option<&Login>,
        now: DateTime<Utc>,
        rules: &Rules,
    ) -> LogoutDecision {
        let is_proven = self.hint.is_some();
        let Some(login) = login else {
            return LogoutDecision::Go(self.granted(is_proven));
        };
        if self.hint.as_ref().is_some_and(|hint| self.is_of(hint, login, rules)) {
            return LogoutDecision::Go(self.granted(true));
        }
        let (intent, said) = (Intent::new(&self, login), self.said.confirmation.as_deref());
        match said.is_some_and(|said| intent.is_confirmed_by(said, now, rules)) {
            // The user confirmed on a page that names the client, so the redirect may go to that client.
            true => LogoutDecision::Go(self.granted(true)),
            false => LogoutDecision::Ask(Box::new(Question::new(self, &intent, now, rules))),
        }
    }

    /// Whether the hint belongs to the session and to the user who is signed in.
    fn is_of(&self, hint: &HintClaims, login: &Login, rules: &Rules) -> bool {
        let (Some(session), Some(openid), Some(client)) = (login.session, &rules.openid, &self.client) else {
            return false;
        };
        let is_of_session = openid.sessions.as_ref().is_some_and(|sessions| hint.is_of(session, sessions));
        is_of_session && hint.is_about(login.subject(), client, rules)
    }

    fn granted(self, is_proven: bool) -> Granted {
        let Self { said, client, to, .. } = self;
        let to = to.filter(|_| is_proven).map(|uri| address(&uri, said.state.as_deref()));
        Granted { to, client }
    }
}

/// The registered address, and the `state` of the request.
fn address(uri: &RedirectUri, state: Option<&str>) -> String {
    match state {
        Some(state) => with_parameters(uri.as_str(), [("state", state)]),
        None => uri.as_str().to_owned(),
    }
}
