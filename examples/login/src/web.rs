//! What any website needs: cookies, forms that no other site can send, and HTML in which nothing breaks out.

use std::fmt::Display;

use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use subtle::ConstantTimeEq as _;

use crate::App;
use crate::accounts::{Session, random};

/// Browsers send a cookie to every port of a host, so behind http its name has the port. Behind https only
/// this very host can set it.
pub(crate) fn cookie_name(issuer: &str, what: &str) -> String {
    match issuer.strip_prefix("http://") {
        Some(host) => format!("{what}-{}", host.rsplit(':').next().unwrap_or_default().trim_end_matches('/')),
        None => format!("__Host-{what}"),
    }
}

pub(crate) fn set_cookie(app: &App, what: &str, value: &str) -> [(header::HeaderName, String); 1] {
    let secure = if app.issuer.starts_with("https:") { "; Secure" } else { "" };
    let name = cookie_name(&app.issuer, what);
    [(header::SET_COOKIE, format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}"))]
}

fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let fields = headers.get_all(header::COOKIE).into_iter().filter_map(|field| field.to_str().ok());
    let pairs = fields.flat_map(|field| field.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(own, _)| *own == name).map(|(_, value)| value).next()
}

impl OptionalFromRequestParts<App> for Session {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Option<Self>, Response> {
        match cookie(&parts.headers, &cookie_name(&app.issuer, "session")) {
            Some(cookie) => app.accounts.session(cookie).await.map_err(failed),
            None => Ok(None),
        }
    }
}

/// The token that this browser's forms carry, in a cookie as well: another site can send neither.
pub(crate) struct Csrf {
    pub(crate) token: String,
    pub(crate) is_new: bool,
}

impl FromRequestParts<App> for Csrf {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        Ok(match cookie(&parts.headers, &cookie_name(&app.issuer, "csrf")) {
            Some(token) if token.len() == 43 => Self { token: token.to_owned(), is_new: false },
            _ => Self { token: random(), is_new: true },
        })
    }
}

/// The fields of a form that a page of ours wrote for this browser.
pub(crate) struct Posted<T>(pub(crate) T);

#[derive(Deserialize)]
struct Token {
    csrf: String,
}

impl<T: DeserializeOwned> FromRequest<App> for Posted<T> {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<Self, Response> {
        let name = cookie_name(&app.issuer, "csrf");
        let own = cookie(request.headers(), &name).unwrap_or_default().to_owned();
        let body =
            axum::body::Bytes::from_request(request, app).await.map_err(IntoResponse::into_response)?;
        let sent = serde_urlencoded::from_bytes(&body);
        let is_ours =
            |Token { csrf }: Token| csrf.len() == 43 && csrf.as_bytes().ct_eq(own.as_bytes()).into();
        if !sent.is_ok_and(is_ours) {
            return Err(problem(
                StatusCode::FORBIDDEN,
                "This form did not come from this site, or it has expired.",
            ));
        }
        let fields = serde_urlencoded::from_bytes(&body);
        fields.map(Self).map_err(|_| problem(StatusCode::BAD_REQUEST, "The form is incomplete."))
    }
}

/// A page of this site; in `body`, which is HTML, every text from elsewhere went through [`escape`].
///
/// There is no `form-action` in the policy: browsers hold it against the redirect that answers a form, and
/// the answer to the consent form leads to the application.
pub(crate) fn page(app: &App, csrf: &Csrf, title: &str, body: &str) -> Response {
    let title = escape(title);
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><h1>{title}</h1>{body}</html>"
    );
    let policy = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'";
    let fields = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    match csrf.is_new {
        true => (set_cookie(app, "csrf", &csrf.token), fields, Html(html)).into_response(),
        false => (fields, Html(html)).into_response(),
    }
}

/// A form that posts to `action`; `fields` go along hidden.
pub(crate) fn form(csrf: &Csrf, action: &str, fields: &[(&str, &str)], inside: &str) -> String {
    let hidden = |(name, value): &(&str, &str)| {
        format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escape(value))
    };
    let own = hidden(&("csrf", csrf.token.as_str()));
    let hidden: String = fields.iter().map(hidden).collect();
    format!("<form method=\"post\" action=\"{action}\">{own}{hidden}{inside}</form>")
}

/// Text between tags or in a quoted attribute.
pub(crate) fn escape(text: impl Display) -> String {
    let text = text.to_string().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

pub(crate) fn problem(status: StatusCode, sentence: &str) -> Response {
    let sentence = escape(sentence);
    let html = format!("<!doctype html><title>{sentence}</title><p>{sentence} <a href=\"/\">Go on</a></p>");
    (status, Html(html)).into_response()
}

/// The sentence for the visitor; the cause is for the log.
pub(crate) fn failed(error: impl Display) -> Response {
    eprintln!("{error}");
    problem(StatusCode::SERVICE_UNAVAILABLE, "Something went wrong here. Try again in a minute.")
}

/// To a page of this site, and to no other: a browser reads `//host` and `/\host` as another one.
pub(crate) fn see_other(path: &str) -> Response {
    let is_local = path.starts_with('/') && !path.starts_with("//") && !path.contains('\\');
    leave_to(if is_local { path } else { "/" })
}

/// To any address, so to none that comes from a request: grantor has checked the one that it answers with.
///
/// 303 and never 307: the next request must not carry the form, which may hold a password (RFC 9700 section
/// 4.12).
pub(crate) fn leave_to(location: &str) -> Response {
    Redirect::to(location).into_response()
}

/// A query of ours in a path: a header holds no other characters.
pub(crate) fn graphic(query: &str) -> String {
    query.chars().filter(char::is_ascii_graphic).collect()
}
