//! [`Redirect`]: a response that can only go to a registered redirect URI.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use smallvec::SmallVec;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::ResponseMode;
use super::jarm::{AwaitResponseSignature, Finished};
use super::token::{ACCESS_TOKEN_MEMBER, IdToken, Part, Reply};
use crate::base::Algorithm;
use crate::base::query::{behind, with_parameters};
use crate::base::redirect_uri::RedirectUri;
use crate::client::{ClientId, Place};
use crate::error::{Reason, Refusal};
use crate::grant::{Prefixes, Subject};
use crate::http::{NO_CACHE, NO_STORE, Response, escape_html};
use crate::signing::Claims;
use crate::store::{Committed, WriteName};

/// The destination of an authorization response, and the parameters of every response.
#[derive(Clone, Debug)]
pub(crate) struct Return {
    pub(crate) uri: RedirectUri,
    pub(crate) mode: ResponseMode,
    pub(crate) state: Option<String>,
    pub(crate) issuer: Arc<str>,
    /// The recipient and the algorithm of a signed response.
    pub(crate) signed_for: Option<(ClientId, Algorithm)>,
}

/// A response to the client through the browser. It has no public constructor, so an open redirect cannot be
/// built.
pub struct Redirect {
    to: Return,
    reason: Option<Reason>,
    fields: Vec<(&'static str, String)>,
    /// Whether the user has to click a link to follow it.
    is_link: bool,
}

/// Omits the fields, because one may be a code or a token.
impl fmt::Debug for Redirect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redirect").field("to", &self.to).field("reason", &self.reason).finish_non_exhaustive()
    }
}

/// An error for the client.
#[derive(Debug)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "each case needs an answer")]
pub enum ErrorAnswer {
    /// The host registered the client, so the error is sent there.
    Redirect(Redirect),
    /// The client chose its own redirect URI. Waits for whether the user approved this client before.
    Unproven(AwaitApproval),
}

/// An error for a client that registered itself or has a metadata document. If it were redirected without the
/// user's approval, anyone could lead users from this server to a page of their own (RFC 9700 section
/// 4.11.2).
#[derive(Debug)]
pub struct AwaitApproval {
    redirect: Redirect,
    client: ClientId,
    subject: Option<Subject>,
}

impl Return {
    pub(crate) fn error(self, reason: Reason) -> Redirect {
        let error = ("error", reason.code().as_str().to_owned());
        let description = ("error_description", reason.description().to_owned());
        Redirect { to: self, reason: Some(reason), fields: vec![error, description], is_link: false }
    }

    /// The error. If it may not be redirected at once (`is_proven`), the store is asked whether the user
    /// approved the client before.
    pub(crate) fn refuse(
        self,
        reason: Reason,
        is_proven: bool,
        client: &ClientId,
        subject: Option<Subject>,
    ) -> ErrorAnswer {
        let redirect = self.error(reason);
        match is_proven {
            true => ErrorAnswer::Redirect(redirect),
            false => ErrorAnswer::Unproven(AwaitApproval { redirect, client: client.clone(), subject }),
        }
    }

    pub(crate) fn success(self, fields: Vec<(&'static str, String)>) -> Redirect {
        Redirect { to: self, reason: None, fields, is_link: false }
    }
}

impl AwaitApproval {
    /// Asks whether this user approved this client before. `None` if no user is signed in; the answer is then
    /// no.
    #[must_use]
    pub fn question(&self) -> Option<(&Subject, &ClientId)> {
        Some((self.subject.as_ref()?, &self.client))
    }

    /// Takes the answer. The result is a redirect, or a page with the client's host and a link to it.
    pub fn with_answer(self, approved: bool) -> Redirect {
        Redirect { is_link: !approved, ..self.redirect }
    }
}

impl Redirect {
    /// The reason, if it is an error.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        self.reason
    }

    /// The response to the browser, or what has to be signed first (JARM). The time is read only if a signature
    /// needs it.
    pub fn finish(self, now: impl FnOnce() -> DateTime<Utc>) -> Finished {
        let Self { to, fields, reason, is_link } = self;
        let unproven = reason.filter(|_| is_link);
        match to.mode.is_signed() {
            true => Finished::Sign(Box::new(AwaitResponseSignature::new(to, fields, unproven, now()))),
            false => {
                let common = [to.state.as_deref().map(|state| ("state", state)), Some(("iss", &*to.issuer))];
                let fields: SmallVec<[(&str, &str); 8]> = fields
                    .iter()
                    .map(|(name, value)| (*name, value.as_str()))
                    .chain(common.into_iter().flatten())
                    .collect();
                Finished::Ready(to.send(&fields, unproven))
            }
        }
    }
}

impl Return {
    /// A 303 to the client, or a page that posts a form to it. For a client that the user has not approved
    /// yet, a page with a link.
    pub(super) fn send(&self, fields: &[(&str, &str)], unproven: Option<Reason>) -> Response {
        let uri = self.uri.as_str();
        let fields_of = || fields.iter().copied();
        let location = match (self.mode.place(), unproven) {
            (Place::Form, None) => return form_post(uri, fields),
            (Place::Form, Some(reason)) => {
                let (action, inputs) = (escape_html(uri), inputs(fields));
                let button = "<button id=\"continue\">Continue to";
                let form = format!("<form method=\"post\" action=\"{action}\">{inputs}{button}");
                return link_page(reason, self.uri.host(), &form, "</button></form>");
            }
            (Place::Fragment, _) => behind(uri, '#', fields_of()),
            (Place::Query, _) => with_parameters(uri, fields_of()),
        };
        if let Some(reason) = unproven {
            let link = format!(
                "<a id=\"continue\" rel=\"noreferrer\" href=\"{}\">Continue to",
                escape_html(&location)
            );
            return link_page(reason, self.uri.host(), &link, "</a>");
        }
        Response {
            status: 303,
            headers: vec![
                ("location", location.into()),
                NO_STORE,
                NO_CACHE,
                ("referrer-policy", Cow::Borrowed("no-referrer")),
            ],
            body: Vec::new(),
        }
    }
}

/// The error, the host that the client chose, and a link there.
fn link_page(reason: Reason, host: &str, before: &str, after: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Request refused</title>\
         <h1>This request was refused</h1><p><code id=\"oauth-error\">{}</code></p><p>{}</p>\
         <p>An application that you have not used here before asked for this. This site does not know it: go on only if \
         you trust the address.</p><p>{before} <bdi id=\"redirect-host\">{}</bdi>{after}</p></html>",
        escape_html(reason.code().as_str()),
        escape_html(reason.description()),
        escape_html(host),
    );
    Response::page(400, "default-src 'none'; frame-ancestors 'none'; base-uri 'none'", html)
}

fn inputs(fields: &[(&str, &str)]) -> String {
    let input = |(name, value): &(&str, &str)| {
        let value = escape_html(value);
        format!("<input type=\"hidden\" name=\"{name}\" value=\"{value}\">")
    };
    fields.iter().map(input).collect()
}

/// OAuth 2.0 Form Post Response Mode section 2. Without JavaScript, the user clicks the button.
fn form_post(uri: &str, fields: &[(&str, &str)]) -> Response {
    const SCRIPT: &str = "document.forms[0].submit()";
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>One moment</title>\
         <form method=\"post\" action=\"{}\">{}<noscript><button>Continue</button></noscript></form>\
         <script>{SCRIPT}</script></html>",
        escape_html(uri),
        inputs(fields),
    );
    let hash = STANDARD.encode(Sha256::digest(SCRIPT));
    let csp =
        format!("default-src 'none'; script-src 'sha256-{hash}'; frame-ancestors 'none'; base-uri 'none'");
    Response::page(200, csp, html)
}

/// A redirect with a code or a token, sealed until the store has proven the write of the grant.
#[derive(Debug)]
pub struct SealedRedirect {
    pub(crate) to: Return,
    pub(crate) answer: Answer,
    pub(crate) write: WriteName,
}

/// The parameters of an authorization response, and the tokens that have to be signed first.
#[derive(Default)]
pub(crate) struct Answer {
    fields: Vec<(&'static str, String)>,
    unsigned: Vec<Part>,
}

impl Answer {
    pub(super) fn add_code(&mut self, code: String) {
        self.fields.push(("code", code));
    }

    pub(super) fn add_tokens(&mut self, reply: Reply, prefixes: &Prefixes) {
        let (fields, unsigned) = reply.into_parameters(prefixes);
        self.fields.extend(fields);
        self.unsigned.extend(unsigned);
    }

    /// Adds the `id_token`, after everything that it is bound to. A signed access token is bound later, once
    /// it is signed.
    pub(super) fn add_id_token(&mut self, mut id_token: IdToken, state: Option<&str>) {
        id_token.bind_request(self.field("code"), state);
        if let Some(access_token) = self.field(ACCESS_TOKEN_MEMBER) {
            id_token.bind(access_token);
        }
        self.unsigned.push(Part::IdToken(Box::new(id_token)));
    }

    fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(own, _)| *own == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answer(..)")
    }
}

/// A redirect whose write is proven.
#[derive(Debug)]
#[must_use]
#[non_exhaustive]
pub enum OpenedRedirect {
    /// Ready.
    Ready(Redirect),
    /// A token in it has to be signed.
    Sign(Box<AwaitRedirectSignature>),
}

/// Waits for the signature of a token in a redirect; there may be more.
pub struct AwaitRedirectSignature {
    to: Return,
    fields: Vec<(&'static str, String)>,
    next: Part,
    rest: Vec<Part>,
}

/// Omits the parameters, because one may be a code or a token.
impl fmt::Debug for AwaitRedirectSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("AwaitRedirectSignature");
        shown.field("to", &self.to).field("next", &self.next).finish_non_exhaustive()
    }
}

impl SealedRedirect {
    /// The `id_token` of the response, if it has one.
    pub(crate) fn id_token_mut(&mut self) -> Option<&mut IdToken> {
        self.answer.unsigned.iter_mut().find_map(Part::id_token_mut)
    }

    /// The claims of an access token that will be signed.
    pub(crate) fn access_claims_mut(&mut self) -> Option<&mut Claims> {
        self.answer.unsigned.iter_mut().find_map(Part::access_claims_mut)
    }

    /// Opens the redirect with the proof of its write.
    ///
    /// # Errors
    /// The proof is of another write.
    pub fn open(self, proof: Committed) -> Result<OpenedRedirect, Refusal> {
        let Self { to, answer: Answer { fields, unsigned }, write } = self;
        write.check(proof)?;
        Ok(OpenedRedirect::of(to, fields, unsigned))
    }
}

impl OpenedRedirect {
    fn of(to: Return, fields: Vec<(&'static str, String)>, mut unsigned: Vec<Part>) -> Self {
        match unsigned.is_empty() {
            true => Self::Ready(to.success(fields)),
            false => {
                let next = unsigned.remove(0);
                Self::Sign(Box::new(AwaitRedirectSignature { to, fields, next, rest: unsigned }))
            }
        }
    }
}

impl AwaitRedirectSignature {
    /// What has to be signed.
    #[must_use]
    pub fn part(&self) -> &Part {
        &self.next
    }

    /// Takes the signed token.
    pub fn with_token(self, token: String) -> OpenedRedirect {
        let Self { to, mut fields, next, mut rest } = self;
        next.is_followed_by(&mut rest, &token);
        fields.push((next.member(), token));
        OpenedRedirect::of(to, fields, rest)
    }
}
