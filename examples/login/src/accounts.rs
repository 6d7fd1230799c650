//! Users and their sessions, in SQLite. Of a session id only the digest is stored, and of a password only its
//! Argon2 hash.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use grantor::server::RateLimiter;
use sha2::{Digest as _, Sha256};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use tokio::sync::Semaphore;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS users (name TEXT PRIMARY KEY COLLATE NOCASE, password TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS sessions (
        id BLOB PRIMARY KEY, user TEXT NOT NULL, since INTEGER NOT NULL,
        signed_in_for TEXT, shown TEXT, answered TEXT, answer TEXT) STRICT;
";
/// A session ends after twelve hours, in milliseconds.
const SESSION: i64 = 12 * 60 * 60 * 1000;
/// Wrong passwords a minute from one address, for one name.
const GUESSES: u32 = 10;
/// New accounts a minute from one address.
const SIGN_UPS: u32 = 5;
/// Password hashes at once: each takes 19 MB and a core for tens of milliseconds.
const HASHES: usize = 4;

/// All accounts.
pub(crate) struct Accounts {
    pool: SqlitePool,
    guesses: RateLimiter,
    sign_ups: RateLimiter,
    hashes: Arc<Semaphore>,
    /// The hash of a random password: an unknown name costs what a known one does.
    unknown: String,
}

/// A browser in which a user is signed in.
#[derive(Clone)]
pub(crate) struct Session {
    id: Vec<u8>,
    pub(crate) user: String,
    pub(crate) since: DateTime<Utc>,
    /// The authorization request that the user signed in for: for it alone this sign-in is a new one.
    pub(crate) signed_in_for: Option<String>,
}

/// Why there is no session.
#[derive(Debug)]
pub(crate) enum Refused {
    Wrong(&'static str),
    /// When to try again.
    TooMany(Duration),
    Failed,
}

/// What became of a consent page.
pub(crate) enum Answer {
    /// It waits for its answer.
    None,
    /// The answer is a redirect.
    Location(String),
    /// The answer is under way, or is a page.
    Elsewhere,
}

impl From<sqlx::Error> for Refused {
    fn from(error: sqlx::Error) -> Self {
        eprintln!("accounts: {error}");
        Self::Failed
    }
}

impl Accounts {
    pub(crate) async fn open(path: &str) -> Result<Self, Box<dyn std::error::Error>> {
        let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
        let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await?;
        sqlx::raw_sql(SCHEMA).execute(&pool).await?;
        Ok(Self {
            pool,
            guesses: RateLimiter::per_minute(GUESSES),
            sign_ups: RateLimiter::per_minute(SIGN_UPS),
            hashes: Arc::new(Semaphore::new(HASHES)),
            unknown: hash(random().as_bytes()).ok_or("no hash")?,
        })
    }

    /// The name of the new user.
    pub(crate) async fn sign_up(
        &self,
        name: &str,
        password: &str,
        peer: Option<IpAddr>,
    ) -> Result<String, Refused> {
        if password.chars().count() < 8 || password.len() > 1024 {
            return Err(Refused::Wrong("A password has at least eight characters."));
        }
        if !(1..=64).contains(&name.len()) || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(Refused::Wrong("A name has at most 64 letters and digits."));
        }
        self.sign_ups.begin(peer, (), Utc::now()).map_err(Refused::TooMany)?.keep();
        let hash = self.slowly(password, hash).await.flatten().ok_or(Refused::Failed)?;
        let new = sqlx::query("INSERT INTO users (name, password) VALUES (?, ?) ON CONFLICT DO NOTHING");
        match new.bind(name).bind(hash).execute(&self.pool).await?.rows_affected() {
            0 => Err(Refused::Wrong("This name is taken.")),
            _ => Ok(name.to_owned()),
        }
    }

    /// The name of the user, as it was written at sign-up.
    pub(crate) async fn sign_in(
        &self,
        name: &str,
        password: &str,
        peer: Option<IpAddr>,
    ) -> Result<String, Refused> {
        // The database compares names without regard to case, so the limit has to.
        let attempt = self.guesses.begin(peer, name.to_ascii_lowercase(), Utc::now());
        let attempt = attempt.map_err(Refused::TooMany)?;
        let known = sqlx::query_as("SELECT name, password FROM users WHERE name = ?");
        let known: Option<(String, String)> = known.bind(name).fetch_optional(&self.pool).await?;
        let (user, hash) = known.map_or((None, self.unknown.clone()), |(name, hash)| (Some(name), hash));
        let is_right = self.slowly(password, move |password| {
            PasswordHash::new(&hash)
                .is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok())
        });
        let is_right = is_right.await.ok_or(Refused::Failed)?;
        let Some(user) = user.filter(|_| is_right) else {
            attempt.keep();
            return Err(Refused::Wrong("The name or the password is wrong."));
        };
        attempt.give_back();
        Ok(user)
    }

    /// The value of the session's cookie. `signed_in_for` is the query of the authorization request that the
    /// user came with. The session before ends: its cookie may have been planted.
    pub(crate) async fn begin_session(
        &self,
        user: String,
        signed_in_for: Option<&str>,
        before: Option<Session>,
    ) -> Result<String, Refused> {
        let (cookie, now) = (random(), Utc::now().timestamp_millis());
        sqlx::query("DELETE FROM sessions WHERE since < ? OR id = ?")
            .bind(now - SESSION)
            .bind(before.map(|session| session.id))
            .execute(&self.pool)
            .await?;
        sqlx::query("INSERT INTO sessions (id, user, since, signed_in_for) VALUES (?, ?, ?, ?)")
            .bind(digest(&cookie))
            .bind(user)
            .bind(now)
            .bind(signed_in_for)
            .execute(&self.pool)
            .await?;
        Ok(cookie)
    }

    pub(crate) async fn session(&self, cookie: &str) -> Result<Option<Session>, sqlx::Error> {
        let found =
            sqlx::query_as("SELECT id, user, since, signed_in_for FROM sessions WHERE id = ? AND since > ?");
        let found = found.bind(digest(cookie)).bind(Utc::now().timestamp_millis() - SESSION);
        let found: Option<(Vec<u8>, String, i64, Option<String>)> = found.fetch_optional(&self.pool).await?;
        Ok(found.map(|(id, user, since, signed_in_for)| {
            let since = DateTime::from_timestamp_millis(since).unwrap_or_default();
            Session { id, user, since, signed_in_for }
        }))
    }

    pub(crate) async fn sign_out(&self, session: &Session) -> Result<(), sqlx::Error> {
        sqlx::query("DELETE FROM sessions WHERE id = ?").bind(&session.id).execute(&self.pool).await?;
        Ok(())
    }

    /// A consent page was shown: it waits for one answer.
    pub(crate) async fn show(&self, session: &Session, request: &str) -> Result<(), sqlx::Error> {
        let shown = sqlx::query("UPDATE sessions SET shown = ?, answered = NULL, answer = NULL WHERE id = ?");
        shown.bind(request).bind(&session.id).execute(&self.pool).await?;
        Ok(())
    }

    /// The request was answered without a page: the next visit of the same request is a new one.
    pub(crate) async fn forget_request(&self, session: &Session) -> Result<(), sqlx::Error> {
        let forgotten = sqlx::query("UPDATE sessions SET signed_in_for = NULL WHERE id = ?");
        forgotten.bind(&session.id).execute(&self.pool).await?;
        Ok(())
    }

    /// Whether this press of the page's buttons is the first. The next visit of the same request is a new
    /// one.
    pub(crate) async fn is_first(&self, session: &Session, request: &str) -> Result<bool, sqlx::Error> {
        let first = sqlx::query(
            "UPDATE sessions SET shown = NULL, answered = shown, signed_in_for = NULL WHERE id = ? AND shown = ?",
        );
        Ok(first.bind(&session.id).bind(request).execute(&self.pool).await?.rows_affected() > 0)
    }

    /// Keeps where the answer led, for a second press.
    pub(crate) async fn keep_answer(&self, session: &Session, location: &str) -> Result<(), sqlx::Error> {
        let kept = sqlx::query("UPDATE sessions SET answer = ? WHERE id = ?");
        kept.bind(location).bind(&session.id).execute(&self.pool).await?;
        Ok(())
    }

    /// What became of this request's page.
    pub(crate) async fn answer(&self, session: &Session, request: &str) -> Result<Answer, sqlx::Error> {
        let kept = sqlx::query_as("SELECT answer FROM sessions WHERE id = ? AND answered = ?");
        let kept: Option<(Option<String>,)> =
            kept.bind(&session.id).bind(request).fetch_optional(&self.pool).await?;
        Ok(kept.map_or(Answer::None, |(answer,)| answer.map_or(Answer::Elsewhere, Answer::Location)))
    }

    /// Off the async threads, and a few at once: the rest wait.
    async fn slowly<T: Send + 'static>(
        &self,
        password: &str,
        work: impl FnOnce(&[u8]) -> T + Send + 'static,
    ) -> Option<T> {
        let password = password.to_owned();
        let turn = self.hashes.clone().acquire_owned().await.ok()?;
        let work = move || {
            let done = work(password.as_bytes());
            drop(turn); // here, for the work goes on when its request is gone
            done
        };
        tokio::task::spawn_blocking(work).await.ok()
    }
}

fn hash(password: &[u8]) -> Option<String> {
    let salt: [u8; 16] = rand::random();
    Argon2::default().hash_password_with_salt(password, &salt).ok().map(|hash| hash.to_string())
}

/// 256 random bits.
pub(crate) fn random() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

fn digest(cookie: &str) -> Vec<u8> {
    Sha256::digest(cookie).to_vec()
}
