//! `/device`: where the user of a device enters its code, and says whether it may go on (RFC 8628).
//!
//! A code in the URL only fills in the form: the user has to submit it, so a link alone never enters a code.
//! Once submitted, the code belongs to this browser, also across the sign-in, and the consent page shows it
//! for comparison.

use std::convert::Infallible;
use std::net::IpAddr;

use axum::extract::{FromRequestParts, RawQuery, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grantor::adapter::axum::Peer;
use grantor::{BrowserSession, DeviceConsent, ErrorPage, UserCode};
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::applications::name_of;
use crate::asking::Asking;
use crate::forms::{Posted, PostedBy, see_other};
use crate::login::sign_in_first;
use crate::pages::Page;
use crate::session::{AnsweredDevice, Session, SignedIn, Visitor};

/// `GET /device`, perhaps with the code in the query (`verification_uri_complete`).
pub(crate) async fn form(
    State(app): State<App>,
    Peer(peer): Peer,
    visitor: Visitor,
    claimant: Claimant,
    RawQuery(query): RawQuery,
) -> Response {
    let code = code_in(query.as_deref()).map(|code| code.to_string()).unwrap_or_default();
    let page = FormPage { code: &code, message: None };
    claimant.keep(match visitor.session() {
        Some(session) => app.pages.show(Some(session), &page),
        None => {
            let (session, cookie) = app.sessions.visit(peer);
            ([(header::SET_COOKIE, cookie)], app.pages.show(Some(&session), &page)).into_response()
        }
    })
}

/// `POST /device`: 303 to the consent page, via the sign-in page if needed; or the form again.
pub(crate) async fn enter(
    State(app): State<App>,
    Peer(peer): Peer,
    claimant: Claimant,
    Posted { session, fields }: Posted<Entered>,
) -> Response {
    let entered = match app.server.device(&fields.user_code, &claimant.browser, peer).await {
        Ok(_) => {
            session.browser().enter(UserCode::parse(&fields.user_code));
            see_other(&app.site.path("/device/consent"))
        }
        Err(refused) => form_again(&app, &session, &fields.user_code, refused),
    };
    claimant.keep(entered)
}

/// `GET /device/consent`: the consent page for the code that was entered in this browser.
pub(crate) async fn ask(
    State(app): State<App>,
    Peer(peer): Peer,
    visitor: Visitor,
    claimant: Claimant,
) -> Response {
    let Some((session, code)) = visitor.session().and_then(|s| Some((s, s.browser().entered()?))) else {
        return see_other(&app.site.path("/device"));
    };
    let Some(by) = session.signed_in() else {
        return sign_in_first(&app, &app.site.path("/device/consent"));
    };
    match waiting(&app, session, by, code, (&claimant, peer)).await {
        Ok(consent) => app.pages.show(Some(session), &ConsentPage::new(&app, &consent)),
        Err(response) => response,
    }
}

/// `POST /device/consent`
pub(crate) async fn decide(
    State(app): State<App>,
    Peer(peer): Peer,
    claimant: Claimant,
    PostedBy { session, by, fields }: PostedBy<Answer>,
) -> Response {
    // Only one decision at a time; a second press of the buttons repeats the first response.
    let mut answered = session.browser().answered.lock().await;
    if let Some(before) = answered.as_ref().filter(|before| before.code.to_string() == fields.user_code) {
        return done(&app, &session, before);
    }
    // The code that the page showed, which another tab may have replaced since.
    let code = match session.browser().entered() {
        Some(code) if code.to_string() == fields.user_code => code,
        Some(_) => return see_other(&app.site.path("/device/consent")),
        None => return see_other(&app.site.path("/device")),
    };
    let consent = match waiting(&app, &session, &by, code, (&claimant, peer)).await {
        Ok(consent) => consent,
        Err(response) => return response,
    };
    let client_name = name_of(consent.client());
    let allowed = fields.decision == Decision::Approve;
    if allowed && fields.shown != consent.fingerprint() {
        return see_other(&app.site.path("/device/consent"));
    }
    let said = if allowed { consent.approve().await } else { consent.deny().await };
    match said {
        Ok(()) => {
            session.browser().enter(None);
            done(&app, &session, answered.insert(AnsweredDevice { code, allowed, client_name }))
        }
        Err(refused) => form_again(&app, &session, "", refused),
    }
}

fn done(app: &App, session: &Session, answered: &AnsweredDevice) -> Response {
    let AnsweredDevice { allowed, client_name, .. } = answered.clone();
    app.pages.show(Some(session), &DonePage { allowed, client_name })
}

async fn waiting(
    app: &App,
    session: &Session,
    by: &SignedIn,
    code: UserCode,
    (claimant, peer): (&Claimant, Option<IpAddr>),
) -> Result<DeviceConsent, Response> {
    let found = app.server.device(&code.to_string(), &claimant.browser, peer).await;
    let request = found.map_err(|refused| form_again(app, session, "", refused))?;
    Ok(request.signed_in(by.login()))
}

/// The browser of a request. Its cookie outlives this process, so that a code from before a restart can still
/// be answered.
pub(crate) struct Claimant {
    browser: BrowserSession,
    /// The `Set-Cookie` of a browser that had none.
    cookie: Option<HeaderValue>,
}

impl Claimant {
    fn keep(self, mut response: Response) -> Response {
        if let Some(cookie) = self.cookie {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    }
}

impl FromRequestParts<App> for Claimant {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let (id, cookie) = match app.device_cookie.read(&parts.headers) {
            Some(id) => (id, None),
            None => {
                let (id, cookie) = app.device_cookie.create();
                (id, Some(cookie))
            }
        };
        Ok(Self { browser: BrowserSession::session(&URL_SAFE_NO_PAD.encode(id)), cookie })
    }
}

fn code_in(query: Option<&str>) -> Option<UserCode> {
    let entered: Entered = serde_urlencoded::from_str(query?).ok()?;
    UserCode::parse(&entered.user_code)
}

fn form_again(app: &App, session: &Session, typed: &str, refused: ErrorPage) -> Response {
    let status = StatusCode::from_u16(refused.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let message = match status {
        StatusCode::BAD_REQUEST => WRONG,
        StatusCode::TOO_MANY_REQUESTS => TOO_MANY,
        _ => return app.pages.refused(&refused),
    };
    let typed: String = typed.chars().take(LONGEST_SHOWN).collect();
    let page = app.pages.show(Some(session), &FormPage { code: &typed, message: Some(message) });
    match refused.retry_after() {
        Some(seconds) => (status, [(header::RETRY_AFTER, seconds)], page).into_response(),
        None => (status, page).into_response(),
    }
}

const WRONG: &str = "No device is waiting for this code. Compare it with the one on your device. A code works for a few minutes, and in one browser only.";
const TOO_MANY: &str = "Too many wrong codes were entered from here. Wait a few minutes, then try again.";
const LONGEST_SHOWN: usize = 40;

/// What the form of the page sends, and the query of `verification_uri_complete`.
#[derive(Deserialize)]
pub(crate) struct Entered {
    user_code: String,
}

/// What the consent form sends.
#[derive(Deserialize)]
pub(crate) struct Answer {
    user_code: String,
    /// The fingerprint of what the page showed.
    #[serde(default)]
    shown: String,
    decision: Decision,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Decision {
    Approve,
    Deny,
}

#[derive(Serialize)]
struct FormPage<'a> {
    code: &'a str,
    message: Option<&'a str>,
}

impl Page for FormPage<'_> {
    const TEMPLATE: &'static str = "device.html";
}

#[derive(Serialize)]
struct ConsentPage<'a> {
    asking: Asking<'a>,
    code: String,
    shown: String,
}

impl Page for ConsentPage<'_> {
    const TEMPLATE: &'static str = "device_consent.html";
}

impl<'a> ConsentPage<'a> {
    fn new(app: &App, consent: &'a DeviceConsent) -> Self {
        let asking =
            Asking::new(app, consent.client(), consent.scope(), consent.details(), consent.resources());
        let code = consent.user_code().to_string();
        Self { asking: asking.warn([PHISHING]), code, shown: consent.fingerprint() }
    }
}

/// RFC 8628 section 5.4.
const PHISHING: &str = "Allow it only if the device is in your hands or in front of you, and shows exactly this code. If somebody gave you the code, by mail, by phone or in a message, deny it: they would get into your account.";

#[derive(Serialize)]
struct DonePage {
    allowed: bool,
    client_name: String,
}

impl Page for DonePage {
    const TEMPLATE: &'static str = "device_done.html";
}
