//! The forms that our pages send back.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::app::App;
use crate::session::{Session, SignedIn};

/// A form from a page of the same session; the fields of any other form cannot be accessed.
pub(crate) struct Posted<T> {
    pub(crate) session: Arc<Session>,
    pub(crate) fields: T,
}

impl<T: DeserializeOwned> FromRequest<App> for Posted<T> {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<Self, Response> {
        let (session, body) = posted(request, app).await?;
        Ok(Self { session, fields: fields(app, &body)? })
    }
}

/// The body of a form, and the session of its page.
async fn posted(request: Request, app: &App) -> Result<(Arc<Session>, Bytes), Response> {
    if !is_form(request.headers()) {
        return Err(app.pages.problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "This is not a form."));
    }
    let session = app.sessions.find(request.headers());
    let arriving = timeout(BODY_DEADLINE, Bytes::from_request(request, app));
    let body = arriving.await.map_err(|_| too_slow(app))?.map_err(|error| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(app),
        status => app.pages.problem(status, NOT_ARRIVED),
    })?;
    let token: Option<Token> = serde_urlencoded::from_bytes(&body).ok();
    let wrote = session.zip(token).filter(|(session, token)| session.wrote(&token.csrf));
    match wrote {
        Some((session, _)) => Ok((session, body)),
        None => Err(expired(app, &body)),
    }
}

/// As at the endpoints for programs.
const BODY_DEADLINE: Duration = Duration::from_secs(10);

const NOT_ARRIVED: &str = "The form did not arrive.";

/// The page for a form whose body takes too long.
pub(crate) fn too_slow(app: &App) -> Response {
    app.pages.problem(StatusCode::REQUEST_TIMEOUT, NOT_ARRIVED)
}

/// The page for a form whose body has too many bytes.
pub(crate) fn too_large(app: &App) -> Response {
    app.pages.problem(StatusCode::PAYLOAD_TOO_LARGE, "This form is too large.")
}

fn fields<T: DeserializeOwned>(app: &App, body: &[u8]) -> Result<T, Response> {
    let fields = serde_urlencoded::from_bytes(body);
    fields.map_err(|_| app.pages.problem(StatusCode::BAD_REQUEST, "The form is incomplete."))
}

/// A form from a signed-in user.
pub(crate) struct PostedBy<T> {
    pub(crate) session: Arc<Session>,
    pub(crate) by: SignedIn,
    pub(crate) fields: T,
}

impl<T: DeserializeOwned> FromRequest<App> for PostedBy<T> {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<Self, Response> {
        let (session, body) = posted(request, app).await?;
        match session.signed_in().cloned() {
            Some(by) => Ok(Self { session, by, fields: fields(app, &body)? }),
            None => Err(expired(app, &body)),
        }
    }
}

#[derive(Deserialize)]
struct Token {
    csrf: String,
}

const EXPIRED: &str = "This form has expired, or it did not come from this site.";

/// The fields of a form that tell which page it came from.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Way {
    /// From the consent page.
    request: Option<String>,
    /// From the device page.
    user_code: Option<String>,
    /// From the sign-in page.
    return_to: Option<String>,
}

impl Way {
    /// Where the visitor can start again: a page of this server, which does not trust these fields.
    fn path(self, app: &App) -> Option<String> {
        let path = match self {
            Self { request: Some(request), .. } => {
                format!("{}?{}", app.site.path("/consent"), graphic(&request))
            }
            Self { user_code: Some(_), .. } => app.site.path("/device"),
            Self { return_to: Some(path), .. } => path,
            Self { request: None, user_code: None, return_to: None } => return None,
        };
        local_path(&path).map(str::to_owned)
    }
}

fn expired(app: &App, form: &[u8]) -> Response {
    let way: Way = serde_urlencoded::from_bytes(form).unwrap_or_default();
    app.pages.problem_with_a_way(StatusCode::FORBIDDEN, EXPIRED, way.path(app).as_deref())
}

/// The same query, with every character encoded that our paths must not contain.
pub(crate) fn graphic(query: &str) -> String {
    let mut safe = String::with_capacity(query.len());
    for byte in query.bytes() {
        match byte {
            b'\\' | b'#' => safe.push_str(&format!("%{byte:02X}")),
            byte if byte.is_ascii_graphic() => safe.push(char::from(byte)),
            byte => safe.push_str(&format!("%{byte:02X}")),
        }
    }
    safe
}

pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// A 303 to a page of this server.
///
/// 303 and never 307: the next request must not carry the form, which may contain a password (RFC 9700
/// section 4.12).
pub(crate) fn see_other(path: &str) -> Response {
    Redirect::to(path).into_response()
}

/// A 303 to a page of this server with the parameters of an application's request, or a page that says that
/// they are too long.
pub(crate) fn lead_to(app: &App, path: &str) -> Response {
    local_path(path).map_or_else(|| too_long(app), see_other)
}

/// The page for a request whose parameters none of our pages can keep.
pub(crate) fn too_long(app: &App) -> Response {
    let sentence = "The request is too long to be kept while a page is shown.";
    app.pages.oauth_error(StatusCode::BAD_REQUEST, "invalid_request", sentence)
}

/// A path from a request, if it leads to a page of this server and nowhere else.
///
/// Browsers treat `//host` and `/\host` as another host, and ignore tabs and line breaks.
pub(crate) fn local_path(path: &str) -> Option<&str> {
    let plain = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    (plain && path.len() <= LONGEST_PATH && path.starts_with('/') && !path.starts_with("//")).then_some(path)
}

const LONGEST_PATH: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_this_server_or_nowhere() {
        for good in
            ["/", "/applications", "/authorize?redirect_uri=https%3A%2F%2Fapp.example%2Fcb&state=a//b"]
        {
            assert_eq!(local_path(good), Some(good));
        }
        for bad in [
            "",
            "applications",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example/",
            "javascript:alert(1)",
            "/\t/evil.example",
            "/\r\nSet-Cookie: a=b",
            " //evil.example",
            "/caf\u{e9}",
        ] {
            assert_eq!(local_path(bad), None, "{bad:?}");
        }
        assert_eq!(local_path(&format!("/{}", "a".repeat(LONGEST_PATH))), None);
    }
}
