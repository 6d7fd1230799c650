//! Sign-in and consent pages for development, until you have your own (feature `dev_pages`).
//!
//! There is no password: the page has a button for each user that you name. So [`DevPages::new`] accepts only
//! an http issuer on this machine, and the pages refuse every request that comes from another machine or has
//! another `Host`: serve your app with the address of the peer. There is no session: each request needs its
//! own sign-in and consent.
//!
//! ```
//! use std::net::SocketAddr;
//!
//! use axum::Router;
//! use axum::routing::any;
//! use grantor::adapter::axum::{read, router};
//! use grantor::dev_pages::{DevPages, DevPagesError};
//! use grantor::{AuthorizationServer, MemoryRegistry, MemoryStore};
//!
//! # fn app() -> Result<(), Box<dyn std::error::Error>> {
//! let server = AuthorizationServer::builder("http://127.0.0.1:9400")
//!     .allow_http_loopback()
//!     .clients(MemoryRegistry::default())
//!     .store(MemoryStore::new())
//!     .authorization_endpoint("/authorize")
//!     .build()?;
//! let pages = DevPages::new(server.clone(), ["alice", "bob"])?;
//! let authorize = any(move |request| {
//!     let pages = pages.clone();
//!     async move { pages.answer(&read(request).await).await }
//! });
//! let app = Router::new().route("/authorize", authorize).merge(router(server));
//! let app = app.into_make_service_with_connect_info::<SocketAddr>(); // for `axum::serve`
//! # drop(app);
//! # Ok(())
//! # }
//! # app().unwrap();
//! ```

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq as _;

use crate::audit::Endpoint;
use crate::base::{Entropy as _, SystemEntropy};
use crate::grant::Login;
use crate::http::form::{Form, FormError};
use crate::http::{Method, Request, Response, escape_html};
use crate::server::{Authorization, AuthorizationServer, Consent, ErrorPage, LoginRequired, SignedIn};

/// Without `form-action`, because browsers apply it to the redirect after a form.
const POLICY: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'";

/// The pages. Cheap to clone.
#[derive(Clone)]
pub struct DevPages(Arc<Pages>);

struct Pages {
    server: AuthorizationServer,
    users: Vec<String>,
    /// The host of the issuer.
    host: String,
    /// The CSRF token in every form of this process; a page of another origin cannot read it.
    token: String,
}

/// Why there are no pages for this server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DevPagesError {
    /// The issuer is not `http://` on this machine.
    #[error(
        "dev_pages signs users in without a password, so its issuer is http on 127.0.0.1, [::1] or localhost, not {0}"
    )]
    Issuer(String),
    /// No users were named.
    #[error("dev_pages needs the name of a user")]
    NoUsers,
    /// The server has no authorization endpoint.
    #[error(
        "dev_pages answers at the authorization endpoint: call AuthorizationServerBuilder::authorization_endpoint"
    )]
    NoEndpoint,
}

impl DevPages {
    /// Pages on which these users sign in.
    ///
    /// # Errors
    /// The server is not for development, or there is nothing to show.
    pub fn new<U: Into<String>>(
        server: AuthorizationServer,
        users: impl IntoIterator<Item = U>,
    ) -> Result<Self, DevPagesError> {
        let issuer = &*server.rules().issuer;
        // The server's builder allows http issuers only on loopback hosts.
        let Some(authority) = issuer.strip_prefix("http://").and_then(|rest| rest.split('/').next()) else {
            return Err(DevPagesError::Issuer(issuer.to_owned()));
        };
        let host = without_port(authority).to_owned();
        let users: Vec<String> = users.into_iter().map(Into::into).collect();
        if users.is_empty() {
            return Err(DevPagesError::NoUsers);
        }
        if server.endpoints().path(Endpoint::Authorization).is_none() {
            return Err(DevPagesError::NoEndpoint);
        }
        let mut random = [0; 32];
        SystemEntropy.fill(&mut random);
        Ok(Self(Arc::new(Pages { server, users, host, token: URL_SAFE_NO_PAD.encode(random) })))
    }

    /// Answers at your authorization endpoint, by `GET` and by `POST`. A request is refused with 403 unless
    /// its [`peer`](Request::peer) is this machine and its `Host` field, which an adapter copies from a
    /// browser's request ([`READ_OF_A_PAGE`](crate::http::Headers::READ_OF_A_PAGE)), names the issuer's host.
    pub async fn answer(&self, request: &Request) -> Response {
        match self.0.answer(request).await {
            Ok(answer) | Err(answer) => answer,
        }
    }
}

/// The button that the visitor pressed.
struct Pressed {
    /// The parameters of the authorization request.
    request: String,
    user: String,
    /// The fingerprint of what the consent page showed.
    shown: String,
    /// `None` on the sign-in page.
    allows: Option<bool>,
}

impl Pages {
    /// `Err` is a response that is sent instead of a page.
    async fn answer(&self, request: &Request) -> Result<Response, Response> {
        self.screen(request)?;
        let Some(Pressed { request: query, user, shown, allows }) = self.pressed(request)? else {
            let query = match request.method {
                Method::Post => String::from_utf8_lossy(&request.body).into_owned(),
                _ => request.query.clone().unwrap_or_default(),
            };
            let asked = self.server.authorize(request).await.map_err(ErrorPage::into_response)?;
            return self.sign_in(asked, &query).await;
        };
        let mut again = Request::get(query.as_str());
        again.peer = request.peer;
        let asked = self.server.authorize(&again).await.map_err(ErrorPage::into_response)?;
        let login = Login::new(user.as_str(), self.server.precise_now());
        match asked.signed_in(login).await {
            SignedIn::Consent(consent) => match allows {
                Some(false) => Ok(consent.deny().await),
                Some(true) if shown == consent.fingerprint() => Ok(consent.approve().await),
                // The request or the client changed, so this is not what the user saw.
                None | Some(true) => Ok(self.consent(&consent, &query, &user)),
            },
            SignedIn::Reauthenticate(login) => Ok(login.cannot().await),
            SignedIn::Answered(answer) => Err(answer),
        }
    }

    /// Refuses requests from the network, and from a site whose name resolves to this machine (DNS
    /// rebinding), whose scripts could press the buttons.
    fn screen(&self, request: &Request) -> Result<(), Response> {
        let is_local = |peer: IpAddr| peer.to_canonical().is_loopback();
        let refused = match request.peer {
            None => {
                "The app must be served with the peer's address: it is unknown where this request comes from."
            }
            Some(peer) if !is_local(peer) => "This request comes from another machine.",
            Some(_) => match request.headers.one("host") {
                Ok(Some(host)) if without_port(host).eq_ignore_ascii_case(&self.host) => return Ok(()),
                Ok(_) | Err(_) => "Open them in a browser, at the issuer's own host.",
            },
        };
        let issuer = escape_html(&self.server.rules().issuer);
        Err(page(403, &format!("<p>These pages work only on this machine, at {issuer}. {refused}</p>")))
    }

    /// The fields of a form of these pages; `None` is the request of a client.
    fn pressed(&self, request: &Request) -> Result<Option<Pressed>, Response> {
        if request.method != Method::Post {
            return Ok(None);
        }
        let problem = |_: FormError| page(400, "The form cannot be read.");
        let form = Form::parse(&request.body).map_err(problem)?;
        let one = |name| form.one(name).map_err(problem);
        let (Some(token), Some(query), Some(user)) = (one("dev_pages")?, one("request")?, one("user")?)
        else {
            return Ok(None);
        };
        let is_ours: bool = token.as_bytes().ct_eq(self.token.as_bytes()).into();
        if !is_ours || !self.users.iter().any(|own| own == user) {
            return Err(page(403, "This form did not come from this server, or the server was restarted."));
        }
        let allows = one("decision")?.map(|decision| decision == "allow");
        let shown = one("shown")?.unwrap_or_default().to_owned();
        Ok(Some(Pressed { request: query.to_owned(), user: user.to_owned(), shown, allows }))
    }

    async fn sign_in(&self, asked: Authorization, query: &str) -> Result<Response, Response> {
        let who = escape_html(asked.client().name().unwrap_or(asked.client().id().as_str()));
        match asked.login_required().await {
            LoginRequired::ShowLogin(_) => {}
            LoginRequired::Answered(answer) => return Err(answer),
        }
        let button = |user: &String| {
            let user = escape_html(user);
            format!("<p><button name=\"user\" value=\"{user}\">Sign in as {user}</button></p>")
        };
        let buttons: String = self.users.iter().map(button).collect();
        let form = self.form(query, &buttons);
        Ok(page(200, &format!("<h1>Sign in</h1><p>to continue to <b>{who}</b></p>{form}")))
    }

    fn consent(&self, consent: &Consent, query: &str, user: &str) -> Response {
        let who = escape_html(consent.client().name().unwrap_or(consent.client().id().as_str()));
        let scopes: String =
            consent.scope().iter().map(|scope| format!("<li>{}</li>", escape_html(scope))).collect();
        let details = match consent.details().is_empty() {
            true => String::new(),
            false => {
                let json = serde_json::to_string(consent.details()).unwrap_or_default();
                format!("<pre>{}</pre>", escape_html(&json))
            }
        };
        let inside = format!(
            "<input type=\"hidden\" name=\"user\" value=\"{}\">\
             <input type=\"hidden\" name=\"shown\" value=\"{}\">\
             <button name=\"decision\" value=\"allow\">Allow</button> <button name=\"decision\" value=\"deny\">Deny</button>",
            escape_html(user),
            consent.fingerprint()
        );
        page(
            200,
            &format!(
                "<h1>Allow access?</h1><p><b>{who}</b> asks {} for</p><ul>{scopes}</ul>{details}\
                 <p>Afterwards you go to <b>{}</b>.</p>{}",
                escape_html(user),
                escape_html(consent.redirect_host()),
                self.form(query, &inside)
            ),
        )
    }

    fn form(&self, query: &str, inside: &str) -> String {
        let (token, query) = (&self.token, escape_html(query));
        format!(
            "<form method=\"post\"><input type=\"hidden\" name=\"dev_pages\" value=\"{token}\">\
             <input type=\"hidden\" name=\"request\" value=\"{query}\">{inside}</form>"
        )
    }
}

/// The host of an authority.
fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

fn page(status: u16, body: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>Development</title>{body}<p><small>These pages are for development: they ask for no password.</small></p></html>"
    );
    Response::page(status, POLICY, html)
}

impl fmt::Debug for DevPages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DevPages").field("users", &self.0.users).finish_non_exhaustive()
    }
}
