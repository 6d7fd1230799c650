//! The authorization request (RFC 6749 section 3.1).
//!
//! ```text
//! Request ─▶ AwaitClient ─▶ AwaitLogin ─▶ AwaitConsent ─▶ approve | deny ─▶ Redirect
//! ```
//!
//! Until the redirect URI has matched a registration, a failure is a page. Nothing of the rest is judged
//! before a user is signed in, so that no stranger's link can bounce off this server (RFC 9700 section 4.11.2).

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::redirect::{Answer, Redirect, Return, SealedRedirect};
use super::token::Reply;
use crate::client::ResponseMode;
use crate::client::{Client, ClientId, ResponseType};
use crate::details::AuthorizationDetails;
use crate::error::{Reason, Refusal};
use crate::form::Form;
use crate::grant::{Authentication, Grant, Handle, Kind, Login, Offer};
use crate::http::{Method, Request};
use crate::issuance::{self as gate, Gate, Issuance, Standing};
use crate::mint::Mint;
use crate::pkce::CodeChallenge;
use crate::policy::Rules;
use crate::redirect::RedirectUri;
use crate::scope::Scope;
use crate::store::Write;
use crate::target::Targets;

/// Parsed. The redirect URI is only claimed, so every failure here is shown and none is redirected.
#[derive(Debug)]
pub struct AwaitClient {
    client: ClientId,
    redirect_uri: Option<String>,
    state: Option<String>,
    asked: Asked,
}

/// What the request asks for: read at once, judged when a user is signed in.
#[derive(Debug)]
struct Asked {
    repeats: Result<(), Reason>,
    targets: Result<Targets, Reason>,
    details: Result<AuthorizationDetails, Reason>,
    response_type: Option<Result<ResponseType, Reason>>,
    response_mode: Option<Result<ResponseMode, Reason>>,
    scope: Option<Result<Scope, Reason>>,
    challenge: Option<Result<CodeChallenge, Reason>>,
    challenge_method: Option<ChallengeMethod>,
    silent: Result<bool, Reason>,
    max_age: Option<Result<i64, Reason>>,
    acr_values: Option<String>,
    request: bool,
    request_uri: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ChallengeMethod {
    S256,
    Unsupported,
}

impl AwaitClient {
    /// Reads an authorization request from a query (`GET`) or a form (`POST`).
    ///
    /// # Errors
    /// A request that cannot be read, or whose client or redirect URI is repeated or absent.
    pub fn parse(request: &Request) -> Result<Self, Refusal> {
        let parameters = match request.method {
            Method::Post => request.posted_form()?,
            Method::Get | Method::Head | Method::Put | Method::Delete | Method::Options | Method::Other => {
                request.query.as_deref().unwrap_or_default().as_bytes()
            }
        };
        let form = Form::parse(parameters)?;
        let client = form.one("client_id")?.ok_or(Reason::ParameterMissing)?;
        let redirect_uri = form.one("redirect_uri")?;
        Ok(Self {
            client: ClientId::new(client),
            redirect_uri: redirect_uri.map(str::to_owned),
            state: form.one("state").ok().flatten().map(str::to_owned),
            asked: Asked::parse(&form),
        })
    }

    /// The client that has to be looked up.
    #[must_use]
    pub fn client_id(&self) -> &ClientId {
        &self.client
    }

    /// Takes the client, and proves the redirect URI by what it registered.
    ///
    /// # Errors
    /// An error page: there is no client, or no address that the answer may go to.
    pub fn with_client(self, found: Option<Arc<Client>>, rules: &Rules) -> Result<AwaitLogin, Refusal> {
        let Self { redirect_uri, state, asked, .. } = self;
        let client = found.ok_or(Reason::ClientUnregistered)?;
        let named = redirect_uri.is_some();
        let uri = match (redirect_uri, client.redirect_uris()) {
            (Some(asked), _) => {
                client.redirect_uri(&asked, rules.profile).ok_or(Reason::RedirectUriUnregistered)?
            }
            (None, [only]) => only.clone(),
            (None, _) => return Err(Reason::RedirectUriMissing.into()),
        };
        let to = Return { uri, mode: asked.error_mode(&client), state, issuer: rules.issuer.clone() };
        Ok(AwaitLogin { client, to, named, asked })
    }
}

impl Asked {
    /// A parameter that is repeated is refused as a whole later on; until then it counts as absent.
    fn parse(form: &Form<'_>) -> Self {
        let text = |name| form.one(name).ok().flatten();
        Self {
            repeats: form.check_repeats(),
            targets: Targets::parse(form.all("resource")),
            details: text("authorization_details")
                .map_or(Ok(AuthorizationDetails::default()), AuthorizationDetails::parse),
            response_type: text("response_type").map(response_type),
            response_mode: text("response_mode").map(ResponseMode::parse),
            scope: text("scope").map(Scope::parse),
            challenge: text("code_challenge").map(CodeChallenge::parse),
            challenge_method: text("code_challenge_method").map(challenge_method),
            silent: is_silent(text("prompt")),
            max_age: text("max_age").map(max_age),
            acr_values: text("acr_values").map(str::to_owned),
            request: text("request").is_some(),
            request_uri: text("request_uri").is_some(),
        }
    }

    /// How an error travels, before the response type has been judged: as was asked, if the client may ask for it.
    fn error_mode(&self, client: &Client) -> ResponseMode {
        let response_type = self.response_type.and_then(Result::ok).unwrap_or(ResponseType::Code);
        let mode = response_mode(self.response_mode, response_type, client);
        mode.unwrap_or(ResponseMode::default_of(response_type))
    }

    fn is_silent(&self) -> bool {
        self.silent == Ok(true)
    }
}

/// The address for the answer is proven. Waits for the host's word on who is signed in.
#[derive(Debug)]
pub struct AwaitLogin {
    client: Arc<Client>,
    to: Return,
    /// Whether the request names the redirect URI; then the token request must, too.
    named: bool,
    asked: Asked,
}

/// What a signed-in user is faced with.
#[derive(Debug)]
#[must_use]
#[non_exhaustive]
pub enum SignedIn {
    /// Everything is checked but the human.
    Ask(Box<AwaitConsent>),
    /// The request wants a more recent login (`max_age`): send the user to the login page again.
    Stale(Box<AwaitLogin>),
    /// The request is refused; the answer goes to the client.
    Refused(Redirect),
}

/// A login counts as recent for this long even with `max_age=0`: the time that a user needs to get from the
/// login page to the end of the consent page. In seconds.
pub const FRESH_LOGIN: i64 = 60;

impl AwaitLogin {
    /// The client that asks.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The client whose authorization request forbids every page (`prompt=none`): nobody is signed in, and that
    /// is the answer. For any other request, the state comes back and the user is sent to the login page.
    ///
    /// # Errors
    /// The request lets the user sign in.
    pub fn without_login(self: Box<Self>) -> Result<Redirect, Box<Self>> {
        match self.asked.is_silent() {
            true => Ok(self.to.error(Reason::LoginRequired)),
            false => Err(self),
        }
    }

    /// Takes the user who is signed in, and judges the request.
    pub fn with_login(self, login: Login, now: DateTime<Utc>, rules: &Rules) -> SignedIn {
        let Login { subject, authentication } = login;
        let age = (now - authentication.auth_time).num_seconds();
        match self.check(&authentication, &subject, rules) {
            Err(reason) => SignedIn::Refused(self.to.error(reason)),
            Ok(checked) => match checked.max_age {
                Some(max) if age > max.max(FRESH_LOGIN) && self.asked.is_silent() => {
                    SignedIn::Refused(self.to.error(Reason::LoginRequired))
                }
                Some(max) if age > max.max(FRESH_LOGIN) => SignedIn::Stale(Box::new(self)),
                _ => SignedIn::Ask(Box::new(self.asks(checked, authentication))),
            },
        }
    }

    /// Every check, in the order of RFC 6749 section 4.1.1, RFC 7636 section 4.4.1 and OpenID Connect Core
    /// section 3.1.2.1.
    #[rustfmt::skip]
    fn check(&self, login: &Authentication, subject: &crate::grant::Subject, rules: &Rules) -> Result<CheckedRequest, Reason> {
        let Self { client, asked, .. } = self;
        asked.repeats?;
        if asked.request     { return Err(Reason::RequestObjectUnsupported) }
        if asked.request_uri { return Err(Reason::RequestUriUnsupported) }
        let response_type = asked.response_type.ok_or(Reason::ResponseTypeMissing)??;
        may_answer(response_type, client, rules)?;
        let mode          = response_mode(asked.response_mode, response_type, client)?;
        let challenge     = challenge(asked, response_type, client)?;
        let scope         = asked.scope.clone().transpose()?;
        let targets       = asked.targets.clone()?;
        let details       = asked.details.clone()?;
        asked.silent?;
        let max_age       = asked.max_age.transpose()?;
        authentication_class(asked.acr_values.as_deref(), login)?;
        let gate = Gate { client, grant_type: response_type.grant_type(), asked: &gate::Asked { scope, targets, details }, standing: Standing::Active, rules };
        let issuance = gate.pass_new(subject)?;
        Ok(CheckedRequest { response_type, mode, challenge, max_age, issuance })
    }

    fn asks(self, checked: CheckedRequest, authentication: Authentication) -> AwaitConsent {
        let CheckedRequest { response_type, mode, challenge, issuance, .. } = checked;
        AwaitConsent {
            to: Return { mode, ..self.to },
            named: self.named,
            silent: self.asked.is_silent(),
            response_type,
            challenge,
            authentication,
            issuance,
        }
    }
}

struct CheckedRequest {
    response_type: ResponseType,
    mode: ResponseMode,
    challenge: Option<CodeChallenge>,
    max_age: Option<i64>,
    issuance: Issuance,
}

fn response_type(asked: &str) -> Result<ResponseType, Reason> {
    match asked {
        "code" => Ok(ResponseType::Code),
        "token" => Ok(ResponseType::Token),
        _ => Err(Reason::ResponseTypeUnsupported),
    }
}

fn may_answer(asked: ResponseType, client: &Client, rules: &Rules) -> Result<(), Reason> {
    match (rules.profile.answers(asked), client.response_types().contains(&asked)) {
        (true, true) => Ok(()),
        (true, false) => Err(Reason::ResponseTypeNotAllowed),
        (false, _) => Err(Reason::ResponseTypeUnsupported),
    }
}

fn response_mode(
    asked: Option<Result<ResponseMode, Reason>>,
    response_type: ResponseType,
    client: &Client,
) -> Result<ResponseMode, Reason> {
    let mode = ResponseMode::choose(asked, response_type)?;
    match &client.metadata().response_modes {
        Some(registered) if !registered.contains(&mode) => Err(Reason::ResponseModeInvalid),
        _ => Ok(mode),
    }
}

/// A method that is absent means `plain` (RFC 7636 section 4.3), which is not supported.
fn challenge(
    asked: &Asked,
    response_type: ResponseType,
    client: &Client,
) -> Result<Option<CodeChallenge>, Reason> {
    match (asked.challenge, asked.challenge_method) {
        (None, Some(_)) => Err(Reason::ChallengeMissing),
        (None, None) if response_type == ResponseType::Code && client.requires_pkce() => {
            Err(Reason::ChallengeMissing)
        }
        (None, None) => Ok(None),
        (Some(challenge), Some(ChallengeMethod::S256)) => challenge.map(Some),
        (Some(_), Some(ChallengeMethod::Unsupported) | None) => Err(Reason::ChallengeMethodUnsupported),
    }
}

fn challenge_method(asked: &str) -> ChallengeMethod {
    if asked == "S256" { ChallengeMethod::S256 } else { ChallengeMethod::Unsupported }
}

/// Whether `prompt` is `none`, which stands alone.
fn is_silent(asked: Option<&str>) -> Result<bool, Reason> {
    match asked {
        Some("none") => Ok(true),
        Some(words) if words.split(' ').any(|word| word == "none") => Err(Reason::PromptMalformed),
        Some(_) | None => Ok(false),
    }
}

fn max_age(asked: &str) -> Result<i64, Reason> {
    let seconds: u32 = asked.parse().map_err(|_| Reason::MaxAgeMalformed)?;
    Ok(i64::from(seconds))
}

/// RFC 9470 section 5: one of the classes must have been reached.
fn authentication_class(asked: Option<&str>, login: &Authentication) -> Result<(), Reason> {
    let Some(asked) = asked else { return Ok(()) };
    let reached = login.acr.as_deref();
    match asked.split(' ').any(|class| Some(class) == reached) {
        true => Ok(()),
        false => Err(Reason::AuthenticationUnmet),
    }
}

/// Everything is checked but the human. Neither `Clone` nor serialisable: one question, one answer. Over a
/// page that waits for the user, the host keeps the query string, and the request is checked again.
#[derive(Debug)]
pub struct AwaitConsent {
    to: Return,
    named: bool,
    silent: bool,
    response_type: ResponseType,
    challenge: Option<CodeChallenge>,
    authentication: Authentication,
    issuance: Issuance,
}

impl AwaitConsent {
    /// The client that asks.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.issuance.client
    }

    /// Where the answer goes.
    #[must_use]
    pub fn redirect_uri(&self) -> &RedirectUri {
        &self.to.uri
    }

    /// What the user is asked to grant.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.issuance.scope
    }

    /// What it is answered with.
    #[must_use]
    pub fn response_type(&self) -> ResponseType {
        self.response_type
    }

    /// The resources that its tokens will be for; none is the server's default audience.
    #[must_use]
    pub fn targets(&self) -> &Targets {
        &self.issuance.targets
    }

    /// What the user is asked to grant that a scope cannot say (RFC 9396).
    #[must_use]
    pub fn details(&self) -> &AuthorizationDetails {
        &self.issuance.details
    }

    /// Takes what the user makes of the details: fewer, narrower, or enriched by a choice (RFC 9396 section 7.1).
    ///
    /// # Errors
    /// One is of a type that was not asked for, or not of its type's form. Nothing changes.
    pub fn set_details(&mut self, details: AuthorizationDetails, rules: &Rules) -> Result<(), Reason> {
        rules.detail_types.check(&details, &self.issuance.client, true)?;
        let was_asked = |kind| self.details().as_slice().iter().any(|asked| asked.kind() == kind);
        if !details.as_slice().iter().all(|detail| was_asked(detail.kind())) {
            return Err(Reason::DetailsExceeded);
        }
        self.issuance.details = details;
        Ok(())
    }

    /// Whether no page may be shown (`prompt=none`): approve what the user approved before, or answer
    /// [`cannot_ask`](Self::cannot_ask).
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.silent
    }

    /// The user said no.
    pub fn deny(self) -> Redirect {
        self.to.error(Reason::ConsentDenied)
    }

    /// The user would have to be asked, and the request forbids that.
    pub fn cannot_ask(self) -> Redirect {
        self.to.error(Reason::ConsentRequired)
    }

    /// The user said yes, to all of it or to the part that is named.
    pub fn approve(
        self,
        part: Option<&Scope>,
        mint: Mint,
        now: DateTime<Utc>,
        rules: &Rules,
    ) -> (Write, SealedRedirect) {
        let Self { to, named, response_type, challenge, authentication, mut issuance, .. } = self;
        if let Some(part) = part {
            issuance.scope = issuance.scope.intersection(part);
        }
        let policy = &rules.policy;
        let (grant, answer) = match response_type {
            ResponseType::Code => {
                let terms = Offer::new(&mint.first, &to.uri, named, challenge, now, policy);
                let grant = Grant::offer(issuance, authentication, terms, &mint, now, policy);
                let code = Handle::new(grant.id(), mint.first);
                (grant, Answer::Code(code.into_text(Kind::Code, &policy.prefixes)))
            }
            ResponseType::Token => {
                let (grant, tokens) = Grant::issue(issuance, Some(authentication), mint, now, policy);
                let reply = Reply::new(&grant, tokens, now, rules);
                (grant, Answer::Tokens(reply))
            }
        };
        (Write::insert(grant, now), SealedRedirect { to, answer })
    }
}
