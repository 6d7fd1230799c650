//! The introspection request (RFC 7662).

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::token_query::{AuthenticatedQuery, Token, TokenQuery};
use crate::base::{AuthorizationDetails, Confirmation, TokenName};
use crate::error::Refusal;
use crate::grant::{AccessRecord, Actor, Grant, Handle, Kind};
use crate::http::{Request, Response};
use crate::issuance::{Facts, Rules};
use crate::signing::{Claims, Unsigned};
use crate::store::Record;

/// A parsed request; its client is unverified.
pub type AwaitClient = super::AwaitClient<TokenQuery>;

/// Reads an introspection request. The client must be confidential (RFC 7662 section 2.1).
///
/// # Errors
/// The form cannot be read, or has no `token`.
pub fn parse(request: &Request, facts: &Facts<'_>) -> Result<AwaitClient, Refusal> {
    AwaitClient::parse_query(request, false, facts)
}

impl AuthenticatedQuery {
    /// Answers with the state of the token, or that it is inactive. A client sees its own tokens, and the
    /// server of a resource sees the access tokens for that resource.
    ///
    /// `sub` is the one that the client of the grant sees, if it is not the host's own identifier;
    /// `wants_jwt` says whether the request [prefers a signed answer](prefers_jwt).
    ///
    /// # Errors
    /// The client accepts only signed answers, and the server does not sign them.
    pub fn introspect(
        &self,
        found: Option<&Record>,
        sub: Option<&str>,
        wants_jwt: bool,
        facts: &Facts<'_>,
    ) -> Result<Answer, Refusal> {
        let Facts { now, rules, .. } = *facts;
        let grant = found.map(Record::grant);
        let seen = match (&self.token, grant) {
            (Token::Handle(Kind::Access, handle), Some(grant)) => {
                Active::access(grant, grant.access(&handle.secret, now), rules)
            }
            (Token::Handle(Kind::Refresh, handle), Some(grant)) => {
                Active::refresh(grant, handle, now, rules).filter(|_| self.owns(grant))
            }
            (Token::Signed(claims), grant) => Active::signed(claims, grant, now, rules),
            (Token::Handle(..), _) | (Token::Unverified(_) | Token::Unrecognized, _) => None,
        };
        let seen = seen.filter(|active| self.may_see(active, rules));
        let seen = seen.map(|active| Active { sub: sub.unwrap_or(active.sub), ..active });
        let seen = seen.as_ref().map_or(Seen::Nothing { active: false }, Seen::Active);
        let Some(algorithm) = rules.introspection_algorithm(self.client(), wants_jwt)? else {
            return Ok(Answer::Ready(Response::secret_json_of(200, &seen)));
        };
        let claims = Signed {
            iss: &rules.issuer,
            aud: self.client().id().as_str(),
            iat: now.timestamp(),
            token_introspection: seen,
        };
        Ok(match Unsigned::new(JWT_TYPE, &claims, Some(algorithm)) {
            Ok(unsigned) => Answer::Sign(AwaitAnswerSignature { unsigned }),
            Err(_) => Answer::Ready(Response::empty(500)),
        })
    }

    /// Whether the token is this client's own, or one for a resource that it serves.
    fn may_see(&self, active: &Active<'_>, rules: &Rules) -> bool {
        let me = self.client().id();
        let resource = active.aud.and_then(|audience| rules.resource(audience));
        active.client_id == me.as_str()
            || rules.introspect_all.contains(me)
            || resource.is_some_and(|r| r.introspection_clients.contains(me))
    }
}

/// The response: ready, or still to be signed.
#[derive(Debug)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "each case needs an answer")]
pub enum Answer {
    /// Ready.
    Ready(Response),
    /// A JWT that has to be signed (RFC 9701).
    Sign(AwaitAnswerSignature),
}

/// Waits for the signature over an introspection answer.
#[derive(Debug)]
pub struct AwaitAnswerSignature {
    unsigned: Unsigned,
}

impl AwaitAnswerSignature {
    /// What has to be signed.
    #[must_use]
    pub fn unsigned(&self) -> &Unsigned {
        &self.unsigned
    }

    /// Takes the signed JWT.
    pub fn with_signature(self, text: String) -> Response {
        Response::secret(200, JWT, text.into_bytes())
    }
}

/// The media type of a signed answer (RFC 9701 section 4), and the `typ` of its header, which no other JWT of
/// this server has.
const JWT: &str = "application/token-introspection+jwt";
const JWT_TYPE: &str = "token-introspection+jwt";

/// Whether a request prefers a signed answer (RFC 9701 section 4): it names the media type, and does not give
/// JSON a higher weight (RFC 9110 section 12.5.1). A range such as `*/*` counts as JSON.
pub fn prefers_jwt(request: &Request) -> bool {
    let fields = request.headers.all("accept").flat_map(|field| field.split(','));
    let (mut jwt, mut json) = (0, 0);
    for range in fields {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        let weight = weight.map_or(1000, thousandths);
        if media.eq_ignore_ascii_case(JWT) {
            jwt = jwt.max(weight);
        } else if ["application/json", "application/*", "*/*"]
            .iter()
            .any(|one| media.eq_ignore_ascii_case(one))
        {
            json = json.max(weight);
        }
    }
    jwt > 0 && jwt >= json
}

/// A weight in thousandths; a malformed one counts as 0.
fn thousandths(weight: &str) -> u32 {
    let weight = weight.trim();
    let is_plain = weight.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let weight: f32 = if is_plain { weight.parse().unwrap_or(0.0) } else { 0.0 };
    if (0.0..=1.0).contains(&weight) { (weight * 1000.0) as u32 } else { 0 }
}

/// RFC 9701 section 5. No `sub` and no `exp`, so that it cannot pass as an access token.
#[derive(Serialize)]
struct Signed<'a> {
    iss: &'a str,
    aud: &'a str,
    iat: i64,
    token_introspection: Seen<'a>,
}

/// What the client learns about a token.
#[derive(Serialize)]
#[serde(untagged)]
enum Seen<'a> {
    Active(&'a Active<'a>),
    Nothing { active: bool },
}

/// RFC 7662 section 2.2; `sub_type` is grantor's own, and distinguishes users from clients.
#[derive(Serialize)]
struct Active<'a> {
    active: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    scope: &'a str,
    client_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    sub: &'a str,
    sub_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
    iss: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<&'a Actor>,
    #[serde(skip_serializing_if = "AuthorizationDetails::is_empty")]
    authorization_details: &'a AuthorizationDetails,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<&'a Confirmation>,
}

impl<'a> Active<'a> {
    fn access(grant: &'a Grant, token: Option<&'a AccessRecord>, rules: &'a Rules) -> Option<Self> {
        let token = token?;
        let audience = rules.audience_of(token.audience());
        Some(Self {
            scope: token.scope(grant).as_str(),
            authorization_details: token.details(grant),
            aud: Some(audience),
            token_type: Some(Confirmation::token_type_of(token.confirmation(grant))),
            cnf: token.confirmation(grant),
            iat: Some(token.issued().timestamp()),
            ..Self::of(grant, token.expires(), rules)
        })
    }

    /// A recorded JWT is active while its grant record is; an unrecorded one until its `exp`.
    fn signed(
        claims: &'a Claims,
        grant: Option<&'a Grant>,
        now: DateTime<Utc>,
        rules: &'a Rules,
    ) -> Option<Self> {
        let live = match (TokenName::parse(&claims.jti)?, grant) {
            (TokenName::Recorded { fingerprint, .. }, Some(grant)) => {
                grant.access_by_name(fingerprint, now).is_some()
            }
            (TokenName::Recorded { .. }, None) => false,
            (TokenName::Unrecorded(_), _) => true,
        };
        (live && now < claims.expires()).then(|| Self {
            active: true,
            scope: claims.scope.as_str(),
            client_id: &claims.client_id,
            token_type: Some(Confirmation::token_type_of(claims.cnf.as_ref())),
            cnf: claims.cnf.as_ref(),
            exp: claims.exp,
            iat: Some(claims.iat),
            sub: &claims.sub,
            sub_type: claims.subject_kind(),
            aud: Some(&claims.aud),
            iss: &rules.issuer,
            auth_time: claims.auth_time,
            acr: claims.acr.as_deref(),
            act: claims.act.as_ref(),
            authorization_details: &claims.authorization_details,
        })
    }

    /// Without a `token_type`, so that it is not mistaken for an access token.
    fn refresh(grant: &'a Grant, handle: &Handle, now: DateTime<Utc>, rules: &'a Rules) -> Option<Self> {
        let expires = grant.refresh_expires(&handle.secret, now)?;
        Some(Self::of(grant, expires, rules))
    }

    fn of(grant: &'a Grant, expires: DateTime<Utc>, rules: &'a Rules) -> Self {
        let authentication = grant.authentication();
        Self {
            active: true,
            scope: grant.scope().as_str(),
            client_id: grant.client().as_str(),
            token_type: None,
            exp: expires.timestamp(),
            iat: None,
            sub: grant.subject().id(),
            sub_type: grant.subject().kind(),
            aud: None,
            iss: &rules.issuer,
            auth_time: authentication.map(|a| a.auth_time.timestamp()),
            acr: authentication.and_then(|a| a.acr.as_deref()),
            act: grant.actor(),
            authorization_details: grant.details(),
            cnf: grant.confirmation(),
        }
    }
}
