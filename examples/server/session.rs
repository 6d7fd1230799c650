//! Who is at the other end of a cookie.
//!
//! A session lives on the server; the cookie holds 256 random bits that name it. A visitor has one
//! before signing in as well, for the token in the sign-in form. Signing in makes a new one, so an
//! id that somebody planted in a browser is worth nothing afterwards.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use grantor::UserCode;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::app::App;
use crate::applications::NewApplication;
use crate::expiring::Expiring;
use crate::users::User;

const VISIT: Duration = Duration::from_secs(60 * 60);
const VISITORS: usize = 10_000;
const SIGNED_IN: Duration = Duration::from_secs(12 * 60 * 60);
const SIGNED_IN_SESSIONS: usize = 10_000;

/// All sessions, in memory and bounded: a flood of visitors drives out visitors, never the signed-in.
pub(crate) struct Sessions {
    cookie: &'static str,
    attributes: &'static str,
    visitors: Mutex<Pool>,
    signed_in: Mutex<Pool>,
}

type Pool = Expiring<Key, Arc<Session>>;

/// The digest of an id: what is kept is not what is presented.
type Key = [u8; 32];

impl Sessions {
    /// `secure` for an https issuer: the cookie then never travels in the clear, and only this very
    /// host can set it.
    pub(crate) fn new(secure: bool) -> Self {
        let (cookie, attributes) = match secure {
            true => ("__Host-grantor", "; Path=/; HttpOnly; SameSite=Lax; Secure"),
            false => ("grantor-session", "; Path=/; HttpOnly; SameSite=Lax"),
        };
        Self {
            cookie,
            attributes,
            visitors: Mutex::new(Expiring::new(VISIT, VISITORS)),
            signed_in: Mutex::new(Expiring::new(SIGNED_IN, SIGNED_IN_SESSIONS)),
        }
    }

    /// The session that the request's cookie names.
    pub(crate) fn find(&self, headers: &HeaderMap) -> Option<Arc<Session>> {
        let key = key(self.cookie_value(headers)?)?;
        let now = Instant::now();
        let signed_in = lock(&self.signed_in).get(&key, now).cloned();
        signed_in.or_else(|| lock(&self.visitors).get(&key, now).cloned())
    }

    /// A session for a visitor who has none, and the `Set-Cookie` that names it.
    pub(crate) fn visit(&self) -> (Arc<Session>, HeaderValue) {
        self.open(None, Arc::default())
    }

    /// The visitor is `user`: the old session ends, and a new one begins.
    ///
    /// What a visitor did in this browser goes along; what another user did does not.
    pub(crate) fn sign_in(&self, old: &Session, user: Arc<User>) -> HeaderValue {
        self.end(old);
        let browser = match old.signed_in {
            None => Arc::clone(&old.browser),
            Some(_) => Arc::default(),
        };
        self.open(Some(SignedIn { user, since: Utc::now() }), browser).1
    }

    pub(crate) fn end(&self, session: &Session) {
        lock(&self.visitors).remove(&session.key);
        lock(&self.signed_in).remove(&session.key);
    }

    /// The `Set-Cookie` that makes a browser forget its session.
    pub(crate) fn forget(&self) -> HeaderValue {
        self.set_cookie("", "; Max-Age=0")
    }

    fn open(&self, signed_in: Option<SignedIn>, browser: Arc<Browser>) -> (Arc<Session>, HeaderValue) {
        let id: [u8; 32] = rand::random();
        let csrf: [u8; 32] = rand::random();
        let pool = if signed_in.is_some() { &self.signed_in } else { &self.visitors };
        let session = Arc::new(Session {
            key: Sha256::digest(id).into(),
            csrf: URL_SAFE_NO_PAD.encode(csrf),
            signed_in,
            browser,
            once: Mutex::new(None),
        });
        lock(pool).insert(session.key, Arc::clone(&session), Instant::now());
        (session, self.set_cookie(&URL_SAFE_NO_PAD.encode(id), ""))
    }

    fn cookie_value<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        let fields = headers.get_all(header::COOKIE).into_iter().filter_map(|field| field.to_str().ok());
        fields
            .flat_map(|field| field.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find_map(|(name, value)| (name == self.cookie).then_some(value))
    }

    fn set_cookie(&self, value: &str, more: &str) -> HeaderValue {
        let field = format!("{}={value}{}{more}", self.cookie, self.attributes);
        // All of it is from the base64url alphabet or written above.
        HeaderValue::try_from(field).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

/// One browser's session.
pub(crate) struct Session {
    key: Key,
    csrf: String,
    signed_in: Option<SignedIn>,
    browser: Arc<Browser>,
    once: Mutex<Option<NewApplication>>,
}

/// What stays as it is while a visitor signs in.
pub(crate) struct Browser {
    id: String,
    entered: Mutex<Option<UserCode>>,
}

impl Default for Browser {
    fn default() -> Self {
        let id: [u8; 32] = rand::random();
        Self { id: URL_SAFE_NO_PAD.encode(id), entered: Mutex::new(None) }
    }
}

impl Browser {
    /// 256 random bits that nobody outside this server knows.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Keeps the user code of a device, for the pages that follow.
    pub(crate) fn enter(&self, code: Option<UserCode>) {
        *lock(&self.entered) = code;
    }

    pub(crate) fn entered(&self) -> Option<UserCode> {
        *lock(&self.entered)
    }
}

/// The user behind a session.
#[derive(Clone)]
pub(crate) struct SignedIn {
    pub(crate) user: Arc<User>,
    /// When the password was checked: `auth_time` of what is granted in this session.
    pub(crate) since: DateTime<Utc>,
}

impl Session {
    pub(crate) fn signed_in(&self) -> Option<&SignedIn> {
        self.signed_in.as_ref()
    }

    pub(crate) fn browser(&self) -> &Browser {
        &self.browser
    }

    /// The token that this session's forms carry.
    pub(crate) fn csrf(&self) -> &str {
        &self.csrf
    }

    /// Whether a form came from a page of this session.
    pub(crate) fn wrote(&self, csrf: &str) -> bool {
        self.csrf.as_bytes().ct_eq(csrf.as_bytes()).into()
    }

    /// Keeps new credentials for the next page.
    pub(crate) fn show_once(&self, new: NewApplication) {
        *lock(&self.once) = Some(new);
    }

    pub(crate) fn take_new(&self) -> Option<NewApplication> {
        lock(&self.once).take()
    }
}

/// Whoever sent a request, with a session or without one.
pub(crate) struct Visitor(Option<Arc<Session>>);

impl Visitor {
    pub(crate) fn session(&self) -> Option<&Session> {
        self.0.as_deref()
    }

    pub(crate) fn signed_in(&self) -> Option<&SignedIn> {
        self.session()?.signed_in()
    }
}

impl FromRequestParts<App> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        Ok(Self(app.sessions.find(&parts.headers)))
    }
}

fn key(id: &str) -> Option<Key> {
    let id: [u8; 32] = URL_SAFE_NO_PAD.decode(id).ok()?.try_into().ok()?;
    Some(Sha256::digest(id).into())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent_back(set_cookie: &HeaderValue) -> HeaderMap {
        let text = set_cookie.to_str().unwrap_or_default();
        let pair = text.split(';').next().unwrap_or_default();
        let value = HeaderValue::try_from(format!("other=1; {pair}")).unwrap_or(HeaderValue::from_static(""));
        HeaderMap::from_iter([(header::COOKIE, value)])
    }

    #[test]
    fn a_cookie_finds_its_session_and_no_other() {
        let sessions = Sessions::new(false);
        let (session, cookie) = sessions.visit();
        let (other, _) = sessions.visit();
        let found = sessions.find(&sent_back(&cookie)).map(|found| found.csrf().to_owned());
        assert_eq!(found.as_deref(), Some(session.csrf()));
        assert!(session.wrote(session.csrf()) && !session.wrote(other.csrf()) && !session.wrote(""));
        assert!(sessions.find(&HeaderMap::new()).is_none());
    }

    #[test]
    fn signing_in_leaves_the_old_id_worthless() {
        let sessions = Sessions::new(false);
        let (visitor, planted) = sessions.visit();
        let fresh = sessions.sign_in(&visitor, Arc::new(User::named("alice")));
        assert!(sessions.find(&sent_back(&planted)).is_none());
        let session = sessions.find(&sent_back(&fresh));
        assert_eq!(
            session.and_then(|s| s.signed_in().map(|s| s.user.username.clone())).as_deref(),
            Some("alice")
        );
    }

    #[test]
    fn what_a_visitor_did_goes_along_and_what_another_user_did_does_not() {
        let sessions = Sessions::new(false);
        let (visitor, _) = sessions.visit();
        let find = |cookie| sessions.find(&sent_back(&cookie));
        let alice = find(sessions.sign_in(&visitor, Arc::new(User::named("alice"))));
        let ids = alice.as_deref().map(|alice| alice.browser().id() == visitor.browser().id());
        assert_eq!(ids, Some(true));
        let bob =
            alice.as_deref().and_then(|alice| find(sessions.sign_in(alice, Arc::new(User::named("bob")))));
        assert_eq!(bob.map(|bob| bob.browser().id() == visitor.browser().id()), Some(false));
    }

    #[test]
    fn an_https_cookie_is_bound_to_the_host() {
        let (_, cookie) = Sessions::new(true).visit();
        let text = cookie.to_str().unwrap_or_default();
        assert!(
            text.starts_with("__Host-grantor=") && text.ends_with("Path=/; HttpOnly; SameSite=Lax; Secure")
        );
    }
}
