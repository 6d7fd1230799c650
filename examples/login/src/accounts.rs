//! Users and their sessions, in SQLite. What is kept of a session is the digest of its id, and of a password its Argon2 hash.

use std::net::IpAddr;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use grantor::server::RateLimiter;
use sha2::{Digest as _, Sha256};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};

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

/// All accounts.
pub(crate) struct Accounts {
    pool: SqlitePool,
    guesses: RateLimiter,
    /// The hash of a password that nobody has: an unknown name costs what a known one does.
    nobody: String,
}

/// A browser in which somebody is signed in.
#[derive(Clone)]
pub(crate) struct Session {
    id: Vec<u8>,
    pub(crate) user: String,
    pub(crate) since: DateTime<Utc>,
    /// The authorization request that the user signed in for: for it alone this sign-in is a new one.
    pub(crate) signed_in_for: Option<String>,
}

/// Why nobody is signed in.
#[derive(Debug)]
pub(crate) enum Refused {
    Wrong(&'static str),
    TooManyGuesses(Duration),
    Failed,
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
        let nobody = hash(random().as_bytes()).ok_or("no hash")?;
        Ok(Self { pool, guesses: RateLimiter::per_minute(GUESSES), nobody })
    }

    pub(crate) async fn sign_up(&self, name: &str, password: &str) -> Result<(), Refused> {
        if password.chars().count() < 8 || password.len() > 1024 {
            return Err(Refused::Wrong("A password has at least eight characters."));
        }
        if !(1..=64).contains(&name.len()) || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(Refused::Wrong("A name has at most 64 letters and digits."));
        }
        let hash = slowly(password, hash).await.flatten().ok_or(Refused::Failed)?;
        let new = sqlx::query("INSERT INTO users (name, password) VALUES (?, ?) ON CONFLICT DO NOTHING");
        match new.bind(name).bind(hash).execute(&self.pool).await?.rows_affected() {
            0 => Err(Refused::Wrong("This name is taken.")),
            _ => Ok(()),
        }
    }

    /// The value of the session's cookie. `signed_in_for` is the query of the authorization request that the user came with.
    pub(crate) async fn sign_in(
        &self,
        (name, password): (&str, &str),
        signed_in_for: Option<&str>,
        peer: Option<IpAddr>,
    ) -> Result<String, Refused> {
        let now = Utc::now();
        let attempt = self.guesses.begin(peer, name, now).map_err(Refused::TooManyGuesses)?;
        let known = sqlx::query_as("SELECT name, password FROM users WHERE name = ?");
        let known: Option<(String, String)> = known.bind(name).fetch_optional(&self.pool).await?;
        let (user, hash) = known.map_or((None, self.nobody.clone()), |(name, hash)| (Some(name), hash));
        let is_right = slowly(password, move |password| {
            PasswordHash::new(&hash)
                .is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok())
        });
        let is_right = is_right.await.ok_or(Refused::Failed)?;
        let Some(user) = user.filter(|_| is_right) else {
            attempt.keep();
            return Err(Refused::Wrong("The name or the password is wrong."));
        };
        attempt.give_back();
        let cookie = random();
        sqlx::query("DELETE FROM sessions WHERE since < ?")
            .bind(now.timestamp_millis() - SESSION)
            .execute(&self.pool)
            .await?;
        sqlx::query("INSERT INTO sessions (id, user, since, signed_in_for) VALUES (?, ?, ?, ?)")
            .bind(digest(&cookie))
            .bind(user)
            .bind(now.timestamp_millis())
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

    /// Whether this press of the page's buttons is the first. The next visit of the same request is a new one.
    pub(crate) async fn is_first(&self, session: &Session, request: &str) -> Result<bool, sqlx::Error> {
        let first = sqlx::query(
            "UPDATE sessions SET shown = NULL, answered = shown, signed_in_for = NULL WHERE id = ? AND shown = ?",
        );
        Ok(first.bind(&session.id).bind(request).execute(&self.pool).await?.rows_affected() > 0)
    }

    /// Keeps where the answer led, for a second press.
    pub(crate) async fn answer(&self, session: &Session, location: &str) -> Result<(), sqlx::Error> {
        let kept = sqlx::query("UPDATE sessions SET answer = ? WHERE id = ?");
        kept.bind(location).bind(&session.id).execute(&self.pool).await?;
        Ok(())
    }

    /// Where the first press of this page led.
    pub(crate) async fn answered(
        &self,
        session: &Session,
        request: &str,
    ) -> Result<Option<String>, sqlx::Error> {
        let kept = sqlx::query_as("SELECT answer FROM sessions WHERE id = ? AND answered = ?");
        let kept: Option<(Option<String>,)> =
            kept.bind(&session.id).bind(request).fetch_optional(&self.pool).await?;
        Ok(kept.and_then(|(answer,)| answer))
    }
}

fn hash(password: &[u8]) -> Option<String> {
    let salt: [u8; 16] = rand::random();
    argon2().hash_password_with_salt(password, &salt).ok().map(|hash| hash.to_string())
}

#[cfg(not(test))]
fn argon2() -> Argon2<'static> {
    Argon2::default()
}

/// At the least cost: without optimization, a real one takes seconds.
#[cfg(test)]
fn argon2() -> Argon2<'static> {
    let least = argon2::Params::new(8, 1, 1, None).unwrap_or_default();
    Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, least)
}

/// Off the async threads: an Argon2 hash takes tens of milliseconds.
async fn slowly<T: Send + 'static>(
    password: &str,
    work: impl FnOnce(&[u8]) -> T + Send + 'static,
) -> Option<T> {
    let password = password.to_owned();
    tokio::task::spawn_blocking(move || work(password.as_bytes())).await.ok()
}

/// 256 random bits.
pub(crate) fn random() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

fn digest(cookie: &str) -> Vec<u8> {
    Sha256::digest(cookie).to_vec()
}
