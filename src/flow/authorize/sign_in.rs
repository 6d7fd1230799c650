//! Whether the user has to sign in, or sign in again, and why (OpenID Connect Core section 3.1.2.1, RFC
//! 9470).

use chrono::{DateTime, TimeDelta, Utc};

use super::{AuthenticationRequest, AwaitLogin, Prompt};
use crate::client::Client;
use crate::error::Reason;
use crate::flow::redirect::ErrorAnswer;
use crate::grant::{Login, Subject};
use crate::issuance::{Issuance, Rules};

/// Why the user is sent to the login page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LoginReason {
    /// No user is signed in.
    NoUser,
    /// The user signed in longer ago than `max_age` allows.
    Stale,
    /// `prompt=login`: the client requires a new login.
    PromptLogin,
    /// The sign-in reached none of the requested [`acr_values`](AuthenticationRequest::acr_values) (RFC
    /// 9470): let the user sign in in a stronger way, and name the class that was reached by
    /// [`Login::with_acr`].
    StepUp,
    /// `prompt=select_account`: let the user choose an account, then say so by
    /// [`Authorization::account_chosen`](crate::Authorization::account_chosen), or let them sign in.
    SelectAccount,
    /// `prompt=create`: show the sign-up page first.
    SignUp,
    /// The client expects the user of its `id_token_hint`, or of the `sub` in the parameter `claims`, but
    /// another one is signed in: let the user sign in as that user. A sign-in as the same wrong user ends the
    /// request.
    OtherUser,
}

impl LoginReason {
    /// The error of a request that ends here (OpenID Connect Core section 3.1.2.6, RFC 9470 section 5).
    pub(super) const fn reason(self) -> Reason {
        match self {
            Self::NoUser | Self::Stale | Self::PromptLogin | Self::OtherUser => Reason::LoginRequired,
            Self::StepUp => Reason::AuthenticationUnmet,
            Self::SelectAccount => Reason::AccountSelectionRequired,
            Self::SignUp => Reason::InteractionRequired,
        }
    }
}

/// Waits for the user to sign in, or to sign in again; they then come back with the same request.
#[derive(Debug)]
pub struct AwaitSignIn {
    pub(super) request: AwaitLogin,
    pub(super) because: LoginReason,
    /// The user who is signed in now.
    pub(super) subject: Option<Subject>,
}

impl AwaitSignIn {
    /// The client that asks.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.request.client
    }

    /// Why the user has to sign in.
    #[must_use]
    pub fn because(&self) -> LoginReason {
        self.because
    }

    /// What the request says about the sign-in.
    #[must_use]
    pub fn requested(&self) -> &AuthenticationRequest {
        &self.request.asked.requested
    }

    /// The same as [`AuthenticationRequest::acr_values`].
    pub fn acr_values(&self) -> impl Iterator<Item = &str> {
        self.requested().acr_values()
    }

    /// When the request was first seen.
    #[must_use]
    pub fn since(&self) -> DateTime<Utc> {
        self.request.since
    }

    /// The error if the host cannot do what [`because`](Self::because) asks for.
    pub fn cannot(self) -> ErrorAnswer {
        let Self { request, because, subject, .. } = self;
        request.refuse(because.reason(), subject)
    }
}

impl AwaitLogin {
    /// Why this login is not enough. A login is fresh if it is not older than the first visit of this
    /// request. In OpenID Connect, `acr_values` is voluntary, and an essential `acr` in `claims` is a
    /// condition.
    pub(super) fn because(
        &self,
        login: &Login,
        issuance: &Issuance,
        now: DateTime<Utc>,
        rules: &Rules,
    ) -> Option<LoginReason> {
        let requested = &self.asked.requested;
        let authentication = login.authentication();
        let is_fresh = authentication.auth_time >= self.since;
        let wants = |prompt| requested.has_prompt(prompt) && !is_fresh;
        let age = now - authentication.auth_time;
        let is_stale = requested.max_age.is_some_and(|max| age > TimeDelta::seconds(max.into()));
        let acr = authentication.acr.as_deref();
        let is_unmet = match issuance.openid.as_deref() {
            Some(openid) => openid.is_unmet_by(acr),
            None => requested.is_unmet_by(acr),
        };
        [
            (self.is_for_another(issuance, rules), LoginReason::OtherUser),
            (wants(Prompt::Create), LoginReason::SignUp),
            (wants(Prompt::SelectAccount) && !self.account_chosen, LoginReason::SelectAccount),
            (wants(Prompt::Login), LoginReason::PromptLogin),
            (is_stale && !is_fresh, LoginReason::Stale),
            (is_unmet, LoginReason::StepUp),
        ]
        .into_iter()
        .find_map(|(holds, because)| holds.then_some(because))
    }
}
