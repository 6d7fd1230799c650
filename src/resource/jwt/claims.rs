//! The claims of an access token as any issuer may write them (RFC 9068 section 2.2).

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use crate::scope::Scope;
use crate::signing::{Claims, SubjectType};
use crate::target::ResourceId;

#[derive(Deserialize)]
pub(super) struct Wire {
    pub(super) iss: String,
    pub(super) aud: Audience,
    pub(super) exp: i64,
    pub(super) iat: i64,
    pub(super) nbf: Option<i64>,
    pub(super) cnf: Option<IgnoredAny>,
    sub: String,
    client_id: String,
    jti: String,
    sub_type: Option<SubjectType>,
    #[serde(default)]
    scope: Scope,
    auth_time: Option<i64>,
    acr: Option<String>,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

/// RFC 7519 section 4.1.3.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    pub(super) fn names(&self, resource: &str) -> bool {
        match self {
            Self::One(own) => own == resource,
            Self::Several(all) => all.iter().any(|own| own == resource),
        }
    }
}

impl Wire {
    /// The claims for this resource, if they say in whose name the token acts.
    pub(super) fn into_claims(self, resource: &ResourceId, untyped: bool) -> Option<Claims> {
        if self.sub.is_empty() || self.client_id.is_empty() {
            return None;
        }
        let guessed = if self.sub == self.client_id { SubjectType::Client } else { SubjectType::User };
        Some(Claims {
            sub_type: self.sub_type.or(untyped.then_some(guessed))?,
            iss: self.iss,
            sub: self.sub,
            aud: resource.as_str().to_owned(),
            client_id: self.client_id,
            iat: self.iat,
            exp: self.exp,
            jti: self.jti,
            scope: self.scope,
            auth_time: self.auth_time,
            acr: self.acr,
            extra: self.extra,
        })
    }
}
