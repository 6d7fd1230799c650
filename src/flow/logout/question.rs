//! The question whether the user wants to sign out, and the proof of their confirmation.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};

use super::hint::SKEW;
use super::{AwaitSession, CONFIRMATION, LogoutParameters};
use crate::base::SessionId;
use crate::base::secret::Digest;
use crate::client::Client;
use crate::grant::Login;
use crate::issuance::Rules;

/// How long the user's confirmation is valid, in seconds.
const LIFETIME: i64 = 10 * 60;

const TIME_BYTES: usize = 8;
const MAC_BYTES: usize = 32;

/// What a user confirms: that this session ends at the request of this client, and where the browser goes
/// then.
pub(super) struct Intent {
    session: SessionId,
    /// A digest of the requesting client, the redirect URI and the `state`.
    what: Digest,
}

impl Intent {
    pub(super) fn new(state: &AwaitSession, login: &Login) -> Self {
        let user = || SessionId::new(&format!("{} without a session", login.subject().key()));
        let client = state.client.as_ref().map(|client| client.id());
        let (to, state_of) = (state.to.as_ref().map(|to| to.as_str()), state.said.state.as_deref());
        // `Debug` quotes and escapes each value, so no value can imitate the boundary to the next one.
        let what = Digest::of("grantor:logout:v1", format!("{client:?} {to:?} {state_of:?}").as_bytes());
        Self { session: login.session.unwrap_or_else(user), what }
    }

    /// Whether this token confirms the intent. A confirmation ends the session that it is bound to, so it
    /// works once; without a session it is bound to the user, and works for [`LIFETIME`] in each of their
    /// browsers.
    pub(super) fn is_confirmed_by(&self, said: &str, now: DateTime<Utc>, rules: &Rules) -> bool {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(said) else { return false };
        let Some((time, mac)) = bytes.split_first_chunk::<TIME_BYTES>() else { return false };
        let Ok(mac) = <[u8; MAC_BYTES]>::try_from(mac) else { return false };
        let asked = i64::from_be_bytes(*time);
        let is_fresh =
            asked <= now.timestamp().saturating_add(SKEW) && now.timestamp() < asked.saturating_add(LIFETIME);
        is_fresh && self.mac(*time, rules).is_some_and(|right| right.matches(&Digest::new(mac)))
    }

    /// The token that confirms the intent, valid from now on. On a server without sessions it is empty, and
    /// confirms nothing.
    fn token(&self, now: DateTime<Utc>, rules: &Rules) -> String {
        let time = now.timestamp().to_be_bytes();
        let mac = self.mac(time, rules);
        mac.map(|mac| URL_SAFE_NO_PAD.encode([&time[..], mac.expose()].concat())).unwrap_or_default()
    }

    fn mac(&self, time: [u8; TIME_BYTES], rules: &Rules) -> Option<Digest> {
        let sessions = rules.openid.as_ref()?.sessions.as_ref()?;
        Some(
            sessions.mac("grantor:logout-question:v1", &[self.session.as_bytes(), &time, self.what.expose()]),
        )
    }
}

/// The question for the host's page.
pub(crate) struct Question {
    said: LogoutParameters,
    client: Option<Arc<Client>>,
    token: String,
}

/// Omits the token.
impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Question");
        shown.field("said", &self.said).field("client", &self.client).finish_non_exhaustive()
    }
}

impl Question {
    /// The question of this request, with a token that is bound to the intent.
    pub(super) fn new(state: AwaitSession, intent: &Intent, now: DateTime<Utc>, rules: &Rules) -> Self {
        let AwaitSession { said, client, .. } = state;
        Self { said, client, token: intent.token(now, rules) }
    }

    pub(crate) fn client(&self) -> Option<&Client> {
        self.client.as_deref()
    }

    pub(crate) fn said(&self) -> &LogoutParameters {
        &self.said
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// The fields of the confirmation form: the parameters of the request, and the token.
    pub(crate) fn fields(&self) -> Vec<(&'static str, String)> {
        let LogoutParameters { id_token_hint, client_id, post_logout_redirect_uri, state, .. } = &self.said;
        let said = [
            ("id_token_hint", id_token_hint.clone()),
            ("client_id", client_id.as_ref().map(|id| id.as_str().to_owned())),
            ("post_logout_redirect_uri", post_logout_redirect_uri.clone()),
            ("state", state.clone()),
        ];
        let said = said.into_iter().filter_map(|(name, value)| Some((name, value?)));
        said.chain([(CONFIRMATION, self.token.clone())]).collect()
    }
}
