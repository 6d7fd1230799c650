//! The pages, the errors that visitors see, and the protection of forms against other sites.

use std::error::Error;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};
use grantor::{Consent, LogoutQuestion, server::Application};

use crate::App;

/// The templates escape all text.
#[derive(Template)]
pub(crate) enum Page<'a> {
    #[template(path = "home.html")]
    Home { user: Option<String> },
    #[template(path = "sign-in.html")]
    SignIn { name: String, problem: String },
    #[template(path = "consent.html")]
    Consent { consent: &'a Consent, user: &'a str, query: &'a str },
    #[template(path = "apps.html")]
    Apps { apps: Vec<(String, Application)> },
    #[template(path = "sign-out.html")]
    SignOut { question: LogoutQuestion },
    #[template(path = "problem.html")]
    Problem { sentence: String },
}

impl IntoResponse for Page<'_> {
    fn into_response(self) -> Response {
        let fields = [
            // No `form-action`: browsers would also apply it to the redirect that follows the consent form.
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"),
            ("x-frame-options", "DENY"),
            // With `no-referrer`, the `Origin` of our own forms would be `null`.
            ("referrer-policy", "same-origin"),
            ("cache-control", "no-store"),
        ];
        let html = self.render().map(Html).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR);
        (fields, html).into_response()
    }
}

/// The status and text that the visitor sees, and when to try again; the cause of a failure is only logged.
pub(crate) struct Problem(pub(crate) StatusCode, pub(crate) String, pub(crate) RetryAfter);

/// The header field, in seconds.
pub(crate) type RetryAfter = Option<[(&'static str, u32); 1]>;

pub(crate) type Result<T> = std::result::Result<T, Problem>;

impl<E: Error> From<E> for Problem {
    fn from(error: E) -> Self {
        eprintln!("{error}");
        let sentence = "Something went wrong here. Try again in a minute.";
        Self(StatusCode::SERVICE_UNAVAILABLE, sentence.to_owned(), Some([("retry-after", 60)]))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.0, self.2, Page::Problem { sentence: self.1 }).into_response()
    }
}

/// Protects against CSRF.
pub(crate) async fn refuse_foreign_forms(
    State(app): State<Arc<App>>,
    request: Request,
    next: Next,
) -> Result<Response> {
    let sentence = "This form did not come from this site.";
    match request.method().is_safe() || is_own(request.headers(), &app.issuer) {
        true => Ok(next.run(request).await),
        false => Err(Problem(StatusCode::FORBIDDEN, sentence.to_owned(), None)),
    }
}

/// Browsers say where a form comes from, and no page can change that. A request without this information does
/// not come from a browser.
fn is_own(headers: &HeaderMap, issuer: &str) -> bool {
    let field = |name| headers.get(name).and_then(|value| value.to_str().ok());
    match (field("sec-fetch-site"), field("origin")) {
        (Some(site), _) => site == "same-origin",
        // Plain http to another machine, or a browser from before 2023.
        (None, Some(origin)) => origin == issuer,
        (None, None) => true,
    }
}

/// Applications may post their requests (OpenID Connect Core section 3.1.2.1). Browsers send our cookie with
/// the redirect that follows, and not with a form of another site.
pub(crate) async fn as_get(uri: Uri, form: String) -> Result<Redirect> {
    match form.len() < MAX_QUERY && form.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(Redirect::to(&format!("{}?{form}", uri.path()))),
        false => Err(Problem(StatusCode::BAD_REQUEST, "This is not a form.".to_owned(), None)),
    }
}

/// In bytes.
const MAX_QUERY: usize = 16 * 1024;

pub(crate) async fn not_found() -> Problem {
    Problem(StatusCode::NOT_FOUND, "There is no such page.".to_owned(), None)
}
