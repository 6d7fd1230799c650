//! [`Tokens`]: what a test server issued.

use std::fmt;

use serde_json::Value;

use crate::http::{Request, Response};

/// The response of the token endpoint. `Debug` shows nothing of it.
#[derive(Clone, PartialEq)]
pub struct Tokens(Value);

impl Tokens {
    pub(super) fn of(answer: &Response) -> Self {
        Self(serde_json::from_slice(&answer.body).unwrap_or_default())
    }

    /// The access token.
    #[must_use]
    pub fn access_token(&self) -> &str {
        self.text("access_token").unwrap_or_default()
    }

    /// The refresh token, if there is one.
    #[must_use]
    pub fn refresh_token(&self) -> Option<&str> {
        self.text("refresh_token")
    }

    /// The `id_token`, if there is one.
    #[must_use]
    pub fn id_token(&self) -> Option<&str> {
        self.text("id_token")
    }

    /// All members of the response, by the names of RFC 6749 section 5.1.
    #[must_use]
    pub fn members(&self) -> &Value {
        &self.0
    }

    /// The value of the `Authorization` header field for a request with the access token.
    #[must_use]
    pub fn authorization(&self) -> String {
        format!("Bearer {}", self.access_token())
    }

    /// A `GET` with the access token, for a guard.
    #[must_use]
    pub fn request(&self) -> Request {
        Request::get("").header("authorization", self.authorization())
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}
