//! Visitors and their sessions. Only the digest of a session cookie is stored. When a session ends,
//! applications lose what they got in it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::Redirect;
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use chrono::{DateTime, Utc};
use grantor::adapter::axum::Peer;
use grantor::{Consent, Login, SessionId, Subject};
use rand::distr::{Alphanumeric, SampleString as _};
use sha2::{Digest as _, Sha256};

use crate::pages::{Page, Problem, Result};
use crate::{App, MINUTE};

/// Twelve hours, in milliseconds.
const LIFETIME: i64 = 12 * 60 * 60 * 1000;

/// The sender of a request.
pub(crate) struct Visitor {
    pub(crate) app: Arc<App>,
    pub(crate) peer: Option<IpAddr>,
    /// The authorization request, on every page from the application's request until its response.
    pub(crate) query: String,
    pub(crate) session: Option<Session>,
    session_id: Vec<u8>,
}

pub(crate) struct Session {
    number: i64,
    pub(crate) user: String,
    pub(crate) since: DateTime<Utc>,
    /// Whether the user signed in for this request and has not answered it yet.
    pub(crate) is_for_this: bool,
    /// Whether it was answered, or the answer is under way.
    pub(crate) is_answered: bool,
}

impl FromRequestParts<Arc<App>> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self> {
        let query = parts.uri.query().unwrap_or_default().to_owned();
        let cookies = CookieJar::from_headers(&parts.headers);
        let session_id = digest(cookies.get(&cookie_name(&app.issuer)).map_or("", Cookie::value));
        let found = sqlx::query_as(
            "SELECT number, user, since, request, answer FROM sessions WHERE id = ? AND since > ?",
        );
        let found = found.bind(&session_id).bind(Utc::now().timestamp_millis() - LIFETIME);
        let found: Option<(i64, String, i64, String, Option<String>)> =
            found.fetch_optional(&app.pool).await?;
        let session = found.map(|(number, user, since, request, answer)| Session {
            number,
            user,
            since: DateTime::from_timestamp_millis(since).unwrap_or_default(),
            is_for_this: request == query && answer.is_none(),
            is_answered: request == query && answer.is_some(),
        });
        Ok(Self { app: Arc::clone(app), peer: Peer::of(&parts.extensions).0, query, session, session_id })
    }
}

impl Visitor {
    /// `Err` is the redirect to the sign-in page.
    pub(crate) fn user(&self) -> std::result::Result<Subject, Redirect> {
        let session = self.session.as_ref().ok_or_else(|| Redirect::to("/sign-in"))?;
        Ok(Subject::user(session.user.as_str()))
    }

    /// A user who signs in again continues the session, which applications know. The cookie is always new,
    /// because the previous one may have been planted.
    pub(crate) async fn begin_session(&self, user: &str) -> Result<CookieJar> {
        let id = Alphanumeric.sample_string(&mut rand::rng(), 43); // 256 bits
        let (digest, now, request) = (digest(&id), Utc::now().timestamp_millis(), &self.query);
        let again = sqlx::query(
            "UPDATE sessions SET id = ?, since = ?, request = ?, answer = NULL \
             WHERE id = ? AND user = ? AND since > ?",
        );
        let again = again.bind(&digest).bind(now).bind(request).bind(&self.session_id).bind(user);
        if again.bind(now - LIFETIME).execute(&self.app.pool).await?.rows_affected() == 0 {
            self.end_session().await?;
            let begun = sqlx::query("INSERT INTO sessions (id, user, since, request) VALUES (?, ?, ?, ?)");
            begun.bind(digest).bind(user).bind(now).bind(request).execute(&self.app.pool).await?;
        }
        let cookie = Cookie::build((cookie_name(&self.app.issuer), id)).path("/").http_only(true);
        let is_secure = self.app.issuer.starts_with("https:");
        Ok(CookieJar::new().add(cookie.same_site(SameSite::Lax).secure(is_secure)))
    }

    /// From now on the cookie is worth nothing. What applications got ends at once, or within minutes if that
    /// fails.
    pub(crate) async fn end_session(&self) -> Result<()> {
        let ended = sqlx::query("UPDATE sessions SET id = NULL WHERE id = ?").bind(&self.session_id);
        if ended.execute(&self.app.pool).await?.rows_affected() > 0 {
            let _ = self.app.end_sessions().await;
        }
        Ok(())
    }

    /// Returns whether this is the first press of a button. From now on, the request counts as answered.
    pub(crate) async fn is_first(&self) -> Result<bool> {
        let first = sqlx::query(
            "UPDATE sessions SET request = ?, answer = '/' WHERE id = ? AND (request <> ? OR answer IS NULL)",
        );
        let first = first.bind(&self.query).bind(&self.session_id).bind(&self.query);
        Ok(first.execute(&self.app.pool).await?.rows_affected() > 0)
    }

    /// The redirect of the first press. That may be under way: after two seconds, the start page.
    pub(crate) async fn first_answer(&self) -> Result<Redirect> {
        for _ in 0..40 {
            let answer = "SELECT answer FROM sessions WHERE id = ? AND request = ? AND answer <> '/'";
            let answer = sqlx::query_scalar(answer).bind(&self.session_id).bind(&self.query);
            let answer: Option<String> = answer.fetch_optional(&self.app.pool).await?;
            match answer {
                Some(answer) => return Ok(Redirect::to(&answer)),
                None => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        Ok(Redirect::to("/"))
    }

    pub(crate) fn consent_page<'a>(&'a self, consent: &'a Consent) -> Page<'a> {
        let user = self.session.as_ref().map_or("", |session| session.user.as_str());
        Page::Consent { consent, user, query: &self.query }
    }

    /// Records that `request` led to `answer`, which a second press repeats. The sign-in no longer counts as
    /// new for it.
    pub(crate) async fn keep_answer(&self, request: &str, answer: Option<&str>) -> Result<()> {
        let kept = sqlx::query("UPDATE sessions SET request = ?, answer = ? WHERE id = ?");
        kept.bind(request).bind(answer).bind(&self.session_id).execute(&self.app.pool).await?;
        Ok(())
    }
}

impl Session {
    pub(crate) fn login(&self) -> Login {
        Login::new(self.user.as_str(), self.since).with_session(known_as(self.number))
    }
}

impl App {
    /// Ends what applications got in sessions that are over, and tells the applications.
    async fn end_sessions(&self) -> Result<()> {
        let over = sqlx::query_scalar("SELECT number FROM sessions WHERE id IS NULL OR since <= ?");
        let over: Vec<i64> =
            over.bind(Utc::now().timestamp_millis() - LIFETIME).fetch_all(&self.pool).await?;
        for number in over {
            self.server.end_session(&known_as(number)).await?;
            sqlx::query("DELETE FROM sessions WHERE number = ?").bind(number).execute(&self.pool).await?;
        }
        Ok(())
    }

    pub(crate) async fn keep_ending_sessions(&self) {
        loop {
            let _ = self.end_sessions().await; // what fails is tried again
            tokio::time::sleep(MINUTE).await;
        }
    }
}

fn known_as(number: i64) -> SessionId {
    SessionId::new(&number.to_string())
}

/// Browsers send a cookie to every port of a host, so over http its name contains the port. Over https, only
/// this host can set it.
fn cookie_name(issuer: &str) -> String {
    match issuer.strip_prefix("http://") {
        Some(host) => format!("session-{}", host.rsplit(':').next().unwrap_or_default()),
        None => "__Host-session".to_owned(),
    }
}

fn digest(cookie: &str) -> Vec<u8> {
    Sha256::digest(cookie).to_vec()
}
