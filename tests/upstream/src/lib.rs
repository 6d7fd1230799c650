//! The code of the chapter `manual::upstream` of grantor: sessions by `axum-login`, "Sign in with …" by
//! `openidconnect`, passkeys by `webauthn-rs`.

mod passkeys;
mod provider;
mod sessions;
mod users;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

pub use passkeys::{Passkeys, begin_passkey, finish_passkey};
pub use provider::{Provider, callback, sign_in};
pub use sessions::{SignedIn, ask, begin};
pub use users::{User, Users};

/// What went wrong at a sign-in. The user gets a page that says no more than that.
#[derive(Debug)]
pub struct Problem(pub Box<dyn std::error::Error + Send + Sync>);

impl<E: Into<Box<dyn std::error::Error + Send + Sync>>> From<E> for Problem {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, "The sign-in failed. Please start again.").into_response()
    }
}
