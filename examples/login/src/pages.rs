//! The pages, and the errors that visitors see.

use std::error::Error;

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use grantor::{Consent, LogoutQuestion, server::Application};

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
        // No `form-action`: browsers would also apply it to the redirect that follows the consent form.
        let policy = [("content-security-policy", "default-src 'none'")];
        let html = self.render().map(Html).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR);
        (policy, html).into_response()
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

pub(crate) async fn not_found() -> Problem {
    Problem(StatusCode::NOT_FOUND, "There is no such page.".to_owned(), None)
}
