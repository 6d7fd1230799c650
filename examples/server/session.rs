//! Sessions: who sent a cookie.
//!
//! A session lives on the server; the cookie contains 256 random bits that identify it. Visitors have a
//! session even before they sign in, for the token in the sign-in form. Signing in creates a new session, so
//! a planted session id is useless afterwards (session fixation).
//!
//! A session remembers when each authorization request was first seen, for a login that has to be newer;
//! whether the PIN page was offered for it; and the response to each consent page, for a button that is
//! pressed twice.

use std::collections::HashSet;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use grantor::{Login, SessionId, UserCode};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::app::App;
use crate::applications::NewApplication;
use crate::cookies::Cookie;
use crate::decisions::Decisions;
use crate::expiring::Expiring;
use crate::remembered::Remembered;
use crate::users::User;
use crate::visitors::Visitors;

const VISIT: Duration = Duration::from_secs(60 * 60);
const VISITORS: usize = 10_000;
pub(crate) const SIGNED_IN: Duration = Duration::from_secs(12 * 60 * 60);
const SIGNED_IN_SESSIONS: usize = 10_000;
const WAITING: Duration = Duration::from_secs(60 * 60);
const WAITING_REQUESTS: usize = 32;
/// A session ends after this many wrong PINs.
const WRONG_PINS: u32 = 5;

/// The authentication context class (`acr`) of a sign-in by password.
pub(crate) const BY_PASSWORD: &str = "1";
/// The `acr` of a sign-in by password and PIN.
pub(crate) const BY_PIN: &str = "2";

/// All sessions, in memory and bounded: a flood of visitors evicts its own sessions, and never those of
/// signed-in users.
pub(crate) struct Sessions {
    cookie: Cookie,
    visitors: Mutex<Visitors<Key, Arc<Session>>>,
    signed_in: Mutex<Expiring<Key, Arc<Session>>>,
    /// Those that made room since they were last looked for.
    crowded_out: Mutex<Vec<Arc<Session>>>,
    /// Those of users that ended here lately, so that a button that is pressed twice finds no unknown session.
    ended: Mutex<Expiring<Key, ()>>,
}

/// The digest of a session id; the id itself is not stored.
type Key = [u8; 32];

impl Sessions {
    pub(crate) fn new(secure: bool, host: &str) -> Self {
        Self {
            cookie: Cookie::new("grantor-session", secure, host),
            visitors: Mutex::new(Visitors::new(VISIT, VISITORS)),
            signed_in: Mutex::new(Expiring::new(SIGNED_IN, SIGNED_IN_SESSIONS)),
            crowded_out: Mutex::default(),
            ended: Mutex::new(Expiring::new(VISIT, SIGNED_IN_SESSIONS)),
        }
    }

    /// The session that the request's cookie identifies.
    pub(crate) fn find(&self, headers: &HeaderMap) -> Option<Arc<Session>> {
        let key = self.key(headers)?;
        let now = Instant::now();
        let signed_in = lock(&self.signed_in).get(&key, now).cloned();
        signed_in.or_else(|| lock(&self.visitors).get(&key, now).cloned())
    }

    /// Whether the request's cookie names a session that this process cannot end: it began in an earlier
    /// process or at another node, or its time was up.
    pub(crate) fn is_unknown(&self, headers: &HeaderMap) -> bool {
        let Some(key) = self.key(headers) else { return false };
        self.find(headers).is_none() && lock(&self.ended).get(&key, Instant::now()).is_none()
    }

    /// A new session for a visitor from this address, and its `Set-Cookie`.
    pub(crate) fn visit(&self, peer: Option<IpAddr>) -> (Arc<Session>, HeaderValue) {
        let (session, cookie) = self.new_session(None, Arc::default(), Arc::default());
        lock(&self.visitors).insert(session.key, Arc::clone(&session), peer, Instant::now());
        (session, cookie)
    }

    /// Signs in the visitor as `user`: the old session ends, and a new one begins.
    ///
    /// The new session takes over what a visitor or the same user did in this browser, but not what another
    /// user did. It always takes over when requests were first seen, which does not depend on the user.
    pub(crate) fn sign_in(&self, old: &Session, user: Arc<User>) -> HeaderValue {
        self.end(old);
        let browser = match &old.signed_in {
            Some(before) if before.user.sub != user.sub => Arc::default(),
            Some(_) | None => Arc::clone(&old.browser),
        };
        // The same user's session continues with another cookie.
        let before = old.signed_in.as_ref().filter(|before| before.user.sub == user.sub);
        let name = before.map_or_else(random_name, |before| Arc::clone(&before.name));
        let signed_in = SignedIn { user, since: Utc::now(), acr: BY_PASSWORD, name };
        self.open(signed_in, browser, Arc::clone(&old.first_seen))
    }

    /// The user has also entered the right PIN, which begins a new session again. `None` if no one is signed
    /// in.
    pub(crate) fn step_up(&self, old: &Session) -> Option<HeaderValue> {
        let signed_in = SignedIn { acr: BY_PIN, ..old.signed_in.clone()? };
        self.end(old);
        Some(self.open(signed_in, Arc::clone(&old.browser), Arc::clone(&old.first_seen)))
    }

    /// Counts a wrong PIN. Returns whether this ended the session, as happens after too many.
    pub(crate) fn wrong_pin(&self, session: &Session) -> bool {
        let is_over = session.wrong_pins.fetch_add(1, Ordering::Relaxed) + 1 >= WRONG_PINS;
        if is_over {
            self.end(session);
        }
        is_over
    }

    pub(crate) fn end(&self, session: &Session) {
        if session.signed_in.is_some() {
            lock(&self.ended).insert(session.key, (), Instant::now());
        }
        lock(&self.visitors).remove(&session.key);
        lock(&self.signed_in).remove(&session.key);
    }

    /// The sessions of users that expired or made room for others since the last call, and that do not go on
    /// under another cookie.
    pub(crate) fn take_gone(&self, now: Instant) -> Vec<SessionId> {
        let mut signed_in = lock(&self.signed_in);
        let mut gone = std::mem::take(&mut *lock(&self.crowded_out));
        gone.extend(signed_in.expire(now));
        let live: HashSet<&str> =
            signed_in.values().filter_map(|session| Some(&*session.signed_in()?.name)).collect();
        let gone = gone.iter().filter_map(|session| session.signed_in());
        gone.filter(|by| !live.contains(&*by.name)).map(SignedIn::session_id).collect()
    }

    /// The `Set-Cookie` that makes a browser forget its session.
    pub(crate) fn forget(&self) -> HeaderValue {
        self.cookie.forget()
    }

    fn open(&self, signed_in: SignedIn, browser: Arc<Browser>, first_seen: Arc<FirstSeen>) -> HeaderValue {
        let (session, cookie) = self.new_session(Some(signed_in), browser, first_seen);
        let dropped = lock(&self.signed_in).insert(session.key, session, Instant::now());
        lock(&self.crowded_out).extend(dropped);
        cookie
    }

    fn new_session(
        &self,
        signed_in: Option<SignedIn>,
        browser: Arc<Browser>,
        first_seen: Arc<FirstSeen>,
    ) -> (Arc<Session>, HeaderValue) {
        let (id, cookie) = self.cookie.create();
        let csrf: [u8; 32] = rand::random();
        let session = Arc::new(Session {
            key: Sha256::digest(id).into(),
            csrf: URL_SAFE_NO_PAD.encode(csrf),
            signed_in,
            browser,
            first_seen,
            decisions: Decisions::default(),
            wrong_pins: AtomicU32::new(0),
            once: Mutex::new(None),
        });
        (session, cookie)
    }

    fn key(&self, headers: &HeaderMap) -> Option<Key> {
        self.cookie.read(headers).map(|id| Sha256::digest(id).into())
    }
}

/// One browser's session.
pub(crate) struct Session {
    key: Key,
    csrf: String,
    signed_in: Option<SignedIn>,
    browser: Arc<Browser>,
    first_seen: Arc<FirstSeen>,
    /// The responses to this session's consent pages.
    pub(crate) decisions: Decisions,
    wrong_pins: AtomicU32,
    once: Mutex<Option<NewApplication>>,
}

/// The requests that wait for a sign-in, by digest.
struct FirstSeen(Mutex<Expiring<Key, Waiting>>);

/// What is kept of a request that waits for a sign-in.
#[derive(Clone, Copy)]
struct Waiting {
    /// When it was first seen.
    since: DateTime<Utc>,
    /// Whether the user was offered the PIN page.
    is_pin_offered: bool,
}

impl Default for FirstSeen {
    fn default() -> Self {
        Self(Mutex::new(Expiring::new(WAITING, WAITING_REQUESTS)))
    }
}

/// State that a visitor keeps across the sign-in.
#[derive(Default)]
pub(crate) struct Browser {
    entered: Mutex<Option<UserCode>>,
    /// The latest decision about a device. The lock allows only one decision at a time.
    pub(crate) answered: tokio::sync::Mutex<Option<AnsweredDevice>>,
    pub(crate) remembered: Remembered,
}

/// A user's decision about a device, for a button that is pressed twice.
#[derive(Clone)]
pub(crate) struct AnsweredDevice {
    pub(crate) code: UserCode,
    pub(crate) allowed: bool,
    pub(crate) client_name: String,
}

impl Browser {
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
    /// When the password was checked: the `auth_time` of the grants of this session.
    pub(crate) since: DateTime<Utc>,
    /// The authentication context class of the sign-in.
    pub(crate) acr: &'static str,
    /// The session's name, which is not in any cookie.
    name: Arc<str>,
}

fn random_name() -> Arc<str> {
    let name: [u8; 16] = rand::random();
    URL_SAFE_NO_PAD.encode(name).into()
}

impl SignedIn {
    /// The sign-in as grantor's type.
    pub(crate) fn login(&self) -> Login {
        self.login_as(self.acr)
    }

    /// The same for an application that wants one of these classes. A sign-in with a PIN began with a
    /// password, so it is of that class, too.
    pub(crate) fn login_for<'a>(&self, wanted: impl Iterator<Item = &'a str>) -> Login {
        let wanted: Vec<&str> = wanted.collect();
        match wanted.contains(&BY_PASSWORD) && !wanted.contains(&self.acr) {
            true => self.login_as(BY_PASSWORD),
            false => self.login(),
        }
    }

    fn login_as(&self, acr: &str) -> Login {
        let methods: &[&str] = if self.acr == BY_PIN { &["pwd", "pin", "mfa"] } else { &["pwd"] };
        let login = Login::new(self.user.sub.as_str(), self.since).with_acr(acr);
        login.with_amr(methods.iter().copied()).with_session(self.session_id())
    }

    pub(crate) fn session_id(&self) -> SessionId {
        SessionId::new(&self.name)
    }
}

impl Session {
    pub(crate) fn signed_in(&self) -> Option<&SignedIn> {
        self.signed_in.as_ref()
    }

    pub(crate) fn browser(&self) -> &Browser {
        &self.browser
    }

    /// When this request was first seen, if it has sent the user to sign in.
    pub(crate) fn first_seen(&self, request: &str) -> Option<DateTime<Utc>> {
        lock(&self.first_seen.0).get(&digest(request), Instant::now()).map(|waiting| waiting.since)
    }

    /// Keeps the moment until the request is answered.
    pub(crate) fn keep_first_seen(&self, request: &str, since: DateTime<Utc>) {
        let (key, now) = (digest(request), Instant::now());
        let mut seen = lock(&self.first_seen.0);
        if seen.get(&key, now).is_none() {
            seen.insert(key, Waiting { since, is_pin_offered: false }, now);
        }
    }

    /// Returns whether the PIN page should be offered for this request, which was first seen at `since`. From
    /// now on it counts as offered, until the request is answered.
    pub(crate) fn offer_pin(&self, request: &str, since: DateTime<Utc>) -> bool {
        let (key, now) = (digest(request), Instant::now());
        let mut seen = lock(&self.first_seen.0);
        let before = seen.get(&key, now).copied().unwrap_or(Waiting { since, is_pin_offered: false });
        if !before.is_pin_offered {
            seen.insert(key, Waiting { is_pin_offered: true, ..before }, now);
        }
        !before.is_pin_offered
    }

    /// Forgets an answered request: from now on, the same request counts as a new one.
    pub(crate) fn forget_first_seen(&self, request: &str) {
        lock(&self.first_seen.0).remove(&digest(request));
    }

    /// The token that this session's forms carry.
    pub(crate) fn csrf(&self) -> &str {
        &self.csrf
    }

    /// Whether a form with this token came from a page of this session.
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

/// The sender of a request, with a session or without one.
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

fn digest(request: &str) -> Key {
    Sha256::digest(request).into()
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
