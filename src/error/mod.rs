//! A reason is private, an error is derived.
//!
//! [`Reason`] says why, for the host's log. [`Refusal`] carries it to the answer; the public error code
//! follows by one exhaustive table. [`Fault`] is the host's own failure, of which the other side only
//! learns that it should try again.

mod assertion;
mod code;
mod extension;
mod public;
mod reason;

use std::borrow::Cow;

use serde::Serialize;

pub use assertion::AssertionFlaw;
pub use code::ErrorCode;
pub use extension::ExtensionRefusal;
pub use reason::Reason;

use crate::http::Response;

/// A request that is refused, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("refused: {reason}")]
pub struct Refusal {
    reason: Reason,
}

impl Refusal {
    /// Why; for the host's log.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// What the other side is told.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.reason.code()
    }

    /// The JSON answer of a back-channel endpoint (RFC 6749 section 5.2).
    pub fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Body {
            error: &'static str,
            error_description: &'static str,
        }
        let body = Body { error: self.code().as_str(), error_description: self.reason.description() };
        let json = serde_json::to_vec(&body).unwrap_or_default();
        let response = Response::secret_json(self.reason.status(), json);
        match response.status {
            401 => response.with("www-authenticate", self.challenge()),
            429 => response.with("retry-after", "60"),
            503 => response.with("retry-after", "1"),
            _ => response,
        }
    }
}

impl Refusal {
    /// What a 401 asks for: a client's credentials, or a bearer token (RFC 6750 section 3).
    fn challenge(self) -> Cow<'static, str> {
        match (self.code(), self.reason) {
            (ErrorCode::InvalidToken, Reason::InitialTokenMissing) => BEARER,
            (ErrorCode::InvalidToken, _) => BEARER_INVALID,
            _ => BASIC,
        }
    }
}

/// RFC 6750 section 3.1: no error code for who sent no token.
const BEARER: Cow<'static, str> = Cow::Borrowed("Bearer realm=\"oauth\"");
const BEARER_INVALID: Cow<'static, str> = Cow::Borrowed("Bearer realm=\"oauth\", error=\"invalid_token\"");
/// RFC 6749 section 5.2 asks for the challenge where the header was used, RFC 9110 for one on every 401.
const BASIC: Cow<'static, str> = Cow::Borrowed("Basic realm=\"oauth\", charset=\"UTF-8\"");

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { reason }
    }
}

/// The host's own failure, for calls that the host makes itself (listing grants, revoking a subject).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    /// The store did not answer in time; what it was asked for may have happened.
    #[error("the store did not answer in time")]
    Deadline,
    /// Others changed the grant again and again.
    #[error("the grant kept changing")]
    Contended,
}

impl Fault {
    /// The reason under which the fault is audited and answered.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Store(error) if error.is_permanent() => Reason::StoreBroken,
            Self::Store(_) | Self::Deadline => Reason::StoreUnavailable,
            Self::Contended => Reason::Contended,
        }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        fault.reason().into()
    }
}
