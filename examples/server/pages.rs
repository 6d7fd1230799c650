//! The pages: one struct per template, and the headers of every response.

use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use serde::Serialize;

use crate::session::Session;
use crate::site::Site;

const STYLE: &str = include_str!("assets/style.css");
const ICON: &str = include_str!("assets/icon.svg");

const TEMPLATES: &[(&str, &str)] = &[
    ("base.html", include_str!("templates/base.html")),
    ("home.html", include_str!("templates/home.html")),
    ("login.html", include_str!("templates/login.html")),
    ("logout.html", include_str!("templates/logout.html")),
    ("session_unknown.html", include_str!("templates/session_unknown.html")),
    ("pin.html", include_str!("templates/pin.html")),
    ("asking.html", include_str!("templates/asking.html")),
    ("consent.html", include_str!("templates/consent.html")),
    ("device.html", include_str!("templates/device.html")),
    ("device_consent.html", include_str!("templates/device_consent.html")),
    ("device_done.html", include_str!("templates/device_done.html")),
    ("error.html", include_str!("templates/error.html")),
    ("applications.html", include_str!("templates/applications.html")),
    ("grants.html", include_str!("templates/grants.html")),
    ("keys.html", include_str!("templates/keys.html")),
    ("playground.html", include_str!("templates/playground.html")),
];

/// Everything that one template shows.
pub(crate) trait Page: Serialize {
    const TEMPLATE: &'static str;
}

/// The templates, parsed.
pub(crate) struct Pages {
    templates: Environment<'static>,
}

impl Pages {
    pub(crate) fn new(site: &Site) -> Result<Self, minijinja::Error> {
        let mut templates = Environment::new();
        // Names and addresses on these pages come from strangers.
        templates.set_auto_escape_callback(|_| AutoEscape::Html);
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.add_global("site", Serde(site.clone()));
        for (name, source) in TEMPLATES {
            templates.add_template(name, source)?;
        }
        Ok(Self { templates })
    }

    /// The page as the visitor of this session sees it.
    pub(crate) fn show<P: Page>(&self, session: Option<&Session>, page: &P) -> Response {
        let signed_in = session.and_then(Session::signed_in);
        let values = context! {
            page => Serde(page),
            username => signed_in.map(|signed_in| signed_in.user.username.as_str()),
            csrf => session.map(Session::csrf),
        };
        let html = self.templates.get_template(P::TEMPLATE).and_then(|template| template.render(values));
        match html {
            Ok(html) => Html(html).into_response(),
            Err(error) => {
                tracing::error!(template = P::TEMPLATE, %error, "a page does not render");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }

    /// A page that only says in one sentence what went wrong.
    pub(crate) fn problem(&self, status: StatusCode, sentence: &str) -> Response {
        self.problem_with_a_way(status, sentence, None)
    }

    /// The same with a link to continue, which is a path of this server.
    pub(crate) fn problem_with_a_way(
        &self,
        status: StatusCode,
        sentence: &str,
        way: Option<&str>,
    ) -> Response {
        let title = match status {
            StatusCode::NOT_FOUND => "Page not found",
            StatusCode::FORBIDDEN => "That did not work",
            StatusCode::TOO_MANY_REQUESTS => "Too many attempts",
            StatusCode::SERVICE_UNAVAILABLE => "Not available right now",
            _ => "That request cannot be answered",
        };
        (status, self.show(None, &ErrorPage { title, sentence, code: None, way })).into_response()
    }

    /// The page for a request that cannot safely be redirected: it has no link and no redirect, only text.
    pub(crate) fn refused(&self, refused: &grantor::ErrorPage) -> Response {
        let status = StatusCode::from_u16(refused.status()).unwrap_or(StatusCode::BAD_REQUEST);
        let page = self.oauth_error(status, refused.code(), refused.description());
        match refused.retry_after() {
            Some(seconds) => ([(RETRY_AFTER, seconds)], page).into_response(),
            None => page,
        }
    }

    /// The same for a request that did not reach grantor.
    pub(crate) fn oauth_error(&self, status: StatusCode, code: &str, description: &str) -> Response {
        let (title, sentence) = match status {
            StatusCode::TOO_MANY_REQUESTS => (
                "Too many requests",
                "Too many requests came from your network. Wait a minute, then go back and try again.",
            ),
            status if status.is_server_error() => (
                "Not available right now",
                "This server cannot answer now. Go back, and try again in a moment.",
            ),
            _ => ("This request has a mistake", UNSAFE),
        };
        let page =
            self.show(None, &ErrorPage { title, sentence, code: Some((code, description)), way: None });
        (status, page).into_response()
    }
}

const UNSAFE: &str = "The application that sent you here asked for something that cannot be answered safely. Nothing was shared with it, and you can close this page.";

#[derive(Serialize)]
struct ErrorPage<'a> {
    title: &'a str,
    sentence: &'a str,
    /// The error code and its description, if an application's request was refused.
    code: Option<(&'a str, &'a str)>,
    /// Where the visitor can continue, if not on the start page.
    way: Option<&'a str>,
}

impl Page for ErrorPage<'_> {
    const TEMPLATE: &'static str = "error.html";
}

/// `GET /assets/style.css`
pub(crate) async fn style() -> impl IntoResponse {
    asset("text/css; charset=utf-8", STYLE)
}

/// `GET /assets/icon.svg`
pub(crate) async fn icon() -> impl IntoResponse {
    asset("image/svg+xml", ICON)
}

fn asset(kind: &'static str, text: &'static str) -> impl IntoResponse {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "public, max-age=300")], text)
}

/// Adds the headers of every page, unless the response already has them.
pub(crate) fn add_headers(headers: &mut HeaderMap, secure: bool) {
    for (name, value) in PAGE_HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if secure {
        let hsts = HeaderValue::from_static("max-age=31536000");
        headers.entry("strict-transport-security").or_insert(hsts);
    }
}

const PAGE_HEADERS: [(HeaderName, &str); 5] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    (HeaderName::from_static("x-frame-options"), "DENY"),
    (HeaderName::from_static("x-content-type-options"), "nosniff"),
    (HeaderName::from_static("referrer-policy"), "no-referrer"),
    (CACHE_CONTROL, "no-store"),
];

/// For a page whose form leads to an application through redirects.
///
/// Chromium applies `form-action` to every redirect after a form, and we do not know where an application
/// redirects to, so the sign-in and consent pages do not set it.
pub(crate) fn leads_to_an_application(mut page: Response) -> Response {
    const POLICY: &str =
        "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'";
    page.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_too_many_is_no_mistake_of_the_application() {
        let site = Site::of("https://login.example").unwrap();
        let pages = Pages::new(&site).unwrap();
        for (status, title) in [
            (StatusCode::BAD_REQUEST, "This request has a mistake"),
            (StatusCode::TOO_MANY_REQUESTS, "Too many requests"),
            (StatusCode::SERVICE_UNAVAILABLE, "Not available right now"),
        ] {
            let page = pages.oauth_error(status, "code", "what is wrong");
            assert_eq!(page.status(), status);
            let html = axum::body::to_bytes(page.into_body(), usize::MAX).await.unwrap();
            assert!(String::from_utf8_lossy(&html).contains(&format!("<h1>{title}</h1>")), "{status}");
        }
    }

    #[test]
    fn every_template_parses() {
        let site = Site::of("https://login.example").map(|site| Pages::new(&site).is_ok());
        assert_eq!(site, Some(true));
    }
}
