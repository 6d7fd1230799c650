//! [`ErrorPage`]: an error that must not be sent to a client.

use crate::error::{Reason, Refusal};
use crate::http::{Response, escape_html};

/// An error that is shown to the user and never redirected: of an authorization request whose redirect URI is
/// not verified, of a user code, or of a logout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct ErrorPage {
    reason: Reason,
    retry_after: Option<u32>,
}

impl From<&Refusal> for ErrorPage {
    fn from(refusal: &Refusal) -> Self {
        Self { reason: refusal.reason(), retry_after: refusal.retry_after() }
    }
}

impl ErrorPage {
    /// Why; for the host's log.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// The error code, such as `invalid_request`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.reason.code().as_str()
    }

    /// A sentence for the client's developer.
    #[must_use]
    pub fn description(&self) -> &'static str {
        self.reason.description()
    }

    /// The HTTP status: 400, 429 for too many attempts, or 5xx for a failure of the server.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self.reason.status() {
            status @ (413 | 429 | 500 | 503) => status,
            _ => 400,
        }
    }

    /// The seconds for `Retry-After`; `None` if the same request would fail again.
    #[must_use]
    pub fn retry_after(&self) -> Option<u32> {
        self.retry_after
    }

    /// A plain page, for hosts without their own.
    pub fn into_response(self) -> Response {
        let html = format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\"><title>Request refused</title>\
             <h1>This request cannot be answered</h1><p><code id=\"oauth-error\">{}</code></p><p>{}</p></html>",
            escape_html(self.code()),
            escape_html(self.description()),
        );
        const CSP: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
        let page = Response::page(self.status(), CSP, html);
        match self.retry_after {
            Some(seconds) => page.with("retry-after", seconds.to_string()),
            None => page,
        }
    }
}
