//! The parameters of an authorization request: read at once, checked when a user is signed in.

use std::fmt;

use super::requested::{AuthenticationRequest, Prompts};
use crate::base::pkce::CodeChallenge;
use crate::base::{AuthorizationDetails, ResourceIndicators, Scope, Thumbprint};
use crate::client::{Client, ResponseType};
use crate::error::Reason;
use crate::flow::ResponseMode;
use crate::http::form::Form;
use crate::issuance::Rules;
use crate::openid::ClaimsRequest;

/// The parameter with the thumbprint of the client's DPoP key (RFC 9449 section 10).
pub(in crate::flow) const DPOP_JKT: &str = "dpop_jkt";

/// The parameters of the request.
pub(super) struct AuthorizationParameters {
    /// Whether each parameter occurs at most once and has the right type.
    pub(super) repeats: Result<(), Reason>,
    pub(super) resources: Result<ResourceIndicators, Reason>,
    pub(super) details: Result<AuthorizationDetails, Reason>,
    pub(super) response_type: Option<Result<ResponseType, Reason>>,
    pub(super) response_mode: Option<Result<ResponseMode, Reason>>,
    pub(super) scope: Option<Result<Scope, Reason>>,
    challenge: Option<Result<CodeChallenge, Reason>>,
    challenge_method: Option<ChallengeMethod>,
    /// Whether `prompt` and `max_age` are well-formed.
    pub(super) authentication: Result<(), Reason>,
    pub(super) requested: AuthenticationRequest,
    /// The key to bind the code to (RFC 9449 section 10).
    pub(super) dpop_jkt: Option<Result<Thumbprint, Reason>>,
    /// `nonce` and `claims` of OpenID Connect, which plain OAuth ignores.
    pub(super) nonce: Option<Box<str>>,
    pub(super) claims: Option<Result<Box<ClaimsRequest>, Reason>>,
    pub(super) id_token_hint: Option<Box<str>>,
    pub(super) request: bool,
    /// Whether there is a `request_uri` that is not this server's own.
    pub(super) request_uri: bool,
    pub(super) registration: bool,
}

/// Omits the values that may identify the user.
impl fmt::Debug for AuthorizationParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("AuthorizationParameters");
        shown.field("response_type", &self.response_type).field("response_mode", &self.response_mode);
        shown.field("scope", &self.scope).field("requested", &self.requested).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ChallengeMethod {
    S256,
    Unsupported,
}

impl AuthorizationParameters {
    /// A repeated parameter counts as absent here; the request is refused for it later.
    pub(super) fn parse(form: &Form<'_>) -> Self {
        let text = |name| form.one(name).ok().flatten();
        let (prompts, judged) = Prompts::parse(text("prompt"));
        let max_age = text("max_age").map(max_age).transpose();
        let requested = AuthenticationRequest::parse(form, prompts, max_age.unwrap_or_default());
        Self {
            repeats: form.check_repeats().map_err(Reason::from),
            resources: ResourceIndicators::parse(form.all("resource")).map_err(Reason::from),
            details: text("authorization_details")
                .map_or(Ok(AuthorizationDetails::default()), AuthorizationDetails::parse)
                .map_err(Reason::from),
            response_type: text("response_type")
                .map(|words| ResponseType::parse(words).ok_or(Reason::ResponseTypeUnsupported)),
            response_mode: text("response_mode").map(ResponseMode::parse),
            scope: text("scope").map(|text| Scope::parse(text).map_err(Reason::from)),
            challenge: text("code_challenge").map(|text| CodeChallenge::parse(text).map_err(Reason::from)),
            challenge_method: text("code_challenge_method").map(challenge_method),
            authentication: judged.and(max_age.map(drop)),
            requested,
            dpop_jkt: text(DPOP_JKT).map(|jkt| Thumbprint::parse(jkt).ok_or(Reason::DpopJktMalformed)),
            nonce: text("nonce").map(Box::from),
            claims: text("claims").map(|text| ClaimsRequest::parse(text).map(Box::new)),
            id_token_hint: text("id_token_hint").map(Box::from),
            request: text("request").is_some(),
            request_uri: text("request_uri").is_some(),
            registration: text("registration").is_some(),
        }
    }

    /// The response mode of an error, before the response type has been checked: the requested mode if the
    /// client may use it, or else the first of its registered modes, or a signed one if its profile requires
    /// that. So a client that accepts only signed responses gets no unsigned error, unless the server has no
    /// key any more to sign one for it.
    pub(super) fn error_mode(&self, client: &Client, rules: &Rules) -> ResponseMode {
        let response_type = self.response_type.and_then(Result::ok).unwrap_or(ResponseType::Code);
        let own = client.metadata().response_modes.iter().flatten();
        let signed = rules.message_signing_for(client).responses.then_some(Some(Ok(ResponseMode::Jwt)));
        let own = own.map(|mode| Some(Ok(*mode))).chain(signed);
        let mut asked = std::iter::once(self.response_mode).chain(own);
        let mode = asked.find_map(|mode| judge_mode(mode, response_type, client, rules).ok());
        mode.unwrap_or(ResponseMode::default_of(response_type))
    }

    pub(super) fn mode_for(
        &self,
        response_type: ResponseType,
        client: &Client,
        rules: &Rules,
    ) -> Result<ResponseMode, Reason> {
        judge_mode(self.response_mode, response_type, client, rules)
    }

    /// The PKCE challenge. A missing method means `plain` (RFC 7636 section 4.3), which is not supported.
    pub(super) fn challenge_for(
        &self,
        response_type: ResponseType,
        client: &Client,
    ) -> Result<Option<CodeChallenge>, Reason> {
        match (self.challenge, self.challenge_method) {
            (None, Some(_)) => Err(Reason::ChallengeMissing),
            (None, None) if response_type.has_code() && client.requires_pkce() => {
                Err(Reason::ChallengeMissing)
            }
            (None, None) => Ok(None),
            (Some(challenge), Some(ChallengeMethod::S256)) => challenge.map(Some),
            (Some(_), Some(ChallengeMethod::Unsupported) | None) => Err(Reason::ChallengeMethodUnsupported),
        }
    }

    /// The key to bind the code to. A server without DPoP ignores the parameter, and a response without a
    /// code has nothing to bind.
    pub(super) fn code_key(
        &self,
        response_type: ResponseType,
        rules: &Rules,
    ) -> Result<Option<Thumbprint>, Reason> {
        match rules.takes_proofs && response_type.has_code() {
            true => self.dpop_jkt.transpose(),
            false => Ok(None),
        }
    }

    /// Whether the scope has this token.
    pub(super) fn names_scope(&self, token: &str) -> bool {
        matches!(&self.scope, Some(Ok(scope)) if scope.contains(token))
    }
}

fn challenge_method(asked: &str) -> ChallengeMethod {
    if asked == "S256" { ChallengeMethod::S256 } else { ChallengeMethod::Unsupported }
}

/// Only digits: `parse` would also take a sign.
fn max_age(asked: &str) -> Result<u32, Reason> {
    let digits = Some(asked).filter(|asked| asked.bytes().all(|byte| byte.is_ascii_digit()));
    digits.and_then(|digits| digits.parse().ok()).ok_or(Reason::MaxAgeMalformed)
}

/// The response mode, if the client may use it and the server supports it.
fn judge_mode(
    asked: Option<Result<ResponseMode, Reason>>,
    response_type: ResponseType,
    client: &Client,
    rules: &Rules,
) -> Result<ResponseMode, Reason> {
    let mode = ResponseMode::choose(asked, response_type)?;
    let registered = client.metadata().response_modes.as_ref();
    let is_registered = registered.is_none_or(|modes| modes.iter().any(|own| own.of(response_type) == mode));
    let may_be_had = mode.is_signed() || !rules.message_signing_for(client).responses;
    let can_be_had = !mode.is_signed() || rules.authorization_algorithm(client).is_some();
    match is_registered && may_be_had && can_be_had {
        true => Ok(mode),
        false => Err(Reason::ResponseModeInvalid),
    }
}
