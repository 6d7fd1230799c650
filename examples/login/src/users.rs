//! Sign-up and sign-in. Only the Argon2 hash of a password is stored.

use std::net::IpAddr;

use argon2::Argon2;
use argon2::password_hash::{self, PasswordHasher as _, PasswordVerifier as _};
use axum::http::StatusCode;
use chrono::Utc;
use grantor::openid::{ClaimsAsked, ClaimsSource};
use grantor::server::Throttled;
use grantor::{BackendError, async_trait};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::App;
use crate::pages::{Problem, Result};

#[derive(Deserialize)]
pub(crate) struct Credentials {
    pub(crate) name: String,
    password: String,
    /// `new` for a sign-up.
    #[serde(default)]
    pub(crate) account: String,
}

/// What applications learn about a user who allows them the scope `profile`.
pub(crate) struct Profiles;

#[async_trait]
impl ClaimsSource for Profiles {
    /// Claims that were not asked for are dropped.
    async fn claims(&self, asked: &ClaimsAsked<'_>) -> std::result::Result<Map<String, Value>, BackendError> {
        Ok(Map::from_iter([("preferred_username".to_owned(), asked.user().into())]))
    }
}

impl App {
    /// The name of the new user.
    pub(crate) async fn sign_up(&self, new: Credentials, peer: Option<IpAddr>) -> Result<String> {
        if !(8..=1024).contains(&new.password.chars().count()) {
            return Err(wrong("A password has 8 to 1024 characters."));
        }
        if !(1..=64).contains(&new.name.len()) || !new.name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(wrong("A name has 1 to 64 letters (a to z) and digits."));
        }
        self.sign_ups.begin(peer, (), Utc::now()).map_err(too_many)?.keep();
        let hash = self.slowly(|| hash(&new.password)).await??;
        let insert = sqlx::query("INSERT INTO users (name, password) VALUES (?, ?) ON CONFLICT DO NOTHING");
        match insert.bind(&new.name).bind(hash).execute(&self.pool).await?.rows_affected() {
            0 => Err(wrong("This name is taken.")),
            _ => Ok(new.name),
        }
    }

    /// Returns the name of the user, as it was spelled at sign-up.
    pub(crate) async fn sign_in(&self, typed: Credentials, peer: Option<IpAddr>) -> Result<String> {
        // The database ignores case when it compares names, so the limit has to ignore it too.
        let name = typed.name.to_ascii_lowercase();
        let attempt = self.guesses.begin(peer, &name, Utc::now()).map_err(too_many)?;
        let known = sqlx::query_as("SELECT name, password FROM users WHERE name = ?").bind(name);
        let known: Option<(String, String)> = known.fetch_optional(&self.pool).await?;
        let user = self.slowly(|| match known {
            Some((user, hash)) => is_right(&typed.password, &hash).then_some(user),
            None => hash(&typed.password).ok().and(None), // an unknown name takes as long as a known one
        });
        let user = user.await?.ok_or_else(|| wrong("The name or the password is wrong."))?;
        attempt.give_back();
        Ok(user)
    }

    /// Runs a few at a time, while the rest wait; other requests continue on other threads.
    async fn slowly<T>(&self, work: impl FnOnce() -> T) -> Result<T> {
        let _turn = self.hashes.acquire().await?;
        Ok(tokio::task::block_in_place(work))
    }
}

fn hash(password: &str) -> password_hash::Result<String> {
    let salt = rand::random::<[u8; 16]>();
    Ok(Argon2::default().hash_password_with_salt(password.as_bytes(), &salt)?.to_string())
}

fn is_right(password: &str, hash: &str) -> bool {
    Argon2::default().verify_password(password.as_bytes(), hash).is_ok()
}

fn wrong(sentence: &str) -> Problem {
    Problem(StatusCode::UNPROCESSABLE_ENTITY, sentence.to_owned(), None)
}

fn too_many(throttled: Throttled) -> Problem {
    let seconds = throttled.retry_after();
    let sentence = format!("Too many attempts. Try again in {seconds} seconds.");
    Problem(StatusCode::TOO_MANY_REQUESTS, sentence, Some([("retry-after", seconds)]))
}
