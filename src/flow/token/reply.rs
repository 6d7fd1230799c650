//! The answer to a token request (RFC 6749 section 5.1).

use std::fmt;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::exchange::ACCESS_TOKEN;
use crate::client::GrantType;
use crate::details::AuthorizationDetails;
use crate::grant::{Grant, GrantId, Handle, Issued, Kind, Prefixes};
use crate::http::Response;
use crate::policy::Rules;
use crate::scope::Scope;
use crate::secret::Secret;
use crate::signing::{AccessTokens, Claims};

/// Tokens that were decided: ready to leave, or still lacking a signature.
#[derive(Debug)]
#[must_use]
#[non_exhaustive]
pub enum Reply {
    /// Ready.
    Ready(TokenReply),
    /// The access token has to be signed.
    Sign(Box<AwaitSignature>),
}

/// Tokens on their way to the client.
#[derive(Debug)]
pub struct TokenReply {
    grant: GrantId,
    access: AccessToken,
    refresh: Option<Secret>,
    scope: Scope,
    details: AuthorizationDetails,
    /// In seconds.
    expires_in: u64,
    issued_token_type: Option<&'static str>,
}

enum AccessToken {
    Opaque(Secret),
    Signed(String),
}

/// Waits for the signature of the access token.
#[derive(Debug)]
pub struct AwaitSignature {
    claims: Claims,
    refresh: Option<Secret>,
    grant: GrantId,
    scope: Scope,
    details: AuthorizationDetails,
    expires_in: u64,
    issued_token_type: Option<&'static str>,
}

impl Reply {
    /// The answer with the tokens of this grant.
    pub(crate) fn new(grant: &Grant, tokens: Issued, now: DateTime<Utc>, rules: &Rules) -> Self {
        let left = (tokens.expires - now).num_seconds();
        let expires_in = u64::try_from(left).unwrap_or_default();
        match tokens.format {
            AccessTokens::Opaque => {
                let Issued { access, refresh, scope, details, .. } = tokens;
                let access = AccessToken::Opaque(access);
                let grant = grant.id();
                let issued_token_type = None;
                Self::Ready(TokenReply {
                    grant,
                    access,
                    refresh,
                    scope,
                    details,
                    expires_in,
                    issued_token_type,
                })
            }
            AccessTokens::Jwt => {
                let claims = grant.claims(&tokens, rules);
                let Issued { refresh, scope, details, .. } = tokens;
                let grant = grant.id();
                let issued_token_type = None;
                let signature =
                    AwaitSignature { claims, refresh, grant, scope, details, expires_in, issued_token_type };
                Self::Sign(Box::new(signature))
            }
        }
    }

    /// With what the answer of this grant type has besides (RFC 8693 section 2.2.1).
    pub(super) fn for_grant_type(mut self, grant_type: &GrantType) -> Self {
        let issued = (*grant_type == GrantType::TokenExchange).then_some(ACCESS_TOKEN);
        match &mut self {
            Self::Ready(reply) => reply.issued_token_type = issued,
            Self::Sign(signature) => signature.issued_token_type = issued,
        }
        self
    }
}

impl AwaitSignature {
    /// What has to be signed.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    pub(crate) fn claims_mut(&mut self) -> &mut Claims {
        &mut self.claims
    }

    /// Takes the token that has these claims and a signature.
    #[must_use]
    pub fn with_token(self, token: String) -> TokenReply {
        let Self { refresh, grant, scope, details, expires_in, issued_token_type, .. } = self;
        let access = AccessToken::Signed(token);
        TokenReply { grant, access, refresh, scope, details, expires_in, issued_token_type }
    }
}

#[derive(Serialize)]
struct Body<'a> {
    access_token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_token_type: Option<&'static str>,
    token_type: &'static str,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    scope: &'a str,
    #[serde(skip_serializing_if = "AuthorizationDetails::is_empty")]
    authorization_details: AuthorizationDetails,
}

impl TokenReply {
    /// The grant that the tokens belong to.
    #[must_use]
    pub fn grant_id(&self) -> GrantId {
        self.grant
    }

    /// The JSON answer; the tokens leave here and nowhere else.
    pub fn into_response(self, prefixes: &Prefixes) -> Response {
        let Self { grant, access, refresh, scope, details, expires_in, issued_token_type } = self;
        let access = access.into_text(grant, prefixes);
        let refresh = refresh.map(|secret| Handle::new(grant, secret).into_text(Kind::Refresh, prefixes));
        let body = Body {
            access_token: &access,
            issued_token_type,
            token_type: BEARER,
            expires_in,
            refresh_token: refresh.as_deref(),
            scope: scope.as_str(),
            authorization_details: details,
        };
        let mut json = Vec::with_capacity(240 + access.len());
        match serde_json::to_writer(&mut json, &body) {
            Ok(()) => Response::secret_json(200, json),
            Err(_) => Response::empty(500),
        }
    }

    /// The parameters of an implicit answer (RFC 6749 section 4.2.2).
    pub(crate) fn into_fields(self, prefixes: &Prefixes) -> Vec<(&'static str, String)> {
        let mut fields = vec![
            ("access_token", self.access.into_text(self.grant, prefixes)),
            ("token_type", BEARER.to_owned()),
            ("expires_in", self.expires_in.to_string()),
        ];
        if !self.scope.is_empty() {
            fields.push(("scope", self.scope.to_string()));
        }
        if let (false, Ok(details)) = (self.details.is_empty(), serde_json::to_string(&self.details)) {
            fields.push(("authorization_details", details));
        }
        fields
    }
}

impl AccessToken {
    fn into_text(self, grant: GrantId, prefixes: &Prefixes) -> String {
        match self {
            Self::Opaque(secret) => Handle::new(grant, secret).into_text(Kind::Access, prefixes),
            Self::Signed(token) => token,
        }
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(..)")
    }
}

const BEARER: &str = "Bearer";
