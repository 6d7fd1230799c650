//! The answer to a token request (RFC 6749 section 5.1).

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::grant::{GrantId, Handle, Issued, Kind, Prefixes};
use crate::http::Response;

/// Tokens on their way to the client.
#[derive(Debug)]
pub struct TokenReply {
    grant: GrantId,
    tokens: Issued,
    /// In seconds.
    expires_in: u64,
}

#[derive(Serialize)]
struct Body<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    scope: &'a str,
}

impl TokenReply {
    pub(crate) fn new(grant: GrantId, tokens: Issued, now: DateTime<Utc>) -> Self {
        let left = (tokens.expires - now).num_seconds();
        Self { grant, tokens, expires_in: u64::try_from(left).unwrap_or_default() }
    }

    /// The grant that the tokens belong to.
    #[must_use]
    pub fn grant_id(&self) -> GrantId {
        self.grant
    }

    /// The JSON answer; the tokens leave here and nowhere else.
    pub fn into_response(self, prefixes: &Prefixes) -> Response {
        let Self { grant, tokens, expires_in } = self;
        let text = |secret, kind| Handle::new(grant, secret).into_text(kind, prefixes);
        let access = text(tokens.access, Kind::Access);
        let refresh = tokens.refresh.map(|secret| text(secret, Kind::Refresh));
        let body = Body {
            access_token: &access,
            token_type: BEARER,
            expires_in,
            refresh_token: refresh.as_deref(),
            scope: tokens.scope.as_str(),
        };
        let mut json = Vec::with_capacity(320);
        match serde_json::to_writer(&mut json, &body) {
            Ok(()) => Response::secret_json(200, json),
            Err(_) => Response::empty(500),
        }
    }

    /// The parameters of an implicit answer (RFC 6749 section 4.2.2).
    pub(crate) fn into_fields(self, prefixes: &Prefixes) -> Vec<(&'static str, String)> {
        let access = Handle::new(self.grant, self.tokens.access).into_text(Kind::Access, prefixes);
        let mut fields = vec![
            ("access_token", access),
            ("token_type", BEARER.to_owned()),
            ("expires_in", self.expires_in.to_string()),
        ];
        if !self.tokens.scope.is_empty() {
            fields.push(("scope", self.tokens.scope.to_string()));
        }
        fields
    }
}

const BEARER: &str = "Bearer";
