//! Turns a [`Refusal`] into a response.

use std::borrow::Cow;

use serde::Serialize;

use super::Response;
use crate::error::{ErrorCode, Reason, Refusal};

impl Refusal {
    /// The JSON error response of a back-channel endpoint (RFC 6749 section 5.2).
    pub fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Body {
            error: &'static str,
            error_description: &'static str,
        }
        let body = Body { error: self.code().as_str(), error_description: self.reason().description() };
        let json = serde_json::to_vec(&body).unwrap_or_default();
        let response = Response::secret_json(self.reason().status(), json);
        let response = match response.status {
            401 => response.with("www-authenticate", self.challenge()),
            _ => response,
        };
        match self.retry_after() {
            Some(seconds) => response.with("retry-after", seconds.to_string()),
            None => response,
        }
    }

    /// The challenge of a 401: for a client's credentials, or for a bearer token (RFC 6750 section 3).
    fn challenge(&self) -> Cow<'static, str> {
        let is_about_a_token = self.code() == ErrorCode::InvalidToken;
        let is_missing =
            matches!(self.reason(), Reason::InitialTokenMissing | Reason::RegistrationTokenMissing);
        match (is_about_a_token, is_missing) {
            (true, true) => BEARER,
            (true, false) => BEARER_INVALID,
            (false, _) => BASIC,
        }
    }
}

/// RFC 6750 section 3.1: no error code if no token was sent.
const BEARER: Cow<'static, str> = Cow::Borrowed("Bearer realm=\"oauth\"");
const BEARER_INVALID: Cow<'static, str> = Cow::Borrowed("Bearer realm=\"oauth\", error=\"invalid_token\"");
/// RFC 6749 section 5.2 requires the challenge if the header was used, RFC 9110 on every 401.
const BASIC: Cow<'static, str> = Cow::Borrowed("Basic realm=\"oauth\", charset=\"UTF-8\"");
